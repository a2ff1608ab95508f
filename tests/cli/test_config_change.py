"""`llm-client config set` and `unset`: what a key and a value mean, and what is said about it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from llm_client.policy.setting_schema import SETTINGS

from .config_runs import Ran, RunConfig, config_file, runner
from .program import run

FILE = """\
# mine
[profiles.fast]
model = "ollama/llama3.2" # small

[profiles]
vision = "fast"
"""


@pytest.fixture
def config(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    return runner(capsys, monkeypatch)


@pytest.fixture
def file(clean_environment: Path) -> Path:
    return config_file(clean_environment, FILE)


def at(file: Path, *names: str) -> Any:
    table: Any = tomllib.loads(file.read_text())
    for name in names:
        table = table[name]
    return table


@pytest.mark.parametrize(
    ("key", "text", "names", "value"),
    [
        ("retry.max_retries", "5", ("retry", "max_retries"), 5),
        ("retry.delay", "0.5", ("retry", "delay"), 0.5),
        ("cache.responses", "on", ("cache", "responses"), True),
        ("default_profile", "fast", ("default_profile",), "fast"),
        ("profiles.fast.seed", "-5", ("profiles", "fast", "seed"), -5),
        ("profiles.fast.system", "Be\nbrief: 5", ("profiles", "fast", "system"), "Be\nbrief: 5"),
        ("profiles.fast.fallback", "vision, openai/x", ("profiles", "fast", "fallback"), ["vision", "openai/x"]),
        ("profiles.fast.fallback", '["vision"]', ("profiles", "fast", "fallback"), ["vision"]),
        ("profiles.big", "fast", ("profiles", "big"), "fast"),
        ('pricing."work/our-model".input', "0.4", ("pricing", "work/our-model", "input"), 0.4),
        ("providers.ollama.options.num_ctx", "8192", ("providers", "ollama", "options"), {"num_ctx": 8192}),
        ("providers.ollama.options.mode", "fast", ("providers", "ollama", "options"), {"mode": "fast"}),
        ("providers.ollama.options", '{"a": {"b": [1]}}', ("providers", "ollama", "options"), {"a": {"b": [1]}}),
        ("providers.azure.endpoint", "https://x.example.com", ("providers", "azure", "endpoint"), "https://x.example.com"),
        ("providers.work.headers.x-team", "ours", ("providers", "work", "headers"), {"x-team": "ours"}),
        ("providers.work.api_key_command", "pass show 'a b'", ("providers", "work", "api_key_command"), ["pass", "show", "a b"]),
        ("providers.work.verify_ssl", "system", ("providers", "work", "verify_ssl"), "system"),
    ],
)  # fmt: skip
def test_value_is_read_as_its_setting_wants_it(
    config: RunConfig, file: Path, key: str, text: str, names: tuple[str, ...], value: object
) -> None:
    ran = config("config", "set", key, text)
    assert (ran.status, ran.text) == (0, "")
    assert f"Set {key} in {file}, line " in ran.said
    found = at(file, *names)
    assert found == value
    assert type(found) is type(value)
    assert file.read_text().startswith("# mine\n")
    assert "# small" in file.read_text()


def test_every_setting_without_a_name_can_be_set_to_its_default(
    config: RunConfig, clean_environment: Path
) -> None:
    file = config_file(clean_environment)
    plain = [row for row in SETTINGS if "*" not in row.path and row.default is not None]
    assert len(plain) > 8
    for setting in plain:
        text = json.dumps(setting.default).strip('"')
        ran = config("config", "set", setting.path, text)
        assert ran.status == 0, ran.said
        assert at(file, *setting.path.split(".")) == setting.default


def test_second_entry_of_a_table_joins_the_first(config: RunConfig, file: Path) -> None:
    for name, text in (("a", "1"), ("b", "2"), ("a", "3")):
        assert config("config", "set", f"providers.ollama.options.{name}", text).status == 0
    assert at(file, "providers", "ollama", "options") == {"a": 3, "b": 2}
    assert file.read_text().count("options") == 1


@pytest.mark.parametrize(
    ("key", "text", "message", "hint"),
    [
        ("retry.max_retires", "5", "There is no setting 'retry.max_retires'.", "'max_retries'"),
        ("retries", "5", "There is no setting 'retries'.", "retry"),
        ("retry", "5", "'retry' is a table, not a setting.", "max_retries"),
        ("retry.max_retries", "many", "retry.max_retries must be a whole number", ""),
        ("profiles.fast.overflow", "trin", "must be refuse, trim or summarize", "'trim'"),
        ("providers.ollama.optons.a", "1", "There is no setting 'providers.ollama.optons'", "'options'"),
        ("providers.ollama.endpoint", "x", "There is no setting 'providers.ollama.endpoint'", ""),
        ("providers.azure.endpont", "x", "There is no setting 'providers.azure.endpont'", "'endpoint'"),
        ("profiles", "x", "'profiles' is a table, not a setting.", "names of your own"),
        ("profiles.fast.options", '{"a": [NaN]}', "profiles.fast.options has the number nan", ""),
        ("profiles.fast.options.a", "1e999", "profiles.fast.options.a has the number inf", ""),
        ("providers.x.headers.a.b", "1", "There is no setting", ""),
        ("a..b", "1", "'a..b' is no name of a setting.", "dotted"),
        ("profiles.fast.options", '{"a": null}', "profiles.fast.options has a null", ""),
        ("profiles.vision.model", "a/b", "profiles.vision is 'fast' and has no settings", "config unset profiles.vision"),
        ("profiles.fast", "vision", "profiles.fast has settings of its own: model.", "config unset profiles.fast"),
        ("default_profile", "fats", "default_profile is 'fats', and there is no such profile", "'fast'"),
        ("profiles.fast.fallback", "vison", "'vison' is neither a profile nor PROVIDER/MODEL", "'vision'"),
        ("profiles.vision", "vision", "alias of itself", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_told_and_leaves_every_byte(
    config: RunConfig, file: Path, key: str, text: str, message: str, hint: str
) -> None:
    ran = config("config", "set", key, text)
    assert (ran.status, ran.text) == (3, "")
    assert message in ran.said
    assert hint in ran.said
    assert file.read_text() == FILE


KEY = "sk-proj-Zm9vYmFyYmF6cXV4"


@pytest.mark.parametrize(
    ("key", "text", "provider"),
    [
        ("providers.openai.api_key", KEY, "openai"),
        ("providers.openai.api_key", "an unusual one", "openai"),
        ("api_key", "an unusual one", "PROVIDER"),
        ("providers.openai.api_key_env", KEY, "openai"),
        ("providers.openai.api_key_command", f"echo {KEY}", "openai"),
        ("providers.ollama.options.auth", KEY, "ollama"),
        ("profiles.fast.system", f"Bearer {KEY}", "PROVIDER"),
    ],
)
def test_key_is_refused_unseen_and_creds_is_named(
    config: RunConfig, file: Path, key: str, text: str, provider: str
) -> None:
    ran = config("config", "set", key, text)
    assert ran.status == 3
    assert "keys do not stand in the configuration" in ran.said
    assert f"`llm-client creds set {provider}`" in ran.said
    assert text not in ran.said
    assert file.read_text() == FILE


def test_header_may_be_a_key(config: RunConfig, file: Path) -> None:
    assert config("config", "set", "providers.work.headers.x-key", KEY).status == 0
    assert at(file, "providers", "work", "headers") == {"x-key": KEY}


def test_header_in_a_file_that_others_may_read_is_told(config: RunConfig, file: Path) -> None:
    assert "may read" not in config("config", "set", "providers.work.headers.x-a", "1").said
    file.chmod(0o644)
    assert "may read" not in config("config", "set", "retry.delay", "1").said
    said = config("config", "set", "providers.work.headers.x-key", KEY).said
    assert f"Others may read {str(file)!r}" in said
    assert f"`chmod 600 {file}`" in said
    assert KEY not in said


def test_header_with_a_line_break_is_refused_unseen(config: RunConfig, file: Path) -> None:
    ran = config("config", "set", "providers.work.headers.x-key", "secret\nmore")
    assert ran.status == 3
    assert "secret" not in ran.said
    assert file.read_text() == FILE


def test_variable_that_stands_over_it_is_told(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_MAX_RETRIES", "7")
    over = "LLM_CLIENT_MAX_RETRIES stands over it and says something else: `unset"
    assert over in config("config", "set", "retry.max_retries", "5").said
    still = config("config", "unset", "retry.max_retries").said
    assert "LLM_CLIENT_MAX_RETRIES says it still: `unset LLM_CLIENT_MAX_RETRIES`." in still


def test_project_file_that_stands_over_it_is_told(
    config: RunConfig, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".llm_client.toml").write_text('profile = "fast"\n')
    ran = config("config", "set", "default_profile", "vision")
    assert "Here .llm_client.toml:1 stands over it." in ran.said


def test_project_file_that_is_wrong_fails_no_change_of_another_file(
    config: RunConfig, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".llm_client.toml").write_text('base_url = "http://h"\n')
    ran = config("config", "set", "retry.delay", "2")
    assert (ran.status, at(file, "retry", "delay")) == (0, 2)
    assert "'base_url' can never be set there" in ran.said


@pytest.mark.parametrize(
    ("provider", "hint"), [("olama", " Did you mean 'ollama'?"), ("work", "`base_url`.\n")]
)
def test_unknown_provider_is_made_and_told(
    config: RunConfig, file: Path, provider: str, hint: str
) -> None:
    ran = config("config", "set", f"providers.{provider}.timeout", "5")
    assert ran.status == 0
    assert f"{provider!r} is no provider of the catalog: it needs a `base_url`." in ran.said
    assert hint in ran.said
    ran = config("config", "set", f"providers.{provider}.base_url", "http://h/v1")
    assert "catalog" not in ran.said


@pytest.mark.parametrize(
    ("key", "left"),
    [
        ("profiles.vision", '# mine\n[profiles.fast]\nmodel = "ollama/llama3.2" # small\n\n'),
        ("profiles", "# mine\n"),
    ],
)  # fmt: skip
def test_unset_takes_a_setting_or_a_table_out(
    config: RunConfig, file: Path, key: str, left: str
) -> None:
    ran = config("config", "unset", key)
    assert (ran.status, ran.text) == (0, "")
    assert f"Took {key} out of {file}." in ran.said
    assert file.read_text() == left


def test_unset_of_what_is_not_there_is_told(config: RunConfig, file: Path) -> None:
    ran = config("config", "unset", "cache.responses")
    assert (ran.status, ran.said) == (0, f"cache.responses does not stand in {file}.\n")
    assert config("config", "unset", "cache").status == 0
    ran = config("config", "unset", "cache.respones")
    assert ran.status == 3
    assert "Did you mean 'responses'?" in ran.said


def test_unset_that_leaves_a_name_dangling_is_refused(config: RunConfig, file: Path) -> None:
    ran = config("config", "unset", "profiles.fast")
    assert ran.status == 3
    assert "profiles.vision is an alias of 'fast', and there is no such profile" in ran.said
    assert file.read_text() == FILE


def test_named_file_is_made_and_changed(config: RunConfig, tmp_path: Path) -> None:
    file = tmp_path / "new" / "other.json"
    for value in ("5", "6"):
        ran: Ran = config("config", "set", "--config", str(file), "retry.max_retries", value)
        assert ran.status == 0, ran.said
    assert json.loads(file.read_text()) == {"retry": {"max_retries": 6}}


def test_bytes_that_are_no_utf8_are_refused(clean_environment: Path) -> None:
    result = run("config", "set", "profiles.fast.system", b"caf\xe9")
    assert result.status == 3
    assert "characters that no configuration can have" in result.stderr
    assert not config_file(clean_environment).exists()
