"""How a client is set up: in code (`LLMConfig`) and by the configuration file (`Settings`).

Owns the values. Reading the file is `storage/config.py`'s business, and turning both into targets
is `policy/route.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..exceptions import ValidationError
from .checks import check_count, check_range, check_seconds, check_type, check_word
from .secret import Secret, without_password

if TYPE_CHECKING:
    from pathlib import Path

    from .budget import Budget
    from .request import ReasoningEffort

__all__ = [
    "CredentialStore",
    "LLMConfig",
    "Overflow",
    "Prefer",
    "Profile",
    "ProviderSettings",
    "RetrySettings",
    "Settings",
]

Overflow: TypeAlias = Literal["refuse", "trim", "summarize"]
"""What happens to a conversation that is longer than the model's window."""
Prefer: TypeAlias = Literal["order", "cheapest"]
"""Which target of a chain is asked first."""
CredentialStore: TypeAlias = Literal["auto", "keyring", "file"]
"""Where keys are put: `auto` is the keyring where there is one."""


_LONGEST_TTL = 1e12
"""Seconds. No clock waits for it to pass, so that it need not be as short as a wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMConfig:
    """Everything a client needs to know. What is left out comes from environment and file."""

    provider: str | None = None
    """A name of the catalog or of the configuration; with a base URL and no provider it is any
    OpenAI-compatible server."""
    base_url: str | None = None
    dialect: str | None = None
    """The wire format, over that of the catalog: `openai-chat`, `openai-responses`, `anthropic`…"""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What the provider's address is made of besides key and model: Azure's `endpoint`…"""
    api_key: str | Secret | None = None
    model: str | None = None
    """The model's name, or `provider/model` when no provider is given."""
    timeout: float | None = None
    """Seconds: bounds every single wait. `None`: 5 to connect, the catalog's figure for the first
    byte, 30 of silence."""
    verify_ssl: bool | str | None = None
    """True, False, the path of a CA file or directory, or `system`; `None`: as configured, else
    True."""
    max_retries: int | None = None
    """`None`: as configured, else 3."""
    retry_delay: float | None = None
    """Seconds before the first retry; `None`: as configured, else 1."""
    retry_max_delay: float | None = None
    """Seconds; `None`: as configured, else 10."""
    retry_exponential_base: float | None = None
    """By how much each delay grows; `None`: as configured, else 2."""
    cache_ttl: float | None = None
    """Seconds that a model list is kept; `None`: as configured, else 300."""
    fallback_configs: Sequence[LLMConfig | str] = ()
    """Where to go when this one fails, in order; a text names a profile or is a model spec, which
    is asked with the options of this one."""
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    system: str | None = None
    stop: str | Sequence[str] | None = None
    """Texts that end the answer."""
    seed: int | None = None
    reasoning_effort: ReasoningEffort | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    """Provider-specific fields for every request."""
    budget: Budget | None = None
    """What may be spent; `None`: as configured."""
    requests_per_minute: int | None = None
    """By all processes of this machine with the same key; `None`: as configured, else no limit."""
    tokens_per_minute: int | None = None
    """Of prompts and answers together; `None`: as configured, else no limit."""
    overflow: Overflow | None = None
    """`None`: as the profile says, else `refuse`."""
    prefer: Prefer | None = None
    """`None`: as profile or configuration say, else `order`."""
    from_profile: str | None = None
    """The profile that `load` read it from: calls are booked under it, and its budget holds."""
    from_file: str | None = None
    """Path of the configuration file that `load` read it from: a client reads the same one."""

    @classmethod
    def load(cls, path: str | Path | None = None, profile: str | None = None) -> LLMConfig:
        """Return what configuration file and environment say of a profile.

        A client of it is one of that profile: `LLMClient(LLMConfig.load(profile="fast"))` and
        `LLMClient(profile="fast")` do the same. What is said of providers stays in the file, and
        keys are where they are kept.

        Args:
            path: a file that must exist; `None` looks in the usual places.
            profile: its name or an alias; `None` is the default profile, if there is one.

        Raises:
            ConfigurationError: the file or a variable is wrong, or there is no such profile.
        """
        from ..storage.loading import load_config

        return load_config(path, profile)

    def __post_init__(self) -> None:
        self._check_types()
        if isinstance(self.api_key, str):
            object.__setattr__(self, "api_key", Secret(self.api_key) if self.api_key else None)
        check_word("overflow", self.overflow, Overflow)
        check_word("prefer", self.prefer, Prefer)
        for name in ("timeout", "retry_delay", "retry_max_delay"):
            if (value := getattr(self, name)) is not None:
                check_seconds(name, value, zero=name != "timeout")
        if self.cache_ttl is not None:
            check_range("cache_ttl", self.cache_ttl, 0.0, _LONGEST_TTL)
        for name in ("max_retries", "requests_per_minute", "tokens_per_minute"):
            if (value := getattr(self, name)) is not None:
                check_count(name, value, least=0 if name == "max_retries" else 1)
        if self.retry_exponential_base is not None:
            check_range("retry_exponential_base", self.retry_exponential_base, 0.0, 1e6)

    def _check_types(self) -> None:
        for name in ("provider", "base_url", "dialect", "model", "from_profile", "from_file"):
            check_type(name, getattr(self, name), (str, type(None)), "a text")
        if not isinstance(self.api_key, str | Secret | None):  # which is never shown
            raise ValidationError("api_key is not a text.", param="api_key")
        for name in ("options", "fields"):
            check_type(name, getattr(self, name), Mapping, "a mapping")
        chain: object = self.fallback_configs
        if isinstance(chain, str) or not isinstance(chain, Sequence):
            raise ValidationError(
                f"fallback_configs {chain!r} is not a list.",
                hint="Write `fallback_configs=[LLMConfig(…)]`.",
                param="fallback_configs",
            )
        for link in self.fallback_configs:
            check_type("fallback_configs", link, (LLMConfig, str), "an LLMConfig or a name")
        if self.budget is not None:
            from .budget import Budget

            check_type("budget", self.budget, Budget, "a Budget")

    def __repr__(self) -> str:
        """Show what is set, without a password that the address may hold."""
        said = {
            name: value
            for name in self.__slots__
            if (value := getattr(self, name)) not in (None, (), {})
        }
        if self.base_url is not None:
            said["base_url"] = without_password(self.base_url)
        return f"LLMConfig({', '.join(f'{name}={value!r}' for name, value in said.items())})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A named set of options of the configuration file."""

    model: str | None = None
    fallback: tuple[str, ...] = ()
    """Profiles or model specs, in order."""
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    system: str | None = None
    stop: tuple[str, ...] | None = None
    """Texts that end the answer."""
    seed: int | None = None
    reasoning_effort: ReasoningEffort | None = None
    timeout: float | None = None
    """Seconds, as in `LLMConfig`."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Provider-specific fields of every request, over those of the provider."""
    overflow: Overflow | None = None
    prefer: Prefer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """What the configuration file says of a provider, over its row in the catalog."""

    dialect: str | None = None
    base_url: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    """As in `LLMConfig`; in the file they stand beside the other settings."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request."""
    key_header: str | None = None
    """Header that carries the key, where it is not the dialect's."""
    api_key_env: str | None = None
    api_key_command: tuple[str, ...] | None = None
    """Program, and its arguments, that prints the key."""
    timeout: float | None = None
    """Seconds, as in `LLMConfig`."""
    verify_ssl: bool | str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """How often and when a failed attempt is made again."""

    max_retries: int = 3
    delay: float = 1.0
    """Seconds before the first retry."""
    max_delay: float = 10.0
    """Seconds; a delay that the provider asks for may be longer, up to 120."""
    exponential_base: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration file, validated, with what the environment says over it."""

    default_profile: str | None = None
    profiles: Mapping[str, Profile | str] = field(default_factory=dict)
    """A string is an alias of another profile."""
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    retry: RetrySettings = RetrySettings()
    budget: Budget | None = None
    routing: Mapping[str, str] = field(default_factory=dict)
    """By task (`planning`, `vision`, `long_context`): a profile or a model spec."""
    prefer: Prefer | None = None
    pricing: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By model spec, in which `*` stands for any text: USD per million tokens of `input`,
    `output`, `cache_read`, `cache_write`."""
    ledger: bool = True
    """Whether attempts are written down."""
    models_ttl: float = 300.0
    """Seconds."""
    responses: bool = False
    """Whether answers are kept and used again."""
    responses_ttl: float = 86400.0
    """Seconds."""
    responses_max_mb: float = 256.0
    credentials_store: Literal["auto", "keyring", "file"] = "auto"
    """Where keys are kept, and whether the keyring is asked; `auto`: it is, if there is one."""
    source: str | None = None
    """Path of the file; `None` when there is none."""

    def profile_behind(self, name: str) -> str:
        """Return the name of the profile that a name or an alias of one stands for."""
        seen = {name}
        while isinstance(behind := self.profiles.get(name), str) and behind not in seen:
            seen.add(behind)
            name = behind
        return name
