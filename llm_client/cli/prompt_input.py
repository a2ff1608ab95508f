"""The prompt of a one-shot command: words, files and standard input made into one text.

Owns the reading of what the user hands over, and refuses what is no text: a directory, binary
data. A short input becomes a `str`. A long one stays the UTF-8 that it came as, checked piece by
piece, so that 100 MB stay 100 MB whatever characters are in them.
"""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from ..types.long_text import LongText
from .environment import Environment
from .exit_status import UsageError

__all__ = ["build_prompt"]

HINT_AFTER_SECONDS = 5.0
"""An inherited pipe that nobody writes to looks like a hang: say what is being waited for."""
_PIECE = 1 << 20
_SNIFFED = 1 << 16
"""Bytes that are searched for NUL, which no text has."""
_LONG_INPUT = 4 << 20
"""Bytes from which on an input stays bytes."""

Say = Callable[[str], None]


def build_prompt(
    words: Sequence[str],
    files: Sequence[str],
    *,
    read_stdin: bool,
    environment: Environment,
    say: Say,
) -> str | LongText:
    """Return the prompt: the words, each file as a named block, then standard input.

    Args:
        words: the arguments; `-` among them names standard input.
        files: paths to read; `-` is standard input as a block.
        read_stdin: whether standard input that is no terminal is read without being named.
        environment: where standard input comes from.
        say: told what the user should know of the input.

    Raises:
        UsageError: a file that is none or is no text, or a prompt that is empty.
    """
    instruction = " ".join(word for word in words if word != "-")
    parts: list[str | LongText] = [] if _is_blank(instruction) else [instruction]
    parts += [_block(path, say) for path in files if path != "-"]
    named = "-" in words or "-" in files
    piped = read_stdin and not environment.stdin_is_terminal
    if environment.stdin is not None and (named or piped):
        if parts and not named:
            _hint_when_silent(environment.stdin, say)
        parts += _stdin_part(environment.stdin, fenced="-" in files, say=say)
    prompt = _joined(parts, "\n\n")
    if _is_blank(prompt):
        raise UsageError(
            "The prompt is empty: nothing was sent.",
            hint='Give it as an argument or on stdin: `llm-client generate "your question"`.',
        )
    return prompt


def _joined(parts: Sequence[str | LongText], separator: str) -> str | LongText:
    if len(parts) == 1:
        return parts[0]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) == len(parts):
        return separator.join(texts)
    pieces: list[bytes] = []
    for part in parts:
        if pieces:
            pieces.append(separator.encode())
        # An argument may have undecodable bytes, which are no UTF-8.
        pieces += [part.encode("utf-8", "replace")] if isinstance(part, str) else part.pieces
    return LongText(pieces)


def _is_blank(text: str | LongText) -> bool:
    # Unlike `strip`, this copies nothing.
    return not text or text.isspace()


def _stdin_part(stdin: BinaryIO, *, fenced: bool, say: Say) -> list[str | LongText]:
    try:
        text = _read_text(stdin, "standard input", say)
    except OSError as error:
        raise UsageError(f"Cannot read standard input: {error.strerror}.") from None
    if fenced:
        return [_fenced("stdin", text)]
    return [] if _is_blank(text) else [text]


def _block(path: str, say: Say) -> str | LongText:
    file = Path(path).expanduser()
    try:
        if file.is_dir():
            raise UsageError(
                f"{path!r} is a directory, not a file.",
                hint=f"Name its files: `-f {path.rstrip('/')}/FILE`.",
            )
        with file.open("rb") as stream:
            return _fenced(path, _read_text(stream, repr(path), say))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"Cannot read the file {path!r}: {reason}.") from None


def _fenced(name: str, text: str | LongText) -> str | LongText:
    """Return a text as a fenced block under its name; the fence is longer than any inside."""
    if isinstance(text, str):
        fences = re.findall(r"^\s{0,3}(`{3,})", text, re.MULTILINE)
        ended = text.endswith("\n")
    else:
        fences = re.findall(rb"^\s{0,3}(`{3,})", b"".join(text.pieces), re.MULTILINE)
        ended = text.pieces[-1].endswith(b"\n")
    fence = "`" * max(3, max(map(len, fences), default=0) + 1)
    block = [f"{name}\n{fence}\n", text, f"{'' if ended else chr(10)}{fence}"]
    return _joined(block, "")


def _hint_when_silent(stdin: BinaryIO, say: Say) -> None:
    """Say what is being waited for when nothing arrives and the prompt is already there."""
    try:
        ready, _, _ = select.select([stdin], [], [], HINT_AFTER_SECONDS)
    except (OSError, ValueError):
        return  # no descriptor to wait for (a test's stream, Windows): just read
    if not ready:
        say(
            "Waiting for standard input, which is not a terminal and stays silent. "
            "To send the prompt without it: `--no-stdin`, or `< /dev/null`."
        )


def _read_text(stream: BinaryIO, name: str, say: Say) -> str | LongText:
    pieces: list[bytes] = []
    size = 0
    while piece := stream.read1(_PIECE):  # type: ignore[attr-defined]
        if size < _SNIFFED and b"\0" in piece[: _SNIFFED - size]:
            raise UsageError(
                f"{name[0].upper()}{name[1:]} is binary data, not text: nothing was sent.",
                hint="Images, PDF and audio: `--attach FILE`. Anything else: make it text first.",
            )
        pieces.append(piece)
        size += len(piece)
    invalid = _repair(pieces)
    if invalid is not None:
        say(f"Warning: {name} is not UTF-8 (byte {invalid}); what is not was replaced by U+FFFD.")
    return b"".join(pieces).decode() if size < _LONG_INPUT else LongText(pieces)


def _repair(pieces: list[bytes]) -> int | None:
    """Make the pieces valid UTF-8, each on its own; return where the first byte was that is not.

    Afterwards no piece ends inside a character, and U+FFFD stands for what was none: the same
    as if all had been decoded at once.
    """
    first: int | None = None
    position, rest = 0, b""
    for index, piece in enumerate(pieces):
        data = rest + piece
        end = len(data) if index == len(pieces) - 1 else _last_boundary(data)
        data, rest = data[:end], data[end:]
        try:
            data.decode()
        except UnicodeDecodeError as error:
            first = position + error.start if first is None else first
            pieces[index] = data.decode("utf-8", "replace").encode()
        else:
            pieces[index] = data
        position += end
    return first


def _last_boundary(data: bytes) -> int:
    """Return where a character that is unfinished at the end begins; else the length."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if needed > back else len(data)
        if byte < 0x80:
            break
    return len(data)
