"""Which providers this user has, before any of them is asked; and asking all of them at once.

Owns what counts as configured: what the configuration file or a profile names, what there is a key
or an address for in the environment, or a stored key, a local server on its usual port, and the
built-in model. It refuses to send a key to anybody it was not meant for: a variable that serves
other purposes too (`ProviderSpec.chosen_by_key`) configures nothing.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Literal, NamedTuple, TypeAlias, TypeVar
from urllib.parse import urlsplit

from .discovery import is_its_own
from .engine.effects import Steps
from .engine.exchange import Deadline, fetch_models
from .exceptions import AuthenticationError, ConfigurationError, ConnectionError, LLMError
from .policy.address import is_loopback, is_model_path
from .policy.layers import layered
from .policy.route import COMPATIBLE, configured_row, key_variables, split_model
from .providers.catalog import CATALOG, LOCAL_SERVERS
from .routes import Routes
from .storage.stored_keys import StoredKeys
from .types.config import LLMConfig, Profile, Settings
from .types.http import Timeouts
from .types.models import ModelInfo
from .types.target import ProviderSpec, Target, variable_part

__all__ = [
    "ANSWER_SECONDS",
    "Configured",
    "Listening",
    "Origin",
    "ask_all",
    "configured_providers",
    "provider_of",
    "who_listens",
]

T = TypeVar("T")

Origin: TypeAlias = Literal["named", "address", "usual", "built-in"]
"""Why a provider is asked: the configuration or a key names it; a variable has the address of a
server that may run on this machine; it would be on its usual port; it needs nothing."""

_CONNECT_SECONDS = 0.2
"""A server on this machine that takes longer is not there."""
ANSWER_SECONDS = 1.0
"""What listens on a usual port may be something else, that waits for us to speak its language."""
_LATE_SECONDS = 0.5
"""Seconds that an answer may come later than its own deadline: threads wait for each other."""


class Configured(NamedTuple):
    """A provider that is worth asking."""

    name: str
    targets: tuple[Target, ...] = ()
    """One; several that share an address, of which its answer tells which it is; none: `error`."""
    error: LLMError | None = None
    """Why it cannot be asked."""
    origin: Origin = "named"

    def may_lack(self, error: LLMError) -> bool:
        """Return whether an error only means that there is no such server, as nobody said."""
        match self.origin:
            case "named":
                return False
            case "address":
                return isinstance(error, ConnectionError) and error.refused
            case "usual":
                return not isinstance(error, AuthenticationError)
            case "built-in":
                return True


class Listening(NamedTuple):
    """Who turned out to listen at an address."""

    target: Target
    models: list[ModelInfo]


def configured_providers(settings: Settings, environ: Mapping[str, str]) -> list[Configured]:
    """Return the providers of this user, each once.

    Args:
        settings: of the configuration file.
        environ: where keys and addresses are looked for.
    """
    routes = Routes(settings, environ)
    stored = StoredKeys(settings, environ)
    _run_key_commands(settings, environ, stored)
    found: dict[tuple[str, bool], Configured] = {}

    def add(config: LLMConfig, name: str, origin: Origin = "named") -> None:
        entry = _resolved(routes, config, name, origin)
        name = entry.name
        in_process = any(not target.base_url.startswith("http") for target in entry.targets)
        found.setdefault((name, in_process), entry)

    layers = layered(LLMConfig(), None, settings, environ)
    if layers.is_set:
        provider = split_model(layers.config, settings)[0]
        if provider is not None:  # with the address that the variables give it
            add(replace(layers.config, provider=provider, model=None), provider)
    for name in settings.providers:
        add(LLMConfig(provider=name), name)
    for spec in _named_models(settings):
        add(provider_of(spec, settings), spec.partition("/")[0])
    for row in CATALOG.values():
        if row.key_required:
            # A key is stored for nothing else than its provider.
            if stored.holds(row.name) or _has_key(row, settings, environ):
                add(LLMConfig(provider=row.name), row.name)
        elif _has_address(row, environ):
            add(LLMConfig(provider=row.name), row.name, "address")
    known = {name for name, _ in found}
    places = {_place(target.base_url) for entry in found.values() for target in entry.targets}
    return [*found.values(), *_usual(routes, known, places)]


def provider_of(spec: str, settings: Settings) -> LLMConfig:
    """Return whom to ask for the list that a model spec is from: its provider.

    A model that is given by its path is in this process, whatever server there is besides.
    """
    provider, _, model = spec.partition("/")
    if is_model_path(model):
        return LLMConfig(model=spec)
    return LLMConfig(provider=provider if provider in settings.providers else provider.lower())


def who_listens(entry: Configured, deadline: Deadline) -> Steps[Listening]:
    """Return the steps that find out who listens on a usual port, by its models.

    It is asked without a key as long as it does not want one: nobody knows yet who it is.

    Raises:
        LLMError: nothing that lists models listens there, or it wants a key that there is not.
    """
    first = entry.targets[0]
    try:
        models = yield from fetch_models(replace(first, api_key=None), deadline)
    except AuthenticationError:
        keyed = next((target for target in entry.targets if target.api_key), None)
        if keyed is None:
            raise
        return Listening(keyed, (yield from fetch_models(keyed, deadline)))
    own = next((t for t in entry.targets if is_its_own(models, t.provider)), None)
    if own is None:
        own = replace(first, provider=CATALOG[COMPATIBLE], model="", api_key=None)
    return Listening(own, [replace(model, provider=own.provider.name) for model in models])


def ask_all(
    askings: Sequence[Callable[[], T]], *, patience: float, seconds: float
) -> Iterator[dict[int, T | Exception]]:
    """Ask all at once, each in a thread of its own; yield what comes of it, by position.

    First everything that comes in `patience` seconds, or that there is, then each as it comes;
    what takes more than `seconds` never comes.
    """
    # Importing it in every thread at once would only queue them at the import lock.
    from .engine.transport import sessions  # noqa: F401

    answers: queue.SimpleQueue[tuple[int, T | Exception]] = queue.SimpleQueue()

    def ask(position: int) -> None:
        try:
            answers.put((position, askings[position]()))
        except Exception as error:
            answers.put((position, error))

    left = len(askings)

    def came(ends: float) -> Iterator[tuple[int, T | Exception]]:
        nonlocal left
        while left:
            try:
                answer = answers.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                return
            left -= 1
            yield answer

    for position in range(left):
        threading.Thread(target=ask, args=(position,), daemon=True).start()
    started = time.monotonic()
    if batch := dict(came(started + patience)):
        yield batch
    for position, answer in came(started + seconds + _LATE_SECONDS):
        yield {position: answer}


def _run_key_commands(settings: Settings, environ: Mapping[str, str], stored: StoredKeys) -> None:
    """Have those commands run at once whose keys will be needed: slow ones would add up.

    What comes of them, good or bad, is kept.
    """
    needed = []
    for name in dict.fromkeys([*settings.providers, *CATALOG]):
        if stored.command(name):
            with suppress(ConfigurationError):  # which is told where it is resolved
                row = configured_row(name, settings, environ)
                if not _is_any_set(key_variables(row), environ):
                    needed.append(row)
    if len(needed) > 1:
        from .storage.key_command import COMMAND_SECONDS

        askings = [partial(stored.find, row) for row in needed]
        for _ in ask_all(askings, patience=COMMAND_SECONDS, seconds=COMMAND_SECONDS):
            pass


def _resolved(routes: Routes, config: LLMConfig, name: str, origin: Origin) -> Configured:
    try:
        target = routes.resolve(config)
    except ConfigurationError as error:
        return Configured(name, error=error, origin="named")
    # An address elsewhere was written down for one server only.
    if origin == "address" and not is_loopback(target.base_url):
        origin = "named"
    return Configured(target.provider.name, (target,), origin=origin)


def _named_models(settings: Settings) -> Iterator[str]:
    """Yield the model specs that profiles, their fallbacks and routes name."""
    named = [*settings.routing.values()]
    for profile in settings.profiles.values():
        if isinstance(profile, Profile):
            named += [profile.model or "", *profile.fallback]
    yield from (name for name in named if "/" in name and name not in settings.profiles)


def _has_key(row: ProviderSpec, settings: Settings, environ: Mapping[str, str]) -> bool:
    """Return whether the environment has a key that is meant for a provider."""
    if _is_any_set((row.own_key_variable,), environ):
        return True
    if not _is_any_set(key_variables(row), environ):
        return False
    if row.chosen_by_key:
        return True
    # Besides the key it wants to be told what its address is made of: who has set that, means it.
    if not any(not (field.default or field.optional) for field in row.fields):
        return False
    try:
        Routes(settings, environ).resolve(LLMConfig(provider=row.name))
    except ConfigurationError:
        return False
    return True


def _has_address(row: ProviderSpec, environ: Mapping[str, str]) -> bool:
    own = f"LLM_CLIENT_{variable_part(row.name)}_BASE_URL"
    return _is_any_set((own, *row.base_url_env, *row.model_env), environ)


def _is_any_set(variables: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Return whether one of some variables says anything: a blank one does not."""
    return any(environ.get(name, "").strip() for name in variables)


