"""`LLMClient` against llama.cpp's own server, the embedded model, and a server that misbehaves."""

from __future__ import annotations

import gc
import json
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from llm_client import (
    AttemptRecord,
    AuthenticationError,
    ConfigurationError,
    InsecureConnectionWarning,
    InvalidOutputError,
    LLMClient,
    LLMConfig,
    LLMError,
    LLMRequest,
    Message,
    ModelNotFoundError,
    RateLimitError,
    StreamInterruptedError,
    Tool,
    ValidationError,
)
from llm_client.types.events import Event
from llm_client.types.response import Fold

from .conftest import LLAMA_KEY
from .support.fault_server import FaultServer, cut_body, fault_server, respond, status
from .support.slots import busy_slots, seconds_until_idle

SLOT_SECONDS = 0.1
"""How soon a slot of llama.cpp must be free after the client hung up."""
WEATHER = Tool(
    "get_weather",
    "Weather of a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
JSON = [("Content-Type", "application/json")]
ANSWER = json.dumps({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]})


@pytest.fixture
def client(llama_server: str) -> Iterator[LLMClient]:
    with LLMClient(LLMConfig(base_url=llama_server, model="demo")) as client:
        yield client
    gc.collect()


def fault_client(server: FaultServer, **options: Any) -> LLMClient:
    return LLMClient(LLMConfig(base_url=server.url, model="m", retry_delay=0.01, **options))


def body(server: FaultServer, index: int = -1) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(server.requests[index].body)
    return value


# --- answers of a real server -----------------------------------------------------------------


def test_generate_returns_the_whole_answer(client: LLMClient) -> None:
    response = client.generate("hi")

    assert "demo model" in response.content
    assert str(response) == response.content
    assert response.finish_reason == "stop"
    assert response.model == "demo"
    assert response.provider == "openai-compatible"
    assert response.response_id
    assert response.latency_ms > 0
    assert response.attempts == 1
    assert response.retry_count == 0
    assert response.used_fallback is False
    assert response.tokens.prompt_tokens > 0
    assert response.tokens.total_tokens == (
        response.tokens.prompt_tokens + response.tokens.completion_tokens
    )
    assert response.cost is None
    assert response.raw["object"] == "chat.completion"
    assert client.get_last_response() is response


@pytest.mark.parametrize(
    "prompt",
    [
        "/json",
        Message("user", "/json"),
        [Message("system", "You are terse."), Message("user", "/json")],
        [{"role": "user", "content": "/json"}],
        {"role": "user", "content": "/json"},
        {"messages": [{"role": "user", "content": "/json"}], "max_tokens": 50},
        LLMRequest((Message("user", "/json"),), stream=True),
    ],
    ids=["text", "message", "messages", "dictionaries", "dictionary", "fields", "request"],
)
@pytest.mark.parametrize("method", ["generate", "chat", "complete"])
def test_every_form_of_a_prompt_gets_the_same_answer(
    client: LLMClient, method: str, prompt: Any
) -> None:
    assert getattr(client, method)(prompt).content == '{"ok": true}'


@pytest.mark.parametrize("prompt", ["hi", "/utf8", "/think", "/markdown", "/json", "/empty"])
def test_streamed_and_whole_answer_are_the_same(client: LLMClient, prompt: str) -> None:
    whole = client.generate(prompt)
    with client.stream(prompt) as stream:
        chunks = list(stream)
    streamed = stream.response

    assert "".join(chunk.delta for chunk in chunks) == streamed.content == whole.content
    assert "".join(chunk.reasoning for chunk in chunks) == streamed.reasoning == whole.reasoning
    assert chunks[-1].is_done
    assert streamed.finish_reason == whole.finish_reason == "stop"
    assert streamed.tokens.completion_tokens == whole.tokens.completion_tokens
    if prompt != "/empty":
        assert len(chunks) > 2
        assert streamed.metadata["time_to_first_token_ms"] > 0


