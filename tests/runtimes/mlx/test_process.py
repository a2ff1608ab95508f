"""A process that runs an MLX model: its output, Ctrl-C, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import llm_client

from ...support.unmeasured import unmeasured

ROOT = Path(llm_client.__file__).parents[1]

PREAMBLE = """
import sys
from llm_client.engine.transport.httpx_import import httpx
from llm_client.runtimes.mlx import AsyncMLXTransport, MLXTransport

def request(text, **fields):
    messages = [{"role": "user", "content": text}]
    body = {"model": sys.argv[1], "messages": messages, **fields}
    return httpx.Request("POST", "mlx://local/v1/chat/completions", json=body)

transport = MLXTransport()
"""


def start(script: str, model: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + script, model],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**unmeasured(os.environ), "PYTHONPATH": str(ROOT)},
    )


def run(script: str, model: str) -> tuple[int, str, str]:
    with start(script, model) as process:
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


def test_mlx_writes_nothing(tiny_model: str, tmp_path: Path) -> None:
    script = f"""
for text in ("hi", "/think", "x" * 2000):
    transport.handle_request(request(text)).read()
    transport.handle_request(request(text, stream=True)).read()
tool = {{"type": "function", "function": {{"name": "f"}}}}
transport.handle_request(request("/broken", tools=[tool])).read()
transport.handle_request(request("hi", model={str(tmp_path)!r})).read()
"""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    assert run(script, tiny_model) == (0, "", "")


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
    "long prompt in a daemon thread": """
import threading, time
transport.handle_request(request("hi"))
ask = lambda: transport.handle_request(request("x" * 500000))
threading.Thread(target=ask, daemon=True).start()
time.sleep(0.5)
""",
    "async stream": """
import asyncio
async def main():
    response = await AsyncMLXTransport().handle_async_request(request("/long", stream=True))
    await anext(aiter(response.stream))
asyncio.run(main())
""",
    "event loop never closed": """
import asyncio
loop = asyncio.new_event_loop()
response = loop.run_until_complete(
    AsyncMLXTransport().handle_async_request(request("/long", stream=True))
)
loop.run_until_complete(anext(aiter(response.stream)))
""",
}


@pytest.mark.parametrize("script", ABANDONED.values(), ids=ABANDONED.keys())
def test_interpreter_ends_soon_and_well_with_an_answer_under_way(
    tiny_model: str, script: str
) -> None:
    began = time.monotonic()
    status, out, _ = run(script, tiny_model)
    assert (status, out) == (0, "")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("seconds", [0.01, 0.3])
def test_interpreter_ends_soon_and_well_while_a_model_loads(
    tiny_model: str, seconds: float
) -> None:
    script = f"""
import threading, time
ask = lambda: transport.handle_request(request("hi"))
threading.Thread(target=ask, daemon=True).start()
time.sleep({seconds})
"""
    began = time.monotonic()
    # What it writes is not looked at: huggingface_hub reports that it was imported too late.
    assert run(script, tiny_model)[0] == 0
    assert time.monotonic() - began < 15


def test_leaving_by_os_exit_with_an_answer_under_way_works(tiny_model: str) -> None:
    script = ABANDONED["stream"] + "import os\nos._exit(7)\n"
    assert run(script, tiny_model) == (7, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_ctrl_c_interrupts_python_at_once(tiny_model: str, stream: bool) -> None:
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
body = transport.handle_request(request("/json")).read()
print("free" if b"ok" in body else body)
"""
    with start(script, tiny_model) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert process.stdout.readline() == "free\n"
        assert time.monotonic() - began < 5
        assert process.wait(15) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_forked_child_is_told_to_be_spawned(tiny_model: str) -> None:
    script = """
import os, warnings
warnings.simplefilter("ignore")
transport.handle_request(request("hi")).read()
child = os.fork()
if child == 0:
    try:
        transport.handle_request(request("hi"))
    except Exception as error:
        print(type(error).__name__, error.hint, flush=True)
    os._exit(3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
transport.handle_request(request("hi")).read()
"""
    hint = 'Start processes with `multiprocessing.get_context("spawn")`.'
    assert run(script, tiny_model) == (0, f"ConfigurationError {hint}\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_child_forked_before_the_first_request_works(tiny_model: str) -> None:
    script = """
import os
child = os.fork()
if child == 0:
    print(transport.handle_request(request("/json")).status_code, flush=True)
    os._exit(3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
"""
    assert run(script, tiny_model) == (0, "200\n", "")


def test_importing_the_transport_loads_no_mlx_and_no_asyncio(tmp_path: Path) -> None:
    script = 'print({"mlx", "mlx_lm", "transformers", "asyncio", "platformdirs"} & {*sys.modules})'
    assert run(script, str(tmp_path)) == (0, "set()\n", "")
