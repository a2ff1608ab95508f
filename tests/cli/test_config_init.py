"""`llm-client config init`: what is offered, asked and written."""

from __future__ import annotations

import os
import re
import signal
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llm_client.cli import config_init
from llm_client.cli.config_template import template
from llm_client.policy.setting_schema import SETTINGS, Setting
from llm_client.storage.config import problems, settings_of
from llm_client.storage.config_document import parse_document

from ..support.fault_server import fault_server
from .config_runs import RunConfig, config_file, runner
from .model_servers import ollama
from .program import run
from .terminal import Terminal, terminal

FILE = Path("config.toml")


@pytest.fixture
def config(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    return runner(capsys, monkeypatch)


@contextmanager
def two_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fault_server(ollama("llama3.2:latest", "qwen3:8b")) as server:
        monkeypatch.setenv("LLM_CLIENT_OLLAMA_BASE_URL", server.url)
        yield


def answer(seen: Terminal, question: str, text: str) -> None:
    seen.read_until(question)
    seen.raw = seen.raw.replace(question.encode(), b"")
    os.write(seen.master, text.encode() + b"\n")


def said(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text())


# --- the commented file ----------------------------------------------------------------------


def test_template_is_valid_and_says_nothing() -> None:
    document = parse_document(FILE, template())
    assert problems(document) == []
    assert settings_of(document, {}) == settings_of(parse_document(FILE, ""), {})


def test_template_is_valid_with_everything_uncommented() -> None:
    text = re.sub(r"(?m)^# (?=\[|\w+ = )", "", template())
    assert problems(parse_document(FILE, text)) == []
    found = tomllib.loads(text)
    assert found["profiles"]["vision"] == "default"
    assert found["providers"]["work"]["headers"] == {"x-team": "ours"}
    assert found["cache"]["models_ttl"] == 300.0


@pytest.mark.parametrize(
    "setting",
    # Budgets of projects and the like have what `[budget]` has.
    [row for row in SETTINGS if not re.match(r"budget\.\w+\.", row.path)],
    ids=lambda setting: setting.path,
)
def test_template_has_every_setting_with_what_it_is_for(setting: Setting) -> None:
    name = setting.path.rpartition(".")[2]
    if any(other.path.startswith(f"{setting.path}.") for other in SETTINGS):
        assert f"[{setting.path}." in template()
    else:
        assert re.search(rf"(?m)^# {name} = .*  # {re.escape(setting.about)}", template())


def test_every_example_is_valid_by_itself() -> None:
    header, count = "", 0
    for line in template().splitlines():
        bare = line.removeprefix("# ")
        if bare.startswith("["):
            header = bare
        elif re.match(r"# \w+ = ", line):
            count += 1
            base = "" if header == "[profiles.default]" else "[profiles.default]\n"
            text = f"{base}{header}\n{bare}\n" if header else f"{bare}\n{base}"
            assert problems(parse_document(FILE, text)) == [], text
    assert count > 50


def test_single_line_of_a_plain_table_can_be_uncommented() -> None:
    for name in ("max_retries", "responses", "enabled", "store"):
        text = re.sub(rf"(?m)^# (?={name} = )", "", template())
        assert text != template()
        assert problems(parse_document(FILE, text)) == []


def test_what_is_chosen_stands_uncommented() -> None:
    text = template({"profiles.*.model": "a/b", "budget.monthly_usd": 20.0})
    assert tomllib.loads(text)["profiles"] == {"default": {"model": "a/b"}}
    assert tomllib.loads(text)["budget"] == {"monthly_usd": 20.0}


# --- without a terminal ----------------------------------------------------------------------


def test_without_a_terminal_the_server_that_answers_is_taken(
    config: RunConfig, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    with two_models(monkeypatch):
        ran = config("config", "init")
    file = config_file(clean_environment)
    assert (ran.status, ran.text) == (0, "")
    assert f"Wrote {file}.\nTry it:" in ran.said
    assert said(file)["profiles"] == {"default": {"model": "ollama/llama3.2:latest"}}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert config("config", "validate").status == 0


def test_key_of_the_environment_is_taken_where_no_server_answers(
    config: RunConfig, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    ran = config("config", "init", "--yes")
    assert ran.status == 0
    file = config_file(clean_environment)
    assert said(file)["profiles"]["default"]["model"].startswith("openai/")
    assert "sk-test" not in file.read_text() + ran.said
    assert "creds set" not in ran.said


def test_stored_key_is_taken_where_no_server_answers(
    config: RunConfig, clean_environment: Path
) -> None:
    stored = config_file(clean_environment, "").with_name("credentials.toml")
    config_file(clean_environment).unlink()
    stored.parent.chmod(0o700)
    stored.write_text('[mistral]\napi_key = "k-0123456789abcdef"\n')
    stored.chmod(0o600)
    ran = config("config", "init", "--yes")
    assert ran.status == 0, ran.said
    model = said(config_file(clean_environment))["profiles"]["default"]["model"]
    assert model.startswith("mistral/")
    assert "creds set" not in ran.said


def test_nothing_detected_names_no_model_and_says_so(
    config: RunConfig, clean_environment: Path
) -> None:
    ran = config("config", "init", "-y")
    assert ran.status == 0
    assert "profiles" not in said(config_file(clean_environment))
    assert "`llm-client config set profiles.default.model PROVIDER/MODEL`" in ran.said


def test_file_that_is_there_is_not_overwritten(config: RunConfig, clean_environment: Path) -> None:
    file = config_file(clean_environment, "# mine\n")
    ran = config("config", "init", "-y")
    assert ran.status == 2
    assert f"There is a configuration already: {str(file)!r}." in ran.said
    assert file.read_text() == "# mine\n"


def test_force_keeps_a_copy(config: RunConfig, clean_environment: Path) -> None:
    file = config_file(clean_environment, "# mine\n")
    ran = config("config", "init", "-y", "--force")
    assert ran.status == 0
    (copy,) = file.parent.glob("config.toml.*.bak")
    assert copy.read_text() == "# mine\n"
    assert f"The file that was there is {copy} now." in ran.said
    assert file.read_text() == template()


def test_copy_that_cannot_be_kept_leaves_the_file(
    config: RunConfig, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config_file(clean_environment, "# mine\n")

    def fail(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", fail)
    with monkeypatch.context() as broken:
        broken.setattr(config_init, "replace_whole", fail)
        ran = config("config", "init", "-y", "--force")
    assert ran.status == 3
    assert "Cannot keep a copy" in ran.said
    assert file.read_text() == "# mine\n"
    # Without second names, as on some file systems.
    assert config("config", "init", "-y", "--force").status == 0
    (copy,) = file.parent.glob("config.toml.*.bak")
    assert copy.read_text() == "# mine\n"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_two_copies_in_one_second_are_both_kept(
    config: RunConfig, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda _: "now")
    file = config_file(clean_environment)
    for text in ("# one\n", "# two\n", "# three\n"):
        config_file(clean_environment, text)
        assert config("config", "init", "-y", "--force").status == 0
    copies = {path.name: path.read_text() for path in file.parent.glob("*.bak")}
    assert copies == {
        "config.toml.now.bak": "# one\n",
        "config.toml.now-1.bak": "# two\n",
        "config.toml.now-2.bak": "# three\n",
    }


def test_models_that_cannot_be_written_are_not_offered(
    config: RunConfig, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(ollama("\ud800", "a\x1b[31m", "b\x7f", "good")) as server:
        monkeypatch.setenv("LLM_CLIENT_OLLAMA_BASE_URL", server.url)
        ran = config("config", "init")
    assert ran.status == 0, ran.said
    model = said(config_file(clean_environment))["profiles"]["default"]["model"]
    assert model == "ollama/good"


def test_json_file_cannot_have_comments(config: RunConfig, tmp_path: Path) -> None:
    ran = config("config", "init", "-y", "--config", str(tmp_path / "c.json"))
    assert ran.status == 2
    assert "cannot have comments" in ran.said


def test_input_of_a_pipe_is_no_answer(clean_environment: Path) -> None:
    result = run("config", "init", stdin=b"2\nx\n")
    assert result.status == 0, result.stderr
    assert "Who answers" not in result.stderr


# --- on a terminal ---------------------------------------------------------------------------

WHO, WHICH = "Its number, or PROVIDER/MODEL", "Its number, or its name [1]: "
KEEP, MOST = "same question? [y/N]: ", "no limit): "


def test_answers_are_written(clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    with two_models(monkeypatch), terminal("config", "init", columns=120) as seen:
        answer(seen, f"{WHO} [1]: ", "1")
        answer(seen, WHICH, "7")
        seen.read_until("There is no number 7.")
        answer(seen, WHICH, "2")
        answer(seen, KEEP, "y")
        assert seen.finish() == 0
    screen = "\n".join(seen.screen)
    assert re.search(r"1  ollama/llama3.2:latest  \(answers at http://127", screen)
    assert re.search(r"2  openai/\S+  \(OPENAI_API_KEY is set\)", screen)
    assert "3  embedded/demo  (built in, a demo)" in screen
    assert "USD" not in screen  # what is here costs nothing
    found = said(config_file(clean_environment))
    assert found["profiles"] == {"default": {"model": "ollama/qwen3:8b"}}
    assert found["cache"] == {"responses": True}


def test_other_model_is_typed_and_its_key_asked_for(clean_environment: Path) -> None:
    with terminal("config", "init", columns=120) as seen:
        answer(seen, f"{WHO} [none yet]: ", "9")
        seen.read_until("neither of these nor PROVIDER/MODEL.")
        answer(seen, f"{WHO} [none yet]: ", "²")
        seen.read_until("neither of these nor PROVIDER/MODEL.")
        answer(seen, f"{WHO} [none yet]: ", "openai/")
        seen.read_until("Which model? Write openai/MODEL.")
        answer(seen, f"{WHO} [none yet]: ", "antropic/x")
        seen.read_until("Did you mean 'anthropic'?")
        answer(seen, f"{WHO} [none yet]: ", "Anthropic/claude")
        answer(seen, KEEP, "")
        answer(seen, MOST, "much")
        seen.read_until("That is no amount")
        answer(seen, MOST, "$20")
        assert seen.finish() == 0
    assert "Store its key: `llm-client creds set anthropic`." in "\n".join(seen.screen)
    found = said(config_file(clean_environment))
    assert found["profiles"] == {"default": {"model": "anthropic/claude"}}
    assert found["budget"] == {"monthly_usd": 20.0}
    assert found["cache"] == {}


def test_built_in_model_is_only_taken_when_it_is_chosen(clean_environment: Path) -> None:
    with terminal("config", "init", columns=120) as seen:
        answer(seen, f"{WHO} [none yet]: ", "1")
        answer(seen, KEEP, "")
        assert seen.finish() == 0
    assert said(config_file(clean_environment))["profiles"]["default"]["model"] == "embedded/demo"


def test_name_of_a_model_is_typed(clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with two_models(monkeypatch), terminal("config", "init", columns=120) as seen:
        answer(seen, f"{WHO} [1]: ", "")
        answer(seen, WHICH, "mistral")
        answer(seen, KEEP, "")
        assert seen.finish() == 0
    assert said(config_file(clean_environment))["profiles"]["default"]["model"] == "ollama/mistral"


def test_nothing_is_chosen_and_nothing_limited(clean_environment: Path) -> None:
    with terminal("config", "init", columns=120) as seen:
        answer(seen, f"{WHO} [none yet]: ", "")
        answer(seen, KEEP, "no")
        assert seen.finish() == 0
    assert "profiles" not in said(config_file(clean_environment))


@pytest.mark.parametrize(
    ("how", "status"), [(b"\x04", 1), (b"\x03", 130)], ids=["ctrl-d", "ctrl-c"]
)
def test_leaving_leaves_nothing(clean_environment: Path, how: bytes, status: int) -> None:
    with terminal("config", "init", columns=120) as seen:
        answer(seen, f"{WHO} [none yet]: ", "")
        seen.read_until(KEEP)
        if status == 130:  # the terminal is nobody's own: it has no process to interrupt
            seen.process.send_signal(signal.SIGINT)
        else:
            os.write(seen.master, how)
        assert seen.finish() == status
    assert not config_file(clean_environment).exists()
    assert ("Nothing was written." if status == 1 else "Interrupted.") in "\n".join(seen.screen)
