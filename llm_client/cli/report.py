"""How a failure is told: a line, the next thing to do, and for programs a JSON object.

No traceback unless it is asked for, and no key anywhere: neither in the messages of libraries nor
in a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..exceptions import (
    ConnectionError,
    LLMError,
    QuotaExceededError,
    RateLimitError,
    TimeoutError,
)
from ..types.secret import Secret
from .environment import Environment
from .exit_status import OutputError, error_object
from .masking import known_secrets, masked
from .output import write_json
from .render.sanitize import neutralise

__all__ = ["in_a_line", "report", "report_line", "safe_error_object", "understood"]


def report(error: LLMError, environment: Environment, *, json: bool, debug: bool) -> None:
    """Tell an error on stderr, and as an object on stdout when answers are objects.

    Call it where the error is being handled: `debug` shows the traceback of that.
    """
    secrets = known_secrets(environment)
    if debug:
        import traceback

        environment.note(neutralise(masked(traceback.format_exc().rstrip(), secrets)))
    environment.note(f"{_label(environment)} {_shown(error.message, secrets)}")
    if hint := error.hint or _next_step(error):
        environment.note("  " + _shown(hint, secrets).replace("\n", "\n  "))
    if json:
        write_json(environment.stdout.buffer, safe_error_object(error, secrets))


def safe_error_object(error: LLMError, secrets: Iterable[Secret]) -> dict[str, Any]:
    """Return the JSON object that stands for an error, without keys."""
    shown = error_object(error)
    shown["error"]["hint"] = error.hint or _next_step(error)
    shown["error"] |= {
        name: masked(text, secrets)
        for name in ("message", "hint")
        if (text := shown["error"][name]) is not None
    }
    return shown


def report_line(about: str, error: LLMError, environment: Environment) -> None:
    """Tell an error that is one of several on a line of stderr: what of, why, and what to do."""
    text = f"{about}: {in_a_line(error.message, error.hint or _next_step(error) or '')}"
    environment.note(f"{_label(environment)} {_shown(text, known_secrets(environment))}")


def in_a_line(why: str, hint: str) -> str:
    """Return why something failed and what to do about it on one line."""
    # What a server says of it often has no full stop.
    stop = "." if hint and why and not why.endswith((".", "!", "?", ":")) else ""
    return " ".join(f"{why}{stop} {hint}".split())


def _label(environment: Environment) -> str:
    color = environment.colored(environment.stderr_is_terminal)
    return "\x1b[1;31merror:\x1b[0m" if color else "error:"


def _next_step(error: LLMError) -> str | None:
    """Return what to do about an error that brings no hint, in terms of this program's flags."""
    match error:
        case TimeoutError():
            return "Allow more with `--timeout SECONDS`."
        case ConnectionError(refused=True):
            return "Is the server running, and on this port? Another is named with `--base-url`."
        case QuotaExceededError():
            return "Ask another model with `-m PROVIDER/MODEL`."
        case RateLimitError():
            return "Try again later, try more often with `--retries`, or ask another with `-m`."
    return None


def understood(error: Exception) -> LLMError:
    """Return what stands for an error: itself, an answer that cannot be written, or a bug."""
    match error:
        case LLMError():
            return error
        case OSError():
            return OutputError(f"Cannot write the answer: {error.strerror or error}.")
    return LLMError(
        f"Something unforeseen went wrong: {type(error).__name__}: {error}",
        hint="This is a bug of llm-client. `--debug` shows where.",
    )


def _shown(text: str, secrets: Iterable[Secret]) -> str:
    return neutralise(masked(text, secrets))
