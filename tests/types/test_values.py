"""What holds for every value: frozen, slotted, comparable, picklable, nothing shared by accident."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from llm_client.exceptions import LLMServiceError
from llm_client.types.health import HealthReport
from llm_client.types.http import Head, HttpRequest, Timeouts
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.models import ModelInfo
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse, StreamChunk, ToolCallDelta, Usage
from llm_client.types.target import ProviderSpec, Quirks, Target

ROW = ProviderSpec("p", "http://localhost:1", "openai-chat")
VALUES: list[Any] = [
    Head(200, {"a": "b"}, "http://localhost/"),
    HttpRequest("GET", "http://localhost/", (("a", "b"),), b"{}"),
    Timeouts(1.0, None, 3.0),
    Message("user", "hi"),
    Tool("f", "does", {"type": "object"}),
    ToolCall("c", "f", "{}"),
    HealthReport("p", True, "http://localhost/", 1.5, ("m",)),
    ModelInfo("m", "p", created=7),
    LLMRequest((Message("user", "hi"),), stop=("x",), extra_body={"a": 1}),
    LLMResponse("hi", "m", "p", tool_calls=(ToolCall("c", "f", "{}"),)),
    StreamChunk("a", "b", tool_call=ToolCallDelta(0, "c", "f", "{"), usage=Usage(1, 2, 3)),
    ToolCallDelta(0),
    Usage(1, 2, 3, 4, 5, 6, 0.5, True),
    ROW,
    Quirks(max_tokens_field="max_tokens"),
    Target(ROW, "m", "http://localhost:1", options={"a": 1}),
]
every_value = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)


@every_value
def test_value_cannot_be_changed(value: Any) -> None:
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)
    assert not hasattr(value, "__dict__")


@every_value
def test_value_survives_pickling_and_copying(value: Any) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) == value
    assert copy.deepcopy(value) == value


def test_chunk_with_an_error_survives_pickling() -> None:
    chunk = pickle.loads(pickle.dumps(StreamChunk(error=LLMServiceError("no", status=503))))
    assert (str(chunk.error), chunk.error.status) == ("no", 503)


def test_defaults_are_not_shared_between_values() -> None:
    assert Tool("a").parameters == {"type": "object", "properties": {}}
    assert Tool("a").parameters is not Tool("b").parameters


def test_request_shown_has_no_secret_header() -> None:
    headers = (("Authorization", "Bearer abc"), ("x-api-key", "def"), ("accept", "*/*"))
    request = HttpRequest(
        "POST",
        "http://localhost/",
        headers,
        b"body",
        secret_headers=frozenset({"authorization", "x-api-key"}),
    )
    assert request.shown_headers() == {"Authorization": "***", "x-api-key": "***", "accept": "*/*"}
    assert repr(request) == (
        "HttpRequest(POST http://localhost/, "
        "headers={'Authorization': '***', 'x-api-key': '***', 'accept': '*/*'})"
    )


@pytest.mark.parametrize("healthy", [True, False])
def test_health_report_is_true_when_healthy(healthy: bool) -> None:
    assert bool(HealthReport("p", healthy, "http://localhost")) is healthy


@pytest.mark.parametrize(("model", "spec"), [("a/b", "p/a/b"), ("", "p")])
def test_target_spec_has_provider_and_model(model: str, spec: str) -> None:
    assert Target(ROW, model, "http://localhost").spec == spec
