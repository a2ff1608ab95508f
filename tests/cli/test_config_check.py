"""`llm-client config validate` and `config path`."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_client.policy.setting_schema import OTHER_VARIABLES, SETTINGS
from llm_client.providers.catalog import CATALOG

from .config_runs import RunConfig, config_file, runner


@pytest.fixture
def config(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    return runner(capsys, monkeypatch)


def test_path_is_all_that_stdout_gets(config: RunConfig, clean_environment: Path) -> None:
    file = config_file(clean_environment)
    ran = config("config", "path")
    assert (ran.status, ran.text) == (0, f"{file}\n")
    assert ran.said == "There is no such file yet: `llm-client config init` makes one.\n"
    config_file(clean_environment, "")
    ran = config("config", "path")
    assert (ran.status, ran.text, ran.said) == (0, f"{file}\n", "")


def test_path_of_what_cannot_be_looked_at_is_printed(
    config: RunConfig, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config_file(clean_environment, "")

    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    ran = config("config", "path")
    assert (ran.status, ran.text, ran.said) == (0, f"{file}\n", "")


def test_path_follows_flag_and_variable(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_CONFIG", str(tmp_path / "a.toml"))
    assert config("config", "path").text == f"{tmp_path / 'a.toml'}\n"
    assert config("config", "path", "--config", "b.toml").text == "b.toml\n"


def test_help_lists_the_commands_and_none_is_usage(config: RunConfig) -> None:
    ran = config("config")
    assert ran.status == 2
    for name in ("init", "path", "show", "set", "unset", "validate", "edit"):
        line = next(line for line in ran.said.splitlines() if line.startswith(f"  {name} "))
        assert not line.endswith("..."), line


def test_valid_file_is_said_to_be(config: RunConfig, clean_environment: Path) -> None:
    file = config_file(clean_environment, "[retry]\nmax_retries = 1\n")
    ran = config("config", "validate")
    assert (ran.status, ran.text, ran.said) == (0, f"{file}: valid\n", "")
    assert config("config", "validate", "--json").json == {
        "schema_version": 1,
        "file": str(file),
        "valid": True,
        "problems": [],
    }


def test_missing_file_is_no_problem_unless_it_is_named(
    config: RunConfig, clean_environment: Path
) -> None:
    file = config_file(clean_environment)
    ran = config("config", "validate")
    assert (ran.status, ran.text) == (0, f"{file}: not there, so the defaults hold\n")
    for named in (["nowhere.toml"], ["--config", "nowhere.toml"]):
        ran = config("config", "validate", *named)
        assert ran.status == 3
        assert "There is no configuration file 'nowhere.toml'." in ran.said


WRONG = """\
default_profile = "fats"
retries = 3

[profiles.fast]
model = "olama/x"
temprature = 1
fallback = "big"

[profiles]
a = "b"
b = "a"

[providers.work]
base_url = "http://h/v1"
timeout = "long"

