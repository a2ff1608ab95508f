"""What `llm-client models` tells of a model besides its list: price, aliases, defaults, visibility.

Owns where each of these comes from. How it is drawn is decided under `render`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from ..configured import Configured
from ..exceptions import ConfigurationError
from ..model_lists import ModelList
from ..policy.address import is_local
from ..policy.layers import layered
from ..policy.model_kinds import answers_in_text, is_retired
from ..policy.route import key_variables, profile_config, split_model
from ..price_list import KnownPrices, known_prices, with_windows
from ..providers.catalog import CATALOG, LOCAL_SERVERS
from ..providers.prices import Rate
from ..storage.stored_keys import StoredKeys
from ..types.config import LLMConfig, Settings
from ..types.models import ModelInfo
from ..types.target import Target

__all__ = [
    "Listing",
    "Marks",
    "ModelRow",
    "base_rate",
    "first_names",
    "is_named",
    "is_wanted",
    "listed_rows",
    "model_object",
]


class Listing(NamedTuple):
    """What a provider that was asked has."""

    entry: Configured
    target: Target
    """Who turned out to be there."""
    found: ModelList
    is_by_name: bool = True
    """Whether `provider/model` leads there: not where the address was given besides."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model, with everything that is shown of it."""

    model: ModelInfo
    spec: str
    """What stands behind `-m`: the bare name where the address is not that of its provider."""
    is_local: bool
    prices: KnownPrices | None
    is_default: bool
    """Whether `generate` asks it when nothing is named."""
    is_provider_default: bool
    """Whether `generate -p PROVIDER` asks it."""
    aliases: tuple[str, ...]
    """Profiles that name it."""


class Marks:
    """Which models the configuration names."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._profiles = dict(_profile_models(settings))
        layers = layered(LLMConfig(), None, settings, environ)
        self.default = _provider_and_model(layers.config, settings)
        """Provider and model of variables or the default profile; `None`: they name no provider."""
        self.is_decided = layers.is_set or layers.name is not None
        """Whether a bare call goes by variables or the file, whatever else there is."""

    def aliases(self, provider: str, model: str, *, is_provider_default: bool) -> tuple[str, ...]:
        """Return the profiles that name a model, or its provider alone whose default it is."""
        return tuple(
            profile
            for profile, (theirs, name) in sorted(self._profiles.items())
            if theirs == provider and (is_named(model, name) if name else is_provider_default)
        )


def is_named(model: str, name: str) -> bool:
    """Return whether a name means a model: Ollama's may leave out what is usual."""
    return name in (model, model.removesuffix(":latest"))


def is_wanted(model: ModelInfo, today: str) -> bool:
    """Return whether a model is listed unless all are asked for."""
    return answers_in_text(model) and not is_retired(model, today)


def listed_rows(
    listing: Listing,
    settings: Settings,
    marks: Marks,
    default: tuple[str, str] | None,
    *,
    is_whole: bool = True,
) -> list[ModelRow]:
    """Return the models of a list, sorted by name.

    Args:
        listing: the provider's.
        settings: have prices of their own.
        marks: of the configuration.
        default: provider and model that a bare call asks.
        is_whole: whether the list has all models, so that one is its first.
    """
    target, name = listing.target, listing.target.provider.name
    models = listing.found.models
    # What names no model takes the provider's own default, and where there is none its first.
    own = target.model or (models[0].id if models and is_whole else "")
    rows = []
    for model in sorted(with_windows(target, models), key=_order):
        is_provider_default = is_named(model.id, own)
        rows.append(
            ModelRow(
                model=model,
                spec=f"{name}/{model.id}" if listing.is_by_name else model.id,
                is_local=is_local(target),
                prices=known_prices(target, model.id, settings.pricing),
                is_default=default is not None
                and default[0] == name
                and (is_named(model.id, default[1]) if default[1] else is_provider_default),
                is_provider_default=is_provider_default,
                aliases=marks.aliases(name, model.id, is_provider_default=is_provider_default),
            )
        )
    return rows


def first_names(
    listings: Sequence[Listing], settings: Settings, environ: Mapping[str, str]
) -> tuple[str, str] | None:
    """Return provider and model that a call asks which names nothing, as `discovery` decides it."""
    answered = [listing for listing in listings if listing.found.failure is None]
    local = sorted(
        (listing for listing in answered if listing.target.provider.name in LOCAL_SERVERS),
        key=lambda listing: (
            not listing.found.models,
            LOCAL_SERVERS.index(listing.target.provider.name),
        ),
    )
    other = [listing for listing in answered if listing.entry.origin == "usual"]
    for listing in [*local, *other]:
        return listing.target.provider.name, listing.target.model
    stored = StoredKeys(settings, environ)
    for row in CATALOG.values():
        if not (row.key_required and row.chosen_by_key):
            continue
        if any(environ.get(name) for name in key_variables(row)) or stored.holds(row.name):
            return row.name, row.default_model
    return None


def base_rate(prices: KnownPrices | None, kind: str) -> float | None:
    """Return USD per million tokens of a short prompt or its answer; `None` when not known."""
    if prices is None:
        return None
    if not prices.rates:
        return 0.0
    rate: Rate | None = prices.rates.get(kind)
    return rate[0] if isinstance(rate, list) else rate


def model_object(row: ModelRow) -> dict[str, Any]:
    """Return the JSON object that stands for a model."""
    model = asdict(row.model)
    del model["object"]
    return {
        "spec": row.spec,
        **model,
        "is_local": row.is_local,
        "price": None
        if row.prices is None
        else {
            "input": base_rate(row.prices, "input"),
            "output": base_rate(row.prices, "output"),
            "rates": dict(row.prices.rates),
            "source": "configuration" if row.prices.is_own else "price list",
        },
        "is_default": row.is_default,
        "is_provider_default": row.is_provider_default,
        "aliases": list(row.aliases),
    }


def _order(model: ModelInfo) -> tuple[str, str]:
    return model.id.casefold(), model.id


def _profile_models(settings: Settings) -> Iterable[tuple[str, tuple[str, str]]]:
    """Yield every profile that names its provider, with provider and model."""
    for name in settings.profiles:
        try:
            config, _ = profile_config(settings, name)
            found = _provider_and_model(LLMConfig(model=config.model), settings)
        except ConfigurationError:
            continue  # told by whoever asks for it
        if found is not None:
            yield name, found


def _provider_and_model(config: LLMConfig, settings: Settings) -> tuple[str, str] | None:
    provider, model = split_model(config, settings)
    if provider is None:
        return None
    return provider if provider in settings.providers else provider.lower(), model
