"""Where an attempt goes: a row of the provider catalog, and that row made concrete.

Owns the shape of provider data. What is true of which provider stands in `providers/catalog.py`;
what to do with it is the dialects' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .http import DEFAULT_FIRST_BYTE_SECONDS, Timeouts
from .secret import Secret

__all__ = ["ProviderSpec", "Quirks", "Target", "variable_part"]


def variable_part(name: str) -> str:
    """Return a provider's name as it stands in the names of variables."""
    return "".join(c if c.isalnum() else "_" for c in name.upper())


@dataclass(frozen=True, slots=True)
class Quirks:
    """In what a provider departs from its dialect. The default is the dialect's own vendor."""

    max_tokens_field: str = "max_completion_tokens"
    """Name of the field that bounds the answer."""
    stream_options: bool = True
    """Whether `stream_options.include_usage` is understood."""
    streams_always: bool = False
    """Whether an answer is streamed on the wire also when it is wanted whole: where giving up on
    a whole one does not stop its generation."""
    not_found_is_model: bool = True
    """Whether a 404 on the chat path means that the model is missing."""


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """One row of the catalog."""

    name: str
    base_url: str
    """Without a trailing slash; empty when the user must give it."""
    dialect: str
    key_env: tuple[str, ...] = ()
    """Variables that may hold the key, the first one set wins."""
    base_url_env: tuple[str, ...] = ()
    """The provider's own variables for its address."""
    model_env: tuple[str, ...] = ()
    """Variables that name the model."""
    key_required: bool = True
    default_model: str = ""
    """Used when none is named; empty means: ask the server and take its first."""
    first_byte: float = DEFAULT_FIRST_BYTE_SECONDS
    """Seconds; local servers may be loading a model."""
    start_command: str = ""
    """What starts a local server, for the hint when nothing listens."""
    fetch_model_command: str = ""
    """What fetches a missing model, with its name behind it, for the hint."""
    alternative_base_urls: tuple[str, ...] = ()
    """Where the server may also listen, when `base_url` is the default."""
    owned_by: str | None = None
    """What its model list says under `owned_by` (empty: nothing), to tell servers apart that share
    a port; `None` where that is no question."""
    quirks: Quirks = Quirks()

    @property
    def own_key_variable(self) -> str:
        """The variable that holds the key before any other: `LLM_CLIENT_<PROVIDER>_API_KEY`."""
        return f"LLM_CLIENT_{variable_part(self.name)}_API_KEY"


@dataclass(frozen=True, slots=True)
class Target:
    """Provider, model, address and key: where one attempt goes."""

    provider: ProviderSpec
    model: str
    base_url: str
    """Without credentials: those of an address `http://user:password@host` are `basic_auth`."""
    api_key: Secret | None = None
    basic_auth: Secret | None = None
    """`user:password` from the address; used when there is no key."""
    timeouts: Timeouts = Timeouts()
    options: Mapping[str, object] = field(default_factory=dict)
    """Provider-specific fields from the configuration, under those of the request."""
    verify_ssl: bool | str = True
    """True, False, the path of a CA file or directory, or `system`."""

    @property
    def spec(self) -> str:
        """The model spec, `provider/model`."""
        return f"{self.provider.name}/{self.model}" if self.model else self.provider.name
