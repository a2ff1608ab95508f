"""`llm-client creds`: its flags, and what they mean for the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from .. import options as opt
from ..exit_status import UsageError

if TYPE_CHECKING:
    from ...storage.credentials import Store
    from ..environment import Environment
    from ..progress import Progress

__all__ = ["register"]

_STORES = ("keyring", "file")

Provider = Annotated[
    str,
    typer.Argument(
        help="Whose key: openai, anthropic…",
        metavar="PROVIDER",
        show_default=False,
        autocompletion=opt.offers("providers"),
    ),
]
AnyProvider = Annotated[
    str | None,
    typer.Argument(
        help="Whose key; all that there are, when it is left out.",
        metavar="[PROVIDER]",
        show_default=False,
        autocompletion=opt.offers("providers"),
    ),
]
Moved = Annotated[
    str | None,
    typer.Argument(
        help="Whose key, without --all.",
        metavar="[PROVIDER]",
        show_default=False,
        autocompletion=opt.offers("providers"),
    ),
]
StoreName = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="keyring or file; else the keyring if there is one.",
        metavar="NAME",
        show_default=False,
        autocompletion=lambda: _STORES,
    ),
]
To = Annotated[
    str,
    typer.Option("--to", help="keyring or file.", metavar="NAME", autocompletion=lambda: _STORES),
]
All = Annotated[bool, typer.Option("--all", help="Every key that is in the other store.")]
Run = Annotated[
    bool, typer.Option("--run", help="Run each api_key_command too, to see whether it works.")
]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--timeout", help="Seconds for each provider; the default is 5.", show_default=False
    ),
]
Object = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Declare the commands."""
    group = typer.Typer(
        help="Keep keys: in the keyring of the system, or in a file that only you can read.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    # What is too much may be a key, which no message should repeat.
    group.command("set", context_settings={"allow_extra_args": True})(set_key)
    group.command("list")(list_keys)
    group.command("test")(check_keys)
    group.command("remove")(remove_key)
    group.command("move")(move_key)
    app.add_typer(group, name="creds")


def set_key(
    context: typer.Context,
    provider: Provider,
    store: StoreName = None,
    config: opt.ConfigPath = None,
    debug: opt.Debug = False,
) -> None:
    """Keep the key of a provider: typed at a hidden prompt, or read from standard input."""
    opt.run(_set, locals())


def list_keys(
    run: Run = False,
    json: Object = False,
    config: opt.ConfigPath = None,
    debug: opt.Debug = False,
) -> None:
    """List whose keys there are, where each comes from, and its last four characters.

    Of several the first holds. On a pipe the fields are separated by tabs.
    """
    opt.run(_list, locals())


def check_keys(
    provider: AnyProvider = None,
    json: Object = False,
    timeout: Seconds = None,
    config: opt.ConfigPath = None,
    debug: opt.Debug = False,
) -> None:
    """Ask providers whether they accept their keys, by requests that cost nothing.

    Exit status: 0 all are accepted or cannot be told, 4 one is unreachable, 3 one is refused.
    """
    opt.run(_test, locals())


def remove_key(provider: Provider, config: opt.ConfigPath = None, debug: opt.Debug = False) -> None:
    """Remove the key of a provider from where it is kept."""
    opt.run(_remove, locals())


def move_key(
    to: To,
    provider: Moved = None,
    everything: All = False,
    config: opt.ConfigPath = None,
    debug: opt.Debug = False,
) -> None:
    """Move keys between keyring and file. The old one goes when the new one has been read back."""
    opt.run(_move, locals())


def _set(flags: dict[str, Any], environment: Environment, _: Progress) -> int:
    from ..creds import set_key

    if flags["context"].args:
        raise UsageError(
            "A key is not taken from the command line: it would stay in the history of the shell, "
            "and other users see it among the processes. Replace one that was typed there.",
            hint="Leave it out and type it when asked, or pipe it in: "
            "`llm-client creds set PROVIDER < FILE`.",
        )
    store = None if flags["store"] is None else _store("--store", flags["store"])
    return set_key(flags["provider"], store, flags["config"], environment)


def _list(flags: dict[str, Any], environment: Environment, _: Progress) -> int:
    from ..creds_list import list_keys

    return list_keys(environment, flags["config"], json=flags["json"], run_commands=flags["run"])


def _test(flags: dict[str, Any], environment: Environment, progress: Progress) -> int:
    from ..creds_check import CheckCommand, check_keys

    command = CheckCommand(
        provider=flags["provider"],
        json=flags["json"],
        seconds=opt.checked_seconds("--timeout", flags["timeout"]),
        config_path=flags["config"],
    )
    return check_keys(command, environment, progress)


def _remove(flags: dict[str, Any], environment: Environment, _: Progress) -> int:
    from ..creds import remove_key

    return remove_key(flags["provider"], flags["config"], environment)


def _move(flags: dict[str, Any], environment: Environment, _: Progress) -> int:
    from ..creds import move_keys

    if (flags["provider"] is None) != flags["everything"]:
        raise UsageError("Name one provider, or say --all.")
    to = _store("--to", flags["to"])
    return move_keys(flags["provider"], to, flags["config"], environment)


def _store(flag: str, name: str) -> Store:
    if name not in _STORES:
        raise UsageError(f"{flag} {name!r} is neither keyring nor file.")
    return cast("Store", name)
