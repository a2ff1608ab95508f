"""What Tab offers behind `-m`: from lists on disk, quickly, and silent whatever is wrong."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from llm_client.cli import model_names
from llm_client.cli.model_names import known_names, offered
from llm_client.policy.route import resolve_target
from llm_client.storage.model_cache import ModelCache
from llm_client.types.config import LLMConfig, Settings
from llm_client.types.models import ModelInfo

from .program import run


@pytest.fixture(autouse=True)
def lists(clean_environment: Path) -> Path:
    """Keep lists of three providers, one of them embeds too; return where."""
    directory = clean_environment / ".cache" / "llm_client" / "models"
    cache = ModelCache(directory, 300.0, lambda: 0.0)  # long ago
    for name, ids in {
        "ollama": ("llama3.2:1b", "nomic-embed-text", "evil\x1b[31m"),
        "openai": ("gpt-5", "gpt-5-mini", "o3"),
        "openai-compatible": ("somewhere",),
    }.items():
        config = LLMConfig(provider=name, base_url="http://localhost:1", api_key="sk-0123456789")
        target = resolve_target(config, Settings(), {})
        cache.store(target, [ModelInfo(id, name) for id in ids])
    return directory


@pytest.mark.parametrize(
    ("incomplete", "provider", "names"),
    [
        ("", None, ["ollama/llama3.2:1b", "openai/gpt-5", "openai/gpt-5-mini", "openai/o3"]),
        ("openai/g", None, ["openai/gpt-5", "openai/gpt-5-mini"]),
        ("o", "openai", ["o3"]),
        ("", "ollama", ["llama3.2:1b"]),
        ("", "openai-compatible", ["somewhere"]),
        ("nobody/", None, []),
        ("", "nobody", []),
    ],
)
def test_names_are_those_of_stored_lists(
    incomplete: str, provider: str | None, names: list[str]
) -> None:
    assert known_names(incomplete, provider, os.environ) == names
    assert offered(incomplete, provider) == names


def test_nothing_stored_or_damaged_offers_nothing(lists: Path) -> None:
    for file in lists.iterdir():
        file.write_bytes(b"{")
    assert offered("", None) == []
    shutil.rmtree(lists)
    assert offered("", None) == []


def test_failure_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(model_names, "known_names", fail)
    assert offered("", None) == []


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("generate -m openai/gpt", ["openai/gpt-5", "openai/gpt-5-mini"]),
        ("generate -p openai -m gpt", ["gpt-5", "gpt-5-mini"]),
        ("models show o", ["ollama/llama3.2:1b", "openai/gpt-5", "openai/gpt-5-mini", "openai/o3"]),
    ],
)
def test_program_answers_tab_without_asking_anybody(
    line: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_LLM_CLIENT_COMPLETE", "fish")
    result = run(*line.split())
    assert result.text.split() == ["words", *names]
    assert (result.status, result.stderr) == (0, "")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX rights")
def test_cache_that_cannot_be_written_is_read(lists: Path) -> None:
    lists.chmod(0o500)
    try:
        assert offered("", "openai") == ["gpt-5", "gpt-5-mini", "o3"]
    finally:
        lists.chmod(0o700)
