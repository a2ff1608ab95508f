"""What Tab offers as values, and that nothing of it is asked for over the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_client.cli.completion_words import KINDS, offered

CONFIG = r"""
[profiles]
alias = "fast"

[profiles.fast]
model = "ollama/llama3.2"

[profiles."my project"]
temperature = 0.5

[providers.workplace]
dialect = "openai-chat"
base_url = "http://localhost:1/v1"

[pricing."workplace/a \"b\""]
input = 1.0
"""


@pytest.fixture
def config(clean_environment: Path) -> Path:
    path = clean_environment / ".config" / "llm_client" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(CONFIG)
    return path


def words(kind: str, incomplete: str = "", **flags: Any) -> list[str]:
    found = [
        word if isinstance(word, str) else word[0] for word in offered(kind, flags, incomplete)
    ]
    return [word for word in found if word.startswith(incomplete)]


def test_providers_are_those_of_catalog_and_configuration(config: Path) -> None:
    found = words("providers")
    assert {"anthropic", "embedded", "ollama", "workplace"} <= {*found}
    assert len(found) == len({*found})


def test_profiles_come_with_their_models(config: Path) -> None:
    assert offered("profiles", {}, "") == [
        ("alias", "fast"),
        ("fast", "ollama/llama3.2"),
        ("my project", ""),
    ]


def test_profiles_are_of_the_file_that_is_named(config: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[profiles.only]\nmodel = "openai/gpt-5"\n')
    assert words("profiles", config=other) == ["only"]
    assert words("profiles", config=str(other)) == ["only"]


@pytest.mark.parametrize("typed", ["~/other.toml", "$HOME/other.toml", "${HOME}/other.toml"])
def test_file_is_named_as_it_was_typed(typed: str, config: Path, clean_environment: Path) -> None:
    (clean_environment / "other.toml").write_text('[profiles.only]\nmodel = "openai/gpt-5"\n')
    assert words("profiles", config=Path(typed)) == ["only"]


@pytest.mark.parametrize("text", ["[profiles\n", "nonsense = 1\n", None], ids=["toml", "key", "no"])
def test_bad_configuration_offers_nothing_of_its_own(config: Path, text: str | None) -> None:
    if text is None:
        config.unlink()
        config.mkdir()
    else:
        config.write_text(text)
    assert words("profiles") == []
    assert "workplace" not in words("providers")
    assert "retry.delay" in words("setting keys")


@pytest.mark.parametrize(
    ("kind", "some"),
    [
        ("dialects", {"openai-chat", "anthropic", "ollama"}),
        ("efforts", {"minimal", "high"}),
        ("targets", {"alias", "fast", "my project"}),
    ],
)
def test_words_of_a_kind_are_offered(kind: str, some: set[str], config: Path) -> None:
    assert some <= {*words(kind)}


@pytest.mark.parametrize(
    ("incomplete", "some", "none"),
    [
        ("", {"default_profile", "retry.delay", "providers.workplace.timeout"}, "providers.ollama"),
        ("profiles.", {"profiles.fast.model", 'profiles."my project".model'}, "profiles.alias"),
        ("providers.oll", {"providers.ollama.timeout"}, "providers.workplace"),
        ("pricing.", {r'pricing."workplace/a \"b\"".input'}, "pricing.*"),
        ("budget.pr", {"budget.profiles.fast.daily_usd"}, "budget.projects.*"),
        ("profiles.new.m", {"profiles.new.model", "profiles.new.max_tokens"}, "profiles.fast"),
        ("budget.projects.web.d", {"budget.projects.web.daily_usd"}, "budget.projects.*"),
    ],
    ids=["all", "profiles", "any-provider", "quoted", "nested", "new", "new-nested"],
)
def test_keys_have_the_names_that_are_configured(
    incomplete: str, some: set[str], none: str, config: Path
) -> None:
    found = words("setting keys", incomplete)
    assert some <= {*found}
    assert not [key for key in found if key.startswith(none)]
    assert not [key for key in found if "*" in key]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("cache.responses", ["true", "false"]),
        ("default_profile", ["alias", "fast", "my project"]),
        ("profiles.fast.model", ["alias", "fast", "my project"]),
        ("routing.vision", ["alias", "fast", "my project"]),
        ("budget.on_exceeded", ["block", "warn"]),
        ("retry.delay", []),
        ("retry.nonsense", []),
        ("", []),
        (None, []),
    ],
)
def test_values_are_those_of_the_setting(
    key: str | None, expected: list[str], config: Path
) -> None:
    assert words("setting values", key=key) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_fails_without_a_home(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "LLM_CLIENT_CACHE_DIR"):
        monkeypatch.delenv(name)
    offered(kind, {}, "")
