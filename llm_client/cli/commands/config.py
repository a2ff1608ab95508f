"""`llm-client config`: its flags, and what they mean for the commands below it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import options as opt

if TYPE_CHECKING:
    from ..environment import Environment
    from ..progress import Progress

__all__ = ["register"]

_SET_EPILOG = (
    "For example `set retry.max_retries 5`, `set profiles.fast.fallback big,openai/gpt-5.6-luna`, "
    "`set providers.ollama.options.num_ctx 8192`, `set profiles.vision fast` (an alias), "
    "`set 'pricing.\"work/our-model\".input' 0.4`."
)


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, show_default=False, **more)


Key = Annotated[
    str,
    typer.Argument(
        help="A setting, dotted: retry.max_retries.",
        show_default=False,
        autocompletion=opt.offers("setting keys"),
    ),
]
AnyKey = Annotated[
    str | None,
    typer.Argument(
        help="Only this setting, or this table.",
        show_default=False,
        autocompletion=opt.offers("setting keys"),
    ),
]
Value = Annotated[
    str,
    typer.Argument(
        help="Its value; lists and tables as JSON, lists also a,b.",
        autocompletion=opt.offers("setting values"),
    ),
]
File = Annotated[Path | None, typer.Argument(help="Another file than the one that is used.")]
Json = Annotated[bool, _option("--json", help="Print one JSON object.")]
All = Annotated[bool, _option("--all", help="Also what nobody has set: defaults.")]
Force = Annotated[
    bool, _option("--force", help="Replace the file that there is; a backup of it is kept.")
]
Yes = Annotated[bool, _option("--yes", "-y", help="Do not ask: take what is detected.")]


def register(app: typer.Typer) -> None:
    """Declare the commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
    group.callback()(config)
    group.command()(init)
    group.command()(path)
    group.command()(show)
    # Else `-5` would be taken for a flag.
    values = {"ignore_unknown_options": True}
    group.command("set", epilog=_SET_EPILOG, context_settings=values)(set_)
    group.command()(unset)
    group.command()(validate)
    group.command()(edit)
    app.add_typer(group, name="config")


def config() -> None:
    """Make, show, change and check the configuration file."""


def init(
    force: Force = False,
    yes: Yes = False,
    config: opt.ConfigPath = None,
    debug: opt.Debug = False,
) -> None:
    """Make a commented file, after a few questions."""
    opt.run(_init, locals())


def path(config: opt.ConfigPath = None, debug: opt.Debug = False) -> None:
    """Print where the file is, or would be."""
    opt.run(_path, locals())


def show(
    key: AnyKey = None,
    profile: opt.Profile = None,
    provider: opt.Provider = None,
    all: All = False,
    json: Json = False,
    config: opt.ConfigPath = None,
    color: opt.Color = "auto",
    verbose: opt.Verbose = False,
    debug: opt.Debug = False,
) -> None:
    """Show the settings that hold, and where each comes from. Keys are masked.

    On a pipe every setting is a line: key, value and source, separated by tabs.
    """
    opt.run(_show, locals())


def set_(key: Key, value: Value, config: opt.ConfigPath = None, debug: opt.Debug = False) -> None:
    """Give a setting a value in the file. Comments and order stay."""
    opt.run(_set, locals())


def unset(key: Key, config: opt.ConfigPath = None, debug: opt.Debug = False) -> None:
    """Take a setting or a table out of the file. Comments and order stay."""
    opt.run(_unset, locals())


def validate(
    file: File = None,
    json: Json = False,
    config: opt.ConfigPath = None,
    color: opt.Color = "auto",
    debug: opt.Debug = False,
) -> None:
    """Tell what is wrong, all of it.

    With the file, with LLM_CLIENT_* variables, and with the project file.
    """
    opt.run(_validate, locals())


def edit(config: opt.ConfigPath = None, debug: opt.Debug = False) -> None:
    """Open the file in $VISUAL or $EDITOR.

    It is replaced only by a valid one; what is not valid is kept beside it.
    """
    opt.run(_edit, locals())


def _init(flags: dict[str, Any], environment: Environment, progress: Progress) -> int:
    from ..config_init import init_config

    return init_config(
        flags["config"], environment, progress, force=flags["force"], sure=flags["yes"]
    )


def _path(flags: dict[str, Any], environment: Environment, progress: Progress) -> int:
    from ..config_check import print_path

    return print_path(flags["config"], environment, progress)


def _show(flags: dict[str, Any], environment: Environment, progress: Progress) -> int:
    from ..config_show import ShowConfig, show_config

    command = ShowConfig(
        key=flags["key"],
        profile=flags["profile"],
        provider=flags["provider"],
        defaults=flags["all"],
        json=flags["json"],
        config_path=flags["config"],
        debug=flags["debug"],
    )
    return show_config(command, environment, progress)


def _set(flags: dict[str, Any], environment: Environment, progress: Progress) -> int:
    from ..config_change import set_value

    return set_value(flags["key"], flags["value"], flags["config"], environment, progress)


def _unset(flags: dict[str, Any], environment: Environment, progress: Progress) -> int:
    from ..config_change import unset_value

    return unset_value(flags["key"], flags["config"], environment, progress)


def _validate(flags: dict[str, Any], environment: Environment, progress: Progress) -> int:
    from ..config_check import validate_config

    return validate_config(
        flags["file"], flags["config"], environment, progress, json=flags["json"]
    )


def _edit(flags: dict[str, Any], environment: Environment, progress: Progress) -> int:
    from ..config_editor import edit_config

    return edit_config(flags["config"], environment, progress)
