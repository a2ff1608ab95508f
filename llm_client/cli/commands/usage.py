"""`llm-client usage`: its flags, and what they mean for the command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from .. import options as opt
from ..exit_status import UsageError

if TYPE_CHECKING:
    from ...types.usage import UsageFilters
    from ..environment import Environment
    from ..progress import Progress

__all__ = ["register"]

_KEYS = (
    *("provider", "model", "day", "week", "month"),
    *("project", "session", "profile", "tag", "outcome"),
)
_OUTCOMES = ("ok", "error", "interrupted", "abandoned", "cached", "lost")
_FORMATS = ("jsonl", "csv")


def _option(*names: str, help: str, words: tuple[str, ...] = (), **more: Any) -> Any:
    if words:
        more["autocompletion"] = lambda: words
    return typer.Option(*names, help=help, show_default=False, **more)


By = Annotated[
    str | None,
    _option(
        "--by",
        help=f"One row for each {', '.join(_KEYS[:-1])} or outcome; the default is model.",
        metavar="WHAT",
        words=_KEYS,
    ),
]
Since = Annotated[
    str | None,
    _option(
        "--since",
        help="From when: 2026-11-20, 2026-11, 2026-W47, 2026-11-20T14:30, today, yesterday, "
        "this-week, last-month, 7d (today and the six days before), 2w, 1y, 12h, 30min, all.",
        metavar="TIME",
    ),
]
Until = Annotated[
    str | None,
    _option(
        "--until",
        help="Until when. Of a day, week, month or year the whole counts; "
        "a time of day, 12h and 7d end before theirs.",
        metavar="TIME",
    ),
]
Provider = Annotated[
    str | None,
    _option("--provider", "-p", help="Only this provider.", autocompletion=opt.offers("providers")),
]
Model = Annotated[
    str | None, _option("--model", "-m", help="Only this model, as it answered; * is any text.")
]
Project = Annotated[str | None, _option("--project", help="Only this project; '' is none.")]
Session = Annotated[str | None, _option("--session", help="Only this session; '' is none.")]
Profile = Annotated[
    str | None,
    _option(
        "--profile", help="Only this profile; '' is none.", autocompletion=opt.offers("profiles")
    ),
]
Tag = Annotated[str | None, _option("--tag", help="Only what has this tag; '' is none.")]
Outcome = Annotated[
    str | None,
    _option("--outcome", help=f"Only {', '.join(_OUTCOMES[:-1])} or lost.", words=_OUTCOMES),
]
Json = Annotated[bool, _option("--json", help="Print one JSON object.")]
Csv = Annotated[
    bool,
    _option(
        "--csv",
        help="Print the rows as CSV, without the total. "
        "What begins like a formula gets an apostrophe in front.",
    ),
]
OlderThan = Annotated[
    str | None,
    _option(
        "--older-than",
        help="90d: all but the last 90 days. Or what is before a day or a time. 0d: everything.",
        metavar="TIME",
    ),
]
Budgets = Annotated[
    bool,
    _option(
        "--budgets",
        help="Let budgets forget what was spent then, in whole days; with 0d they begin anew.",
    ),
]
Yes = Annotated[bool, _option("--yes", "-y", help="Do not ask.")]
Format = Annotated[
    str | None,
    _option(
        "--format", help="jsonl or csv; else as the file is called.", metavar="NAME", words=_FORMATS
    ),
]
OutputFile = Annotated[
    Path | None, _option("--output", "-o", help="Write to a file; - is stdout.", metavar="FILE")
]

_FILTERS = (
    "since",
    "until",
    *("provider", "model", "project", "session", "profile", "tag"),
    "outcome",
)


def register(app: typer.Typer) -> None:
    """Declare the commands."""
    group = typer.Typer(rich_markup_mode=None)
    group.callback(invoke_without_command=True)(usage)
    group.command()(prune)
    group.command()(export)
    app.add_typer(group, name="usage")


def usage(
    context: typer.Context,
    by: By = None,
    since: Since = None,
    until: Until = None,
    provider: Provider = None,
    model: Model = None,
    project: Project = None,
    session: Session = None,
    profile: Profile = None,
    tag: Tag = None,
    outcome: Outcome = None,
    json: Json = False,
    csv: Csv = False,
    config: opt.ConfigPath = None,
    color: opt.Color = "auto",
    debug: opt.Debug = False,
) -> None:
    """Show what was used: calls, tokens, cost, waits.

    Without --since and --until that is the last 30 days, and without --by a row for each model.
    What has no known price is counted apart. On a terminal and with --json it says
    what is left of the budgets.
    """
    flags = locals()
    if context.invoked_subcommand is None:
        opt.run(_usage, flags)
    opt.refuse_misplaced(context, flags)


def prune(
    older_than: OlderThan = None,
    budgets: Budgets = False,
    yes: Yes = False,
    debug: opt.Debug = False,
) -> None:
    """Delete old attempts from the ledger, after asking.

    What was spent still counts for budgets, unless --budgets is said.
    """
    opt.run(_prune, locals())


def export(
    since: Since = None,
    until: Until = None,
    provider: Provider = None,
    model: Model = None,
    project: Project = None,
    session: Session = None,
    profile: Profile = None,
    tag: Tag = None,
    outcome: Outcome = None,
    format: Format = None,
    output: OutputFile = None,
    debug: opt.Debug = False,
) -> None:
    """Print every attempt of the ledger on a line of its own.

    In CSV what begins like a formula gets an apostrophe in front.
    """
    opt.run(_export, locals())


def _usage(flags: dict[str, Any], environment: Environment, _: Progress) -> int:
    from ..usage import UsageCommand, show_usage

    if flags["json"] and flags["csv"]:
        raise UsageError("--json and --csv are two forms: choose one.")
    command = UsageCommand(
        by=flags["by"],
        filters=_said(flags),
        form="json" if flags["json"] else "csv" if flags["csv"] else "text",
        config_path=flags["config"],
    )
    return show_usage(command, environment)


def _prune(flags: dict[str, Any], environment: Environment, _: Progress) -> int:
    from ..usage_records import prune_usage

    if flags["older_than"] is None:
        raise UsageError("--older-than is missing.", hint="For example `--older-than 90d`.")
    return prune_usage(
        flags["older_than"], environment, sure=flags["yes"], budgets=flags["budgets"]
    )


def _export(flags: dict[str, Any], environment: Environment, _: Progress) -> int:
    from ..usage_records import export_usage

    if flags["format"] not in (None, *_FORMATS):
        raise UsageError(f"--format {flags['format']!r} is neither jsonl nor csv.")
    return export_usage(_said(flags), flags["format"], flags["output"], environment)


def _said(flags: dict[str, Any]) -> UsageFilters:
    """Return the filters that were said on the command line."""
    said = {name: flags[name] for name in _FILTERS if flags[name] is not None}
    return cast("UsageFilters", said)