def test_thinking_is_not_part_of_the_text(client: LLMClient) -> None:
    response = client.generate("/think")

    assert response.reasoning
    assert response.reasoning not in response.content


def test_max_tokens_ends_the_answer(client: LLMClient) -> None:
    response = client.generate("/long", max_tokens=7)

    assert response.finish_reason == "length"
    assert response.tokens.completion_tokens == 7


def test_stop_text_ends_the_answer_and_is_not_in_it(client: LLMClient) -> None:
    whole = client.generate("hi").content
    word = whole.split()[3]

    response = client.generate("hi", stop=word)

    assert response.content == whole[: whole.index(word)]
    assert response.finish_reason == "stop"


def test_seed_makes_the_answer_repeatable(client: LLMClient) -> None:
    one, other = (client.generate("hi", seed=7, temperature=1.0).content for _ in range(2))

    assert one == other


def test_extra_body_reaches_the_server(client: LLMClient) -> None:
    response = client.generate("hi", extra_body={"n_predict": 2, "max_tokens": 2})

    assert response.finish_reason == "length"


def test_schema_makes_the_answer_json(client: LLMClient) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}

    response = client.generate("hi", schema=schema)

    assert isinstance(response.parsed["ok"], bool)
    assert json.loads(response.content) == response.parsed


def test_schema_answer_cut_at_the_limit_is_invalid_output(client: LLMClient) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}

    with pytest.raises(InvalidOutputError, match="cut off at the token limit") as caught:
        client.generate("hi", schema=schema, max_tokens=2)
    assert caught.value.partial


def test_tools_make_a_round_trip(client: LLMClient) -> None:
    question = Message("user", "How is the weather in Paris?")
    asked = client.chat([question], tools=[WEATHER])

    assert asked.finish_reason == "tool_calls"
    (call,) = asked.tool_calls
    assert call.name == "get_weather"
    assert json.loads(call.arguments) == {"city": "Paris"}
    result = Message("tool", "18 degrees", tool_call_id=call.id)
    answered = client.chat([question, asked.message, result], tools=[WEATHER])
    assert answered.content
    assert answered.tool_calls == ()


def test_tool_call_can_be_streamed(client: LLMClient) -> None:
    with client.stream("How is the weather?", tools=[WEATHER]) as stream:
        for _ in stream:
            pass

    assert stream.response.finish_reason == "tool_calls"
    assert json.loads(stream.response.tool_calls[0].arguments) == {"city": "Paris"}


# --- streams that are left --------------------------------------------------------------------


def test_leaving_a_stream_frees_the_slot(client: LLMClient, llama_server: str) -> None:
    with client.stream("/long") as stream:
        for _, chunk in zip(range(5), stream, strict=False):
            assert not chunk.is_done
        assert busy_slots(llama_server) == 1

    assert seconds_until_idle(llama_server) < SLOT_SECONDS
    assert client.get_stats().failed_count == 1
    assert client.generate("/json").content == '{"ok": true}'


def test_breaking_out_of_a_stream_that_nobody_keeps_frees_the_slot(
    client: LLMClient, llama_server: str
) -> None:
    for chunk in client.stream("/long"):
        if chunk.delta:
            break

    assert seconds_until_idle(llama_server) < SLOT_SECONDS


def test_exception_in_the_loop_frees_the_slot(client: LLMClient, llama_server: str) -> None:
    def fail() -> None:
        with client.stream("/long") as stream:
            for chunk in stream:
                if chunk.delta:
                    raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seconds_until_idle(llama_server) < SLOT_SECONDS


def test_stream_has_no_response_before_its_end(client: LLMClient) -> None:
    with client.stream("hi") as stream:
        next(stream)
        with pytest.raises(LLMError, match="not complete: read the stream to its end"):
            _ = stream.response
    with pytest.raises(LLMError):
        _ = stream.response


