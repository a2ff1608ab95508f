"""The response cache under threads and processes, some of which are killed: no answer lost, none torn."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import llm_client
from llm_client.storage.response_cache import ResponseCache

from ..support.unmeasured import unmeasured
from .answers import TARGET, ask, rows, say

ROOT = Path(llm_client.__file__).parents[1]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "responses"


def test_threads_share_one_cache(directory: Path) -> None:
    cache = ResponseCache(directory, 3600.0, 1 << 20)
    wrong: list[object] = []

    def work(worker: int) -> None:
        chance = random.Random(worker)
        for _ in range(60):
            name = str(chance.randrange(10))
            found = cache.lookup(ask(name), TARGET)
            if found is None:
                cache.store(ask(name), TARGET, say(name * 5000))
            elif found != say(name * 5000):
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    found = [cache.lookup(ask(str(number)), TARGET) for number in range(10)]
    cache.close()
    assert wrong == []
    assert found == [say(str(number) * 5000) for number in range(10)]


WORKER = """
import random, sys
from pathlib import Path
from llm_client.providers.catalog import CATALOG
from llm_client.storage.response_cache import ResponseCache
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse
from llm_client.types.target import Target

directory, worker, room = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
target = Target(CATALOG["openai"], "gpt", "https://api.test/v1")
cache = ResponseCache(directory, 3600.0, room)
chance = random.Random(worker)
sys.stdin.readline()
hits = 0
for number in range(100):
    shared = number % 2 == 0
    name = str(chance.randrange(20)) if shared else f"{worker}-{number}"
    request = LLMRequest((Message("user", name),))
    found = cache.lookup(request, target)
    if found is None:
        cache.store(request, target, LLMResponse(name * 1000, "gpt", "openai", "stop"))
        found = cache.lookup(request, target) if room > 1e8 else None
        assert found is not None or room < 1e8, f"{name} is lost"
    else:
        hits += 1
    assert found is None or found.content == name * 1000, f"{name} is torn"
cache.close()
print(hits)
"""


@pytest.mark.parametrize("room", [1e9, 300_000.0], ids=["room", "crowded"])
def test_sixteen_processes_lose_and_tear_nothing(directory: Path, room: float) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(directory), str(worker), str(room)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for worker in range(16)
    ]
    for process in workers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=120) for process in workers]

    assert [process.returncode for process in workers] == [0] * 16, outputs
    assert all(errors == "" for _, errors in outputs)
    if room > 1e8:
        assert rows(directory, "SELECT count(*) FROM responses") == [(16 * 50 + 20,)]
        assert sum(int(hits) for hits, _ in outputs) >= 16 * 50 - 16 * 20
    assert rows(directory, "PRAGMA integrity_check") == [("ok",)]
    assert [path.name for path in directory.iterdir() if "damaged" in path.name] == []


KILLED = """
import os, sys
from pathlib import Path
from llm_client.storage.response_cache import ResponseCache
from tests.storage.answers import TARGET, ask, say

directory, worker, room = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
cache = ResponseCache(directory, 3600.0, room)
for number in range(1_000_000):
    name = f"{worker}-{number}"
    cache.store(ask(name), TARGET, say(name * 2000))
    os.write(1, f"{name}\\n".encode())
"""


@pytest.mark.parametrize("room", [1e12, 1e6], ids=["room", "crowded"])
def test_killed_processes_leave_whole_answers(directory: Path, room: float) -> None:
    environ = unmeasured({**os.environ, "PYTHONPATH": str(ROOT)})
    stored = []
    for turn in range(4):
        arguments = [[str(directory), f"{turn}-{worker}", str(room)] for worker in range(3)]
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", KILLED, *each],
                stdout=subprocess.PIPE,
                env=environ,
                text=True,
            )
            for each in arguments
        ]
        lines = [process.stdout.readline() for process in workers if process.stdout is not None]
        for process in workers:
            process.kill()
        for line, process in zip(lines, workers, strict=True):
            stored += (line + process.communicate(timeout=60)[0]).split()

    cache = ResponseCache(directory, 3600.0, room)
    found = [(name, cache.lookup(ask(name), TARGET)) for name in stored]
    cache.close()
    assert len(stored) >= 12
    assert all(response is None or response == say(name * 2000) for name, response in found)
    if room > 1e9:
        assert all(response is not None for _, response in found)
    assert rows(directory, "PRAGMA integrity_check") == [("ok",)]
    assert [path.name for path in directory.iterdir() if "damaged" in path.name] == []
