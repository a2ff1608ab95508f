"""What an answer cost: each rule of matching and calculation, on data made up for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from llm_client.policy import pricing
from llm_client.policy.pricing import context_window, cost_of
from llm_client.providers import prices
from llm_client.types.response import Usage
from llm_client.types.target import ProviderSpec

MILLION = 1_000_000
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()

VENDORS: dict[str, Any] = {
    "maker": {"names": {"and": [{"contains": "mak"}, {"ends_with": "-cloud"}]}},
    "dear": {"names": ["precious", {"starts_with": "exp"}], "models": {"starts_with": "dear-"}},
    "reseller": {"fallback": ["maker", "dear"]},
}
CACHED = {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75}
TIERED = {"input": [1, [1_000, 2], [5_000, 4]], "output": [10, [1_000, 20]], "cache_read": 0.5}
MOVED = [["2026-01-01", {"input": 1}], [None, {"input": 2}], ["2026-11-01", {"input": 3}]]
MODELS: dict[str, list[Any]] = {
    "maker": [
        ["plain", 8_000, {"input": 2, "output": 10}],
        [["cached", {"starts_with": "cached-"}], 200_000, CACHED],
        [{"contains": "thinker"}, None, {"input": 1, "output": 2, "reasoning": 5}],
        [{"ends_with": "-search"}, 9, {"input": 1, "output": 1, "requests": 5}],
        [{"regex": r"^tiered-\d$"}, None, TIERED],
        [{"and": [{"starts_with": "free"}, {"contains": "1"}]}, 5, {}],
        ["by-the-hour", 448, None],
        ["released-2026-02-03", 1, {"input": 7}],
        [{"contains": "released"}, 2, {"input": 8}],
        ["moved", None, MOVED],
        ["future", None, [["2030-01-01", {"input": 1}], ["2031-01-01", {"input": 2}]]],
        ["daytime", None, [[None, {"input": 8}], ["08:30:00/16:30:00", {"input": 4}]]],
        ["night", None, [[None, {"input": 8}], ["22:00:00/06:00:00", {"input": 4}]]],
        ["dropped", None, [[None, {"input": 8}], ["2026-06-01", None]]],
    ],
    "dear": [["plain", 1, {"input": 200}], ["dear-1", 32_000, {"input": 100, "output": 100}]],
    "reseller": [["own", 7, {"input": 1}]],
}


@pytest.fixture(autouse=True)
def _made_up_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def text() -> str:
        parts = [f'"vendors": {json.dumps(VENDORS)[:-1]}\n}}']
        parts += [f'"{name}": {json.dumps(rows)[:-1]}\n]' for name, rows in MODELS.items()]
        return "{\n" + ",\n".join(parts) + "\n}\n"

    monkeypatch.setattr(prices, "_text", text)
    caches = (prices.vendors, prices.models_of, pricing._find)
    for one in caches:
        one.cache_clear()
    yield
    for one in caches:
        one.cache_clear()


def cost(model: str, usage: Usage, *, price_id: str = "maker", at: float = NOW) -> float | None:
    return cost_of(row(price_id), model, usage, at)


def row(price_id: str) -> ProviderSpec:
    return ProviderSpec(name="x", base_url="", dialect="openai-chat", price_id=price_id)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("model", "usage", "expected"),
    [
        pytest.param("plain", Usage(1000, 500), 0.007, id="input-and-output"),
        pytest.param("plain", Usage(0, 0), 0.0, id="nothing-used"),
        pytest.param("plain", Usage(1000, 0, cached_tokens=900), 0.002, id="cache-has-no-price"),
        pytest.param("plain", Usage(0, 100, reasoning_tokens=90), 0.001, id="reasoning-as-output"),
        pytest.param("plain", Usage(10, 0, cached_tokens=11), 0.00002, id="contradiction-unpriced"),
        pytest.param("cached", Usage(1000, 0, cached_tokens=900), 0.00057, id="cache-read"),
        pytest.param("cached", Usage(1000, 0, cache_write_tokens=1000), 0.00375, id="cache-write"),
        pytest.param(
            "cached", Usage(1000, 10, cached_tokens=500, cache_write_tokens=400), 0.0021, id="both"
        ),
        pytest.param("a-thinker", Usage(0, 100, reasoning_tokens=60), 0.00038, id="reasoning"),
        pytest.param("x-search", Usage(1000, 1000), 0.007, id="one-request"),
        pytest.param("free1", Usage(1000, 1000), 0.0, id="free-of-charge"),
        pytest.param("released-2026-02-03", Usage(MILLION, 99), 7.0, id="no-price-for-output"),
        pytest.param("plain", Usage(10**12, 0), 2e6, id="large"),
    ],
)
def test_usage_costs_what_the_list_says(model: str, usage: Usage, expected: float) -> None:
    assert cost(model, usage) == pytest.approx(expected, rel=1e-15, abs=1e-15)


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        pytest.param("cached", Usage(10, 0, cached_tokens=11), id="more-cached-than-sent"),
        pytest.param(
            "cached", Usage(10, 0, cached_tokens=6, cache_write_tokens=5), id="read-and-written"
        ),
        pytest.param("thinker", Usage(1, 10, reasoning_tokens=11), id="more-thought-than-said"),
        pytest.param("plain", Usage(-1, 0), id="negative"),
        pytest.param("by-the-hour", Usage(1, 1), id="not-paid-by-tokens"),
        pytest.param("dropped", Usage(1, 1), id="no-longer-paid-by-tokens"),
        pytest.param("unheard-of", Usage(1, 1), id="unknown-model"),
        pytest.param("", Usage(1, 1), id="no-model"),
    ],
)
def test_cost_is_none_when_it_is_not_known(model: str, usage: Usage) -> None:
    assert cost(model, usage) is None


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        pytest.param(1_000, 1_000 * 1 + 10 * 10, id="at-the-limit"),
        pytest.param(1_001, 1_001 * 2 + 10 * 20, id="over-it-all-tokens-cost-more"),
        pytest.param(5_000, 5_000 * 2 + 10 * 20, id="at-the-second"),
        pytest.param(5_001, 5_001 * 4 + 10 * 20, id="over-the-second"),
    ],
)
def test_tier_is_chosen_by_whole_prompt(prompt: int, expected: float) -> None:
    assert cost("tiered-1", Usage(prompt, 10)) == pytest.approx(expected / MILLION, rel=1e-15)


def test_tier_counts_cached_tokens_of_prompt() -> None:
    usage = Usage(1_001, 0, cached_tokens=1_000)
    assert cost("tiered-1", usage) == pytest.approx((1 * 2 + 1_000 * 0.5) / MILLION, rel=1e-15)


@pytest.mark.parametrize(
    ("model", "when", "rate"),
    [
        pytest.param("moved", "2025-12-31T23:59:59", 2, id="later-row-without-condition-wins"),
        pytest.param("moved", "2026-10-31T23:59:59.999999", 2, id="before-the-day"),
        pytest.param("moved", "2026-11-01T00:00:00", 3, id="from-the-day-on"),
        pytest.param("future", "2026-11-20T00:00:00", 1, id="first-when-none-holds"),
        pytest.param("daytime", "2026-11-20T08:29:59.999999", 8, id="before-the-hour"),
        pytest.param("daytime", "2026-11-20T08:30:00", 4, id="from-the-hour"),
        pytest.param("daytime", "2026-11-20T16:29:59.5", 4, id="until-the-hour"),
        pytest.param("daytime", "2026-11-20T16:30:00", 8, id="at-the-end"),
        pytest.param("night", "2026-11-20T21:59:59", 8, id="before-the-night"),
        pytest.param("night", "2026-11-20T23:00:00", 4, id="before-midnight"),
        pytest.param("night", "2026-11-20T05:59:59", 4, id="after-midnight"),
        pytest.param("night", "2026-11-20T06:00:00", 8, id="after-the-night"),
        pytest.param("dropped", "2026-05-31T12:00:00", 8, id="while-it-was-paid-by-tokens"),
    ],
)
def test_price_of_the_moment_is_used(model: str, when: str, rate: float) -> None:
    assert cost(model, Usage(MILLION, 0), at=moment(when)) == rate


@pytest.mark.parametrize(
    ("price_id", "model", "window"),
    [
        pytest.param("maker", "plain", 8_000, id="exact"),
        pytest.param("maker", "PLAIN", 8_000, id="any-case"),
        pytest.param("maker", "cached-2026", 200_000, id="start"),
        pytest.param("maker", "x-search", 9, id="end"),
        pytest.param("maker", "xplain", None, id="not-equal"),
        pytest.param("maker", "free2", None, id="only-half-of-and"),
        pytest.param("maker", "thinker", None, id="window-not-told"),
        pytest.param("maker", "tiered-12", None, id="regex-does-not-match"),
        pytest.param("maker", "released-20260203", 2, id="compact-date-as-it-is-first"),
        pytest.param("maker", "dear-1", None, id="not-of-this-vendor"),
        pytest.param("reseller", "own", 7, id="own-before-fallback"),
        pytest.param("reseller", "plain", 8_000, id="first-fallback-first"),
        pytest.param("reseller", "dear-1", 32_000, id="second-fallback"),
        pytest.param(" Maker ", "plain", 8_000, id="price-id-in-any-case"),
        pytest.param("make-cloud", "plain", 8_000, id="vendor-by-and"),
        pytest.param("make-cloudy", "plain", None, id="vendor-by-half-of-and"),
        pytest.param("precious", "dear-1", 32_000, id="vendor-by-name-in-list"),
        pytest.param("expensive", "dear-1", 32_000, id="vendor-by-start-in-list"),
        pytest.param("nobody", "plain", None, id="unknown-vendor"),
        pytest.param("", "plain", None, id="not-priced"),
        pytest.param("litellm", "maker/plain", 8_000, id="gateway-with-vendor"),
        pytest.param("litellm", "precious/dear-1", 32_000, id="gateway-with-vendor-by-name"),
        pytest.param("litellm", "dear-1", 32_000, id="gateway-by-model"),
        pytest.param("litellm", "nobody/dear-1", None, id="gateway-with-unknown-vendor"),
        pytest.param("litellm", "/dear-1", None, id="gateway-with-empty-vendor"),
        pytest.param("litellm", "plain", None, id="gateway-with-anybodys-model"),
    ],
)
def test_name_means_model(price_id: str, model: str, window: int | None) -> None:
    assert context_window(row(price_id), model) == window


@pytest.mark.parametrize(
    ("name", "window"),
    [
        pytest.param("day-20260203", 4, id="end"),
        pytest.param("day-20260203:free", 5, id="before-colon"),
        pytest.param("day-20260203-x", 6, id="before-dash"),
        pytest.param("day-20261303", None, id="no-such-month"),
        pytest.param("day-202602031", None, id="too-long"),
    ],
)
def test_compact_date_means_dashed_one(
    name: str, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashed = [["day-2026-02-03", 4, {}], ["day-2026-02-03:free", 5, {}]]
    monkeypatch.setitem(MODELS, "maker", [*dashed, ["day-2026-02-03-x", 6, {}]])
    assert context_window(row("maker"), name) == window


def test_unknown_clause_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "maker", [[{"sounds_like": "x"}, 1, {}]])
    with pytest.raises(ValueError, match="sounds_like"):
        cost("x", Usage(1, 1))


def test_nothing_is_read_before_a_price_is_asked_for() -> None:
    script = (
        "import sys, llm_client, llm_client.policy.pricing as pricing\n"
        "from llm_client.providers import prices\n"
        "print(prices._text.cache_info().misses, prices.vendors.cache_info().misses)\n"
        "import llm_client.client\n"
        "print(*[name for name in sys.modules if 'genai' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "0"]


def test_only_the_vendors_that_are_asked_for_are_parsed() -> None:
    context_window(row("reseller"), "own")
    assert prices.models_of.cache_info().currsize == 1
    context_window(row("reseller"), "plain")
    assert prices.models_of.cache_info().currsize == 2


def test_what_is_billed_is_paid_not_what_the_model_reads() -> None:
    read = Usage(2190, 100, 2290, billed_prompt_tokens=431, billed_completion_tokens=90)
    assert cost("plain", read) == cost("plain", Usage(431, 90, 521)) == pytest.approx(0.001762)
    assert cost("tiered-1", replace(read, billed_prompt_tokens=0)) == cost("tiered-1", Usage(0, 90))
