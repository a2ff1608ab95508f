"""Token estimates against what providers counted, and against each other."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from llm_client.dialects import find_dialect
from llm_client.policy.estimate import (
    LONGEST_ANSWER,
    least_prompt_tokens,
    message_tokens,
    most_completion_tokens,
    most_prompt_tokens,
    most_usage,
    prompt_tokens,
    text_tokens,
    usage_of,
)
from llm_client.policy.text_tokens import LEAST, LIKELY, MOST, Scale, tokens_of
from llm_client.types.content import Audio, Document, Image, Part, ProviderState, Text
from llm_client.types.embedding import EmbeddingRequest
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest
from llm_client.types.response import Fold
from llm_client.types.target import ProviderSpec, Target

from ..support.recordings import needs_recordings, provider_exchange

TARGET = Target(ProviderSpec("p", "http://p.test", "openai-chat"), "m", "http://p.test")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)

ANSWERS = [
    ("openai-chat", "deepseek", "deepseek_model_thinking_stream", 0),
    ("openai-chat", "groq", "tool_use_failed_error_streaming", 2),
    ("openai-chat", "huggingface", "hf_model_thinking_part_iter", 0),
    ("openai-chat", "huggingface", "max_completion_tokens", 0),
    ("openai-chat", "mistral", "mistral_model_thinking_part_iter", 0),
    ("openai-chat", "ollama_v1", "ollama_cloud_tool_output", 0),
    ("openai-chat", "openrouter", "openrouter_usage", 0),
    ("openai-chat", "openrouter", "openrouter_usage", 1),
    ("anthropic", "anthropic", "anthropic_cache_real_api", 0),
    ("anthropic", "anthropic", "anthropic_model_thinking_part_stream", 0),
    ("anthropic", "anthropic", "anthropic_tool_with_thinking", 1),
    ("anthropic", "anthropic", "image_url_input", 0),
    ("anthropic", "anthropic", "multiple_parallel_tool_calls", 1),
    ("cohere", "cohere", "cohere_model_thinking_part", 1),
]
"""Answers of more than 200 characters that show all they were counted for."""

PROMPTS = [
    ("openai_chat", "complex_agent_run_in_workflow", 0, 364),
    ("openai_chat", "complex_agent_run_in_workflow", 2, 448),
    ("openai_chat", "max_completion_tokens-o3-mini", 0, 7),
    ("openai_chat", "run_stream_sync_streams_real_model", 0, 53),
    ("openai_chat", "run_stream_sync_streams_real_model", 1, 78),
    ("openai_chat", "valid_response", 0, 14),
    ("deepseek", "deepseek_model_thinking_stream", 0, 6),
    ("groq", "tool_use_failed_error_streaming", 1, 304),
    ("groq", "tool_use_failed_error_streaming", 2, 339),
    ("huggingface", "hf_model_thinking_part_iter", 0, 10),
    ("mistral", "mistral_model_thinking_part_iter", 0, 10),
    ("ollama_v1", "ollama_cloud_tool_output", 1, 206),
    ("openrouter", "openrouter_stream_error", 0, 43),
    ("openrouter", "openrouter_usage", 0, 17),
]
"""Requests in OpenAI's shape, and the tokens that the provider counted."""


def ask(*messages: Message, **fields: Any) -> LLMRequest:
    return LLMRequest(messages or (Message("user", "Hello!"),), **fields)


@needs_recordings
@pytest.mark.parametrize(("dialect", "folder", "name", "index"), ANSWERS)
def test_answers_of_real_models_are_estimated_to_a_fifth(
    dialect: str, folder: str, name: str, index: int
) -> None:
    recording = provider_exchange(folder, name, index)
    spoken, target = find_dialect(dialect), replace(TARGET)
    decoder = spoken.decoder(target)
    chunks = (
        [*decoder.feed(recording.body), *decoder.end()]
        if recording.streamed
        else spoken.decode(recording.body, target)
    )
    fold = Fold()
    for chunk in chunks:
        fold.add(chunk)
    assert fold.usage is not None
    text, told = fold.text + fold.reasoning, fold.usage.completion_tokens
    assert len(text) > 200
    assert tokens_of(text, LIKELY) == pytest.approx(told, rel=0.2)
    assert tokens_of(text, LEAST) < told * 0.7
    assert tokens_of(text, MOST) > told * 1.3


