"""Thinking in an answer of OpenAI Chat: what is split off, and what goes back with the next request."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from llm_client.dialects.ollama import Ollama
from llm_client.dialects.openai_chat import OpenAIChat
from llm_client.types.content import ProviderState
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse, fold
from llm_client.types.target import ProviderSpec, Quirks, Target

from ..support.recordings import ROOT, Recording, local_answer, needs_recordings, provider_exchange
from .answers import (
    answer,
    check_cuts,
    check_splits,
    decode,
    expected,
    feed,
    plain,
    recording,
    shown,
    target,
)

ROUTER = Target(
    ProviderSpec("router", "http://localhost:1/v1", "openai-chat"), "m", "http://localhost:1/v1"
)
DONE = b"data: [DONE]\n\n"
ANSWERS = expected("providers") | expected("local_servers")
OPAQUE = {
    "mistral/mistral_model_thinking_part_iter#0",
    "openrouter/openrouter_usage#0",
    "openrouter/openrouter_usage#1",
}
"""The recorded answers that have something for their provider only."""


def thinking_inline(where: Target) -> Target:
    quirks = Quirks(inline_think=True)
    return replace(where, provider=replace(where.provider, quirks=quirks))


def delta(finish: str | None = None, **fields: Any) -> bytes:
    payload = {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def streamed(parts: Iterable[bytes], where: Target = ROUTER) -> LLMResponse:
    return fold(feed(OpenAIChat(), where, parts), provider=where.provider.name)


def whole(**message: Any) -> LLMResponse:
    body = {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": "stop"}]}
    return fold(OpenAIChat().decode(json.dumps(body).encode(), ROUTER), provider="router")


def items(response: LLMResponse) -> list[Any]:
    state = response.provider_state
    assert state is not None
    assert (state.provider, state.dialect) == (response.provider, "openai-chat")
    return list(state.items)


def call(id: str | None, name: str = "", arguments: str = "", **fields: Any) -> dict[str, Any]:
    return {"id": id, "function": {"name": name, "arguments": arguments}, **fields}


def detail(kind: str, index: int | None = 0, **fields: Any) -> dict[str, Any]:
    return {"type": f"reasoning.{kind}", **fields, "index": index}


def thought(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


SIGNATURE = {"google": {"thought_signature": "c2lnbmVk"}}
STREAMS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "text in fragments, the signature last": (
        [
            {"reasoning_details": [detail("text", text="Two ", signature=None, format=None)]},
            {"reasoning_details": [detail("text", text="questions.", format="f")]},
            {"reasoning_details": [detail("text", signature="c2ln")]},
            {"content": "I look."},
        ],
        {
            "reasoning_details": [
                detail("text", text="Two questions.", signature="c2ln", format="f")
            ]
        },
    ),
    "summary, then encrypted data of the same index": (
        [
            {"content": "", "reasoning_details": [detail("summary", summary="**A")]},
            {"content": "", "reasoning_details": [detail("summary", summary="b**")]},
            {"content": "x", "reasoning_details": []},
            {"reasoning_details": [detail("encrypted", data="gAA", id="rs_1")]},
            {"reasoning_details": [detail("encrypted", data="hBB", id="rs_2")]},
        ],
        {
            "reasoning_details": [
                detail("summary", summary="**Ab**"),
                detail("encrypted", data="gAA", id="rs_1"),
                detail("encrypted", data="hBB", id="rs_2"),
            ]
        },
    ),
    "two indexes in turns": (
        [
            {"reasoning_details": [detail("text", 0, text="a"), detail("text", 1, text="x")]},
            {"reasoning_details": [detail("text", 1, text="y"), detail("text", 0, text="b")]},
        ],
        {"reasoning_details": [detail("text", 0, text="ab"), detail("text", 1, text="xy")]},
    ),
    "another id is another detail": (
        [
            {"reasoning_details": [detail("text", text="a", id="1")]},
            {"reasoning_details": [detail("text", text="b", id="2")]},
            {"reasoning_details": [detail("text", text="c")]},
        ],
        {
            "reasoning_details": [
                detail("text", text="a", id="1"),
                detail("text", text="bc", id="2"),
            ]
        },
    ),
    "no index": (
        [{"reasoning_details": [detail("text", None, text=text)]} for text in "ab"],
        {"reasoning_details": [detail("text", None, text=text) for text in "ab"]},
    ),
    "odd details": (
        [{"reasoning_details": [7, detail("text", text=3), detail("text", text="a")]}],
        {"reasoning_details": [detail("text", text="a")]},
    ),
    "signatures of some calls": (
        [
            {"content": "I look."},
            {"tool_calls": [call("c1", "f", "{", index=0)]},
            {"tool_calls": [call(None, "", "}", index=0)]},
            {"tool_calls": [call("c2", "g", "{}", index=1, extra_content=SIGNATURE)]},
            {"tool_calls": [call(None, "h", "{}", index=2)]},
        ],
        {"tool_calls": [{"id": "c1"}, {"id": "c2", "extra_content": SIGNATURE}, {"id": "call_2"}]},
    ),
    "signature of the message": (
        [{"content": "Hi"}, {"content": "", "extra_content": SIGNATURE}],
        {"extra_content": SIGNATURE},
    ),
    "thinking in the content": (
        [
            {"content": ""},
            {"content": [thought("Two ")]},
            {"content": [thought("questions.") | {"closed": True}]},
            {"content": "I "},
            {"content": [{"type": "text", "text": "look"}]},
            {"content": ".", "tool_calls": [call("c1", "f", "{}", index=0)]},
        ],
        {
            "content": [
                thought("Two questions.") | {"closed": True},
                {"type": "text", "text": "I look."},
            ],
            "tool_calls": [{"id": "c1"}],
        },
    ),
    "thinking in the content, more of it later": (
        [{"content": [thought("a")]}, {"content": "x"}, {"content": [thought("b"), thought("c")]}],
        {"content": [thought("a"), {"type": "text", "text": "x"}, thought("bc")]},
    ),
    "other parts among the thinking": (
        [
            {"content": [{"type": "thinking", "thinking": [{"type": "reference", "ids": [1]}]}]},
            {"content": [thought("a"), 7, {"type": "reference", "reference_ids": [2]}]},
            {"content": [{"type": "reference", "reference_ids": [3]}]},
        ],
        {
            "content": [
                {
                    "type": "thinking",
                    "thinking": [{"type": "reference", "ids": [1]}, {"type": "text", "text": "a"}],
                },
                {"type": "reference", "reference_ids": [2]},
                {"type": "reference", "reference_ids": [3]},
            ]
        },
    ),
    "thinking as a text": (
        [
            {"content": [{"type": "thinking", "thinking": "a"}]},
            {"content": [{"type": "thinking", "thinking": "b"}]},
        ],
        {"content": [{"type": "thinking", "thinking": "ab"}]},
    ),
    "thinking as a text and as a list": (
        [{"content": [{"type": "thinking", "thinking": "a"}]}, {"content": [thought("b")]}],
        {"content": [thought("ab")]},
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_fragments_joined_are_the_state(name: str) -> None:
    deltas, item = STREAMS[name]
    body = b"".join(delta(**fields) for fields in deltas) + delta("stop") + DONE
    assert items(streamed([body])) == [item]
    assert items(streamed(body[i : i + 1] for i in range(len(body)))) == [item]


@pytest.mark.parametrize(
    "message",
    [
        {
            "content": "I look.",
            "reasoning": "Two questions.",
            "reasoning_details": [
                detail("text", text="Two questions.", signature=None),
                detail("text", text="Another.", signature="x"),
                detail("encrypted", data="gAA", id="rs_1"),
            ],
        },
        {"content": [thought("hm"), thought("so"), {"type": "text", "text": "I look."}]},
        {"content": "I look.", "extra_content": SIGNATURE},
    ],
    ids=["details", "content", "signature"],
)
def test_state_of_a_whole_answer_is_its_fields_as_they_came(message: dict[str, Any]) -> None:
    names = ("reasoning_details", "content", "extra_content")
    kept = {name: message[name] for name in names if isinstance(message.get(name), list | dict)}
    assert items(whole(**message)) == [kept]


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "a", "reasoning": "b", "reasoning_details": []},
        {"content": "a", "reasoning_content": "b"},
        {"content": [{"type": "text", "text": "a"}]},
        {"content": "a", "tool_calls": [call("c1", "f", "{}", index=0)]},
        {"content": "a", "reasoning_details": "text", "extra_content": None},
        {"content": "a", "logprobs": {}, "annotations": []},
    ],
    ids=["no details", "reasoning", "text parts", "calls", "odd types", "other fields"],
)
def test_answer_without_anything_opaque_has_no_state(fields: dict[str, Any]) -> None:
    assert streamed([delta(**fields), delta("stop"), DONE]).provider_state is None
    assert whole(**fields).provider_state is None


def test_odd_signature_does_not_cost_the_answer() -> None:
    response = streamed([delta(content="a", extra_content="x"), delta("stop"), DONE])
    assert response.content == "a"
    calls = [call("c1", "f", "{}", index=0, extra_content=3)]
    response = streamed([delta(tool_calls=calls), delta("stop"), DONE])
    assert [one.name for one in response.tool_calls] == ["f"]


def test_long_reasoning_is_joined_at_linear_cost() -> None:
    """A hundred thousand fragments: joined one by one they would move 5 GB."""
    fragment = delta(reasoning_details=[detail("text", text="x" * 10)])
    state = items(streamed([fragment * 20_000, delta("stop"), DONE]))[0]
    assert len(state["reasoning_details"][0]["text"]) == 200_000
    assert len(state["reasoning_details"]) == 1


def returned(response: LLMResponse, where: Target) -> dict[str, Any]:
    """Return the answer as it is sent back, after being kept as JSON."""
    kept = Message.parse(json.loads(json.dumps(response.message.to_dict())))
    body = OpenAIChat().encode(LLMRequest((Message("user", "hi"), kept)), where).body
    assert body is not None
    message: dict[str, Any] = json.loads(body)["messages"][1]
    return message


@pytest.mark.parametrize("name", STREAMS)
def test_state_goes_back_with_its_answer(name: str) -> None:
    deltas, item = STREAMS[name]
    response = streamed([*(delta(**fields) for fields in deltas), delta("stop"), DONE])
    message = returned(response, ROUTER)
    calls = [
        {key: value for key, value in one.items() if key in {"id", "extra_content"}}
        for one in message.get("tool_calls", [])
    ]
    assert message | {"tool_calls": calls} == message | {"tool_calls": []} | item
    assert "provider_state" not in message


def test_state_of_one_provider_does_not_go_to_another() -> None:
    response = streamed([delta(content="a", extra_content=SIGNATURE), delta("stop"), DONE])
    elsewhere = replace(ROUTER, provider=replace(ROUTER.provider, name="other"))
    assert returned(response, elsewhere) == {"role": "assistant", "content": "a"}


def states_of(source: Recording) -> ProviderState | None:
    where = plain(target("openai-compatible"))
    if source.streamed:
        return feed(OpenAIChat(), where, [source.body])[-1].provider_state
    return OpenAIChat().decode(source.body, where)[-1].provider_state


@needs_recordings
@pytest.mark.parametrize("name", ANSWERS)
def test_recorded_answer_has_a_state_where_something_is_opaque(name: str) -> None:
    assert (states_of(recording(name)) is not None) is (name in OPAQUE)


@needs_recordings
@pytest.mark.parametrize("index", [0, 1])
def test_recorded_details_of_openrouter_go_back_as_they_came(index: int) -> None:
    source = provider_exchange("openrouter", "openrouter_usage", index)
    where = plain(target("openai-compatible"))
    response = fold(OpenAIChat().decode(source.body, where), provider="openai-compatible")
    came = json.loads(source.body)["choices"][0]["message"]
    assert len(came["reasoning_details"]) > 1
    assert returned(response, where) == {
        "role": "assistant",
        "content": came["content"],
        "reasoning_details": came["reasoning_details"],
    }


@needs_recordings
def test_recorded_thinking_of_mistral_goes_back_in_the_content() -> None:
    source = provider_exchange("mistral", "mistral_model_thinking_part_iter")
    where = plain(target("openai-compatible"))
    response = streamed([source.body], where)
    assert returned(response, where) == {
        "role": "assistant",
        "content": [thought(response.reasoning), {"type": "text", "text": response.content}],
    }
    row = ANSWERS["mistral/mistral_model_thinking_part_iter#0"]
    assert shown(decode(OpenAIChat(), where, source))["reasoning"] == row["reasoning"]


INLINE = expected("inline_think")


@needs_recordings
@pytest.mark.parametrize("name", INLINE)
def test_recorded_inline_thinking_is_split_off(name: str) -> None:
    where = thinking_inline(plain(target("openai-compatible")))
    value = decode(OpenAIChat(), where, recording(name))
    changed = {key: shown(value).get(key) for key in INLINE[name]}
    assert changed == INLINE[name]
    unchanged = ANSWERS[name].keys() - {"text", "reasoning"}
    assert {key: shown(value)[key] for key in unchanged} == {
        key: ANSWERS[name][key] for key in unchanged
    }


@needs_recordings
@pytest.mark.parametrize("name", [name for name in ANSWERS if "<think>" in str(ANSWERS[name])])
def test_recordings_with_inline_thinking_are_all_split(name: str) -> None:
    assert name in INLINE


@needs_recordings
@pytest.mark.parametrize(
    "name", [name for name in INLINE if ROOT is not None and recording(name).streamed]
)
def test_inline_thinking_split_and_cut_anywhere_keeps_the_rules(name: str) -> None:
    where, body = thinking_inline(plain(target("openai-compatible"))), recording(name).body
    check_splits(OpenAIChat(), where, body)
    if len(body) < 50_000:  # the long one is cut everywhere as it is, in the recordings' test
        marks = (b'"finish_reason":"stop"', b'"finish_reason": "stop"', b"[DONE]")
        check_cuts(OpenAIChat(), where, body, marks)


@needs_recordings
@pytest.mark.parametrize("name", ["chat", "chat-stream", "chat-tools-stream"])
def test_answer_without_a_tag_is_the_same_where_tags_are_looked_for(name: str) -> None:
    source = local_answer("llama-cpp-python", name)
    where = plain(target("openai-compatible"))
    assert shown(decode(OpenAIChat(), thinking_inline(where), source)) == shown(
        decode(OpenAIChat(), where, source)
    )


def test_inline_thinking_beside_a_field_of_thinking_is_both() -> None:
    where = thinking_inline(ROUTER)
    parts = [delta(content="<think>a", reasoning="b"), delta(content="</think>c"), DONE]
    response = streamed(parts, where)
    assert (response.content, response.reasoning) == ("c", "ba")


def test_text_held_back_for_a_tag_is_said_at_the_end() -> None:
    where = thinking_inline(ROUTER)
    assert streamed([delta(content="<thin"), delta("stop"), DONE], where).content == "<thin"
    response = streamed([delta(content="<think>a</th"), delta("stop"), DONE], where)
    assert (response.content, response.reasoning) == ("", "a</th")


@pytest.mark.parametrize("content", [3, {"a": 1}], ids=str)
def test_unreadable_content_where_tags_are_looked_for_is_an_error(content: object) -> None:
    value = answer(feed(OpenAIChat(), thinking_inline(ROUTER), [delta(content=content), DONE]))
    assert "cannot be read" in str(value.error)


def ollama_line(done: bool = False, **message: str) -> bytes:
    return json.dumps({"message": message, "done": done}).encode() + b"\n"


def test_inline_thinking_of_ollama_is_split_off() -> None:
    where = thinking_inline(target("ollama"))
    body = b"".join(ollama_line(content=piece) for piece in ("<th", "ink>hm</thi", "nk>y", "es"))
    body += ollama_line(done=True, content="")
    value = answer(feed(Ollama(), where, [body]))
    assert (value.text, value.reasoning, value.error) == ("yes", "hm", None)
    check_splits(Ollama(), where, body)
    check_cuts(Ollama(), where, body, [b'"done": true'])
    whole = answer(Ollama().decode(ollama_line(done=True, content="<think>a</th"), where))
    assert (whole.text, whole.reasoning) == ("", "a</th")
    plain = answer(feed(Ollama(), target("ollama"), [body]))
    assert plain.text == "<think>hm</think>yes"
