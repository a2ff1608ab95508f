"""docs/providers.md says what the catalog says."""

from __future__ import annotations

import pytest

from llm_client.providers.catalog import CATALOG

from .table import DOCUMENT, stored, table


@pytest.mark.skipif(not DOCUMENT.exists(), reason="an installed package has no documents beside it")
def test_table_of_the_document_is_current() -> None:
    assert stored() == table(), "run `python -m tests.providers.table`"


def test_table_has_every_provider() -> None:
    assert [line.split(" | ")[0][2:] for line in table().splitlines()[2:]] == [*CATALOG]


@pytest.mark.skipif(not DOCUMENT.exists(), reason="an installed package has no documents beside it")
def test_readme_counts_the_providers() -> None:
    readme = (DOCUMENT.parents[1] / "README.md").read_text("utf-8")

    assert f"the {len(CATALOG)} providers" in readme
