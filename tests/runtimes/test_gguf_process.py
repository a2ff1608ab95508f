"""A process that runs an embedded model: its output, Ctrl-C, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import llm_client

from ..support.unmeasured import unmeasured

ROOT = Path(llm_client.__file__).parents[1]

PREAMBLE = """
import sys
from pathlib import Path
from llm_client.engine.transport.httpx_import import httpx
from llm_client.runtimes.gguf import AsyncGGUFTransport, GGUFTransport

def request(text, **fields):
    messages = [{"role": "user", "content": text}]
    body = {"model": "demo", "messages": messages, **fields}
    return httpx.Request("POST", "gguf://embedded/v1/chat/completions", json=body)

directory = Path(sys.argv[1])
transport = GGUFTransport(demo_directory=directory)
"""


def start(script: str, demo_directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + script, str(demo_directory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**unmeasured(os.environ), "PYTHONPATH": str(ROOT)},
    )


def run(script: str, demo_directory: Path) -> tuple[int, str, str]:
    with start(script, demo_directory) as process:
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


def test_llama_cpp_writes_nothing(demo_directory: Path, tmp_path: Path) -> None:
    script = """
for text in ("hi", "/think", "x" * 20000):
    transport.handle_request(request(text)).read()
    transport.handle_request(request(text, stream=True)).read()
schema = {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}
transport.handle_request(request("hi", response_format=schema)).read()
damaged = directory / "damaged"
damaged.write_bytes(b"GGUF" + bytes(100))
transport.handle_request(request("hi", model=str(damaged))).read()
"""
    assert run(script, demo_directory) == (0, "", "")


ABANDONED = {
    "stream": """
pieces = iter(transport.handle_request(request("/long", stream=True)).stream)
next(pieces)
""",
    "unread stream": """
response = transport.handle_request(request("/long", stream=True))
""",
    "stream in a daemon thread": """
import threading
reading = threading.Event()
def read():
    for _ in transport.handle_request(request("/long", stream=True)).stream:
        reading.set()
threading.Thread(target=read, daemon=True).start()
reading.wait()
""",
    "whole answer in a daemon thread": """
import threading, time
ask = lambda: transport.handle_request(request("/long"))
threading.Thread(target=ask, daemon=True).start()
time.sleep(0.2)
""",
    "async stream": """
import asyncio
async def main():
    response = await AsyncGGUFTransport(demo_directory=directory).handle_async_request(
        request("/long", stream=True)
    )
    await anext(aiter(response.stream))
asyncio.run(main())
""",
    "event loop never closed": """
import asyncio
loop = asyncio.new_event_loop()
response = loop.run_until_complete(
    AsyncGGUFTransport(demo_directory=directory).handle_async_request(
        request("/long", stream=True)
    )
)
loop.run_until_complete(anext(aiter(response.stream)))
""",
}


@pytest.mark.parametrize("script", ABANDONED.values(), ids=ABANDONED.keys())
def test_interpreter_ends_soon_and_well_with_an_answer_under_way(
    demo_directory: Path, script: str
) -> None:
    began = time.monotonic()
    status, out, _ = run(script, demo_directory)
    assert (status, out) == (0, "")
    assert time.monotonic() - began < 15


def test_leaving_by_os_exit_with_an_answer_under_way_works(demo_directory: Path) -> None:
    script = ABANDONED["stream"] + "import os\nos._exit(7)\n"
    assert run(script, demo_directory) == (7, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_ctrl_c_interrupts_python_at_once(demo_directory: Path, stream: bool) -> None:
    script = f"""
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
transport.handle_request(request("/json")).read()
print("ready", flush=True)
try:
    while True:
        for _ in transport.handle_request(request("/long", stream={stream})).stream:
            pass
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with start(script, demo_directory) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - began < 5
        assert process.wait(15) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_importing_the_transport_loads_no_llama_cpp_and_no_asyncio(demo_directory: Path) -> None:
    script = 'print({"xllamacpp", "asyncio", "platformdirs"} & sys.modules.keys())'
    assert run(script, demo_directory) == (0, "set()\n", "")