def test_stream_that_is_closed_ends(client: LLMClient) -> None:
    stream = client.stream("hi")
    next(stream)
    stream.close()
    stream.close()

    assert list(stream) == []


def test_stream_that_is_never_read_sends_nothing() -> None:
    with fault_server(respond()) as server, fault_client(server) as client:
        client.stream("hi").close()
        client.stream("hi")

        assert server.requests == []
        assert client.get_request_count() == 0


# --- models and health ------------------------------------------------------------------------


def test_models_are_listed(client: LLMClient) -> None:
    (model,) = client.list_models()

    assert model.id == "demo"
    assert model.provider == "openai-compatible"
    assert model.context_length


def models(*ids: str) -> bytes:
    return json.dumps({"data": [{"id": id} for id in ids]}).encode()


def test_model_list_is_cached_until_invalidated() -> None:
    with (
        fault_server(
            respond(200, JSON, models("one")), respond(200, JSON, models("two"))
        ) as server,
        fault_client(server) as client,
        fault_client(server) as second,
    ):
        assert [model.id for model in client.list_models()] == ["one"]
        assert [model.id for model in second.list_models()] == ["one"]
        assert len(server.requests) == 1
        assert [model.id for model in client.list_models(use_cache=False)] == ["two"]
        assert [model.id for model in second.list_models()] == ["two"]
        client.invalidate_cache()
        client.list_models()
        assert len(server.requests) == 3


def test_cache_without_time_to_live_asks_every_time() -> None:
    with (
        fault_server(respond(200, JSON, models("one"))) as server,
        fault_client(server, cache_ttl=0) as client,
    ):
        client.list_models()
        client.list_models()

        assert len(server.requests) == 2


def test_failed_list_is_not_cached() -> None:
    with (
        fault_server(status(500), respond(200, JSON, models("one"))) as server,
        fault_client(server) as client,
    ):
        with pytest.raises(LLMError):
            client.list_models()
        assert [model.id for model in client.list_models()] == ["one"]


def test_own_provider_by_name_is_this_client_s_own_server() -> None:
    with (
        fault_server(respond(200, JSON, models("one"))) as server,
        LLMClient(LLMConfig(provider="ollama", base_url=server.url)) as client,
    ):
        assert client.health_check("ollama").base_url == server.url


def test_other_provider_is_asked_as_it_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(respond(200, JSON, models("theirs"))) as server:
        monkeypatch.setenv("LLM_CLIENT_LMSTUDIO_BASE_URL", server.url)
        with LLMClient("ollama/m") as client:
            (model,) = client.list_models("lmstudio")
            report = client.health_check("lmstudio")

    assert (model.id, model.provider) == ("theirs", "lmstudio")
    assert report
    assert server.requests[0].path == "/v1/models"


def test_health_of_a_server_that_is_up(client: LLMClient, llama_server: str) -> None:
    report = client.health_check()

    assert report
    assert report.healthy
    assert report.models == ("demo",)
    assert report.latency_ms is not None
    assert report.base_url == f"{llama_server}/v1"


def test_health_of_a_server_that_is_down(closed_url: str) -> None:
    with LLMClient("ollama/m") as client:
        report = client.health_check()

    assert not report
    assert report.base_url == closed_url
    assert report.latency_ms is None
    assert "refused" in str(report.error)
    assert report.hint


def test_health_with_a_wrong_key(llama_server_with_key: str) -> None:
    config = LLMConfig(base_url=llama_server_with_key, model="demo", api_key="sk-wrong-key-12345")
    with LLMClient(config) as client:
        report = client.health_check()

    assert not report
    assert "key" in str(report.error)
    assert "sk-wrong" not in str(report)


