"""How a command ends that goes wrong: by an error, Ctrl-C, or a reader that has left.

Owns the order in which these are told apart; `generate` does it its own way, because what it has
shown by then is half an answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .environment import Environment
from .exit_status import ExitStatus, Interrupted, OutputError, error_object, exit_status
from .options import checked_color
from .output import write_json
from .progress import Progress
from .report import report, understood
from .signals import Terminated, termination_raises

__all__ = ["guarded", "run_guarded"]


def run_guarded(
    work: Callable[[dict[str, Any], Environment, Progress], int], flags: dict[str, Any]
) -> int:
    """Do the work of a command in this process's environment; return its exit status.

    Args:
        work: is given the flags; returns the exit status.
        flags: of the command line, by the names of the parameters.
    """
    environment = Environment.current()
    progress = Progress(
        environment, quiet=flags.get("quiet", False), verbose=flags.get("verbose", False)
    )

    def colored() -> int:
        environment.color = checked_color(flags.get("color", "auto"))
        return work(flags, environment, progress)

    return guarded(
        colored,
        environment,
        progress,
        json=flags.get("json", False),
        debug=flags["debug"],
    )


def guarded(
    work: Callable[[], int],
    environment: Environment,
    progress: Progress,
    *,
    json: bool,
    debug: bool,
) -> int:
    """Do the work of a command; return its exit status, whatever happens.

    Args:
        work: returns the exit status.
        environment: where it happens.
        progress: says what is said meanwhile.
        json: whether an error is an object on stdout too.
        debug: whether an error shows its traceback.
    """
    try:
        with termination_raises(), warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: progress.say(f"Warning: {message}")
            if environment.stdout_is_closed:
                raise OutputError("Standard output is closed.", hint="Redirect it to a file.")
            return work()
    except BrokenPipeError:
        progress.arrived()
        return ExitStatus.BROKEN_PIPE
    except KeyboardInterrupt as signal:
        progress.arrived()
        return _interrupted(signal, environment, json=json)
    except Exception as error:
        progress.arrived()
        failure = understood(error)
        # Where the answer does not go, an object about it does not go either.
        json = json and not isinstance(failure, OutputError)
        report(failure, environment, json=json, debug=debug)
        return exit_status(failure)


def _interrupted(signal: KeyboardInterrupt, environment: Environment, *, json: bool) -> int:
    if isinstance(signal, Terminated):
        error = Interrupted("Terminated.", status=signal.status)
    else:
        error = Interrupted("Interrupted.", status=ExitStatus.INTERRUPTED)
    environment.note(error.message)
    if json:
        write_json(environment.stdout.buffer, error_object(error))
    return error.exit_status
