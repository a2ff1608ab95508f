"""What a setting may be: how a value is checked, and how the text of a variable becomes one.

Owns words, not names: which setting is of which kind stands in `setting_schema`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, get_args

from ..dialects import DIALECTS
from ..types.checks import LONGEST_SECONDS
from ..types.config import Overflow, Prefer
from ..types.request import ReasoningEffort
from ..types.secret import redact
from .address import is_address

__all__ = [
    "ADDRESS",
    "AMOUNT",
    "COMMAND",
    "DIALECT",
    "EFFORT",
    "FACTOR",
    "FLAG",
    "HEADERS",
    "HEADER_NAME",
    "ON_EXCEEDED",
    "OVERFLOW",
    "PAUSE",
    "PREFER",
    "PRICE",
    "RETRIES",
    "SECONDS",
    "SHARE",
    "SIZE",
    "SOME",
    "STORE",
    "TABLE",
    "TEMPERATURE",
    "TEXT",
    "TEXTS",
    "VARIABLE",
    "VERIFY",
    "WAIT",
    "WHOLE",
    "Kind",
    "nearest",
]

_MOST_USD = 1e9
"""As in `types/budget.py`."""
_STEEPEST = 1e6
"""As in `LLMConfig`."""


class Kind:
    """What a setting may be.

    No NamedTuple: making the class would cost every start with a configuration file 0.2 ms.
    """

    __slots__ = ("check", "is_shown", "read", "wanted", "words")

    def __init__(
        self,
        check: Callable[[object], bool],
        wanted: str,
        read: Callable[[str], object],
        words: tuple[str, ...] = (),
        *,
        is_shown: bool = True,
    ) -> None:
        """Take what is to be known of it.

        Args:
            check: whether a value is one.
            wanted: what to say where it is not: "X must be …".
            read: makes the value of a variable's text; anything that it cannot read it returns as
                it is, for `check` to refuse.
            words: all that it may be, where they can be listed.
            is_shown: whether a value may be shown: that of a header may be a key.
        """
        self.check = check
        self.wanted = wanted
        self.read = read
        self.words = words
        self.is_shown = is_shown


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _number(low: float, high: float = math.inf) -> Callable[[object], bool]:
    # TOML has `nan` and `inf`, which no setting can mean.
    def check(value: object) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and low <= value <= high and value < math.inf  # type: ignore[operator]

    return check


def _is_wait(value: object) -> bool:
    return _number(0, LONGEST_SECONDS)(value) and value != 0


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and _is_whole(value) and value >= 0


def _is_some(value: object) -> bool:
    return _is_count(value) and value != 0


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_table(value: object) -> bool:
    try:
        return isinstance(value, dict) and _is_json(value)
    except RecursionError:
        return False


def _is_json(value: object) -> bool:
    # TOML has dates, `nan` and `inf`, and no request can say them.
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text for text in value)


def _is_command(value: object) -> bool:
    return (
        isinstance(value, list)
        and all(map(_is_text, value))
        and bool(value)
        and bool(value[0].strip())
    )


def _is_header_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(_HEADER_NAME, value) is not None


def _is_headers(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_header_name(name) and isinstance(text, str) and text.isprintable() and text.isascii()
        for name, text in value.items()
    )


def _is_variable(value: object) -> bool:
    # Some keys are made of nothing else than the name of a variable is.
    return (
        isinstance(value, str)
        and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) is not None
        and redact(value) == value
    )


def _is_verify(value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and bool(value.strip()))


def _is_address(value: object) -> bool:
    return isinstance(value, str) and is_address(value)


_HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
"""RFC 9110, section 5.1."""
_FLAGS = {
    **dict.fromkeys(("true", "on", "yes", "1"), True),
    **dict.fromkeys(("false", "off", "no", "0"), False),
}


def _as_text(text: str) -> object:
    return text.strip()


def _as_number(text: str) -> object:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _as_flag(text: str) -> object:
    return _FLAGS.get(text.strip().lower(), text)


def _as_json(text: str) -> object:
    import json

    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value


def _as_texts(text: str) -> object:
    """Return a JSON list, or what stands between commas."""
    if text.lstrip().startswith("["):
        return _as_json(text)
    return [part.strip() for part in text.split(",") if part.strip()]


def _as_command(text: str) -> object:
    """Return a JSON list, or words as a shell would tell them apart."""
    if text.lstrip().startswith("["):
        return _as_json(text)
    import shlex

    try:
        return shlex.split(text)
    except ValueError:
        return text


def _one_of(words: Iterable[str]) -> Kind:
    *others, last = known = tuple(words)
    return Kind(
        lambda value: isinstance(value, str) and value in known,
        f"{', '.join(others)} or {last}",
        _as_text,
        known,
    )


TEXT: Final = Kind(_is_text, "a text", _as_text)
TEXTS: Final = Kind(_is_texts, "a list of texts, none of them empty", _as_texts)
ADDRESS: Final = Kind(_is_address, "an address such as `http://HOST:PORT/v1`", _as_text)
VARIABLE: Final = Kind(
    _is_variable, "the name of the variable that holds the key", _as_text, is_shown=False
)
TEMPERATURE: Final = Kind(_number(0, 2), "a number from 0 to 2", _as_number)
SHARE: Final = Kind(_number(0, 1), "a number from 0 to 1", _as_number)
FACTOR: Final = Kind(_number(0, _STEEPEST), "a number, 0 or more", _as_number)
SECONDS: Final = Kind(_number(0), "a number of seconds, 0 or more", _as_number)
PAUSE: Final = Kind(
    _number(0, LONGEST_SECONDS), f"a number of seconds, 0 to {LONGEST_SECONDS:.0f}", _as_number
)
WAIT: Final = Kind(
    _is_wait, f"a number of seconds, more than 0 and at most {LONGEST_SECONDS:.0f}", _as_number
)
SIZE: Final = Kind(_number(0), "a number of megabytes, 0 or more", _as_number)
AMOUNT: Final = Kind(_number(0, _MOST_USD), f"an amount in USD, 0 to {_MOST_USD:.0f}", _as_number)
PRICE: Final = Kind(_number(0), "USD per million tokens, 0 or more", _as_number)
WHOLE: Final = Kind(_is_whole, "a whole number", _as_number)
RETRIES: Final = Kind(_is_count, "a whole number, 0 or more", _as_number)
SOME: Final = Kind(_is_some, "a whole number, 1 or more", _as_number)
FLAG: Final = Kind(_is_flag, "true or false", _as_flag, ("true", "false"))
TABLE: Final = Kind(_is_table, "a table of JSON values", _as_json)
COMMAND: Final = Kind(_is_command, "a list of texts: a program and its arguments", _as_command)
HEADER_NAME: Final = Kind(_is_header_name, "the name of a header", _as_text)
HEADERS: Final = Kind(
    _is_headers, "a table of ASCII texts by the names of headers", _as_json, is_shown=False
)
VERIFY: Final = Kind(_is_verify, "true, false, a path or `system`", _as_flag)
DIALECT: Final = Kind(
    lambda value: isinstance(value, str) and value in DIALECTS,
    f"one of {', '.join(DIALECTS)}",
    _as_text,
    tuple(DIALECTS),
)
OVERFLOW: Final = _one_of(get_args(Overflow))
PREFER: Final = _one_of(get_args(Prefer))
EFFORT: Final = _one_of(get_args(ReasoningEffort))
ON_EXCEEDED: Final = _one_of(("block", "warn"))
STORE: Final = _one_of(("auto", "keyring", "file"))


def nearest(name: str, known: Iterable[Any]) -> str | None:
    """Return a question for the name that was meant; `None` where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else None
