"""The attempts at one target for an answer that follows a JSON schema.

Owns when such an answer is asked for again: after a refusal of the way of asking, in a weaker way;
after an answer that does not follow the schema, with what is wrong with it. Every time is an attempt
of its own in the books. Never after something was shown to the user.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from ..exceptions import InvalidOutputError, LLMError, ValidationError
from ..policy.structured import (
    Asking,
    Mode,
    asked_again,
    first_mode,
    invalid_output,
    judge,
    mode_after,
    next_mode,
)
from ..types.request import LLMRequest
from ..types.response import LLMResponse, StreamChunk
from ..types.target import Target
from .effects import Steps

if TYPE_CHECKING:
    from .pipeline import Progress

__all__ = ["Reader", "SchemaAttempts"]

Reader = Callable[[Sequence[StreamChunk]], list[StreamChunk]]
"""Makes the chunks that are shown of those that were decoded."""


class _Attempt(Protocol):
    def __call__(
        self,
        request: LLMRequest,
        target: Target,
        read: Reader | None,
        judge: Callable[[LLMResponse], LLMResponse],
    ) -> Steps[LLMResponse]: ...


class SchemaAttempts:
    """Makes attempts at one target until an answer follows the schema."""

    def __init__(
        self,
        request: LLMRequest,
        progress: Progress,
        retries: int,
        attempt: _Attempt,
        say: Callable[[str], None],
    ) -> None:
        """Begin with a target.

        Args:
            request: with a schema.
            progress: of the call; told of every attempt.
            retries: how often an answer that is wrong is asked for again.
            attempt: makes one and books it.
            say: told why another one follows.
        """
        self._request = self._asked = request
        self._progress = progress
        self._retries, self._left = retries, retries
        self._attempt = attempt
        self._say = say
        self._mode: Mode | None = None
        self._rejected: tuple[LLMResponse, list[str]] | None = None

    def __call__(self, target: Target) -> Steps[LLMResponse]:
        """Make attempts; return the answer that follows the schema.

        Raises:
            InvalidOutputError: none did, as often as it may be asked for.
            LLMError: an attempt failed otherwise; the next call goes on from there.
        """
        mode = self._mode = self._mode or first_mode(self._request, target)
        cannot_say: LLMError | None = None
        while True:
            asking = Asking.of(self._asked, mode)
            self._rejected = None
            try:
                return (
                    yield from self._attempt(asking.request, target, asking.reader(), self._judge)
                )
            except LLMError as error:
                if self._progress.emitted or self._progress.deadline.passed():
                    raise
                weaker = next_mode(error, mode, self._request, target)
                if weaker is not None:
                    if _is_ours(error):
                        # Nothing was sent: the dialect has no words for it.
                        cannot_say = cannot_say or error.with_traceback(None)
                    else:
                        self._say(f"{target.spec} refused the JSON schema: {_WAYS[weaker]}.")
                    mode = self._mode = weaker
                elif cannot_say is not None and _is_ours(error):
                    # The last way is no way either: what was asked for is the schema, nothing else.
                    raise cannot_say from None
                elif isinstance(error, InvalidOutputError) and self._may_ask_again(error):
                    mode = self._mode = self._mode_after(mode, target)
                    self._say(
                        f"{target.spec} is asked again ({self._retries - self._left} of "
                        f"{self._retries}): {error}"
                    )
                else:
                    raise
            self._progress.retries += 1

    def _mode_after(self, mode: Mode, target: Target) -> Mode:
        if self._rejected is None:
            return mode
        return mode_after(self._rejected[1], mode, self._request, target)

    def _judge(self, response: LLMResponse) -> LLMResponse:
        """Return an answer with what it means.

        Raises:
            InvalidOutputError: it does not follow the schema.
        """
        judged, problems = judge(response, self._request)
        if problems:
            self._rejected = response, problems
            raise invalid_output(response, problems)
        return judged

    def _may_ask_again(self, error: InvalidOutputError) -> bool:
        """Return whether there is another try, and put what is wrong into it."""
        if self._left == 0:
            return False
        if self._rejected is not None:
            response, problems = self._rejected
            if response.finish_reason == "length":
                return False  # the limit would cut the next one too
            self._asked = asked_again(self._request, response, problems)
        self._left -= 1
        return True


def _is_ours(error: LLMError) -> bool:
    """Return whether a request was refused here, before it was sent."""
    return isinstance(error, ValidationError) and error.status is None


_WAYS: dict[Mode, str] = {
    "tool": "it is asked with a tool instead",
    "prompt": "it is asked in words instead",
}
