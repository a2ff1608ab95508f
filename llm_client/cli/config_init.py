"""`llm-client config init`: a commented file, after a few questions.

Owns the questions and what is offered: servers that answer, keys of the environment, the built-in
model. Nothing is written before the last answer, and a file that is there is only replaced when that
is asked for, and kept under another name.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..exceptions import ConfigurationError
from ..policy.setting_kinds import nearest
from ..providers.catalog import CATALOG
from ..storage.config import problems
from ..storage.config_document import is_json, parse_document
from ..storage.config_edit import changing, file_behind
from ..storage.paths import config_file
from ..storage.private_files import replace_whole
from .config_template import template
from .environment import Environment
from .exit_status import ExitStatus, UsageError
from .progress import Progress
from .render.plain import emit
from .render.sanitize import neutralise

__all__ = ["init_config"]

_SECONDS = 2.0
"""For a local server to list its models."""
_MOST_MODELS = 9


class Offer(NamedTuple):
    """Somebody who could answer."""

    provider: str
    models: tuple[str, ...]
    """The first is the one to take; none: it is not known which there are."""
    why: str


class _LeftError(Exception):
    """The user does not want to go on: Ctrl-D."""


def init_config(
    config_path: Path | None,
    environment: Environment,
    progress: Progress,
    *,
    force: bool,
    sure: bool,
) -> int:
    """Make the file; return the exit status.

    Args:
        config_path: `None`: where it is looked for.
        environment: whom to ask.
        progress: says what was done.
        force: whether a file that is there is replaced.
        sure: whether nothing is asked.

    Raises:
        LLMError: there is a file, or it cannot be written.
    """
    path = config_path or config_file(environment.environ)
    if is_json(path):
        raise UsageError(
            f"{str(path)!r} cannot have comments.", hint="Name a file that ends in `.toml`."
        )
    target = file_behind(path)
    if target.exists() and not force:
        raise UsageError(
            f"There is a configuration already: {str(path)!r}.",
            hint="Change it with `llm-client config edit`, or begin anew with `--force`: "
            "a copy of it is kept.",
        )
    asks = not sure and environment.stdin_is_terminal and environment.stderr_is_terminal
    progress.wait_for("local servers")
    offers = _offers(environment)
    progress.arrived()
    try:
        chosen = _Questions(environment, offers).ask() if asks else _taken(offers)
    except _LeftError:
        environment.note("\nNothing was written.")
        return ExitStatus.FAILED
    text = template(chosen)
    for problem in problems(parse_document(path, text)):
        raise problem
    _write(path, target, text, progress)
    _say_how_to_go_on(chosen, offers, progress)
    return ExitStatus.ANSWERED


def _write(path: Path, target: Path, text: str, progress: Progress) -> None:
    with changing(path) as replace:
        if target.exists():
            progress.say(f"The file that was there is {_kept(target)} now.")
        replace(text.encode())
    progress.say(f"Wrote {path}.")


def _kept(target: Path) -> Path:
    """Give a file a second name, under which it stays; return that.

    Raises:
        ConfigurationError: it cannot be kept.
    """
    stem = f"{target.name}.{time.strftime('%Y%m%d-%H%M%S')}"
    names = (f"{stem}{f'-{count}' if count else ''}.bak" for count in itertools.count())
    backup = next(path for path in map(target.with_name, names) if not os.path.lexists(path))
    try:
        try:
            backup.hardlink_to(target)
        except OSError:  # some file systems have no second names
            replace_whole(backup, target.read_bytes(), target.stat())
    except OSError as error:
        raise ConfigurationError(
            f"Cannot keep a copy of {str(target)!r} as {str(backup)!r}: {error.strerror}."
        ) from None
    return backup


def _say_how_to_go_on(
    chosen: Mapping[str, Any], offers: Sequence[Offer], progress: Progress
) -> None:
    model = chosen.get("profiles.*.model")
    if model is None:
        progress.say(
            "It names no model yet: `llm-client config set profiles.default.model PROVIDER/MODEL`."
        )
        return
    row = CATALOG[model.partition("/")[0]]
    # Who is offered has a key.
    if row.key_required and row.name not in {offer.provider for offer in offers}:
        progress.say(f"Store its key: `llm-client creds set {row.name}`.")
    progress.say('Try it: `llm-client generate "hi"`. Change it: `llm-client config edit`.')


def _taken(offers: Sequence[Offer]) -> dict[str, Any]:
    """Return what is chosen when nobody is asked: the first offer that is not built in."""
    first = next((offer for offer in offers if not _is_built_in(offer.provider)), None)
    return {} if first is None else {"profiles.*.model": _spec(first)}


class _Questions:
    """What the user is asked, on stderr."""

    def __init__(self, environment: Environment, offers: Sequence[Offer]) -> None:
        self._environment = environment
        self._offers = offers

    def ask(self) -> dict[str, Any]:
        """Return the answers by the paths of their settings.

        Raises:
            _LeftError: the user has left.
        """
        model = self._model()
        chosen: dict[str, Any] = {} if model is None else {"profiles.*.model": model}
        if self._yes("Keep answers, and give them again to the same question?"):
            chosen["cache.responses"] = True
        if model is not None and CATALOG[model.partition("/")[0]].key_required:
            amount = self._amount("USD that a month may cost at most (empty: no limit)")
            if amount is not None:
                chosen["budget.monthly_usd"] = amount
        return chosen

    def _model(self) -> str | None:
        """Return the model spec that is wanted; `None`: none yet."""
        self._say("Who answers when nothing else is said?")
        for number, offer in enumerate(self._offers, 1):
            self._say(f"  {number}  {_spec(offer)}  ({offer.why})")
        default = "1" if _taken(self._offers) else ""
        while True:
            answer = self._answer("Its number, or PROVIDER/MODEL", default or "none yet")
            answer = answer or default
            if not answer:
                return None
            if answer.isdecimal() and 0 < int(answer) <= len(self._offers):
                return self._one_of(self._offers[int(answer) - 1])
            provider, slash, model = answer.partition("/")
            if slash and model and provider.lower() in CATALOG:
                return f"{provider.lower()}/{model}"
            if slash and provider.lower() in CATALOG:
                self._say(f"Which model? Write {provider.lower()}/MODEL.")
                continue
            near = nearest(provider.lower(), CATALOG) if slash else None
            self._say(f"That is neither of these nor PROVIDER/MODEL. {near or ''}".rstrip())

    def _one_of(self, offer: Offer) -> str:
        """Return the spec of one of the models that a server has."""
        models = offer.models[:_MOST_MODELS]
        if len(models) < 2:
            return _spec(offer)
        self._say("Which model?")
        for number, model in enumerate(models, 1):
            self._say(f"  {number}  {model}")
        while True:
            answer = self._answer("Its number, or its name", "1") or "1"
            if not answer.isdecimal():
                return f"{offer.provider}/{answer}"
            if 0 < int(answer) <= len(models):
                return f"{offer.provider}/{models[int(answer) - 1]}"
            self._say(f"There is no number {answer}.")

    def _yes(self, question: str) -> bool:
        return self._answer(question, "y/N").lower() in {"y", "yes"}

    def _amount(self, question: str) -> float | None:
        while answer := self._answer(question, ""):
            try:
                amount = float(answer.lstrip("$"))
            except ValueError:
                amount = -1.0
            if 0 <= amount <= 1e9:
                return amount
            self._say("That is no amount, such as 20.")
        return None

    def _answer(self, question: str, default: str) -> str:
        assert self._environment.stdin is not None  # it is a terminal
        shown = f"{question} [{default}]: " if default else f"{question}: "
        emit(self._environment.stderr, neutralise(shown))
        try:
            line = self._environment.stdin.readline()
        except KeyboardInterrupt:
            self._say("")
            raise
        if not line:
            raise _LeftError
        return line.decode("utf-8", "replace").strip()

    def _say(self, text: str) -> None:
        self._environment.note(neutralise(text))


def _offers(environment: Environment) -> list[Offer]:
    """Return who could answer: local servers that do, whoever there is a key for, the built-in."""
    from ..configured import ask_all, configured_providers
    from ..storage.model_cache import open_model_cache
    from ..types.config import Settings
    from .models import ask

    environ = environment.environ
    settings = Settings()
    entries = configured_providers(settings, environ)
    local = [entry for entry in entries if entry.origin in ("usual", "address")]
    cache = open_model_cache(settings, environ)
    askings = [partial(ask, entry, cache, _SECONDS, refresh=True) for entry in local]
    found: dict[int, Any] = {}
    for batch in ask_all(askings, patience=_SECONDS, seconds=_SECONDS):
        found |= batch
    offers = []
    for position in sorted(found):
        listing = found[position]
        if not isinstance(listing, Exception) and listing.is_by_name and listing.found.models:
            target = listing.target
            models = [model.id for model in listing.found.models if model.id.isprintable()]
            if not models:
                continue
            models.sort(key=lambda name: name != target.model)
            why = f"answers at {target.base_url}"
            offers.append(Offer(target.provider.name, tuple(models), why))
    for entry in entries:
        row = CATALOG.get(entry.name)
        if entry.origin == "named" and row is not None and row.key_required and row.default_model:
            variable = _key_variable(row.name, environment)
            why = f"{variable} is set" if variable else "its key is stored"
            offers.append(Offer(row.name, (row.default_model,), why))
    for entry in entries:
        if entry.origin == "built-in":
            target = entry.targets[0]
            offers.append(Offer(entry.name, (target.model,), "built in, a demo"))
    return offers


def _key_variable(name: str, environment: Environment) -> str | None:
    """Return the variable that has the key of a provider; `None` when none has."""
    from ..policy.route import key_variables

    names = key_variables(CATALOG[name])
    return next((name for name in names if environment.environ.get(name, "").strip()), None)


def _is_built_in(provider: str) -> bool:
    return CATALOG[provider].is_in_process


def _spec(offer: Offer) -> str:
    return f"{offer.provider}/{offer.models[0]}"
