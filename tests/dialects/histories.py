"""One conversation as each provider would have it: what it answers, and how its requests say it.

Owns the raw answers, each with everything that the provider has to say (thinking with something
that only it can read, text, two calls), and the reading of the calls and results out of a request.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from llm_client.dialects import find_dialect
from llm_client.types.messages import Message
from llm_client.types.response import fold
from llm_client.types.target import Target

from .answers import target

SECRET = "b3BhcXVl"
"""What only the provider of an answer can read."""
THOUGHT, TEXT = "Two cities, two calls.", "I look it up."
PARIS, ROME = {"city": "Paris"}, {"city": "Rom 🌍"}


class Place(NamedTuple):
    """Who answers or is asked."""

    provider: str
    dialect: str
    model: str

    @property
    def target(self) -> Target:
        return target(self.provider, model=self.model)


def _chat(message: dict[str, Any], *ids: str) -> dict[str, Any]:
    calls = [
        {"id": id, "type": "function", "function": {"name": "weather", "arguments": json.dumps(of)}}
        for id, of in zip(ids, (PARIS, ROME), strict=True)
    ]
    message = {"role": "assistant", "content": TEXT, **message, "tool_calls": calls}
    return {"choices": [{"message": message, "finish_reason": "tool_calls"}]}


_DETAILS = [
    {"type": "reasoning.summary", "summary": THOUGHT, "index": 0},
    {"type": "reasoning.encrypted", "data": SECRET, "index": 1},
]
_ANSWERS: dict[Place, dict[str, Any]] = {
    Place("openai", "openai-chat", "gpt-4.1"): _chat({}, "call_" + "a" * 24, "call_" + "b" * 24),
    Place("deepseek", "openai-chat", "deepseek-v4-flash"): _chat(
        {"reasoning_content": THOUGHT}, "call_00_x", "call_01_y"
    ),
    Place("openrouter", "openai-chat", "moonshotai/kimi-k3"): _chat(
        {"reasoning": THOUGHT, "reasoning_details": _DETAILS},
        "functions.weather:0",
        "functions.weather:1",
    ),
    Place("mistral", "openai-chat", "magistral-medium"): _chat(
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
                {"type": "text", "text": TEXT},
            ]
        },
        "D681PevKs",
        "aB3xK9mP2",
    ),
    # LiteLLM hides Gemini's signatures in the ids, which makes them long.
    Place("litellm", "openai-chat", "gemini-3"): _chat(
        {}, f"call_1__thought__{'x' * 300}", "call_2"
    ),
    Place("openai", "openai-responses", "gpt-5.6"): {
        "output": [
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": THOUGHT}],
                "encrypted_content": SECRET,
            },
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
            },
            *(
                {
                    "type": "function_call",
                    "id": f"fc_{id}",
                    "call_id": f"call_{id}",
                    "name": "weather",
                    "arguments": json.dumps(of),
                }
                for id, of in (("1", PARIS), ("2", ROME))
            ),
        ],
        "status": "completed",
    },
    Place("anthropic", "anthropic", "claude-sonnet-4-5"): {
        "content": [
            {"type": "thinking", "thinking": THOUGHT, "signature": SECRET},
            {"type": "text", "text": TEXT},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": PARIS},
            {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": ROME},
        ],
        "stop_reason": "tool_use",
    },
    Place("gemini", "gemini", "gemini-3-flash-preview"): {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"text": THOUGHT, "thought": True},
                        {"text": TEXT},
                        {
                            "functionCall": {"name": "weather", "args": PARIS},
                            "thoughtSignature": SECRET,
                        },
                        {"functionCall": {"name": "weather", "args": ROME}},
                    ]
                },
                "finishReason": "STOP",
            }
        ],
    },
    Place("ollama", "ollama", "qwen3"): {
        "message": {
            "content": TEXT,
            "thinking": THOUGHT,
            "tool_calls": [
                {"function": {"name": "weather", "arguments": of}} for of in (PARIS, ROME)
            ],
        },
        "done": True,
        "done_reason": "stop",
    },
    Place("cohere", "cohere", "command-a-reasoning-08-2025"): {
        "id": "1",
        "message": {
            "content": [
                {"type": "thinking", "thinking": THOUGHT},
                {"type": "text", "text": TEXT},
            ],
            "tool_calls": [
                {
                    "id": f"weather_{id}",
                    "type": "function",
                    "function": {"name": "weather", "arguments": json.dumps(of)},
                }
                for id, of in (("a1", PARIS), ("b2", ROME))
            ],
        },
        "finish_reason": "TOOL_CALL",
    },
}
PLACES = tuple(_ANSWERS)
OPAQUE = frozenset(
    place for place, answer in _ANSWERS.items() if SECRET in json.dumps(answer, ensure_ascii=False)
)
"""Those that have something only they can read."""


def named(place: Place) -> str:
    """Return the name of a place for the id of a test."""
    return f"{place.provider}:{place.dialect}"


def answered(place: Place) -> Message:
    """Return the answer of a provider as a message that was kept as JSON."""
    body = json.dumps(_ANSWERS[place]).encode()
    message = fold(find_dialect(place.dialect).decode(body, place.target)).message
    return Message.parse(json.loads(json.dumps(message.to_dict())))


class Said(NamedTuple):
    """What a request says of tools: in order, in our terms."""

    calls: list[tuple[str, Any]]
    """Id and arguments."""
    results: list[tuple[str, str]]
    """Id of the call, and the text."""


def _chat_tools(body: dict[str, Any]) -> Said:
    messages = body["messages"]
    return Said(
        [
            (call["id"], json.loads(call["function"]["arguments"]))
            for message in messages
            for call in message.get("tool_calls") or ()
        ],
        [(m["tool_call_id"], m["content"]) for m in messages if m["role"] == "tool"],
    )


def _responses_tools(body: dict[str, Any]) -> Said:
    items = body["input"]
    return Said(
        [
            (item["call_id"], json.loads(item["arguments"]))
            for item in items
            if item["type"] == "function_call"
        ],
        [
            (item["call_id"], item["output"])
            for item in items
            if item["type"] == "function_call_output"
        ],
    )


def _anthropic_tools(body: dict[str, Any]) -> Said:
    lists = [m["content"] for m in body["messages"] if isinstance(m["content"], list)]
    blocks = [block for blocks in lists for block in blocks]
    return Said(
        [(block["id"], block["input"]) for block in blocks if block["type"] == "tool_use"],
        [
            (block["tool_use_id"], block["content"])
            for block in blocks
            if block["type"] == "tool_result"
        ],
    )


def _gemini_tools(body: dict[str, Any]) -> Said:
    """Go by the order, as Gemini does: its own answers have no ids."""
    calls, results = [], []
    for turn, content in enumerate(body["contents"]):
        made = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        calls += [(f"{turn}.{n}", call["args"]) for n, call in enumerate(made)]
        told = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        results += [
            (f"{turn - 1}.{n}", reply["response"]["result"]) for n, reply in enumerate(told)
        ]
    return Said(calls, results)


def _ollama_tools(body: dict[str, Any]) -> Said:
    messages = body["messages"]
    return Said(
        [
            (call["id"], call["function"]["arguments"])
            for message in messages
            for call in message.get("tool_calls", ())
        ],
        [(m["tool_call_id"], m["content"]) for m in messages if m["role"] == "tool"],
    )


TOOLS: dict[str, Callable[[dict[str, Any]], Said]] = {
    "anthropic": _anthropic_tools,
    "cohere": _chat_tools,
    "gemini": _gemini_tools,
    "ollama": _ollama_tools,
    "openai-chat": _chat_tools,
    "openai-responses": _responses_tools,
}
"""How to read them out of a body."""