def _place(url: str) -> tuple[str, int | None]:
    """Return what two addresses of one server have in common, however they call this machine."""
    parts = urlsplit(url)
    return "" if is_loopback(url) else parts.hostname or "", parts.port


def _usual(
    routes: Routes, known: set[str], places: Collection[tuple[str, int | None]]
) -> Iterator[Configured]:
    """Yield the usual addresses of local servers that nobody named, and what is built in.

    Args:
        routes: resolves them.
        known: names of providers that were named.
        places: of their servers: one that listens on a usual port is not listed twice.
    """
    sharing: dict[str, list[Target]] = {}
    for name in LOCAL_SERVERS:
        if name not in known:
            try:
                target = routes.resolve(LLMConfig(provider=name))
            except ConfigurationError as error:  # its key, or a variable that is wrong
                yield Configured(name, error=error)
                continue
            waits = Timeouts(
                connect=_CONNECT_SECONDS,
                first_byte=ANSWER_SECONDS,
                silence=ANSWER_SECONDS,
                whole=ANSWER_SECONDS,
            )
            target = replace(target, timeouts=waits)
            for url in (target.base_url, *target.provider.alternative_base_urls):
                if _place(url) not in places:
                    sharing.setdefault(url, []).append(replace(target, base_url=url))
    for targets in sharing.values():
        yield Configured(targets[0].provider.name, tuple(targets), origin="usual")
    for row in CATALOG.values():
        if row.is_in_process and row.name not in known:
            target = routes.resolve(LLMConfig(provider=row.name))
            yield Configured(row.name, (target,), origin="built-in")
