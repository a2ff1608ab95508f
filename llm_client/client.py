"""`LLMClient`: the library's sync face. Signatures and a driver call; no logic."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from .calls import Calls
from .engine.drivers import Held, SyncDriver
from .engine.effects import Steps
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

__all__ = ["LLMClient", "Stream"]


class Stream:
    """A streamed answer: iterate it for `StreamChunk`s; `.response` is whole at the end.

    Use it as a context manager: leaving it early closes the connection at once.
    """

    def __init__(self, chunks: Callable[[], Generator[StreamChunk, None, LLMResponse]]) -> None:
        self._held: Held[LLMResponse] = Held()
        self._chunks = _keep_response(chunks, self._held)

    def __iter__(self) -> Iterator[StreamChunk]:
        return self._chunks

    def __next__(self) -> StreamChunk:
        return next(self._chunks)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, Exception | GeneratorExit):
            self.close()
            return
        try:
            # Ctrl-C between two chunks is one all the same: the reader did not just leave.
            self._chunks.throw(error)
        except BaseException as raised:
            if raised is not error:
                raise

    def close(self) -> None:
        """Stop listening: hang up, and book what was used so far. Idempotent."""
        self._chunks.close()

    @property
    def response(self) -> LLMResponse:
        """The whole answer.

        Raises:
            LLMError: the stream is not at its end.
        """
        if not hasattr(self._held, "value"):
            raise LLMError("The answer is not complete: read the stream to its end first.")
        return self._held.value


def _keep_response(
    chunks: Callable[[], Generator[StreamChunk, None, LLMResponse]], held: Held[LLMResponse]
) -> Generator[StreamChunk, None, None]:
    # No method: a generator that knows its stream is a cycle, and a stream that is dropped in the
    # middle would go on until the garbage collector comes by.
    held.value = yield from chunks()


class LLMClient:
    """Asks one route of models, blocking.

    Safe to share between threads; a client keeps its connections until `close()`.
    """

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
        """Make a client; nothing is sent yet.

        Args:
            config: an `LLMConfig`, a model spec such as `ollama/llama3.2`, or nothing: the
                configuration's default profile, else what is found on this machine.
            profile: a profile of the configuration.
            config_path: a configuration file other than the usual one.
            observe: told of every attempt, retry and fallback; must not block.
            environ: where variables are looked for.
            defaults: options of every call, unless the call says otherwise.

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
        self._driver = SyncDriver()

    def generate(self, prompt: Prompt, **options: Unpack[RequestOptions]) -> LLMResponse:
        """Return the answer to a text, messages, an `LLMRequest` or a dictionary of its fields.

        Raises:
            LLMError: see `llm_client.exceptions` for the whole tree.
        """
        return self._driver.run(self._calls.call(prompt, stream=False, options=options))

    chat = generate
    """`generate` under the name for a list of messages."""
    complete = generate
    """`generate` under the name that other clients use."""

    def completion(self, prompt: str, **options: Unpack[RequestOptions]) -> LLMResponse:
        """Return what follows a text, without a conversation: OpenAI's legacy text completion.

        Many local servers have it, few providers. With `suffix` it fills the gap between the two.
        `logprobs` and the like go through `extra_body`.

        Raises:
            ValidationError: an option that only a conversation can have, such as `system`.
            LLMError: see `llm_client.exceptions` for the whole tree.
        """
        return self._driver.run(self._calls.completion(prompt, options))

    def stream(self, prompt: Prompt, **options: Unpack[RequestOptions]) -> Stream:
        """Return the answer as it comes. Nothing is sent before the first chunk is asked for.

        Raises:
            LLMError: here for a request that is wrong in itself, else while iterating.
        """
        steps: Steps[LLMResponse] = self._calls.call(prompt, stream=True, options=options)
        return Stream(lambda: self._driver.iterate(steps))

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

    def embed(
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
        return self._driver.run(self._calls.embed(texts, options))

    def list_models(self, provider: str | None = None, use_cache: bool = True) -> list[ModelInfo]:
        """Return the models of a provider, this client's own by default.

        Raises:
            LLMError: the provider does not answer, or lists no models.
        """
        return self._driver.run(self._calls.list_models(provider, use_cache=use_cache))

    def invalidate_cache(self) -> None:
        """Forget every cached model list."""
        self._driver.run(self._calls.invalidate_cache())

    def health_check(
        self, provider: str | None = None, *, timeout: float | None = None
    ) -> HealthReport:
        """Return how a provider is; true in a boolean context when it is healthy.

        Nothing is generated, and nothing billed. Models that this client or the configuration name
        for the provider have to be there.

        Args:
            provider: this client's own by default.
            timeout: seconds for the whole check; 5 by default.

        Raises:
            ConfigurationError: no such provider, or no key for it. A dead one is a report.
            ValidationError: the timeout is none.
        """
        return self._driver.run(self._calls.health(provider, timeout))

    def set_fallback_chain(self, chain: Sequence[str | LLMConfig]) -> None:
        """Replace what comes after the first choice: profiles, model specs or configurations."""
        self._calls.set_fallback_chain(chain)

    def get_usage(self, by: UsageKey | None = None, **filters: Unpack[UsageFilters]) -> UsageReport:
        """Return what was used as the ledger has it: by every process of the user, in any session.

        Args:
            by: what to group by; without it there is only a total.
            filters: what counts; without one everything does.

        Raises:
            ValidationError: there is no such group, filter or time.
            LLMError: the ledger cannot be read.
        """
        return self._driver.run(self._calls.get_usage(by, filters))

    def reset_usage(self) -> int:
        """Delete every attempt from the ledger, also those of others; return how many.

        What was spent is forgotten too: budgets begin anew.

        Raises:
            LLMError: the ledger cannot be written.
        """
        return self._driver.run(self._calls.reset_usage())

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

    def reset_session(self) -> None:
        """Drop every connection; the next call opens new ones."""
        self._driver.close()

    def close(self) -> None:
        """Close every connection, and the ledger. Idempotent; the client can be used again."""
        self._driver.close()
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