def test_right_key_is_accepted_and_a_wrong_one_is_not(llama_server_with_key: str) -> None:
    with LLMClient(LLMConfig(base_url=llama_server_with_key, api_key=LLAMA_KEY)) as client:
        assert client.health_check()
        assert client.generate("/json").content == '{"ok": true}'
    config = LLMConfig(base_url=llama_server_with_key, model="demo", api_key="sk-wrong-key-12345")
    with LLMClient(config) as client, pytest.raises(AuthenticationError) as caught:
        client.generate("hi")
    assert "sk-wrong" not in str(caught.value)


# --- books ------------------------------------------------------------------------------------


def test_stats_add_up(client: LLMClient) -> None:
    first, second = client.generate("hi"), client.generate("/json")
    stats = client.get_stats()

    assert stats.model == "openai-compatible/demo"
    assert (stats.call_count, stats.request_count, stats.failed_count) == (2, 2, 0)
    assert stats.total_tokens == first.tokens.total_tokens + second.tokens.total_tokens
    assert stats.prompt_tokens + stats.completion_tokens == stats.total_tokens
    assert stats.avg_tokens_per_call == stats.total_tokens / 2
    assert stats.total_cost is None
    client.reset_stats()
    assert client.get_stats().request_count == 0
    assert client.get_stats().avg_tokens_per_call == 0.0
    assert client.get_last_response() is None


def test_failed_and_repeated_requests_are_counted() -> None:
    with (
        fault_server(status(503), status(503), respond(200, JSON, ANSWER.encode())) as server,
        fault_client(server) as client,
    ):
        response = client.generate("hi")
        stats = client.get_stats()
        assert client.get_request_count() == 3

    assert response.retry_count == 2
    assert (stats.call_count, stats.request_count, stats.failed_count) == (1, 3, 2)


def test_cost_that_the_provider_reports_is_added_up() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25}
    answer = json.dumps({**json.loads(ANSWER), "usage": usage}).encode()
    with fault_server(respond(200, JSON, answer)) as server, fault_client(server) as client:
        assert client.generate("hi").cost == 0.25
        client.generate("hi")

        assert client.get_stats().total_cost == 0.5


def test_observer_is_told_of_every_attempt() -> None:
    events: list[Event] = []
    with fault_server(status(429, retry_after="0"), respond(200, JSON, ANSWER.encode())) as server:
        config = LLMConfig(base_url=server.url, model="m")
        with LLMClient(config, observe=events.append) as client:
            response = client.generate("hi")

    assert [type(event).__name__ for event in events] == [
        "Asking",
        "AttemptRecord",
        "Retrying",
        "AttemptRecord",
    ]
    records = [event for event in events if isinstance(event, AttemptRecord)]
    assert {record.call_id for record in records} == {response.metadata["call_id"]}
    assert [record.retry for record in records] == [0, 1]


# --- options ----------------------------------------------------------------------------------


def test_options_of_the_call_go_over_those_of_the_client() -> None:
    with fault_server(respond(200, JSON, ANSWER.encode())) as server:
        config = LLMConfig(base_url=server.url, model="m", temperature=0.1, top_p=0.2, system="A")
        with LLMClient(config, temperature=0.3, max_tokens=9) as client:
            client.generate("hi", max_tokens=5, seed=1)
            client.generate("hi", temperature=None, system="B")  # type: ignore[arg-type]

    first, second = body(server, 0), body(server, 1)
    assert (first["temperature"], first["top_p"], first["max_tokens"], first["seed"]) == (
        0.3,
        0.2,
        5,
        1,
    )
    assert first["messages"][0] == {"role": "system", "content": "A"}
    assert "temperature" not in second
    assert second["messages"][0] == {"role": "system", "content": "B"}


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    with (
        fault_server(respond(200, JSON, ANSWER.encode())) as server,
        fault_client(server) as client,
    ):
        client.generate("hi")

    assert body(server) == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_provider_options_of_the_configuration_are_sent() -> None:
    with (
        fault_server(respond(200, JSON, ANSWER.encode())) as server,
        fault_client(server, options={"cache_prompt": True}) as client,
    ):
        client.generate("hi")

    assert body(server)["cache_prompt"] is True


