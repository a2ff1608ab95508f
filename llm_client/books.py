"""The books of one client: what is asked of the ledger and of budgets before and after attempts.

Owns how the labels of a call come about, which limits hold for an attempt, and that a ledger which
cannot be used costs one notice per client and never the answer. Nothing is opened before the first
attempt.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from .engine.context import Asked, Granted, Hooks
from .policy.address import is_local
from .price_list import cost
from .storage.haste import StoreError, WouldWait
from .storage.paths import cache_dir
from .types.call_options import LONGEST_LABEL
from .types.config import LLMConfig, Settings
from .types.events import AttemptRecord, Labels
from .types.response import Usage
from .types.target import Target

if TYPE_CHECKING:
    from .policy.budget import Limit
    from .storage.ledger import Ledger
    from .storage.reservations import Claim
    from .storage.response_cache import ResponseCache

__all__ = ["Books", "Spent", "new_call_id"]

Spent: TypeAlias = "dict[tuple[str, int], tuple[str, int]]"
"""What the attempts of a call have cost so far: provider and nano-USD, by call id and number."""

_REST_SECONDS = 60.0
"""How long a ledger that failed is left alone: the disk may be slow to say that it is full."""
_NOTHING = Usage(0, 0, 0)


class Books:
    """What one client writes down, and what it may spend."""

    def __init__(self, settings: Settings, config: LLMConfig, environ: Mapping[str, str]) -> None:
        """Read what is to be written down.

        Raises:
            ConfigurationError: every call is limited, and there is no ledger to hold that with.
        """
        self._settings = settings
        self._config = config
        self._environ = environ
        self._budget = settings.budget if config.budget is None else config.budget
        self._enabled = settings.ledger
        if not self._enabled:
            from .policy.unheld import check_client

            check_client(self._budget, config)
        # Reentrant, because a collected stream settles its books wherever this thread is.
        self._lock = threading.RLock()
        self._ledger: Ledger | None = None
        self._responses: ResponseCache | None = None
        self._rests_until = 0.0
        self._has_told = False
        self._unsaid: tuple[str, ...] = ()
        self._unpriced: set[str] = set()
        self._limits: Callable[..., tuple[Limit, ...]] | None = None
        """`policy.budget.limits` of this budget, which are the same for the calls of a day."""
        self._repository: tuple[str, str | None] = ("", None)

    def labels(self, profile: str | None, said: Mapping[str, Any]) -> Labels:
        """Return what a call is found under in the ledger.

        Args:
            profile: where the call began.
            said: the options of the call: `project`, `session`, `tags`.
        """
        environ = self._environ
        session = said["session"] or environ.get("LLM_CLIENT_SESSION", "").strip()
        project = said["project"] or environ.get("LLM_CLIENT_PROJECT", "").strip()
        project = project or self._repository_name()
        tags = said["tags"] or ()
        session, project = _text(session, LONGEST_LABEL), _text(project, LONGEST_LABEL)
        behind = None if profile is None else self._settings.profile_behind(profile)
        return Labels(_text(behind), session, project, tuple(map(_plain, tags)))

    def _repository_name(self) -> str | None:
        try:
            here = os.getcwd()
        except OSError:  # it was deleted
            return None
        if self._repository[0] != here:
            from .storage.repository import repository_name

            self._repository = (here, repository_name(here))
        return self._repository[1]

    def hooks(
        self,
        call_id: str,
        labels: Labels,
        said: Mapping[str, Any],
        route: Iterable[Target],
        spent: Spent,
    ) -> Hooks:
        """Return the steps of the pipeline that consult a store, for one call.

        Args:
            call_id: of the call.
            labels: what it is found under.
            said: its options: `cache`, `max_cost`.
            route: who may be asked.
            spent: what it has cost so far; a call that is made for another one shares it.

        Raises:
            ConfigurationError: it is limited, and there is no ledger to hold that with.
        """
        if not self._enabled:
            from .policy.unheld import check_call

            check_call(self._budget, labels, route, said["max_cost"])
            return self._with_cache(Hooks(), said["cache"])
        call = _Call(self, call_id, labels, said["max_cost"], spent)
        hasty = Hooks(
            reserve=partial(call.reserve, wait=False), settle=partial(call.settle, wait=False)
        )
        hooks = Hooks(None, call.reserve, call.release, call.settle, None, hasty)
        return self._with_cache(hooks, said["cache"])

    def _with_cache(self, hooks: Hooks, wanted: bool | None) -> Hooks:
        """Return hooks with those of the response cache, where it is wanted."""
        settings = self._settings
        if not (settings.responses if wanted is None else wanted):
            return hooks
        with self._lock:
            if self._responses is None:
                try:
                    from .storage.response_cache import ResponseCache
                except ImportError:  # a Python that was built without SQLite
                    return hooks
                directory = cache_dir(self._environ) / "responses"
                room = settings.responses_max_mb * 1_000_000
                self._responses = ResponseCache(directory, settings.responses_ttl, room)
        return replace(hooks, lookup=self._responses.lookup, store=self._responses.store)

    def cost(self, target: Target, model: str, usage: Usage) -> float | None:
        """Return what usage cost in USD; `None` when that is not known."""
        return cost(target, model, usage, self._settings.pricing)

    def close(self) -> None:
        """Close what was opened. Idempotent."""
        if self._ledger is not None:
            self._ledger.close()
        if self._responses is not None:
            self._responses.close()

    def ledger(self, *, wait: bool = True) -> Ledger | None:
        """Return the ledger; `None` for a while after it failed.

        Raises:
            WouldWait: it was not used yet, and `wait` is false.
        """
        if self._rests_until and time.monotonic() < self._rests_until:
            return None
        if self._ledger is None and not wait:
            raise WouldWait
        with self._lock:
            if self._ledger is None:
                try:
                    from .storage.ledger import Ledger, ledger_file
                except ImportError as error:  # a Python that was built without SQLite
                    self._rests_until = math.inf
                    self._unsaid = (_without(f"Cannot use the ledger: {error}."),)
                    return None
                self._ledger = Ledger(ledger_file(self._environ))
        return self._ledger

    def unsaid(self) -> tuple[str, ...]:
        """Return what the user should know about a ledger that there is not, once."""
        unsaid, self._unsaid = self._unsaid, ()
        return unsaid

    def failed(self) -> bool:
        """Leave the ledger alone for a while; return whether the user must be told."""
        with self._lock:
            self._rests_until = time.monotonic() + _REST_SECONDS
            told, self._has_told = self._has_told, True
        return not told

    def limits(
        self, labels: Labels, target: Target, today: str, max_cost: float | None
    ) -> tuple[Limit, ...]:
        """Return the budgets that hold for an attempt."""
        if self._budget is None and max_cost is None:
            return ()
        if self._limits is None:
            from .policy.budget import limits

            in_code = self._config.budget is not None
            self._limits = lru_cache(partial(limits, self._budget, in_code=in_code))
        return self._limits(labels, target.provider.name, today, max_cost)

    def unpriced_notice(self, target: Target) -> str | None:
        """Return what to say of a model without a price where a budget holds; once for each."""
        from .policy.budget import unpriced

        with self._lock:
            if target.spec in self._unpriced:
                return None
            self._unpriced.add(target.spec)
        return unpriced(target)


class _Call:
    """The books of one call."""

    def __init__(
        self,
        books: Books,
        call_id: str,
        labels: Labels,
        max_cost: float | None,
        spent: Spent,
    ) -> None:
        self._books = books
        self._call_id = call_id
        self._labels = labels
        self._max_cost = max_cost
        self._spent = spent
        self._reserved = 0
        """The number of the attempt that something is reserved for; 0: none."""

    def reserve(self, asked: Asked, target: Target, number: int, *, wait: bool = True) -> Granted:
        """Reserve what an attempt may cost and its place in the rate limit.

        Raises:
            BudgetExceededError: it may cost more than is left.
            RateLimitError: the provider wants to be left alone for too long.
            WouldWait: the ledger would have to be waited for, and `wait` is false.
        """
        ledger = self._books.ledger(wait=wait)
        if ledger is None:
            with suppress(ImportError):  # a Python without SQLite
                self._hold_alone(self._claim(asked, target, number), target)
            return Granted(notices=self._books.unsaid())
        claim = self._claim(asked, target, number)
        if not claim.holds_nothing:
            # Before it is true: a Ctrl-C may come between.
            self._reserved = number
        try:
            grant = ledger.reserve(claim, wait=wait)
        except StoreError as error:
            self._reserved = 0
            self._hold_alone(claim, target)
            return Granted(notices=(_without(error, error.hint),) if self._books.failed() else ())
        if grant.paused:
            from .policy.rate import paused_error

            raise paused_error(target, grant.wait)
        if grant.refused is not None:
            from .policy.budget import refusal

            raise refusal(grant.refused, target, claim.prompt_tokens, claim.completion_tokens)
        notices = [*ledger.database.take_notices()]
        if claim.limits and claim.cost is None:
            notices += filter(None, [self._books.unpriced_notice(target)])
        if grant.exceeded:
            from .policy.budget import warning

            notices += map(warning, grant.exceeded)
        return Granted(grant.wait, tuple(notices), grant.limited)

    def _hold_alone(self, claim: Claim, target: Target) -> None:
        """Hold the limits of a single call, which need no ledger.

        Raises:
            BudgetExceededError: the attempt may cost more than is left of one.
        """
        from .storage.reservations import exceeded_alone

        if (found := exceeded_alone(claim)) is not None:
            from .policy.budget import refusal

            raise refusal(found, target, claim.prompt_tokens, claim.completion_tokens)

    def _claim(self, asked: Asked, target: Target, number: int) -> Claim:
        """Return what an attempt asks for."""
        from .policy.rate import NO_RATE, Rate, rate_key
        from .storage.ledger import local_day, storable
        from .storage.reservations import MOST, Claim

        today = local_day(time.time())
        limits = self._books.limits(self._labels, target, today, self._max_cost)
        rate = Rate(target.requests_per_minute, target.tokens_per_minute)
        most, cost = _NOTHING, None
        if limits or rate != NO_RATE:
            from .policy.budget import nano_ceiling
            from .policy.estimate import most_usage

            most = most_usage(asked, target)
            usd = self._books.cost(target, target.model, most)
            cost = None if usd is None else nano_ceiling(usd)
        return Claim(
            call_id=self._call_id,
            attempt=number,
            day=today,
            provider=target.provider.name,
            model=storable(target.model),
            labels=self._labels,
            prompt_tokens=min(most.prompt_tokens, MOST),
            completion_tokens=min(most.completion_tokens, MOST),
            cost=cost,
            limits=limits,
            key=storable(rate_key(target)),
            rate=rate,
            spent=tuple(self._spent.values()),
            local=is_local(target),
        )

    def release(self, number: int) -> None:
        """Give back what was reserved for an attempt that was not made."""
        ledger = self._books.ledger()
        if self._reserved == number and ledger is not None:
            ledger.release(self._call_id, number)
            self._reserved = 0

    def settle(
        self, record: AttemptRecord, target: Target, pause: float | None, *, wait: bool = True
    ) -> None:
        """Write an attempt into the ledger.

        Raises:
            StoreError: that failed, or there is something to be said, for the first time.
            WouldWait: the ledger would have to be waited for, and `wait` is false.
        """
        ledger = self._books.ledger(wait=wait)
        try:
            from .storage.ledger import nano_cost, storable
        except ImportError:  # a Python without SQLite
            return

        self._spent[self._call_id, record.attempt] = record.provider, nano_cost(record) or 0
        if ledger is None:
            return
        key = ""
        if pause is not None:
            from .policy.rate import rate_key

            key = storable(rate_key(target))
        try:
            ledger.settle(record, key, pause, wait=wait)
        except StoreError as error:
            if self._books.failed():
                raise StoreError(_without(error, error.hint)) from error
            return
        for notice in ledger.database.take_notices():
            raise StoreError(notice)


def _without(problem: object, hint: str | None = None) -> str:
    """Return the notice that calls do without the ledger."""
    notice = (
        f"{problem} Calls go on without it: nothing is recorded, and no budget or limit holds but "
        "those of a single call."
    )
    return f"{notice} {hint}" if hint else notice


def new_call_id() -> str:
    """Return the name of a call, which no other has: 32 hexadecimal digits.

    The first are the time, so that the ledger's index grows at its end and stays in memory.
    """
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


def _text(text: str | None, most: int | None = None) -> str | None:
    """Return the first characters of a label as they can be stored; `None` for an empty one."""
    return _plain(text[:most]) if text else None


def _plain(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