[retry]
delay = -1
"""


def test_every_problem_is_told_with_its_line(config: RunConfig, clean_environment: Path) -> None:
    file = config_file(clean_environment, WRONG)
    ran = config("config", "validate")
    assert (ran.status, ran.text) == (3, "")
    for line, words in (
        (2, "there is no setting 'retries'"),
        (6, "there is no setting 'profiles.fast.temprature'"),
        (7, "profiles.fast.fallback must be a list of texts"),
        (15, "providers.work.timeout must be a number of seconds"),
        (18, "retry.delay must be"),
    ):
        assert f"{file}, line {line}: {words}" in ran.said
    assert "Did you mean 'temperature'?" in ran.said


def test_every_dangling_name_is_told(config: RunConfig, clean_environment: Path) -> None:
    text = 'default_profile = "fats"\n[profiles.fast]\nmodel = "olama/x"\n[profiles]\na = "b"\nb = "a"\n'
    config_file(clean_environment, text)
    shown = config("config", "validate", "--json")
    assert shown.status == 3
    assert shown.json["valid"] is False
    told = [problem["message"].partition(": ")[2] for problem in shown.json["problems"]]
    assert len(told) == 3
    for words in ("'fats'", "a -> b -> a", "'olama'"):
        assert sum(words in text for text in told) == 1
    assert "error: In the configuration" in shown.said


def test_provider_that_nobody_can_ask_is_told(
    config: RunConfig, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "[providers.olama]\ntimeout = 5\n[providers.work]\ntimeout = 5\n"
        '[providers.box]\nbase_url = "http://box"\n[providers.ollama]\ntimeout = 5\n'
    )
    file = config_file(clean_environment, text)
    ran = config("config", "validate")
    assert ran.status == 3
    told = [line for line in ran.said.splitlines() if line.startswith("error: ")]
    assert told == [
        f"error: In the configuration {file}, line {line}: providers.{name}: there is no provider "
        f"'{name}' in the catalog, and no `base_url` says where it is."
        for line, name in ((1, "olama"), (3, "work"))
    ]
    assert "  Did you mean 'ollama'?\n" in ran.said
    assert "  `llm-client config set providers.work.base_url http://HOST:PORT/v1`.\n" in ran.said
    monkeypatch.setenv("LLM_CLIENT_WORK_BASE_URL", "http://work")
    assert "'work'" not in config("config", "validate").said


def test_path_may_begin_with_the_home(config: RunConfig, clean_environment: Path) -> None:
    file = clean_environment / "own.toml"
    file.write_text("")
    assert config("config", "validate", "~/own.toml").text == f"{file}: valid\n"
    assert config("config", "validate", "--config", "~/own.toml").text == f"{file}: valid\n"
    assert config("config", "path", "--config", "~/own.toml").text == f"{file}\n"


def test_variables_are_checked_too(
    config: RunConfig, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_MAX_RETRIES", "many")
    monkeypatch.setenv("LLM_CLIENT_MAXRETRIES", "3")
    monkeypatch.setenv("LLM_CLIENT_WORK_HEADERS", "{}")
    monkeypatch.setenv("LLM_CLIENT_OLLAMA_TIMEOT", "3")
    monkeypatch.setenv("LLM_CLIENT_XYZZY", "3")
    monkeypatch.setenv("LLM_CLIENT_BLANK", " ")
    said = config("config", "validate").said
    assert "LLM_CLIENT_MAX_RETRIES must be a whole number" in said
    assert "LLM_CLIENT_MAXRETRIES is none that is read.\n  Did you mean 'LLM_CLIENT_MAX_R" in said
    assert "LLM_CLIENT_OLLAMA_TIMEOT is none that is read.\n  Did you mean 'LLM_CLIENT_OLL" in said
    assert "No provider of the catalog or of the file is called 'work'." in said
    # What all variables begin with makes no two of them alike.
    assert "LLM_CLIENT_XYZZY is none that is read.\n  `unset LLM_CLIENT_XYZZY`." in said
    assert "BLANK" not in said


def test_no_variable_that_is_read_is_called_unknown(
    config: RunConfig, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_file(clean_environment, '[providers.work-2]\nbase_url = "http://h/v1"\n')
    names = {row.variable_for("work-2") for row in SETTINGS if row.variable}
    names |= {"LLM_CLIENT_WORK_2_API_KEY", "LLM_CLIENT_AZURE_ENDPOINT", *OTHER_VARIABLES}
    names |= {row.own_key_variable for row in CATALOG.values()}
    names.remove("LLM_CLIENT_CONFIG")
    for name in names:
        monkeypatch.setenv(name, "x")
    said = config("config", "validate").said
    assert "is none that is read" not in said


def test_named_file_is_checked_by_itself(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_MAX_RETRIES", "many")
    monkeypatch.setenv("LLM_CLIENT_XYZZY", "3")
    file = tmp_path / "other.json"
    file.write_text('{"retry": {"max_retries": 1}}')
    assert config("config", "validate", str(file)).status == 0
    file.write_text('{"retry": {"max_retries": "x"}}')
    assert "retry.max_retries must be" in config("config", "validate", str(file)).said


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        (0o644, '[providers.w]\nheaders = { a = "b" }\nbase_url = "http://h"', "Others may read"),
        (0o640, '[providers.w]\nheaders = { a = "b" }\nbase_url = "http://h"', "Others may read"),
        (0o622, "", "Others may change"),
        (0o644, "", None),
        (0o600, '[providers.w]\nheaders = { a = "b" }\nbase_url = "http://h"', None),
    ],
)
def test_rights_that_are_too_wide_are_told(
    config: RunConfig, clean_environment: Path, mode: int, text: str, words: str | None
) -> None:
    file = config_file(clean_environment, text)
    file.chmod(mode)
    ran = config("config", "validate")
    if words is None:
        assert ran.status == 0, ran.said
    else:
        assert ran.status == 3
        assert f"{words} '{file}' (mode {mode:o})" in ran.said
        assert f"`chmod 600 {file}`" in ran.said


def test_project_file_is_checked_too(
    config: RunConfig, clean_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ".llm_client.toml"
    file.write_text('profile = "gone"\n')
    assert f"{file}, line 1: there is no profile 'gone'" in config("config", "validate").said
    file.write_text("tools = 1\n")
    assert "'tools' can never be set there" in config("config", "validate").said


def test_broken_file_does_not_hide_unknown_variables(
    config: RunConfig, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_file(clean_environment, "[retry\n")
    monkeypatch.setenv("LLM_CLIENT_MAXRETRIES", "3")
    monkeypatch.setenv("LLM_CLIENT_CACHE_TTL", "soon")
    said = config("config", "validate").said
    assert "cannot be parsed" in said
    assert "LLM_CLIENT_CACHE_TTL must be a number of seconds" in said
    assert "LLM_CLIENT_MAXRETRIES is none that is read" in said