@pytest.mark.parametrize(
    ("asked", "sent"), [("other", "other"), ("a/b/c", "a/b/c"), ("openai-compatible/z", "z")]
)
def test_other_model_of_the_call_is_of_the_same_server(asked: str, sent: str) -> None:
    with (
        fault_server(respond(200, JSON, ANSWER.encode())) as server,
        fault_client(server, api_key="sk-mine-0123456789") as client,
    ):
        client.generate("hi", model=asked)

    assert body(server)["model"] == sent
    assert server.requests[0].headers["authorization"] == "Bearer sk-mine-0123456789"


def test_other_provider_of_the_call_gets_neither_key_nor_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        fault_server(respond(200, JSON, ANSWER.encode())) as theirs,
        fault_server(respond(200, JSON, ANSWER.encode())) as mine,
    ):
        monkeypatch.setenv("LLM_CLIENT_LMSTUDIO_BASE_URL", theirs.url)
        config = LLMConfig(
            base_url=mine.url, model="m", api_key="sk-mine-0123456789", options={"mine": 1}
        )
        with LLMClient(config) as client:
            response = client.generate("hi", model="lmstudio/big")

    assert response.provider == "lmstudio"
    assert mine.requests == []
    assert "authorization" not in theirs.requests[0].headers
    assert body(theirs) == {"model": "big", "messages": [{"role": "user", "content": "hi"}]}


def test_timeout_of_the_call_bounds_the_wait() -> None:
    with fault_server(respond(delay=20)) as server, fault_client(server, max_retries=0) as client:
        began = time.monotonic()
        with pytest.raises(LLMError, match=r"no byte of an answer for 0\.1 s"):
            client.generate("hi", timeout=0.1)

        assert time.monotonic() - began < 5


def test_max_retries_of_the_call_goes_over_that_of_the_client() -> None:
    with fault_server(status(503)) as server, fault_client(server, max_retries=5) as client:
        with pytest.raises(LLMError):
            client.generate("hi", max_retries=1)

        assert len(server.requests) == 2


@pytest.mark.parametrize("where", ["constructor", "call", "stream"])
def test_unknown_option_is_refused_before_anything_is_sent(where: str) -> None:
    wrong: Any = {"temprature": 1}
    with fault_server(respond()) as server:
        with pytest.raises(ValidationError, match="no option 'temprature'") as caught:
            if where == "constructor":
                LLMClient(LLMConfig(base_url=server.url), **wrong)
            with fault_client(server) as client:
                _ = (
                    client.generate("hi", **wrong)
                    if where == "call"
                    else client.stream("hi", **wrong)
                )

        assert "temperature" in str(caught.value.hint)
        assert server.requests == []


@pytest.mark.parametrize("prompt", ["", "  \n", []])
def test_empty_prompt_is_refused_before_anything_is_sent(prompt: Any) -> None:
    with fault_server(respond()) as server, fault_client(server) as client:
        with pytest.raises(ValidationError, match="prompt is empty"):
            client.stream(prompt)

        assert server.requests == []


def test_preview_is_what_is_sent() -> None:
    with (
        fault_server(cut_body(b"")) as server,
        fault_client(server, api_key="sk-mine-0123456789", max_retries=0) as client,
    ):
        shown = client.preview("hi", max_tokens=3, model="other")
        with (
            pytest.raises(LLMError),
            client.stream("hi", max_tokens=3, model="other") as stream,
        ):
            list(stream)

    (sent,) = server.requests
    assert shown.body == sent.body
    assert shown.url == server.url + sent.path
    assert "sk-mine" not in repr(shown)


# --- routes -----------------------------------------------------------------------------------


