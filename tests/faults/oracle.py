"""What must come of a call: a small model of DESIGN.md §3 and §5 and WIRE.md §9.

Owns the expectations. It is written from the documents, knows nothing of the engine, and has one
row for each thing that a server can do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from .exchange import Step

if TYPE_CHECKING:
    from .scenarios import Goal, Scenario

__all__ = ["FATES", "Attempted", "Fate", "Foretold", "foretell", "foretell_all"]

CAP: Final = 120.0
"""Seconds; a provider that asks to wait for longer has failed for now (WIRE.md §9)."""


@dataclass(frozen=True)
class Fate:
    """What one attempt comes to."""

    error: str = ""
    """The class; empty for an answer."""
    again: bool = False
    """Whether the same target may be asked again."""
    elsewhere: bool = True
    """Whether another one may."""
    retry_after: float | None = None
    """Seconds that the provider asks to wait."""
    shown: int = 0
    """Pieces of text that a stream had shown by then."""
    silent: bool = False
    """Whether it takes a timeout to find out."""
    relaxes: bool = False
    """Whether the next attempt leaves out what was refused."""
    stale: bool = False
    """Whether it was lost as the connection of an earlier request, which is no fault of its own."""


@dataclass(frozen=True)
class Attempted:
    """One attempt."""

    position: int
    """Of its target in the route."""
    retry: int
    """0 for the first attempt at this target."""
    step: Step | None
    """`None` where nothing listens."""
    fate: Fate


@dataclass(frozen=True)
class Foretold:
    """What comes of a call."""

    attempts: tuple[Attempted, ...]
    error: str
    """The class; empty when there is an answer."""
    retry_after: float | None
    waited: float
    """Seconds that were spent on waits that servers asked for."""
    retries: int
    """Over all targets, with a delay before each."""

    @property
    def last(self) -> Attempted:
        return self.attempts[-1]

    @property
    def silences(self) -> int:
        return sum(attempt.fate.silent for attempt in self.attempts)

    @property
    def text(self) -> str:
        """What the caller has seen in the end, of a stream or of an answer."""
        fate, step = self.last.fate, self.last.step
        if step is None:
            return ""
        return "".join(step.pieces if not fate.error else step.pieces[: fate.shown])


_ANSWER = Fate()
_LOST = Fate("ConnectionError", again=True)
_SILENT = Fate("TimeoutError", again=True, silent=True)
_NONSENSE = Fate("LLMServiceError")
"""A 200 that is no answer: nothing says that asking again would help."""
_BUSY = Fate("LLMServiceError", again=True)
_LIMITED = Fate("RateLimitError", again=True)
_USED_UP = Fate("QuotaExceededError")
_REFUSED = Fate("ValidationError", elsewhere=False)
_NO_KEY = Fate("AuthenticationError")


def _after(seconds: float, fate: Fate = _LIMITED) -> Fate:
    return replace(fate, retry_after=seconds)


FATES: Final = {
    "answer": _ANSWER,
    "answer-dripped": _ANSWER,
    "answer-in-the-other-form": _ANSWER,
    "answer-mislabelled": _ANSWER,
    "answer-then-cut": _ANSWER,
    "reset-before-head": _LOST,
    "close-before-head": _LOST,
    "cut-in-head": _LOST,
    "no-http": _LOST,
    "no-http-at-all": _LOST,
    "reset-behind-head": _LOST,
    "close-behind-head": _LOST,
    "reset-in-body": _LOST,
    "close-in-body": _LOST,
    "silence": _SILENT,
    "silence-behind-head": _SILENT,
    "silence-in-body": _SILENT,
    "ends-early": Fate("StreamInterruptedError", again=True),
    "length-too-short": Fate("StreamInterruptedError", again=True),
    "200-empty": _NONSENSE,
    "200-html": _NONSENSE,
    "200-no-json": _NONSENSE,
    "200-other-json": _NONSENSE,
    "200-torn-event": _NONSENSE,
    "in-band-overloaded": _BUSY,
    "in-band-rate-limit": _LIMITED,
    "in-band-invalid": _REFUSED,
    "400": _REFUSED,
    "400-context": Fate("ContextLengthError"),
    "400-do-retry": replace(_REFUSED, again=True),
    "400-filter": Fate("ContentFilterError", elsewhere=False),
    "400-stream-options": replace(_REFUSED, relaxes=True),
    "401": _NO_KEY,
    "402": _USED_UP,
    "403": _NO_KEY,
    "404-model": Fate("ModelNotFoundError"),
    "404-page": Fate("LLMAPIError"),
    "408": _BUSY,
    "409": Fate("LLMAPIError", again=True),
    "413": _REFUSED,
    "422": _REFUSED,
    "500": _BUSY,
    "500-do-not-retry": replace(_BUSY, again=False),
    "501": replace(_BUSY, again=False),
    "502-page": _BUSY,
    "503": _BUSY,
    "503-seconds": _after(0.02, _BUSY),
    "503-huge": _after(1e9, _BUSY),
    "504": _BUSY,
    "529": _BUSY,
    "429": _LIMITED,
    "429-seconds": _after(0.02),
    "429-one-second": _after(1),
    "429-zero": _after(0),
    "429-milliseconds": _after(0.03),
    "429-date-past": _after(0),
    "429-date-now": _after(0),
    "429-date-soon": _after(1),
    "429-date-far": _after(3600),
    "429-retry-info": _after(0.04),
    "429-reset": _after(0.025),
    "429-nan": _LIMITED,
    "429-infinite": _LIMITED,
    "429-negative": _LIMITED,
    "429-words": _LIMITED,
    "429-half-a-minute": _after(30),
    "429-over-the-cap": _after(121),
    "429-huge": _after(1e9),
    "429-quota": _USED_UP,
    "429-quota-do-retry": _after(0.01, _USED_UP),
    "429-quota-of-the-day": _after(0.01, _USED_UP),
}
"""By behaviour, where nothing of an answer was seen; `_fate` says what the form changes."""
_IN_BODY = frozenset(
    {"reset-in-body", "close-in-body", "silence-in-body", "ends-early", "length-too-short"}
    | {"200-torn-event", "in-band-overloaded", "in-band-rate-limit", "in-band-invalid"}
)
"""Faults that may come behind the beginning of an answer."""
_UNANSWERED = frozenset({"reset-before-head", "close-before-head"})
_BROKEN_OFF = frozenset({"reset-in-body", "close-in-body"})
_CUT = frozenset({"ends-early", "length-too-short"})


def _fate(step: Step, goal: Goal, stream: bool) -> Fate:
    """Return what comes of one request."""
    name, ollama = step.behaviour, goal.dialect == "ollama"
    fate = FATES[name]
    if name == "answer-then-cut" and not stream:
        return _LOST  # of a stream the end of the answer is known from within
    if name.startswith("in-band") and ollama:
        fate = _BUSY  # its errors are a text, without a word for what it is
    if name in _CUT and not ollama and not stream:
        return _NONSENSE  # half of an object
    if name in _CUT and ollama and stream and not step.sent:
        return _NONSENSE  # its stream has nothing before the text: an empty body
    if stream and name in _IN_BODY and step.sent:
        error = "StreamInterruptedError" if name in _BROKEN_OFF else fate.error
        return replace(fate, error=error, shown=step.sent)
    return fate


def foretell(scenario: Scenario, reused: Collection[int] = ()) -> Foretold:
    """Play a scenario in mind.

    Args:
        scenario: what is planned.
        reused: which of the requests that arrive, from 0, come on the connection of an earlier one.
    """
    attempts: list[Attempted] = []
    waited, all_retries, arrived = 0.0, 0, 0
    for position, goal in enumerate(scenario.goals):
        steps, first, retries = iter(goal.steps), len(attempts), 0
        spared: set[str] = set()
        while True:
            step, fate = _next(steps, goal, scenario, arrived in reused)
            arrived += step is not None
            attempts.append(Attempted(position, len(attempts) - first, step, fate))
            error, elsewhere = fate.error, fate.elsewhere
            if not error or fate.shown or (fate.silent and _is_near(scenario)):
                # The user has it, or has seen its beginning, or there is no time left.
                break
            reason = "stale" if fate.stale else "relaxes" if fate.relaxes else ""
            if reason and reason not in spared:
                spared.add(reason)  # made again at once, and not counted; once
                continue
            delay = fate.retry_after or 0.0
            if not fate.again or retries == scenario.max_retries or delay > CAP:
                break
            if scenario.deadline is not None and delay >= scenario.deadline:
                error, elsewhere = "TimeoutError", True
                break
            retries += 1
            all_retries += 1
            waited += delay
        final = not error or fate.shown or (fate.silent and _is_near(scenario)) or not elsewhere
        if final or position == len(scenario.goals) - 1:
            break
    retry_after = fate.retry_after if error == fate.error else None
    return Foretold(tuple(attempts), error, retry_after, waited, all_retries)


def foretell_all(scenario: Scenario) -> list[Foretold]:
    """Return everything that may come of a scenario, whichever connections are used again."""
    found: dict[frozenset[int], Foretold] = {}
    waiting = [frozenset[int]()]
    while waiting:
        reused = waiting.pop()
        if reused in found:
            continue
        found[reused] = fate = foretell(scenario, reused)
        steps = [attempt.step for attempt in fate.attempts if attempt.step is not None]
        for number, step in enumerate(steps):
            if number and step.behaviour in _UNANSWERED:
                waiting.append(reused | {number})
    return list(found.values())


def _is_near(scenario: Scenario) -> bool:
    """Return whether a silence lasts until the deadline."""
    return scenario.deadline is not None and scenario.timeout is None


def _next(
    steps: Iterator[Step], goal: Goal, scenario: Scenario, reused: bool
) -> tuple[Step | None, Fate]:
    if goal.refuses:
        # On this machine it means that nothing is there: trying again at once is no use.
        return None, Fate("ConnectionError")
    step = next(steps)
    fate = _fate(step, goal, scenario.stream)
    return step, replace(fate, stale=reused and step.behaviour in _UNANSWERED)
