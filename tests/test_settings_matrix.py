"""Every setting by every source: a good value arrives, the stronger source wins, a wrong one is told.

The rows stand in `settings_rows.py`, one for each setting of the schema.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.setting_schema import SETTINGS, join_key
from llm_client.types.config import LLMConfig

from .settings_rows import ROWS
from .settings_table import DOCUMENT, stored, table
from .support.setting_setup import BASE, Code, Row, Setup, written


class Source(NamedTuple):
    """One source of a setting, with what comes of it."""

    name: str
    value: object


def sources(row: Row) -> list[Source]:
    """Return where a setting can come from, the strongest first."""
    found = []
    if row.code is not None:
        found.append(Source("code", row.coded))
    found.append(Source(row.variable, row.said))
    if row.own is not None:
        found.append(Source(row.own[0], row.own[2]))
    filed = row.file if row.filed is None else row.filed
    return [*found, Source("toml", filed), Source("json", filed), Source("default", row.default)]


def setup(row: Row, folder: Path, *present: str) -> Setup:
    """Return what comes of some sources, each with the value of the row."""
    environ = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    environ |= {"KEY_OF_FILE": "key-of-file", "KEY_OF_VARIABLE": "key-of-variable"}
    code, form, content = Code(""), "toml", row.table(row.file)
    if not {"toml", "json"} & {*present}:
        content = replace(row, path="retry.max_retries").table(3)  # which is the default
    for name in present:
        if name == "code" and row.code is not None:
            code = row.code
        elif name == "json":
            form = "json"
        elif name == row.variable:
            environ[name] = row.text
        elif row.own is not None and name == row.own[0]:
            environ[name] = row.own[1]
    return Setup(written(content, folder, form), environ, code)


def single() -> Iterator[Any]:
    for row in ROWS:
        for source in sources(row):
            yield pytest.param(row, source, id=f"{row.path}-{source.name}")


def pairs() -> Iterator[Any]:
    for row in ROWS:
        *said, toml, json_, _ = sources(row)
        for files in (toml, json_):
            chain = [*said, files]
            for stronger, weaker in pairwise(chain):
                if weaker is files or files is toml:
                    names = f"{stronger.name}-over-{weaker.name}"
                    yield pytest.param(row, stronger, weaker, id=f"{row.path}-{names}")


def test_every_setting_has_a_row() -> None:
    assert sorted(row.path for row in ROWS) == sorted(setting.path for setting in SETTINGS)


@pytest.mark.parametrize(("row", "source"), [*single()])
def test_value_of_a_source_arrives(row: Row, source: Source, tmp_path: Path) -> None:
    assert row.observe(setup(row, tmp_path, source.name)) == source.value
    if source.name != "default" and row.over is None and row.coded != row.default:
        assert source.value != row.default, "else this proves nothing"


@pytest.mark.parametrize(("row", "stronger", "weaker"), [*pairs()])
def test_stronger_source_wins(row: Row, stronger: Source, weaker: Source, tmp_path: Path) -> None:
    if row.over is not None and stronger.name == row.variable:
        row = replace(row, text=row.over[0])
        stronger = stronger._replace(value=row.over and row.over[1])
    assert stronger.value != weaker.value, "else this proves nothing"

    assert row.observe(setup(row, tmp_path, stronger.name, weaker.name)) == stronger.value


@pytest.mark.parametrize("form", ["toml", "json"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_wrong_value_in_a_file_is_told_with_its_line(row: Row, form: str, tmp_path: Path) -> None:
    file = written(row.table(row.wrong), tmp_path, form)
    with pytest.raises(ConfigurationError) as caught:
        Setup(file, {"HOME": str(tmp_path)}, Code("")).calls.config  # noqa: B018

    place = re.search(rf"{re.escape(str(file))}, line (\d+): ", caught.value.message)
    assert place is not None, caught.value.message
    line = file.read_text("utf-8").splitlines()[int(place[1]) - 1]
    keys = [
        names[-1]
        for names in (row.names, [*row.names, *(row.wrong if isinstance(row.wrong, dict) else ())])
    ]
    assert any(key in line for key in keys)
    assert join_key(row.names) in caught.value.message


VARIABLES = [
    pytest.param(row, name, id=f"{row.path}-{name}")
    for row in ROWS
    if row.wrong_text is not None
    for name in (row.variable, *(row.own[:1] if row.own is not None else ()))
]


@pytest.mark.parametrize(("row", "variable"), VARIABLES)
def test_wrong_value_in_a_variable_is_told_with_its_name(
    row: Row, variable: str, tmp_path: Path
) -> None:
    content = replace(row, path="retry.max_retries").table(3)
    environ = {"HOME": str(tmp_path), variable: str(row.wrong_text)}
    with pytest.raises(ConfigurationError) as caught:
        Setup(written(content, tmp_path, "toml"), environ, Code("")).calls.config  # noqa: B018

    assert re.search(rf"\b{variable}\b", caught.value.message)
    if not row.setting.kind.is_shown:
        assert str(row.wrong_text) not in str(caught.value) + str(caught.value.hint)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_blank_variable_is_none(row: Row, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), row.variable: " ", "KEY_OF_FILE": "key-of-file"}
    environ |= {"PATH": os.environ["PATH"]}
    if row.own is not None:
        environ[row.own[0]] = ""
    filed = row.file if row.filed is None else row.filed

    found = Setup(written(row.table(row.file), tmp_path, "toml"), environ, Code(""))

    assert row.observe(found) == filed


def test_configuration_of_the_matrix_is_whole(tmp_path: Path) -> None:
    """So that what is told in the other tests is what they are about."""
    file = written(BASE, tmp_path, "json")
    assert json.loads(file.read_text())["default_profile"] == "p"
    assert Setup(file, {"HOME": str(tmp_path)}, Code("")).calls.config == LLMConfig(
        provider="work", model="m"
    )


def test_table_of_the_documentation_is_that_of_the_schema() -> None:
    assert stored() == table(), f"run `python -m tests.settings_table` and look at {DOCUMENT.name}"
