"""`llm-client models show`: everything that is known of one model, each fact with its source.

Owns what is said where its provider cannot be asked: what the price list knows, and why it is no
more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ..configured import Configured, provider_of
from ..exceptions import LLMError, ModelNotFoundError
from ..model_lists import ModelList, ago
from ..policy.route import profile_config
from ..price_list import KnownPrices
from ..providers.prices import Rate
from ..routes import Routes
from ..storage.config import load_settings
from ..storage.model_cache import open_model_cache
from ..types.config import LLMConfig, ProviderSettings, Settings
from ..types.models import ModelInfo
from ..types.target import Target, variable_part
from .environment import Environment
from .exit_status import SCHEMA_VERSION, ExitStatus
from .model_facts import Listing, Marks, ModelRow, is_named, listed_rows, model_object
from .models import DEFAULT_SECONDS, ask, write_lines
from .output import write_json
from .progress import Progress
from .render.models_table import one_line, usd

__all__ = ["ShowCommand", "show_model"]

_PRICES = {
    "input": "price of the prompt",
    "cache_read": "… from the cache",
    "cache_write": "… into the cache",
    "output": "price of the answer",
    "reasoning": "… while thinking",
    "requests": "price of a thousand calls",
}
"""What each rate of the price data is for, in the order in which they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCommand:
    """What the command line asks for."""

    spec: str
    base_url: str | None = None
    json: bool = False
    refresh: bool = False
    seconds: float = DEFAULT_SECONDS
    config_path: Path | None = None


class _Fact(NamedTuple):
    label: str
    value: str
    source: str = ""


def show_model(command: ShowCommand, environment: Environment, progress: Progress) -> int:
    """Run the command; return its exit status.

    Raises:
        LLMError: nothing is known of the model.
    """
    settings = load_settings(command.config_path, environment.environ)
    config = LLMConfig(model=command.spec, base_url=command.base_url)
    if command.base_url is None and command.spec in settings.profiles:
        config = replace(config, model=profile_config(settings, command.spec)[0].model)
    routes = Routes(settings, environment.environ)
    marks = Marks(settings, environment.environ)
    try:
        target = routes.resolve(config)
        progress.wait_for(target.provider.name)
        listing = ask(
            Configured(target.provider.name, (routes.resolve(_whom(config, target, settings)),)),
            open_model_cache(settings, environment.environ),
            command.seconds,
            refresh=command.refresh,
            is_by_name=command.base_url is None,
        )
        row = _find(listing, target, settings, marks)
    except ModelNotFoundError:
        raise
    except LLMError as error:
        # The name alone tells what the price list knows: the key is never used.
        target = routes.resolve(replace(config, api_key="none"))
        whose = routes.resolve(replace(_whom(config, target, settings), api_key="none"))
        listing, row = _unasked(error, whose, target.model, settings, marks)
    progress.arrived()
    if listing.found.failure is not None:
        progress.warn(
            listing.found.note(row.model.provider)
            if listing.found.models
            else f"{row.model.provider}: {listing.found.failure} The price list knows this much."
        )
    sources = _sources(row, listing, target, settings, command, environment.environ)
    if command.json:
        write_json(environment.stdout.buffer, _object(row, listing, target, sources))
        return ExitStatus.ANSWERED
    facts = list(_facts(row, listing, target, sources))
    write_lines(_lines(facts, environment), environment)
    return ExitStatus.ANSWERED


def _whom(config: LLMConfig, target: Target, settings: Settings) -> LLMConfig:
    """Return whom to ask for the list that has a model: the one that `models` shows too."""
    if config.base_url is None:
        return provider_of(config.model or "", settings)
    return LLMConfig(provider=target.provider.name, base_url=config.base_url)


def _find(listing: Listing, target: Target, settings: Settings, marks: Marks) -> ModelRow:
    """Return the model that is asked for.

    Raises:
        ModelNotFoundError: the provider lists none of that name.
    """
    for row in listed_rows(listing, settings, marks, marks.default):
        if is_named(row.model.id, target.model):
            return row
    from difflib import get_close_matches

    names = [model.id for model in listing.found.models]
    near = get_close_matches(target.model, names, n=3, cutoff=0.4)
    provider = target.provider.name
    whose = f"-p {provider}" if listing.is_by_name else f"-u {target.base_url}"
    raise ModelNotFoundError(
        f"{provider} lists no model {target.model!r}.",
        hint=f"Did you mean {' or '.join(map(repr, near))}?"
        if near
        else f"`llm-client models {whose} --all` lists what it has.",
        provider=provider,
        model=target.model,
    )


def _unasked(
    error: LLMError, whose: Target, name: str, settings: Settings, marks: Marks
) -> tuple[Listing, ModelRow]:
    """Return what is known of a model whose provider does not tell.

    Raises:
        LLMError: nothing is.
    """
    model = ModelInfo(name, whose.provider.name)
    listing = Listing(Configured(model.provider), whose, ModelList([model], None, error))
    (row,) = listed_rows(listing, settings, marks, marks.default, is_whole=False)
    if row.prices is None and row.model.context_length is None:
        raise error
    return listing._replace(found=ModelList([], None, error)), row


