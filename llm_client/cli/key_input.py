"""A key as the user gives it: typed at a prompt that shows nothing, or piped in.

Refuses to take one where it would be seen.
"""

from __future__ import annotations

import warnings

from .environment import Environment
from .exit_status import UsageError

__all__ = ["read_key"]

_MOST_BYTES = 65536


def read_key(provider: str, environment: Environment) -> str:
    """Return a key without the blanks around it; what it may be is checked where it is kept.

    Args:
        provider: whose key it is, for the prompt.
        environment: where it comes from.

    Raises:
        UsageError: there is none, or the terminal would show it.
    """
    if environment.stdin_is_terminal:
        return _typed(provider, environment)
    data = environment.stdin.read(_MOST_BYTES + 1) if environment.stdin is not None else b""
    if len(data) > _MOST_BYTES:
        raise UsageError(
            "Standard input is no key: it is longer than 64 kB.", hint="Pipe in the key alone."
        )
    text = data.decode("utf-8-sig", "replace").strip()
    if not text:
        raise UsageError(
            "No key came on standard input: nothing is stored.",
            hint=f"`llm-client creds set {provider} < FILE`, or without a pipe, to be asked.",
        )
    return text


def _typed(provider: str, environment: Environment) -> str:
    import getpass

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            text = getpass.getpass(f"Key for {provider} (it is not shown): ").strip()
        except EOFError:
            text = ""
            environment.note("")  # the prompt's line is not ended by what was not typed
        except KeyboardInterrupt:
            environment.note("")
            raise
        except getpass.GetPassWarning:
            raise UsageError(
                "This terminal would show the key.",
                hint=f"Pipe it in: `llm-client creds set {provider} < FILE`.",
            ) from None
    if not text:
        raise UsageError("No key was typed: nothing is stored.")
    return text
