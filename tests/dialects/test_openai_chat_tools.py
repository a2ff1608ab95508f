"""Which call a fragment of a tool call belongs to (WIRE.md §1 and §11, items 6 to 8)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_client.dialects.openai_chat import OpenAIChat

from .answers import answer, feed, target

Fragment = dict[str, Any]


def fragment(
    arguments: object = "",
    *,
    index: object = None,
    id: str | None = None,
    name: str | None = None,
) -> Fragment:
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return {"function": function} | {
        key: value for key, value in (("index", index), ("id", id)) if value is not None
    }


def calls(fragments: list[Fragment], *, together: bool) -> list[list[str]]:
    groups = [fragments] if together else [[one] for one in fragments]
    events = [{"choices": [{"delta": {"tool_calls": group}}]} for group in groups]
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    value = answer(feed(OpenAIChat(), target("openai"), [body + b"data: [DONE]\n\n"]))
    assert value.error is None
    assert value.finish == "tool_calls"
    return value.tools


@pytest.mark.parametrize("together", [True, False], ids=["in one event", "in events of their own"])
@pytest.mark.parametrize(
    ("fragments", "expected"),
    [
        (
            [
                fragment(index=0, id="a", name="f"),
                fragment("{", index=0),
                fragment(index=1, id="b", name="g"),
                fragment("[]", index=1),
                fragment("}", index=0),
            ],
            [["a", "f", "{}"], ["b", "g", "[]"]],
        ),
        (
            [fragment("{}", index=0, id="a", name="f"), fragment("{}", index=0, id="b", name="f")],
            [["a", "f", "{}"], ["b", "f", "{}"]],
        ),
        (
            [
                fragment("1", index=0, id="a", name="f"),
                fragment("2", index=0, id="b", name="f"),
                fragment("3", index=0, id="a"),
                fragment("4", index=0),
            ],
            [["a", "f", "134"], ["b", "f", "2"]],
        ),
        (
            [fragment("{}", index=0, name="f"), fragment("{}", index=0, name="g")],
            [["call_0", "f", "{}"], ["call_1", "g", "{}"]],
        ),
        (
            [fragment("{", index=0, id="a", name="f"), fragment("}", index=0, id="a", name="f")],
            [["a", "f", "{}"]],
        ),
        (
            [fragment("{", index=0, name="f"), fragment("}", index=0, name="f")],
            [["call_0", "f", "{}"]],
        ),
        (
            [fragment(index=0, name="f"), fragment("{}", index=0, id="late")],
            [["late", "f", "{}"]],
        ),
        (
            [
                fragment("{", id="a", name="f"),
                fragment("}"),
                fragment("{", id="b", name="g"),
                fragment("}"),
            ],
            [["a", "f", "{}"], ["b", "g", "{}"]],
        ),
        (
            [
                fragment("{", id="a", name="f"),
                fragment("[", id="b", name="g"),
                fragment("}", id="a"),
                fragment("]", id="b"),
            ],
            [["a", "f", "{}"], ["b", "g", "[]"]],
        ),
        (
            [fragment("{}", name="f"), fragment("{}", name="f")],
            [["call_0", "f", "{}"], ["call_1", "f", "{}"]],
        ),
        ([fragment(name="f"), fragment("{}", id="late")], [["late", "f", "{}"]]),
        ([fragment("{"), fragment("}", id="a", name="f")], [["a", "f", "{}"]]),
        (
            [
                fragment("{", index=0, id="a", name="f"),
                fragment("}"),
                fragment("1", index=1, id="b"),
            ],
            [["a", "f", "{}"], ["b", "", "1"]],
        ),
        (
            [fragment("1", id="a", name="f"), fragment("2", index=0, id="b", name="g")],
            [["a", "f", "1"], ["b", "g", "2"]],
        ),
        ([fragment({"city": "Köln"}, index=0, id="a", name="f")], [["a", "f", '{"city": "Köln"}']]),
        ([fragment(index=0, id="a", name="f")], [["a", "f", "{}"]]),
        ([fragment(None, index=3, id="", name="f")], [["call_0", "f", "{}"]]),
        ([{"index": 0, "id": "a"}], [["a", "", "{}"]]),
        (
            [
                fragment(index=0, name="f"),
                fragment("1", index=0, id="late"),
                fragment("2", index=0, id="b", name="f"),
            ],
            [["late", "f", "1"], ["b", "f", "2"]],
        ),
        (
            [
                fragment("1", index=0),
                fragment(index=0, name="f"),
                fragment("2", index=0, name="g"),
            ],
            [["call_0", "f", "1"], ["call_1", "g", "2"]],
        ),
        ([fragment("{", id="a", name="f"), fragment("}", name="")], [["a", "f", "{}"]]),
    ],
    ids=[
        "by index",
        "same index, other id",
        "same index, back to the first id",
        "same index, other name, no ids",
        "name and id repeated",
        "name repeated, no id",
        "id after the name",
        "no index, an id opens",
        "no index, ids interleaved",
        "no index, a second name opens",
        "no index, id after the name",
        "no index, arguments before id and name",
        "index, then none, then another",
        "no index, then an index",
        "arguments as an object",
        "no arguments",
        "null arguments and empty id",
        "no function",
        "id after the name, then another id",
        "name after the arguments, then another name",
        "no index, empty name",
    ],
)
def test_fragments_decoded_are_these_calls(
    fragments: list[Fragment], expected: list[list[str]], together: bool
) -> None:
    assert calls(fragments, together=together) == expected
