"""Model lists on disk: fresh or stale, damaged, unwritable, private, shared."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.providers.catalog import CATALOG
from llm_client.storage.model_cache import ModelCache, open_model_cache
from llm_client.types.config import Settings
from llm_client.types.models import ModelInfo
from llm_client.types.secret import Secret
from llm_client.types.target import Target

TARGET = Target(CATALOG["ollama"], "m", "http://localhost:11434")
MODELS = [
    ModelInfo("llama3.2", "ollama", owned_by="meta", context_length=8192),
    ModelInfo("größe/模型:7b", "ollama", created=1, description="ünïcode"),
    ModelInfo("able", "ollama", capabilities=("tools", "vision"), max_output_tokens=9),
]


class WallClock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def cache(tmp_path: Path, clock: WallClock) -> ModelCache:
    return ModelCache(tmp_path / "cache" / "models", 300.0, clock)


def loaded(cache: ModelCache, target: Target = TARGET) -> list[ModelInfo] | None:
    stored = cache.load(target)
    return None if stored is None else stored.models


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "models").iterdir())


def test_nothing_stored_is_nothing(cache: ModelCache) -> None:
    assert cache.load(TARGET) is None


def test_stored_list_comes_back_whole(cache: ModelCache) -> None:
    cache.store(TARGET, MODELS)

    assert cache.load(TARGET) == (MODELS, 0.0, True)


def test_empty_list_is_a_list(cache: ModelCache) -> None:
    cache.store(TARGET, [])

    assert loaded(cache) == []


@pytest.mark.parametrize(
    ("passed", "age", "is_fresh"),
    [
        (0.0, 0.0, True),
        (299.5, 299.5, True),
        (300.0, 300.0, False),
        (1e9, 1e9, False),
        (-1.0, None, False),
    ],
)
def test_list_is_fresh_for_its_time_and_not_from_the_future(
    cache: ModelCache, clock: WallClock, passed: float, age: float | None, is_fresh: bool
) -> None:
    cache.store(TARGET, MODELS)
    clock.now += passed

    assert cache.load(TARGET) == (MODELS, age, is_fresh)


@pytest.mark.parametrize(
    "other",
    [
        replace(TARGET, base_url="http://other:11434"),
        replace(TARGET, api_key=Secret("sk-other-account")),
        replace(TARGET, basic_auth=Secret("somebody:else")),
        replace(TARGET, headers=(("x-team", "other"),)),
        replace(TARGET, query="api-version=2"),
        replace(TARGET, provider=CATALOG["lmstudio"]),
    ],
    ids=["address", "key", "password", "header", "query", "provider"],
)
def test_list_of_one_server_is_not_that_of_another(cache: ModelCache, other: Target) -> None:
    cache.store(TARGET, MODELS)

    assert cache.load(other) is None


def test_list_is_the_same_for_every_model_of_a_server(cache: ModelCache) -> None:
    cache.store(TARGET, MODELS)

    assert loaded(cache, replace(TARGET, model="another")) == MODELS


def test_provider_of_any_name_has_its_list_in_the_directory(
    cache: ModelCache, tmp_path: Path
) -> None:
    odd = replace(TARGET, provider=replace(CATALOG["ollama"], name="../our team/größe"))
    cache.store(odd, MODELS)

    assert loaded(cache, odd) == MODELS
    assert len(files(tmp_path)) == 1


def test_key_is_not_on_disk(cache: ModelCache, tmp_path: Path) -> None:
    cache.store(replace(TARGET, api_key=Secret("sk-very-secret-key")), MODELS)

    (file,) = files(tmp_path)
    assert b"very-secret" not in file.read_bytes() + file.name.encode()


def test_list_is_private_whatever_the_umask(cache: ModelCache, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        cache.store(TARGET, MODELS)
    finally:
        os.umask(before)

    (file,) = files(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("ttl", [0.0, -1.0])
def test_no_time_to_live_keeps_nothing_and_reads_nothing(
    cache: ModelCache, tmp_path: Path, clock: WallClock, ttl: float
) -> None:
    without = ModelCache(tmp_path / "cache" / "models", ttl, clock)
    without.store(TARGET, MODELS)
    assert not (tmp_path / "cache").exists()

    cache.store(TARGET, MODELS)
    assert without.load(TARGET) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"time": "yesterday", "models": []}',
        b'{"time": 1800000000.0}',
        b'{"time": 1800000000.0, "models": 3}',
        b'{"time": 1800000000.0, "models": ["x"]}',
        b'{"time": 1800000000.0, "models": [{"id": "x"}]}',
        b'{"time": 1800000000.0, "models": [{"id": "x", "provider": "y", "of_a_later_version": 1}]}',
        b'{"time": 1800000000.0, "models": [{"id": 3, "provider": "y"}]}',
        b'{"time": NaN, "models": []}',
        b'{"time": Infinity, "models": []}',
        b"[" * 100_000,
    ],
)
def test_damaged_file_is_no_list_and_is_replaced(
    cache: ModelCache, tmp_path: Path, content: bytes
) -> None:
    cache.store(TARGET, MODELS)
    (file,) = files(tmp_path)
    file.write_bytes(content)

    assert cache.load(TARGET) is None
    assert list(cache.stored_models()) == []
    cache.store(TARGET, MODELS)
    assert loaded(cache) == MODELS


def test_directory_that_cannot_be_made_costs_only_the_cache(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("a file")
    cache = ModelCache(tmp_path / "plain" / "models", 300.0)
    cache.store(TARGET, MODELS)

    assert cache.load(TARGET) is None
    cache.invalidate()


@pytest.mark.parametrize(
    "failure", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "ctrl-c"]
)
def test_list_that_cannot_be_written_leaves_no_half_written_file(
    cache: ModelCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    cache.store(TARGET, MODELS[:1])

    def fail(*_: object) -> Path:
        raise failure

    monkeypatch.setattr(Path, "replace", fail)
    with contextlib.suppress(KeyboardInterrupt):
        cache.store(TARGET, MODELS)

    assert len(files(tmp_path)) == 1
    assert loaded(cache) == MODELS[:1]


def test_invalidated_lists_are_gone(cache: ModelCache, tmp_path: Path) -> None:
    cache.store(TARGET, MODELS)
    cache.store(replace(TARGET, base_url="http://other"), MODELS)
    (tmp_path / "cache" / "models" / "left-by-a-killed-process.tmp").touch()
    cache.invalidate()

    assert files(tmp_path) == []
    assert cache.load(TARGET) is None


def test_list_that_cannot_be_deleted_is_an_error(
    cache: ModelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store(TARGET, MODELS)

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(ConfigurationError, match=r"Cannot delete .*: Permission denied"):
        cache.invalidate()


def test_writers_at_the_same_time_leave_a_whole_list(cache: ModelCache, tmp_path: Path) -> None:
    lists = [[ModelInfo(f"{writer}-{i}", "ollama") for i in range(200)] for writer in range(8)]
    seen: list[list[ModelInfo] | None] = []

    def work(models: list[ModelInfo]) -> None:
        for _ in range(20):
            cache.store(TARGET, models)
            seen.append(loaded(cache))

    threads = [threading.Thread(target=work, args=(models,)) for models in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(seen) == 160
    assert all(models in lists for models in seen)
    assert len(files(tmp_path)) == 1


def test_sixteen_processes_leave_a_whole_list(tmp_path: Path) -> None:
    directory = tmp_path / "cache" / "models"
    code = (
        "import sys; from pathlib import Path\n"
        "from llm_client.storage.model_cache import ModelCache\n"
        "from llm_client.providers.catalog import CATALOG\n"
        "from llm_client.types.models import ModelInfo; from llm_client.types.target import Target\n"
        "target = Target(CATALOG['ollama'], 'm', 'http://localhost:11434')\n"
        "cache = ModelCache(Path(sys.argv[1]), 300.0)\n"
        "for i in range(50):\n"
        "    cache.store(target, [ModelInfo(sys.argv[2], 'ollama')] * 100)\n"
        "    assert len(cache.load(target).models) == 100\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(directory), str(i)]) for i in range(16)
    ]

    assert [process.wait(60) for process in processes] == [0] * 16
    (file,) = files(tmp_path)
    assert len(json.loads(file.read_bytes())["models"]) == 100
    assert len(loaded(ModelCache(directory, 300.0)) or ()) == 100


def test_all_lists_together_are_those_of_every_server_or_of_one_provider(
    cache: ModelCache, clock: WallClock
) -> None:
    cache.store(TARGET, MODELS[:1])
    cache.store(replace(TARGET, base_url="http://other"), MODELS[1:2])
    cloud = CATALOG["ollama-cloud"]
    cache.store(replace(TARGET, provider=cloud), [ModelInfo("x", "ollama-cloud")])
    clock.now += 1e6

    assert {model.id for model in cache.stored_models()} == {"llama3.2", "größe/模型:7b", "x"}
    assert {model.id for model in cache.stored_models("ollama")} == {"llama3.2", "größe/模型:7b"}
    assert [model.id for model in cache.stored_models("ollama-cloud")] == ["x"]
    assert list(cache.stored_models("nobody")) == []


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [pytest.param(50.0, 50.0, id="code"), pytest.param(None, 70.0, id="settings")],
)
def test_lists_live_as_long_as_code_says_then_the_settings(
    tmp_path: Path, ttl: float | None, seconds: float
) -> None:
    environ = {"LLM_CLIENT_CACHE_DIR": str(tmp_path)}
    cache = open_model_cache(Settings(models_ttl=70.0), environ, ttl=ttl)
    cache.store(TARGET, MODELS)
    (file,) = (tmp_path / "models").iterdir()

    for age, is_fresh in ((seconds - 5, True), (seconds + 5, False)):
        file.write_text(json.dumps({"time": time.time() - age, "models": []}))
        stored = cache.load(TARGET)
        assert stored is not None
        assert stored.is_fresh is is_fresh
