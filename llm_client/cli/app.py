"""The Typer application: from arguments to commands.

Only `typer.*` names are used: Typer brings its own click, whose exceptions are not those of a
click that may be installed beside it.
"""

from __future__ import annotations

from typing import Any

import typer

from ..exceptions import LLMError
from ..types.config import LLMConfig
from . import options as opt
from .environment import Environment
from .exit_status import ExitStatus, UsageError
from .generate import Generate, run_generate

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
    base_url: opt.BaseUrl = None,
    system: opt.System = None,
    file: opt.Files = None,
    temperature: opt.Temperature = None,
    max_tokens: opt.MaxTokens = None,
    top_p: opt.TopP = None,
    stop: opt.Stop = None,
    seed: opt.Seed = None,
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
    environment = Environment.current()
    try:
        environment.color = _checked_color(color)
        request = _said(
            system=system,
            temperature=temperature,
            max_tokens=max_tokens,
            top_p=top_p,
            stop=stop,
            seed=seed,
            timeout=timeout,
            deadline=deadline,
            max_retries=retries,
            extra_body=opt.parse_options(option),
        )
        command = Generate(
            words=words or [],
            files=file or [],
            config=LLMConfig(provider=provider, model=model, base_url=base_url),
            request=request,  # type: ignore[arg-type]  # the names are those of RequestOptions
            stream=stream,
            json=json,
            output=output,
            extract=extract,
            dry_run=dry_run,
            read_stdin=not no_stdin,
            config_path=config,
            verbose=verbose,
            quiet=quiet,
            debug=debug,
        )
    except LLMError as error:
        environment.note(f"error: {error}")
        if error.hint:
            environment.note(f"  {error.hint}")
        raise typer.Exit(ExitStatus.USAGE) from None
    raise typer.Exit(run_generate(command, environment))


def _said(**values: Any) -> dict[str, Any]:
    """Return only what was said on the command line."""
    return {name: value for name, value in values.items() if value is not None and value != {}}


def _checked_color(color: str) -> str:
    if color not in {"auto", "always", "never"}:
        raise UsageError(f"--color {color!r} is not auto, always or never.")
    return color


def run() -> int:
    """Run the command line; return the exit status instead of leaving."""
    import gc

    # Nothing that a one-shot command makes is worth looking for cycles in (4 to 7 ms).
    gc.disable()
    try:
        app()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return ExitStatus.ANSWERED
