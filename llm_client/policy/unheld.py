"""Which limits could not hold, because the ledger is off that they are held with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..exceptions import ConfigurationError
from ..types.budget import AMOUNTS
from .budget import limits

if TYPE_CHECKING:
    from ..types.budget import Budget
    from ..types.config import LLMConfig
    from ..types.events import Labels
    from ..types.target import Target

__all__ = ["check_call", "check_client"]

_SOME_DAY = "2000-01-01"


def check_client(budget: Budget | None, config: LLMConfig) -> None:
    """Refuse a limit that holds for every call of a client.

    Args:
        budget: that of the client or of the configuration.
        config: of the client.

    Raises:
        ConfigurationError: there is one.
    """
    if budget is not None and any(getattr(budget, name) is not None for name in AMOUNTS):
        raise _without_ledger("a budget")
    _check_rate(config)


def check_call(
    budget: Budget | None, labels: Labels, route: Iterable[Target], max_cost: float | None
) -> None:
    """Refuse a limit that holds for one call.

    Args:
        budget: as for the client.
        labels: of the call.
        route: who may be asked.
        max_cost: USD that it may cost.

    Raises:
        ConfigurationError: there is one.
    """
    if max_cost is not None:
        raise _without_ledger("max_cost")
    for target in route:
        if budget is not None and limits(budget, labels, target.provider.name, _SOME_DAY):
            raise _without_ledger("a budget")
        _check_rate(target)


def _check_rate(where: LLMConfig | Target) -> None:
    for name in ("requests_per_minute", "tokens_per_minute"):
        if getattr(where, name) is not None:
            raise _without_ledger(name)


def _without_ledger(limit: str) -> ConfigurationError:
    return ConfigurationError(
        f"The ledger is off, and without it {limit} cannot hold.",
        hint="Turn it on (`enabled = true` under `[ledger]`, or `unset LLM_CLIENT_LEDGER`), or "
        "leave the limit out.",
    )
