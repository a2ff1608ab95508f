"""Conversations made shorter: what stays, what goes, and that nothing is torn apart."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from llm_client.policy.estimate import message_tokens
from llm_client.policy.trim import Shorter, cut_middle, is_instruction, transcript, trim, turns_of
from llm_client.types.content import Document, Image, ProviderState, Text
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, Role, ToolCall

PNG = b"\x89PNG\r\n\x1a\n0000"


def by_words(message: Message) -> int:
    """Count as many tokens as there are words, and one for the message."""
    return 1 + len(message.text.split())


def said(role: Role, words: int, mark: str = "w") -> Message:
    return Message(role, " ".join([mark] * words))


def call(*ids: str) -> Message:
    return Message("assistant", "", tool_calls=tuple(ToolCall(id, "look", "{}") for id in ids))


def result(id: str, words: int = 1) -> Message:
    return Message("tool", " ".join(["r"] * words), tool_call_id=id)


SYSTEM = Message("system", "be brief")
TALK = (
    SYSTEM,
    said("user", 9, "q1"),
    said("assistant", 9, "a1"),
    said("user", 9, "q2"),
    said("assistant", 9, "a2"),
    said("user", 9, "q3"),
)


def marks(shorter: Shorter) -> list[str]:
    return [message.text.split()[0] for message in shorter.messages]


@pytest.mark.parametrize(
    ("room", "stays"),
    [
        (53, ["be", "q1", "a1", "q2", "a2", "q3"]),
        (52, ["be", "q2", "a2", "q3"]),
        (33, ["be", "q2", "a2", "q3"]),
        (32, ["be", "q3"]),
        (13, ["be", "q3"]),
    ],
)
def test_oldest_turns_go_first_and_no_more_than_needed(room: int, stays: list[str]) -> None:
    shorter = trim(TALK, room, by_words)

    assert marks(shorter) == stays
    assert (shorter.left_out, shorter.cut) == (len(TALK) - len(stays), 0)


def test_last_question_that_is_too_long_is_cut_in_its_middle() -> None:
    question = Message("user", "first " + "x " * 5000 + "last")
    shorter = trim((SYSTEM, said("user", 9), question), 500, by_words)

    assert [m.role for m in shorter.messages] == ["system", "user"]
    text = shorter.messages[1].text
    assert text.startswith("first x")
    assert text.endswith("x last")
    assert f"[… {shorter.cut:,} characters left out …]" in text
    assert sum(map(by_words, shorter.messages)) <= 500
    assert len(text) > 800, "more is cut than has to be"
    assert question.text.count("x") == 5000, "the caller's message was changed"


def test_instructions_are_never_cut_nor_left_out() -> None:
    rules = Message("system", "rule " * 900)
    late = Message("developer", "and this")
    talk = (rules, said("user", 90), late, said("assistant", 9), said("user", 900))

    shorter = trim(talk, 100, by_words)

    assert shorter.messages[0] is rules
    assert shorter.messages[1] is late
    assert shorter.messages[2].role == "user"


def test_what_stands_before_the_first_question_goes_before_it() -> None:
    talk = (SYSTEM, said("assistant", 9, "hello"), said("user", 9, "q1"), said("user", 9, "q2"))

    assert marks(trim(talk, 30, by_words)) == ["be", "q1", "q2"]
    assert turns_of(talk) == [[1], [2], [3]]


def test_result_of_a_tool_goes_with_its_call() -> None:
    talk = (
        said("user", 1, "q"),
        call("a", "b"),
        result("a", 50),
        result("b", 50),
        call("c"),
        result("c", 50),
        call("d"),
        result("d", 50),
    )
    shorter = trim(talk, 120, by_words)

    assert [m.tool_call_id for m in shorter.messages if m.role == "tool"] == ["c", "d"]
    assert shorter.messages == (talk[0], *talk[4:])


def test_nothing_but_instructions_is_left_as_it_is() -> None:
    alone = (Message("developer", "a b c " * 100), SYSTEM)

    assert trim(alone, 10, by_words) == Shorter(alone)


def test_call_of_a_tool_that_no_user_asked_for_goes_with_its_result() -> None:
    begun = (call("1"), result("1", 50), call("2"), result("2"))

    assert trim(begun, 10, by_words) == Shorter(begun[2:], left_out=2)


def test_newest_result_of_a_tool_is_cut_and_not_left_out() -> None:
    talk = (said("user", 5, "q"), call("a"), result("a", 50), call("b"), result("b", 5000))
    shorter = trim(talk, 200, by_words)

    assert [m.role for m in shorter.messages] == ["user", "assistant", "tool"]
    assert shorter.messages[0] is talk[0]
    assert shorter.messages[2].tool_call_id == "b"
    assert sum(map(by_words, shorter.messages)) <= 200


def test_longest_text_of_parts_is_cut_and_the_others_stay() -> None:
    image = Image(PNG)
    message = Message("user", (Text("short"), image, Text("x " * 4000)))

    shorter = trim((message,), 300, by_words)

    first, second, third = shorter.messages[0].parts
    assert (first, second) == (Text("short"), image)
    assert isinstance(third, Text)
    assert "left out" in str(third.text)


def test_answer_that_its_provider_reads_in_its_own_form_is_not_cut() -> None:
    state = ProviderState("p", "anthropic", ({"type": "thinking"},))
    answer = replace(said("assistant", 900), provider_state=state)
    talk = (said("user", 1, "q"), answer)

    assert trim(talk, 100, by_words).messages == talk


def test_text_of_many_tokens_a_character_is_cut_until_it_fits() -> None:
    text = "a" * 20_000 + "一" * 4_000 + "a" * 20_000 + "漢" * 3_000
    message = Message("user", text)
    room = message_tokens(message) // 3

    shorter = trim((message,), room, message_tokens)

    assert message_tokens(shorter.messages[0]) <= room


def test_what_cannot_be_made_to_fit_is_left_as_short_as_it_gets() -> None:
    images = Message("user", (Image(PNG), Image(PNG)))

    assert trim((SYSTEM, images), 3, by_words) == Shorter((SYSTEM, images))


@pytest.mark.parametrize("seed", range(300))
def test_random_conversation_keeps_its_order_its_pairs_and_its_question(seed: int) -> None:
    chance = random.Random(seed)
    talk: list[Message] = []
    for number in range(chance.randrange(1, 14)):
        match chance.randrange(6):
            case 0 | 1:
                talk.append(said("user", chance.randrange(1, 200)))
            case 2:
                talk.append(said("assistant", chance.randrange(1, 200)))
            case 3:
                talk.append(said("system", chance.randrange(1, 5)))
            case _:
                ids = [f"{number}-{i}" for i in range(chance.randrange(1, 4))]
                talk += [call(*ids), *(result(id, chance.randrange(1, 300)) for id in ids)]
    talk.append(said("user", chance.randrange(1, 100), "last"))
    for number in range(chance.randrange(3)):
        talk += [call(f"x{number}"), result(f"x{number}", chance.randrange(1, 500))]
    room = chance.randrange(1, 1500)

    shorter = trim(talk, room, by_words)

    assert shorter.left_out == len(talk) - len(shorter.messages)
    roles = [m.role for m in shorter.messages]
    if sum(map(by_words, talk)) <= room:
        assert shorter == Shorter(tuple(talk))
        return
    calls: set[str] = set()
    for message in shorter.messages:
        if message.role == "tool":
            assert message.tool_call_id in calls, "a result without its call"
            calls.discard(str(message.tool_call_id))
        else:
            assert not calls, "a call without its result"
            calls = {call.id for call in message.tool_calls}
    assert any(m.text.startswith("last") for m in shorter.messages)
    kept = [m for m in shorter.messages if is_instruction(m)]
    assert kept == [m for m in talk if is_instruction(m)]
    assert next(role for role in [*roles, "user"] if role != "system") == "user" or (
        shorter.left_out == 0
    )
    place = {id(message): position for position, message in enumerate(talk)}
    places = [place[id(m)] for m in shorter.messages if id(m) in place]
    assert places == sorted(places)
    assert shorter.cut or len(places) == len(shorter.messages)


@pytest.mark.parametrize(
    "text",
    ["abcdefghijklmnopqrstuvwxyz", "äöü€漢字🌍🎉" * 4],
    ids=["ascii", "wide"],
)
@pytest.mark.parametrize("size", [1, 3, 7, 100], ids=lambda size: f"pieces of {size}")
def test_long_text_is_cut_between_characters(text: str, size: int) -> None:
    pieces = [text[i : i + size].encode() for i in range(0, len(text), size)]
    whole = LongText(pieces)
    for keep in range(len(text.encode())):
        cut = cut_middle(whole, keep)
        assert isinstance(cut, LongText)
        for piece in cut.pieces:
            piece.decode()
        head, middle, tail = str(cut).partition("\n\n[… ")
        assert middle
        tail = tail.partition(" left out …]\n\n")[2]
        assert text.startswith(head)
        assert text.endswith(tail)
        assert keep - 6 <= len((head + tail).encode()) <= keep


@pytest.mark.parametrize("keep", [0, 1, 2, 9])
def test_text_is_cut_in_its_middle(keep: int) -> None:
    cut = str(cut_middle("0123456789", keep))
    head, _, rest = cut.partition("\n\n[…")
    tail = rest.rpartition("…]\n\n")[2]

    assert f"{head}{tail}" == "0123456789"[: keep - keep // 2] + "0123456789"[10 - keep // 2 :]


def test_long_conversation_is_trimmed_in_linear_time() -> None:
    talk = [SYSTEM, *(said("user", 20) for _ in range(20_000))]
    began = time.process_time()
    shorter = trim(talk, 300, message_tokens)
    seconds = time.process_time() - began

    assert shorter.left_out > 19_000
    assert seconds < 10


def test_long_text_of_many_megabytes_is_cut_without_a_copy_of_it() -> None:
    import tracemalloc

    piece = ("word " * 13_000).encode()
    text = LongText([piece] * 320)  # 20 MB, and 65 KB of memory
    message = Message("user", text)
    tracemalloc.start()
    shorter = trim((message,), 1000, message_tokens)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert message_tokens(shorter.messages[0]) <= 1000
    assert peak < 8_000_000


def test_transcript_tells_who_said_what() -> None:
    talk = [
        Message("user", (Text("Look"), Image(PNG), Document(b"%PDF-1"))),
        Message("assistant", "I do", tool_calls=(ToolCall("1", "zoom", '{"by": 2}'),)),
        Message("tool", "x" * 100, tool_call_id="1"),
        Message("assistant", "", tool_calls=(ToolCall("2", "find", "y" * 50),)),
    ]

    assert transcript(talk, 20) == (
        "User: [image]\n\nUser: [document]\n\nUser: Look\n\nAssistant: I do\n\n"
        'Assistant calls zoom({"by": 2})\n\n'
        "Result of a tool: xxxxxxxxxx\n\n[… 80 characters left out …]\n\nxxxxxxxxxx\n\n"
        "Assistant calls find(yyyyyyyyyy\n\n[… 30 characters left out …]\n\nyyyyyyyyyy)",
        110,
    )
