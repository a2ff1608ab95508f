"""The options that mean the same in every command, each declared once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from .exit_status import UsageError

if TYPE_CHECKING:
    from .environment import Environment
    from .progress import Progress

__all__ = [
    "Attach",
    "BaseUrl",
    "Cache",
    "Color",
    "ConfigPath",
    "Deadline",
    "Debug",
    "Dialect",
    "DryRun",
    "Extract",
    "Fallback",
    "Files",
    "Json",
    "MaxCost",
    "MaxTokens",
    "Model",
    "NoStdin",
    "Options",
    "OutputFile",
    "Profile",
    "Project",
    "Provider",
    "Quiet",
    "ReasoningEffort",
    "Retries",
    "Schema",
    "Seed",
    "Session",
    "Stop",
    "Stream",
    "System",
    "Tags",
    "Task",
    "Temperature",
    "Timeout",
    "TopP",
    "Verbose",
    "Words",
    "checked_color",
    "checked_cost",
    "checked_fallback",
    "checked_seconds",
    "offers",
    "parse_options",
    "parse_schema",
    "refuse_misplaced",
    "run",
]

_TASKS = ("planning", "vision", "long_context")
_COLORS = ("auto", "always", "never")
_MOST_USD = 1_000_000_000.0
_MOST_SECONDS = 1_000_000.0
"""Eleven days. The system's own waits overflow at twice that."""


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, show_default=False, **more)


def offers(kind: str) -> Callable[[Any, Any], Any]:
    """Return what Tab calls for words of a kind of `completion_words`, which is imported then."""
    # Typer reads the names of its parameters.
    return lambda ctx, incomplete: _offered(kind, ctx, incomplete)


def _offered(kind: str, context: typer.Context, incomplete: str) -> Iterable[Any]:
    from .completion_words import offered

    return offered(kind, context.params, incomplete)


Words = Annotated[
    list[str] | None,
    typer.Argument(help="The prompt; quotes are not needed. `-` names standard input."),
]
Provider = Annotated[
    str | None,
    _option(
        "--provider",
        "-p",
        help="Who answers: ollama, openai, embedded…",
        autocompletion=offers("providers"),
    ),
]
Profile = Annotated[
    str | None,
    _option(
        "--profile",
        help="A profile of the configuration.",
        metavar="NAME",
        autocompletion=offers("profiles"),
    ),
]
Fallback = Annotated[
    list[str] | None,
    _option(
        "--fallback",
        help="Who answers when the first fails: a profile or PROVIDER/MODEL; repeat, in order.",
        metavar="NAME",
        autocompletion=offers("targets"),
    ),
]
Task = Annotated[
    str | None,
    _option(
        "--task",
        help="Ask whom the configuration names for it: planning, vision or long_context.",
        metavar="NAME",
        autocompletion=lambda: _TASKS,
    ),
]
MaxCost = Annotated[
    float | None, _option("--max-cost", help="USD that this call may cost at most.", metavar="USD")
]
Cache = Annotated[
    bool | None,
    _option("--cache/--no-cache", help="Use an earlier answer to the same request, or never."),
]
Project = Annotated[
    str | None,
    _option("--project", help="Label in the ledger; else the git repository's name."),
]
Session = Annotated[str | None, _option("--session", help="Label in the ledger.")]
Tags = Annotated[list[str] | None, _option("--tag", help="Label in the ledger; repeat.")]
Model = Annotated[
    str | None,
    _option(
        "--model",
        "-m",
        help="PROVIDER/MODEL, or MODEL with -p or -u.",
        autocompletion=offers("models"),
    ),
]
BaseUrl = Annotated[
    str | None, _option("--base-url", "-u", help="Address of an OpenAI-compatible server.")
]
Dialect = Annotated[
    str | None,
    _option(
        "--dialect",
        help="The wire format, over the provider's own: openai-chat, anthropic, gemini…",
        metavar="NAME",
        autocompletion=offers("dialects"),
    ),
]
Temperature = Annotated[
    float | None, _option("--temperature", "-t", help="How freely words are chosen, 0 to 2.")
]
TopP = Annotated[
    float | None, _option("--top-p", help="Share of likely words to choose from, 0 to 1.")
]
MaxTokens = Annotated[
    int | None, _option("--max-tokens", help="The most tokens the answer may have.")
]
Stop = Annotated[list[str] | None, _option("--stop", help="Text that ends the answer; repeat.")]
Seed = Annotated[int | None, _option("--seed", help="For answers that can be repeated.")]
ReasoningEffort = Annotated[
    str | None,
    _option(
        "--reasoning-effort",
        help="How much to think: none, minimal, low, medium, high, xhigh or max.",
        metavar="EFFORT",
        autocompletion=offers("efforts"),
    ),
]
Schema = Annotated[
    str | None,
    _option(
        "--schema",
        help="JSON schema that the answer must follow: a file, or the schema itself.",
        metavar="FILE|JSON",
    ),
]
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
    _option(
        "--file",
        "-f",
        help="Add a text file as a named block; repeat. `-` is stdin.",
        metavar="FILE",
    ),
]
Attach = Annotated[
    list[str] | None,
    _option(
        "--attach",
        "-a",
        help="Add an image, PDF or audio: a file or an address; repeat.",
        metavar="FILE|URL",
    ),
]
OutputFile = Annotated[
    Path | None, _option("--output", "-o", help="Write the answer to a file; - is stdout.")
]
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
Color = Annotated[
    str,
    _option(
        "--color",
        help="auto, always or never.",
        metavar="WHEN",
        autocompletion=lambda: _COLORS,
    ),
]


