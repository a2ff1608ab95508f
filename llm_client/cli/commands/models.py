"""`llm-client models`: its flags, and what they mean for the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options as opt

if TYPE_CHECKING:
    from ..environment import Environment
    from ..progress import Progress

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
        autocompletion=opt.offers("targets"),
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
        opt.run(_list, flags)
    opt.refuse_misplaced(context, flags)


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
    opt.run(_show, locals())


def _list(flags: dict[str, Any], environment: Environment, progress: Progress) -> int:
    from ..models import ModelsCommand, show_models

    command = ModelsCommand(
        query=flags["query"] or "",
        config_path=flags["config"],
        seconds=_seconds(flags),
        **{name: flags[name] for name in _LIST_FLAGS},
    )
    return show_models(command, environment, progress)


def _show(flags: dict[str, Any], environment: Environment, progress: Progress) -> int:
    from ..model_show import ShowCommand, show_model

    command = ShowCommand(
        config_path=flags["config"],
        seconds=_seconds(flags),
        **{name: flags[name] for name in _SHOW_FLAGS},
    )
    return show_model(command, environment, progress)


def _seconds(flags: dict[str, Any]) -> float:
    """Return how long any list may take."""
    from ..models import DEFAULT_SECONDS

    return opt.checked_seconds("--timeout", flags["timeout"]) or DEFAULT_SECONDS


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
_SHOW_FLAGS = ("spec", "base_url", "json", "refresh")
