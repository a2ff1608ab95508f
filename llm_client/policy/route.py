"""From configuration to targets: which provider, model, address and key a call goes to.

Pure: environment and settings are passed in. Precedence, highest first: what the code or the
command line says, `LLM_CLIENT_*` variables, the provider's own variables, the configuration
file, the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from ..exceptions import ConfigurationError
from ..providers.catalog import CATALOG, find_provider
from ..types.config import LLMConfig, Profile, ProviderSettings, RetrySettings, Settings
from ..types.http import DEFAULT_CONNECT_SECONDS, DEFAULT_SILENCE_SECONDS, Timeouts
from ..types.secret import Secret, without_password
from ..types.target import ProviderSpec, Target, variable_part
from ..wire.loopback import is_loopback_host

__all__ = [
    "COMPATIBLE",
    "base_url_for",
    "is_loopback",
    "key_variables",
    "profile_config",
    "resolve_key",
    "resolve_target",
    "retry_settings",
    "split_model",
    "target_for_fallback",
]

COMPATIBLE = "openai-compatible"


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
        find_provider(provider)
    return provider, rest


def resolve_target(config: LLMConfig, settings: Settings, environ: Mapping[str, str]) -> Target:
    """Return where a configuration that names its provider goes.

    Raises:
        ConfigurationError: an unknown provider, no address, no key where one is needed.
    """
    name, model = split_model(config, settings)
    if name is None:
        raise ConfigurationError(
            f"Nothing says which provider has the model {model!r}.",
            hint="Name it as `provider/model`, for example `ollama/llama3.2`.",
        )
    if name not in settings.providers:
        name = name.lower()
    own = settings.providers.get(name, ProviderSettings())
    provider = _provider(name, own)
    if config.base_url is not None and provider.base_url.startswith("gguf:"):
        raise ConfigurationError(
            f"{name!r} runs in this process and has no address, but one is given: "
            f"{without_password(config.base_url)!r}.",
            hint="Leave out the provider or the address.",
        )
    address = base_url_for(provider, environ, given=config.base_url)
    base_url, basic_auth = _without_credentials(address)
    verify_ssl = own.verify_ssl if config.verify_ssl is None else config.verify_ssl
    return Target(
        provider=provider,
        model=model or _first_set(provider.model_env, environ) or provider.default_model,
        base_url=base_url,
        api_key=resolve_key(provider, environ, given=config.api_key),
        basic_auth=basic_auth,
        timeouts=_timeouts(provider, own.timeout if config.timeout is None else config.timeout),
        options={**own.options, **config.options},
        verify_ssl=True if verify_ssl is None else verify_ssl,
    )


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


def target_for_fallback(name: str, settings: Settings, environ: Mapping[str, str]) -> Target:
    """Return the target of a link in a fallback chain: a profile or a model spec."""
    if name in settings.profiles:
        config, _ = profile_config(settings, name)
    else:
        config = LLMConfig(model=name)
    return resolve_target(config, settings, environ)


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


def base_url_for(
    provider: ProviderSpec, environ: Mapping[str, str], *, given: str | None = None
) -> str:
    """Return the address of a provider, normal: with a scheme, without a trailing slash.

    Raises:
        ConfigurationError: there is none, or it is no http address.
    """
    url = (
        given
        or environ.get(f"LLM_CLIENT_{variable_part(provider.name)}_BASE_URL")
        or _first_set(provider.base_url_env, environ)
    )
    if not url:
        if not provider.base_url:
            raise ConfigurationError(
                f"{provider.name!r} needs an address.",
                hint="Give it with `--base-url http://HOST:PORT/v1`.",
            )
        return provider.base_url
    return _normal_url(url, provider)


def resolve_key(
    provider: ProviderSpec, environ: Mapping[str, str], *, given: str | Secret | None = None
) -> Secret | None:
    """Return the key of a provider; `None` when it needs none and none is set.

    Raises:
        ConfigurationError: it needs one.
    """
    if isinstance(given, Secret):
        return given
    names = key_variables(provider)
    value = (given or _first_set(names, environ) or "").strip()
    if value:
        return Secret(value)
    if provider.key_required:
        shown = provider.key_env or names
        raise ConfigurationError(
            f"No key for {provider.name!r}.",
            hint=f"Set {' or '.join(shown)}: `export {shown[0]}=…`.",
        )
    return None


def key_variables(provider: ProviderSpec) -> tuple[str, ...]:
    """Return the names of the variables that may hold a provider's key, the first one set wins."""
    return (provider.own_key_variable, *provider.key_env)


