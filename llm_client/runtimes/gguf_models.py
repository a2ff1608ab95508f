"""The GGUF models that are loaded in this process, and the private line to each of them.

Owns loading (once for each file, whatever the number of clients and threads), the address at which
llama.cpp answers, and unloading in an order that does not crash. It exists apart from the
transports because models outlive them: loading takes from milliseconds to a minute, so a model stays
until `unload_models` or the end of the process. It knows nothing of httpx and does no HTTP.

Why a private socket: `xllamacpp` starts llama.cpp's HTTP server for every model. Its direct calls can
be stopped only where they call back, between two tokens of a stream: neither a long prompt nor an
answer that is not streamed can be cancelled, and a call that is under way when the interpreter ends
crashes it (exit 134 or 139, seen with xllamacpp 2026.10). Hanging up on the server's own socket
cancels all of them: a stream within 5 ms, a prompt after the batch it is at, an answer that is not
streamed within a second (but not before its end while another request streams from the same model).
So no port is opened: the server listens on an abstract Unix socket (Linux)
or on one in a directory of its own (other Unix), under a random name and with a random key. Only
where Python has no Unix sockets (Windows) is it a port of the loopback, with the key.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import socket
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from llm_client.exceptions import ConfigurationError
from llm_client.runtimes.demo_model import ensure_demo_model
from llm_client.runtimes.gguf_file import MAGIC

__all__ = [
    "DEMO",
    "LoadedModel",
    "ModelUnavailable",
    "find_loaded",
    "load_model",
    "loaded_models",
    "require_llama_cpp",
    "unload_models",
]

DEMO = "demo"
"""Name of the demo model, where another model is named by its path."""
PARALLEL_REQUESTS = 1
"""Requests that llama.cpp works on at once; more wait their turn. Several would share one context,
and when it is full all of them fail (seen with xllamacpp 2026.10), or take the memory of one each."""
SINGLE_THREAD_BYTES = 32 * 1024 * 1024
"""Up to this size of file, one thread is best: the work of a token is shorter than the wait for the
other threads, which takes seconds where all cores are busy (seen with xllamacpp 2026.10)."""

_ABSTRACT_NAMES: bool = sys.platform == "linux"
_UNIX_SOCKETS: bool = hasattr(socket, "AF_UNIX")


class ModelUnavailable(Exception):
    """The model cannot be used, told as an HTTP answer would tell it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Address:
    """Where one model's server listens."""

    listen_on: str
    """The name as llama.cpp takes it."""
    family: socket.AddressFamily
    connect_to: str | tuple[str, int] | None
    """The address as `socket.connect` takes it; `None` when llama.cpp chooses the port."""
    directory: str | None = None
    """Made for the socket and removed with it; `None` when nothing is on disk."""


class LoadedModel:
    """One model in memory, with the connections to it."""

    def __init__(self, name: str, path: Path, *, n_ctx: int) -> None:
        """Load a file.

        Args:
            name: what requests call it.
            path: a GGUF file.
            n_ctx: size of the context in tokens; llama.cpp lowers it to what the model was trained for.

        Raises:
            ModelUnavailable: llama.cpp cannot load the file.
        """
        self.name = name
        self.key = os.urandom(16).hex()
        self._address = _private_address()
        self._connections: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._process = os.getpid()
        try:
            self._server: Any = _start_server(name, path, n_ctx, self.key, self._address)
        except BaseException:
            self._remove_directory()
            raise
        self._connect_to = self._address.connect_to or _bound_port(self._server)

    def connection(self) -> socket.socket:
        """Return a socket for one exchange, not connected yet; hang up with `hang_up`."""
        connection = socket.socket(self._address.family, socket.SOCK_STREAM)
        with self._lock:
            self._connections.add(connection)
        return connection

    @property
    def address(self) -> str | tuple[str, int]:
        """What a connection connects to."""
        return self._connect_to

    def hang_up(self, connection: socket.socket) -> None:
        """Close a connection; llama.cpp stops working on its request. Does nothing twice."""
        with self._lock:
            self._connections.discard(connection)
        # The shutdown wakes a thread that reads; in a forked child it would cut the parent off.
        if self._process == os.getpid():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def unload(self) -> None:
        """Cancel what runs and free the memory.

        The connections go first: llama.cpp waits for its HTTP threads when it is destroyed, and with
        a stream open that wait lasts 30 s (seen with xllamacpp 2026.10). They are shut down rather
        than closed, so that a thread that reads one wakes up, and its number is not given to another
        file meanwhile.
        """
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server = None
        self._remove_directory()

    def abandon(self) -> None:
        """Forget the model in a forked child, where its threads do not exist.

        Destroying it would wait for them for ever, so one reference is never given back. (Such a
        child must still leave by `os._exit`, as those of multiprocessing do: the static destructors
        of llama.cpp abort it otherwise, seen with xllamacpp 2026.10.)
        """
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._server))

    def _remove_directory(self) -> None:
        if self._address.directory is not None:
            shutil.rmtree(self._address.directory, ignore_errors=True)


_lock = threading.Lock()
_models: dict[tuple[str, int], LoadedModel] = {}


def find_loaded(name: str, *, n_ctx: int) -> LoadedModel | None:
    """Return a model that is in memory; see `load_model`."""
    return _models.get(_key(name, n_ctx))