@needs_recordings
@pytest.mark.parametrize(("folder", "name", "index", "told"), PROMPTS)
def test_prompts_that_were_counted_are_between_least_and_most(
    folder: str, name: str, index: int, told: int
) -> None:
    body = provider_exchange(folder, name, index).request
    tools = tuple(Tool.parse(tool) for tool in body.get("tools", ()))
    request = ask(*map(Message.parse, body["messages"]), tools=tools)
    assert least_prompt_tokens(request) <= told <= most_prompt_tokens(request)
    assert prompt_tokens(request) < max(3 * told, 60)


@pytest.mark.parametrize(
    ("text", "fewest", "most"),
    [
        # What tokenizers that differ as much as any make of these, roughly.
        ("The quick brown fox jumps over the lazy dog.", 9, 12),
        ("def add(a, b):\n    return a + b\n" * 10, 110, 145),
        ("3.14159265358979323846" * 5, 45, 110),
        ("deadbeef0123456789abcdef" * 10, 90, 150),
        ("吾輩は猫である。名前はまだ無い。" * 10, 120, 220),
        ("Съешь же ещё этих мягких французских булок", 13, 25),
        ("مرحبا بالعالم كيف حالك اليوم", 8, 20),
        ("😀🎉🚀" * 10, 30, 100),
        ("¿Dónde está la biblioteca más próxima?", 9, 16),
    ],
    ids=["english", "code", "digits", "hex", "japanese", "russian", "arabic", "emoji", "spanish"],
)
def test_every_kind_of_text_is_between_least_and_most(text: str, fewest: int, most: int) -> None:
    assert tokens_of(text, LEAST) <= fewest
    assert tokens_of(text, MOST) >= most
    assert fewest * 0.6 <= tokens_of(text, LIKELY) <= most * 1.4


def test_nothing_has_no_tokens_and_anything_has_one() -> None:
    assert text_tokens("") == text_tokens(LongText(())) == 0
    assert text_tokens("a") == text_tokens(LongText((b"a",))) == 1


def test_lone_surrogate_is_counted() -> None:
    assert text_tokens("\ud800") == 1


@pytest.mark.parametrize(
    ("character", "kind"),
    [
        ("a", "lower"),
        (" ", "blank"),
        ("A", "upper"),
        ("7", "digit"),
        ("\n", "sign"),
        ("é", "two_bytes"),
        ("字", "three_bytes"),
        ("😀", "four_bytes"),
    ],
)
def test_every_character_counts_once_and_as_its_kind(character: str, kind: str) -> None:
    only = Scale(*(float(name == kind) for name in Scale._fields))
    others = Scale(*(float(name != kind) for name in Scale._fields))
    assert tokens_of(character * 7, only) == 7
    assert tokens_of(character * 7, others) == 0


@pytest.mark.parametrize("scale", [LEAST, LIKELY, MOST], ids=["least", "likely", "most"])
def test_long_text_is_sampled_from_all_over_it(scale: Scale) -> None:
    # Cheap in front, dear behind: who looks at the beginning only is far off.
    text = "word " * 200_000 + "字字字字字" * 200_000
    halves = tokens_of("word " * 20_000, scale) + tokens_of("字字字字字" * 20_000, scale)
    assert tokens_of(text, scale) == pytest.approx(10 * halves, rel=0.05)


@pytest.mark.parametrize("size", [1, 4096, 100_003, 10_000_000])
def test_long_text_counts_the_same_in_pieces_of_any_size(size: int) -> None:
    data = b"The quick brown fox, 42 times. " * 20_000
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    assert text_tokens(LongText(pieces)) == pytest.approx(text_tokens(data.decode()), rel=0.01)


def test_short_long_text_counts_as_the_text_that_it_is() -> None:
    data = "Grüße aus 東京 🚀".encode()
    assert text_tokens(LongText((data[:9], data[9:]))) == text_tokens(data.decode())


