"""Shell completion: the scripts in the repository, and what the program answers at Tab."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llm_client.cli.completions import completion_scripts, main

from .program import ROOT, SECONDS, environment, run

FOLDER = ROOT / "completions"
PROGRAM = f"""#!{sys.executable}
from llm_client.__main__ import main
main()
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return the program under its own name, as an installation has it."""
    program = tmp_path / "bin" / "llm-client"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return program


@pytest.mark.skipif(not FOLDER.exists(), reason="an installed package has no scripts beside it")
def test_scripts_in_the_repository_are_current() -> None:
    stored = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert stored == completion_scripts(), "run `python -m llm_client.cli.completions completions`"


def test_scripts_are_written_into_a_new_directory(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert main([str(folder)]) == 0
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert written == completion_scripts()
    assert all("_LLM_CLIENT_COMPLETE" in script for script in written.values())


@pytest.mark.parametrize("arguments", [[], ["a", "b"]], ids=["none", "two"])
def test_wrong_number_of_arguments_is_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "DIRECTORY" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_parses_in_its_shell(shell: str) -> None:
    executable = shutil.which(shell)
    if executable is None:
        pytest.skip(f"{shell} is not installed")
    name = {"bash": "llm-client.bash", "zsh": "_llm-client", "fish": "llm-client.fish"}[shell]
    script = completion_scripts()[name].encode()
    done = subprocess.run([executable, "-n"], input=script, capture_output=True, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        pytest.param(["gen"], {"generate"}, id="command"),
        pytest.param(["generate", "-p", "olla"], {"ollama", "ollama-cloud"}, id="provider"),
        pytest.param(["generate", "--color", "a"], {"auto", "always"}, id="color"),
        pytest.param(
            ["generate", "--dialect", "openai-c"],
            {"openai-chat", "openai-completions"},
            id="dialect",
        ),
        pytest.param(
            ["generate", "-p", "open"],
            {"openai", "openai-compatible", "openrouter"},
            id="providers",
        ),
        pytest.param(["generate", "--dry"], {"--dry-run"}, id="flag"),
        pytest.param(["generate", "--no-s"], {"--no-stream", "--no-stdin"}, id="flags"),
    ],
)
def test_tab_in_bash_offers_what_fits(line: list[str], offered: set[str], installed: Path) -> None:
    words = " ".join(f"'{word}'" for word in ["llm-client", *line])
    script = (
        f"{completion_scripts()['llm-client.bash']}\n"
        f"COMP_WORDS=({words}); COMP_CWORD={len(line)}\n"
        f"_llm_client_completion '{installed}'\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, env=environment(), timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.decode().split()) == offered


def test_help_names_the_program_as_it_was_called(installed: Path) -> None:
    done = subprocess.run(
        [installed, "generate", "--help"], capture_output=True, env=environment(), timeout=SECONDS
    )
    assert done.stdout.startswith(b"Usage: llm-client generate [OPTIONS]")
    assert run("generate", "--help").text.startswith("Usage: python -m llm_client generate")
    assert run("--help").text.startswith("Usage: python -m llm_client [OPTIONS] COMMAND")
