"""`llm-client models`: its flags, and what they mean for the command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from ...exceptions import LLMError
from .. import options as opt
from ..exit_status import ExitStatus, UsageError

__all__ = ["register"]

_EPILOG = (
    "On a pipe every model is one line, its fields separated by tabs: name, context length in "
    "tokens, price of the prompt and of the answer in USD per million tokens, abilities, marks. "
    "Marks: `default` is asked when nothing is named, `-p:NAME` (`-u`) with that flag alone, and "
    "`@NAME` is a profile."
)

Everything = Annotated[
    bool,
    typer.Option("--all", help="Also models for embeddings, pictures, speech…, and retired ones."),
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Ask anew, whatever is kept.")]
Query = Annotated[
    str | None,
    typer.Option(
        "--query",
        "-q",
        help="Only models with these words in name or description.",
        metavar="TEXT",
        show_default=False,
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--timeout", help="Seconds to wait for any list; the default is 10.", show_default=False
    ),
]
Object = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Spec = Annotated[
    str,
    typer.Argument(
        help="PROVIDER/MODEL, or a profile.",
        metavar="MODEL",
        show_default=False,
        autocompletion=lambda ctx, incomplete: opt.model_names(ctx, incomplete),
    ),
]


def register(app: typer.Typer) -> None:
    """Declare the command and what is below it."""
    group = typer.Typer(
        invoke_without_command=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    group.callback(epilog=_EPILOG)(models)
    group.command()(show)
    app.add_typer(group, name="models")


def models(
    context: typer.Context,
    provider: opt.Provider = None,
    base_url: opt.BaseUrl = None,
    profile: opt.Profile = None,
    everything: Everything = False,
    query: Query = None,
    json: Object = False,
    refresh: Refresh = False,
    timeout: Seconds = None,
    config: opt.ConfigPath = None,
    color: opt.Color = "auto",
    verbose: opt.Verbose = False,
    debug: opt.Debug = False,
) -> None:
    """List the models of all configured providers, or of one: its price, window, abilities."""
    flags = locals()
    if context.invoked_subcommand is None:
        raise typer.Exit(_run(_list, flags))
    if any(value not in (None, False, "auto", context) for value in flags.values()):
        error = UsageError(
            "Flags stand behind the command.",
            hint=f"`llm-client models {context.invoked_subcommand} … --FLAG`.",
        )
        raise typer.Exit(_refused(error, json=json, debug=debug))


def show(
    spec: Spec,
    base_url: opt.BaseUrl = None,
    json: Object = False,
    refresh: Refresh = False,
    timeout: Seconds = None,
    config: opt.ConfigPath = None,
    color: opt.Color = "auto",
    debug: opt.Debug = False,
) -> None:
    """Show everything that is known of one model, and where it is known from."""
    raise typer.Exit(_run(_show, locals()))


def _run(work: Callable[[dict[str, Any], float], int], flags: dict[str, Any]) -> int:
    try:
        opt.checked_color(flags["color"])
        seconds = opt.checked_seconds("--timeout", flags["timeout"])
    except LLMError as error:
        return _refused(error, json=flags["json"], debug=flags["debug"])
    from ..models import DEFAULT_SECONDS

    return work(flags, DEFAULT_SECONDS if seconds is None else seconds)


def _refused(error: LLMError, *, json: bool, debug: bool) -> int:
    from ..environment import Environment
    from ..report import report

    report(error, Environment.current(), json=json, debug=debug)
    return ExitStatus.USAGE


def _list(flags: dict[str, Any], seconds: float) -> int:
    from ..environment import Environment
    from ..models import ModelsCommand, run_models

    environment = Environment.current()
    environment.color = flags["color"]
    command = ModelsCommand(
        query=flags["query"] or "",
        config_path=flags["config"],
        seconds=seconds,
        **{name: flags[name] for name in _LIST_FLAGS},
    )
    return run_models(command, environment)


def _show(flags: dict[str, Any], seconds: float) -> int:
    from ..environment import Environment
    from ..model_show import ShowCommand, run_show

    environment = Environment.current()
    environment.color = flags["color"]
    command = ShowCommand(
        config_path=flags["config"],
        seconds=seconds,
        **{name: flags[name] for name in _SHOW_FLAGS},
    )
    return run_show(command, environment)


_LIST_FLAGS = (
    "provider",
    "base_url",
    "profile",
    "everything",
    "json",
    "refresh",
    "verbose",
    "debug",
)
"""Flags that go into the command under their own name."""
_SHOW_FLAGS = ("spec", "base_url", "json", "refresh", "debug")
