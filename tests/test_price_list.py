"""What the clients take from the price list, and that local models take nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from llm_client.price_list import cost, with_windows
from llm_client.providers.catalog import find_provider
from llm_client.types.models import ModelInfo
from llm_client.types.response import Usage
from llm_client.types.target import Target

USAGE = Usage(1000, 1000, 2000)


def at(provider: str, model: str) -> Target:
    return Target(find_provider(provider), model, "http://localhost:1")


def test_cost_is_that_of_the_model_that_answered() -> None:
    dear, cheap = (
        cost(at("openai", ""), "gpt-4o", USAGE),
        cost(at("openai", ""), "gpt-4o-mini", USAGE),
    )
    assert dear is not None
    assert cheap is not None
    assert cost(at("openai", "gpt-4o"), "gpt-4o-mini", USAGE) == cheap < dear


def test_name_that_is_not_in_the_list_costs_as_the_one_that_was_sent() -> None:
    assert cost(at("openai", "gpt-4o"), "somebody's", USAGE) == cost(
        at("openai", ""), "gpt-4o", USAGE
    )


def test_unknown_model_has_no_price() -> None:
    assert cost(at("openai", "nobody's"), "nobody's", USAGE) is None


def test_windows_fill_what_the_provider_does_not_tell() -> None:
    told = ModelInfo("gpt-4o", "openai", context_length=7)
    untold, unknown = ModelInfo("gpt-4o", "openai"), ModelInfo("nobody's", "openai")
    windows = [
        model.context_length for model in with_windows(at("openai", ""), [told, untold, unknown])
    ]
    assert windows == [7, 128_000, None]


def test_local_model_has_neither_and_reads_no_list() -> None:
    code = (
        "import sys\n"
        "from llm_client.price_list import cost, with_windows\n"
        "from llm_client.providers.catalog import find_provider\n"
        "from llm_client.types.models import ModelInfo\n"
        "from llm_client.types.response import Usage\n"
        "from llm_client.types.target import Target\n"
        "where = Target(find_provider('ollama'), 'gpt-4o', 'http://localhost:1')\n"
        "models = [ModelInfo('gpt-4o', 'ollama')]\n"
        "assert cost(where, 'gpt-4o', Usage(1, 1, 2)) is None\n"
        "assert with_windows(where, models) is models\n"
        "assert 'llm_client.providers.prices' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


PRICES = {"input": 2.0, "output": 4.0}


@pytest.mark.parametrize(
    ("own", "usd"),
    [
        ({"openai/gpt-4o": PRICES}, 0.006),
        ({"openai/*": PRICES}, 0.006),
        ({"*/gpt-4*": PRICES}, 0.006),
        ({"openai/*": {"input": 9.0, "output": 9.0}, "openai/gpt-4o": PRICES}, 0.006),
        ({"openai/gpt-*": PRICES, "openai/*": {"input": 9.0, "output": 9.0}}, 0.006),
        ({"openai/gpt-4o": {"input": 0.0, "output": 0.0}}, 0.0),
        ({"openai/gpt-4o": {"input": 2.0}}, None),
    ],
    ids=["name", "pattern", "two patterns", "name first", "first pattern", "free", "half"],
)
def test_prices_of_the_configuration_come_first(
    own: dict[str, dict[str, float]], usd: float | None
) -> None:
    assert cost(at("openai", "gpt-4o"), "gpt-4o", USAGE, own) == usd


def test_prices_of_others_say_nothing() -> None:
    own = {"openai/gpt-4o-mini": PRICES, "groq/*": PRICES}
    target = at("openai", "gpt-4o")
    assert cost(target, "gpt-4o", USAGE, own) == cost(target, "gpt-4o", USAGE)


def test_price_under_the_name_that_was_sent_holds_for_the_one_that_came_back() -> None:
    own = {"openai/ours": PRICES}
    assert cost(at("openai", "ours"), "ours-2026-11-20", USAGE, own) == 0.006


def test_price_of_embeddings_needs_no_output() -> None:
    own = {"ollama/embed": {"input": 2.0}}
    assert cost(at("ollama", "embed"), "embed", Usage(1000, 0, 1000), own) == 0.002


def test_cached_tokens_have_their_own_price() -> None:
    own = {"ollama/*": {"input": 2.0, "output": 4.0, "cache_read": 1.0, "cache_write": 3.0}}
    usage = Usage(1000, 100, 1100, cached_tokens=200, cache_write_tokens=300)
    usd = cost(at("ollama", "m"), "m", usage, own)
    assert usd == pytest.approx((500 * 2 + 100 * 4 + 200 * 1 + 300 * 3) / 1e6)


def test_own_price_of_the_name_that_was_sent_comes_before_a_pattern() -> None:
    own = {"openai/*": {"input": 9.0, "output": 9.0}, "openai/m": {"input": 1.0, "output": 1.0}}
    # What is reserved beforehand is priced by the same name.
    assert cost(at("openai", "m"), "m-2026-11-20", USAGE, own) == 0.002
    assert cost(at("openai", "other"), "other-2026-11-20", USAGE, own) == 0.018
