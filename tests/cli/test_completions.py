"""Shell completion: the scripts in the repository, and what the program does when they call it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llm_client.cli.complete import complete
from llm_client.cli.completion_line import SHELLS
from llm_client.cli.completions import SCRIPTS, main
from llm_client.storage.config import load_settings

from ..support.unmeasured import unmeasured
from .program import ROOT, SECONDS, command, environment, run
from .shells import Home
from .test_startup import HEAVY, bare

FOLDER = ROOT / "completions"


@pytest.mark.skipif(not FOLDER.exists(), reason="an installed package has no scripts beside it")
def test_scripts_in_the_repository_are_current() -> None:
    stored = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert stored == {name: script for name, (_, script) in SCRIPTS.items()}, (
        "run `make completions`"
    )


def test_scripts_are_written_into_a_new_directory(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert main([str(folder)]) == 0
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert written == {name: script for name, (_, script) in SCRIPTS.items()}


@pytest.mark.parametrize("arguments", [[], ["a", "b"]], ids=["none", "two"])
def test_wrong_number_of_arguments_is_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "DIRECTORY" in capsys.readouterr().err


def test_scripts_are_written_by_the_command_of_make(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llm_client.cli.completions", str(tmp_path)],
        capture_output=True,
        env=environment(),
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert {path.name for path in tmp_path.iterdir()} == {*SCRIPTS}


def test_every_shell_has_a_script() -> None:
    assert tuple(shell for shell, _ in SCRIPTS.values()) == SHELLS
    for shell, script in SCRIPTS.values():
        assert "made by `make completions`" in script.splitlines()[0 if shell != "zsh" else 1]
        assert script.endswith("\n")


@pytest.mark.parametrize("shell", [*SHELLS, "pwsh"])
def test_script_that_is_shown_is_the_one_in_its_file(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Which shell runs this test nobody knows.
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    expected = dict(SCRIPTS.values())["powershell" if shell == "pwsh" else shell]
    for arguments in (("--show-completion", shell), (f"--show-completion={shell}",)):
        result = run(*arguments)
        assert (result.status, result.text, result.stderr) == (0, expected, "")


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="PowerShell is not installed")
def test_script_for_powershell_works(tmp_path: Path) -> None:
    user = Home(tmp_path)
    line = "llm-client generate -p anthr"
    script = (
        f"{dict(SCRIPTS.values())['powershell']}\n"
        f"(TabExpansion2 '{line}' {len(line)}).CompletionMatches.CompletionText"
    )
    done = subprocess.run(
        ["pwsh", "-NoProfile", "-Command", script],
        capture_output=True,
        text=True,
        env=user.variables,
        timeout=SECONDS,
    )
    assert (done.stdout, done.stderr) == ("anthropic\n", "")


Captured = pytest.CaptureFixture[bytes]


def ask(*arguments: str, shell: str = "zsh", options: tuple[str, ...] = ()) -> Any:
    """Run the program as a script does."""
    program, *rest = command(*arguments)
    return subprocess.run(
        [program, *options, *rest],
        capture_output=True,
        # A tool that measures imports much itself.
        env=unmeasured({**environment(), "_LLM_CLIENT_COMPLETE": shell}),
        timeout=SECONDS,
    )


@pytest.mark.parametrize("encoding", ["ascii", "utf-16"])
def test_answer_is_utf_8_whatever_else_is_printed(
    encoding: str, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    config = clean_environment / ".config" / "llm_client" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[profiles."größer"]\nmodel = "ollama/größtes"\n', encoding="utf-8")
    done = ask("generate", "--profile", "gr", shell="fish")
    assert done.stdout.decode("utf-8") == "words\ngrößer\tollama/größtes\n"


def test_words_with_control_characters_are_not_offered(
    capsysbinary: Captured, clean_environment: Path
) -> None:
    config = clean_environment / ".config" / "llm_client" / "config.toml"
    config.parent.mkdir(parents=True)
    names = (r"a\u001b[31m", r"a\nb", r"a\u202e", "ok", "at")
    config.write_text("".join(f'[profiles."{name}"]\n' for name in names))
    assert [*load_settings().profiles] == ["a\x1b[31m", "a\nb", "a\u202e", "ok", "at"]
    assert complete("bash", ["llm-client generate --profile ", ""], os.environ) == 0
    assert capsysbinary.readouterr().out == b"words\nok\nat\n"


@pytest.mark.parametrize("line", ["generate > x", "generate -f x"], ids=["shell", "option"])
def test_file_is_wanted(line: str, capsysbinary: Captured) -> None:
    assert complete("bash", [f"llm-client {line}", "x"], os.environ) == 0
    assert capsysbinary.readouterr().out == b"files\n"


@pytest.mark.parametrize(
    ("shell", "arguments"),
    [
        ("tcsh", ["gen"]),
        ("complete_zsh", ["gen"]),  # as Typer's own script says, which evaluates the answer
        ("", []),
        ("zsh", []),
        ("bash", ["llm-client gen"]),
        ("powershell", ["gen"]),
    ],
    ids=["shell", "typer", "empty", "no-words", "half", "no-variable"],
)
def test_question_that_makes_no_sense_has_no_answer(
    shell: str, arguments: list[str], capsysbinary: Captured
) -> None:
    assert complete(shell, arguments, {}) == 1
    assert capsysbinary.readouterr() == (b"", b"")


def test_failure_is_silent(capsysbinary: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr("llm_client.cli.completion_tree.fitting", fail)
    assert complete("zsh", ["gen"], os.environ) == 1
    assert capsysbinary.readouterr() == (b"", b"")


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_flag_is_completed_and_not_obeyed(flag: str) -> None:
    done = ask(flag)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(f"words\n{flag}:".encode())


def test_empty_variable_is_none() -> None:
    assert ask("--version", shell="").stdout.startswith(b"llm-client ")


def test_answer_to_a_shell_that_is_gone_is_no_failure() -> None:
    with subprocess.Popen(
        command("generate", "--"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment(), "_LLM_CLIENT_COMPLETE": "zsh"},
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        process.wait(SECONDS)


@pytest.mark.parametrize(
    ("line", "besides"),
    [
        pytest.param(["gen"], set(), id="command"),
        pytest.param(["generate", "--"], set(), id="options"),
        pytest.param(["generate", "-m", "olla"], set(), id="models"),
        pytest.param(["generate", "-p", "olla"], {"tomllib"}, id="providers"),
        pytest.param(["generate", "--profile", "f"], {"tomllib"}, id="profiles"),
        pytest.param(["config", "set", "retry."], {"tomllib"}, id="settings"),
        pytest.param(["creds", "set", "olla"], {"tomllib"}, id="credentials"),
    ],
)
def test_tab_imports_nothing_heavy(
    line: list[str], besides: set[str], clean_environment: Path
) -> None:
    config = clean_environment / ".config" / "llm_client" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[profiles]\nfast = "other"\nother = {model = "ollama/x"}\n')
    done = ask(*line, options=("-X", "importtime"))
    assert done.returncode == 0
    names = {row.rpartition("|")[2].strip() for row in done.stderr.decode().splitlines()}
    imported = names - bare()
    assert "llm_client.cli.completion_tree" in imported
    assert imported & (HEAVY | {"httpx", "ssl", "tomlkit"}) <= besides
    assert not {name for name in imported if name.startswith("llm_client.engine")}


def test_help_names_the_program_as_it_was_called(tmp_path: Path) -> None:
    installed = Home(tmp_path).program
    done = subprocess.run(
        [installed, "generate", "--help"], capture_output=True, env=environment(), timeout=SECONDS
    )
    assert done.stdout.startswith(b"Usage: llm-client generate [OPTIONS]")
    assert run("generate", "--help").text.startswith("Usage: python -m llm_client generate")
    assert run("--help").text.startswith("Usage: python -m llm_client [OPTIONS] COMMAND")
