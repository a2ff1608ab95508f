"""OpenAI's own request types, as published in its package, made strict: an unknown key is an error.

The package declares them as TypedDicts, which pydantic checks. Owns that check only.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import Any, cast

import openai.types
from openai.types import completion_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params
from pydantic import ConfigDict, TypeAdapter
from typing_extensions import is_typeddict

__all__ = ["check_chat_body", "check_completions_body", "check_responses_body"]


@cache
def _forbid_unknown_keys() -> None:
    """Mark every TypedDict of the requests as closed, before the first of them is built."""
    folders = [openai.types, importlib.import_module("openai.types.responses")]
    folders += [
        importlib.import_module(f"openai.types.{name}") for name in ("shared_params", "chat")
    ]
    for folder in folders:
        for module in vars(folder).copy().values():
            if isinstance(module, ModuleType):
                for value in vars(module).values():
                    if is_typeddict(value):
                        cast(Any, value).__pydantic_config__ = ConfigDict(extra="forbid")


@cache
def _adapter(of: Any) -> TypeAdapter[Any]:
    _forbid_unknown_keys()
    return TypeAdapter(of)


def check_chat_body(body: dict[str, Any]) -> None:
    """Raise pydantic's error when OpenAI would not know the body of a Chat request."""
    _check(chat_create_params.CompletionCreateParams, body)


def check_responses_body(body: dict[str, Any]) -> None:
    """Raise pydantic's error when OpenAI would not know the body of a Responses request."""
    _check(response_create_params.ResponseCreateParams, body)


def check_completions_body(body: dict[str, Any]) -> None:
    """Raise pydantic's error when OpenAI would not know the body of a Completions request."""
    _check(completion_create_params.CompletionCreateParams, body)


def _check(of: Any, body: dict[str, Any]) -> None:
    value = _adapter(of).validate_python(body, strict=True)
    # What is declared as an iterable is checked only when it is read.
    _exhaust(value)


def _exhaust(value: Any) -> None:
    if isinstance(value, dict):
        for item in value.values():
            _exhaust(item)
    elif hasattr(value, "__iter__") and not isinstance(value, str):
        for item in value:
            _exhaust(item)
