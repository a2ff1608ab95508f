"""The price data in the package: whole, well formed, and cut out as it would be parsed whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from llm_client import providers
from llm_client.providers import prices
from llm_client.providers.catalog import CATALOG

FOLDER = Path(providers.__file__).parent
UNITS = {"input", "output", "cache_read", "cache_write", "reasoning", "requests"}
DAY = r"20\d\d-[01]\d-[0-3]\d"
HOURS = r"[0-2]\d:[0-5]\d:[0-5]\d/[0-2]\d:[0-5]\d:[0-5]\d"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Return the file as an ordinary parser reads it, with every object's keys checked."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    text = (FOLDER / "prices.json").read_text("ascii")
    found: dict[str, Any] = json.loads(text, object_pairs_hook=unique)
    return found


def check_clause(clause: Any) -> None:
    if isinstance(clause, str):
        assert clause == clause.lower()
    elif isinstance(clause, list):
        assert clause
        for part in clause:
            check_clause(part)
    else:
        [(kind, value)] = clause.items()
        if kind == "and":
            assert isinstance(value, list)
            check_clause(value)
        elif kind == "regex":
            re.compile(value)
        else:
            assert kind in {"starts_with", "ends_with", "contains"}
            assert value == value.lower()


def check_prices(table: Any) -> None:
    assert table is None or set(table) <= UNITS
    for rate in (table or {}).values():
        first, *tiers = rate if isinstance(rate, list) else [rate]
        limits = [limit for limit, _ in tiers]
        assert limits == sorted(set(limits))
        assert all(limit > 0 for limit in limits)
        assert all(0 <= number < 10_000 for number in [first, *(higher for _, higher in tiers)])


def test_entries_cut_out_are_those_of_the_whole_file(document: dict[str, Any]) -> None:
    assert prices.vendors() == document["vendors"]
    assert list(document) == ["source", "vendors", *document["vendors"]]
    for name in document["vendors"]:
        assert [list(row) for row in prices.models_of(name)] == document[name]


def test_every_row_is_well_formed(document: dict[str, Any]) -> None:
    for name, vendor in document["vendors"].items():
        assert set(vendor) <= {"names", "models", "fallback"}
        assert set(vendor.get("fallback", ())) <= set(document["vendors"])
        for clause in (vendor.get("names"), vendor.get("models")):
            if clause is not None:
                check_clause(clause)
        for match, window, table in document[name]:
            check_clause(match)
            assert window is None or window > 0
            if not isinstance(table, list):
                check_prices(table)
                continue
            assert table
            for condition, part in table:
                assert condition is None or re.fullmatch(f"{DAY}|{HOURS}", condition)
                check_prices(part)


def test_data_names_its_source_and_keeps_the_notice(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"genai-prices \d+\.\d+\.\d+", document["source"])
    notice = (FOLDER / "prices.NOTICE").read_text("utf-8")
    assert document["source"] in notice
    assert "MIT License" in notice
    assert "Copyright (c) Pydantic" in notice


def test_price_ids_of_the_catalog_are_in_the_data() -> None:
    named = {row.name: row.price_id for row in CATALOG.values() if row.price_id}
    unknown = {
        name: one for name, one in named.items() if one not in {*prices.vendors(), "litellm"}
    }
    assert not unknown


def test_data_is_read_also_from_a_zip_file(tmp_path: Path) -> None:
    package = FOLDER.parent
    archive = tmp_path / "program.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in package.rglob("*"):
            if path.suffix in {".py", ".json"}:
                file.write(path, Path("llm_client") / path.relative_to(package))
    script = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "from llm_client.providers import prices\n"
        "print('program.zip' in prices.__file__, len(prices.vendors()))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", str(len(prices.vendors()))]


def test_wheel_has_data_and_notice(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    root = FOLDER.parent.parent
    script = "from hatchling.build import build_wheel; print(build_wheel({!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script.format(str(tmp_path))],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    with zipfile.ZipFile(tmp_path / done.stdout.split()[-1]) as wheel:
        for name in ("prices.json", "prices.NOTICE"):
            assert wheel.read(f"llm_client/providers/{name}") == (FOLDER / name).read_bytes()