def _sources(
    row: ModelRow,
    listing: Listing,
    target: Target,
    settings: Settings,
    command: ShowCommand,
    environ: Mapping[str, str],
) -> dict[str, str]:
    """Return where each fact is from."""
    model = row.model
    listed = next((one for one in listing.found.models if one.id == model.id), None)
    sources = dict.fromkeys(
        (
            name
            for name in ModelInfo.__slots__
            if listed is not None and getattr(listed, name) is not None
        ),
        "provider",
    )
    if model.context_length is not None:
        sources.setdefault("context_length", "price list")
    if row.prices is not None:
        sources["price"] = "configuration" if row.prices.is_own else "price list"
    provider = target.provider
    own = settings.providers.get(provider.name, ProviderSettings())
    variables = (f"LLM_CLIENT_{variable_part(provider.name)}_BASE_URL", *provider.base_url_env)
    variable = next((name for name in variables if environ.get(name, "").strip()), None)
    sources["base_url"] = (
        "command line"
        if command.base_url
        else variable or ("configuration" if own.base_url else "catalog")
    )
    sources["dialect"] = "configuration" if own.dialect else "catalog"
    return {name: source for name, source in sources.items() if name not in {"object", "provider"}}


def _facts(
    row: ModelRow, listing: Listing, target: Target, sources: Mapping[str, str]
) -> Iterator[_Fact]:
    model = row.model

    def told(label: str, name: str, value: str) -> _Fact:
        return _Fact(label, value, sources.get(name, ""))

    yield _Fact("model", one_line(row.spec))
    yield told("address", "base_url", target.base_url)
    yield told("dialect", "dialect", target.provider.dialect)
    if model.context_length is not None:
        yield told("window", "context_length", f"{model.context_length:,} tokens")
    if model.max_output_tokens is not None:
        yield told("longest answer", "max_output_tokens", f"{model.max_output_tokens:,} tokens")
    if model.capabilities:
        yield told("abilities", "capabilities", one_line(", ".join(model.capabilities)))
    yield from _prices(row.prices, row.is_local, sources.get("price", ""))
    if model.owned_by:
        yield told("owner", "owned_by", one_line(model.owned_by))
    if model.created:
        yield told("created", "created", _day(model.created))
    if model.retires_at:
        yield told("retires", "retires_at", one_line(model.retires_at))
    if row.aliases:
        yield _Fact("profiles", one_line(", ".join(row.aliases)), "configuration")
    asked = [
        words
        for holds, words in (
            (row.is_default, "when nothing is named"),
            (row.is_provider_default, f"with -p {one_line(model.provider)} alone"),
        )
        if holds
    ]
    if asked:
        yield _Fact("asked", " and ".join(asked))
    if listing.found.models:
        yield _Fact("listed", ago(listing.found.age))
    if model.description:
        yield told("description", "description", one_line(model.description))


def _prices(prices: KnownPrices | None, is_local: bool, source: str) -> Iterator[_Fact]:
    if prices is None:
        yield _Fact("price", "none: it runs on this machine" if is_local else "not known")
    elif not prices.rates:
        yield _Fact("price", "free", source)
    else:
        for kind, label in _PRICES.items():
            if kind in prices.rates:
                yield _Fact(label, _rate(prices.rates[kind], kind), source)


def _rate(rate: Rate, kind: str) -> str:
    unit = "" if kind == "requests" else " per million tokens"
    if not isinstance(rate, list):
        return f"${usd(rate)}{unit}"
    first, *more = rate
    steps = "".join(f", ${usd(higher)} above {limit:,}" for limit, higher in more)
    return f"${usd(first)}{unit}{steps} tokens of prompt"


def _day(seconds: int) -> str:
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OSError, OverflowError, ValueError):
        return str(seconds)


def _lines(facts: list[_Fact], environment: Environment) -> list[str]:
    """Return facts for a reader, or fields separated by tabs for a program."""
    if not environment.stdout_is_terminal:
        return ["\t".join(fact) for fact in facts]
    from textwrap import wrap

    dim, plain = ("\x1b[2m", "\x1b[0m") if environment.colored(True) else ("", "")
    width = max(len(fact.label) for fact in facts)
    room = max(environment.columns - width - 2, 10)
    lines = []
    for label, value, source in facts:
        text = f"{value}  ({source})" if source else value
        first, *more = wrap(text, room, break_on_hyphens=False)
        lines.append(f"{dim}{label:{width}}{plain}  {first}")
        lines += [f"{'':{width}}  {line}" for line in more]
    return lines


def _object(
    row: ModelRow, listing: Listing, target: Target, sources: Mapping[str, str]
) -> dict[str, Any]:
    failure = listing.found.failure
    return {
        "schema_version": SCHEMA_VERSION,
        **model_object(row),
        "base_url": target.base_url,
        "dialect": target.provider.dialect,
        "age_seconds": listing.found.age,
        "note": None if failure is None else str(failure),
        "sources": dict(sources),
    }
