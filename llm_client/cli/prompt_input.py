"""The prompt of a one-shot command: words, files and standard input made into one text.

Owns the reading of what the user hands over, and refuses what is no text: a directory, a device
that is no file, binary data. Input is read as bytes and decoded once, so that 100 MB stay 100 MB.
"""

from __future__ import annotations

import re
import select
from collections.abc import Sequence
from pathlib import Path

from .environment import Environment
from .exit_status import UsageError

__all__ = ["build_prompt"]

HINT_AFTER_SECONDS = 5.0
"""An inherited pipe that nobody writes to looks like a hang: say what is being waited for."""
_PIECE = 1 << 20
_SNIFFED = 1 << 16
"""Bytes that are searched for NUL, which no text has."""
_FENCE = re.compile(r"^\s{0,3}(`{3,})", re.MULTILINE)


def build_prompt(
    words: Sequence[str], files: Sequence[str], *, read_stdin: bool, environment: Environment
) -> str:
    """Return the prompt: the words, each file as a named block, then standard input.

    Args:
        words: the arguments; `-` among them names standard input.
        files: paths to read; `-` is standard input as a block.
        read_stdin: whether standard input that is no terminal is read without being named.
        environment: where standard input comes from.

    Raises:
        UsageError: a file that is none or is no text, or a prompt that is empty.
    """
    instruction = " ".join(word for word in words if word != "-")
    parts = [instruction] if instruction.strip() else []
    parts += [_block(path, environment) for path in files if path != "-"]
    named = "-" in words or "-" in files
    piped = read_stdin and environment.stdin is not None and not environment.stdin_is_terminal
    if named or piped:
        text = _read_stdin(environment, expected=named or not parts)
        if "-" in files:
            text = _fenced("stdin", text)
        if text.strip():
            parts.append(text)
    prompt = parts[0] if len(parts) == 1 else "\n\n".join(parts)
    if not prompt.strip():
        raise UsageError(
            "The prompt is empty: nothing was sent.",
            hint='Give it as an argument or on stdin: `llm-client generate "your question"`.',
        )
    return prompt


def _block(path: str, environment: Environment) -> str:
    file = Path(path).expanduser()
    try:
        if file.is_dir():
            raise UsageError(
                f"{path!r} is a directory, not a file.",
                hint=f"Name its files: `-f {path.rstrip('/')}/FILE`.",
            )
        data = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"Cannot read the file {path!r}: {reason}.") from None
    return _fenced(path, _decode(data, path, environment))


def _fenced(name: str, text: str) -> str:
    """Return a text as a fenced block under its name; the fence is longer than any inside."""
    longest = max((len(fence) for fence in _FENCE.findall(text)), default=2)
    fence = "`" * max(3, longest + 1)
    ending = "" if text.endswith("\n") else "\n"
    return f"{name}\n{fence}\n{text}{ending}{fence}"


def _read_stdin(environment: Environment, *, expected: bool) -> str:
    if environment.stdin is None:
        return ""
    if not expected:
        _hint_when_silent(environment)
    data = bytearray()
    try:
        while piece := environment.stdin.read1(_PIECE):  # type: ignore[attr-defined]
            data += piece
    except OSError as error:
        raise UsageError(f"Cannot read standard input: {error.strerror}.") from None
    return _decode(data, "standard input", environment)


def _hint_when_silent(environment: Environment) -> None:
    """Say what is being waited for when nothing arrives and the prompt is already there."""
    assert environment.stdin is not None
    try:
        ready, _, _ = select.select([environment.stdin], [], [], HINT_AFTER_SECONDS)
    except (OSError, ValueError):
        return  # no descriptor to wait for (a test's stream, Windows): just read
    if not ready:
        environment.note(
            "Waiting for standard input, which is not a terminal and stays silent. "
            "To send the prompt without it: `--no-stdin`, or `< /dev/null`."
        )


def _decode(data: bytes | bytearray, name: str, environment: Environment) -> str:
    if b"\0" in memoryview(data)[:_SNIFFED].tobytes():
        raise UsageError(
            f"{name[0].upper()}{name[1:]} is binary data, not text: nothing was sent.",
            hint="Convert it to text first; only text can be part of a prompt.",
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        environment.note(
            f"Warning: {name} is not UTF-8 (byte {error.start}); what is not was replaced by U+FFFD."
        )
        return data.decode("utf-8", "replace")
