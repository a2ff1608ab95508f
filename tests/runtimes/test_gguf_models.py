"""Where loaded models listen, who reaches them, and what stays behind."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from llm_client.engine.transport.httpx_import import httpx
from llm_client.runtimes import gguf_models
from llm_client.runtimes.demo_model import SCRIPTS, build_demo_model
from llm_client.runtimes.gguf import GGUFTransport
from llm_client.runtimes.gguf_models import DEMO, load_model, unload_models
from tests.runtimes.conftest import CHAT, answers_at, chat_body


@pytest.fixture(autouse=True)
def _nothing_loaded() -> None:
    unload_models()


def say_json(demo_directory: Path) -> str:
    transport = GGUFTransport(demo_directory=demo_directory)
    with httpx.Client(transport=transport) as client:
        answer = client.post(CHAT, json=chat_body("/json")).json()
    return str(answer["choices"][0]["message"]["content"])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_loading_opens_no_port(demo_directory: Path) -> None:
    before = listening_ports()
    load_model(DEMO, n_ctx=512, demo_directory=demo_directory)
    assert listening_ports() == before


def listening_ports() -> set[str]:
    """Return the sockets of this process that listen on a port."""
    own = {os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}
    tables = [Path(f"/proc/self/net/{name}") for name in ("tcp", "tcp6")]
    rows = [
        row.split() for table in tables if table.exists() for row in table.read_text().splitlines()
    ]
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/slots", "/props"])
def test_without_the_key_the_model_refuses(demo_directory: Path, path: str) -> None:
    model = load_model(DEMO, n_ctx=512, demo_directory=demo_directory)
    connection = model.connection()
    connection.connect(model.address)
    method = "POST" if "chat" in path else "GET"
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    connection.sendall(request.encode())
    assert connection.recv(12) == b"HTTP/1.1 401"
    model.hang_up(connection)


def test_socket_file_is_used_and_removed_where_names_are_not_abstract(
    demo_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_models, "_ABSTRACT_NAMES", False)
    assert say_json(demo_directory) == '{"ok": true}'
    (model,) = gguf_models.loaded_models()
    assert isinstance(model.address, str)
    directory = Path(model.address).parent
    assert directory.stat().st_mode & 0o777 == 0o700
    assert answers_at(model.address, socket.AF_UNIX)
    unload_models()
    assert not directory.exists()


def test_socket_file_of_a_failed_load_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def make_directory(prefix: str) -> str:
        directory = tmp_path / prefix
        directory.mkdir()
        made.append(str(directory))
        return str(directory)

    monkeypatch.setattr(gguf_models, "_ABSTRACT_NAMES", False)
    monkeypatch.setattr(tempfile, "mkdtemp", make_directory)
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(build_demo_model(SCRIPTS)[:5000])
    with pytest.raises(gguf_models.ModelUnavailable):
        load_model(str(damaged), n_ctx=512)
    assert made
    assert not Path(made[0]).exists()


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_loopback_port_is_used_where_there_are_no_unix_sockets(
    demo_directory: Path, monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    monkeypatch.setattr(gguf_models, "_ABSTRACT_NAMES", False)
    monkeypatch.setattr(gguf_models, "_UNIX_SOCKETS", False)
    say = say_json if driver == "sync" else say_json_async
    assert say(demo_directory) == '{"ok": true}'
    (model,) = gguf_models.loaded_models()
    assert model.address[0] == "127.0.0.1"


def say_json_async(demo_directory: Path) -> str:
    import asyncio

    from llm_client.runtimes.gguf import AsyncGGUFTransport

    async def scenario() -> str:
        transport = AsyncGGUFTransport(demo_directory=demo_directory)
        async with httpx.AsyncClient(transport=transport) as client:
            answer = (await client.post(CHAT, json=chat_body("/json"))).json()
        return str(answer["choices"][0]["message"]["content"])

    return asyncio.run(scenario())


def test_demo_model_is_kept_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_CLIENT_CACHE_DIR", str(tmp_path))
    load_model(DEMO, n_ctx=512)
    (path,) = (tmp_path / "models").iterdir()
    assert re.fullmatch(r"demo-[0-9a-f]{12}\.gguf", path.name)


def test_demo_model_answers_where_no_file_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert say_json(tmp_path / "file" / "models") == '{"ok": true}'


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_loads_its_own_model_and_ends(demo_directory: Path) -> None:
    # The child leaves as those of multiprocessing do: llama.cpp's own static destructors abort a
    # forked child that leaves by exit() (seen with xllamacpp 2026.10).
    code = (
        "import os, sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from pathlib import Path\n"
        "from tests.runtimes.test_gguf_models import say_json\n"
        "directory = Path(sys.argv[1])\n"
        "say_json(directory)\n"
        "child = os.fork()\n"
        "answer = say_json(directory)\n"
        "if child == 0:\n"
        "    os._exit(answer != '{\"ok\": true}')\n"
        "_, status = os.waitpid(child, 0)\n"
        "sys.exit(status)\n"
    )
    root = Path(gguf_models.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(demo_directory)],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=root,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
