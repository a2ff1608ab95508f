"""What a dialect is to the engine.

A dialect is pure: it turns a request into bytes for the wire and bytes from the wire into chunks
and errors. Optional abilities are separate protocols, so that a dialect states what it can do by
having the method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from ..exceptions import LLMError
from ..types.http import Head, HttpRequest
from ..types.request import LLMRequest
from ..types.response import StreamChunk, Usage
from ..types.target import Target

if TYPE_CHECKING:
    from ..types.embedding import EmbeddingRequest, Vectors
    from ..types.models import ModelPage

__all__ = ["Dialect", "EmbedLimits", "Embeds", "ListsModels", "SaysUnasked", "StreamDecoder"]


class StreamDecoder(Protocol):
    """Turns the bytes of one streamed answer into chunks. The chunks do not depend on the cuts."""

    done: bool
    """Whether the answer is known to be over; what the server still sends does not matter."""
    usage: Usage | None
    """What was reported so far, for the books of an answer that is cut."""

    def feed(self, data: bytes) -> list[StreamChunk]:
        """Take the next bytes; return what they complete. An error is a chunk with `.error`."""
        ...

    def end(self) -> list[StreamChunk]:
        """Take the end of the stream; the last chunk has `.error` when the answer was cut."""
        ...


class Dialect(Protocol):
    """One wire format, both directions."""

    def encode(self, request: LLMRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire.

        Raises:
            ValidationError: the dialect cannot say something that the request asks for.
        """
        ...

    def decode(self, body: bytes, target: Target) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole; the last has `.is_done` or `.error`."""
        ...

    def decoder(self, target: Target) -> StreamDecoder:
        """Return a decoder for one streamed answer."""
        ...

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        ...


@runtime_checkable
class ListsModels(Protocol):
    """A dialect that can ask which models there are."""

    def encode_models(self, target: Target, page: str | None = None) -> HttpRequest:
        """Return the request for the model list, or for its next part.

        Args:
            target: who is asked; its model does not matter.
            page: `next` of the part before.
        """
        ...

    def decode_models(self, body: bytes, target: Target) -> ModelPage:
        """Return the models that an answer lists.

        Raises:
            LLMServiceError: the answer is no model list.
        """
        ...


@runtime_checkable
class SaysUnasked(Protocol):
    """A dialect that says more than it is asked to, and can leave it out."""

    unasked_fields: tuple[str, ...]
    """Names of what it leaves out when they are among `Quirks.omits`."""


class EmbedLimits(NamedTuple):
    """How much goes into one embedding request."""

    texts: int
    size: int | None = None
    """The most UTF-8 of all texts together, in bytes; `None` is no limit."""


class Embeds(Protocol):
    """The part of a wire format that turns texts into vectors, an object of its own."""

    def limits(self, target: Target) -> EmbedLimits:
        """Return how much goes into one request."""
        ...

    def encode_embeddings(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire.

        Raises:
            ValidationError: it cannot say something that is asked for.
        """
        ...

    def decode_embeddings(self, body: bytes, target: Target) -> Vectors:
        """Return the vectors of an answer.

        Raises:
            LLMError: the answer is an error, or has none.
        """
        ...

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        ...
