"""`api_key_command`: run once, without a shell, bounded, and its output never shown."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.storage import key_command
from llm_client.storage.key_command import check_source, key_from_command
from llm_client.types.secret import Secret

from ..cli.program import command, environment
from ..support.fake_keyring import forget_stores

KEY = "correct-horse-battery-staple-42"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_stores(monkeypatch)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "print-key"


def script(program: Path, body: str) -> list[str]:
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o700)
    return [str(program)]


def failing(command: list[str], environ: Mapping[str, str] = os.environ) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        key_from_command(command, "work", environ)
    assert KEY not in f"{caught.value} {caught.value.hint}"
    assert "'work'" in str(caught.value)
    return caught.value


@pytest.mark.parametrize("end", ["", "\\n", "\\r\\n", "  \\n\\n"], ids=repr)
def test_output_is_stripped(end: str, program: Path) -> None:
    command = script(program, f"printf '{KEY}{end}'")
    assert key_from_command(command, "work", os.environ) == Secret(KEY)


def test_arguments_come_as_they_are_and_no_shell_reads_them(program: Path, tmp_path: Path) -> None:
    command = script(program, 'printf "%s" "$1|$2|$#"')
    given = [*command, "$(touch x); a *", ""]
    assert key_from_command(given, "work", os.environ) == Secret("$(touch x); a *||2")
    assert os.listdir(tmp_path) == ["print-key"]


def test_program_on_path_runs_with_the_given_environment(program: Path) -> None:
    script(program, 'printf "%s" "$WORD"')
    environ = {"PATH": f"{program.parent}:{os.environ['PATH']}", "WORD": "from-the-environment"}
    found = key_from_command(["print-key"], "work", environ)
    assert found == Secret("from-the-environment")


def test_home_is_understood(clean_environment: Path) -> None:
    script(clean_environment / "print-key", f"echo {KEY}")
    assert key_from_command(["~/print-key"], "work", os.environ) == Secret(KEY)


def test_command_runs_once_whatever_comes_of_it(program: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    good = script(program, f"echo run >> {log}; echo {KEY}")
    assert key_from_command(good, "work", os.environ) == key_from_command(good, "b", os.environ)
    assert log.read_text() == "run\n"
    bad = script(tmp_path / "bad", f"echo run >> {log}; exit 1")
    assert str(failing(bad)) == str(failing(bad))
    assert log.read_text() == "run\nrun\n"
    key_from_command([*good, "another argument"], "work", os.environ)
    assert log.read_text() == "run\nrun\nrun\n"


def test_command_that_failed_is_run_again_after_a_while(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = script(program, "exit 1")
    failing(command)
    script(program, f"echo {KEY}")
    failing(command)
    monkeypatch.setattr(key_command, "QUIET_SECONDS", 0.0)
    forget_stores(monkeypatch)
    script(program, "exit 1")
    failing(command)
    script(program, f"echo {KEY}")
    assert key_from_command(command, "work", os.environ) == Secret(KEY)


def test_failure_speaks_of_the_provider_that_is_asked_for() -> None:
    for owner in ("one", "two"):
        with pytest.raises(ConfigurationError, match=f"of '{owner}', 'false', failed"):
            key_from_command(["false"], owner, os.environ)


def test_commands_run_beside_each_other(program: Path, tmp_path: Path) -> None:
    """Each waits for the other to have begun."""
    body = "touch {own}; until test -e {other}; do sleep 0.01; done; echo key-of-{own}"
    names = ("one", "two")
    commands = [
        script(tmp_path / f"print-{own}", f"cd {tmp_path}; {body.format(own=own, other=other)}")
        for own, other in (names, names[::-1])
    ]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda command: key_from_command(command, "work", os.environ), commands)
        assert [*found] == [Secret("key-of-one"), Secret("key-of-two")]


def test_threads_that_want_the_same_command_run_it_once(program: Path, tmp_path: Path) -> None:
    command = script(program, f"echo run >> {tmp_path}/log; sleep 0.1; echo {KEY}")
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: key_from_command(command, "work", os.environ), range(4))
        assert {*found} == {Secret(KEY)}
    assert (tmp_path / "log").read_text() == "run\n"


def test_standard_input_is_not_ours(program: Path) -> None:
    command = script(program, "if read line; then echo got-$line; else echo nothing-there; fi")
    assert key_from_command(command, "work", os.environ) == Secret("nothing-there")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("exit 3", "failed with exit status 3."),
        (f"echo {KEY}; exit 3", "failed with exit status 3."),
        (f"echo {KEY}; echo one >&2; echo locked {KEY}. >&2; exit 1", "status 1: locked ***."),
        ("echo sk-abcdefghijkl >&2; exit 1", "failed with exit status 1: ***."),
        ("kill -9 $$", "failed with signal 9."),
        ("true", "printed nothing."),
        ("echo; echo ' '", "printed nothing."),
        (f"echo {KEY}; echo user: me", "printed 2 lines."),
        ("yes " + KEY, "prints more than a key."),
        (f"printf '{KEY}\\033[0m'", "has a character that no request can carry."),
        (f"printf '{KEY}\\377'", "has a character that no request can carry."),
        (f"echo {KEY}; echo b; echo no {KEY} >&2; exit 1", "status 1: no ***."),
        ("yes wrong | head -100000 >&2; exit 1", "status 1: wrong."),
        ("yes | tr -d '\\n' | head -c 1000 >&2; exit 1", f"status 1: {'y' * 300}."),
    ],
)
def test_failure_is_told_without_the_output(body: str, message: str, program: Path) -> None:
    error = failing(script(program, body))
    assert message in error.message
    assert error.hint


def test_program_that_is_missing_is_named(tmp_path: Path) -> None:
    error = failing(["no-such-program", KEY], {"PATH": str(tmp_path)})
    assert "'no-such-program', cannot be run: there is no such program." in error.message
    assert error.hint is not None
    assert "Install it" in error.hint


def test_command_line_in_one_text_is_told_from_a_missing_program(tmp_path: Path) -> None:
    error = failing(["no-such-program show x"], {"PATH": str(tmp_path)})
    assert "there is no such program." in error.message
    assert error.hint is not None
    assert '`["PROGRAM", "ARGUMENT"]`' in error.hint


def test_program_that_may_not_run_is_told(program: Path) -> None:
    command = script(program, "")
    program.chmod(0o600)
    assert "cannot be run: Permission denied." in failing(command).message


def test_argument_with_a_null_is_told(program: Path) -> None:
    assert "cannot be run: embedded null byte." in failing([*script(program, ""), "a\0b"]).message


@pytest.mark.parametrize("name", ["./print-key", "bin/print-key", "../print-key"])
def test_program_that_depends_on_the_directory_is_refused(
    name: str, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(program, f"echo {KEY}")
    monkeypatch.chdir(program.parent)
    error = failing([name])
    assert f"{name!r}, depends on the directory that you are in." in error.message


def alive(pid: int) -> bool:
    """Return whether a process runs; one that nobody has waited for yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat_line = Path(f"/proc/{pid}/stat")
    return not (stat_line.exists() and stat_line.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.parametrize(
    "body",
    ["sleep 60 & echo $! > {pids}; wait", "sleep 60 & echo $! > {pids}; exit 0"],
    ids=["waits", "leaves its child with the pipe"],
)
def test_command_that_does_not_end_is_killed_with_its_children(
    body: str, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_command, "COMMAND_SECONDS", 1.0)
    pids = tmp_path / "pids"
    started = time.monotonic()
    error = failing(script(program, body.format(pids=pids)))
    assert "did not end within 1 s." in error.message
    assert time.monotonic() - started < 30
    child = int(pids.read_text())
    ends = time.monotonic() + 10
    while alive(child) and time.monotonic() < ends:
        time.sleep(0.01)
    assert not alive(child)


def test_command_that_closes_its_output_and_stays_is_killed(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_command, "COMMAND_SECONDS", 0.5)
    assert "did not end" in failing(script(program, "exec >&- 2>&-; sleep 60")).message


def test_interrupt_kills_the_command(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    command = script(program, f"echo $$ > {pids}; sleep 60")

    def interrupted(process: object, ends: float) -> None:
        while not pids.exists() or not pids.read_text().strip():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(key_command, "_printed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        key_from_command(command, "work", os.environ)
    assert not alive(int(pids.read_text()))


def test_interrupt_ends_commands_in_other_threads_too(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        "[providers.openai]\n"
        f'api_key_command = ["sh", "-c", "echo $$ > {tmp_path}/new; '
        f'mv {tmp_path}/new {tmp_path}/pid; sleep 60"]\n'
    )
    config.chmod(0o600)
    words = command("creds", "list", "--run", "--config", str(config))
    with subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE) as process:
        ends = time.monotonic() + 60
        while not (tmp_path / "pid").exists() and time.monotonic() < ends:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    child = int((tmp_path / "pid").read_text())
    while alive(child) and time.monotonic() < ends:
        time.sleep(0.01)
    assert not alive(child)


@pytest.mark.parametrize(
    ("mode", "is_refused"), [(0o600, False), (0o644, False), (0o664, True), (0o602, True)]
)
def test_configuration_that_others_can_write_names_no_command(
    mode: int, is_refused: bool, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.touch()
    file.chmod(mode)
    if not is_refused:
        check_source(str(file))
        return
    with pytest.raises(
        ConfigurationError, match="can be written by others: it is not run"
    ) as caught:
        check_source(str(file))
    assert caught.value.hint == f"`chmod go-w {file}`."


def test_command_of_a_configuration_that_went_away_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be looked at: No such file"):
        check_source(str(tmp_path / "config.toml"))


def test_configuration_of_another_user_names_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    found = os.stat_result((stat.S_IFREG | 0o644, 0, 0, 1, 4711, 0, 0, 0, 0, 0))
    with (
        monkeypatch.context() as patch,
        pytest.raises(ConfigurationError, match="user 4711, who owns it"),
    ):
        patch.setattr(os, "stat", lambda *_, **__: found)
        check_source("config.toml")
