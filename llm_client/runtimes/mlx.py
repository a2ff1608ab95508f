"""Any model in MLX's format, run in this process by mlx-lm, as httpx transports for `mlx://` URLs.

Owns the translation between an httpx request and the line to the thread that runs the model. It
exists so that the engine treats an embedded model like any other endpoint: it speaks OpenAI Chat
Completions, as `mlx_lm.server` does, without a port and without a second process.

    POST mlx://local/v1/chat/completions    "model" is the path of a model's directory
    GET  mlx://local/v1/models              the model in memory, and the one that MLX_MODEL_PATH names
    GET  mlx://local/health                 {"status": "ok"}

Closing a response early, an exception while it is read, a cancelled task and dropping it hang up:
the model stops at its next word, or after the portion of the prompt that it is at. It refuses to
download models.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from queue import Empty
from typing import Any

from llm_client.engine.transport.httpx_import import httpx
from llm_client.engine.transport.incoming import Patience, failing_as_httpx
from llm_client.engine.transport.outgoing import Waits
from llm_client.providers.catalog import find_provider
from llm_client.runtimes.mlx_line import Begin, Item, Line
from llm_client.runtimes.mlx_models import ask, check_installed, error_body, loaded_path
from llm_client.runtimes.mlx_request import ChatRequest, Refused, read_request

__all__ = ["AsyncMLXTransport", "MLXTransport"]


class MLXTransport(httpx.BaseTransport):
    """Runs MLX models for an `httpx.Client`. Safe to use from several threads."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, loading its model if need be; the body streams.

        Raises:
            ConfigurationError: mlx-lm is not installed.
            httpx.TransportError: a wait ran out.
        """
        job = _job_or_answer(request, request.read())
        if isinstance(job, httpx.Response):
            return job
        return _SyncAnswer(job, _patience(request)).begin()


class AsyncMLXTransport(httpx.AsyncBaseTransport):
    """Runs MLX models for an `httpx.AsyncClient` on asyncio; the model is that of `MLXTransport`."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; see `MLXTransport.handle_request`."""
        job = _job_or_answer(request, await request.aread())
        if isinstance(job, httpx.Response):
            return job
        return await _AsyncAnswer(job, _patience(request)).begin()


class _Answer:
    """What both kinds of answer share: the line, and hanging up."""

    _line: Line

    def __init__(self, patience: Patience) -> None:
        self._patience = patience

    def limit(self, seconds: float | None) -> None:
        """Bound the next piece by `seconds` from now; see `exchange`."""
        self._patience.limit(seconds)

    def __del__(self) -> None:
        line = getattr(self, "_line", None)
        if line is not None:
            line.hang_up()


class _SyncAnswer(_Answer, httpx.SyncByteStream):
    """One answer for a thread that may wait."""

    def __init__(self, job: ChatRequest, patience: Patience) -> None:
        super().__init__(patience)
        self._line = ask(job)

    def begin(self) -> httpx.Response:
        """Wait for the head of the answer."""
        with failing_as_httpx(self.close):
            return _response(self._receive(), self)

    def __iter__(self) -> Iterator[bytes]:
        with failing_as_httpx(self.close):
            while isinstance(item := self._receive(), bytes):
                self._patience.body_came()
                yield item

    def close(self) -> None:
        self._line.hang_up()

    def _receive(self) -> Item:
        try:
            return _received(self._line.items.get(timeout=self._patience.patience()))
        except Empty:
            raise TimeoutError from None


class _AsyncAnswer(_Answer, httpx.AsyncByteStream):
    """One answer for the running event loop."""

    def __init__(self, job: ChatRequest, patience: Patience) -> None:
        import asyncio

        super().__init__(patience)
        self._timeout = asyncio.timeout
        self._news = asyncio.Event()
        loop = asyncio.get_running_loop()
        # Not a method of this object: the line must not keep an answer alive that nobody reads.
        news = self._news
        self._line = ask(job, wake=lambda: loop.call_soon_threadsafe(news.set))

    async def begin(self) -> httpx.Response:
        """Wait for the head of the answer."""
        with failing_as_httpx(self._line.hang_up):
            return _response(await self._receive(), self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with failing_as_httpx(self._line.hang_up):
            while isinstance(item := await self._receive(), bytes):
                self._patience.body_came()
                yield item

    async def aclose(self) -> None:
        self._line.hang_up()

    async def _receive(self) -> Item:
        async with self._timeout(self._patience.patience()):
            while True:
                # Cleared first: what comes after that sets it again.
                self._news.clear()
                try:
                    return _received(self._line.items.get_nowait())
                except Empty:
                    await self._news.wait()


def _received(item: Item) -> Item:
    if isinstance(item, Exception):
        raise item
    return item


def _response(item: Item, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> httpx.Response:
    assert isinstance(item, Begin)
    return httpx.Response(item.status, headers={"content-type": item.content_type}, stream=stream)


def _patience(request: httpx.Request) -> Patience:
    """Return the waits of a request, from now on."""
    patience = Patience(Waits.of_extension(request.extensions.get("timeout", {})))
    patience.request_sent()
    return patience


def _job_or_answer(request: httpx.Request, body: bytes) -> ChatRequest | httpx.Response:
    """Return what a model is asked, or the answer to what needs none."""
    try:
        match request.method, request.url.path:
            case "GET", "/health":
                check_installed()
                return httpx.Response(200, json={"status": "ok"})
            case "GET", "/v1/models":
                return httpx.Response(200, json={"object": "list", "data": _model_list()})
            case "POST", "/v1/chat/completions":
                return read_request(body)
            case method, path:
                message = f"MLX in this process has nothing at {method} {path}."
                raise Refused(message, status=404, code="not_found")
    except Refused as error:
        return httpx.Response(
            error.status,
            headers={"content-type": "application/json"},
            content=error_body(error),
        )


def _model_list() -> list[dict[str, Any]]:
    named = (os.environ.get(name) for name in find_provider("mlx").model_env)
    paths = dict.fromkeys(path for path in (loaded_path(), *named) if path)
    return [{"id": path, "object": "model", "owned_by": "mlx"} for path in paths]
