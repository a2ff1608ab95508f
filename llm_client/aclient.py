"""`AsyncLLMClient`: the library's asyncio face. Signatures and a driver call; no logic."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from .calls import Calls
from .engine.drivers import AsyncDriver, Held
from .engine.session import Stats
from .exceptions import LLMError
from .types.config import LLMConfig
from .types.events import Observer
from .types.http import HttpRequest
from .types.request import Prompt, RequestOptions
from .types.response import LLMResponse, StreamChunk
from .types.target import Target

if TYPE_CHECKING:
    from .types.embedding import EmbeddingResponse, EmbedOptions
    from .types.health import HealthReport
    from .types.models import ModelInfo
    from .types.usage import UsageFilters, UsageKey, UsageReport

__all__ = ["AsyncLLMClient", "AsyncStream"]


class AsyncStream:
    """A streamed answer: iterate it for `StreamChunk`s; `.response` is whole at the end.

    Use it as an async context manager: leaving it early closes the connection at once.
    """

    def __init__(
        self, chunks: Callable[[Held[LLMResponse]], AsyncGenerator[StreamChunk, None]]
    ) -> None:
        self._held: Held[LLMResponse] = Held()
        self._chunks = chunks(self._held)

    def __aiter__(self) -> AsyncIterator[StreamChunk]:
        return self._chunks

    async def __anext__(self) -> StreamChunk:
        return await anext(self._chunks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, Exception | GeneratorExit):
            await self.close()
            return
        try:
            # A cancellation between two chunks is one all the same: the reader did not just leave.
            await self._chunks.athrow(error)
        except BaseException as raised:
            if raised is not error:
                raise

    async def close(self) -> None:
        """Stop listening: hang up, and book what was used so far. Idempotent."""
        await self._chunks.aclose()

    @property
    def response(self) -> LLMResponse:
        """The whole answer.

        Raises:
            LLMError: the stream is not at its end.
        """
        if not hasattr(self._held, "value"):
            raise LLMError("The answer is not complete: read the stream to its end first.")
        return self._held.value


class AsyncLLMClient:
    """Asks one route of models, on asyncio. Same names and arguments as `LLMClient`."""

    def __init__(
        self,
        config: LLMConfig | str | None = None,
        *,
        profile: str | None = None,
        config_path: str | Path | None = None,
        observe: Observer | None = None,
        environ: Mapping[str, str] = os.environ,
        **defaults: Unpack[RequestOptions],
    ) -> None:
        """Make a client, exactly as `LLMClient` is made; nothing is sent yet.

        Finding its key may wait for the keyring or a command: where an event loop must not, make it
        in a thread, `await asyncio.to_thread(AsyncLLMClient, …)`.

        Raises:
            ConfigurationError: a bad setting, an unknown provider, no key.
        """
        self._calls = Calls(
            config,
            profile=profile,
            config_path=config_path,
            observe=observe,
            defaults=defaults,
            environ=environ,
        )
        self._driver = AsyncDriver()

    async def generate(self, prompt: Prompt, **options: Unpack[RequestOptions]) -> LLMResponse:
        """Return the answer to a text, messages, an `LLMRequest` or a dictionary of its fields.

        Raises:
            LLMError: see `llm_client.exceptions` for the whole tree.
        """
        return await self._driver.run(self._calls.call(prompt, stream=False, options=options))

    chat = generate
    """`generate` under the name for a list of messages."""
    complete = generate
    """`generate` under the name that other clients use."""

    async def completion(self, prompt: str, **options: Unpack[RequestOptions]) -> LLMResponse:
        """Return what follows a text, without a conversation: OpenAI's legacy text completion.

        Many local servers have it, few providers. With `suffix` it fills the gap between the two.
        `logprobs` and the like go through `extra_body`.

        Raises:
            ValidationError: an option that only a conversation can have, such as `system`.
            LLMError: see `llm_client.exceptions` for the whole tree.
        """
        return await self._driver.run(self._calls.completion(prompt, options))

    def stream(self, prompt: Prompt, **options: Unpack[RequestOptions]) -> AsyncStream:
        """Return the answer as it comes. Nothing is sent before the first chunk is asked for.

        Raises:
            LLMError: here for a request that is wrong in itself, else while iterating.
        """
        steps = self._calls.call(prompt, stream=True, options=options)
        return AsyncStream(lambda held: self._driver.iterate(steps, held))

    def preview(
        self, prompt: Prompt, *, stream: bool = True, **options: Unpack[RequestOptions]
    ) -> HttpRequest:
        """Return the request that would go to the first choice; nothing is sent.

        Raises:
            ValidationError: the request is wrong in itself.
        """
        return self._calls.preview(prompt, stream=stream, options=options)

    @property
    def target(self) -> Target:
        """The first choice of this client's route."""
        return self._calls.target

    @property
    def reason(self) -> str:
        """Why the first choice was chosen; empty when the configuration names it."""
        return self._calls.reason

    async def embed(
        self, texts: str | Iterable[str], **options: Unpack[EmbedOptions]
    ) -> EmbeddingResponse:
        """Return one vector for each text, in their order.

        Name an embedding model with `model=`, else this client's own is asked. A long list is sent
        in as many requests as the provider wants. There is no fallback: vectors of two models do
        not mix.

        Raises:
            ConfigurationError: the provider has no embeddings.
            LLMError: one of the requests failed; the vectors of the others are lost.
        """
        return await self._driver.run(self._calls.embed(texts, options))

    async def list_models(
        self, provider: str | None = None, use_cache: bool = True
    ) -> list[ModelInfo]:
        """Return the models of a provider, this client's own by default.

        Raises:
            LLMError: the provider does not answer, or lists no models.
        """
        return await self._driver.run(self._calls.list_models(provider, use_cache=use_cache))

    async def invalidate_cache(self) -> None:
        """Forget every cached model list."""
        await self._driver.run(self._calls.invalidate_cache())

    async def health_check(
        self, provider: str | None = None, *, timeout: float | None = None
    ) -> HealthReport:
        """Return how a provider is, as `LLMClient.health_check` does."""
        return await self._driver.run(self._calls.health(provider, timeout))

    def set_fallback_chain(self, chain: Sequence[str | LLMConfig]) -> None:
        """Replace what comes after the first choice: profiles, model specs or configurations."""
        self._calls.set_fallback_chain(chain)

    async def get_usage(
        self, by: UsageKey | None = None, **filters: Unpack[UsageFilters]
    ) -> UsageReport:
        """Return what was used as the ledger has it: by every process of the user, in any session.

        Args:
            by: what to group by; without it there is only a total.
            filters: what counts; without one everything does.

        Raises:
            ValidationError: there is no such group, filter or time.
            LLMError: the ledger cannot be read.
        """
        return await self._driver.run(self._calls.get_usage(by, filters))

    async def reset_usage(self) -> int:
        """Delete every attempt from the ledger, also those of others; return how many.

        What was spent is forgotten too: budgets begin anew.

        Raises:
            LLMError: the ledger cannot be written.
        """
        return await self._driver.run(self._calls.reset_usage())

    def get_stats(self) -> Stats:
        """Return this client's totals."""
        return self._calls.stats()

    def reset_stats(self) -> None:
        """Start this client's totals from zero."""
        self._calls.session.reset()

    def get_last_response(self) -> LLMResponse | None:
        """Return the answer of the last call that was answered."""
        return self._calls.session.last_response

    def get_request_count(self) -> int:
        """Return the HTTP requests made so far, retries and failures too."""
        return self._calls.session.request_count

    async def reset_session(self) -> None:
        """Drop every connection; the next call opens new ones."""
        await self._driver.close()

    async def close(self) -> None:
        """Close every connection, and the ledger. Idempotent; the client can be used again."""
        await self._driver.close()
        self._calls.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
