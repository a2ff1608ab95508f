"""Model lists on disk: fresh or not, damaged, unwritable, shared."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.providers.catalog import CATALOG
from llm_client.storage.model_cache import ModelCache
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


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "models").iterdir())


def test_nothing_stored_is_nothing(cache: ModelCache) -> None:
    assert cache.load(TARGET) is None


def test_stored_list_comes_back_whole(cache: ModelCache) -> None:
    cache.store(TARGET, MODELS)

    assert cache.load(TARGET) == MODELS


def test_empty_list_is_a_list(cache: ModelCache) -> None:
    cache.store(TARGET, [])

    assert cache.load(TARGET) == []


@pytest.mark.parametrize(
    ("age", "is_fresh"), [(0.0, True), (299.9, True), (300.0, False), (1e9, False), (-1.0, False)]
)
def test_list_is_fresh_for_its_time_and_not_from_the_future(
    cache: ModelCache, clock: WallClock, age: float, is_fresh: bool
) -> None:
    cache.store(TARGET, MODELS)
    clock.now += age

    assert (cache.load(TARGET) is not None) is is_fresh


@pytest.mark.parametrize(
    "other",
    [
        replace(TARGET, base_url="http://other:11434"),
        replace(TARGET, api_key=Secret("sk-other-account")),
        replace(TARGET, provider=CATALOG["lmstudio"]),
    ],
    ids=["address", "key", "provider"],
)
def test_list_of_one_server_is_not_that_of_another(cache: ModelCache, other: Target) -> None:
    cache.store(TARGET, MODELS)

    assert cache.load(other) is None


def test_list_is_the_same_for_every_model_of_a_server(cache: ModelCache) -> None:
    cache.store(TARGET, MODELS)

    assert cache.load(replace(TARGET, model="another")) == MODELS


def test_key_is_not_on_disk(cache: ModelCache, tmp_path: Path) -> None:
    cache.store(replace(TARGET, api_key=Secret("sk-very-secret-key")), MODELS)

    (file,) = files(tmp_path)
    assert b"very-secret" not in file.read_bytes() + file.name.encode()
    assert file.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("ttl", [0.0, -1.0])
def test_no_time_to_live_keeps_nothing(tmp_path: Path, clock: WallClock, ttl: float) -> None:
    cache = ModelCache(tmp_path / "cache" / "models", ttl, clock)
    cache.store(TARGET, MODELS)

    assert not (tmp_path / "cache").exists()
    assert cache.load(TARGET) is None


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
        b'{"time": NaN, "models": []}',
    ],
)
def test_damaged_file_is_no_list_and_is_replaced(
    cache: ModelCache, tmp_path: Path, content: bytes
) -> None:
    cache.store(TARGET, MODELS)
    (file,) = files(tmp_path)
    file.write_bytes(content)

    assert cache.load(TARGET) is None
    cache.store(TARGET, MODELS)
    assert cache.load(TARGET) == MODELS


def test_directory_that_cannot_be_made_costs_only_the_cache(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("a file")
    cache = ModelCache(tmp_path / "plain" / "models", 300.0)
    cache.store(TARGET, MODELS)

    assert cache.load(TARGET) is None
    cache.invalidate()


def test_disk_that_is_full_leaves_no_half_written_file(
    cache: ModelCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store(TARGET, MODELS[:1])

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("llm_client.storage.model_cache.json.dump", fail)
    cache.store(TARGET, MODELS)

    assert len(files(tmp_path)) == 1
    assert cache.load(TARGET) == MODELS[:1]


def test_invalidated_lists_are_gone(cache: ModelCache, tmp_path: Path) -> None:
    cache.store(TARGET, MODELS)
    cache.store(replace(TARGET, base_url="http://other"), MODELS)
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
            seen.append(cache.load(TARGET))

    threads = [threading.Thread(target=work, args=(models,)) for models in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(seen) == 160
    assert all(models in lists for models in seen)
    assert len(files(tmp_path)) == 1


def test_processes_share_the_lists(tmp_path: Path) -> None:
    directory = tmp_path / "cache" / "models"
    code = (
        "import sys; from pathlib import Path\n"
        "from llm_client.storage.model_cache import ModelCache\n"
        "from llm_client.providers.catalog import CATALOG\n"
        "from llm_client.types.models import ModelInfo; from llm_client.types.target import Target\n"
        "target = Target(CATALOG['ollama'], 'm', 'http://localhost:11434')\n"
        "ModelCache(Path(sys.argv[1]), 300.0).store(target, [ModelInfo('x', 'ollama')])\n"
    )
    subprocess.run([sys.executable, "-c", code, str(directory)], check=True, timeout=60)

    assert ModelCache(directory, 300.0).load(TARGET) == [ModelInfo("x", "ollama")]
    (file,) = files(tmp_path)
    assert json.loads(file.read_bytes())["models"][0]["id"] == "x"
