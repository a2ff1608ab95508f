"""llama.cpp's own HTTP server, in a process of its own, for tests that need a real endpoint.

Owns the life of that process: it serves the demo model on a free port of the loopback and ends with
the `with` block, or with the test process however that ends, because it watches its standard input.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

START_SECONDS = 60.0


@contextmanager
def running_llama_server(
    *,
    api_key: str | None = None,
    alias: str = "demo",
    parallel: int = 2,
    ctx: int = 4096,
    model: Path | None = None,
    embeddings: bool = False,
) -> Iterator[str]:
    """Serve a model; yield the base URL without a path, like `http://127.0.0.1:40123`.

    Args:
        api_key: the key to demand; `None` demands none.
        alias: the model's name in answers and in `/v1/models`.
        parallel: slots, each with a context of its own.
        ctx: context of all slots together, in tokens.
        model: a GGUF file; `None` is the demo model.
        embeddings: serve embeddings too, a mean over each text.
    """
    from llm_client.runtimes.demo_model import ensure_demo_model

    with tempfile.TemporaryDirectory(prefix="llama-server-") as directory:
        options = {
            "model": str(model or ensure_demo_model(Path(directory))),
            "api_key": api_key,
            "alias": alias,
            "parallel": parallel,
            "ctx": ctx,
            "embeddings": embeddings,
        }
        process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            watchdog = Timer(START_SECONDS, process.kill)
            watchdog.start()
            try:
                assert process.stdout is not None
                url = process.stdout.readline().strip()
                watchdog.cancel()
                if not url:
                    raise RuntimeError(f"llama.cpp's server did not start: exit {process.wait()}")
                yield url
            finally:
                watchdog.cancel()
                watchdog.join()
                process.kill()


def _serve(options: dict[str, Any]) -> None:
    """Serve until standard input ends."""
    import os

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options["model"]
    params.model_alias = {options["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = options["ctx"]
    params.n_parallel = options["parallel"]
    params.api_keys = [options["api_key"]] if options["api_key"] else []
    params.endpoint_slots = True
    if options["embeddings"]:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.verbosity = -1
    params.warmup = False
    params.ui = False
    # A second thread waits for seconds where all cores are busy, and the model is tiny.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
