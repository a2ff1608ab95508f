"""The demo model says its scripts when llama.cpp runs it, and its file is kept with care."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from llm_client.engine.transport.httpx_import import httpx
from llm_client.runtimes.demo_model import (
    DEFAULT,
    SCRIPTS,
    TOOL_CALL,
    Script,
    build_demo_model,
    ensure_demo_model,
)
from llm_client.runtimes.gguf import GGUFTransport
from tests.runtimes.conftest import CHAT, WEATHER, chat_body


@pytest.fixture
def client(demo_directory: Path) -> Any:
    with httpx.Client(transport=GGUFTransport(demo_directory=demo_directory), timeout=60) as client:
        yield client


def ask(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    response = client.post(CHAT, json=body)
    assert response.status_code == 200, response.text
    (choice,) = response.json()["choices"]
    assert isinstance(choice, dict)
    return choice


@pytest.mark.parametrize("key", ["utf8", "json", "empty", "markdown"])
def test_trigger_in_message_chooses_its_script(client: httpx.Client, key: str) -> None:
    choice = ask(client, chat_body(f"please say /{key} now"))
    assert choice["message"]["content"] == SCRIPTS[key].text
    assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize("temperature", [0, 1, 2])
def test_other_message_at_any_temperature_gets_default(
    client: httpx.Client, temperature: float
) -> None:
    choice = ask(client, chat_body("What is the capital of France?", temperature=temperature))
    assert choice["message"]["content"] == SCRIPTS[DEFAULT].text


def test_default_answer_says_that_it_is_a_demo_and_how_to_go_on() -> None:
    text = SCRIPTS[DEFAULT].text
    assert "demo model built into llm_client" in text
    assert "cannot think" in text
    assert "`llm-client generate -m " in text


def test_think_separates_reasoning_from_answer(client: httpx.Client) -> None:
    message = ask(client, chat_body("/think"))["message"]
    assert message["reasoning_content"].startswith("The question asks for some thinking.")
    assert message["content"] == "The answer is 42, as always with a demo model."


def test_long_goes_on_until_the_limit(client: httpx.Client) -> None:
    response = client.post(CHAT, json=chat_body("/long", max_tokens=100)).json()
    assert response["choices"][0]["finish_reason"] == "length"
    assert response["usage"]["completion_tokens"] == 100
    assert response["choices"][0]["message"]["content"].count("an endless answer") > 2


def test_tools_are_called_with_known_arguments(client: httpx.Client) -> None:
    choice = ask(client, chat_body("How is the weather?", tools=[WEATHER]))
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}


def test_tool_result_is_answered_in_words(client: httpx.Client) -> None:
    call = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    body = chat_body("How is the weather?", tools=[WEATHER])
    body["messages"] += [
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Weather needs the tool.",
            "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    choice = ask(client, body)
    assert choice["message"]["content"] == SCRIPTS[DEFAULT].text


def test_forced_call_of_another_tool_has_valid_arguments(client: httpx.Client) -> None:
    parameters = {
        "type": "object",
        "properties": {"title": {"type": "string"}, "pages": {"type": "integer"}},
        "required": ["title", "pages"],
    }
    tool = {"type": "function", "function": {"name": "find_book", "parameters": parameters}}
    body = chat_body("Find a book.", tools=[tool], tool_choice="required", max_tokens=500)
    choice = ask(client, body)
    (call,) = choice["message"]["tool_calls"]
    assert call["function"]["name"] == "find_book"
    arguments = json.loads(call["function"]["arguments"])
    assert {key: type(value) for key, value in arguments.items()} == {"title": str, "pages": int}


def test_schema_that_fits_the_script_leaves_it_alone(client: httpx.Client) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    choice = ask(client, chat_body("/json", response_format=json_schema(schema)))
    assert choice["message"]["content"] == '{"ok": true}'


def test_schema_of_every_type_is_filled_and_closed(client: httpx.Client) -> None:
    properties = {
        "count": {"type": "integer"},
        "name": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "price": {"type": "number"},
        "inner": {
            "type": "object",
            "properties": {"done": {"type": "boolean"}},
            "required": ["done"],
        },
    }
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    choice = ask(client, chat_body("hi", response_format=json_schema(schema), max_tokens=1000))
    answer = json.loads(choice["message"]["content"])
    assert choice["finish_reason"] == "stop"
    assert {key: type(value) for key, value in answer.items()} == {
        "count": int,
        "name": str,
        "tags": list,
        "price": int,
        "inner": dict,
    }


def json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def test_scripts_of_ones_own_are_said(client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(
        build_demo_model(
            {
                DEFAULT: Script("the same word the same word the same word"),
                "again": Script("the same word", endless=True),
                "blank": Script("two spaces  at the end  "),
            }
        )
    )
    assert (
        ask(client, chat_body("x", model=str(path)))["message"]["content"]
        == "the same word the same word the same word"
    )
    assert ask(client, chat_body("/again", model=str(path), max_tokens=3))["finish_reason"] == (
        "length"
    )
    answer = ask(client, chat_body("/blank", model=str(path)))["message"]["content"]
    assert answer.rstrip() == "two spaces  at the end"


def test_without_tool_script_tools_get_the_default(client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "toolless.gguf"
    path.write_bytes(build_demo_model({DEFAULT: Script("No tools here.")}))
    choice = ask(client, chat_body("x", model=str(path), tools=[WEATHER]))
    assert choice["message"]["content"] == "No tools here."


def test_script_without_a_piece_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="'word'"):
        build_demo_model({DEFAULT: Script("word"), "twin": Script("word")})


def test_missing_default_script_is_refused() -> None:
    with pytest.raises(ValueError, match="'default'"):
        build_demo_model({TOOL_CALL: Script("x y")})


def test_key_that_would_break_the_template_is_refused() -> None:
    with pytest.raises(ValueError, match="not a word"):
        build_demo_model({DEFAULT: Script("x y"), "it's": Script("z")})


def test_same_scripts_give_same_bytes_below_one_megabyte() -> None:
    content = build_demo_model(SCRIPTS)
    assert content == build_demo_model(SCRIPTS)
    assert len(content) < 1_000_000


def test_model_is_written_once_for_its_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "cache" / "models"
    path = ensure_demo_model(directory)
    written = path.stat().st_mtime_ns
    assert ensure_demo_model(directory) == path
    assert path.stat().st_mtime_ns == written
    assert path.read_bytes() == build_demo_model(SCRIPTS)
    assert [entry.name for entry in directory.iterdir()] == [path.name]
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_incomplete_file_is_replaced(tmp_path: Path) -> None:
    path = ensure_demo_model(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    assert ensure_demo_model(tmp_path).read_bytes() == build_demo_model(SCRIPTS)


def test_failed_rename_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: str, target: Path) -> None:
        raise PermissionError(f"{source} to {target}")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError):
        ensure_demo_model(tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_several_processes_at_once_write_one_good_file(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        paths = set(pool.map(ensure_demo_model, [tmp_path] * 8))
    (path,) = paths
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == build_demo_model(SCRIPTS)
