"""The catalog: what must hold for every row, and finding one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from urllib.parse import urlsplit

import pytest

from llm_client.dialects import DIALECTS
from llm_client.dialects.openai_chat import EFFORT_FORMS
from llm_client.exceptions import ConfigurationError
from llm_client.providers.catalog import CATALOG, LOCAL_SERVERS, find_provider
from llm_client.providers.clouds import CLOUDS
from llm_client.providers.hosts import HOSTS
from llm_client.providers.local import LOCAL
from llm_client.providers.makers import MAKERS
from llm_client.providers.names import Provider
from llm_client.types.target import ProviderSpec
from llm_client.wire.loopback import is_loopback_host

ROWS = list(CATALOG.values())
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)

OF_WIRE_MD = """openai anthropic gemini azure ollama openrouter groq mistral deepseek xai together
fireworks cerebras perplexity cohere huggingface nvidia sambanova deepinfra nebius moonshot dashscope
zai zhipuai minimax github vercel meta llama ovhcloud crusoe heroku snowflake databricks cloudflare
jina voyage novita hyperbolic lambda baseten featherless nscale friendli ai21 volcengine v0 wandb
lmstudio llamacpp mlx vllm llama-cpp-python transformers litellm llamafile docker"""
SHARED_KEYS = {"OLLAMA_API_KEY": ["ollama-cloud", "ollama"]}
"""Variables of two rows: of one vendor, so that no key goes to a stranger."""


def filled(template: str) -> str:
    """Return an address with something in its blanks."""
    return re.sub(r"\{\w+\}", "filled", re.sub(r"^\{\w+\}", "https://filled", template))


def test_every_provider_of_the_wire_facts_has_a_row() -> None:
    assert set(OF_WIRE_MD.split()) <= set(CATALOG)
    assert len(CATALOG) == 81


def test_name_is_of_one_row_only() -> None:
    names = [row.name for rows in (MAKERS, HOSTS, CLOUDS, LOCAL) for row in rows]

    assert names == [*CATALOG], "the names in `catalog.py` are those of the rows"
    assert len(set(names)) == len(names)


def test_names_are_the_members_of_the_enumeration() -> None:
    assert {member.value for member in Provider} == set(CATALOG)
    for member in Provider:
        assert member.name == member.value.upper().replace("-", "_")
        assert find_provider(member).name == member


def test_catalog_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CATALOG["x"] = ROWS[0]  # type: ignore[index]


@every_row
def test_row_has_a_well_formed_name_and_a_known_dialect(row: ProviderSpec) -> None:
    assert CATALOG[row.name] is row
    assert re.fullmatch(r"[a-z][a-z0-9-]*", row.name)
    assert row.dialect in DIALECTS


@every_row
def test_row_keys_only_go_over_https_or_stay_on_the_machine(row: ProviderSpec) -> None:
    addresses = (
        row.base_url,
        *row.alternative_base_urls,
        *(variant.base_url for variant in row.variants),
        *(address for _, address in row.dialect_base_urls),
        row.in_process_base_url,
    )
    for url in map(filled, filter(None, addresses)):
        parts = urlsplit(url)
        assert not url.endswith("/")
        assert not parts.query
        assert not parts.fragment
        assert parts.username is None
        if parts.scheme == "http":
            assert is_loopback_host(parts.hostname or "")
        else:
            assert parts.scheme in {"https", "gguf", "mlx"}


@every_row
def test_row_names_variables_that_can_be_set(row: ProviderSpec) -> None:
    fields = [name for field in row.fields for name in field.env]
    names = [*row.key_env, *row.base_url_env, *row.model_env, *fields]
    assert len(names) == len(set(names))
    for name in names:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]*", name)


@every_row
def test_row_that_needs_a_key_says_where_it_is_found(row: ProviderSpec) -> None:
    assert row.key_env or not row.key_required
    assert not (row.key_required and not filled(row.base_url).startswith("https://"))


@every_row
def test_local_row_waits_for_a_model_to_load(row: ProviderSpec) -> None:
    assert row.first_byte == (120.0 if filled(row.base_url).startswith("https://") else 300.0)


@every_row
def test_row_knows_what_its_blanks_stand_for(row: ProviderSpec) -> None:
    names = {field.name for field in row.fields}
    templates = [row.base_url, *(url for _, url in row.dialect_base_urls)]
    templates += [text for _, text in (*row.headers, *row.query)]
    for variant in row.variants:
        assert variant.field in names
        assert {*variant.dialects} <= DIALECTS.keys()
        templates += [variant.base_url, *(text for _, text in variant.query)]
    used = {name for template in templates for name in re.findall(r"\{(\w+)\}", template)}

    assert used <= {*names, "model"}
    assert names <= used, "a field that nothing uses"
    for field in row.fields:
        assert re.fullmatch(r"[a-z_]+", field.name)
        assert field.example, "the hint needs something to show"
        assert re.fullmatch(field.pattern or ".*", field.example)
        assert not (field.default and field.optional)


@every_row
def test_row_says_only_what_the_other_floors_understand(row: ProviderSpec) -> None:
    schemas = {row.quirks.schema, *(rule.schema for rule in row.model_rules)}

    assert schemas <= {"", "native", "tool", "prompt"}
    assert row.quirks.effort in {"", *EFFORT_FORMS}
    assert {rule.dialect for rule in row.model_rules} <= {"", *DIALECTS}
    assert {name for name, _ in row.dialect_base_urls} <= {*DIALECTS} - {row.dialect}
    assert row.key_header == row.key_header.lower()
    # What has no forced tool cannot have its schema asked for by one.
    assert row.quirks.required_tool_choice or "tool" not in schemas


@every_row
def test_row_that_is_chosen_by_its_key_needs_nothing_else(row: ProviderSpec) -> None:
    if row.key_required and row.chosen_by_key:
        assert row.default_model or row.lists_models
        assert all(field.default or field.optional for field in row.fields)


def test_key_that_serves_other_purposes_chooses_nothing() -> None:
    generic = {"GITHUB_TOKEN", "HF_TOKEN", "MODEL_API_KEY", "LLAMA_API_KEY", "SCW_SECRET_KEY"}
    for row in ROWS:
        if generic & {*row.key_env}:
            assert not row.chosen_by_key, row.name


def test_key_variable_is_of_one_row() -> None:
    owners: dict[str, list[str]] = {}
    for row in ROWS:
        for name in row.key_env:
            owners.setdefault(name, []).append(row.name)

    assert {name: rows for name, rows in owners.items() if len(rows) > 1} == SHARED_KEYS


def test_address_is_shared_only_on_this_machine() -> None:
    owners = Counter(row.base_url for row in ROWS if row.base_url)

    assert {url for url, rows in owners.items() if rows > 1} == {
        "http://localhost:8000/v1",  # vLLM, llama-cpp-python, transformers
        "http://localhost:8080/v1",  # llama.cpp, mlx_lm.server, llamafile, LocalAI
    }


def test_price_ids_are_of_the_price_data() -> None:
    data = pytest.importorskip("genai_prices.data")
    # LiteLLM's models are priced by their own vendors.
    known = {provider.id for provider in data.providers} | {"litellm", ""}

    assert {row.price_id for row in ROWS} <= known


@pytest.mark.parametrize(
    ("look", "files"),
    [
        ("find_provider('ollama')", "local"),
        ("find_provider('openai')", "makers"),
        ("find_provider('groq')", "hosts"),
        ("CATALOG.get('azure')", "clouds"),
        ("'groq' in CATALOG, 'nobody' in CATALOG, [*CATALOG], CATALOG.get('nobody')", ""),
    ],
    ids=["local", "maker", "host", "cloud", "names"],
)
def test_look_up_imports_no_more_than_it_needs(look: str, files: str) -> None:
    code = (
        "import sys; from llm_client.providers.catalog import CATALOG, find_provider;"
        f"{look};"
        "print(*[f for f in ('local', 'makers', 'hosts', 'clouds', 'names')"
        " if f'llm_client.providers.{f}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == files


def test_local_servers_are_rows_that_can_be_started() -> None:
    assert len(set(LOCAL_SERVERS)) == len(LOCAL_SERVERS)
    for name in LOCAL_SERVERS:
        row = CATALOG[name]
        assert row.start_command
        assert row.base_url.startswith("http://localhost:")


@pytest.mark.parametrize("name", ["openai", "OpenAI", "OLLAMA"])
def test_provider_is_found_in_any_case(name: str) -> None:
    assert find_provider(name) is CATALOG[name.lower()]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("opnai", "'openai'"),
        ("LM-Studio", "'lmstudio'"),
        ("gemni", "'gemini' or 'gmi'"),
        ("olama", "'ollama', 'llama' or 'lambda'"),
        ("wrk", "'work'"),
    ],
)
def test_unknown_provider_suggests_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ConfigurationError, match=f"There is no provider {name!r}.") as caught:
        find_provider(name, ["work", "home"])
    assert caught.value.hint == (
        f"Did you mean {near}? Any other OpenAI-compatible server: `--base-url URL`."
    )


@pytest.mark.parametrize("name", ["", "zzz"])
@pytest.mark.parametrize(
    ("configured", "also"),
    [((), ""), (("work", "home"), " and, in the configuration, home, work")],
    ids=["none", "two"],
)
def test_unknown_provider_far_from_all_names_a_few(
    name: str, configured: tuple[str, ...], also: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_provider(name, configured)
    assert caught.value.hint == (
        f"Known are openai, anthropic, gemini, ollama, {len(CATALOG) - 4} more{also}. "
        "Any other OpenAI-compatible server: `--base-url URL`."
    )
