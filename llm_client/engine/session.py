"""The books of one client: what it asked, what it got, what it used. In memory only."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ..types.events import AttemptRecord
from ..types.response import LLMResponse

__all__ = ["Session", "Stats"]


@dataclass(frozen=True, slots=True)
class Stats:
    """Totals of a client since it was made or `reset_stats()` was called."""

    model: str
    """The model spec of the client's first choice."""
    call_count: int
    """Calls that were answered."""
    request_count: int
    """HTTP requests, failed ones and retries too."""
    failed_count: int
    """HTTP requests that brought no answer."""
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    total_cost: float | None
    """USD of the calls whose cost is known; `None` when none is."""
    avg_tokens_per_call: float


class Session:
    """Collects attempts and answers. Safe to share between threads."""

    def __init__(self) -> None:
        # Reentrant, because a collected stream settles its books wherever this thread is.
        self._lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Start from zero."""
        with self._lock:
            self._answers = 0
            self._attempts = 0
            self._failures = 0
            self._prompt_tokens = 0
            self._completion_tokens = 0
            self._total_tokens = 0
            self._cost: float | None = None
            self._last: LLMResponse | None = None

    def settle(self, record: AttemptRecord) -> None:
        """Book one attempt, whatever came of it; one that the response cache saved is no request."""
        with self._lock:
            if record.outcome != "cached":
                self._attempts += 1
                self._failures += record.outcome != "ok"
            usage = record.usage
            if usage is not None:
                self._prompt_tokens += usage.prompt_tokens
                self._completion_tokens += usage.completion_tokens
                self._total_tokens += usage.total_tokens
                if usage.estimated_cost is not None:
                    self._cost = (self._cost or 0.0) + usage.estimated_cost

    def answered(self, response: LLMResponse | None = None) -> None:
        """Book the answer of a call; `None` when it was no text (embeddings)."""
        with self._lock:
            self._answers += 1
            self._last = response or self._last

    @property
    def last_response(self) -> LLMResponse | None:
        """The answer of the last call that was answered."""
        return self._last

    @property
    def request_count(self) -> int:
        """HTTP requests so far."""
        return self._attempts

    def stats(self, model: str) -> Stats:
        """Return the totals; `model` is the spec to show."""
        with self._lock:
            return Stats(
                model=model,
                call_count=self._answers,
                request_count=self._attempts,
                failed_count=self._failures,
                prompt_tokens=self._prompt_tokens,
                completion_tokens=self._completion_tokens,
                total_tokens=self._total_tokens,
                total_cost=self._cost,
                avg_tokens_per_call=self._total_tokens / self._answers if self._answers else 0.0,
            )
