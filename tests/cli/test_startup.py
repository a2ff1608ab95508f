"""What starting costs: which modules a run imports, and when it imports what draws Markdown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from llm_client.cli.app import application

from ..support.fault_server import fault_server
from .program import SECONDS, answer, environment, run
from .terminal import terminal

HEAVY = {
    "asyncio",
    "click",
    "dotenv",
    "html",
    "http.client",
    "httpcore",
    "importlib.metadata",
    "keyring",
    "markdown_it",
    "platformdirs",
    "prompt_toolkit",
    "pydantic",
    "pygments",
    "rich",
    "sqlite3",
    "tomllib",
    "tomli_w",
    "traceback_with_variables",
    "xllamacpp",
}
"""What a piped one-shot run has no use for; the figures are in docs and benchmarks."""


def imported(*arguments: str) -> set[str]:
    """Run the program; return the modules that it imported, Python's own start-up included."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llm_client", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**environment(), "COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""},
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.decode().splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


def bare() -> set[str]:
    """Return what this interpreter imports to do nothing."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import runpy, atexit, os, sys"],
        capture_output=True,
        env={**environment(), "COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""},
        timeout=SECONDS,
        check=True,
    )
    lines = done.stderr.decode().splitlines()
    return {line.rpartition("|")[2].strip() for line in lines}


def test_piped_run_imports_nothing_heavy() -> None:
    with fault_server(answer("Yes.")) as server:
        modules = imported("generate", "-u", server.url, "-m", "x", "hi") - bare()
    assert "llm_client.engine.transport.sync_sockets" in modules
    assert modules & (HEAVY | {"httpx"}) == {"sqlite3"}  # for the ledger
    assert not {name for name in modules if name.startswith("llm_client.runtimes")}
    assert "llm_client.policy.budget" not in modules
    assert "llm_client.storage.response_cache" not in modules
    assert "llm_client.cli.render.markdown" not in modules
    assert "llm_client.aclient" not in modules
    assert "llm_client.discovery" not in modules


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version_imports_nothing_but_itself(flag: str) -> None:
    modules = imported(flag) - bare()
    assert {name for name in modules if name.startswith("llm_client")} == {
        "llm_client",
        "llm_client._version",
    }
    assert not {name for name in modules if name.partition(".")[0] in {"typer", "typing", "re"}}


def test_help_imports_no_httpx_and_no_rich() -> None:
    assert (imported("generate", "--help") - bare()) & {"httpx", "rich", "ssl"} == set()


def test_help_of_the_program_declares_no_command_and_names_all() -> None:
    commands = typer.main.get_command(application([])).commands  # type: ignore[attr-defined]
    help = run("--help").stdout.decode()
    told = {line.split()[0] for line in help.partition("Commands:")[2].splitlines() if line}

    assert told == set(commands), help
    assert "..." not in help.partition("Commands:")[2], "a summary is too long for 80 columns"
    modules = imported("--help")
    assert not {name for name in modules if name.startswith("llm_client.cli.commands.")}


def test_usage_error_imports_no_httpx() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llm_client", "generate", "-t", "hot", "hi"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        timeout=SECONDS,
    )
    assert done.returncode == 2
    assert b" httpx\n" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_terminal_run_imports_rich_while_the_server_thinks(tmp_path: Path) -> None:
    """The request arrives before rich is imported, and rich is there before the answer."""
    from ..support.fault_server import Received, Wire

    log = tmp_path / "imports"
    hook = tmp_path / "sitecustomize.py"
    hook.write_text(
        "import sys\n"
        "from importlib.abc import MetaPathFinder\n"
        "class Finder(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'rich.console':\n"
        f"            open({str(log)!r}, 'w').close()\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    seen_at_request: list[bool] = []
    seen_at_answer: list[bool] = []

    def script(wire: Wire, request: Received) -> bool:
        seen_at_request.append(log.exists())
        wire.pause(1.0)
        seen_at_answer.append(log.exists())
        return answer("Yes.")(wire, request)

    with fault_server(script) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.cli.terminal.environment", lambda: with_path(str(tmp_path)))
        with terminal("generate", "-u", server.url, "-m", "x", "hi") as seen:
            assert seen.finish() == 0
    assert seen.screen == ["Yes."]
    assert (seen_at_request, seen_at_answer) == ([False], [True])


def with_path(folder: str) -> dict[str, str]:
    variables = environment()
    return {**variables, "PYTHONPATH": f"{folder}{os.pathsep}{variables['PYTHONPATH']}"}


@pytest.mark.parametrize("arguments", [[], ["--json"], ["export"]], ids=str)
def test_usage_imports_no_httpx_and_no_transport(
    arguments: list[str], clean_environment: Path
) -> None:
    from ..storage.usage_rows import attempt, write

    write(clean_environment / ".local/share/llm_client/ledger.db", attempt("c"))
    modules = imported("usage", *arguments) - bare()
    assert "sqlite3" in modules
    assert modules & {"httpx", "httpcore", "http.client", "ssl", "asyncio", "rich"} == set()
    assert not {name for name in modules if name.startswith("llm_client.engine")}
    # The configuration may name dialects, and it is read where budgets are shown.
    known = {"llm_client.dialects", "llm_client.dialects.base"} if "--json" in arguments else set()
    assert {name for name in modules if name.startswith("llm_client.dialects")} == known
