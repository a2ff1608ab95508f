"""Prices, windows and names compared with genai-prices itself, over everything in its data."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llm_client.policy import pricing
from llm_client.providers import prices
from llm_client.types.response import Usage
from llm_client.types.target import ProviderSpec

genai_prices = pytest.importorskip("genai_prices")

ROOT = Path(__file__).parent.parent.parent
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
TOLERANCE_USD = Decimal("1e-9")
LONGEST_LIST = 500
"""Models of a vendor above which names are tried as they are only: it is quadratic."""

PRICE_IDS = (
    *("OpenAI", " anthropic ", "amazon-bedrock", "vertex_ai", "HuggingFace/groq", "xai"),
    *("mistralai", "litellm", "LiteLLM", "unheard-of", "huggingface"),
)
NAMES = (
    *("gpt-5-mini", "openai/gpt-5-mini", "claude-opus-5", "xai/grok-4.3", "/gpt-5-mini", "o3"),
    *("nobody/a/b", "gpt-5.2-20251211", "claude-3-opus-20240229-v1:0", "mixtral-8x7b", "", "/"),
)


def usages(limit: int) -> dict[str, Usage]:
    """Return the usages that every model is priced with; `limit` is where its next tier begins."""
    return {
        "plain": Usage(1_000, 500),
        "one token": Usage(1, 0),
        "zero": Usage(0, 0),
        "cached": Usage(10_000, 800, cached_tokens=6_000),
        "cache write": Usage(10_000, 800, cache_write_tokens=4_000),
        "both": Usage(10_000, 800, cached_tokens=6_000, cache_write_tokens=4_000),
        "reasoning": Usage(777, 4_321, cached_tokens=0, reasoning_tokens=4_000),
        "at the limit": Usage(limit, 999),
        "over the limit": Usage(limit + 1, 999),
        "over, cached": Usage(limit + 1, 7, cached_tokens=limit, reasoning_tokens=7),
        "large": Usage(1_999_999_999, 123_456_789, cached_tokens=1_000_000_007),
        "contradictory": Usage(10, 10, cached_tokens=11, reasoning_tokens=11),
    }


@pytest.fixture(scope="module")
def vendors() -> list[Any]:
    from genai_prices.data import providers

    return list(providers)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / ".ci" / "build_prices.py"
    spec = importlib.util.spec_from_file_location("build_prices", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row_of(vendor: str) -> ProviderSpec:
    return ProviderSpec(name="x", base_url="", dialect="openai-chat", price_id=vendor)


def price_tables(model: Any) -> list[Any]:
    dated = model.prices if isinstance(model.prices, list) else []
    return [row.prices for row in dated] or [model.prices]


def first_limit(model: Any) -> int:
    """Return where a model's first tier begins; for one without tiers where others have it."""
    for table in price_tables(model):
        for price in vars(table).values():
            if hasattr(price, "tiers"):
                return int(price.tiers[0].start)
    return 200_000


def moments(model: Any) -> Iterator[float]:
    """Return now and, for dated prices, the seconds around each change."""
    yield NOW
    for row in model.prices if isinstance(model.prices, list) else ():
        for value in vars(row.constraint).values() if row.constraint else ():
            if isinstance(value, time):
                change = datetime.combine(date(2026, 11, 20), value, UTC).timestamp()
            else:
                change = datetime.combine(value, time(), UTC).timestamp()
            yield from (change - 1, change)


def is_paid_otherwise(calculation: Any, units: set[str]) -> bool:
    """Return whether the prices are for hours, pages or characters only, or the model is gone."""
    keys = {key for key, price in vars(calculation.model_price).items() if price is not None}
    return not keys & units if keys else bool(calculation.model.deprecated)


def literals(clause: Any) -> Iterator[str]:
    """Return the texts of a clause, and for a regular expression something near what it means."""
    [(kind, value)] = vars(clause).items()
    if kind in {"or_", "and_"}:
        for part in value:
            yield from literals(part)
    elif kind == "regex":
        name = value.strip("^$").replace("\\.", ".").replace("\\d{4}-\\d{2}-\\d{2}", "2026-02-03")
        yield name.replace("\\d{8}", "20260203").replace("\\[", "[").replace("\\]", "]")
    else:
        yield value


