"""Whether attempts are written down: what the environment says over what the file says."""

from __future__ import annotations

from collections.abc import Mapping

from ..exceptions import ConfigurationError
from ..types.config import Settings

__all__ = ["is_enabled"]

_SWITCH = {
    **dict.fromkeys(("on", "1", "true", "yes"), True),
    **dict.fromkeys(("off", "0", "false", "no"), False),
}


def is_enabled(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Return whether attempts are written down.

    Raises:
        ConfigurationError: `LLM_CLIENT_LEDGER` is neither on nor off.
    """
    said = environ.get("LLM_CLIENT_LEDGER", "").strip().lower()
    if not said:
        return settings.ledger
    if said not in _SWITCH:
        raise ConfigurationError(
            f"LLM_CLIENT_LEDGER is {said!r}, which is neither on nor off.",
            hint="Set it to `on` or `off`.",
        )
    return _SWITCH[said]
