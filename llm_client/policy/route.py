"""From configuration to targets: which provider, model, address and key a call goes to.

Pure: environment and settings are passed in. Precedence, highest first: what the code or the
command line says, `LLM_CLIENT_*` variables, the provider's own variables, the configuration
file, the catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from ..dialects import check_dialect
from ..exceptions import ConfigurationError
from ..providers.catalog import CATALOG, find_provider
from ..types.config import LLMConfig, Profile, ProviderSettings, RetrySettings, Settings
from ..types.http import DEFAULT_CONNECT_SECONDS, DEFAULT_SILENCE_SECONDS, Timeouts
from ..types.secret import Secret, without_password
from ..types.target import ProviderSpec, Target, Variant, variable_part
from .address import (
    is_loopback,
    is_model_path,
    is_usual,
    normal_url,
    of_dialect,
    with_dialect,
    without_credentials,
)
from .blanks import Blanks

__all__ = [
    "COMPATIBLE",
    "Stored",
    "configured_row",
    "is_loopback",
    "key_variables",
    "profile_config",
    "resolve_key",
    "resolve_target",
    "retry_settings",
    "said_of_provider",
    "split_model",
    "with_dialect",
    "with_timeout",
]

COMPATIBLE = "openai-compatible"
_NOTHING_SAID = ProviderSettings()
_NO_PROFILE = LLMConfig()

Stored: TypeAlias = Callable[[ProviderSpec], Secret | None]
"""Returns the key of a provider out of a store; it is asked when no variable has the key."""


def split_model(config: LLMConfig, settings: Settings) -> tuple[str | None, str]:
    """Return provider and model of a configuration; provider `None` means: not said.

    A model spec is split at the first slash only, and only when no provider or address is given:
    `openrouter/meta/llama-3` is `meta/llama-3` of openrouter.
    """
    model = config.model or ""
    if config.provider is not None:
        return str(config.provider), model
    if config.base_url is not None:
        return COMPATIBLE, model
    provider, slash, rest = model.partition("/")
    if not slash:
        return None, model
    if provider not in settings.providers:
        find_provider(provider, settings.providers)
    return provider, rest


def resolve_target(
    config: LLMConfig,
    settings: Settings,
    environ: Mapping[str, str],
    *,
    profile: LLMConfig | None = None,
    stored: Stored | None = None,
) -> Target:
    """Return where a configuration that names its provider goes.

    Args:
        config: what is said over all variables of a provider.
        settings: of the configuration file.
        environ: where variables are looked for.
        profile: whose timeout and options stand under those variables, over the provider's own.
        stored: returns keys that are in no variable.

    Raises:
        ConfigurationError: an unknown provider or dialect, no address, something missing that the
            address is made of, no key where one is needed.
    """
    name, model = _named(config, settings)
    filed = settings.providers.get(name, _NOTHING_SAID)
    own, said = _with_variables(name, filed, environ)
    row = _row(name, own, settings)
    from_variable = "" if model else _first_set(row.model_env, environ) or ""
    model = model or from_variable or row.default_model
    dialect = check_dialect(config.dialect or own.dialect or row.dialect_for(model))
    blanks = Blanks(row, model, config.fields, own.fields, environ)
    blanks.check()
    override = _override(row, environ, given=config.base_url, filed=filed.base_url)
    is_path = row.is_in_process or bool(from_variable) or is_model_path(model)
    address, form = _address(blanks, dialect, override, is_path=is_path)
    base_url, basic_auth = without_credentials(address)
    verify_ssl = own.verify_ssl if config.verify_ssl is None else config.verify_ssl
    under = profile or _NO_PROFILE
    return Target(
        provider=_concrete(row, dialect, blanks, overridden=bool(override[0])),
        model=blanks.sent_model(form.base_url if form else row.base_url),
        base_url=base_url,
        api_key=resolve_key(row, environ, given=config.api_key, stored=stored),
        basic_auth=basic_auth,
        timeouts=_timeouts(row, config.timeout, said.timeout, under.timeout, filed.timeout),
        options={**filed.options, **under.options, **said.options, **config.options},
        headers=(*blanks.headers(), *own.headers.items()),
        query=blanks.query(form),
        verify_ssl=True if verify_ssl is None else verify_ssl,
        requests_per_minute=config.requests_per_minute or own.requests_per_minute,
        tokens_per_minute=config.tokens_per_minute or own.tokens_per_minute,
    )


def _named(config: LLMConfig, settings: Settings) -> tuple[str, str]:
    """Return the provider's name, as catalog or configuration have it, and the model."""
    name, model = split_model(config, settings)
    if name is None:
        raise ConfigurationError(
            f"Nothing says which provider has the model {model!r}.",
            hint="Name it as `provider/model`, for example `ollama/llama3.2`.",
        )
    return name if name in settings.providers else name.lower(), model


