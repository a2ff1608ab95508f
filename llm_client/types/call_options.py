"""Which options belong to a call and not to its request, and what they can be.

Owns the checks of what users hand over; a wrong value is named before anything is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..exceptions import ValidationError
from .checks import check_count, check_range, check_seconds, check_type
from .request import RequestOptions

__all__ = ["CALL_OPTIONS", "LONGEST_LABEL", "check_options"]

CALL_OPTIONS = frozenset(
    {
        "cache",
        "deadline",
        "max_cost",
        "max_retries",
        "model",
        "project",
        "schema_retries",
        "session",
        "tags",
        "task",
        "timeout",
    }
)
"""Options of a call that are not fields of its request."""
LONGEST_LABEL = 200
"""Characters of a project, session or tag: each is a key, written with every attempt."""
_MOST_USD = 1e9
_TEXTS = frozenset({"project", "session", "task"})


def check_options(
    options: Mapping[str, object], known: Collection[str] = RequestOptions.__annotations__.keys()
) -> None:
    """Refuse an option that there is not, and a value that an option of a call cannot have.

    Raises:
        ValidationError: names the option.
    """
    for name, value in options.items():
        if value is not None and name in CALL_OPTIONS:
            _check(name, value)
    if unknown := sorted(options.keys() - set(known)):
        raise ValidationError(
            f"There is no option {unknown[0]!r}.",
            hint=f"Options: {', '.join(sorted(known))}.",
        )


def _check(name: str, value: object) -> None:
    if name in {"max_retries", "schema_retries"}:
        check_count(name, value, least=0)
    elif name in {"timeout", "deadline"}:
        check_seconds(name, value, zero=name == "deadline")
    elif name == "max_cost":
        check_range(name, value, 0.0, _MOST_USD)
    elif name == "cache" and not isinstance(value, bool):
        raise ValidationError(f"cache {value!r} is neither True nor False.", param=name)
    elif name in _TEXTS:
        _check_text(name, value)
    elif name == "model":
        check_type(name, value, str, "a text")
    elif name == "tags":
        _check_tags(value)


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ValidationError(f"{name} {value!r} is not a text.", param=name)
    if not value.strip():
        raise ValidationError(f"{name} {value!r} is empty: leave it out.", param=name)
    _check_length(name, name, value)


def _check_tags(value: object) -> None:
    tags = value if isinstance(value, list | tuple | set | frozenset) else (None,)
    if not all(isinstance(tag, str) for tag in tags):
        raise ValidationError(
            f"tags {value!r} is not a list of texts.", hint='Write `tags=["…"]`.', param="tags"
        )
    for tag in tags:
        if not str(tag).strip():
            raise ValidationError(f"The tag {tag!r} is empty: leave it out.", param="tags")
        _check_length("tags", "The tag", str(tag))


def _check_length(name: str, what: str, label: str) -> None:
    if len(label) > LONGEST_LABEL:
        raise ValidationError(
            f"{what} {label[:20] + '…'!r} is {len(label):,} characters long: at most "
            f"{LONGEST_LABEL}.",
            param=name,
        )
