"""What only the blocking transport has to get right: threads, forks, start-up, plain httpx use."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from llm_client import exceptions
from llm_client.engine.transport import httpx_import, sessions
from llm_client.engine.transport.exchange import SyncTransport
from llm_client.engine.transport.httpx_import import httpx
from llm_client.engine.transport.outgoing import Outgoing
from llm_client.engine.transport.sync_sockets import SocketTransport
from llm_client.types.http import HttpRequest
from tests.engine.transport.conftest import SyncSide, fetch
from tests.support.fault_server import fault_server, respond

ROOT = Path(__file__).resolve().parents[3]


def get(url: str) -> HttpRequest:
    return HttpRequest("GET", url)


def test_many_threads_share_a_transport_within_its_bound() -> None:
    side = SyncSide(max_connections=4)
    problems: list[BaseException] = []

    def work(url: str) -> None:
        try:
            for _ in range(20):
                assert fetch(side, get(url)).body == b"x"
        except BaseException as problem:
            problems.append(problem)

    with fault_server(respond(body=b"x")) as server:
        threads = [threading.Thread(target=work, args=(server.url,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not problems
        assert len(server.requests) == 320
        assert server.connections <= 4
        side.close()


def test_exchange_beyond_the_bound_waits_for_one_to_close() -> None:
    transport = SyncTransport(max_connections=1)
    with fault_server(
        respond(chunked=True, pieces=[b"x", (30, b"y")]), respond(body=b"z")
    ) as server:
        held = transport.open(get(server.url))
        opened = threading.Event()

        def second() -> None:
            exchange = transport.open(get(server.url))
            opened.set()
            exchange.close()

        thread = threading.Thread(target=second)
        thread.start()
        assert not opened.wait(0.1)
        held.close()
        assert opened.wait(5)
        thread.join(5)
        transport.close()


def test_close_from_another_thread_wakes_a_reader() -> None:
    transport = SyncTransport()
    with fault_server(respond(chunked=True, pieces=[b"x", (30, b"y")])) as server:
        exchange = transport.open(get(server.url))
        assert exchange.read() == b"x"
        timer = threading.Timer(0.1, exchange.close)
        timer.start()
        started = time.monotonic()
        with pytest.raises(exceptions.ConnectionError):
            exchange.read()
        assert time.monotonic() - started < 10
        timer.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("level", ["exchange", "sockets"])
def test_forked_child_leaves_the_connections_of_its_parent_alone(level: str) -> None:
    with fault_server(respond(body=b"x")) as server:
        if level == "exchange":
            transport = SyncTransport()

            def once() -> bool:
                exchange = transport.open(get(server.url))
                return exchange.read() == b"x" and exchange.read() == b""

            close = transport.close
        else:
            sockets = SocketTransport()

            def once() -> bool:
                return b"".join(sockets.send(Outgoing.plain(get(server.url)))) == b"x"

            close = sockets.close
        assert once()
        child = os.fork()
        if child == 0:
            well = False
            try:
                well = once()
                close()
            finally:
                os._exit(0 if well else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert once()
        assert [request.connection for request in server.requests] == [0, 1, 0]
        close()


def test_interrupt_while_waiting_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    from llm_client.engine.transport import sync_sockets

    def interrupt(*_: object) -> bytes:
        raise KeyboardInterrupt

    side = SyncSide(max_connections=1)
    with fault_server(respond(body=b"x")) as server:
        with monkeypatch.context() as patched:
            patched.setattr(sync_sockets._Connection, "receive", interrupt)
            with pytest.raises(KeyboardInterrupt):
                fetch(side, get(server.url))
        assert fetch(side, get(server.url)).body == b"x"
        assert server.connections == 2
        side.close()


def test_bug_beneath_is_not_dressed_up() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=BrokenStream())

    with httpx.Client(transport=httpx.MockTransport(broken)) as client:
        exchange = SyncTransport(http_client=client).open(get("http://model.example/"))
        with pytest.raises(ZeroDivisionError):
            exchange.read()


class BrokenStream(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b""
        raise ZeroDivisionError


# -- in-process runtimes --------------------------------------------------------------------------


class Runtime(httpx.BaseTransport):
    made = 0
    closed = 0

    def __init__(self) -> None:
        type(self).made += 1

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=str(request.url).encode())

    def close(self) -> None:
        type(self).closed += 1


def test_runtime_is_imported_once_at_its_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    target = f"{__name__}:Runtime"
    monkeypatch.setattr(Runtime, "made", 0)
    monkeypatch.setattr(Runtime, "closed", 0)
    monkeypatch.setitem(sessions.RUNTIMES, "gguf", (target, "nowhere:Nothing"))
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    side = SyncSide(http_client=httpx.Client())
    for _ in range(2):
        assert fetch(side, get("gguf://embedded/v1/models")).body == b"gguf://embedded/v1/models"
    assert Runtime.made == 1
    side.close()
    assert Runtime.closed == 1


# -- the sockets by themselves --------------------------------------------------------------------


def test_answer_that_was_closed_cannot_be_read() -> None:
    with fault_server(respond(chunked=True, pieces=[b"x", (30, b"y")])) as server:
        answer = SocketTransport().send(Outgoing.plain(get(server.url)))
        answer.close()
        with pytest.raises(httpx.StreamClosed):
            list(answer)


# -- start-up -------------------------------------------------------------------------------------


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.strip()


LOADED = "import sys; print(sorted({'httpx', 'asyncio', 'ssl', 'httpcore', 'certifi', 'anyio', "
LOADED += "'encodings.idna', 'rich', 'click', 'httpx._main'} & set(sys.modules)))"


def test_making_a_transport_imports_nothing_that_costs() -> None:
    code = "from llm_client.engine.transport.exchange import SyncTransport, AsyncTransport\n"
    assert run_python(f"{code}SyncTransport(); AsyncTransport()\n{LOADED}") == "[]"


def test_local_request_imports_neither_httpx_nor_asyncio_nor_certificates() -> None:
    with fault_server(respond(body=b"x")) as server:
        code = f"""
from llm_client.engine.transport.exchange import SyncTransport
from llm_client.types.http import HttpRequest
transport = SyncTransport()
exchange = transport.open(HttpRequest("GET", "http://localhost:{server.port}/"))
assert exchange.read() == b"x"
assert exchange.read() == b""
{LOADED}
"""
        assert run_python(code) == "[]"


def test_command_line_of_httpx_that_is_in_use_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_use = ModuleType("httpx._main")
    monkeypatch.setitem(sys.modules, "httpx._main", in_use)
    assert importlib.reload(httpx_import).httpx is httpx
    assert sys.modules["httpx._main"] is in_use


def test_sockets_of_another_process_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(respond(body=b"x")) as server:
        transport = SocketTransport()
        assert b"".join(transport.send(Outgoing.plain(get(server.url)))) == b"x"
        with monkeypatch.context() as patched:
            patched.setattr(os, "getpid", lambda: 1)
            assert b"".join(transport.send(Outgoing.plain(get(server.url)))) == b"x"
            transport.close()
        assert [request.connection for request in server.requests] == [0, 1]


def test_command_line_of_httpx_can_still_be_imported() -> None:
    code = "import llm_client.engine.transport.httpx_import, sys\n"
    assert run_python(code + "print('httpx._main' in sys.modules)") == "False"
    assert run_python("import httpx\n" + code + "import httpx as h\nprint(h.Client is not None)")
