"""Which provider to use when nothing says so.

A local server that answers, else a model that a variable names by its path, else a cloud provider
whose key is in the environment or stored, else an error with the commands to go on with. The
embedded demo model is offered, never chosen.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from .engine.drivers import SyncDriver
from .engine.exchange import Deadline, fetch_models
from .exceptions import AuthenticationError, ConfigurationError, LLMError
from .policy.route import COMPATIBLE, key_variables, resolve_target
from .providers.catalog import CATALOG, LOCAL_SERVERS
from .storage.stored_keys import StoredKeys
from .types.config import LLMConfig, Settings
from .types.http import Timeouts
from .types.models import ModelInfo
from .types.target import ProviderSpec, Target

__all__ = ["Choice", "discover", "is_its_own"]

Found: TypeAlias = list[ModelInfo] | LLMError | None
"""The models of a candidate, why it cannot be asked, or `None` when it is another server."""
Answers: TypeAlias = "queue.SimpleQueue[tuple[int, Found]]"

PROBE_SECONDS = 0.2
"""For all local servers together: one that takes longer is not there."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and why."""

    target: Target
    reason: str


def discover(settings: Settings, environ: Mapping[str, str], *, model: str = "") -> Choice:
    """Return where to go when nothing is configured.

    Args:
        settings: of the configuration file.
        environ: where keys are looked for.
        model: what was asked for without its provider.

    Raises:
        ConfigurationError: no local server can be used and no key is set.
    """
    stored = StoredKeys(settings, environ)
    local = [
        resolve_target(LLMConfig(provider=name), settings, environ, stored=stored)
        for name in LOCAL_SERVERS
    ]
    servers = [target for target in local if target.base_url.startswith("http")]
    results = _probe(_candidates(servers))
    answered = [(target, found) for target, found in results if isinstance(found, list)]
    # `min` takes the first of equals, the most preferred one; one without models comes last.
    best = min(answered, key=lambda answer: not answer[1], default=None)
    if best is not None:
        target, models = best
        if models and not target.model:
            target = replace(target, model=models[0].id)
        return Choice(target, f"{target.provider.name} answers at {target.base_url}")
    named = next((target for target in local if target not in servers), None)
    if named is not None and not model:
        variable = next(name for name in named.provider.model_env if _is_set(name, environ))
        return Choice(named, f"{variable} names its model and no local server can be used")
    for provider in CATALOG.values():
        if has_key := _has_key(provider, environ, stored):
            config = LLMConfig(provider=provider.name)
            target = resolve_target(config, settings, environ, stored=stored)
            return Choice(target, f"{has_key} and no local server can be used")
    if model:
        raise ConfigurationError(
            f"Nothing says which provider has the model {model!r}: no local server, no key."
            + _complaints(results),
            hint=f"Name it, for example `ollama/{model}` or `openai/{model}`.",
        )
    raise ConfigurationError(
        "Nothing says which model to use: no configuration, no local server, no key."
        + _complaints(results),
        hint="Go on with one of:\n"
        '  `llm-client generate -p embedded "hi"`        the built-in demo model, offline\n'
        '  `ollama serve`, then `llm-client generate -m ollama/llama3.2 "hi"`\n'
        '  `export OPENAI_API_KEY=…`, then `llm-client generate -m openai/gpt-5.6-luna "hi"`',
    )


def _is_set(variable: str, environ: Mapping[str, str]) -> bool:
    return bool(environ.get(variable, "").strip())


def _has_key(provider: ProviderSpec, environ: Mapping[str, str], stored: StoredKeys) -> str:
    """Return that there is a key which chooses a provider, and where; empty where none is."""
    if not (provider.key_required and provider.chosen_by_key):
        return ""
    for name in key_variables(provider):
        if _is_set(name, environ):
            return f"{name} is set"
    where = {
        "keyring": "the keyring has its key",
        "file": "its key is stored",
        "command": "a command prints its key",
    }
    return where.get(stored.holds(provider.name), "")


def _complaints(results: Sequence[tuple[Target, Found]]) -> str:
    """Return why servers cannot be used that somebody wants to: who set an address, or a key."""
    lines = [
        f"\n  {target.provider.name}: {found}"
        for target, found in results
        if isinstance(found, LLMError)
        and target.provider.name != COMPATIBLE
        and (isinstance(found, AuthenticationError) or not _is_default(target))
    ]
    return "".join(lines)


def _is_default(target: Target) -> bool:
    row = CATALOG[target.provider.name]
    return target.base_url in {row.base_url, *row.alternative_base_urls}


def _candidates(servers: Sequence[Target]) -> list[Target]:
    """Return the local servers' targets, in order of preference, each of their addresses.

    Another server on one of their ports comes last, as what it is: compatible with OpenAI.
    """
    targets = []
    for server in servers:
        waits = Timeouts(connect=PROBE_SECONDS, first_byte=PROBE_SECONDS, silence=PROBE_SECONDS)
        target = replace(server, timeouts=waits)
        targets.append(target)
        if target.base_url == CATALOG[target.provider.name].base_url:
            targets += [
                replace(target, base_url=url) for url in target.provider.alternative_base_urls
            ]
    other = CATALOG[COMPATIBLE]
    shared = [t for t in targets if t.provider.owned_by is not None]
    others = {t.base_url: replace(t, provider=other, model="", api_key=None) for t in shared}
    return [*targets, *others.values()]


def _probe(candidates: Sequence[Target]) -> list[tuple[Target, Found]]:
    """Ask all candidates at once; return what is known of them in time, most preferred first.

    It is not waited for one when a more preferred one with models has answered.
    """
    # Importing it in every thread at once would only queue them at the import lock.
    from .engine.transport import sessions  # noqa: F401

    answers: Answers = queue.SimpleQueue()
    for rank, target in enumerate(candidates):
        threading.Thread(target=_ask, args=(rank, target, answers), daemon=True).start()
    ends = time.monotonic() + PROBE_SECONDS
    results: dict[int, Found] = {}
    while len(results) < len(candidates):
        try:
            rank, found = answers.get(timeout=max(0.0, ends - time.monotonic()))
        except queue.Empty:
            break
        results[rank] = found
        undecided = (rank for rank in range(len(candidates)) if _may_win(results, rank))
        if next(undecided, None) in results:
            break
    return [(candidates[rank], found) for rank, found in sorted(results.items())]


def _may_win(results: Mapping[int, Found], rank: int) -> bool:
    found = results.get(rank, [])
    return rank not in results or (isinstance(found, list) and bool(found))


def _ask(rank: int, target: Target, answers: Answers) -> None:
    """Ask one candidate for its models: without a key, because nobody knows yet who listens."""
    driver = SyncDriver()
    keyless = replace(target, api_key=None)
    found: Found
    try:
        models = driver.run(fetch_models(keyless, Deadline(None, 0.0, time.monotonic)))
        found = models if is_its_own(models, target.provider) else None
    except AuthenticationError as error:
        # With the key at hand it will do; which models it has is asked later.
        found = [] if target.api_key else error
    except LLMError as error:
        found = error
    finally:
        driver.close()
    answers.put((rank, found))


def is_its_own(models: Sequence[ModelInfo], provider: ProviderSpec) -> bool:
    """Return whether a list of models is a provider's, as far as lists tell."""
    if provider.owned_by is None:
        return True
    owners = {model.owned_by or "" for model in models}
    return provider.owned_by in owners or (not owners and not provider.owned_by)
