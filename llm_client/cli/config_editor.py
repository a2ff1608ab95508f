"""`llm-client config edit`: the file in the user's editor, and back only if it is valid.

Owns that a copy is edited, beside the file, and that no text of the user's is ever lost: what cannot
replace the file stays in the copy, and it is said where.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..exceptions import ConfigurationError, LLMError
from ..storage.config import problems
from ..storage.config_document import is_json, parse_document
from ..storage.config_edit import changing, file_behind
from ..storage.paths import config_file
from ..storage.private_files import make_private_directory
from .config_template import template
from .environment import Environment
from .exit_status import ExitStatus
from .masking import known_secrets, masked
from .progress import Progress
from .render.plain import emit
from .render.sanitize import neutralise
from .report import report

__all__ = ["edit_config"]

_USUAL_EDITORS = ("nano", "vim", "vi")
_QUICK_SECONDS = 1.0
_DOES_NOT_WAIT = "An editor that does not wait needs a flag to do so: `VISUAL='code --wait'`."


def edit_config(config_path: Path | None, environment: Environment, progress: Progress) -> int:
    """Let the user edit the file; return the exit status.

    Raises:
        LLMError: there is no editor, or it fails; the file is as it was.
    """
    path = config_path or config_file(environment.environ)
    editor = _editor(environment)
    target = file_behind(path)
    before = _content(target)
    begun = template().encode() if before is None and not is_json(path) else before or b""
    draft = _draft(target, begun)
    try:
        return _Edit(path, target, before, begun, draft, environment, progress).run(editor)
    finally:
        # Whatever happens: a text that nobody else has is kept.
        if _content(draft) in (begun, None, b""):
            with suppress(OSError):
                draft.unlink()


class _Edit:
    """One file being edited."""

    def __init__(
        self,
        path: Path,
        target: Path,
        before: bytes | None,
        begun: bytes,
        draft: Path,
        environment: Environment,
        progress: Progress,
    ) -> None:
        self._path = path
        self._target = target
        self._before = before
        """What the file has; `None`: there is none."""
        self._begun = begun
        """What the editor is given."""
        self._draft = draft
        self._environment = environment
        self._progress = progress

    def run(self, editor: Sequence[str]) -> int:
        while True:
            began = time.monotonic()
            self._call(editor)
            is_quick = time.monotonic() - began < _QUICK_SECONDS
            data = _content(self._draft)
            if data is None:
                raise LLMError("The editor has deleted what it was given.", hint="Try again.")
            if data == self._begun:
                hint = f" {_DOES_NOT_WAIT}" if is_quick else ""
                self._progress.say(f"Nothing was changed.{hint}")
                return ExitStatus.ANSWERED
            found = self._problems(data)
            if not found:
                self._replace(data)
                self._progress.say(f"Saved {self._path}.")
                return ExitStatus.ANSWERED
            self._tell(found)
            if not self._wants_again():
                self._progress.say(f"{self._path} is as it was. Your text is in {self._draft}.")
                return ExitStatus.CONFIGURATION

    def _call(self, editor: Sequence[str]) -> None:
        try:
            with _interrupts_left_to_the_editor():
                status = subprocess.run([*editor, str(self._draft)]).returncode
        except OSError as error:
            raise ConfigurationError(
                f"Cannot run the editor {editor[0]!r}: {error.strerror}.",
                hint="Name another: `VISUAL=nano llm-client config edit`.",
            ) from None
        if status != 0:
            how = f"with status {status}" if status > 0 else f"by signal {-status}"
            kept = (
                "" if _content(self._draft) == self._begun else f" Your text is in {self._draft}."
            )
            raise LLMError(
                f"The editor {editor[0]!r} ended {how}: {self._path} is as it was.{kept}"
            )

    def _problems(self, data: bytes) -> list[ConfigurationError]:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            return [ConfigurationError(f"The text is not UTF-8: see line {line}.")]
        try:
            return problems(parse_document(self._path, text))
        except ConfigurationError as error:
            return [error]

    def _replace(self, data: bytes) -> None:
        try:
            with changing(self._path) as replace:
                if _content(self._target) != self._before:
                    raise LLMError(
                        f"{self._path} was changed by somebody else meanwhile, and is left alone.",
                        hint=f"Your text is in {self._draft}: compare the two.",
                    )
                replace(data)
        except ConfigurationError as error:
            hint = f"{error.hint} " if error.hint else ""
            raise ConfigurationError(
                error.message, hint=f"{hint}Your text is in {self._draft}."
            ) from None
        self._draft.unlink()

    def _tell(self, found: Sequence[LLMError]) -> None:
        for problem in found:
            try:
                raise problem
            except LLMError as error:
                report(error, self._environment, json=False, debug=False)

    def _wants_again(self) -> bool:
        environment = self._environment
        if environment.stdin is None or not (
            environment.stdin_is_terminal and environment.stderr_is_terminal
        ):
            return False
        try:
            emit(environment.stderr, "Edit it again? [Y/n] ")
            answer = environment.stdin.readline()
        except KeyboardInterrupt:
            environment.note(neutralise(f"\nYour text is in {self._draft}."))
            raise
        if not answer:
            emit(environment.stderr, "\n")
        return bool(answer) and answer.strip().lower() not in {b"n", b"no"}


def _editor(environment: Environment) -> list[str]:
    """Return the user's editor with its arguments.

    Raises:
        ConfigurationError: there is none, or it is named in a way that nobody understands.
    """
    environ = environment.environ
    for variable in ("VISUAL", "EDITOR"):
        if said := environ.get(variable, "").strip():
            try:
                if words := shlex.split(said):
                    return words
            except ValueError:
                shown = neutralise(masked(said, known_secrets(environment)))
                raise ConfigurationError(
                    f"{variable} {shown!r} is no command.", hint=f"`export {variable}=nano`."
                ) from None
    # Those wait for a terminal for ever, where there is none.
    found = (
        next(filter(shutil.which, _USUAL_EDITORS), None) if environment.stdin_is_terminal else ""
    )
    if not found:
        why = "There is no editor" if found is None else "There is no terminal for an editor"
        raise ConfigurationError(
            f"{why}: neither $VISUAL nor $EDITOR names one.",
            hint="Name it, `VISUAL=… llm-client config edit`, or change single settings: "
            "`llm-client config set KEY VALUE`.",
        )
    return [found]


def _draft(target: Path, begun: bytes) -> Path:
    """Return a copy beside the file, which editors know by its ending."""
    try:
        make_private_directory(target.parent)
        handle, name = tempfile.mkstemp(target.suffix, f"{target.stem}-draft-", target.parent)
        with open(handle, "wb") as stream:
            stream.write(begun)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write beside {str(target)!r}: {error.strerror}."
        ) from None
    return Path(name)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"Cannot read {str(path)!r}: {error.strerror}.") from None


@contextmanager
def _interrupts_left_to_the_editor() -> Iterator[None]:
    """Let Ctrl-C reach the editor alone, which does something else with it than to leave."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # No `SIG_IGN`: the editor would inherit that.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
