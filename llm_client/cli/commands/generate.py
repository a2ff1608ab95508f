"""`llm-client generate`: its flags, and what they mean for the command."""

from __future__ import annotations

from typing import Any

import typer

from ...exceptions import LLMError
from .. import options as opt
from ..exit_status import ExitStatus

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Declare the command."""
    app.command()(generate)


def generate(
    words: opt.Words = None,
    provider: opt.Provider = None,
    model: opt.Model = None,
    profile: opt.Profile = None,
    fallback: opt.Fallback = None,
    task: opt.Task = None,
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
    max_cost: opt.MaxCost = None,
    cache: opt.Cache = None,
    project: opt.Project = None,
    session: opt.Session = None,
    tag: opt.Tags = None,
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
    from ...types.config import LLMConfig
    from ..environment import Environment
    from ..generate import Generate, run_generate
    from ..report import report

    environment = Environment.current()
    try:
        environment.color = opt.checked_color(flags["color"])
        fallback = opt.checked_fallback(flags["fallback"])
        request = _said(
            **{name: flags[name] for name in _REQUEST_FLAGS},
            timeout=opt.checked_seconds("--timeout", flags["timeout"]),
            deadline=opt.checked_seconds("--deadline", flags["deadline"]),
            max_retries=flags["retries"],
            max_cost=opt.checked_cost(flags["max_cost"]),
            tags=flags["tag"],
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
        fallback=fallback,
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
    "task",
    "cache",
    "project",
    "session",
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
