"""The error tree: its shape, its names, and that every error travels whole."""

from __future__ import annotations

import builtins
import copy
import pickle
import re
from typing import Any

import pytest

from llm_client import exceptions
from llm_client.exceptions import LLMAPIError, LLMError

CLASSES = {
    name: value
    for name, value in vars(exceptions).items()
    if isinstance(value, type) and issubclass(value, LLMError) and value.__name__ == name
}
API_FIELDS: dict[str, Any] = {
    "status": 429,
    "code": "c",
    "type": "t",
    "param": "p",
    "request_id": "r",
    "retry_after": 1.5,
    "provider": "openai",
    "model": "m",
    "retryable": True,
    "body": "{}",
}
every_class = pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)


def fields_of(kind: type[LLMError]) -> dict[str, Any]:
    if issubclass(kind, LLMAPIError):
        return {"hint": "do `this`", **API_FIELDS}
    if issubclass(kind, exceptions.ConnectionError):
        return {"hint": "do `this`", "partial": "so far", "refused": True, "retryable": False}
    return {"hint": "do `this`", "partial": "so far"}


def test_public_names_are_the_tree_its_aliases_and_warnings() -> None:
    others = {"CredentialStoreWarning", "InsecureConnectionWarning"}
    others |= {"LLMConnectionError", "LLMTimeoutError"}
    assert exceptions.__all__ == sorted({*CLASSES, *others})
    assert exceptions.LLMConnectionError is exceptions.ConnectionError
    assert exceptions.LLMTimeoutError is exceptions.TimeoutError


def test_tree_drawn_in_the_docstring_is_the_tree() -> None:
    """The drawing at the top of the module, read by its indentation."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (exceptions.__doc__ or "").splitlines():
        if found := re.match(r"([│├└─ ]*)([A-Z]\w+Error)\b", line):
            depth, name = len(found[1]), found[2]
            above = [(d, n) for d, n in above if d < depth]
            if above:
                parents[name] = above[-1][1]
            above.append((depth, name))
    assert {*parents, "LLMError"} == set(CLASSES)
    for name, parent in parents.items():
        assert CLASSES[name].__bases__[0] is CLASSES[parent]


def test_network_errors_are_also_the_builtin_ones() -> None:
    assert issubclass(exceptions.ConnectionError, builtins.ConnectionError)
    assert issubclass(exceptions.TimeoutError, builtins.TimeoutError)
    assert issubclass(exceptions.TimeoutError, exceptions.ConnectionError)
    with pytest.raises(builtins.TimeoutError, match="slow"):
        raise exceptions.TimeoutError("slow")


@every_class
def test_error_keeps_its_fields_and_shows_its_message(kind: type[LLMError]) -> None:
    fields = fields_of(kind)
    error = kind("what failed", **fields)
    assert str(error) == error.message == "what failed"
    assert error.args == ("what failed",)
    for name, value in fields.items():
        assert getattr(error, name) == value


@every_class
def test_error_without_fields_has_neutral_ones(kind: type[LLMError]) -> None:
    error = kind()
    assert (str(error), error.hint, error.partial) == ("", None, "")
    for name in fields_of(kind).keys() - {"partial", "retryable", "refused"}:
        assert getattr(error, name) is None
    assert getattr(error, "retryable", False) is isinstance(error, exceptions.ConnectionError)
    assert not getattr(error, "refused", False)


@every_class
def test_error_travels_whole(kind: type[LLMError]) -> None:
    error = kind("what failed", **fields_of(kind))
    error.partial = "what had come"
    error.add_note("seen on Friday")
    travelled = [pickle.loads(pickle.dumps(error, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)]
    for other in [*travelled, copy.copy(error), copy.deepcopy(error)]:
        assert type(other) is kind
        assert str(other) == "what failed"
        assert other.args == error.args
        assert vars(other) == vars(error)


def test_hint_set_later_travels_too() -> None:
    error = LLMAPIError("what failed", status=500)
    error.hint = "try again"
    assert pickle.loads(pickle.dumps(error)).hint == "try again"
