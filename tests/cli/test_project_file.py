"""The project file at work: where it is looked for, and what stands over it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llm_client.cli.project_file import find_project_file

from .config_runs import RunConfig, config_file, runner
from .program import SECONDS, environment
from .test_startup import bare

CONFIG = """\
default_profile = "plain"

[profiles.plain]
model = "embedded/demo"
system = "Of the file."

[profiles.fast]
model = "embedded/fast"
system = "Of the profile."
"""


@pytest.fixture
def llm(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    return runner(capsys, monkeypatch)


@pytest.fixture
def repository(clean_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose subdirectory is the working directory."""
    config_file(clean_environment, CONFIG)
    (tmp_path / ".git").mkdir()
    (tmp_path / "below" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "below" / "deep")
    return tmp_path


def say(repository: Path, text: str) -> Path:
    file = repository / ".llm_client.toml"
    file.write_text(text)
    return file


def asked(llm: RunConfig, *flags: str) -> tuple[str, str]:
    """Return model and system prompt of what would be sent."""
    ran = llm("generate", "--dry-run", *flags, "--no-stdin", "hi")
    assert ran.status == 0, ran.said
    body = json.loads(ran.text)["body"]
    system = [message["content"] for message in body["messages"] if message["role"] == "system"]
    return body["model"], "".join(system)


def found(directory: Path, home: Path | None = None) -> str | None:
    path = find_project_file(str(directory), None if home is None else str(home))
    return None if path is None else os.path.relpath(path, directory)


def test_it_is_looked_for_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / ".llm_client.toml").touch()
    assert found(deep) is None  # in no repository
    (deep / ".llm_client.toml").touch()
    assert found(deep) == ".llm_client.toml"
    (deep / ".llm_client.toml").unlink()
    (tmp_path / "a" / "b" / ".git").mkdir()
    assert found(deep) is None
    (tmp_path / "a" / "b" / ".llm_client.toml").touch()
    assert found(deep) == "../.llm_client.toml"
    (deep / ".llm_client.toml").touch()
    assert found(deep) == ".llm_client.toml"  # the nearest


def test_it_is_never_looked_for_above_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    deep = home / "a"
    deep.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".llm_client.toml").touch()
    assert found(deep, home) is None
    assert found(deep) == "../../.llm_client.toml"


def test_profile_project_and_system_hold(repository: Path, llm: RunConfig) -> None:
    assert asked(llm) == ("demo", "Of the file.")
    say(repository, 'profile = "fast"\n')
    assert asked(llm) == ("fast", "Of the profile.")
    say(repository, 'system = "Of the project."\n')
    assert asked(llm) == ("demo", "Of the project.")


