"""Much at once: a very long answer on a terminal, a very large prompt on standard input."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import tempfile
import termios
from pathlib import Path
from time import monotonic

from .measure import Lab, median
from .table import Check, Section

__all__ = ["large_input", "terminal"]

_LINES = 20_000
_INPUT_MB = 100
_ROWS_COLUMNS = (40, 100)
_FLAT_MIB = 8.0
"""What memory may grow by after the first tenth; the text itself, which is kept, takes 1 to 4."""
_SAMPLE_SECONDS = 0.02
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MEBIBYTE = 1 << 20


def terminal(lab: Lab) -> Section:
    """Measure a long Markdown answer on a pseudo-terminal."""
    lines = lab.size(_LINES, 200)
    runs = [_on_terminal(lab, lines) for _ in range(max(1, lab.repeats // 3))]
    cpu = median(run[0] for run in runs)
    growths = [run[1] for run in runs if run[1] is not None]
    growth = median(growths) if growths else None
    section = Section(
        f"{lines:,} lines of Markdown on a terminal", ("CPU s", "growth MiB", "peak MiB")
    )
    section.rows = [("llm-client generate", (cpu, growth, median(run[2] for run in runs)))]
    section.checks = [Check("CPU, s", cpu, 10)]
    if growth is None:
        section.notes = ["this system does not show the memory of another process while it runs"]
    else:
        section.checks.append(Check("memory growth after the first tenth, MiB", growth, _FLAT_MIB))
    return section


def _on_terminal(lab: Lab, lines: int) -> tuple[float, float | None, float]:
    """Return CPU seconds, memory growth and peak memory in MiB of one answer."""
    ours = lab.environments["ours"]
    url = lab.url("markdown", lines)
    command = ours.command(
        "llm-client", "llm_client", "generate", "hello", "--base-url", url, "-m", "bench"
    )
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *_ROWS_COLUMNS, 0, 0))
    try:
        process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=lab.variables(ours),
            cwd=lab.home,
            start_new_session=True,
        )
        os.close(slave)
        tail, samples = _drain(master, process.pid)
    finally:
        os.close(master)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"generate on a terminal: status {process.returncode}: {tail!r}")
    peak = max((size for _, size in samples), default=0)
    early = [size for shown, size in samples if shown <= samples[-1][0] // 10]
    growth = (peak - max(early)) / _MEBIBYTE if early else None
    return usage.ru_utime + usage.ru_stime, growth, peak / _MEBIBYTE


def _drain(master: int, pid: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Read what is shown until the end; return its tail and (bytes shown, bytes resident)."""
    tail, shown, next_sample = b"", 0, 0.0
    samples: list[tuple[int, int]] = []
    while True:
        try:
            piece = os.read(master, 1 << 16)
        except OSError:  # Linux says so when the last process has closed its side
            break
        if not piece:
            break
        shown += len(piece)
        tail = (tail + piece)[-500:]
        if monotonic() >= next_sample and (resident := _resident_bytes(pid)):
            samples.append((shown, resident))
            next_sample = monotonic() + _SAMPLE_SECONDS
    return tail, samples


def _resident_bytes(pid: int) -> int:
    """Return the resident memory of another process; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def large_input(lab: Lab) -> Section:
    """Measure the memory of a large prompt that is piped in."""
    size_mb = lab.size(_INPUT_MB, 1)
    ours = lab.environments["ours"]
    command = ours.command(
        "llm-client", "llm_client", "generate", "--base-url", lab.url("events", 20), "-m", "bench"
    )
    size = size_mb * 1_000_000
    section = Section(
        f"{size_mb} MB on standard input",
        ("peak MiB", "× input", "× text", "CPU s", "wall s"),
    )
    line = b"A line of plain text that somebody wants to have summarised.\n"
    units = {
        "ASCII": line,
        "Latin and emoji, UTF-8": "Señales, déjà vu, naïveté – 🌍, and some more of it.\n".encode(),
        "not UTF-8": line.replace(b"plain", b"pl\xe9in"),
    }
    for name, unit in units.items():
        with tempfile.NamedTemporaryFile(dir=lab.home) as file:
            file.write((unit * (size // len(unit) + 1))[:size])
            file.flush()
            run = lab.run(ours, command, stdin=Path(file.name))
        peak = run.peak_mib * _MEBIBYTE
        held = max(size, _held_bytes(unit) * (size // len(unit)))
        figures = (run.peak_mib, peak / size, peak / held, run.cpu_ms / 1000, run.wall_ms / 1000)
        section.rows.append((name, figures))
        section.checks.append(Check(f"peak memory, × the input, {name}", peak / size, 3))
    section.notes = [
        "× text explains, the target is × input: Python holds a text at 2 bytes a character "
        "with one U+FFFD in it, at 4 with one emoji"
    ]
    return section


def _held_bytes(unit: bytes) -> int:
    """Return how much memory the decoded text takes: its widest character decides for all."""
    text = unit.decode("utf-8", "replace")
    widest = max(map(ord, text))
    return len(text) * (1 if widest < 256 else 2 if widest < 65536 else 4)
