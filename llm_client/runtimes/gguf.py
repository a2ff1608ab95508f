"""Any GGUF file, run in this process by llama.cpp, as httpx transports for `gguf://` URLs.

Owns the translation between an httpx request and the line to a loaded model. It exists so that the
engine treats an embedded model like any other endpoint. The bytes of an answer are llama.cpp's own:
streams, usage, tool calls, JSON schemas and errors are those of its HTTP server.

    POST gguf://embedded/v1/chat/completions    "model" is the path of a .gguf file, or "demo"
    GET  gguf://embedded/v1/models              the demo model and the models in memory
    GET  gguf://embedded/health                 {"status": "ok"}

Any other POST path that llama.cpp knows works too. Closing a response early, an exception while it
is read and a cancelled task hang up, upon which llama.cpp stops generating. It refuses to download
models.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from llm_client.engine.transport.httpx_import import httpx
from llm_client.engine.transport.incoming import Incoming, failing_as_httpx
from llm_client.engine.transport.outgoing import Outgoing, response_of
from llm_client.runtimes.gguf_models import (
    DEMO,
    LoadedModel,
    ModelUnavailable,
    find_loaded,
    load_model,
    loaded_models,
    require_llama_cpp,
)

__all__ = ["AsyncGGUFTransport", "GGUFTransport"]

MAX_CONTEXT_TOKENS = 8192
"""The context that is asked for: all that a model allows may not fit in memory."""
LONGEST_TOKEN_BYTES = 256
"""More than any token of a known vocabulary. A request longer than a whole context of those is refused
before llama.cpp reads it, which would take it 80 bytes of memory a byte (seen with xllamacpp 2026.10)."""
RECEIVE_BYTES = 64 * 1024
CONNECT_AGAIN_SECONDS = 0.001
"""Pause before connecting again when the server's queue of new connections is full."""


class GGUFTransport(httpx.BaseTransport):
    """Runs GGUF files for an `httpx.Client`. Safe to use from several threads."""

    def __init__(
        self, *, n_ctx: int = MAX_CONTEXT_TOKENS, demo_directory: Path | None = None
    ) -> None:
        """Make a transport; nothing is loaded before the first request that names a model.

        Args:
            n_ctx: context in tokens of the request that runs; llama.cpp lowers it
                to what the model was trained for.
            demo_directory: where the demo model's file is kept; `None` is the user's cache.
        """
        self._n_ctx = n_ctx
        self._demo_directory = demo_directory

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, loading its model if need be; the body streams.

        Raises:
            ConfigurationError: the extra is not installed.
            httpx.TransportError: a wait ran out, or the model was unloaded meanwhile.
        """
        job = _job_or_answer(request, request.read(), self._n_ctx)
        if isinstance(job, httpx.Response):
            return job
        try:
            model = load_model(job.model, n_ctx=self._n_ctx, demo_directory=self._demo_directory)
        except ModelUnavailable as error:
            return _error(error)
        return _SyncAnswer(model, _outgoing(request, job, model)).begin()


class AsyncGGUFTransport(httpx.AsyncBaseTransport):
    """Runs GGUF files for an `httpx.AsyncClient` on asyncio, sharing models with `GGUFTransport`."""

    def __init__(
        self, *, n_ctx: int = MAX_CONTEXT_TOKENS, demo_directory: Path | None = None
    ) -> None:
        """Make a transport; see `GGUFTransport`."""
        self._n_ctx = n_ctx
        self._demo_directory = demo_directory

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; see `GGUFTransport.handle_request`."""
        job = _job_or_answer(request, await request.aread(), self._n_ctx)
        if isinstance(job, httpx.Response):
            return job
        try:
            model = find_loaded(job.model, n_ctx=self._n_ctx) or await self._load(job.model)
        except ModelUnavailable as error:
            return _error(error)
        return await _AsyncAnswer(model, _outgoing(request, job, model)).begin()

    async def _load(self, name: str) -> LoadedModel:
        import asyncio

        return await asyncio.to_thread(
            load_model, name, n_ctx=self._n_ctx, demo_directory=self._demo_directory
        )


class _Job(NamedTuple):
    """A request for a model."""

    model: str
    body: bytes


class _SyncAnswer(httpx.SyncByteStream):
    """One exchange with a loaded model, on a blocking socket."""

    def __init__(self, model: LoadedModel, outgoing: Outgoing) -> None:
        self._model = model
        self._outgoing = outgoing
        self._incoming = Incoming(outgoing.method, outgoing.waits)
        self._socket = model.connection()
        self._first = b""

    def begin(self) -> httpx.Response:
        """Send the request and wait for the head of the answer."""
        with failing_as_httpx(self.close):
            self._socket.settimeout(self._outgoing.waits.within(None))
            self._socket.connect(self._model.address)
            for piece in self._outgoing.pieces:
                self._socket.sendall(piece)
            self._incoming.request_sent()
            while self._incoming.reader.head is None:
                self._first = self._receive()
        return response_of(self._incoming.reader.head, self)

    def __iter__(self) -> Iterator[bytes]:
        with failing_as_httpx(self.close):
            piece = self._first
            while True:
                if piece:
                    yield piece
                if self._incoming.reader.complete:
                    break
                piece = self._receive()
        self.close()

    def limit(self, seconds: float | None) -> None:
        """Bound the next piece by `seconds` from now; see `exchange`."""
        self._incoming.limit(seconds)

    def close(self) -> None:
        self._model.hang_up(self._socket)

    def _receive(self) -> bytes:
        self._socket.settimeout(self._incoming.patience())
        return self._incoming.take(self._socket.recv(RECEIVE_BYTES))


