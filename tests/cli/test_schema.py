"""`--schema` and `--reasoning-effort`: what is sent, what is printed, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..support.fault_server import fault_server
from .program import answer, ask, body_of, error, run, whole

SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
TEXT = json.dumps(SCHEMA)


def sent_schema(body: Any) -> Any:
    return body["response_format"]["json_schema"]["schema"]


def test_schema_as_json_is_sent_and_the_answer_is_printed_as_it_is() -> None:
    with fault_server(whole('{"ok":true}')) as server:
        result = ask(server.url, "--schema", TEXT, "hi")

    body = body_of(server.requests[0])
    assert (result.status, result.stdout, result.stderr) == (0, b'{"ok":true}\n', "")
    assert sent_schema(body)["properties"] == SCHEMA["properties"]
    assert not body.get("stream")


def test_schema_in_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text(TEXT)
    with fault_server(whole('{"ok":true}')) as server:
        assert ask(server.url, "--schema", str(file), "hi").status == 0

    assert sent_schema(body_of(server.requests[0]))["required"] == ["ok"]


def test_words_around_the_answer_are_not_printed() -> None:
    with fault_server(whole('Sure:\n```json\n{"ok": true}\n```')) as server:
        result = ask(server.url, "--schema", TEXT, "hi")

    assert result.json == {"ok": True}


def test_answer_that_does_not_follow_is_asked_for_again_with_a_note() -> None:
    with fault_server(whole("Yes."), whole('{"ok":true}')) as server:
        result = ask(server.url, "--schema", TEXT, "hi")

    assert (result.status, result.json) == (0, {"ok": True})
    assert "is asked again (1 of 2): The answer does not follow the JSON schema" in result.stderr
    assert len(server.requests) == 2


def test_answer_that_never_follows_is_incomplete() -> None:
    with fault_server(whole("Yes.")) as server:
        result = ask(server.url, "--schema", TEXT, "hi")

    assert (result.status, result.stdout) == (7, b"")
    assert "The answer does not follow the JSON schema: the answer is no JSON" in result.stderr
    assert len(server.requests) == 3


def test_object_has_the_parsed_answer() -> None:
    with fault_server(whole('{"ok":true}')) as server:
        result = ask(server.url, "--json", "--schema", TEXT, "hi")

    assert result.json["parsed"] == {"ok": True}


def test_streamed_answer_is_shown_as_it_comes() -> None:
    with fault_server(answer('{"ok"', ":true}")) as server:
        result = ask(server.url, "--json", "--stream", "--schema", TEXT, "hi")

    assert [line["type"] for line in result.lines] == ["text", "text", "done"]
    assert result.lines[-1]["parsed"] == {"ok": True}
    assert body_of(server.requests[0])["stream"] is True


def test_dry_run_shows_the_request_with_the_schema() -> None:
    with fault_server(answer("Yes.")) as server:
        result = ask(server.url, "--dry-run", "--schema", TEXT, "hi")

    assert sent_schema(result.json["body"])["required"] == ["ok"]
    assert "stream" not in result.json["body"]
    assert server.connections == 0


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("no-such-file.json", "Cannot read the schema 'no-such-file.json': No such file"),
        ("{", "--schema is no JSON"),
        ('{"type": "strng"}', "The schema is broken at #/type: 'strng' is not a type"),
        ('{"$ref": "https://h.test/s"}', "lies outside of the schema"),
    ],
    ids=["no file", "no json", "broken", "outside"],
)
def test_schema_that_is_wrong_sends_nothing(schema: str, said: str) -> None:
    with fault_server(whole("{}")) as server:
        result = ask(server.url, "--schema", schema, "hi")

    assert (result.status, result.stdout) == (2, b"")
    assert said in result.stderr
    assert server.connections == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"[1]", "is no JSON schema, which is an object"), (b"\xff{", "Cannot read the schema")],
    ids=["list", "binary"],
)
def test_schema_file_that_is_wrong_says_so(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "s.json"
    file.write_bytes(content)

    result = run("generate", "-p", "vllm", "-m", "m", "--schema", str(file), "hi")

    assert result.status == 2
    assert said in result.stderr


def test_empty_schema_asks_for_any_json() -> None:
    with fault_server(whole("[1]")) as server:
        result = ask(server.url, "--json", "--schema", "{}", "hi")

    assert result.json["parsed"] == [1]


def test_server_without_the_schema_field_is_asked_in_another_way() -> None:
    refusal = error(400, "response_format is not supported")
    with fault_server(refusal, error(400, "no tools"), whole('{"ok":true}')) as server:
        result = ask(server.url, "--schema", TEXT, "hi")

    assert (result.status, result.json) == (0, {"ok": True})
    assert "it is asked with a tool instead" in result.stderr
    assert "it is asked in words instead" in result.stderr


def test_reasoning_effort_is_sent() -> None:
    with fault_server(answer("Yes.")) as server:
        assert ask(server.url, "--reasoning-effort", "low", "hi").status == 0

    assert "low" in json.dumps(body_of(server.requests[0]))


def test_reasoning_effort_that_is_not_known_is_a_usage_error() -> None:
    result = run("generate", "-p", "vllm", "-m", "m", "--reasoning-effort", "huge", "hi")

    assert result.status == 2
    assert "reasoning_effort 'huge' is not known." in result.stderr
