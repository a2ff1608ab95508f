"""Every command of the program with arguments with which it does its work: what a leak test runs.

A test compares the names with those of the application, so that a command without a row fails.
`{p}` is the provider whose key is looked for; `-v --debug` is added where a command knows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

import typer

from llm_client.cli.app import application

__all__ = ["ASKING", "ROWS", "Row", "commands", "with_everything_said"]


class Row(NamedTuple):
    """A command line."""

    words: str
    stdin: str = ""
    """`{key}` is the key."""
    asks: bool = False
    """Whether it is also run in every situation of `servers.py`."""


_GENERATE: Final = "generate -m {p}/m --retries 0 --timeout 5 --no-stdin hi"
_HEALTH: Final = "health -p {p} --timeout 5"

ROWS: Final[dict[tuple[str, ...], tuple[Row, ...]]] = {
    ("generate",): (
        Row(_GENERATE, asks=True),
        Row(f"{_GENERATE} --json", asks=True),
        Row(f"{_GENERATE} --json --stream", asks=True),
        Row(f"{_GENERATE} --no-stream --cache -o answer.txt", asks=True),
        Row(f"{_GENERATE} --fallback {{p}}/other --tag t --project p --session s"),
        Row(f"{_GENERATE} --schema " + '{{"type":"object"}}'),
        Row(f"{_GENERATE} --max-cost 0.0000001"),
        Row(f"{_GENERATE} --dry-run"),
        Row(f"{_GENERATE} --dry-run --json"),
    ),
    ("models",): (
        Row("models --all --timeout 5"),
        Row("models -p {p} --json --refresh --timeout 5", asks=True),
    ),
    ("models", "show"): (
        Row("models show {p}/m --timeout 5"),
        Row("models show {p}/m --json --refresh --timeout 5", asks=True),
    ),
    ("usage",): (Row("usage"), Row("usage --by outcome --json"), Row("usage --csv")),
    ("usage", "export"): (Row("usage export"), Row("usage export --format csv -o usage.csv")),
    ("usage", "prune"): (Row("usage prune --older-than 1d --yes"),),
    ("health",): (
        Row(_HEALTH, asks=True),
        Row("health --timeout 5"),
        Row(f"{_HEALTH} --deep --json -m m", asks=True),
    ),
    ("config", "path"): (Row("config path"),),
    ("config", "show"): (
        Row("config show"),
        Row("config show --json --all"),
        Row("config show providers"),
        Row("config show -p {p}"),
    ),
    ("config", "set"): (
        Row("config set retry.max_retries 0"),
        Row("config set providers.{p}.timeout soon"),
    ),
    ("config", "unset"): (Row("config unset retry.max_retries"),),
    ("config", "validate"): (Row("config validate"), Row("config validate --json")),
    ("config", "edit"): (Row("config edit"),),
    ("creds", "list"): (Row("creds list"), Row("creds list --json --run")),
    ("creds", "test"): (
        Row("creds test --timeout 5"),
        Row("creds test {p} --json --timeout 5", asks=True),
    ),
    ("creds", "set"): (
        Row("creds set openai --store file", stdin="{key}\n"),
        Row("creds set openai --store keyring", stdin="{key}\n"),
        Row("creds set openai", stdin=" {key}\nsecond line\n"),
        Row("creds set nobody-of-that-name", stdin="{key}\n"),
    ),
    ("creds", "move"): (
        Row("creds move openai --to keyring"),
        Row("creds move --all --to file"),
    ),
    ("creds", "remove"): (Row("creds remove openai"), Row("creds remove anthropic")),
    # Last: it puts another configuration into the place of the one that the others need.
    ("config", "init"): (Row("config init --yes"), Row("config init --yes --force")),
}

ASKING: Final = tuple(row for rows in ROWS.values() for row in rows if row.asks)
"""What a server has a say in: every way in which what it says can be told."""


@cache
def commands() -> dict[tuple[str, ...], Any]:
    """Return every command of the application, with Typer's object for it; groups that only list
    their commands are none."""

    def walk(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        below = getattr(command, "commands", {})
        if path and (not below or command.invoke_without_command):
            yield path, command
        for name, each in below.items():
            yield from walk((*path, name), each)

    return dict(walk((), typer.main.get_command(application([]))))


def with_everything_said(words: str, provider: str) -> list[str]:
    """Return the arguments of a row, with every flag that makes the command say more."""
    arguments = [word.format(p=provider) for word in words.split()]
    known = commands()
    path = tuple(arguments[:2]) if tuple(arguments[:2]) in known else (arguments[0],)
    flags = {name for parameter in known[path].params for name in parameter.opts}
    return [*arguments, *(flag for flag in ("--verbose", "--debug") if flag in flags)]
