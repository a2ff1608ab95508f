"""`llm-client config edit`: the file is replaced by a valid text, and no text is lost."""

from __future__ import annotations

import os
import shlex
import signal
import stat
import sys
import threading
from pathlib import Path

import pytest

from llm_client.cli import config_editor

from .config_runs import Ran, RunConfig, config_file, runner
from .terminal import terminal

FILE = "# mine\n[retry]\nmax_retries = 1\n"


@pytest.fixture
def config(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    return runner(capsys, monkeypatch)


@pytest.fixture
def file(clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("VISUAL", raising=False)
    return config_file(clean_environment, FILE)


def editor(script: str) -> str:
    """Return a command that runs a line of Python with `path`, and with the text as `text`."""
    code = (
        "import os, sys, pathlib; path = pathlib.Path(sys.argv[-1]); "
        f"text = path.read_text(); {script}"
    )
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def edit(config: RunConfig, monkeypatch: pytest.MonkeyPatch, script: str) -> Ran:
    monkeypatch.setenv("EDITOR", editor(script))
    return config("config", "edit")


def drafts(file: Path) -> list[Path]:
    return [path for path in file.parent.iterdir() if path.name != file.name]


def test_valid_text_replaces_the_file(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(0o640)
    ran = edit(config, monkeypatch, "path.write_text(text.replace('= 1', '= 2'))")
    assert (ran.status, ran.text, ran.said) == (0, "", f"Saved {file}.\n")
    assert file.read_text() == FILE.replace("= 1", "= 2")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert drafts(file) == []


def test_editor_is_given_a_copy_beside_the_file_with_its_ending(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        f"assert path.parent.samefile({str(file.parent)!r}) and path.suffix == '.toml'; "
        "assert path.stat().st_mode & 0o777 == 0o600; "
        "path.write_text(text + '# seen')"
    )
    assert edit(config, monkeypatch, script).status == 0
    assert file.read_text() == FILE + "# seen"


def test_unchanged_text_leaves_the_file(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = file.stat().st_mtime_ns
    ran = edit(config, monkeypatch, "0")
    assert ran.status == 0
    assert ran.said.startswith("Nothing was changed.")
    assert "code --wait" in ran.said
    monkeypatch.setattr(config_editor, "_QUICK_SECONDS", 0.0)
    assert config("config", "edit").said == "Nothing was changed.\n"
    assert file.stat().st_mtime_ns == stamp
    assert drafts(file) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[retry]\nmax_retires = 1\n", "line 2: there is no setting 'retry.max_retires'"),
        ("[retry\n", "cannot be parsed"),
    ],
    ids=["setting", "syntax"],
)
def test_invalid_text_is_kept_beside_the_file(
    config: RunConfig, file: Path, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = edit(config, monkeypatch, f"path.write_text({text!r})")
    assert ran.status == 3
    assert words in ran.said
    (draft,) = drafts(file)
    assert f"{file} is as it was. Your text is in {draft}." in ran.said
    assert (file.read_text(), draft.read_text()) == (FILE, text)


def test_bytes_that_are_no_utf8_are_kept(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = edit(config, monkeypatch, "path.write_bytes(b'# a\\n# \\xff\\n')")
    assert ran.status == 3
    assert "The text is not UTF-8: see line 2." in ran.said
    assert file.read_text() == FILE


def test_file_that_cannot_be_parsed_can_be_edited(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"[retry \xff\n")
    monkeypatch.setenv("EDITOR", f"{shlex.quote(sys.executable)} -c {shlex.quote(WHOLE)}")
    ran = config("config", "edit")
    assert ran.status == 0, ran.said
    assert file.read_text() == "[retry]\n"


WHOLE = "import sys, pathlib; pathlib.Path(sys.argv[-1]).write_text('[retry]\\n')"


def test_missing_file_begins_with_the_commented_one(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.unlink()
    file.parent.rmdir()
    assert edit(config, monkeypatch, "0").status == 0
    assert not file.exists()
    ran = edit(config, monkeypatch, "path.write_text(text.replace('# max_retries', 'max_retries'))")
    assert ran.status == 0, ran.said
    assert "\n[retry]\nmax_retries = 3" in file.read_text()
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("script", "how", "is_kept"),
    [
        ("sys.exit(3)", "with status 3", False),
        ("path.write_text('x'); sys.exit(3)", "with status 3", True),
        (f"os.kill(os.getpid(), {int(signal.SIGKILL)})", f"by signal {int(signal.SIGKILL)}", False),
    ],
    ids=["status", "status after a change", "signal"],
)
def test_editor_that_fails_leaves_the_file(
    config: RunConfig,
    file: Path,
    script: str,
    how: str,
    is_kept: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran = edit(config, monkeypatch, script)
    assert ran.status == 1
    assert f"ended {how}: {file} is as it was." in ran.said
    assert file.read_text() == FILE
    assert [str(draft) in ran.said for draft in drafts(file)] == [True] * is_kept


def test_editor_that_deletes_its_file_is_told(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = edit(config, monkeypatch, "path.unlink()")
    assert ran.status == 1
    assert "The editor has deleted what it was given." in ran.said
    assert file.read_text() == FILE


def test_change_by_somebody_else_is_not_overwritten(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"pathlib.Path({str(file)!r}).write_text('# theirs')"
    ran = edit(config, monkeypatch, f"{other}; path.write_text(text + '# ours')")
    assert ran.status == 1
    assert "was changed by somebody else meanwhile" in ran.said
    (draft,) = drafts(file)
    assert (file.read_text(), draft.read_text()) == ("# theirs", FILE + "# ours")
    assert str(draft) in ran.said


def test_visual_comes_before_editor(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", editor("path.write_text('# visual')"))
    edit(config, monkeypatch, "path.write_text('# editor')")
    assert file.read_text() == "# visual"


@pytest.mark.parametrize(
    ("said", "words"),
    [("no-such-editor -w", "Cannot run the editor 'no-such-editor'"), ("a 'b", "is no command")],
)
def test_editor_that_cannot_be_run_is_told(
    config: RunConfig, file: Path, said: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", said)
    ran = config("config", "edit")
    assert ran.status == 3
    assert words in ran.said
    assert drafts(file) == []


def test_usual_editor_is_taken_where_none_is_named(
    config: RunConfig, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with terminal("config", "edit") as seen:
        assert seen.finish() == 3
    assert "There is no editor" in "\n".join(seen.screen)
    program = tmp_path / "vi"
    program.write_text("#!/bin/sh\necho '# vi' > \"$1\"\n")
    program.chmod(0o755)
    # Without a terminal it would wait for one for ever.
    ran = config("config", "edit")
    assert ran.status == 3
    assert "There is no terminal for an editor" in ran.said
    assert file.read_text() == FILE
    with terminal("config", "edit") as seen:
        assert seen.finish() == 0
    assert file.read_text() == "# vi\n"


def test_json_file_is_begun_empty_whatever_its_case(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", editor("assert not text; path.write_text('{}')"))
    named = file.with_name("other.JSON")
    assert config("config", "edit", "--config", str(named)).status == 0
    assert named.read_text() == "{}"


def test_directory_that_cannot_be_written_is_told(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDITOR", "true")
    ran = config("config", "edit", "--config", str(tmp_path / "file" / "x" / "config.toml"))
    assert ran.status == 3
    assert "Cannot write beside" in ran.said


def test_interrupt_is_left_to_the_editor(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = f"os.kill({os.getpid()}, {int(signal.SIGINT)})"
    before = signal.getsignal(signal.SIGINT)
    ran = edit(config, monkeypatch, f"{parent}; path.write_text(text + '# still')")
    assert (ran.status, file.read_text()) == (0, FILE + "# still")
    assert signal.getsignal(signal.SIGINT) is before


def test_signals_are_left_alone_outside_of_the_main_thread() -> None:
    seen: list[object] = []

    def enter() -> None:
        with config_editor._interrupts_left_to_the_editor():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


TWICE = (
    "fixed = text.replace('nonsense', 'delay'); "
    "path.write_text(fixed if 'nonsense' in text else text + 'nonsense = 1\\n')"
)


@pytest.mark.parametrize(
    ("answer", "status"),
    [(b"\n", 0), (b"y\n", 0), (b"n\n", 3), (b"\x04", 3)],
    ids=["enter", "yes", "no", "ctrl-d"],
)
def test_invalid_text_can_be_edited_again_on_a_terminal(
    file: Path, answer: bytes, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", editor(TWICE))
    with terminal("config", "edit") as seen:
        seen.read_until("Edit it again? [Y/n] ")
        os.write(seen.master, answer)
        assert seen.finish() == status
    assert "there is no setting 'retry.nonsense'" in "".join(seen.screen)
    if status == 0:
        assert file.read_text() == FILE + "delay = 1\n"
        assert drafts(file) == []
    else:
        assert file.read_text() == FILE
        assert len(drafts(file)) == 1


def test_interrupted_question_says_where_the_text_is(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", editor(TWICE))
    with terminal("config", "edit") as seen:
        seen.read_until("Edit it again? [Y/n] ")
        seen.process.send_signal(signal.SIGINT)
        assert seen.finish() == 130
    (draft,) = drafts(file)
    assert f"Your text is in {draft}." in seen.screen


def test_file_that_cannot_be_replaced_leaves_the_text_in_the_copy(
    config: RunConfig, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # as root may write anything
    ran = edit(config, monkeypatch, "path.write_text(text + '# more')")
    assert ran.status == 3
    (draft,) = drafts(file)
    assert "it is read-only" in ran.said
    assert f"Your text is in {draft}." in ran.said
    assert (file.read_text(), draft.read_text()) == (FILE, FILE + "# more")
