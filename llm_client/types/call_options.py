"""Which options belong to a call and not to its request, and what they can be.

Owns the checks of what users hand over; a wrong value is named before anything is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..exceptions import ValidationError
from .checks import check_count, check_range, check_seconds
from .request import RequestOptions

__all__ = ["CALL_OPTIONS", "check_options"]

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
    elif name in _TEXTS and not (isinstance(value, str) and value.strip()):
        raise ValidationError(f"{name} {value!r} is not a text.", param=name)
    elif name == "tags":
        _check_tags(value)


def _check_tags(value: object) -> None:
    tags = value if isinstance(value, list | tuple | set | frozenset) else (None,)
    if not all(isinstance(tag, str) and tag.strip() for tag in tags):
        raise ValidationError(
            f"tags {value!r} is not a list of texts.", hint='Write `tags=["…"]`.', param="tags"
        )
