"""The options that mean the same in every command, each declared once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .exit_status import UsageError

__all__ = [
    "BaseUrl",
    "Color",
    "ConfigPath",
    "Deadline",
    "Debug",
    "DryRun",
    "Extract",
    "Files",
    "Json",
    "MaxTokens",
    "Model",
    "NoStdin",
    "Options",
    "OutputFile",
    "Provider",
    "Quiet",
    "Retries",
    "Seed",
    "Stop",
    "Stream",
    "System",
    "Temperature",
    "Timeout",
    "TopP",
    "Verbose",
    "Words",
    "parse_options",
]


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, show_default=False, **more)


Words = Annotated[
    list[str] | None,
    typer.Argument(help="The prompt; quotes are not needed. `-` names standard input."),
]
Provider = Annotated[
    str | None, _option("--provider", "-p", help="Who answers: ollama, openai, embedded…")
]
Model = Annotated[
    str | None, _option("--model", "-m", help="PROVIDER/MODEL, or MODEL with -p or -u.")
]
BaseUrl = Annotated[
    str | None, _option("--base-url", "-u", help="Address of an OpenAI-compatible server.")
]
Temperature = Annotated[float | None, _option("--temperature", "-t", help="0 to 2.")]
TopP = Annotated[float | None, _option("--top-p", help="0 to 1.")]
MaxTokens = Annotated[int | None, _option("--max-tokens", help="Bound the answer.")]
Stop = Annotated[list[str] | None, _option("--stop", help="Text that ends the answer; repeat.")]
Seed = Annotated[int | None, _option("--seed", help="For answers that can be repeated.")]
Timeout = Annotated[
    float | None, _option("--timeout", help="Seconds that any single wait may last.")
]
Deadline = Annotated[
    float | None, _option("--deadline", help="Seconds for everything, retries included.")
]
Retries = Annotated[
    int | None, _option("--retries", help="How often to try again; the default is 3.", min=0)
]
System = Annotated[str | None, _option("--system", "-s", help="System prompt.")]
Files = Annotated[
    list[str] | None,
    _option("--file", "-f", help="Add a text file as a named block; repeat. `-` is stdin."),
]
OutputFile = Annotated[Path | None, _option("--output", "-o", help="Write the answer to a file.")]
Extract = Annotated[
    bool, _option("--extract", "-x", help="Print only the code of the first fenced block.")
]
Json = Annotated[bool, _option("--json", help="Print one JSON object; with --stream, JSON lines.")]
Stream = Annotated[
    bool | None,
    _option("--stream/--no-stream", help="Show the answer as it comes, or only when it is whole."),
]
DryRun = Annotated[
    bool, _option("--dry-run", help="Print the request as it would be sent, key masked.")
]
NoStdin = Annotated[bool, _option("--no-stdin", help="Do not read standard input.")]
Options = Annotated[
    list[str] | None,
    _option(
        "--option", metavar="KEY=VALUE", help="A provider's own field, for example num_ctx=8192."
    ),
]
ConfigPath = Annotated[Path | None, _option("--config", help="Another configuration file.")]
Verbose = Annotated[bool, _option("--verbose", "-v", help="Say what is chosen, and what it took.")]
Quiet = Annotated[bool, _option("--quiet", "-q", help="Say nothing but errors on stderr.")]
Debug = Annotated[bool, _option("--debug", help="Show the traceback of an error.")]
Color = Annotated[str, _option("--color", help="auto, always or never.", metavar="WHEN")]


def parse_options(pairs: list[str] | None) -> dict[str, Any]:
    """Return `KEY=VALUE` pairs as typed values: JSON where it is JSON, else a text.

    Raises:
        UsageError: a pair without `=`.
    """
    options: dict[str, Any] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(
                f"--option {pair!r} is not KEY=VALUE.", hint="For example `--option num_ctx=8192`."
            )
        try:
            options[key] = json.loads(value)
        except ValueError:
            options[key] = value
    return options
