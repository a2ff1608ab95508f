"""What rows of the catalog say about checking a provider."""

from __future__ import annotations

import re

import pytest

from llm_client.dialects.probe_bodies import FORMS
from llm_client.policy.health import REFUSABLE
from llm_client.providers.catalog import CATALOG
from llm_client.types.target import ProviderSpec

ROWS = pytest.mark.parametrize("row", CATALOG.values(), ids=lambda row: row.name)


@ROWS
def test_probes_have_a_path_and_a_known_form(row: ProviderSpec) -> None:
    assert all(probe.path.startswith("/") for probe in row.probes)
    assert {probe.form for probe in row.probes} <= FORMS.keys()
    assert row.health_path == "" or row.health_path.startswith("/")


@ROWS
def test_key_probe_can_be_sent_and_is_not_of_a_kind_that_bills(row: ProviderSpec) -> None:
    assert re.fullmatch(r"(list|refusal|(GET|POST) (\.\.)?/\S+)?", row.key_probe)
    if row.key_probe == "refusal":
        assert row.dialect in REFUSABLE
    if row.key_probe == "list":
        assert row.lists_models


@ROWS
def test_provider_without_a_list_can_be_asked_something_else(row: ProviderSpec) -> None:
    if not row.lists_models:
        assert row.key_probe not in ("", "list") or row.health_path


def test_health_of_litellm_does_not_ask_its_models() -> None:
    """Its `/health` generates with every one of them."""
    assert CATALOG["litellm"].health_path == "/health/liveliness"
