"""Ids of tool calls that one provider gave and another does not take."""

from __future__ import annotations

import re

import pytest

from llm_client.dialects.call_ids import with_call_ids
from llm_client.types.content import ProviderState
from llm_client.types.messages import Message, ToolCall

from .answers import target

MISTRAL = target("mistral")
NINE = "[A-Za-z0-9]{9}"
ASK = Message("user", "Go.")


def calling(*ids: str, state: ProviderState | None = None) -> Message:
    calls = tuple(ToolCall(id, f"f{n}", "{}") for n, id in enumerate(ids))
    return Message("assistant", "", tool_calls=calls, provider_state=state)


def result(id: str | None) -> Message:
    return Message("tool", "done", tool_call_id=id)


def fitted(*messages: Message, pattern: str = NINE) -> tuple[list[str], list[str | None]]:
    """Return the ids of the calls and those of the results."""
    changed = with_call_ids(messages, pattern, MISTRAL, "openai-chat")
    assert [message.role for message in changed] == [message.role for message in messages]
    calls = [call for message in changed for call in message.tool_calls]
    assert all(re.fullmatch(pattern, call.id) for call in calls)
    return [call.id for call in calls], [m.tool_call_id for m in changed if m.role == "tool"]


def test_ids_that_fit_stay() -> None:
    messages = (ASK, calling("abcdefgh1", "abcdefgh2"), result("abcdefgh2"), result("abcdefgh1"))
    assert fitted(*messages) == (["abcdefgh1", "abcdefgh2"], ["abcdefgh2", "abcdefgh1"])


def test_id_that_does_not_fit_is_made_anew_and_its_result_follows() -> None:
    calls, results = fitted(
        ASK, calling("toolu_1", "toolu_2"), result("toolu_2"), result("toolu_1")
    )
    assert calls == list(reversed(results))
    assert len(set(calls)) == 2
    # The same each time, because what is cached is compared.
    assert fitted(ASK, calling("toolu_1"))[0] == calls[:1]


def test_id_that_comes_again_in_a_later_answer_means_the_later_call() -> None:
    turn = (calling("abcdefgh1"), result("abcdefgh1"))
    calls, results = fitted(ASK, *turn, *turn)
    assert calls == results
    assert calls[0] == "abcdefgh1" != calls[1]


@pytest.mark.parametrize("id", ["", "call_0"])
def test_ids_that_are_the_same_in_one_answer_are_told_apart_by_their_order(id: str) -> None:
    calls, results = fitted(ASK, calling(id, id), result(id), result(id), result(id))
    assert len(set(calls)) == 2
    assert results == [*calls, calls[-1]]


def test_result_without_its_call_keeps_its_id() -> None:
    assert fitted(ASK, result("call_9"), calling("call_1"), result(None))[1] == ["call_9", None]


def test_answer_that_goes_back_as_it_came_keeps_its_ids() -> None:
    own = ProviderState("mistral", "openai-chat", ({},))
    other = ProviderState("openrouter", "openai-chat", ({},))
    messages = (ASK, calling("call_1", state=own), result("call_1"))
    assert with_call_ids(messages, NINE, MISTRAL, "openai-chat")[1] == messages[1]
    later = with_call_ids((*messages, calling("call_1")), ".{1,40}", MISTRAL, "openai-chat")[-1]
    assert later.tool_calls[0].id != "call_1"
    assert fitted(ASK, calling("call_1", state=other), result("call_1"))[0] != ["call_1"]


def test_conversation_without_calls_or_rule_is_left_alone() -> None:
    plain = (ASK, Message("assistant", "Done."))
    assert with_call_ids(plain, NINE, MISTRAL, "openai-chat") is plain
    calls = (ASK, calling("call_1", "call_1"))
    assert with_call_ids(calls, "", MISTRAL, "openai-chat") is calls