def name_of(vendor: Any, model: Any) -> str:
    """Return a name that means the model: not every id in the data does."""
    names = (model.id, *literals(model.match))
    return str(next(name for name in names if vendor.find_model(name) is model))


def theirs(vendor: Any, name: str, usage: Usage, at: float) -> Any:
    """Return what genai-prices says; `None` where it finds the figures contradictory."""
    figures = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    try:
        return genai_prices.calc_price(
            figures,
            name,
            provider_id=vendor.id,
            genai_request_timestamp=datetime.fromtimestamp(at, UTC),
        )
    except ValueError as error:
        if "Invalid usage data" not in str(error):
            raise
        return None


def test_file_in_package_is_what_script_makes(script: ModuleType) -> None:
    recorded = prices._text().partition('"source": "')[2].partition('"')[0]
    installed = f"genai-prices {metadata.version('genai-prices')}"
    assert recorded == installed, "Run `make prices` with the version that pyproject.toml pins."
    assert script.DATA_FILE.read_text("ascii") == script.build()
    assert script.NOTICE_FILE.read_text("utf-8") == script.notice()


def test_every_model_costs_what_genai_prices_says(
    vendors: list[Any], script: ModuleType, record_property: Callable[[str, object], None]
) -> None:
    counts: Counter[str] = Counter()
    for vendor in vendors:
        row = row_of(vendor.id)
        for model in vendor.models:
            name = name_of(vendor, model)
            counts["models"] += 1
            cases = usages(first_limit(model))
            for at in moments(model):
                for case, usage in cases.items():
                    where = (vendor.id, name, case, at)
                    ours = pricing.cost_of(row, name, usage, at)
                    calculation = theirs(vendor, name, usage, at)
                    if calculation is None:
                        counts["contradictory"] += 1
                        assert ours is None, where
                    elif is_paid_otherwise(calculation, set(script.UNITS)):
                        counts["paid otherwise"] += 1
                        assert ours is None, where
                    else:
                        counts["prices"] += 1
                        assert ours is not None, where
                        assert abs(Decimal(ours) - calculation.total_price) < TOLERANCE_USD, where
    record_property("compared", dict(counts))
    print(f"compared with genai-prices: {dict(counts)}")
    assert counts["models"] > 2_000
    compared = counts["prices"] + counts["contradictory"] + counts["paid otherwise"]
    assert compared >= 12 * counts["models"]


@pytest.fixture(scope="module")
def rows(vendors: list[Any]) -> dict[int, prices.PricedModel]:
    """Return our row of every model of the package, by its identity."""
    return {
        id(model): prices.models_of(vendor.id)[index]
        for vendor in vendors
        for index, model in enumerate(vendor.models)
    }


def test_every_name_means_the_model_that_genai_prices_says(
    vendors: list[Any], rows: dict[int, prices.PricedModel]
) -> None:
    tried = found = 0
    for vendor in vendors:
        row = row_of(vendor.id)
        forms = 1 if len(vendor.models) > LONGEST_LIST else 5
        for text in {text for model in vendor.models for text in literals(model.match)}:
            for name in (text, text.upper(), f"{text}-20260203", f"{text}-x", f"x/{text}")[:forms]:
                model = vendor.find_model(name, all_providers=vendors)
                ours = pricing._find(row.price_id, name)
                tried += 1
                assert ours is (None if model is None else rows[id(model)]), (vendor.id, name)
                if model is not None:
                    found += 1
                    assert pricing.context_window(row, name) == model.context_window
    print(f"names compared with genai-prices: {tried}, found {found}")
    assert tried > 8_000
    assert found > 4_000


@pytest.mark.parametrize("price_id", PRICE_IDS)
@pytest.mark.parametrize("name", NAMES)
def test_provider_is_recognised_as_by_genai_prices(
    price_id: str, name: str, rows: dict[int, prices.PricedModel]
) -> None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, model = get_snapshot().find_provider_model(name, None, price_id, None)
    except LookupError:
        assert pricing._find(price_id, name) is None
    else:
        assert pricing._find(price_id, name) is rows[id(model)]