class _AsyncAnswer(httpx.AsyncByteStream):
    """One exchange with a loaded model, on the running event loop."""

    def __init__(self, model: LoadedModel, outgoing: Outgoing) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout
        self._sleep = asyncio.sleep
        self._model = model
        self._outgoing = outgoing
        self._incoming = Incoming(outgoing.method, outgoing.waits)
        self._socket = model.connection()
        self._socket.setblocking(False)
        self._first = b""

    async def begin(self) -> httpx.Response:
        """Send the request and wait for the head of the answer."""
        with failing_as_httpx(self._hang_up):
            async with self._timeout(self._outgoing.waits.within(None)):
                await self._connect()
                for piece in self._outgoing.pieces:
                    await self._loop.sock_sendall(self._socket, piece)
            self._incoming.request_sent()
            while self._incoming.reader.head is None:
                self._first = await self._receive()
        return response_of(self._incoming.reader.head, self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with failing_as_httpx(self._hang_up):
            piece = self._first
            while True:
                if piece:
                    yield piece
                if self._incoming.reader.complete:
                    break
                piece = await self._receive()
        self._hang_up()

    def limit(self, seconds: float | None) -> None:
        """Bound the next piece by `seconds` from now; see `exchange`."""
        self._incoming.limit(seconds)

    async def aclose(self) -> None:
        self._hang_up()

    def _hang_up(self) -> None:
        self._model.hang_up(self._socket)

    async def _connect(self) -> None:
        if self._socket.family == socket.AF_INET:
            await self._loop.sock_connect(self._socket, self._model.address)
            return
        # A Unix socket whose queue is full says "try again" without ever telling when.
        while True:
            try:
                self._socket.connect(self._model.address)
            except BlockingIOError:
                await self._sleep(CONNECT_AGAIN_SECONDS)
            else:
                return

    async def _receive(self) -> bytes:
        async with self._timeout(self._incoming.patience()):
            data = await self._loop.sock_recv(self._socket, RECEIVE_BYTES)
        return self._incoming.take(data)


def _job_or_answer(request: httpx.Request, body: bytes, n_ctx: int) -> _Job | httpx.Response:
    """Answer what needs no model, or say which model a request is for."""
    require_llama_cpp()
    match request.method, request.url.path:
        case "GET", "/health":
            return httpx.Response(200, json={"status": "ok"})
        case "GET", "/v1/models":
            return httpx.Response(200, json={"object": "list", "data": _model_list()})
        case "POST", _:
            return _job(body, n_ctx)
        case method, path:
            message = f"The embedded runtime has nothing at {method} {path}."
            return _error(ModelUnavailable(404, "not_found", message))


def _job(body: bytes, n_ctx: int) -> _Job | httpx.Response:
    if len(body) > n_ctx * LONGEST_TOKEN_BYTES:
        message = (
            f"a request of {len(body)} bytes exceeds the available context size ({n_ctx} tokens)"
        )
        return _error(ModelUnavailable(400, "exceed_context_size_error", message))
    try:
        fields = json.loads(body)
    except ValueError as error:
        return _error(ModelUnavailable(400, "invalid_json", f"The body is not JSON: {error}."))
    model = fields.get("model") if isinstance(fields, dict) else None
    if not isinstance(model, str) or not model:
        message = "The body needs a field 'model': the path of a .gguf file, or 'demo'."
        return _error(ModelUnavailable(400, "missing_model", message))
    return _Job(model, body)


def _outgoing(request: httpx.Request, job: _Job, model: LoadedModel) -> Outgoing:
    """Return the request as it goes to the model's own server."""
    inner = httpx.Request(
        request.method,
        httpx.URL(scheme="http", host="localhost", raw_path=request.url.raw_path),
        headers={
            "Authorization": f"Bearer {model.key}",
            "Content-Type": "application/json",
            "Connection": "close",
        },
        content=job.body,
        extensions=request.extensions,
    )
    return Outgoing.of(inner, job.body)


def _model_list() -> list[dict[str, Any]]:
    names = dict.fromkeys([DEMO, *(model.name for model in loaded_models())])
    return [{"id": name, "object": "model", "owned_by": "llama.cpp"} for name in names]


def _error(error: ModelUnavailable) -> httpx.Response:
    """Say it as OpenAI would."""
    return httpx.Response(
        error.status,
        json={
            "error": {
                "message": error.message,
                "type": "invalid_request_error",
                "code": error.code,
            }
        },
    )
