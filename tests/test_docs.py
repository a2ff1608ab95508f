"""Every command and every example of the README and the docs, run as it is written.

What is not there in a test is stood in for, each where it is named below: Ollama by a scripted
server that speaks its dialect, OpenAI and the server on port 8080 by llama.cpp's own server. What
would build a second environment is run dry.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_client.runtimes.demo_model import ensure_demo_model
from llm_client.storage.config import load_settings
from llm_client.types.config import Settings

from .support.fault_server import fault_server, respond
from .support.llama_server import running_llama_server

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_OLLAMA_ANSWER = (
    b'{"model":"llama3.2","message":{"role":"assistant","content":"Scattering."},"done":false}\n'
    b'{"model":"llama3.2","message":{"role":"assistant","content":""},"done":true,'
    b'"done_reason":"stop","prompt_eval_count":9,"eval_count":2}\n'
)


def _blocks(kind: str) -> list[tuple[str, str]]:
    return [
        (f"{path.name}-{number}", match["text"])
        for path in DOCUMENTS
        for number, match in enumerate(_BLOCK.finditer(path.read_text("utf-8")))
        if match["kind"] == kind
    ]


def _commands() -> list[str]:
    lines = [line for _, block in _blocks("sh") for line in block.splitlines() if line.strip()]
    return [re.sub(r"\s{2,}#.*$", "", line) for line in lines]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the README's commands name, and `llm-client` on its path."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "notes.txt").write_text("Buy milk.\n")
    (folder / "todo.txt").write_text("Buy bread.\n")
    shutil.copy(ensure_demo_model(folder / "models"), folder / "model.gguf")
    commands = folder / "bin"
    commands.mkdir()
    for name, module in (("llm-client", "llm_client"), ("pip", "pip"), ("python", "")):
        script = commands / name
        run = f"{sys.executable} -m {module}" if module else sys.executable
        script.write_text(f'#!/bin/sh\nexec {run} "$@"\n')
        script.chmod(0o755)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    for command in (
        [*git, "init", "--quiet"],
        [*git, "add", "notes.txt"],
        [*git, "commit", "--quiet", "-m", "notes"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    (folder / "notes.txt").write_text("Buy oat milk.\n")
    return folder


@pytest.fixture
def surroundings(
    workplace: Path, llama_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """The environment of a machine that has Ollama, an OpenAI key and nothing configured."""
    answer = respond(body=_OLLAMA_ANSWER, headers=[("Content-Type", "application/x-ndjson")])
    with fault_server(answer) as ollama:
        yield {
            **os.environ,
            "PATH": f"{workplace / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LLM_CLIENT_OLLAMA_BASE_URL": ollama.url,
            "LLM_CLIENT_LLAMACPP_BASE_URL": f"{llama_server}/v1",
            "OPENAI_BASE_URL": f"{llama_server}/v1",
            "OPENAI_API_KEY": "sk-not-a-real-key",
            # Nothing is fetched, built in isolation, or installed.
            "PIP_DRY_RUN": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }


@pytest.mark.parametrize("command", _commands())
def test_documented_command_as_written_succeeds(
    command: str, workplace: Path, surroundings: dict[str, str], llama_server: str
) -> None:
    folder = workplace
    if command.startswith(("make ", "pip ")):
        folder = ROOT
        surroundings["MAKEFLAGS"] = "-n"
    command = command.replace("http://localhost:8080", llama_server)

    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    # What changes the configuration has no answer: what was done is a note.
    told = done.stdout + (done.stderr if command.startswith("llm-client config ") else "")
    assert told.strip() or ">" in command
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def openai() -> Iterator[str]:
    """The base URL of llama.cpp's own server, which has answers and embeddings."""
    with running_llama_server(embeddings=True) as url:
        yield f"{url}/v1"


@pytest.mark.parametrize(
    "example", [pytest.param(text, id=name) for name, text in _blocks("python")]
)
def test_documented_python_as_written_runs(example: str, tmp_path: Path, openai: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OPENAI_BASE_URL": openai,
            "OPENAI_API_KEY": "sk-not-a-real-key",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in _blocks("toml")])
def test_documented_configuration_is_valid(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")

    settings = load_settings(file)

    assert settings != Settings(source=settings.source)


def test_readme_starts_with_the_two_commands() -> None:
    first = _commands()[:2]

    assert first == ["make demo", "make test"]


def test_ci_runs_the_readme_test_command() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()

    assert lines[-1] == "make test"
