"""What the clients take from the price list, and that local models take nothing."""

from __future__ import annotations

import subprocess
import sys

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
