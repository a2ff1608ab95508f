"""Calls and their fates, drawn at random from a seed: who is asked, and what each server does.

Owns the drawing. `scenario(number)` is always the same, so a failure is repeated by its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from .bodies import PROVIDERS, Reported
from .exchange import Step
from .oracle import foretell, foretell_all
from .statuses import STATUSES

__all__ = ["COUNT", "NEAR_DEADLINE", "SEED", "Goal", "Scenario", "scenario"]

SEED: Final = 20261120
COUNT: Final = 2000
LONGEST_WAIT: Final = 1.2
"""Seconds that the servers of one scenario may ask to wait, all together."""
MOST_SILENCES: Final = 2
"""Each costs a timeout."""
TIMEOUT: Final = 1.0
"""Seconds, where a server is silent: no other wait may come near it on a slow machine."""
NEAR_DEADLINE: Final = 4.0
FAR_DEADLINE: Final = 20.0
"""Seconds; what a server may ask to wait is well below it, or above."""

_ANSWERS = (
    "answer",
    "answer",
    "answer",
    "answer-dripped",
    "answer-in-the-other-form",
    "answer-mislabelled",
    "answer-then-cut",
)
_BROKEN = (
    "reset-before-head",
    "close-before-head",
    "cut-in-head",
    "no-http",
    "no-http-at-all",
    "reset-behind-head",
    "close-behind-head",
    "reset-in-body",
    "close-in-body",
    "ends-early",
    "length-too-short",
)
_SILENT = ("silence", "silence-behind-head", "silence-in-body")
_NONSENSE = ("200-empty", "200-html", "200-no-json", "200-other-json", "200-torn-event")
_IN_BAND = ("in-band-overloaded", "in-band-rate-limit", "in-band-invalid")
_LATER = tuple(name for name in STATUSES if name[:3] in {"408", "409", "429", "500", "503", "529"})
_STATUS = tuple(STATUSES)
_GROUPS = ((_ANSWERS, 24), (_BROKEN, 22), (_SILENT, 4), (_NONSENSE, 8), (_IN_BAND, 10))
_MORE_GROUPS = ((_LATER, 18), (_STATUS, 24))
_TEXT = 'The quick brown fox – наверное, 速い 🦊 – jumps over the lazy dog\n\tand "quotes" {it}. '


@dataclass(frozen=True)
class Goal:
    """One target of a route."""

    provider: str
    steps: tuple[Step, ...]
    """What happens to its requests, in order; none when nothing listens there."""

    @property
    def dialect(self) -> str:
        return PROVIDERS[self.provider]

    @property
    def refuses(self) -> bool:
        return not self.steps


@dataclass(frozen=True)
class Scenario:
    """One call."""

    number: int
    goals: tuple[Goal, ...]
    stream: bool
    max_retries: int
    timeout: float | None
    deadline: float | None

    def __str__(self) -> str:
        goals = "; ".join(
            f"{goal.provider}: " + (", ".join(_shown(step) for step in goal.steps) or "refuses")
            for goal in self.goals
        )
        form = "streamed" if self.stream else "whole"
        limits = f"{self.max_retries} retries, timeout {self.timeout}, deadline {self.deadline}"
        return f"scenario {self.number} of seed {SEED}: {form}, {limits}; {goals}"


def _shown(step: Step) -> str:
    return f"{step.behaviour}({step.sent}/{len(step.pieces)} {step.framing} {step.ending})"


def scenario(number: int) -> Scenario:
    """Return a scenario by its number."""
    random = Random(f"{SEED}/{number}")
    while True:
        drawn = _draw(random, number)
        if _is_clear(drawn):
            return drawn


def _is_clear(drawn: Scenario) -> bool:
    """Return whether a scenario is short, and its fate does not depend on how fast we are."""
    near = drawn.deadline == NEAR_DEADLINE
    return all(
        fate.waited <= (0.1 if near else LONGEST_WAIT)
        and fate.silences <= MOST_SILENCES
        and (near or drawn.timeout is not None or not fate.silences)
        for fate in foretell_all(drawn)
    )


def _draw(random: Random, number: int) -> Scenario:
    stream = random.random() < 0.6
    max_retries = random.randrange(4)
    count = random.choice((1, 1, 2, 2, 3))
    goals = tuple(_goal(random, stream, max_retries) for _ in range(count))
    drawn = Scenario(number, goals, stream, max_retries, None, None)
    silent = foretell(drawn).silences > 0
    if silent and random.random() < 0.3:
        return Scenario(number, goals, stream, max_retries, None, NEAR_DEADLINE)
    deadline = FAR_DEADLINE if random.random() < 0.15 else None
    return Scenario(number, goals, stream, max_retries, TIMEOUT if silent else None, deadline)


def _goal(random: Random, stream: bool, max_retries: int) -> Goal:
    provider = random.choice(tuple(PROVIDERS))
    if random.random() < 0.06:
        return Goal(provider, ())
    # Two are not counted as retries: one that leaves a refused field out, one on a new connection.
    steps = [_step(random, provider, stream) for _ in range(max_retries + 3)]
    return Goal(provider, tuple(steps))


def _step(random: Random, provider: str, stream: bool) -> Step:
    groups = (*_GROUPS, *_MORE_GROUPS)
    group = random.choices([names for names, _ in groups], [weight for _, weight in groups])[0]
    text = _TEXT[: random.randrange(1, len(_TEXT))] + str(random.randrange(10**6))
    cuts = sorted(random.sample(range(1, len(text)), min(len(text) - 1, random.randrange(5))))
    pieces = tuple(text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True))
    name = random.choice(group)
    if name == "400-stream-options" and PROVIDERS[provider] != "openai-chat":
        name = "400"  # the others have no such field
    usage = Reported(random.randrange(1, 5000), random.randrange(1, 5000))
    return Step(
        behaviour=name,
        pieces=pieces,
        usage=usage if random.random() < 0.75 else None,
        sent=random.randrange(len(pieces) + 1),
        framing=random.choice(("chunked", "chunked", "length", "close")),
        ending=random.choice(("keep", "keep", "keep", "announce", "hang up")),
    )
