"""How much a target reads, as far as one client knows, and prompts that are made to fit that.

Tokens are estimated, and no tokenizer is like another; so what a provider says when it refuses a
prompt is learned and holds for later calls. Never asks a provider: a window that nobody has told is
not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ..exceptions import ContextLengthError
from ..policy.estimate import least_prompt_tokens, message_tokens, prompt_tokens
from ..policy.trim import Shorter, trim
from ..policy.window import answer_room, configured_window, refusal_figures, too_long
from ..types.config import Overflow
from ..types.request import LLMRequest
from ..types.target import Target

__all__ = ["Room", "Windows", "cut_note", "fitting", "trimmed"]

_WORTH_A_LOOK = 1000
"""Tokens. No model that answers reads less, and looking a window up costs a few milliseconds."""
_WORTH_SHORTENING = 200
"""Tokens: of less nothing can be left out."""
_CAUTION = 0.95
"""The part of the room that is used: the next text may have more tokens a character."""


class Room(NamedTuple):
    """What a prompt that is too long has to be made to fit into."""

    tokens: int
    """For the messages alone, as we estimate tokens; below 0 when tools and the like are too
    much."""
    window: int
    """Of the target, in its own tokens."""
    density: float
    """How many tokens of the target there are for each that is estimated."""

    def note(self, target: Target, done: str) -> str:
        """Return what the user is told."""
        return f"{target.spec} reads {self.window:,} tokens: {done}."


class _Learned(NamedTuple):
    """What the refusals of a target have told."""

    window: int | None = None
    density: float = 1.0
    """As in `Room`."""
    with_answer: bool = False
    """Whether the longest answer has to fit beside the prompt."""
    is_guess: bool = False
    """Whether the refusals said no figures."""


class Windows:
    """What one client knows of windows.

    Every entry is replaced as a whole, so that threads may share it.
    """

    def __init__(self, look_up: Callable[[Target], int | None]) -> None:
        """Begin with nothing.

        Args:
            look_up: returns the window of a target's model, where something is known of it. May
                read files.
        """
        self._look_up = look_up
        self._known: dict[tuple[str, str, str], int] = {}
        self._learned: dict[tuple[str, str, str], _Learned] = {}

    def window(self, request: LLMRequest, target: Target) -> int | None:
        """Return how many tokens a target reads. May read files."""
        learned = self._learned.get(_key(target), _Learned()).window
        if (configured := configured_window(request, target)) is not None:
            return configured if learned is None else min(configured, learned)
        if learned is not None:
            return learned
        if (known := self._known.get(_key(target))) is not None:
            return known
        if target.model and (found := self._look_up(target)) is not None:
            return self._known.setdefault(_key(target), found)
        return None

    def reads(self, request: LLMRequest, target: Target) -> bool:
        """Return whether a prompt may fit; what is not known may. May read files."""
        return self._excess(request, target) is None

    def check(self, request: LLMRequest, target: Target) -> None:
        """Refuse a prompt that is surely too long. May read files.

        Raises:
            ContextLengthError: it has more tokens than the target reads.
        """
        if (excess := self._excess(request, target)) is not None:
            raise too_long(*excess, target, shortened=False)

    def _excess(self, request: LLMRequest, target: Target) -> tuple[int, int] | None:
        """Return the tokens of a prompt and the window when there are surely too many."""
        tokens = least_prompt_tokens(request)
        if tokens < _WORTH_A_LOOK:
            return None
        window = self.window(request, target)
        return (tokens, window) if window is not None and tokens > window else None

    def room(self, request: LLMRequest, target: Target) -> Room | None:
        """Return the room that a prompt has when it is too long for it. May read files.

        The answer has its place beside it.
        """
        tokens = prompt_tokens(request)
        learned = self._learned.get(_key(target), _Learned())
        density = learned.density
        if tokens * density < _WORTH_SHORTENING:
            return None
        window = self.window(request, target)
        if window is None:
            return None
        answer = answer_room(request, target, window, is_counted=learned.with_answer)
        room = int((window - answer) * _CAUTION / density)
        if tokens <= room:
            return None
        # What is no message, such as tools, has to fit too.
        besides = tokens - sum(map(message_tokens, request.messages))
        return Room(room - besides, window, density)

    def shaped(self, request: LLMRequest, target: Target, overflow: Overflow) -> LLMRequest:
        """Return a request as it would be sent, as far as that can be told without asking.

        Raises:
            ContextLengthError: it is too long and cannot be shortened, or must not.
        """
        if overflow == "refuse":
            self.check(request, target)
        elif overflow == "trim" and (room := self.room(request, target)) is not None:
            return trimmed(request, target, room)[0]
        return request

    def learn(self, error: ContextLengthError, request: LLMRequest, target: Target) -> None:
        """Learn from the refusal of a request. May read files."""
        tokens = max(1, prompt_tokens(request))
        before = self._learned.get(_key(target), _Learned())
        said = refusal_figures(error.message)
        if said is None:
            # All that is said is that it was too much: half of it, then.
            known = self.window(request, target) is not None
            window = before.window if known else max(1, int(tokens * before.density))
            learned = before._replace(window=window, density=before.density * 2, is_guess=True)
        else:
            density = said.prompt / tokens
            if said.is_least:
                density = max(density, before.density)
            is_news = said.window != configured_window(request, target)
            learned = _Learned(
                said.window if is_news else before.window,
                density,
                with_answer=said.with_answer or before.with_answer,
            )
        self._learned[_key(target)] = learned

    def forget_guess(self, target: Target) -> None:
        """Forget what was learned from refusals without figures: shorter prompts did not help."""
        if self._learned.get(_key(target), _Learned()).is_guess:
            self._learned.pop(_key(target), None)


def trimmed(request: LLMRequest, target: Target, room: Room) -> tuple[LLMRequest, str]:
    """Return a request that was trimmed to fit, and what the user is told about it.

    Raises:
        ContextLengthError: what must stay is too long.
    """
    shorter = trim(request.messages, room.tokens, message_tokens)
    out, total = shorter.left_out, len(request.messages)
    done = f"{out} of {total} messages are left out" if out else "the prompt is shortened"
    return fitting(request, shorter, target, room), room.note(target, f"{done}{cut_note(shorter)}")


def fitting(request: LLMRequest, shorter: Shorter, target: Target, room: Room) -> LLMRequest:
    """Return a request with the conversation made shorter.

    Raises:
        ContextLengthError: it is still too long.
    """
    request = replace(request, messages=shorter.messages)
    left = int(prompt_tokens(request) * room.density)
    if left > room.window:
        raise too_long(left, room.window, target, shortened=True)
    return request


def cut_note(shorter: Shorter) -> str:
    """Return what is said about the texts that were cut."""
    return f", {shorter.cut:,} characters of texts are cut" if shorter.cut else ""


def _key(target: Target) -> tuple[str, str, str]:
    return target.provider.name, target.base_url, target.model
