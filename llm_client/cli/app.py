"""The Typer application: from arguments to commands.

Only `typer.*` names are used: Typer brings its own click, whose exceptions are not those of a
click that may be installed beside it.
"""

from __future__ import annotations

import io
import sys
from typing import Any, Protocol, cast

import typer

from ..exceptions import LLMError
from . import options as opt
from .exit_status import ExitStatus, UsageError

__all__ = ["app", "run"]

app = typer.Typer(
    name="llm-client",
    help="One client for every LLM provider.",
    no_args_is_help=True,
    # rich costs 130 ms at `--help`, and its tracebacks show local variables: keys among them.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", "-V", help="Print the version."),
) -> None:
    """One client for every LLM provider."""
    if version:
        from .._version import __version__

        print(f"llm-client {__version__}")
        raise typer.Exit()


@app.command()
def generate(
    words: opt.Words = None,
    provider: opt.Provider = None,
    model: opt.Model = None,
    profile: opt.Profile = None,
    base_url: opt.BaseUrl = None,
    dialect: opt.Dialect = None,
    system: opt.System = None,
    file: opt.Files = None,
    attach: opt.Attach = None,
    temperature: opt.Temperature = None,
    max_tokens: opt.MaxTokens = None,
    top_p: opt.TopP = None,
    stop: opt.Stop = None,
    seed: opt.Seed = None,
    reasoning_effort: opt.ReasoningEffort = None,
    schema: opt.Schema = None,
    timeout: opt.Timeout = None,
    deadline: opt.Deadline = None,
    retries: opt.Retries = None,
    option: opt.Options = None,
    stream: opt.Stream = None,
    json: opt.Json = False,
    output: opt.OutputFile = None,
    extract: opt.Extract = False,
    dry_run: opt.DryRun = False,
    no_stdin: opt.NoStdin = False,
    config: opt.ConfigPath = None,
    color: opt.Color = "auto",
    verbose: opt.Verbose = False,
    quiet: opt.Quiet = False,
    debug: opt.Debug = False,
) -> None:
    """Answer one prompt: from arguments, files and standard input."""
    raise typer.Exit(_generate(locals()))


def _generate(flags: dict[str, Any]) -> int:
    """Run `generate` with its flags, by the names of its parameters; return the exit status."""
    # Here, so that `--help` and completion do without what only an answer needs (15 ms).
    from ..types.config import LLMConfig
    from .environment import Environment
    from .generate import Generate, run_generate
    from .report import report

    environment = Environment.current()
    try:
        environment.color = opt.checked_color(flags["color"])
        request = _said(
            **{name: flags[name] for name in _REQUEST_FLAGS},
            timeout=opt.checked_seconds("--timeout", flags["timeout"]),
            deadline=opt.checked_seconds("--deadline", flags["deadline"]),
            max_retries=flags["retries"],
            extra_body=opt.parse_options(flags["option"]) or None,
            schema=opt.parse_schema(flags["schema"]),
        )
    except LLMError as error:
        report(error, environment, json=flags["json"], debug=flags["debug"])
        return ExitStatus.USAGE
    command = Generate(
        words=flags["words"] or [],
        files=flags["file"] or [],
        attachments=flags["attach"] or [],
        config=LLMConfig(**{name: flags[name] for name in _CONFIG_FLAGS}),
        request=request,  # type: ignore[arg-type]  # the names are those of RequestOptions
        read_stdin=not flags["no_stdin"],
        config_path=flags["config"],
        **{name: flags[name] for name in _COMMAND_FLAGS},
    )
    return run_generate(command, environment)


_CONFIG_FLAGS = ("provider", "model", "base_url", "dialect")
"""Flags that say where to go, under their own name."""
_REQUEST_FLAGS = (
    "system",
    "temperature",
    "max_tokens",
    "top_p",
    "stop",
    "seed",
    "reasoning_effort",
)
"""Flags that go into the request under their own name."""
_COMMAND_FLAGS = (
    "profile",
    "stream",
    "json",
    "output",
    "extract",
    "dry_run",
    "verbose",
    "quiet",
    "debug",
)
"""Flags that say what the command does, under their own name."""


def _said(**values: Any) -> dict[str, Any]:
    """Return only what was said on the command line."""
    return {name: value for name, value in values.items() if value is not None}


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
        status = app(standalone_mode=False)
    except SystemExit as leaving:
        return _status_of(leaving)
    except typer.Abort:
        return ExitStatus.FAILED
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return _misunderstood(cast(_CommandLineError, error))
    return status if isinstance(status, int) else ExitStatus.ANSWERED


def _status_of(leaving: SystemExit) -> int:
    if isinstance(leaving.__context__, BrokenPipeError):
        return ExitStatus.BROKEN_PIPE
    return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)


def _misunderstood(error: _CommandLineError) -> int:
    """Tell what is wrong with the command line; without any command, what there is."""
    message = error.format_message()
    command = getattr(error.ctx, "command_path", "llm-client")
    if not message or message.startswith("Usage:"):
        error.show()
        return error.exit_code
    from .environment import Environment
    from .report import report

    hint = f"`{command} --help` lists what there is."
    debug, json = "--debug" in sys.argv, "--json" in sys.argv
    report(UsageError(message, hint=hint), Environment.current(), json=json, debug=debug)
    return error.exit_code