def run(
    work: Callable[[dict[str, Any], Environment, Progress], int], flags: dict[str, Any]
) -> NoReturn:
    """Run a command with its flags, by the names of its parameters, and leave."""
    # Here, so that `--help` and completion do without it.
    from .guard import run_guarded

    raise typer.Exit(run_guarded(work, flags))


def refuse_misplaced(context: typer.Context, flags: dict[str, Any]) -> None:
    """Leave, if flags stand in front of a subcommand, where they would not count."""
    names = {option.name: option.opts[0] for option in context.command.params}
    given = [
        names[name]
        for name, value in flags.items()
        if value not in (None, False, "auto", context) and name in names
    ]

    def refuse(*_: object) -> int:
        raise UsageError(
            f"{', '.join(given)} in front of {context.invoked_subcommand!r} would not count.",
            hint=f"Put it behind: `{context.command_path} {context.invoked_subcommand} …`.",
        )

    if given:
        run(refuse, flags)


def checked_color(color: str) -> str:
    """Return a value of `--color`.

    Raises:
        UsageError: there is no such value.
    """
    if color not in _COLORS:
        raise UsageError(f"--color {color!r} is not auto, always or never.")
    return color


def checked_seconds(name: str, seconds: float | None) -> float | None:
    """Return a number of seconds that a wait can have.

    Raises:
        UsageError: it is not more than 0, or no number.
    """
    if seconds is not None and not 0 < seconds <= _MOST_SECONDS:
        raise UsageError(
            f"{name} {seconds:g} is out of range: more than 0, at most {_MOST_SECONDS:.0f} seconds."
        )
    return seconds


def checked_cost(usd: float | None) -> float | None:
    """Return an amount that can be spent.

    Raises:
        UsageError: it is less than 0, or no number.
    """
    if usd is not None and not 0 <= usd <= _MOST_USD:
        raise UsageError(f"--max-cost {usd:g} is no amount in USD, such as 0.05.")
    return usd


def checked_fallback(names: list[str] | None) -> list[str]:
    """Return the names of a chain.

    Raises:
        UsageError: one is empty, as `$NEXT` is that was never set.
    """
    for name in names or ():
        if not name.strip():
            raise UsageError(
                f"--fallback {name!r} is empty.", hint="Name a profile or PROVIDER/MODEL."
            )
    return names or []


def parse_options(pairs: list[str] | None) -> dict[str, Any]:
    """Return `KEY=VALUE` pairs as typed values: JSON where it is JSON, else a text.

    Raises:
        UsageError: a pair without `=`.
    """
    import json

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


def parse_schema(said: str | None) -> dict[str, Any] | None:
    """Return the schema that a value of `--schema` is, or the file that it names holds.

    Raises:
        UsageError: there is no such file, or no JSON object in it.
    """
    if said is None:
        return None
    import json

    text, where = said, "--schema"
    if not said.lstrip().startswith("{"):
        where = f"The file {said!r}"
        try:
            text = Path(said).expanduser().read_text("utf-8")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(
                f"Cannot read the schema {said!r}: {reason}.",
                hint='Give a file, or the schema itself: `--schema \'{"type": "object"}\'`.',
            ) from None
    try:
        schema = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{where} is no JSON: {error}.") from None
    if not isinstance(schema, dict):
        raise UsageError(f"{where} is no JSON schema, which is an object.")
    return schema