def test_hundred_megabytes_take_no_time() -> None:
    piece = b"The quick brown fox jumps over the lazy dog. " * 1456
    text = LongText([piece] * (100_000_000 // len(piece)))
    began = time.perf_counter()
    assert text_tokens(text) > 10_000_000
    assert time.perf_counter() - began < 1.0  # 0.3 ms; a copy alone takes 30


def measured(request: LLMRequest) -> tuple[int, int, int]:
    return least_prompt_tokens(request), prompt_tokens(request), most_prompt_tokens(request)


@pytest.mark.parametrize(
    ("part", "least", "likely", "most"),
    [
        (Image(PNG), 64, 1000, 5000),
        (Image(PNG, detail="low"), 64, 85, 85),
        (Image(url="https://a.test/b.png"), 64, 1000, 5000),
        (Document(b"%PDF-" + bytes(299_995)), 64, 10_500, 78_000),
        (Document(url="https://a.test/b.pdf"), 64, 500, 3000),
        (Audio(b"fLaC" + bytes(99_996)), 8, 150, 1300),
        (Text("a" * 100), 14, 23, 36),
        (Document(b"a" * 100, media_type="text/plain"), 14, 23, 36),
    ],
    ids=["image", "low", "image-url", "pdf", "pdf-url", "audio", "text", "text-document"],
)
def test_parts_count_by_their_kind(part: Part, least: int, likely: int, most: int) -> None:
    empty = measured(ask(Message("user", (Text(""),))))
    counted = measured(ask(Message("user", (part,))))
    assert [c - e for c, e in zip(counted, empty, strict=True)] == [least, likely, most]


def test_every_message_adds_to_what_its_text_has() -> None:
    one, two = ask(Message("user", "Hi")), ask(Message("user", "Hi"), Message("user", "Hi"))
    assert prompt_tokens(two) - prompt_tokens(one) == message_tokens(Message("user", "Hi"))
    assert message_tokens(Message("user", "Hi")) > text_tokens("Hi")


CALL = ToolCall("call_1", "get_weather", '{"city": "Paris"}')
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    "request_",
    [
        ask(tools=(Tool("get_weather", "Tells the weather of a city.", SCHEMA),)),
        ask(schema=SCHEMA),
        ask(suffix="and they lived happily ever after."),
        ask(extra_body={"documents": ["a long text that is part of the prompt"]}),
        ask(Message("user", "Hello!"), Message("assistant", "", tool_calls=(CALL,))),
        ask(Message("user", "Hello!"), Message("assistant", "Hi", reasoning="Think hard." * 9)),
        ask(
            Message("user", "Hello!"),
            Message("assistant", "Hi", provider_state=ProviderState("p", "d", ({"x": "y" * 400},))),
        ),
    ],
    ids=["tools", "schema", "suffix", "extra_body", "tool-call", "reasoning", "state"],
)
def test_everything_that_is_sent_counts_for_the_most(request_: LLMRequest) -> None:
    plain = ask(*(Message(message.role, "Hi") for message in request_.messages))
    assert most_prompt_tokens(request_) > most_prompt_tokens(plain) + 5
    least, likely, most = measured(request_)
    assert least < likely < most


def test_embedding_counts_its_texts_and_has_no_answer() -> None:
    request = EmbeddingRequest(("a" * 100, "b" * 100))
    assert prompt_tokens(request) == 46 + 4
    assert least_prompt_tokens(request) == 28
    assert most_usage(request, TARGET).completion_tokens == 0


@pytest.mark.parametrize(
    ("fields", "options", "tokens"),
    [
        ({}, {}, LONGEST_ANSWER),
        ({"max_tokens": 50}, {"max_tokens": 70}, 50),
        ({}, {"max_tokens": 70}, 70),
        ({}, {"options": {"num_predict": 80}}, 80),
        ({}, {"num_predict": -1}, LONGEST_ANSWER),
        ({}, {"max_tokens": True}, LONGEST_ANSWER),
        ({}, {"max_tokens": "70"}, LONGEST_ANSWER),
        ({"max_tokens": 50, "extra_body": {"max_completion_tokens": 90}}, {}, 90),
        ({"extra_body": {"generationConfig": {"maxOutputTokens": 60}}}, {}, 60),
        ({"extra_body": {"other": {"x": 1}}}, {"max_output_tokens": 40}, 40),
    ],
    ids=[
        "nothing",
        "request",
        "options",
        "nested",
        "endless",
        "bool",
        "text",
        "extra-body",
        "gemini",
        "responses",
    ],
)
def test_longest_answer_is_what_will_be_sent(
    fields: dict[str, Any], options: dict[str, object], tokens: int
) -> None:
    assert most_completion_tokens(ask(**fields), replace(TARGET, options=options)) == tokens


def test_most_usage_writes_the_prompt_into_a_cache_only_where_it_is_marked() -> None:
    plain = most_usage(ask(max_tokens=10), TARGET)
    assert (plain.completion_tokens, plain.cache_write_tokens, plain.estimated) == (10, None, True)
    assert plain.total_tokens == plain.prompt_tokens + 10
    marked = most_usage(ask(Message("user", "Hello!", cache=True)), TARGET)
    assert marked.cache_write_tokens == marked.prompt_tokens


def test_usage_of_an_answer_counts_text_thinking_and_calls() -> None:
    request = ask()
    usage = usage_of(request, "a" * 100, "b" * 100, [CALL])
    assert usage.estimated
    assert usage.prompt_tokens == prompt_tokens(request)
    assert usage.completion_tokens > 46
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage_of(request, "").completion_tokens == 0