def test_project_labels_the_call(
    repository: Path, llm: RunConfig, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llm_client.storage.ledger import ledger_file
    from llm_client.storage.usage_store import UsageStore
    from llm_client.types.usage import UsageQuery

    say(repository, 'project = "website"\n')
    closed = os.environ["LLM_CLIENT_OLLAMA_BASE_URL"]
    call = ("generate", "-u", closed, "-m", "m", "--retries", "0", "--no-stdin", "hi")
    assert llm(*call).status == 4
    assert llm(*call, "--project", "flag").status == 4
    monkeypatch.setenv("LLM_CLIENT_PROJECT", "variable")
    assert llm(*call).status == 4
    rows = UsageStore(ledger_file(os.environ)).attempts(UsageQuery())
    assert [row["project"] for row in rows] == ["website", "flag", "variable"]


def test_flags_and_variables_stand_over_it(
    repository: Path, llm: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(repository, 'profile = "fast"\nsystem = "Of the project."\n')
    assert asked(llm) == ("fast", "Of the project.")
    assert asked(llm, "--profile", "plain", "--system", "Of the flag.") == ("demo", "Of the flag.")
    monkeypatch.setenv("LLM_CLIENT_PROFILE", "plain")
    monkeypatch.setenv("LLM_CLIENT_SYSTEM", "Of the variable.")
    assert asked(llm) == ("demo", "Of the variable.")
    assert asked(llm, "--system", "Of the flag.") == ("demo", "Of the flag.")


@pytest.mark.parametrize("word", ["off", "OFF", "0", "no", "false"])
def test_it_is_turned_off(
    repository: Path, llm: RunConfig, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(repository, "base_url = 'http://evil'\n")
    monkeypatch.setenv("LLM_CLIENT_PROJECT_FILE", word)
    assert asked(llm) == ("demo", "Of the file.")


def test_verbose_says_that_it_was_read(repository: Path, llm: RunConfig) -> None:
    file = say(repository, 'profile = "fast"\nproject = "p"\n')
    command = ("generate", "--dry-run", "--no-stdin", "hi")
    said = llm(*command, "-v").said
    assert f"Read {file}: profile, project." in said
    assert f"{file}, line 1 names the profile" in said
    assert str(file) not in llm(*command).said
    say(repository, "")
    assert f"Read {file}: nothing." in llm(*command, "-v").said


@pytest.mark.parametrize(
    "command",
    [("generate", "--no-stdin", "hi"), ("models",), ("health",), ("config", "show")],
    ids=lambda command: command[0],
)
def test_wrong_file_is_told_by_every_command_that_reads_it(
    repository: Path, llm: RunConfig, command: tuple[str, ...]
) -> None:
    file = say(repository, '# ours\nbase_url = "http://evil/v1"\n')
    ran = llm(*command)
    assert ran.status == 3
    assert f"In the project file {file}, line 2: 'base_url' can never be set there" in ran.said
    assert "evil" not in ran.said


def test_profile_that_this_user_lacks_is_told(repository: Path, llm: RunConfig) -> None:
    file = say(repository, 'profile = "fats"\n')
    ran = llm("generate", "--no-stdin", "hi")
    assert ran.status == 3
    assert f"In the project file {file}, line 1: there is no profile 'fats'." in ran.said
    assert "Did you mean 'fast'?" in ran.said
    assert asked(llm, "--profile", "plain") == ("demo", "Of the file.")


def test_profile_without_any_configuration_is_told(
    clean_environment: Path, repository: Path, llm: RunConfig
) -> None:
    config_file(clean_environment).unlink()
    say(repository, 'profile = "fast"\n')
    assert "Profiles in the configuration: none." in llm("generate", "--no-stdin", "hi").said


def test_link_to_the_credentials_leaks_nothing(
    repository: Path, llm: RunConfig, clean_environment: Path
) -> None:
    secret = "Zm9vYmFyYmF6cXV4"
    credentials = config_file(clean_environment).with_name("credentials.toml")
    credentials.write_text(f'[openai]\napi_key = "{secret}"\n')
    credentials.chmod(0o600)
    (repository / ".llm_client.toml").symlink_to(credentials)
    for command in (("generate", "--no-stdin", "--debug", "hi"), ("config", "validate")):
        ran = llm(*command)
        assert ran.status == 3
        assert "is a link, which is never followed" in ran.said
        assert secret not in ran.said + ran.text
        assert "openai" not in ran.said + ran.text


def test_file_of_another_user_is_left_out_and_told(
    repository: Path, llm: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llm_client.storage import project_file

    file = say(repository, 'system = "Obey."\n')
    monkeypatch.setattr(project_file, "_is_foreign", lambda *_: True)
    ran = llm("generate", "--dry-run", "--no-stdin", "hi")
    assert f"{file} is another user's: it is not read." in ran.said
    assert "Obey" not in ran.text


def test_library_does_not_read_it(repository: Path) -> None:
    from llm_client import LLMClient

    say(repository, 'profile = "fast"\n')
    with LLMClient() as client:
        assert client.target.model == "demo"


def test_deleted_working_directory_has_none(
    repository: Path, llm: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = repository / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        ran = llm("generate", "-p", "embedded", "--dry-run", "--no-stdin", "hi")
        assert ran.status == 0, ran.said
    finally:
        os.chdir(repository)


def test_start_without_one_imports_nothing_for_it(repository: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-X", "importtime", "-m", "llm_client", "generate"),
            *("-u", os.environ["LLM_CLIENT_OLLAMA_BASE_URL"], "-m", "m", "--dry-run", "hi"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**environment(), "COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""},
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.decode().splitlines()
    names = {line.rpartition("|")[2].strip() for line in lines} - bare()
    assert "llm_client.cli.project_file" in names
    assert "llm_client.storage.project_file" not in names


@pytest.mark.parametrize("name", ["LLMClient", "AsyncLLMClient"])
def test_clients_go_by_the_environment_that_they_are_given(
    repository: Path, clean_environment: Path, name: str
) -> None:
    import llm_client

    environ = {"HOME": str(clean_environment), "LLM_CLIENT_PROFILE": "fast"}
    client = getattr(llm_client, name)(environ=environ)
    assert client.target.model == "fast"
