"""Whether a provider answers: the probe behind `health_check()`."""

from __future__ import annotations

import time
from collections.abc import Callable

from .engine.effects import Steps
from .engine.exchange import Deadline, fetch_models
from .exceptions import LLMError
from .types.models import HealthReport
from .types.target import Target

__all__ = ["check_health"]


def check_health(
    target: Target, *, clock: Callable[[], float] = time.monotonic
) -> Steps[HealthReport]:
    """Ask a provider for its models; return what came of it. Never raises an `LLMError`."""
    started = clock()
    try:
        models = yield from fetch_models(target, Deadline(None, started, clock))
    except LLMError as error:
        return HealthReport(
            provider=target.provider.name,
            healthy=False,
            base_url=target.base_url,
            error=str(error),
            hint=error.hint,
        )
    return HealthReport(
        provider=target.provider.name,
        healthy=True,
        base_url=target.base_url,
        latency_ms=(clock() - started) * 1000,
        models=tuple(model.id for model in models),
    )
