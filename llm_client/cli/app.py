"""The Typer application: from arguments to commands.

Only `typer.*` names are used: Typer brings its own click, whose exceptions are not those of a
click that may be installed beside it.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

import typer

from .exit_status import ExitStatus, UsageError

__all__ = ["application", "run"]

_COMMANDS = {
    "generate": "Answer one prompt: from arguments, files and standard input.",
    "models": "List the models of all configured providers, or of one.",
    "health": "Check whether providers answer, take the key, have the model.",
    "usage": "Show what was used: calls, tokens, cost, waits.",
    "config": "Make, show, change and check the configuration file.",
    "creds": "Keep keys: in the system's keyring, or in a file.",
}
"""Each is declared by `register` in the module of its name under `commands`; here is what the help of
the program says of it."""
_SCRIPT_FLAGS = ("--install-completion", "--show-completion")


def application(arguments: Sequence[str]) -> typer.Typer:
    """Return the application, with the command that the arguments name, or all.

    Declaring one costs every start what its flags cost: a millisecond or two. So the help of the
    program has only their names, and no arguments at all stand for the whole.
    """
    app = typer.Typer(
        name="llm-client",
        help="One client for every LLM provider.",
        no_args_is_help=True,
        # rich costs 130 ms at `--help`, and its tracebacks show local variables: keys among them.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(root)
    named = next((word for word in arguments if not word.startswith("-")), None)
    if arguments and named is None:
        for name, about in _COMMANDS.items():
            app.command(name, help=about)(_not_called)
        return app
    for name in (named,) if named in _COMMANDS else _COMMANDS:
        import_module(f".commands.{name}", __package__).register(app)
    return app


def _not_called() -> None:
    """Stand for a command where no command is named."""


def root(
    version: bool = typer.Option(False, "--version", "-V", help="Print the version."),
) -> None:
    """One client for every LLM provider."""
    if version:
        from .._version import __version__

        print(f"llm-client {__version__}")
        raise typer.Exit()


class _CommandLineError(Protocol):
    """What Typer raises for a command line it does not understand; it gives no name to import."""

    exit_code: int
    ctx: object

    def show(self) -> None: ...

    def format_message(self) -> str: ...


def run() -> int:
    """Run the command line; return the exit status instead of leaving."""
    for stream in (sys.stdout, sys.stderr):
        # Help in a terminal that has no `…` must not fail for it.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
    try:
        app = application(sys.argv[1:] or ["--help"])
        status = app(standalone_mode=False, prog_name=_name_for_scripts(sys.argv[1:]))
    except SystemExit as leaving:
        return _status_of(leaving)
    except typer.Abort:
        return ExitStatus.FAILED
    except BrokenPipeError:
        raise
    except Exception as error:
        if not hasattr(error, "format_message"):
            return _unforeseen(error)
        return _misunderstood(cast(_CommandLineError, error), app)
    return status if isinstance(status, int) else ExitStatus.ANSWERED


def _name_for_scripts(arguments: Sequence[str]) -> str | None:
    """Return the name of the program where a completion script is wanted, which is made ready."""
    if not arguments or not arguments[0].startswith(_SCRIPT_FLAGS):
        return None  # as it was called
    from .completions import use_own_scripts

    use_own_scripts()
    return "llm-client"


def _status_of(leaving: SystemExit) -> int:
    if isinstance(leaving.__context__, BrokenPipeError):
        return ExitStatus.BROKEN_PIPE
    return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)


def _misunderstood(error: _CommandLineError, app: typer.Typer) -> int:
    """Tell what is wrong with the command line; without any command, what there is."""
    message = error.format_message()
    command = getattr(error.ctx, "command_path", None) or _command_path(app, sys.argv[1:])
    if not message or message.startswith("Usage:"):
        error.show()
        return error.exit_code
    from .environment import Environment
    from .report import report

    hint = f"`{command} --help` lists what there is."
    debug, json = "--debug" in sys.argv, "--json" in sys.argv
    report(UsageError(message, hint=hint), Environment.current(), json=json, debug=debug)
    return error.exit_code


def _unforeseen(error: Exception) -> int:
    """Tell a bug outside of any command: the interpreter would print keys with it."""
    from .environment import Environment
    from .report import report, understood

    debug, json = "--debug" in sys.argv, "--json" in sys.argv
    report(understood(error), Environment.current(), json=json, debug=debug)
    return ExitStatus.FAILED


def _command_path(app: typer.Typer, arguments: Sequence[str]) -> str:
    """Return the command that arguments name: of a flag that lacks its value Typer does not tell."""
    command, path = typer.main.get_command(app), ["llm-client"]
    for word in arguments:
        below = getattr(command, "commands", {})
        if word in below:
            command = below[word]
            path.append(word)
    return " ".join(path)
