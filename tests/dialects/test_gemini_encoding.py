"""The exact requests that the Gemini dialect sends, and Google's own types for them."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from llm_client.dialects.base import Dialect, ListsModels
from llm_client.dialects.gemini import Gemini
from llm_client.exceptions import ValidationError
from llm_client.providers.gemini_models import GEMINI_MODELS, find_gemini_model
from llm_client.types.content import Image, ProviderState, Text
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, ToolCall
from llm_client.types.request import LLMRequest

from .answers import target
from .gemini_cases import ANSWER, CASES, PNG, STATE, USER, choosing, result, sent

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden_gemini.json").read_bytes())


def thinking(effort: Any, model: str) -> object:
    config = sent(LLMRequest((USER,), reasoning_effort=effort), model).get("generationConfig", {})
    return config.get("thinkingConfig")


def answer_parts(message: Message, model: str = "gemini-2.5-flash") -> object:
    return sent(LLMRequest((USER, message)), model)["contents"][1]["parts"]


@pytest.mark.parametrize("name", CASES)
def test_request_encoded_is_the_golden_body(name: str) -> None:
    assert sent(*CASES[name]) == GOLDEN[name]


def test_golden_bodies_and_cases_are_the_same_and_say_every_field() -> None:
    assert CASES.keys() == GOLDEN.keys()
    assert {field.name for field in fields(LLMRequest)} == {
        "messages", "temperature", "top_p", "max_tokens", "stop", "seed", "tools", "tool_choice",
        "schema", "schema_type", "reasoning_effort", "suffix", "extra_body", "stream",
        "idempotency_key",  # a header, which the engine adds
    }  # fmt: skip
    assert {field.name for field in fields(Message)} == {
        "role", "content", "name", "tool_call_id", "tool_calls", "reasoning", "cache",
        "provider_state",
    }  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_body_fits_googles_own_types(name: str) -> None:
    types = pytest.importorskip("google.genai.types")
    body = dict(GOLDEN[name])
    contents = body.pop("contents")
    config = body.pop("generationConfig", {})
    assert not config.keys() & body.keys()
    checked = [types.Content.model_validate_json(json.dumps(content)) for content in contents]
    # The package flattens what stands beside `contents`; it forbids fields that it does not know.
    options = types.GenerateContentConfig.model_validate_json(json.dumps(body | config))

    def written(value: Any) -> Any:
        return json.loads(value.model_dump_json(by_alias=True, exclude_none=True))

    assert [written(content) for content in checked] == contents
    assert written(options) == body | config


def test_google_types_refuse_a_field_that_there_is_not() -> None:
    types = pytest.importorskip("google.genai.types")
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        types.GenerateContentConfig.model_validate_json('{"thinkingConfig": {"effort": "low"}}')


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-flash", "/models/gemini-2.5-flash"),
        ("models/gemini-2.5-flash", "/models/gemini-2.5-flash"),
        ("tunedModels/my-1", "/tunedModels/my-1"),
        ("llama3:8b?x#y", "/models/llama3%3A8b%3Fx%23y"),
        ("a/../b c", "/models/a%2F..%2Fb%20c"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_address_names_the_model_and_the_method(model: str, path: str, stream: bool) -> None:
    request = Gemini().encode(LLMRequest((USER,), stream=stream), target("gemini", model=model))
    method = ":streamGenerateContent?alt=sse" if stream else ":generateContent"
    assert request.url == f"http://localhost:1/v1beta{path}{method}"
    assert request.method == "POST"
    accept = "text/event-stream" if stream else "application/json"
    assert dict(request.headers)["accept"] == accept


def test_key_goes_into_googles_header_and_is_secret() -> None:
    request = Gemini().encode(LLMRequest((USER,)), target("gemini", key="k-1"))
    assert dict(request.headers)["x-goog-api-key"] == "k-1"
    assert "authorization" not in dict(request.headers)
    assert "x-goog-api-key" in request.secret_headers


@pytest.mark.parametrize("effort", ["none", None])
def test_model_that_does_not_think_is_told_nothing(effort: str | None) -> None:
    assert thinking(effort, "gemini-2.0-flash") is None


@pytest.mark.parametrize(
    ("model", "budgets"),
    [
        ("gemini-2.5-flash", [512, 1024, 8192, 24_576, 24_576, 24_576]),
        ("models/gemini-2.5-flash-lite", [512, 1024, 8192, 24_576, 24_576, 24_576]),
        ("gemini-2.5-pro", [512, 1024, 8192, 24_576, 32_768, 32_768]),
    ],
)
def test_effort_is_a_budget_within_the_bounds_of_the_model(model: str, budgets: list[int]) -> None:
    efforts = ("minimal", "low", "medium", "high", "xhigh", "max")
    assert [thinking(effort, model) for effort in efforts] == [
        {"includeThoughts": True, "thinkingBudget": budget} for budget in budgets
    ]


@pytest.mark.parametrize(("limit", "budget"), [(100_000, 24_576), (8000, 6000), (100, 75)])
def test_budget_leaves_room_for_the_answer(limit: int, budget: int) -> None:
    asked = LLMRequest((Message("user", "hi"),), max_tokens=limit, reasoning_effort="max")
    sent = json.loads(
        Gemini().encode(asked, target("gemini", model="gemini-2.5-flash")).body or b""
    )
    assert sent["generationConfig"]["thinkingConfig"]["thinkingBudget"] == budget


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ("gemini-3-flash-preview", "MINIMAL LOW MEDIUM HIGH HIGH HIGH"),
        ("gemini-3.6-flash", "MINIMAL LOW MEDIUM HIGH HIGH HIGH"),
        ("gemini-3.1-flash-lite", "MINIMAL LOW MEDIUM HIGH HIGH HIGH"),
        ("gemini-3.7-flash", "LOW LOW MEDIUM HIGH HIGH HIGH"),
        ("gemini-flash-latest", "LOW LOW MEDIUM HIGH HIGH HIGH"),
        ("gemini-3-pro-preview", "LOW LOW HIGH HIGH HIGH HIGH"),
        ("gemini-3.1-pro-preview", "LOW LOW MEDIUM HIGH HIGH HIGH"),
        ("gemini-3.1-flash-lite-image", "MINIMAL MINIMAL HIGH HIGH HIGH HIGH"),
        ("gemini-4-argon", "LOW LOW MEDIUM HIGH HIGH HIGH"),
        ("gemma-4-31b-it", "MINIMAL MINIMAL HIGH HIGH HIGH HIGH"),
    ],
)
def test_effort_is_the_nearest_level_that_the_model_takes(model: str, levels: str) -> None:
    efforts = ("minimal", "low", "medium", "high", "xhigh", "max")
    assert [thinking(effort, model) for effort in efforts] == [
        {"includeThoughts": True, "thinkingLevel": level} for level in levels.split()
    ]


@pytest.mark.parametrize(
    ("effort", "model", "hint"),
    [
        ("none", "gemini-2.5-pro", "`minimal` is the least"),
        ("none", "gemini-3-flash-preview", "`minimal` is the least"),
        ("none", "gemini-3.8-flash", "`low` is the least"),
        ("high", "gemini-2.0-flash", "It does not think"),
        ("low", "gemma-3-27b-it", "It does not think"),
        ("low", "gemini-2.5-flash-preview-tts", "It does not think"),
    ],
)
def test_effort_that_the_model_has_not_is_refused(effort: str, model: str, hint: str) -> None:
    with pytest.raises(ValidationError, match=f"{model} cannot be told") as caught:
        thinking(effort, model)
    assert caught.value.param == "reasoning_effort"
    assert hint in (caught.value.hint or "")


def test_table_of_models_ends_with_a_row_for_any_and_has_levels_or_tokens() -> None:
    assert GEMINI_MODELS[-1].pattern == "*"
    assert find_gemini_model("llama") is GEMINI_MODELS[-1]
    for row in GEMINI_MODELS:
        assert not (row.levels and row.budget)
        assert row.budget is not None or not row.can_stop_thinking


def test_suffix_is_refused() -> None:
    with pytest.raises(ValidationError, match="Gemini cannot be told suffix") as caught:
        sent(LLMRequest((USER,), suffix="end"))
    assert caught.value.param == "suffix"


def test_tool_choice_of_an_unknown_tool_is_refused() -> None:
    with pytest.raises(ValidationError, match="'later' is neither a mode nor"):
        sent(*choosing("later"))


def test_image_in_a_system_prompt_is_refused() -> None:
    with pytest.raises(ValidationError, match="as text only, without image") as caught:
        sent(LLMRequest((Message("system", (Image(PNG),)), USER)))
    assert caught.value.param == "content"


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "models/gemini-2.0-flash", "gemma-3-27b-it"])
def test_image_in_a_result_is_refused_before_gemini_3(model: str) -> None:
    tool = Message("tool", (Text("a clock"), Image(PNG)), tool_call_id="c2", name="now")
    with pytest.raises(ValidationError, match="no image in the result of a tool") as caught:
        sent(LLMRequest((USER, tool)), model)
    assert caught.value.param == "content"


@pytest.mark.parametrize("arguments", ["", "  ", "null"])
def test_call_without_arguments_has_an_empty_object(arguments: str) -> None:
    message = Message("assistant", "", tool_calls=(ToolCall("c", "now", arguments),))
    assert answer_parts(message) == [{"functionCall": {"id": "c", "name": "now", "args": {}}}]


def test_parts_of_text_in_a_system_prompt_are_sent() -> None:
    parts = (Text("one"), Text("two"))
    body = sent(LLMRequest((Message("system", parts), USER)))
    assert body["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two"}]}


def test_result_of_no_known_tool_is_refused() -> None:
    with pytest.raises(ValidationError, match="'c7' does not say which tool") as caught:
        sent(LLMRequest((USER, result("c7", "x"))))
    assert caught.value.param == "name"


@pytest.mark.parametrize("arguments", ["[1]", "{broken", "3", "[" * 100_000])
def test_call_with_arguments_that_are_no_object_is_refused(arguments: str) -> None:
    call = ToolCall("c1", "now", arguments)
    with pytest.raises(ValidationError, match="'now' are no JSON object") as caught:
        sent(LLMRequest((USER, Message("assistant", "", tool_calls=(call,)))))
    assert caught.value.param == "tool_calls"


@pytest.mark.parametrize(
    ("text", "response"),
    [
        (' {"a": [1, "é"]}', {"a": [1, "é"]}),
        ("{", {"result": "{"}),
        ('{"a": 1} trailing', {"result": '{"a": 1} trailing'}),
        ("[1]", {"result": "[1]"}),
        ("null", {"result": "null"}),
        ('{"a":' * 100_000, {"result": '{"a":' * 100_000}),
    ],
    ids=["object", "broken", "trailing", "list", "null", "deep"],
)
def test_result_is_an_object_as_it_is_or_wrapped(text: str, response: object) -> None:
    contents = sent(LLMRequest((USER, result("c", text, "now"))))["contents"]
    assert contents[1]["parts"] == [
        {"functionResponse": {"id": "c", "name": "now", "response": response}}
    ]


def test_long_text_is_sent_as_text_without_being_copied_into_one() -> None:
    long = LongText([b"a" * 10, "ü".encode()])
    contents = sent(LLMRequest((Message("user", long), result("c", "", "now"))))["contents"]
    assert contents[0]["parts"] == [{"text": "a" * 10 + "ü"}]
    tool = Message("tool", LongText([b'{"a": 1}']), tool_call_id="c", name="now")
    contents = sent(LLMRequest((USER, tool)))["contents"]
    assert contents[1]["parts"][0]["functionResponse"]["response"] == {"result": '{"a": 1}'}


@pytest.mark.parametrize(
    "changed",
    [
        {"content": "I look!"},
        {"content": (Text("I look."), Image(PNG))},
        {"tool_calls": ANSWER.tool_calls[:1]},
        {"tool_calls": ()},
        {"tool_calls": (ANSWER.tool_calls[0], ToolCall("call_R_1", "now", '{"zone": "CET"}'))},
        {"tool_calls": (ANSWER.tool_calls[0], ToolCall("call_R_1", "then", '{"zone": "UTC"}'))},
        {"provider_state": ProviderState("vertex", "gemini", STATE.items)},
        {"provider_state": ProviderState("gemini", "anthropic", STATE.items)},
        {"provider_state": ProviderState("gemini", "gemini", ({"text": 3},))},
        {"provider_state": ProviderState("gemini", "gemini", ({"functionCall": {}},))},
        {"provider_state": None},
    ],
    ids=lambda changed: json.dumps(sorted(changed)),
)
def test_state_that_does_not_fit_the_message_is_dropped(changed: dict[str, Any]) -> None:
    values = {field.name: getattr(ANSWER, field.name) for field in fields(ANSWER)}
    parts = answer_parts(Message(**(values | changed)))
    assert "thoughtSignature" not in json.dumps(parts)
    assert isinstance(parts, list)
    assert parts[0] == {"text": "Two questions.", "thought": True}


def test_state_that_fits_goes_back_through_json_unchanged_and_unshared() -> None:
    later = Message.parse(json.loads(json.dumps(ANSWER.to_dict())))
    assert answer_parts(later, "gemini-3-flash-preview") == list(STATE.items)
    unsigned = ProviderState("gemini", "gemini", ({"functionCall": {"name": "now", "id": "c2"}},))
    message = Message(
        "assistant", "", tool_calls=(ToolCall("c2", "now", "{}"),), provider_state=unsigned
    )
    # As Gemini 2.5 answers, then Gemini 3 is asked.
    assert answer_parts(message, "gemini-3-flash-preview") == [
        {
            "functionCall": {"name": "now", "id": "c2"},
            "thoughtSignature": "skip_thought_signature_validator",
        }
    ]
    assert unsigned.items == ({"functionCall": {"name": "now", "id": "c2"}},)
    other_id = Message(
        "assistant", "", tool_calls=(ToolCall("c3", "now", "{}"),), provider_state=unsigned
    )
    assert answer_parts(other_id) == [{"functionCall": {"id": "c3", "name": "now", "args": {}}}]


def test_only_calls_are_signed_and_also_where_no_user_has_spoken() -> None:
    call = Message("assistant", "", tool_calls=(ToolCall("c2", "now", "{}"),))
    messages = (call, result("c2", "12:00"), Message("assistant", "Noon."), result("c2", "13:00"))
    contents = sent(LLMRequest(messages), "gemini-3-flash-preview")["contents"]
    assert [part.get("thoughtSignature") for content in contents for part in content["parts"]] == [
        "skip_thought_signature_validator",
        None,
        None,
        None,
    ]


def test_results_are_put_in_order_also_where_ids_come_again() -> None:
    """Servers without ids: they are made up anew for each answer."""
    calls = (ToolCall("call_0", "now", "{}"), ToolCall("call_1", "weather", "{}"))
    turn = (
        Message("assistant", "", tool_calls=calls),
        result("call_1", "sunny"),
        result("call_0", "12:00"),
    )
    contents = sent(LLMRequest((USER, *turn, *turn)))["contents"]
    names = [
        [part["functionResponse"]["name"] for part in content["parts"]]
        for content in contents[2::2]
    ]
    assert names == [["now", "weather"]] * 2


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "gemini-2.0-flash", "gemma-4-31b-it"])
def test_model_that_wants_no_signatures_gets_none(model: str) -> None:
    call = Message("assistant", "", tool_calls=(ToolCall("c2", "now", "{}"),))
    assert answer_parts(call, model) == [{"functionCall": {"id": "c2", "name": "now", "args": {}}}]


def test_dialect_lists_models_and_is_one() -> None:
    dialect: Dialect = Gemini()
    assert isinstance(dialect, ListsModels)
