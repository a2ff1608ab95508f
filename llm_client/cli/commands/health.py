"""`llm-client health`: its flags, and what they mean for the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options as opt

if TYPE_CHECKING:
    from ..environment import Environment
    from ..progress import Progress

__all__ = ["register"]

_EPILOG = (
    "On a pipe every provider is one line, its fields separated by tabs: name, `healthy` or what is "
    "wrong, milliseconds to the first answer, key, model, version, loaded models with their context "
    "in tokens, milliseconds to the first token and tokens per second (--deep), address, why. Exit "
    "status: 0 all are healthy, 4 one is unreachable, 3 one refuses its key, or has none, 6 one "
    "lacks a model that is named for it; of several the first of these."
)

Deep = Annotated[
    bool,
    typer.Option(
        "--deep", help="Also generate one token, which may cost something, and say how fast."
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        help="Seconds for each provider; the default is 5, with --deep 60.",
        show_default=False,
    ),
]
Object = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only what is not healthy.")]


def register(app: typer.Typer) -> None:
    """Declare the command."""
    app.command(epilog=_EPILOG)(health)


def health(
    provider: opt.Provider = None,
    model: opt.Model = None,
    base_url: opt.BaseUrl = None,
    profile: opt.Profile = None,
    deep: Deep = False,
    json: Object = False,
    timeout: Seconds = None,
    config: opt.ConfigPath = None,
    color: opt.Color = "auto",
    quiet: Quiet = False,
    verbose: opt.Verbose = False,
    debug: opt.Debug = False,
) -> None:
    """Check every configured provider, or one: whether it answers, takes the key, has the model."""
    opt.run(_health, locals())


def _health(flags: dict[str, Any], environment: Environment, progress: Progress) -> int:
    from ..health import HealthCommand, show_health

    command = HealthCommand(
        seconds=opt.checked_seconds("--timeout", flags["timeout"]),
        config_path=flags["config"],
        **{name: flags[name] for name in _FLAGS},
    )
    return show_health(command, environment, progress)


_FLAGS = ("provider", "model", "base_url", "profile", "deep", "json", "quiet")
"""Flags that go into the command under their own name."""
