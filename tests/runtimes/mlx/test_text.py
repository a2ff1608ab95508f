"""Text of a model cut at markers, wherever the pieces end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from llm_client.runtimes.mlx_text import (
    ANSWER,
    REASONING,
    TOOL,
    UNFINISHED_TOOL,
    TextParts,
    kind_at_start,
    marker_table,
    parsed_calls,
)


def tokenizer(**changes: Any) -> Any:
    """Return what mlx-lm's wrapper says of a model that thinks and calls tools."""
    facts = {
        "has_thinking": True,
        "think_start": "<think>",
        "think_end": "</think>",
        "has_tool_calling": True,
        "tool_call_start": "<call>",
        "tool_call_end": "</call>",
    }
    return SimpleNamespace(**(facts | changes))


def joined(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join neighbours of one kind, but calls."""
    result: list[tuple[str, str]] = []
    for kind, text in parts:
        if result and result[-1][0] == kind and kind in (ANSWER, REASONING):
            result[-1] = (kind, result[-1][1] + text)
        else:
            result.append((kind, text))
    return result


def cut(
    text: str, size: int, kind: str = ANSWER, stop: tuple[str, ...] = (), **changes: Any
) -> Any:
    parts = TextParts(marker_table(tokenizer(**changes), tools=True, stop=stop), kind=kind)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    found = [part for piece in pieces for part in parts.feed(piece)]
    return joined(found + parts.end())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain < text <thin", [(ANSWER, "plain < text <thin")], id="no-marker"),
        pytest.param(
            "<think>\nWhy?\n</think>\n\nSo.",
            [(REASONING, "Why?\n"), (ANSWER, "So.")],
            id="reasoning",
        ),
        pytest.param("<think>cut", [(REASONING, "cut")], id="reasoning-cut"),
        pytest.param(
            "Both:<call>1</call>\n<call>2</call>",
            [(ANSWER, "Both:"), (TOOL, "1"), (ANSWER, "\n"), (TOOL, "2")],
            id="calls",
        ),
        pytest.param("<call>1</ca", [(UNFINISHED_TOOL, "1</ca")], id="call-cut"),
        pytest.param(
            "<think>I call<call>1</call>",
            [(REASONING, "I call"), (TOOL, "1")],
            id="call-while-thinking",
        ),
        pytest.param("<call></call>.", [(TOOL, ""), (ANSWER, ".")], id="empty-call"),
    ],
)
def test_text_is_cut_at_markers_wherever_pieces_end(
    text: str, expected: list[tuple[str, str]], size: int
) -> None:
    assert cut(text, size) == expected


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        pytest.param(("END",), "ab EN cd ", id="one"),
        pytest.param(("cd E", "d"), "ab EN c", id="first-end"),
        pytest.param(("b EN c", "N c"), "a", id="same-end"),
        pytest.param(("nowhere", "fg"), "ab EN cd END ef", id="none"),
    ],
)
def test_stop_text_that_ends_first_ends_the_answer(
    stop: tuple[str, ...], expected: str, size: int
) -> None:
    assert cut("ab EN cd END ef", size, stop=stop) == [(ANSWER, expected)]


def test_after_a_stop_text_nothing_is_taken() -> None:
    parts = TextParts(marker_table(tokenizer(), tools=False, stop=["."]))
    assert parts.feed("one. two") == [(ANSWER, "one")]
    assert parts.stopped
    assert parts.feed("three") == []
    assert parts.end() == []


def test_stop_text_in_the_reasoning_is_text() -> None:
    assert cut("<think>a.b</think>c.d", 1, stop=(".",)) == [(REASONING, "a.b"), (ANSWER, "c")]


def test_reasoning_that_the_prompt_opened_needs_no_marker() -> None:
    assert cut("\nWhy?</think>So.", 1, kind=REASONING) == [(REASONING, "Why?"), (ANSWER, "So.")]


def test_without_tools_a_call_is_text() -> None:
    parts = TextParts(marker_table(tokenizer(), tools=False, stop=()))
    assert joined(parts.feed("<call>1</call>")) == [(ANSWER, "<call>1</call>")]


def test_model_without_markers_has_text_only() -> None:
    found = cut("<think><call>", 1, has_thinking=False, has_tool_calling=False)
    assert found == [(ANSWER, "<think><call>")]


def test_form_of_calls_without_an_end_goes_to_the_end() -> None:
    assert cut("ok<call>1</call>", 1, tool_call_end="") == [
        (ANSWER, "ok"),
        (UNFINISHED_TOOL, "1</call>"),
    ]


def test_model_says_itself_where_calls_start() -> None:
    own = {ANSWER: [("<tools>", TOOL)]}
    assert cut("<call>a<tools>1</call>", 1, response_transitions=own) == [
        (ANSWER, "<call>a"),
        (TOOL, "1"),
    ]


@pytest.mark.parametrize(
    ("changes", "prompt", "expected"),
    [
        pytest.param({}, "hi<think>\n", REASONING, id="opened"),
        pytest.param({}, "<think>hi</think>", ANSWER, id="closed"),
        pytest.param({"has_thinking": False}, "hi<think>", ANSWER, id="unknown"),
        pytest.param({"response_initial_state": "outer"}, "hi", "outer", id="own"),
        pytest.param({"response_initial_state": None}, "hi", ANSWER, id="own-none"),
    ],
)
def test_prompt_says_what_comes_first(changes: Any, prompt: str, expected: str) -> None:
    assert kind_at_start(tokenizer(**changes), prompt) == expected


def test_models_own_transitions_and_structure_are_heeded() -> None:
    found = cut(
        "<r>Hi<tools><call>1</call></tools>",
        1,
        structural_markers=("<r>",),
        response_transitions={ANSWER: [("<tools>", "outer")], "outer": [("<call>", TOOL)]},
    )
    assert found == [(ANSWER, "Hi"), (TOOL, "1"), (ANSWER, "</tools>")]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(
            {"name": "f", "arguments": {"a": "ü"}},
            [{"name": "f", "arguments": '{"a": "ü"}'}],
            id="one",
        ),
        pytest.param(
            [{"name": "f"}, {"name": "g", "arguments": "{}"}],
            [{"name": "f", "arguments": "{}"}, {"name": "g", "arguments": "{}"}],
            id="several",
        ),
        pytest.param({"arguments": {}}, None, id="no-name"),
        pytest.param({"name": 5}, None, id="name-is-no-text"),
        pytest.param(7, None, id="no-call"),
        pytest.param(ValueError("cut"), None, id="parser-fails"),
    ],
)
def test_calls_are_what_the_models_parser_finds(
    result: object, expected: list[dict[str, str]] | None
) -> None:
    def parser(text: str, tools: list[Any]) -> object:
        assert (text, tools) == ("text", ["tool"])
        if isinstance(result, Exception):
            raise result
        return result

    assert parsed_calls(tokenizer(tool_parser=parser), "text", ["tool"]) == expected