def test_fallback_chain_that_is_a_text_is_refused_as_no_list() -> None:
    with (
        LLMClient("embedded/demo") as client,
        pytest.raises(ConfigurationError, match="'embedded/demo' is not a list") as caught,
    ):
        client.set_fallback_chain("embedded/demo")
    assert caught.value.hint == "Write `['embedded/demo']`."


def test_fallback_chain_can_be_set_later(closed_url: str) -> None:
    with (
        fault_server(respond(200, JSON, ANSWER.encode())) as server,
        LLMClient("ollama/m", max_retries=0) as client,
    ):
        client.set_fallback_chain([LLMConfig(base_url=server.url, model="second")])
        response = client.generate("hi")

    assert response.used_fallback
    assert response.fallback_provider == "openai-compatible"
    assert body(server)["model"] == "second"


def config_file(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


def test_default_profile_of_the_file_is_used_with_its_fallbacks(tmp_path: Path) -> None:
    with fault_server(status(401), respond(200, JSON, ANSWER.encode())) as server:
        file = config_file(
            tmp_path,
            f"""
            [profiles]
            spare = "alias"
            [profiles.default]
            model = "one/first"
            fallback = ["spare", "two/third"]
            temperature = 0.5
            [profiles.alias]
            model = "two/second"
            [providers.one]
            base_url = "{server.url}"
            [providers.two]
            base_url = "{server.url}"
            """,
        )
        with LLMClient(config_path=file) as client:
            response = client.generate("hi")

    assert [json.loads(request.body)["model"] for request in server.requests] == ["first", "second"]
    assert body(server, 0)["temperature"] == 0.5
    assert response.provider == "two"


PROFILE = """
[profiles.fast]
model = "one/first"
temperature = 0.5
system = "Brief."
[profiles.bare]
temperature = 0.5
[providers.one]
base_url = "http://127.0.0.1:1/one"
[providers.two]
base_url = "http://127.0.0.1:1/two"
"""


@pytest.mark.parametrize(
    ("given", "spec", "base_url"),
    [
        (None, "one/first", "http://127.0.0.1:1/one"),
        ("other", "one/other", "http://127.0.0.1:1/one"),
        ("library/other", "one/library/other", "http://127.0.0.1:1/one"),
        ("two/other", "two/other", "http://127.0.0.1:1/two"),
        ("one/other", "one/other", "http://127.0.0.1:1/one"),
        (LLMConfig(provider="two"), "two", "http://127.0.0.1:1/two"),
        (LLMConfig(provider="two", model="x/y"), "two/x/y", "http://127.0.0.1:1/two"),
        (LLMConfig(provider="one"), "one/first", "http://127.0.0.1:1/one"),
        (LLMConfig(base_url="http://127.0.0.1:1/x"), "one/first", "http://127.0.0.1:1/x"),
    ],
)
def test_code_goes_over_a_profile(
    tmp_path: Path, given: LLMConfig | str | None, spec: str, base_url: str
) -> None:
    file = config_file(tmp_path, PROFILE)
    with LLMClient(given, profile="fast", config_path=file) as client:
        request = json.loads(client.preview("hi").body or b"")

        assert client.target.spec == spec
        assert client.target.base_url == base_url
    assert request["temperature"] == 0.5
    assert request["messages"][0]["content"] == "Brief."


def test_profile_without_a_model_leaves_the_choice_to_the_code(tmp_path: Path) -> None:
    file = config_file(tmp_path, PROFILE)
    with LLMClient("two/x", profile="bare", config_path=file) as client:
        assert client.target.spec == "two/x"
        assert json.loads(client.preview("hi").body or b"")["temperature"] == 0.5


def test_missing_profile_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no profile 'slow'"):
        LLMClient(profile="slow", config_path=config_file(tmp_path, PROFILE))


def test_default_profile_can_be_named_in_the_file(tmp_path: Path) -> None:
    file = config_file(tmp_path, 'default_profile = "fast"\n' + PROFILE)

    with LLMClient(config_path=str(file)) as client:
        assert client.target.spec == "one/first"
        assert client.reason == f"it is the profile 'fast' of {file}"
    with LLMClient("two/x", config_path=file) as client:
        assert client.reason == ""
        assert "temperature" not in json.loads(client.preview("hi").body or b"")


@pytest.mark.parametrize("later", [False, True], ids=["constructor", "fallback"])
def test_key_on_a_plain_connection_to_another_machine_warns(later: bool) -> None:
    remote = LLMConfig(base_url="http://llm.example.test", api_key="sk-x-0123456789", model="m")

    client = LLMClient("ollama/m")

    def use() -> None:
        if later:
            client.set_fallback_chain([remote])
        else:
            LLMClient(remote)

    with pytest.warns(InsecureConnectionWarning, match="goes unencrypted") as caught:
        use()
    assert "sk-x" not in str(caught[0].message)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "config",
    [
        LLMConfig(base_url="https://llm.example.test", api_key="sk-x-0123456789"),
        LLMConfig(base_url="http://127.0.0.1:1", api_key="sk-x-0123456789"),
        LLMConfig(base_url="http://llm.example.test"),
    ],
    ids=["encrypted", "loopback", "no-key"],
)
def test_harmless_connection_does_not_warn(config: LLMConfig) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LLMClient(config).close()