def profile_config(settings: Settings, name: str) -> tuple[LLMConfig, tuple[str, ...]]:
    """Return what a profile says as a configuration, and the names of its fallbacks.

    Raises:
        ConfigurationError: there is no such profile, or its aliases go round in a circle.
    """
    seen = [name]
    profile = settings.profiles.get(name)
    while isinstance(profile, str):
        if profile in seen:
            circle = " -> ".join([*seen, profile])
            raise ConfigurationError(f"The profile {name!r} is an alias of itself: {circle}.")
        seen.append(profile)
        profile = settings.profiles.get(profile)
    if profile is None:
        known = ", ".join(sorted(settings.profiles)) or "none"
        raise ConfigurationError(
            f"There is no profile {seen[-1]!r}.", hint=f"Profiles in the configuration: {known}."
        )
    return _from_profile(profile), profile.fallback


def retry_settings(config: LLMConfig, settings: Settings) -> RetrySettings:
    """Return the retry settings of a client: what the code says over what the file says."""
    given = {
        "max_retries": config.max_retries,
        "delay": config.retry_delay,
        "max_delay": config.retry_max_delay,
        "exponential_base": config.retry_exponential_base,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(settings.retry, **changes)  # type: ignore[arg-type]  # names match their types


def resolve_key(
    provider: ProviderSpec,
    environ: Mapping[str, str],
    *,
    given: str | Secret | None = None,
    stored: Stored | None = None,
) -> Secret | None:
    """Return the key of a provider; `None` when it needs none and none is set.

    Code comes first, then the variables, then what is stored.

    Raises:
        ConfigurationError: it needs one.
    """
    if isinstance(given, Secret):
        return given
    names = key_variables(provider)
    value = (given or _first_set(names, environ) or "").strip()
    if value:
        return Secret(value)
    if stored is not None and (key := stored(provider)) is not None:
        return key
    if provider.key_required:
        shown = provider.key_env or names
        raise ConfigurationError(
            f"No key for {provider.name!r}.",
            hint=f"Run `llm-client creds set {provider.name}` or set {' or '.join(shown)}: "
            f"`export {shown[0]}=…`.",
        )
    return None


def key_variables(provider: ProviderSpec) -> tuple[str, ...]:
    """Return the names of the variables that may hold a provider's key, the first one set wins."""
    return (provider.own_key_variable, *provider.key_env)


def configured_row(
    name: str, settings: Settings, environ: Mapping[str, str] | None = None
) -> ProviderSpec:
    """Return the row of a provider, with what configuration and environment say of it.

    Raises:
        ConfigurationError: there is none of that name; the hint has the nearest.
    """
    if name not in settings.providers:
        name = name.lower()
    filed = settings.providers.get(name, _NOTHING_SAID)
    return _row(name, _with_variables(name, filed, environ or {})[0], settings)


def _row(name: str, own: ProviderSettings, settings: Settings) -> ProviderSpec:
    """Return a row of the catalog, with what the configuration file says of it."""
    if name in CATALOG:
        row = CATALOG[name]
    elif settings.providers.get(name, _NOTHING_SAID) == _NOTHING_SAID:
        row = find_provider(name, settings.providers)
    else:
        row = replace(CATALOG[COMPATIBLE], name=name, key_env=())
    if own.api_key_env:
        row = replace(row, key_env=(own.api_key_env,))
    if own.key_header:
        row = replace(row, key_header=own.key_header, dialect_key_headers=())
    return row


def _address(
    blanks: Blanks, dialect: str, override: tuple[str | None, str], *, is_path: bool
) -> tuple[str, Variant | None]:
    """Return where a provider is asked in a dialect, and which form of its address that is.

    Args:
        blanks: of the provider.
        dialect: that is spoken.
        override: as `_override` returns it.
        is_path: whether the model is a file, for those who can run it in this process.
    """
    row, form = blanks.row, blanks.variant(dialect)
    said, variable = override
    if said:
        address = _overridden(said, blanks, form, dialect, variable=variable)
        return address, None if is_usual(address, row, dialect) else form
    if row.in_process_base_url and is_path:
        return of_dialect(row.in_process_base_url, row.dialect, dialect), form
    return _own_address(blanks, dialect), form


def _override(
    row: ProviderSpec, environ: Mapping[str, str], *, given: str | None, filed: str | None
) -> tuple[str | None, str]:
    """Return an address over that of the catalog, and the variable that says it."""
    if given:
        return given, ""
    for variable in (f"LLM_CLIENT_{variable_part(row.name)}_BASE_URL", *row.base_url_env):
        if environ.get(variable, "").strip():
            return environ[variable], variable
    return filed, ""


def _overridden(
    override: str, blanks: Blanks, form: Variant | None, dialect: str, *, variable: str
) -> str:
    row = blanks.row
    try:
        if row.is_in_process:
            raise ConfigurationError(
                f"{row.name!r} runs in this process and has no address, but one is given: "
                f"{without_password(override)!r}.",
                hint="Leave out the provider or the address.",
            )
        path = blanks.path(form.base_url) if form else ""
        return normal_url(override, row, dialect, path=path)
    except ConfigurationError as error:
        if not variable:
            raise
        raise ConfigurationError(
            f"In {variable}: {error.message}",
            hint=f"{error.hint or 'Correct it.'} Or `unset {variable}`.",
        ) from None


def said_of_provider(name: str, environ: Mapping[str, str]) -> ProviderSettings:
    """Return what variables alone say of a provider's settings.

    Raises:
        ConfigurationError: one of them is wrong.
    """
    return _with_variables(name, _NOTHING_SAID, environ)[1]


def _with_variables(
    name: str, filed: ProviderSettings, environ: Mapping[str, str]
) -> tuple[ProviderSettings, ProviderSettings]:
    """Return a provider's settings with what variables say over them, and the latter by itself."""
    row = CATALOG.get(name)
    is_said = row is not None and _first_set(row.timeout_env, environ) is not None
    # Whoever has set none does not pay for the table of all settings.
    if not is_said and not any(variable.startswith("LLM_CLIENT_") for variable in environ):
        return filed, _NOTHING_SAID
    from .variables import with_variables

    return with_variables(name, filed, environ)


def _own_address(blanks: Blanks, dialect: str) -> str:
    """Return the address of the catalog in a dialect."""
    row = blanks.row
    template = dict(row.dialect_base_urls).get(dialect)
    if template is None:
        variant = blanks.variant(dialect)
        template = variant.base_url if variant else row.base_url
        if not template:
            raise ConfigurationError(
                f"{row.name!r} needs an address.",
                hint="Give it with `--base-url http://HOST:PORT/v1`.",
            )
        template = of_dialect(template, row.dialect, dialect)
    address = blanks.address(template)
    return address if address == template else normal_url(address, row, dialect)


def _concrete(row: ProviderSpec, dialect: str, blanks: Blanks, *, overridden: bool) -> ProviderSpec:
    """Return a row as a target has it: in the dialect that is spoken, its addresses filled in.

    Where the address is another than the catalog's, the catalog's for other dialects are left out:
    a key for a proxy must not go to the vendor.
    """
    if overridden:
        addresses: tuple[tuple[str, str], ...] = ()
    else:
        written = [(name, blanks.address(url)) for name, url in row.dialect_base_urls]
        if written and dialect != row.dialect:
            written.insert(0, (row.dialect, _own_address(blanks, row.dialect)))
        addresses = tuple((name, without_credentials(url)[0]) for name, url in written)
    if (dialect, addresses) == (row.dialect, row.dialect_base_urls):
        return row
    return replace(row, dialect=dialect, dialect_base_urls=addresses)


def _from_profile(profile: Profile) -> LLMConfig:
    return LLMConfig(
        model=profile.model,
        temperature=profile.temperature,
        top_p=profile.top_p,
        max_tokens=profile.max_tokens,
        system=profile.system,
        stop=profile.stop,
        seed=profile.seed,
        reasoning_effort=profile.reasoning_effort,
        timeout=profile.timeout,
        options=profile.options,
        overflow=profile.overflow,
        prefer=profile.prefer,
    )


def with_timeout(target: Target, seconds: float) -> Target:
    """Return a target whose every wait is bounded by so many seconds."""
    waits = replace(
        target.timeouts,
        connect=min(seconds, target.timeouts.connect or seconds),
        first_byte=seconds,
        whole=seconds,
        silence=seconds,
    )
    return replace(target, timeouts=waits)


def _timeouts(provider: ProviderSpec, *said: float | None) -> Timeouts:
    """Return the waits for a provider by what is said of them, the strongest first."""
    timeout = next((seconds for seconds in said if seconds is not None), None)
    if timeout is None:
        return Timeouts(first_byte=provider.first_byte, silence=DEFAULT_SILENCE_SECONDS)
    return Timeouts(
        connect=min(DEFAULT_CONNECT_SECONDS, timeout),
        first_byte=timeout,
        whole=timeout,
        silence=timeout,
    )


def _first_set(names: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    return next((environ[name] for name in names if environ.get(name, "").strip()), None)
