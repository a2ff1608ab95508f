"""A configuration file as it stands on the disk: where it is, and where in it a setting is."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.storage.config_document import find_document, parse_document, read_document

FILE = Path("/home/me/config.toml")


def test_place_names_the_line_where_there_is_one() -> None:
    document = parse_document(FILE, "[retry]\ndelay = 1\n")

    assert document.table == {"retry": {"delay": 1}}
    assert document.line_of(["retry", "delay"]) == 2
    assert document.place(("retry", "delay")) == f"{FILE}, line 2"
    assert document.line_of(("retry", "max_delay")) is None
    assert document.place(()) == str(FILE)


@pytest.mark.parametrize("name", ["config.json", "CONFIG.JSON"])
def test_json_is_told_by_the_name(name: str) -> None:
    document = parse_document(Path(name), '{\n"retry": {}}')

    assert document.table == {"retry": {}}
    assert document.line_of(("retry",)) == 2


def test_document_is_read_from_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    with pytest.raises(ConfigurationError, match="There is no configuration file"):
        read_document(file)
    file.write_text("retry.delay = 1\n")

    assert read_document(file).text == "retry.delay = 1\n"
    found = find_document(None, {"LLM_CLIENT_CONFIG": str(file)})
    assert found is not None
    assert found.file == file


def test_file_that_nobody_named_may_be_missing(tmp_path: Path) -> None:
    assert find_document(None, {"HOME": str(tmp_path)}) is None