def load_model(name: str, *, n_ctx: int, demo_directory: Path | None = None) -> LoadedModel:
    """Return a model, loading it unless it is in memory already.

    While llama.cpp loads, `xllamacpp` holds the interpreter's lock: other threads stand still too.

    Args:
        name: `demo`, or the path of a GGUF file.
        n_ctx: size of the context in tokens, at most.
        demo_directory: where the demo model's file is kept; `None` is the user's cache.

    Raises:
        ConfigurationError: the extra is not installed.
        ModelUnavailable: there is no such file, or it cannot be loaded.
    """
    key = _key(name, n_ctx)
    if key in _models:
        return _models[key]
    with _lock:
        if key not in _models:
            with _model_file(key[0], demo_directory) as path:
                _models[key] = LoadedModel(name, path, n_ctx=n_ctx)
        return _models[key]


def loaded_models() -> list[LoadedModel]:
    """Return the models in memory, the oldest first."""
    return list(_models.values())


def unload_models() -> None:
    """Cancel what runs and free all models. Runs by itself when the interpreter ends.

    A program that leaves by `os._exit` may do without: on Linux nothing stays behind.
    """
    with _lock:
        while _models:
            _, model = _models.popitem()
            model.unload()


def require_llama_cpp() -> ModuleType:
    """Return the `xllamacpp` module.

    Raises:
        ConfigurationError: it is not installed, or cannot be imported on this system.
    """
    try:
        import xllamacpp
    except ImportError as error:
        raise ConfigurationError(
            f"The embedded runtime needs llama.cpp as the package 'xllamacpp': {error}.",
            # Not `llm_client[local]`: on the registry that name is somebody else's.
            hint="Install it with `pip install 'xllamacpp>=2026.10'`.",
        ) from error
    return xllamacpp  # type: ignore[no-any-return]


def _key(name: str, n_ctx: int) -> tuple[str, int]:
    return (name if name == DEMO else os.path.realpath(os.path.expanduser(name)), n_ctx)


@contextlib.contextmanager
def _model_file(name: str, demo_directory: Path | None) -> Iterator[Path]:
    """Give the path of a file that has been checked to be a GGUF file.

    Without a place to keep it, the demo model's file lasts only until it is loaded.
    """
    if name != DEMO:
        path = Path(name)
        _check_model_file(path)
        yield path
        return
    try:
        path = ensure_demo_model(demo_directory or _cache_directory())
    except OSError:
        with tempfile.TemporaryDirectory(
            prefix="llm_client-", ignore_cleanup_errors=True
        ) as directory:
            yield ensure_demo_model(Path(directory))
    else:
        yield path


def _cache_directory() -> Path:
    from llm_client.storage.paths import cache_dir

    return cache_dir() / "models"


def _check_model_file(path: Path) -> None:
    """Refuse what llama.cpp would refuse too, but without a reason."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except FileNotFoundError:
        raise ModelUnavailable(
            404, "model_not_found", f"There is no model file {str(path)!r}."
        ) from None
    except OSError as error:
        raise ModelUnavailable(
            400, "unreadable_model", f"Cannot read the model file {str(path)!r}: {error.strerror}."
        ) from None
    if magic != MAGIC:
        raise ModelUnavailable(
            400, "not_gguf", f"{str(path)!r} is not a GGUF file: it does not begin with 'GGUF'."
        )


def _start_server(name: str, path: Path, n_ctx: int, key: str, address: Address) -> Any:
    xllamacpp = require_llama_cpp()
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {name}
    params.n_ctx = n_ctx
    params.n_parallel = PARALLEL_REQUESTS
    params.hostnames = [address.listen_on]
    params.port = 0
    params.api_keys = [key]
    params.ui = False
    params.endpoint_metrics = True
    if path.stat().st_size <= SINGLE_THREAD_BYTES:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    # Below every level: stdout and stderr belong to the program that embeds the model.
    params.verbosity = -1
    # A warm-up would happen while the interpreter's lock is held; the first request does it instead.
    params.warmup = False
    # llama.cpp's cache of old prompts may grow to 8 GiB, too much to take from a program unasked.
    params.cache_ram_mib = 0
    try:
        server = xllamacpp.Server(params)
    except RuntimeError:
        raise ModelUnavailable(
            400,
            "model_not_loadable",
            f"llama.cpp cannot load {str(path)!r}: the file is incomplete or damaged, its kind of "
            f"model is unknown to xllamacpp {xllamacpp.__version__}, or there is not enough memory.",
        ) from None
    # Any question that its main loop must answer: destroyed before that loop has begun, the server
    # would wait for its end for ever (seen with xllamacpp 2026.10).
    server.handle_metrics()
    return server


def _private_address() -> Address:
    """Choose an address that no other user reaches, and no network."""
    name = f"llm_client-{os.urandom(16).hex()}.sock"
    if _ABSTRACT_NAMES:
        return Address(f"@{name}", socket.AF_UNIX, f"\0{name}")
    if _UNIX_SOCKETS:
        directory = tempfile.mkdtemp(prefix="llm_client-")
        path = os.path.join(directory, "llama.sock")
        return Address(path, socket.AF_UNIX, path, directory)
    return Address("127.0.0.1", socket.AF_INET, None)


def _bound_port(server: Any) -> tuple[str, int]:
    """Return where llama.cpp listens, from an address like `http://127.0.0.1:40123`."""
    host, _, port = server.listening_address.removeprefix("http://").rpartition(":")
    return host, int(port)


def _forget_models() -> None:
    global _lock
    _lock = threading.Lock()
    for model in _models.values():
        model.abandon()
    _models.clear()


atexit.register(unload_models)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_models)
