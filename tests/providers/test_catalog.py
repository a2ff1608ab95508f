"""The catalog: what must hold for every row, and finding one."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from llm_client.dialects import DIALECTS
from llm_client.exceptions import ConfigurationError
from llm_client.providers.catalog import CATALOG, LOCAL_SERVERS, Provider, find_provider
from llm_client.types.target import ProviderSpec
from llm_client.wire.loopback import is_loopback_host

ROWS = list(CATALOG.values())
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


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
    for url in filter(None, (row.base_url, *row.alternative_base_urls)):
        parts = urlsplit(url)
        assert not url.endswith("/")
        assert not parts.query
        assert not parts.fragment
        assert parts.username is None
        if parts.scheme == "http":
            assert is_loopback_host(parts.hostname or "")
        else:
            assert parts.scheme in {"https", "gguf"}


@every_row
def test_row_names_variables_that_can_be_set(row: ProviderSpec) -> None:
    names = [*row.key_env, *row.base_url_env, *row.model_env]
    assert len(names) == len(set(names))
    for name in names:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]*", name)


@every_row
def test_row_that_needs_a_key_says_where_it_is_found(row: ProviderSpec) -> None:
    assert row.key_env or not row.key_required
    assert not (row.key_required and not row.base_url.startswith("https://"))


@every_row
def test_local_row_waits_for_a_model_to_load(row: ProviderSpec) -> None:
    assert row.first_byte >= (120.0 if row.base_url.startswith("https://") else 300.0)


def test_addresses_and_key_variables_are_of_one_row_each() -> None:
    keys = [name for row in ROWS for name in row.key_env]
    assert len(keys) == len(set(keys))
    shared = {CATALOG["llamacpp"].base_url, CATALOG["mlx"].base_url}
    assert len(shared) == 1, "mlx_lm.server and llama.cpp have the same default port"
    urls = [row.base_url for row in ROWS if row.base_url and row.name != "mlx"]
    assert len(urls) == len(set(urls))


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
        ("opnai", "openai"),
        ("olama", "ollama"),
        ("LM-Studio", "lmstudio"),
        ("llama.cpp", "llamacpp"),
    ],
)
def test_unknown_provider_suggests_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ConfigurationError, match=f"There is no provider {name!r}.") as caught:
        find_provider(name)
    assert (caught.value.hint or "").startswith(f"Did you mean {near!r}? Known: embedded, ")
    assert "`--base-url URL`" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["", "zzz"])
def test_unknown_provider_far_from_all_lists_the_known(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_provider(name)
    assert (caught.value.hint or "").startswith("Known: embedded, ")