def test_model_that_is_not_named_is_the_first_of_the_server(llama_server: str) -> None:
    with LLMClient(LLMConfig(base_url=llama_server)) as client:
        assert client.generate("/json").model == "demo"
        assert client.get_request_count() == 1


def test_model_that_is_not_named_is_asked_for_once() -> None:
    models = respond(200, JSON, b'{"data": [{"id": "first"}, {"id": "second"}]}')
    answered = respond(200, JSON, ANSWER.encode())
    with (
        fault_server(models, answered) as server,
        LLMClient(LLMConfig(base_url=server.url)) as client,
    ):
        client.generate("one")
        client.generate("two", timeout=5)
        assert client.target.model == "first"
        paths = [request.path for request in server.requests]
    assert paths == ["/v1/models", "/v1/chat/completions", "/v1/chat/completions"]


def test_model_of_one_call_is_not_kept_for_the_next() -> None:
    with (
        fault_server(respond(200, JSON, ANSWER.encode())) as server,
        LLMClient(LLMConfig(base_url=server.url, model="own")) as client,
    ):
        client.generate("one", model="other")
        assert client.target.model == "own"


def test_preview_without_streaming_is_what_generate_sends() -> None:
    with (
        fault_server(respond(200, JSON, ANSWER.encode())) as server,
        LLMClient(LLMConfig(base_url=server.url, model="m")) as client,
    ):
        shown = client.preview("hi", stream=False)
        client.generate("hi")
        assert server.requests[0].body == shown.body


# --- lifetime ---------------------------------------------------------------------------------


def test_client_can_be_closed_twice_and_used_again(client: LLMClient) -> None:
    client.generate("/json")
    client.close()
    client.close()
    assert client.generate("/json").content == '{"ok": true}'
    client.reset_session()
    assert client.generate("/json").content == '{"ok": true}'


def test_connection_is_used_again_until_the_session_is_reset() -> None:
    with (
        fault_server(respond(200, JSON, ANSWER.encode())) as server,
        fault_client(server) as client,
    ):
        client.generate("hi")
        client.generate("hi")
        assert server.connections == 1
        client.reset_session()
        client.generate("hi")
        assert server.connections == 2


def test_client_that_is_only_dropped_leaks_nothing(llama_server: str) -> None:
    client = LLMClient(LLMConfig(base_url=llama_server, model="demo"))
    client.generate("/json")
    del client
    gc.collect()  # an unclosed socket would be a warning, which is an error here


