"""Run one command and print what it took, as JSON on one line.

A process of its own, started anew for every command and importing next to nothing, because Linux
counts the peak memory of the process that starts a command into that of the command: this one
peaks at about 9 MiB, below everything that is measured. Used by `measure.run_process`, as
`python -I -S launch.py COMMAND…`; the command's standard input is this one's.
"""

from __future__ import annotations

import os
import sys
import time


def main(command: list[str]) -> int:
    """Run `command` with its standard output in a pipe; return 0 when it could be started."""
    readable, writable = os.pipe()
    actions: list[tuple[int, int, int] | tuple[int, int]] = [
        (os.POSIX_SPAWN_DUP2, writable, 1),
        (os.POSIX_SPAWN_CLOSE, readable),
        (os.POSIX_SPAWN_CLOSE, writable),
    ]
    started = time.monotonic_ns()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    os.close(writable)
    last_output, size = started, 0
    while piece := os.read(readable, 1 << 16):
        last_output = time.monotonic_ns()
        size += len(piece)
    _, status, usage = os.wait4(pid, 0)
    exited = time.monotonic_ns()
    # Linux counts in KiB, macOS in bytes.
    peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(
        f'{{"status": {os.waitstatus_to_exitcode(status)}, "started_ns": {started}, '
        f'"last_output_ns": {last_output}, "exited_ns": {exited}, "output_bytes": {size}, '
        f'"cpu_seconds": {usage.ru_utime + usage.ru_stime:.6f}, "peak_bytes": {peak_bytes}}}'
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
