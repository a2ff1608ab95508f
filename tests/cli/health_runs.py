"""What the tests of `llm-client health` share: who is configured, and what was printed."""

from __future__ import annotations

import sys

import pytest

from llm_client.providers.catalog import LOCAL_SERVERS

from . import program
from . import terminal as terminals
from .program import Result

__all__ = ["FIELDS", "lines", "only_who_is_named", "with_provider"]

FIELDS = (
    *("name", "status", "latency", "key", "model", "version", "loaded"),
    *("first_token", "tokens_per_second", "address", "why"),
)


def lines(result: Result) -> dict[str, dict[str, str]]:
    """Return the fields of every line, by the provider's name."""
    found = [line.split("\t") for line in result.text.splitlines()]
    assert all(len(fields) == len(FIELDS) for fields in found)
    return {fields[0]: dict(zip(FIELDS, fields, strict=True)) for fields in found}


def with_provider(url: str, more: str = "", name: str = "work") -> str:
    return f'[providers.{name}]\nbase_url = "{url}"\n{more}\n'


def only_who_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program ask nobody whom the test has not named.

    That is neither what runs on this machine, nor the closed addresses that every test has in
    variables: those count as named.
    """
    for name in LOCAL_SERVERS:
        monkeypatch.delenv(f"LLM_CLIENT_{name.upper()}_BASE_URL")
    code = (
        "import sys, llm_client.configured as it; it.LOCAL_SERVERS = ();"
        "from llm_client.__main__ import main; sys.exit(main())"
    )

    def command(*arguments: str | bytes) -> list[str | bytes]:
        return [sys.executable, "-c", code, *arguments]

    for module in (program, terminals):
        monkeypatch.setattr(module, "command", command)