def is_loopback(url: str) -> bool:
    """Return whether an address stays on this machine."""
    parts = urlsplit(url)
    return parts.scheme not in {"http", "https"} or is_loopback_host(parts.hostname or "")


def _provider(name: str, own: ProviderSettings) -> ProviderSpec:
    if name in CATALOG:
        provider = CATALOG[name]
    elif own == ProviderSettings():
        provider = find_provider(name)
    else:
        provider = replace(CATALOG[COMPATIBLE], name=name, key_env=())
    if own.dialect:
        provider = replace(provider, dialect=own.dialect)
    if own.base_url:
        provider = replace(provider, base_url=_normal_url(own.base_url, provider))
    if own.api_key_env:
        provider = replace(provider, key_env=(own.api_key_env,))
    return provider


def _from_profile(profile: Profile) -> LLMConfig:
    return LLMConfig(
        model=profile.model,
        temperature=profile.temperature,
        top_p=profile.top_p,
        max_tokens=profile.max_tokens,
        system=profile.system,
    )


def _timeouts(provider: ProviderSpec, timeout: float | None) -> Timeouts:
    if timeout is None:
        return Timeouts(first_byte=provider.first_byte, silence=DEFAULT_SILENCE_SECONDS)
    return Timeouts(
        connect=min(DEFAULT_CONNECT_SECONDS, timeout), first_byte=timeout, silence=timeout
    )


def _normal_url(url: str, provider: ProviderSpec) -> str:
    """Return an address as users write it (OLLAMA_HOST is often `0.0.0.0:11434`) made whole."""
    text = url.strip()
    schemeless = "://" not in text
    if schemeless:
        is_bare_ipv6 = "[" not in text and text.count(":") > 1
        text = f"http://[{text}]" if is_bare_ipv6 else f"http://{text}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    known = host is not None or port is not None
    if not known or parts.scheme not in _SCHEMES or _UNWANTED.search(text):
        raise ConfigurationError(
            f"{url!r} is no address of a server.", hint="Write it as `http://HOST:PORT/v1`."
        )
    if port is None and schemeless:
        port = urlsplit(provider.base_url).port
    name = _REACHABLE.get(host or "", host or "")
    netloc = "".join(
        (
            parts.netloc[: parts.netloc.rfind("@") + 1],
            f"[{name}]" if ":" in name else name,
            "" if port is None else f":{port}",
        )
    )
    return parts._replace(netloc=netloc, path=_normal_path(parts.path, provider)).geturl()


def _without_credentials(url: str) -> tuple[str, Secret | None]:
    """Return an address that can be shown, and the `user:password` that stood in it."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    return parts._replace(netloc=host).geturl(), Secret(unquote(userinfo))


_SCHEMES = frozenset({"http", "https", "gguf"})
_UNWANTED = re.compile(r"[\s?#]")
"""The path of a request is put behind an address, so a query cannot stand there."""
_REACHABLE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where a server that listens on all addresses, or says only its port, can be reached."""

_PATHS = {"ollama": (("/v1", "/api"), ""), "openai-chat": (("/chat/completions",), "/v1")}
"""By dialect: endings of the path that users add and the dialect does not want, and the path
that stands for none."""


def _normal_path(path: str, provider: ProviderSpec) -> str:
    unwanted, missing = _PATHS.get(provider.dialect, ((), ""))
    path = path.rstrip("/")
    for ending in unwanted:
        path = path.removesuffix(ending)
    return path or missing


def _first_set(names: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)