def _in_threads(work: Callable[[int], None], count: int = 32) -> None:
    """Run `work` in so many threads at once; raise what one of them raised."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))


def test_threads_stream_through_one_client(client: LLMClient) -> None:
    """Streams only: llama.cpp closes after them, whereas each idle connection after a whole answer
    keeps one of its few threads for 5 s (seen with llama.cpp 2026-10)."""
    answers: list[str] = []

    def work(number: int) -> None:
        for prompt in ("/json", "hi", "/utf8"):
            with client.stream(prompt) as stream:
                text = "".join(chunk.delta for chunk in stream)
                assert stream.response.content == text
            answers.append(text)

    _in_threads(work)
    stats = client.get_stats()

    assert len(answers) == 96
    assert len(set(answers)) == 3
    # A request that meets the closing of its connection is made again, and counted.
    assert stats.call_count == 96
    assert stats.request_count - stats.failed_count == 96
    assert stats.failed_count < 32


def test_threads_ask_through_one_client() -> None:
    with (
        fault_server(respond(200, JSON, ANSWER.encode())) as server,
        fault_client(server) as client,
    ):

        def work(number: int) -> None:
            for _ in range(5):
                assert client.generate(f"question {number}").content == "Hello"

        _in_threads(work)

        assert client.get_stats().call_count == len(server.requests) == 160
        assert server.connections <= 32


def _folds() -> list[Fold]:
    return [thing for thing in gc.get_objects() if isinstance(thing, Fold)]


def test_call_that_fails_leaves_no_garbage_for_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        before = _folds()  # of errors that other tests keep
        with fault_server(status(401)) as server, fault_client(server) as client:
            with pytest.raises(LLMError):
                client.generate("hi")
            with pytest.raises(LLMError), client.stream("hi") as stream:
                list(stream)
            del stream
        left = [fold for fold in _folds() if not any(fold is old for old in before)]
    finally:
        gc.enable()

    assert left == []


# --- the embedded model, and what servers do wrong --------------------------------------------


@pytest.fixture(scope="module")
def embedded_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    from llm_client.runtimes.gguf_models import unload_models

    yield tmp_path_factory.mktemp("embedded")
    unload_models()


def test_embedded_model_answers_without_a_server(
    embedded_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_CACHE_DIR", str(embedded_cache))
    with LLMClient("embedded/demo") as client:
        assert client.generate("/json").content == '{"ok": true}'
        with client.stream("/utf8") as stream:
            text = "".join(chunk.delta for chunk in stream)
        assert text == stream.response.content
        assert [model.id for model in client.list_models()] == ["demo"]
        assert client.health_check()
        assert client.generate("hi", tools=[WEATHER]).tool_calls[0].name == "get_weather"
        with client.stream("/long") as stream:
            next(stream)
        assert client.get_stats().failed_count == 1


def test_embedded_file_that_does_not_exist_is_a_missing_model(tmp_path: Path) -> None:
    with LLMClient(f"embedded/{tmp_path}/no.gguf") as client, pytest.raises(ModelNotFoundError):
        client.generate("hi")


def test_rate_limit_error_has_what_the_provider_said() -> None:
    error = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    answer = status(429, json.dumps(error).encode(), retry_after="300")
    with fault_server(answer) as server, fault_client(server) as client:
        with pytest.raises(RateLimitError, match="slow down") as caught:
            client.generate("hi")

        assert caught.value.retry_after == 300
        assert caught.value.status == 429
        assert len(server.requests) == 1


def test_cut_stream_keeps_what_arrived() -> None:
    piece = b'data: {"choices": [{"delta": {"content": "Hel"}}]}\n\n'
    with fault_server(cut_body(piece)) as server, fault_client(server) as client:
        seen = []
        with pytest.raises(StreamInterruptedError) as caught, client.stream("hi") as stream:
            seen += [chunk.delta for chunk in stream]

        assert caught.value.partial == "Hel"
        assert len(server.requests) == 1
