"""Answers on disk: they come back whole, for a while, and take no more than their room."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from llm_client.dialects import find_dialect
from llm_client.providers.catalog import CATALOG
from llm_client.storage import response_cache
from llm_client.storage.response_cache import ResponseCache
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse, Usage, chunks_of, fold
from llm_client.types.secret import Secret

from .answers import ANSWER, REQUEST, TARGET, WallClock, ask, change, rows, say

OF_THE_CALL: dict[str, Any] = {
    "attempts": 3,
    "fallback_provider": "x",
    "latency_ms": 7.0,
    "metadata": {"call_id": "x"},
    "parsed": 1,
    "raw": {"x": "y"},
    "retry_count": 2,
    "used_fallback": True,
}


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "responses"


@pytest.fixture
def cache(directory: Path, clock: WallClock) -> Iterator[ResponseCache]:
    cache = ResponseCache(directory, 3600.0, 1 << 20, clock)
    yield cache
    cache.close()


def kept(cache: ResponseCache, *questions: str) -> list[str]:
    """Return which of the questions have an answer in the cache."""
    return [text for text in questions if cache.lookup(ask(text), TARGET) is not None]


# --- what comes back ---------------------------------------------------------------------------


def test_unknown_question_has_no_answer(cache: ResponseCache) -> None:
    assert cache.lookup(REQUEST, TARGET) is None


def test_answer_comes_back_whole(cache: ResponseCache) -> None:
    cache.store(REQUEST, TARGET, ANSWER)

    assert cache.lookup(REQUEST, TARGET) == ANSWER


def test_answer_without_the_optional_parts_comes_back_whole(cache: ResponseCache) -> None:
    cache.store(REQUEST, TARGET, say("ok"))

    assert cache.lookup(REQUEST, TARGET) == say("ok")


def test_every_field_is_kept_or_belongs_to_the_call(cache: ResponseCache) -> None:
    for field in fields(LLMResponse):
        if field.name not in OF_THE_CALL:
            assert getattr(ANSWER, field.name) not in (None, (), ""), field.name
    cache.store(REQUEST, TARGET, replace(ANSWER, **OF_THE_CALL))
    found = cache.lookup(REQUEST, TARGET)

    assert found == ANSWER
    assert found.raw is None


def test_every_part_of_usage_is_kept(cache: ResponseCache) -> None:
    assert all(getattr(ANSWER.usage, field.name) for field in fields(Usage))
    cache.store(REQUEST, TARGET, ANSWER)
    found = cache.lookup(REQUEST, TARGET)

    assert found is not None
    assert found.usage == ANSWER.usage


def test_chunks_of_an_answer_make_the_same_answer(cache: ResponseCache) -> None:
    cache.store(REQUEST, TARGET, ANSWER)
    found = cache.lookup(REQUEST, TARGET)

    assert found is not None
    assert fold(chunks_of(found), provider="openai") == ANSWER


RESPONSES_STREAM = b"".join(
    b"data: " + line + b"\n\n"
    for line in (
        b'{"type":"response.created","response":{"id":"r","model":"gpt","output":[]}}',
        b'{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"ok"}',
        b'{"type":"response.completed","response":{"id":"r","model":"gpt","status":"completed",'
        b'"output":[{"type":"reasoning","id":"rs","encrypted_content":"gAAA","summary":[]},'
        b'{"type":"message","id":"m","role":"assistant","status":"completed",'
        b'"content":[{"type":"output_text","text":"ok","annotations":[]}]}],'
        b'"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}}',
    )
)


def test_state_that_a_dialect_makes_comes_back_equal(cache: ResponseCache) -> None:
    target = replace(TARGET, provider=replace(CATALOG["openai"], dialect="openai-responses"))
    decoder = find_dialect("openai-responses").decoder(target)
    response = fold([*decoder.feed(RESPONSES_STREAM), *decoder.end()], provider="openai")
    assert response.provider_state is not None
    cache.store(REQUEST, target, response)

    assert cache.lookup(REQUEST, target) == response


@dataclass
class City:
    name: str
    people: int


def test_structured_answer_is_made_again_of_its_type(cache: ResponseCache) -> None:
    request = LLMRequest((Message("user", "hi"),), schema=City)  # type: ignore[arg-type]
    answer = say('{"name": "Rome", "people": 3}')
    cache.store(request, TARGET, replace(answer, parsed=City("Rome", 3)))
    as_json = replace(request, schema_type=None)
    found, plain = cache.lookup(request, TARGET), cache.lookup(as_json, TARGET)

    assert found == replace(answer, parsed=City("Rome", 3))
    assert plain == replace(answer, parsed={"name": "Rome", "people": 3})


def test_answer_that_is_no_longer_right_for_its_type_is_no_answer(cache: ResponseCache) -> None:
    request = LLMRequest((Message("user", "hi"),), schema=City)  # type: ignore[arg-type]
    cache.store(request, TARGET, say('{"name": "Rome"}'))

    assert cache.lookup(request, TARGET) is None


def test_answer_belongs_to_its_question_and_target(cache: ResponseCache) -> None:
    cache.store(REQUEST, TARGET, ANSWER)

    assert cache.lookup(ask("ho"), TARGET) is None
    assert cache.lookup(REQUEST, replace(TARGET, model="gpt-2")) is None


def test_newer_answer_replaces_an_older_one(cache: ResponseCache, directory: Path) -> None:
    cache.store(REQUEST, TARGET, say("old"))
    cache.store(REQUEST, TARGET, say("new"))
    found = cache.lookup(REQUEST, TARGET)

    assert found == say("new")
    assert rows(directory, "SELECT count(*) FROM responses") == [(1,)]


def test_answer_that_is_not_whole_is_not_kept(cache: ResponseCache, directory: Path) -> None:
    cache.store(REQUEST, TARGET, replace(ANSWER, finish_reason="length"))
    cache.store(REQUEST, TARGET, replace(say(""), reasoning="Hm."))

    assert not directory.exists()


def test_neither_question_nor_key_is_on_disk(cache: ResponseCache, directory: Path) -> None:
    target = replace(TARGET, api_key=Secret("sk-very-secret-key"))
    cache.store(ask("a very private question"), target, ANSWER)
    cache.close()

    stored = b"".join(path.read_bytes() for path in directory.iterdir())
    assert b"gpt-2026" in stored
    assert b"very" not in stored


# --- how long --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "is_fresh"), [(0.0, True), (3599.9, True), (3600.0, False), (1e9, False), (-1.0, False)]
)
def test_answer_is_fresh_for_its_time_and_not_from_the_future(
    cache: ResponseCache, clock: WallClock, age: float, is_fresh: bool
) -> None:
    cache.store(REQUEST, TARGET, ANSWER)
    clock.now += age

    assert (cache.lookup(REQUEST, TARGET) is not None) is is_fresh


def test_using_an_answer_does_not_keep_it_fresh(cache: ResponseCache, clock: WallClock) -> None:
    cache.store(REQUEST, TARGET, ANSWER)
    for _ in range(3):
        clock.now += 1000
        assert cache.lookup(REQUEST, TARGET) is not None
    clock.now += 1000

    assert cache.lookup(REQUEST, TARGET) is None


def test_old_answers_go_when_a_new_one_comes(
    cache: ResponseCache, clock: WallClock, directory: Path
) -> None:
    for number in range(10):
        cache.store(ask(str(number)), TARGET, ANSWER)
    clock.now += 3601
    cache.store(REQUEST, TARGET, ANSWER)

    assert rows(directory, "SELECT count(*) FROM responses") == [(1,)]


def test_answers_of_a_clock_that_was_wrong_go_when_a_new_one_comes(
    cache: ResponseCache, clock: WallClock, directory: Path
) -> None:
    clock.now += 1e6
    for number in range(10):
        cache.store(ask(str(number)), TARGET, ANSWER)
    clock.now -= 1e6
    assert kept(cache, *map(str, range(10))) == []
    cache.store(REQUEST, TARGET, ANSWER)

    assert rows(directory, "SELECT count(*) FROM responses") == [(1,)]


@pytest.mark.parametrize(("ttl", "room"), [(0.0, 1e6), (-1.0, 1e6), (60.0, 0.0)])
def test_cache_without_time_or_room_keeps_nothing(directory: Path, ttl: float, room: float) -> None:
    cache = ResponseCache(directory, ttl, room)
    cache.store(REQUEST, TARGET, ANSWER)
    cache.close()

    assert not directory.exists()


# --- how many --------------------------------------------------------------------------------


def size(directory: Path) -> int:
    return (directory / "responses.db").stat().st_size


@pytest.mark.parametrize("length", [100, 3_000, 20_000, 200_000])
def test_file_does_not_grow_beyond_its_room(
    cache: ResponseCache, directory: Path, length: int
) -> None:
    chance = random.Random(length)
    for number in range(3_000_000 // (length + 900)):
        text = "x" * chance.randrange(length // 2, length * 3 // 2)
        cache.store(ask(str(number)), TARGET, say(text))
    cache.close()
    change(directory, "PRAGMA wal_checkpoint(TRUNCATE)")

    assert 0.5 * (1 << 20) < size(directory) <= (1 << 20) + 8 * 4096
    ((body,),) = rows(directory, "SELECT sum(length(body)) FROM responses")
    assert body > 0.5 * (1 << 20)


def test_what_was_not_used_for_longest_goes_first(cache: ResponseCache, clock: WallClock) -> None:
    names = [str(number) for number in range(9)]
    for name in names:
        cache.store(ask(name), TARGET, say("x" * 100_000))
        clock.now += 61
    assert kept(cache, "0", "2") == ["0", "2"]
    clock.now += 61
    for name in ("new", "newer", "newest"):
        cache.store(ask(name), TARGET, say("x" * 100_000))
        clock.now += 61

    assert set(names) - set(kept(cache, *names)) == {"1", "3"}
    assert kept(cache, "new", "newer", "newest") == ["new", "newer", "newest"]


def test_large_answer_takes_the_room_of_many_small_ones(
    cache: ResponseCache, directory: Path
) -> None:
    for number in range(500):
        cache.store(ask(str(number)), TARGET, say("x" * 2000))
    cache.store(ask("large"), TARGET, say("x" * 900_000))

    assert kept(cache, "large") == ["large"]
    assert rows(directory, "SELECT count(*) FROM responses")[0][0] < 100


def test_answer_larger_than_the_room_is_not_kept(cache: ResponseCache) -> None:
    cache.store(ask("small"), TARGET, say("x"))
    cache.store(ask("large"), TARGET, say("x" * (1 << 20)))

    assert kept(cache, "small", "large") == ["small"]


def test_removing_is_bounded_and_goes_on_with_the_next(
    directory: Path, clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = ResponseCache(directory, 3600.0, 1e9, clock)
    for number in range(400):
        large.store(ask(str(number)), TARGET, say("x" * 2000))
    large.close()
    monkeypatch.setattr(response_cache, "_MOST_REMOVED", 50)
    small = ResponseCache(directory, 3600.0, 100_000, clock)
    counts = []
    for number in range(10):
        small.store(ask(f"new {number}"), TARGET, say("x" * 2000))
        counts += rows(directory, "SELECT count(*) FROM responses")
    small.close()

    assert counts[0] == (351,)
    assert counts[-1][0] < 50
