"""The model that MLX runs in this process, and the one thread that loads and runs it.

Owns the thread, the queue of requests before it, the model in memory and the end of both. It exists
because MLX's arrays belong to the streams of the thread that made them, and because nothing that
takes seconds may happen in the reader's thread or event loop.

One model is in memory: a request for another takes its place, since two may not fit. Requests are
answered one after the other. It stays until `unload_model` or the end of the process. It refuses to
download anything and to run code that comes with a model.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from llm_client.exceptions import ConfigurationError
from llm_client.runtimes.mlx_answer import LoadedModel, send_answer
from llm_client.runtimes.mlx_line import END, Begin, HungUp, Line
from llm_client.runtimes.mlx_request import ChatRequest, Refused

__all__ = ["ask", "check_installed", "error_body", "loaded_path", "unload_model"]

EXIT_SECONDS: Final = 10.0
"""How long the interpreter's end waits for the step that is under way: a thread that is stopped within
MLX takes the process with it (exit 134, seen with mlx 0.32)."""


def ask(request: ChatRequest, wake: Callable[[], object] | None = None) -> Line:
    """Put a request into the queue and return the line on which its answer comes.

    Args:
        request: what is asked.
        wake: see `Line`.

    Raises:
        ConfigurationError: the process is a fork of one that uses MLX.
    """
    line = Line(wake)
    with _lock:
        _worker().take(request, line)
    return line


def loaded_path() -> str | None:
    """Return the directory of the model in memory."""
    worker = _running
    loaded = worker.loaded if worker else None
    return loaded.path if loaded else None


def unload_model() -> None:
    """Cancel what runs and free the model. Runs by itself when the interpreter ends."""
    with _lock:
        if _running is not None:
            _running.unload()


def error_body(error: Refused, type: str = "invalid_request_error") -> bytes:
    """Return an error as OpenAI would put it."""
    fields = {"message": error.message, "type": type, "code": error.code, "param": error.param}
    return json.dumps({"error": fields}).encode()


class _Worker:
    """The thread and its model.

    The thread never ends: MLX tidies up after a thread with Python objects, and where the interpreter
    has ended meanwhile that aborts the process (Python 3.11, seen with mlx 0.32). What is left at the
    end is a thread that waits for work.
    """

    def __init__(self) -> None:
        self.loaded: LoadedModel | None = None
        self._jobs: SimpleQueue[tuple[ChatRequest, Line] | threading.Event] = SimpleQueue()
        self._lines: set[Line] = set()
        """What is under way or waits."""
        threading.Thread(target=self._run, name="llm_client-mlx", daemon=True).start()

    def take(self, request: ChatRequest, line: Line) -> None:
        """Put a request into the queue."""
        self._lines.add(line)
        self._jobs.put((request, line))

    def unload(self) -> None:
        """Cut every answer off, and wait until the model is out of memory."""
        for line in list(self._lines):
            line.cut("the model was unloaded")
        unloaded = threading.Event()
        self._jobs.put(unloaded)
        unloaded.wait(EXIT_SECONDS)

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if isinstance(job, threading.Event):
                self._drop()
                job.set()
            else:
                self._answer(*job)
                self._lines.discard(job[1])
            # What is held while it waits is in nobody's way: not an answer, not a model.
            del job

    def _answer(self, request: ChatRequest, line: Line) -> None:
        with contextlib.suppress(HungUp):
            try:
                line.look()
                send_answer(request, self._load(request.model), line)
            except HungUp:
                raise
            except Refused as error:
                _send_whole(line, error.status, error_body(error))
            except ConfigurationError as error:
                line.send(error)
            except Exception as error:
                _send_failure(line, error)

    def _load(self, name: str) -> LoadedModel:
        path = os.path.realpath(os.path.expanduser(name))
        if self.loaded is None or self.loaded.path != path:
            _check_directory(Path(path))
            self._drop()
            self.loaded = _load(path)
        return self.loaded

    def _drop(self) -> None:
        if self.loaded is None:
            return
        self.loaded = None
        import gc

        import mlx.core as mx

        gc.collect()
        mx.clear_cache()


def _send_whole(line: Line, status: int, body: bytes) -> None:
    line.send(Begin(status, "application/json"))
    line.send(body)
    line.send(END)


def _send_failure(line: Line, error: Exception) -> None:
    """Tell of what should not happen: no memory, a bug of MLX or ours."""
    told = Refused(f"MLX failed: {_in_one_line(error)}", code="generation_failed")
    body = error_body(told, "server_error")
    if not line.begun:
        _send_whole(line, 500, body)
        return
    line.send(b"data: %b\n\n" % body)
    line.send(END)


def _check_directory(path: Path) -> None:
    """Refuse what mlx-lm would take for the name of a model to download, or fail on.

    Raises:
        Refused: it is not the directory of a model.
    """
    if not path.exists():
        raise Refused(
            f"There is no model directory {str(path)!r}. A model from Hugging Face is fetched by "
            "`hf download mlx-community/NAME`, which prints the directory.",
            status=404,
            code="model_not_found",
            param="model",
        )
    if path.is_file():
        other = " A GGUF file runs with `-p embedded -m FILE`." if path.suffix == ".gguf" else ""
        raise _not_a_model(path, f"it is a file, and MLX models are directories.{other}")
    missing = [name for name in ("config.json", "*.safetensors") if not any(path.glob(name))]
    if missing:
        raise _not_a_model(path, f"there is no {' and no '.join(missing)} in it.")


def _not_a_model(path: Path, reason: str) -> Refused:
    return Refused(f"{str(path)!r} is no MLX model: {reason}", code="not_mlx", param="model")


def _load(path: str) -> LoadedModel:
    """Load the model of a directory that was checked.

    Raises:
        ConfigurationError: mlx-lm is not installed.
        Refused: mlx-lm cannot load it.
    """
    load = _require_mlx_lm()
    try:
        # Told that the files are here, transformers asks no server about them.
        model, tokenizer = load(path, tokenizer_config={"local_files_only": True})
        context = _context_tokens(json.loads(Path(path, "config.json").read_bytes()))
    except Exception as error:  # what it raises is as different as what can be wrong with files
        from mlx_lm import __version__

        raise Refused(
            f"mlx-lm {__version__} cannot load {path!r}: {_in_one_line(error)}",
            code="model_not_loadable",
            param="model",
        ) from None
    return LoadedModel(path, model, tokenizer, context)


def _require_mlx_lm() -> Any:
    """Return mlx-lm's `load`.

    Raises:
        ConfigurationError: it is not installed, or cannot be imported on this system.
    """
    try:
        from mlx_lm import load
    except ImportError as error:
        raise _not_installed(_in_one_line(error)) from None
    return load


def check_installed() -> None:
    """Look for mlx-lm without importing it, which takes seconds.

    Raises:
        ConfigurationError: it is not there.
    """
    if find_spec("mlx_lm") is None:
        raise _not_installed("no module of that name")


def _not_installed(why: str) -> ConfigurationError:
    packages = "'mlx[cpu]' mlx-lm" if sys.platform == "linux" else "mlx-lm"
    return ConfigurationError(
        f"Models in MLX's format need the package 'mlx-lm': {why}.",
        # Not `llm_client[mlx]`: on the registry that name is somebody else's.
        hint=f"Install it with `pip install {packages}`.",
    )


def _context_tokens(config: dict[str, Any]) -> int | None:
    """Return the context of a model's config.json; models that see keep it with their text part."""
    for part in (config, config.get("text_config")):
        if isinstance(part, dict) and isinstance(part.get("max_position_embeddings"), int):
            return int(part["max_position_embeddings"])
    return None


def _in_one_line(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


_lock = threading.Lock()
_running: _Worker | None = None
_parents: list[_Worker] = []
"""In a forked child the parent's: freeing it would wait for threads that do not exist here."""


def _worker() -> _Worker:
    global _running
    if _parents:
        raise ConfigurationError(
            "This process is a fork of one that runs a model with MLX, whose threads are missing "
            "here.",
            hint='Start processes with `multiprocessing.get_context("spawn")`.',
        )
    if _running is None:
        _running = _Worker()
    return _running


def _after_fork() -> None:
    global _lock, _running
    _lock = threading.Lock()
    if _running is not None:
        _parents.append(_running)
        _running = None


atexit.register(unload_model)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
