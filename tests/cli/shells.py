"""Real shells on a pseudo-terminal: a line is typed, Tab is pressed, and the line is looked at.

Owns starting bash, zsh and fish with the program and its completion script as a user has them. A
key of each shell writes the line that is being edited into a file: keys are handled one after the
other, so the file is there when completion is over, and no test has to guess how long that takes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect

from llm_client.cli.completions import SCRIPTS

from ..support.packages import needs
from .program import ROOT, SECONDS

__all__ = ["PROGRAM", "SHELLS", "Home", "Shell", "running_shell"]

PROGRAM = f"#!{sys.executable}\nfrom llm_client.__main__ import main\nmain()\n"
SHELLS = ("bash", "zsh", "fish")

_TAB, _WRITE, _ALL, _CLEAR = "\t", "\x07", "\x0f", "\x0e"
_BASH = r"""
PS1='$ '
HISTFILE=
alias lc=llm-client
complete -o bashdefault -o default -F _llm_client_completion lc
bind 'set bell-style none'
bind -x '"\C-g": printf "%s\n" "$READLINE_LINE" > {line}.new && mv {line}.new {line}'
bind '"\C-o": insert-completions'
bind '"\C-n": kill-whole-line'
"""
_ZSH = r"""
PS1='$ '
unsetopt beep promptsp
alias lc=llm-client
write-line() {{ print -r -- "$BUFFER" > {line}.new && mv {line}.new {line} }}
zle -N write-line
bindkey '^G' write-line
insert-all() {{ _main_complete; compstate[insert]=all; compstate[list]= }}
zle -C insert-all complete-word insert-all
bindkey '^O' insert-all
bindkey '^N' kill-whole-line
"""
_FISH = r"""
set -g fish_greeting
alias lc=llm-client
function fish_prompt; echo '$ '; end
function write-line
    commandline > {line}.new; and mv {line}.new {line}
end
bind \cg write-line
bind \cn kill-whole-line
"""


class Home:
    """The home of a user who has the program, with one directory to work in."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.here = folder / "here"
        self.program = folder / "bin" / "llm-client"
        for directory in (self.home, self.here, self.program.parent):
            directory.mkdir()
        self.program.write_text(PROGRAM)
        self.program.chmod(0o755)
        self.variables = {
            "HOME": str(self.home),
            "PATH": f"{self.program.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "INPUTRC": os.devnull,
        }

    def add_script(self, shell: str) -> None:
        """Put the completion script where the documentation says, and the shell finds it."""
        name, script = next((name, text) for name, (of, text) in SCRIPTS.items() if of == shell)
        folder = self.home / (".config/fish/completions" if shell == "fish" else "completions")
        folder.mkdir(parents=True)
        (folder / name).write_text(script, "utf-8")
        if shell == "bash":
            (self.home / ".bashrc").write_text(f"source {folder / name}\n")
        elif shell == "zsh":
            (self.home / ".zshrc").write_text(
                f"fpath=({folder} $fpath)\nautoload -Uz compinit\ncompinit -u\n"
            )


class Shell:
    """A shell that waits for a line."""

    def __init__(self, process: Any, line: Path) -> None:
        self._process = process
        self._line = line
        self.seen = ""
        """All that was written to its terminal."""

    def tab(self, line: str) -> str:
        """Type a line, press Tab; return the line then."""
        return self._edited(line + _TAB)

    def every(self, line: str) -> set[str]:
        """Type a line, let everything in that fits; return the words that came. Not in fish."""
        assert line.endswith(" ")
        return set(self._edited(line + _ALL).removeprefix(line).split())

    def _edited(self, keys: str) -> str:
        self._line.unlink(missing_ok=True)
        self._process.send(keys + _WRITE)
        ends = time.monotonic() + SECONDS
        while not self._line.exists():
            assert time.monotonic() < ends, f"the shell is silent: {self.seen!r}"
            self._read()
        line = self._line.read_text("utf-8").removesuffix("\n")
        self._process.send(_CLEAR)
        return line

    def _read(self) -> None:
        try:
            self.seen += self._process.read_nonblocking(4096, 0.02)
        except pexpect.TIMEOUT:
            return


@contextmanager
def running_shell(name: str, user: Home) -> Iterator[Shell]:
    """Start a shell of `SHELLS` at its user's; it is gone when the block ends."""
    needs(name)
    line = user.home / "line"
    arguments = ["-i"]
    match name:
        case "bash":
            _append(user.home / ".bashrc", _BASH.format(line=line))
            arguments = ["--noprofile", "-i"]
        case "zsh":
            _append(user.home / ".zshrc", _ZSH.format(line=line))
            arguments = ["-d", "-i"]  # without the files in /etc
        case _:
            _append(user.home / ".config/fish/config.fish", _FISH.format(line=line))
    process = pexpect.spawn(
        name,
        arguments,
        env=user.variables,
        cwd=str(user.here),
        encoding="utf-8",
        timeout=SECONDS,
        dimensions=(50, 200),
    )
    process.delaybeforesend = None  # it waits 50 ms before each key by default
    try:
        process.expect_exact("$ ")
        yield Shell(process, line)
    finally:
        process.close(force=True)


def _append(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(text)
