"""What a client's calls go by: code over variables over a profile of the configuration file.

Pure. Owns which of the three says what, and that a variable never sends the key of one provider to
an address that was meant for another. What becomes of it, targets, is `route.py`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from ..exceptions import ConfigurationError
from ..types.config import LLMConfig, Prefer, Settings
from .route import COMPATIBLE, profile_config, split_model

if TYPE_CHECKING:
    from .variables import CallVariables

__all__ = ["PROFILE_PLACE", "Layers", "layered", "options_of", "over", "split_known"]

PROFILE_PLACE: Final = ".llm_client.toml"
"""Stands among the variables where not the user set `LLM_CLIENT_PROFILE` but a project file speaks for
it: which line of which. No variable of a shell can have this name."""
_NOTHING_SAID: Final = LLMConfig()


class Layers(NamedTuple):
    """What code, variables and profile come to."""

    config: LLMConfig
    """One over the other. Its wait and its provider-specific fields are those of the code alone."""
    profile: LLMConfig
    """Has those of the profile: the variables of a provider stand between the two."""
    options: LLMConfig
    """What variables say of the options of every call, those to a fallback too."""
    chain: tuple[str | LLMConfig, ...]
    """Who answers when the first fails."""
    name: str | None
    """Of the profile."""
    reason: str
    """Why the first choice is what it is, when the code does not say it."""
    is_named: bool
    """Whether the code names a provider, a model or a profile."""
    is_set: bool
    """Whether variables name a provider, an address or a model, and the code does not."""
    prefer: Prefer


def layered(
    given: LLMConfig, profile: str | None, settings: Settings, environ: Mapping[str, str]
) -> Layers:
    """Return what a client's calls go by.

    Args:
        given: what the code says.
        profile: the one that it names.
        settings: of configuration file and environment.
        environ: where variables are looked for.

    Raises:
        ConfigurationError: no such profile or provider; a variable is wrong.
    """
    said = _call_variables(environ, settings)
    options = said.options if said is not None else _NOTHING_SAID
    is_loaded = given.from_profile is not None and profile is None
    is_aside = profile is not None or is_loaded or _names_whom(given, settings)
    where = None if said is None or is_aside else _destination(said, settings)
    config = over(options, given if where is None else over(where, given))
    name, reason = given.from_profile if profile is None else profile, ""
    if not is_aside:
        name, reason = _default_profile(config, settings, environ)
    is_set = where is not None and bool(where.provider or where.model)
    if said is not None and is_set:
        reason = _say_so(said.named_by)
    chain: tuple[str, ...] = ()
    base = _NOTHING_SAID
    if is_loaded:
        config, base = _loaded(config, settings)
    elif name is not None:
        base, chain = profile_config(settings, name)
        config = _over_profile(replace(base, timeout=None, options={}), config, settings)
    is_model_named = bool(given.provider or given.model or given.base_url)
    return Layers(
        config,
        base,
        options,
        (*given.fallback_configs,) or (said.fallback if said is not None else ()) or chain,
        name,
        reason,
        is_named=is_model_named or profile is not None or is_loaded,
        is_set=is_set,
        prefer=_prefer(
            given.prefer,
            # Who names a model wants that one, and not the cheapest by what is weaker.
            None if is_model_named else options.prefer,
            None if is_model_named or is_set else base.prefer or settings.prefer,
        ),
    )


def options_of(config: LLMConfig) -> dict[str, object]:
    """Return the options of a request that a configuration says."""
    names = ("temperature", "top_p", "max_tokens", "system", "stop", "seed", "reasoning_effort")
    return {name: value for name in names if (value := getattr(config, name)) is not None}


def over(under: LLMConfig, said: LLMConfig) -> LLMConfig:
    """Return one configuration with everything that another one says."""
    values = {
        name: value
        for name in LLMConfig.__slots__
        if (value := getattr(said, name)) != getattr(_NOTHING_SAID, name)
    }
    return replace(under, **values) if values else under


def split_known(model: str, settings: Settings) -> tuple[str | None, str]:
    """Return provider and model of a spec; of anything else `None` and all of it."""
    try:
        return split_model(LLMConfig(model=model), settings)
    except ConfigurationError:
        return None, model


def _call_variables(environ: Mapping[str, str], settings: Settings) -> CallVariables | None:
    # Whoever has set none does not pay for the table of all settings.
    if not any(name.startswith("LLM_CLIENT_") for name in environ):
        return None
    from .variables import call_variables

    return call_variables(environ, settings)


def _names_whom(given: LLMConfig, settings: Settings) -> bool:
    """Return whether the code says who is asked, and not only for which model."""
    if given.provider is not None or given.base_url is not None:
        return True
    return given.model is not None and split_known(given.model, settings)[0] is not None


def _destination(said: CallVariables, settings: Settings) -> LLMConfig | None:
    """Return where variables say that calls go; `None` when they do not."""
    if not said.named_by:
        return None
    where = said.destination
    if where.provider is None and where.base_url is not None:
        # Never the provider that a profile names: its key would go to this address.
        return replace(where, provider=COMPATIBLE)
    if where.provider is None and where.model is not None:
        provider, model = split_known(where.model, settings)
        return replace(where, provider=provider, model=model)
    return where


def _default_profile(
    config: LLMConfig, settings: Settings, environ: Mapping[str, str]
) -> tuple[str | None, str]:
    """Return the profile of those who name none, and why it is used."""
    name = settings.default_profile
    if environ.get("LLM_CLIENT_PROFILE", "").strip():
        namer = environ.get(PROFILE_PLACE, "LLM_CLIENT_PROFILE")
        return name, f"{namer} names the profile {name!r}"
    if split_model(config, settings)[0] is not None:
        return None, ""
    if name is None and "default" in settings.profiles:
        name = "default"
    reason = f"it is the profile {name!r} of {settings.source}"
    return name, reason if name is not None else ""


def _loaded(config: LLMConfig, settings: Settings) -> tuple[LLMConfig, LLMConfig]:
    """Return what `LLMConfig.load` has made, and the profile under it.

    Where the profile names no provider, `load` could not know whose variables stand over its wait
    and its provider-specific fields: those of the provider that is found.
    """
    name = config.from_profile or ""
    if name not in settings.profiles or split_model(config, settings)[0] is not None:
        return config, _NOTHING_SAID
    profile, _ = profile_config(settings, name)
    if config.timeout == profile.timeout:
        config = replace(config, timeout=None)
    if config.options == profile.options:
        config = replace(config, options={})
    return config, profile


def _over_profile(profile: LLMConfig, said: LLMConfig, settings: Settings) -> LLMConfig:
    """Return a profile with what code and variables say over it.

    A bare model is one of the profile's provider; another provider leaves the profile's model
    behind, which it does not have.
    """
    provider, model = split_model(profile, settings)
    named, rest = said.provider, said.model
    if named is None and said.base_url is None and rest is not None:
        named, rest = split_known(rest, settings)
    if named is not None and named.lower() != (provider or "").lower():
        profile = replace(profile, model=None)
    else:
        profile = replace(profile, provider=provider, model=model or None)
    return over(profile, replace(said, provider=named, model=rest))


def _say_so(variables: tuple[str, ...]) -> str:
    *others, last = variables
    return f"{', '.join(others)} and {last} say so" if others else f"{last} says so"


def _prefer(*said: Prefer | None) -> Prefer:
    return next((prefer for prefer in said if prefer is not None), "order")
