"""Which provider to use when nothing says so.

A local server that answers, else a cloud provider whose key is in the environment, else an error
with the commands to go on with. The embedded demo model is offered, never chosen.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .engine.drivers import SyncDriver
from .engine.exchange import Deadline, fetch_models
from .exceptions import ConfigurationError, LLMError
from .policy.route import key_variables, resolve_target
from .providers.catalog import CATALOG, LOCAL_SERVERS
from .types.config import LLMConfig, Settings
from .types.http import Timeouts
from .types.models import ModelInfo
from .types.target import Target

__all__ = ["Choice", "discover"]

PROBE_SECONDS = 0.2
"""For all local servers together: one that takes longer is not there."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and why."""

    target: Target
    reason: str


def discover(settings: Settings, environ: Mapping[str, str]) -> Choice:
    """Return where to go when nothing is configured.

    Raises:
        ConfigurationError: no local server answers and no key is set.
    """
    candidates = _candidates(settings, environ)
    found = _probe(candidates)
    if found is not None:
        target, models = found
        if models and not target.model:
            target = replace(target, model=models[0].id)
        return Choice(target, f"{target.provider.name} answers at {target.base_url}")
    for provider in CATALOG.values():
        name = next((name for name in key_variables(provider) if environ.get(name)), None)
        if provider.key_required and name is not None:
            target = resolve_target(LLMConfig(provider=provider.name), settings, environ)
            return Choice(target, f"{name} is set and no local server answers")
    raise ConfigurationError(
        "Nothing says which model to use: no configuration, no local server, no key.",
        hint="Go on with one of:\n"
        '  `llm-client generate -p embedded "hi"`        the built-in demo model, offline\n'
        '  `ollama serve`, then `llm-client generate -m ollama/llama3.2 "hi"`\n'
        '  `export OPENAI_API_KEY=…`, then `llm-client generate -m openai/gpt-5-mini "hi"`',
    )


def _candidates(settings: Settings, environ: Mapping[str, str]) -> list[Target]:
    """Return the local servers' targets, in order of preference, each of their addresses."""
    targets = []
    for name in LOCAL_SERVERS:
        target = resolve_target(LLMConfig(provider=name), settings, environ)
        waits = Timeouts(connect=PROBE_SECONDS, first_byte=PROBE_SECONDS, silence=PROBE_SECONDS)
        target = replace(target, timeouts=waits)
        targets.append(target)
        if target.base_url == CATALOG[name].base_url:
            targets += [
                replace(target, base_url=url) for url in target.provider.alternative_base_urls
            ]
    return targets


def _probe(candidates: Sequence[Target]) -> tuple[Target, list[ModelInfo]] | None:
    """Ask all candidates at once; return the most preferred one that answers in time.

    One that has no models comes after every one that has some.
    """
    # Importing it in every thread at once would only queue them at the import lock.
    from .engine.transport import sessions  # noqa: F401

    answers: queue.SimpleQueue[tuple[int, list[ModelInfo] | None]] = queue.SimpleQueue()
    for rank, target in enumerate(candidates):
        threading.Thread(target=_ask, args=(rank, target, answers), daemon=True).start()
    ends = time.monotonic() + PROBE_SECONDS
    results: dict[int, list[ModelInfo] | None] = {}
    while len(results) < len(candidates):
        try:
            rank, models = answers.get(timeout=max(0.0, ends - time.monotonic()))
        except queue.Empty:
            break
        results[rank] = models
        best = next((r for r in range(len(candidates)) if r not in results or results[r]), None)
        if best in results:
            break
    answered = [
        (candidates[rank], models) for rank, models in sorted(results.items()) if models is not None
    ]
    # `min` takes the first of equals: the most preferred one.
    return min(answered, key=lambda answer: not answer[1], default=None)


def _ask(
    rank: int, target: Target, answers: queue.SimpleQueue[tuple[int, list[ModelInfo] | None]]
) -> None:
    driver = SyncDriver()
    try:
        models = driver.run(fetch_models(target, Deadline(None, 0.0, time.monotonic)))
    except LLMError:
        answers.put((rank, None))
        return
    finally:
        driver.close()
    wanted = target.provider.owned_by
    mine = not wanted or any(model.owned_by == wanted for model in models)
    answers.put((rank, models if mine else None))
