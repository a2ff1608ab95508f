"""A prompt that is too long for who is asked: refused before it is sent, trimmed, or summarised.

Owns the order of that. A prompt that may be shortened, and that a provider refuses all the same, is
shortened by what the refusal says and sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ..exceptions import ContextLengthError, LLMError
from ..policy.estimate import message_tokens
from ..policy.trim import Shorter, cut_middle, is_instruction, transcript, trim, turns_of
from ..types.config import Overflow
from ..types.events import Event, Notice
from ..types.messages import Message
from ..types.request import LLMRequest
from ..types.response import LLMResponse
from ..types.target import Target
from .booking import tell
from .context import Ask, CallContext, Hooks, Progress
from .effects import Steps, call
from .pipeline import run_call
from .windows import Room, Windows, cut_note, fitting, trimmed

__all__ = ["Shapes", "Shaping", "Summaries", "Summary"]

_MOST_REFUSALS = 3
"""How often a shortened prompt may be refused before that is the answer."""
_MOST_SUMMARIES = 4
"""Conversations of one client whose summaries are kept."""
_SUMMARY_TOKENS = 1024
_LEAST_WORDS = 20
_ASKED_FOR_SUMMARY = (
    "Summarise the conversation that you are given, so that it can go on without it. Keep facts, "
    "names, numbers, decisions and what is still open; leave out courtesies. Answer with the "
    "summary alone, in the language of the conversation, in at most {words} words."
)
_SUMMARY = "Summary of the conversation so far:\n\n{text}"


class Summary(NamedTuple):
    """The beginning of a conversation, told in short."""

    covered: tuple[Message, ...]
    """What it stands for: the first messages, instructions not among them."""
    text: str

    def begins(self, said: tuple[Message, ...]) -> bool:
        """Return whether it is a summary of the beginning of a conversation."""
        return said[: len(self.covered)] == self.covered

    def suffices(self, old: Sequence[Message], messages: Sequence[Message], room: int) -> bool:
        """Return whether no new one is needed: with what follows it fits, or must do.

        Args:
            old: what a new one would stand for.
            messages: the whole conversation.
            room: tokens.
        """
        shorter = self.shorten(messages, room)
        return shorter.left_out == shorter.cut == 0 or len(self.covered) >= len(old)

    def shorten(self, messages: Sequence[Message], room: int) -> Shorter:
        """Return a conversation with its beginning told in short, trimmed if it is still long."""
        text = _SUMMARY.format(text=self.text)
        size = message_tokens(Message("user", text))
        if size > room // 2:
            text = str(cut_middle(text, max(0, len(text) * room // (2 * size))))
        told = Message("user", text)
        left = len(self.covered)
        rest: list[Message] = []
        for message in messages:
            if left and not is_instruction(message):
                left -= 1
            else:
                rest.append(message)
        shorter = trim(rest, room - message_tokens(told), message_tokens)
        kept = shorter.messages
        place = next(i for i, message in enumerate(kept) if not is_instruction(message))
        return shorter._replace(messages=(*kept[:place], told, *kept[place:]))


class Summaries:
    """The summaries that one client has made, so that a conversation can grow without a new one.

    Replaced as a whole, so that threads may share them.
    """

    def __init__(self) -> None:
        self._kept: tuple[Summary, ...] = ()

    def of(self, said: tuple[Message, ...]) -> Summary | None:
        """Return the summary of a part of a conversation, but not of all, if there is one."""
        return next((kept for kept in self._kept if kept.begins(said[:-1])), None)

    def keep(self, summary: Summary) -> None:
        """Keep a summary, in the place of one of a shorter part of the same conversation."""
        others = (kept for kept in self._kept if not kept.begins(summary.covered))
        self._kept = (summary, *others)[:_MOST_SUMMARIES]


class Shapes:
    """What one client knows of windows and of its conversations."""

    def __init__(self, look_up: Callable[[Target], int | None]) -> None:
        """Begin with nothing.

        Args:
            look_up: as `Windows` takes it.
        """
        self.windows = Windows(look_up)
        self._summaries = Summaries()

    def fit(self, overflows: Sequence[Overflow], aside: Callable[[], tuple[str, Hooks]]) -> Shaping:
        """Return what makes the prompts of one call fit; the arguments are those of `Shaping`."""
        return Shaping(overflows, self.windows, self._summaries, aside)


class Shaping:
    """Makes the prompts of one call fit into the windows of its targets."""

    def __init__(
        self,
        overflows: Sequence[Overflow],
        windows: Windows,
        summaries: Summaries,
        aside: Callable[[], tuple[str, Hooks]],
    ) -> None:
        """Begin a call.

        Args:
            overflows: what is done about a prompt that is too long, by the position of the target.
            windows: of the client; they learn.
            summaries: of the client.
            aside: returns the id of a call for a summary, and the steps that keep its books.
        """
        self._overflows = overflows
        self._windows = windows
        self._summaries = summaries
        self._aside = aside

    def __call__(
        self,
        request: LLMRequest,
        target: Target,
        ask: Ask,
        context: CallContext,
        progress: Progress,
    ) -> Steps[LLMResponse]:
        """Ask a target with a prompt that fits.

        Raises:
            ContextLengthError: it cannot be made to fit, or must not.
            LLMError: the target did not answer.
        """
        if self._overflows[progress.position] == "refuse":
            yield from call(lambda: self._windows.check(request, target))
            return (yield from ask(request))
        refusals: list[ContextLengthError] = []
        try:
            return (yield from self._shortening(request, target, ask, context, progress, refusals))
        finally:
            refusals.clear()  # their tracebacks know the frames that know them: cycles

    def _shortening(
        self,
        request: LLMRequest,
        target: Target,
        ask: Ask,
        context: CallContext,
        progress: Progress,
        refusals: list[ContextLengthError],
    ) -> Steps[LLMResponse]:
        """Ask a target with a prompt that is shortened until it is not refused."""
        last: LLMRequest | None = None
        while True:
            try:
                asked = yield from self._shortened(request, target, context, progress)
            except ContextLengthError:
                if not refusals:
                    raise
                break  # a refusal says more than that it cannot be made shorter
            if asked == last:
                break
            last = asked
            if refusals:
                progress.retries += 1
                asked = _numbered(asked, len(refusals))
            try:
                return (yield from ask(asked))
            except ContextLengthError as error:
                if progress.emitted or progress.deadline.passed():
                    raise
                refusals.append(error)
            if len(refusals) == _MOST_REFUSALS:
                break
            yield from call(partial(self._windows.learn, refusals[-1], asked, target))
        self._windows.forget_guess(target)
        raise refusals[-1]

    def _shortened(
        self, request: LLMRequest, target: Target, context: CallContext, progress: Progress
    ) -> Steps[LLMRequest]:
        """Return a request that leaves room for the answer, shortened if need be.

        Raises:
            ContextLengthError: not even what must stay fits.
        """
        room = yield from call(lambda: self._windows.room(request, target))
        if room is None:
            return request
        if self._overflows[progress.position] == "summarize":
            shorter = yield from self._summarized(request, target, room, context, progress)
            if shorter is not None:
                return fitting(request, shorter, target, room)
        asked, note = yield from call(lambda: trimmed(request, target, room))
        tell(context, Notice(note))
        return asked

    def _summarized(
        self,
        request: LLMRequest,
        target: Target,
        room: Room,
        context: CallContext,
        progress: Progress,
    ) -> Steps[Shorter | None]:
        """Return a conversation whose older turns are told in short; `None` when that fails."""
        messages = request.messages
        if room.tokens <= 0:
            return None
        said = tuple(message for message in messages if not is_instruction(message))
        old = _older(messages, room.tokens)
        summary = self._summaries.of(said)
        if summary is None or not summary.suffices(old, messages, room.tokens):
            if not old:
                return None
            new = old if summary is None else old[len(summary.covered) :]
            text, cut = transcript(new, room.tokens)
            if summary is not None:
                text = f"{_SUMMARY.format(text=summary.text)}\n\n{text}"
            if cut:
                what = f"{cut:,} characters of long texts are cut"
                tell(context, Notice(f"For a summary: {room.note(target, what)}"))
            answer = yield from self._summary(text, target, room, context, progress)
            if answer is None:
                return None
            summary = Summary(old, answer)
            self._summaries.keep(summary)
        shorter = summary.shorten(messages, room.tokens)
        done = f"the first {len(summary.covered)} of {len(said)} messages are summarised"
        more = f", {shorter.left_out} are left out" if shorter.left_out else ""
        tell(context, Notice(room.note(target, f"{done}{more}{cut_note(shorter)}")))
        return shorter

    def _summary(
        self, text: str, target: Target, room: Room, context: CallContext, progress: Progress
    ) -> Steps[str | None]:
        """Return the summary that a target makes of a text: in a call of its own, in the books."""
        tokens = min(_SUMMARY_TOKENS, room.window // 4)
        words = max(_LEAST_WORDS, tokens // 2)
        instruction = Message("system", _ASKED_FOR_SUMMARY.format(words=words))
        asked = LLMRequest((instruction, Message("user", text)), max_tokens=tokens)
        call_id, hooks = self._aside()

        def observe(event: Event) -> None:
            if isinstance(event, Notice):
                event = Notice(f"For a summary: {event.text}")
            context.observe(event)

        own = replace(
            context,
            call_id=call_id,
            observe=observe,
            route=[target],
            deadline=progress.deadline.remaining(),
            chosen=lambda position, target: None,
            adapt=lambda position, request: request,
            fit=Shaping(("trim",), self._windows, self._summaries, self._aside),
            hooks=hooks,
        )
        try:
            response = yield from run_call(asked, own)
        except LLMError as error:
            if progress.deadline.passed():
                raise progress.deadline.error(progress.attempts) from error
            reason = str(error)
        else:
            if response.content.strip():
                return response.content.strip()
            reason = "the summary is empty."
        tell(context, Notice(f"{target.spec} did not summarise the conversation: {reason}"))
        return None


def _numbered(request: LLMRequest, number: int) -> LLMRequest:
    """Return a shortened request with an idempotency key of its own.

    Under the same key it could be answered with the refusal of a longer one.
    """
    key = request.idempotency_key
    return request if key is None else replace(request, idempotency_key=f"{key}-shorter-{number}")


def _older(messages: Sequence[Message], room: int) -> tuple[Message, ...]:
    """Return the turns that are to be told in short: all but the newest, which have half the room.

    With the other half free, the next turns need no summary.
    """
    turns = turns_of(messages)
    sizes = [message_tokens(message) for message in messages]
    left = room // 2 - sum(
        size for size, message in zip(sizes, messages, strict=True) if is_instruction(message)
    )
    first = len(turns)
    while first > 0:
        left -= sum(sizes[i] for i in turns[first - 1])
        if left < 0 and first < len(turns):
            break
        first -= 1
    return tuple(messages[i] for turn in turns[:first] for i in turn)
