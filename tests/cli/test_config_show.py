"""`llm-client config show`: values, sources, and nothing that must not be seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_client.cli.render.config_table import setting_table, value_text
from llm_client.storage.effective import Effective, Source

from .config_runs import RunConfig, config_file, runner
from .terminal import terminal

FILE = """\
default_profile = "fast"

[profiles.fast]
model = "ollama/llama3.2"
system = "Be brief."

[profiles.big]
model = "work/big"

[providers.work]
base_url = "https://llm.example.com/v1"
headers = { x-team = "Zm9vYmFyYmF6" }
api_key_command = ["pass", "Zm9vYmFyYmF6"]
options = { num_ctx = 8192, auth_token = "Zm9vYmFyYmF6", list = ["sk-proj-Zm9vYmFyYmF6"] }

[retry]
delay = 2.0
"""
SECRET = "Zm9vYmFyYmF6"


@pytest.fixture
def config(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    for name in [name for name in os.environ if name.startswith("LLM_CLIENT_")]:
        monkeypatch.delenv(name)
    return runner(capsys, monkeypatch)


@pytest.fixture
def file(clean_environment: Path, config: RunConfig) -> Path:
    return config_file(clean_environment, FILE)


def test_pipe_gets_key_value_and_source_with_tabs(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_RETRY_DELAY", "3")
    ran = config("config", "show")
    rows = ran.rows
    assert ran.status == 0
    assert rows["default_profile"] == ('"fast"', "config.toml:1")
    assert rows["profiles.fast.model"] == ('"ollama/llama3.2"', "config.toml:4")
    assert rows["providers.work.base_url"] == ('"https://llm.example.com/v1"', "config.toml:11")
    assert rows["retry.delay"] == ("3", "LLM_CLIENT_RETRY_DELAY")
    assert "retry.max_retries" not in rows


def test_nothing_secret_is_shown(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("LLM_CLIENT_MISTRAL_BASE_URL", f"https://me:{SECRET}@h/v1")
    monkeypatch.setenv("LLM_CLIENT_OLLAMA_HEADERS", f'{{"x": "{SECRET}"}}')
    for flags in ((), ("--all",), ("--json",), ("--all", "--json", "--debug"), ("providers",)):
        ran = config("config", "show", *flags)
        assert ran.status == 0, ran.said
        assert SECRET not in ran.text + ran.said
    rows = config("config", "show").rows
    assert rows["providers.work.headers"][0] == '{ x-team = "***" }'
    assert rows["providers.work.api_key_command"][0] == '["pass", "…"]'
    assert rows["providers.work.options"][0] == (
        '{ num_ctx = 8192, auth_token = "***", list = ["***"] }'
    )
    assert rows["providers.openai.api_key"] == ('"***"', "OPENAI_API_KEY")


def test_json_has_sources_apart(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_RETRY_DELAY", "3")
    shown = config("config", "show", "--json").json
    assert shown["schema_version"] == 1
    assert (shown["file"], shown["project_file"], shown["profile"]) == (str(file), None, "fast")
    assert shown["settings"][-1] == {
        "key": "retry.delay",
        "value": 3,
        "source": {"kind": "variable", "name": "LLM_CLIENT_RETRY_DELAY", "line": None},
        "over": {"kind": "file", "name": "config.toml", "line": 17},
    }


def test_key_narrows_it_and_shows_defaults(config: RunConfig, file: Path) -> None:
    assert config("config", "show", "retry.max_retries").rows == {
        "retry.max_retries": ("3", "default")
    }
    assert [*config("config", "show", "retry").rows] == [
        "retry.max_retries",
        "retry.delay",
        "retry.max_delay",
        "retry.exponential_base",
    ]
    ran = config("config", "show", "profiles.fast.top_p")
    assert (ran.status, ran.text) == (0, "")
    assert ran.said == "profiles.fast.top_p is not set, and has no default.\n"
    ran = config("config", "show", "retry.delays")
    assert ran.status == 3
    assert "Did you mean 'delay'?" in ran.said


def test_key_of_a_provider_can_be_asked_for(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert config("config", "show", "providers.openai.api_key").rows == {
        "providers.openai.api_key": ('"***"', "OPENAI_API_KEY")
    }


def test_profile_and_provider_narrow_it(config: RunConfig, file: Path) -> None:
    rows = config("config", "show", "--profile", "big").rows
    assert "profiles.big.model" in rows
    assert "profiles.fast.model" not in rows
    rows = config("config", "show", "-p", "openai").rows
    assert rows["providers.openai.base_url"][1] == "catalog"
    assert "providers.work.base_url" not in rows
    assert "profiles.fast.model" not in rows


@pytest.mark.parametrize(
    ("flags", "message", "hint"),
    [
        (("--profile", "fats"), "There is no profile 'fats'.", "Did you mean 'fast'?"),
        (
            ("--profile", "x"),
            "There is no profile 'x'.",
            "Profiles in the configuration: big, fast",
        ),
        (("-p", "opnai"), "There is no provider 'opnai'.", "Did you mean 'openai'?"),
    ],
)
def test_name_that_there_is_not_is_told(
    config: RunConfig, file: Path, flags: tuple[str, ...], message: str, hint: str
) -> None:
    ran = config("config", "show", *flags)
    assert ran.status == 3
    assert message in ran.said
    assert hint in ran.said


def test_provider_of_a_variable_is_said_to_leave_the_profile_aside(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_PROVIDER", "ollama")
    monkeypatch.setenv("LLM_CLIENT_TOP_P", "0.5")
    ran = config("config", "show")
    assert ran.rows["profiles.*.top_p"] == ("0.5", "LLM_CLIENT_TOP_P")
    assert "No profile is used" in ran.said
    assert config("config", "show", "--json").json["profile"] is None
    ran = config("config", "show", "-p", "openai")
    assert ran.rows["profiles.*.top_p"] == ("0.5", "LLM_CLIENT_TOP_P")
    assert "No profile" not in ran.said


def test_variable_that_is_to_hold_the_key_is_shown_and_a_key_in_its_place_is_not(
    config: RunConfig, file: Path
) -> None:
    file.write_text(
        f'[providers.a]\napi_key_env = "WORK_LLM_KEY"\n[providers.b]\napi_key_env = "{SECRET}"\n'
    )
    rows = config("config", "show").rows
    assert rows["providers.a.api_key_env"][0] == '"WORK_LLM_KEY"'
    assert rows["providers.b.api_key_env"][0] == '"***"'


def test_all_has_defaults(config: RunConfig, file: Path) -> None:
    rows = config("config", "show", "--all").rows
    assert rows["retry.max_retries"] == ("3", "default")
    assert rows["credentials.store"] == ('"auto"', "default")


@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["text", "json"])
def test_broken_file_is_told_beside_what_holds_without_it(
    config: RunConfig, file: Path, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("[retry\n")
    monkeypatch.setenv("LLM_CLIENT_RETRY_DELAY", "3")
    ran = config("config", "show", *flags)
    assert ran.status == 3
    assert "cannot be parsed" in ran.said
    if flags:
        assert "cannot be parsed" in ran.json["error"]["message"]
        assert ran.json["settings"][0]["key"] == "retry.delay"
    else:
        assert ran.rows == {"retry.delay": ("3", "LLM_CLIENT_RETRY_DELAY")}


def test_wrong_setting_is_told_beside_the_others(config: RunConfig, file: Path) -> None:
    file.write_text(FILE + "max_retries = 'x'\nnonsense = 1\n")
    ran = config("config", "show")
    assert ran.status == 3
    assert "line 18: retry.max_retries must be a whole number" in ran.said
    assert ran.rows["retry.delay"] == ("2.0", "config.toml:17")


def test_json_list_as_a_file_is_told(
    config: RunConfig, tmp_path: Path, clean_environment: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text("[1]")
    ran = config("config", "show", "--config", str(file))
    assert ran.status == 3
    assert "the file must be a table" in ran.said


def test_nothing_set_says_what_to_do(
    config: RunConfig, clean_environment: Path, file: Path
) -> None:
    file.unlink()
    ran = config("config", "show")
    assert (ran.status, ran.text) == (0, "")
    assert "`llm-client config init` makes one" in ran.said
    file.write_text("[retry]\n")
    assert "`--all` shows the defaults" in config("config", "show").said


def test_verbose_says_what_was_read(config: RunConfig, file: Path) -> None:
    assert f"Read {file}." in config("config", "show", "-v").said


def row(key: str, value: object, over: Source | None = None) -> tuple[Effective, object]:
    names = tuple(key.split("."))
    return Effective(names, value, Source("file", "config.toml", 3), over), value


def test_table_is_aligned_and_cuts_long_values() -> None:
    rows = [row("a", "short", Source("variable", "X")), row("b.longer", "x" * 200)]
    lines = setting_table(rows, 60, color=False, whole=False)
    assert lines[0] == 'a         "short"                     config.toml:3 (over X)'
    assert lines[1].startswith('b.longer  "xxxxxxx')
    assert "…" in lines[1]
    assert max(map(len, lines)) <= 60
    assert setting_table([], 60, color=False, whole=False) == []


def test_what_does_not_hold_is_left_out_where_there_is_no_room() -> None:
    source = Source("variable", "LLM_CLIENT_BUDGET_PROJECTS")
    rows = [row("budget.projects.website.daily_usd", "x" * 99, source), row("a", "short")]
    lines = setting_table(rows, 80, color=False, whole=False)
    assert max(map(len, lines)) <= 80
    assert "over" not in lines[0]
    assert "(over LLM_CLIENT_B" in setting_table(rows, 80, color=False, whole=True)[0]
    assert "(over LLM_CLIENT_B" in setting_table(rows, 200, color=False, whole=False)[0]


def test_single_setting_is_shown_to_its_end() -> None:
    (line,) = setting_table([row("b", "x" * 200)], 60, color=True, whole=True)
    assert "x" * 200 in line
    assert "\x1b[2mconfig.toml:3\x1b[0m" in line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (0.5, "0.5"),
        ("ü\n\x7f", '"ü\\n\\u007f"'),
        ([1, "a"], '[1, "a"]'),
        ({"a b": {}}, '{ "a b" = {} }'),
    ],
)
def test_value_is_shown_as_toml_has_it(value: object, text: str) -> None:
    assert value_text(value) == text


def test_control_characters_do_not_reach_the_terminal(clean_environment: Path) -> None:
    config_file(clean_environment, '[profiles.fast]\nsystem = "a\\u001b]0;x\\u0007\\u009bb"\n')
    with terminal("config", "show", "profiles") as seen:
        assert seen.finish() == 0
    assert "profiles.fast.system" in seen.screen[0]
    assert b"\x07" not in seen.raw
