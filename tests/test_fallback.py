"""Chains through the clients: who is asked, with which options, and what the books say of it.

Every row of the table is played by both clients, streamed and whole, against loopback servers; what
the servers saw, the ledger and the answer must agree.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llm_client import (
    AsyncLLMClient,
    FallingBack,
    LLMClient,
    LLMConfig,
    LLMError,
    LLMResponse,
    Retrying,
)
from llm_client.engine.cool_down import COOL_DOWNS
from llm_client.types.events import Waiting

from .support.chain import EVENTS, MODES, answer, configs, event, ledger, pauses, play, whole
from .support.fault_server import (
    FaultServer,
    Script,
    Wire,
    close_before_head,
    cut_body,
    cut_head,
    fault_server,
    html,
    respond,
    status,
)
from .support.fault_server import Received as Request


@pytest.fixture(autouse=True)
def _nobody_failed_yet() -> Iterator[None]:
    COOL_DOWNS.clear()
    yield
    COOL_DOWNS.clear()


def begun(ending: bytes = b"") -> Script:
    """Begin an answer, streamed or whole, and hang up in its middle, perhaps after more."""
    started = event({"choices": [{"index": 0, "delta": {"content": "Hel"}}]})

    def script(wire: Wire, request: Request) -> bool:
        if json.loads(request.body).get("stream"):
            return respond(headers=EVENTS, body=started + ending, close=True)(wire, request)
        return cut_body(b'{"choices": [')(wire, request)

    return script


OK, BUSY, BAD_KEY, NO_MODEL = answer(), status(503), status(401), status(404)
NO_QUOTA, WRONG, NOWHERE, CUT = status(402), status(400), close_before_head(), cut_head()
SLOW_DOWN, LATER = status(429, retry_after="0.02"), status(429, retry_after="121")
OVERLOADED = respond(headers=EVENTS, body=event({"error": {"type": "overloaded_error"}}))


@dataclass(frozen=True)
class Row:
    """What the servers do, in turn, and what must come of it."""

    servers: tuple[tuple[Script, ...], ...]
    """By target: what each request to it meets."""
    asked: tuple[int, ...]
    """How many requests each must see."""
    error: str | None = None
    """`None`: the last target that was asked answers."""
    retries: int = 1


TABLE = {
    "first": Row(((OK,), (OK,)), (1, 0)),
    "retry": Row(((BUSY, OK), (OK,)), (2, 0)),
    "two-retries": Row(((BUSY, CUT, OK), (OK,)), (3, 0), retries=2),
    "retry-after": Row(((SLOW_DOWN, OK), (OK,)), (2, 0)),
    "retries-then-fallback": Row(((BUSY, BUSY), (OK,)), (2, 1)),
    "fallback-then-retry": Row(((BAD_KEY,), (BUSY, OK)), (1, 2)),
    "retries-everywhere": Row(((BUSY,), (NOWHERE,), (BUSY, OK)), (2, 2, 2)),
    "no-retries": Row(((BUSY,), (OK,)), (1, 1), retries=0),
    "key": Row(((BAD_KEY,), (OK,)), (1, 1)),
    "model": Row(((NO_MODEL,), (OK,)), (1, 1)),
    "quota": Row(((NO_QUOTA,), (OK,)), (1, 1)),
    "too-long-a-wait": Row(((LATER,), (OK,)), (1, 1)),
    "web-page": Row(((html(),), (OK,)), (1, 1)),
    "overloaded-in-the-answer": Row(((OVERLOADED,), (OK,)), (2, 1)),
    "hangs-up": Row(((NOWHERE,), (OK,)), (2, 1)),
    "second-fails-too": Row(((BAD_KEY,), (NO_QUOTA,), (OK,)), (1, 1, 1)),
    "request-is-wrong": Row(((WRONG,), (OK,)), (1, 0), "ValidationError"),
    "request-is-wrong-for-the-second": Row(
        ((BAD_KEY,), (WRONG,), (OK,)), (1, 1, 0), "ValidationError"
    ),
    "all-fail": Row(((BAD_KEY,), (BUSY,)), (1, 2), "LLMServiceError"),
    "no-choice": Row(((BUSY,),), (2,), "LLMServiceError"),
}


def expected_ledger(row: Row) -> list[tuple[int, int, int, str]]:
    places = [
        (position, retry) for position, count in enumerate(row.asked) for retry in range(count)
    ]
    outcomes = ["error"] * (len(places) - 1) + ["ok" if row.error is None else "error"]
    return [
        (number, retry, position, outcome)
        for number, ((position, retry), outcome) in enumerate(zip(places, outcomes, strict=True), 1)
    ]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", TABLE)
def test_servers_ledger_and_answer_agree(name: str, mode: str) -> None:
    row = TABLE[name]
    with ExitStack() as stack:
        servers = [stack.enter_context(fault_server(*scripts)) for scripts in row.servers]
        played = play(mode, configs(servers, max_retries=row.retries))
        asked = tuple(len(server.requests) for server in servers)

    assert asked == row.asked
    attempts = sum(row.asked)
    used = [position for position, count in enumerate(row.asked) if count]
    assert [(r.attempt, r.retry, r.fallback, r.outcome) for r in played.records] == ledger()
    assert ledger() == expected_ledger(row)
    assert len(played.of(FallingBack)) == len(used) - 1
    assert len(played.of(Retrying)) == attempts - len(used)
    assert (None if played.error is None else type(played.error).__name__) == row.error
    if row.error is not None:
        return
    response = played.response
    assert response is not None
    assert response.content == "Hello"
    assert (response.attempts, response.retry_count) == (attempts, attempts - 1)
    is_fallback = used[-1] > 0
    assert response.used_fallback is is_fallback
    assert response.fallback_provider == ("openai-compatible" if is_fallback else None)
    assert played.text == ("Hello" if mode.endswith("streamed") else "")


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode.endswith("streamed")])
@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        pytest.param(b"", "StreamInterruptedError", id="cut"),
        pytest.param(event({"error": {"type": "overloaded_error"}}), "LLMServiceError", id="busy"),
        pytest.param(
            event({"error": {"code": "invalid_api_key"}}), "AuthenticationError", id="key"
        ),
    ],
)
def test_answer_that_started_is_never_restarted(mode: str, ending: bytes, kind: str) -> None:
    with fault_server(begun(ending)) as first, fault_server(OK) as second:
        played = play(mode, configs([first, second]))
        assert (len(first.requests), len(second.requests)) == (1, 0)

    assert type(played.error).__name__ == kind
    assert isinstance(played.error, LLMError)
    assert played.error.partial == played.text == "Hel"
    assert played.of(FallingBack) == played.of(Retrying) == []
    assert ledger() == [(1, 0, 0, "error")]


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode.endswith("whole")])
def test_whole_answer_that_was_cut_is_asked_for_again(mode: str) -> None:
    with fault_server(begun(), OK) as first, fault_server(OK) as second:
        played = play(mode, configs([first, second]))
        assert (len(first.requests), len(second.requests)) == (2, 0)

    assert played.response is not None
    assert ledger() == [(1, 0, 0, "error"), (2, 1, 0, "ok")]


@pytest.mark.parametrize("mode", MODES)
def test_idempotency_key_is_the_same_on_every_attempt(mode: str) -> None:
    with fault_server(BUSY, BUSY) as first, fault_server(SLOW_DOWN, OK) as second:
        played = play(mode, configs([first, second], max_retries=1), idempotency_key="order 66")
        requests = first.requests + second.requests

    assert played.response is not None
    assert [request.headers.get("idempotency-key") for request in requests] == ["order 66"] * 4


def test_no_idempotency_key_is_made_up() -> None:
    with fault_server(OK) as server:
        play("sync-whole", configs([server]))
        assert "idempotency-key" not in server.requests[0].headers


@pytest.mark.parametrize("mode", MODES)
def test_other_question_of_the_same_call_has_a_key_of_its_own(mode: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    scripts = (answer('{"a": "one"}'), BUSY, answer('{"a": 1}'))
    with fault_server(*scripts) as server:
        played = play(mode, configs([server]), schema=schema, idempotency_key="k")
        keys = [request.headers.get("idempotency-key") for request in server.requests]
        bodies = [request.body for request in server.requests]

    if mode.endswith("streamed"):
        assert keys == ["k"], "what was shown is not asked for again"
        return
    assert played.response is not None
    assert played.response.parsed == {"a": 1}
    assert keys == ["k", "k-2", "k-2"]
    assert bodies[0] != bodies[1] == bodies[2]


# --- chains of the configuration ---------------------------------------------------------------


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[tuple[Path, dict[str, FaultServer]]]:
    """Write a configuration whose default profile falls back to a profile and to a model."""
    with ExitStack() as stack:
        servers = {
            "one": stack.enter_context(fault_server(BAD_KEY)),
            "two": stack.enter_context(fault_server(BAD_KEY)),
            "three": stack.enter_context(fault_server(OK)),
        }
        lines = [
            "[profiles.default]",
            'model = "one/m"',
            'fallback = ["cloud", "three/m"]',
            "temperature = 0.5",
            "max_tokens = 50",
            'system = "Be kind."',
            "[profiles.cloud]",
            'model = "two/other"',
            "temperature = 0.9",
            'system = "Be brief."',
        ]
        for name, server in servers.items():
            lines += [f"[providers.{name}]", 'dialect = "openai-chat"']
            lines += [f'base_url = "{server.url}/v1"']
        file = tmp_path / "config.toml"
        file.write_text("\n".join(lines))
        yield file, servers


def sent(server: FaultServer) -> dict[str, Any]:
    """Return what the request to a server said besides its stream options."""
    (request,) = server.requests
    body: dict[str, Any] = json.loads(request.body)
    body["messages"] = [(message["role"], message["content"]) for message in body["messages"]]
    names = ("model", "messages", "temperature", "max_tokens")
    return {name: body.get(name) for name in names}


@pytest.mark.parametrize("mode", MODES)
def test_profile_in_a_chain_brings_its_own_options(
    chain: tuple[Path, dict[str, FaultServer]], mode: str
) -> None:
    file, servers = chain
    config: Any = None
    played = play(mode, config, config_path=file)

    kind = [("system", "Be kind."), ("user", "hi")]
    brief = [("system", "Be brief."), ("user", "hi")]
    assert sent(servers["one"]) == {
        "model": "m",
        "messages": kind,
        "temperature": 0.5,
        "max_tokens": 50,
    }
    assert sent(servers["two"]) == {
        "model": "other",
        "messages": brief,
        "temperature": 0.9,
        "max_tokens": None,
    }
    assert sent(servers["three"]) == {
        "model": "m",
        "messages": kind,
        "temperature": 0.5,
        "max_tokens": 50,
    }
    assert played.response is not None
    assert played.response.provider == played.response.fallback_provider == "three"
    assert [(e.failed, e.next) for e in played.of(FallingBack)] == [
        ("one/m", "two/other"),
        ("two/other", "three/m"),
    ]


def test_what_the_call_says_stands_over_every_profile(
    chain: tuple[Path, dict[str, FaultServer]],
) -> None:
    file, servers = chain
    config: Any = None
    play("sync-whole", config, config_path=file, temperature=0.1, system="Be.")

    for server in servers.values():
        assert sent(server)["temperature"] == 0.1
        assert sent(server)["messages"][0] == ("system", "Be.")


@pytest.mark.parametrize("make", [LLMClient, AsyncLLMClient], ids=["sync", "async"])
def test_chain_that_is_set_replaces_the_configured_one(
    chain: tuple[Path, dict[str, FaultServer]], make: Callable[..., Any]
) -> None:
    file, servers = chain

    async def work() -> LLMResponse:
        client = make(config_path=file)
        client.set_fallback_chain([LLMConfig(provider="three", model="x", temperature=0.7)])
        try:
            answer = client.generate("hi")
            return await answer if make is AsyncLLMClient else answer  # type: ignore[no-any-return]
        finally:
            closed = client.close()
            if make is AsyncLLMClient:
                await closed

    response = asyncio.run(work())

    assert response.fallback_provider == "three"
    assert servers["two"].requests == []
    assert sent(servers["three"])["model"] == "x"
    assert sent(servers["three"])["temperature"] == 0.7


def test_empty_chain_takes_every_fallback_away(chain: tuple[Path, dict[str, FaultServer]]) -> None:
    file, servers = chain
    with LLMClient(config_path=file) as client:
        client.set_fallback_chain([])
        with pytest.raises(LLMError, match="wants a key"):
            client.generate("hi")

    assert servers["two"].requests == servers["three"].requests == []


# --- who failed a moment ago -------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_provider_that_failed_is_passed_over_by_the_next_call(mode: str) -> None:
    with fault_server(BAD_KEY) as first, fault_server(OK) as second:
        config = configs([first, second])
        one = play(mode, config)
        two = play(mode, config)
        assert (len(first.requests), len(second.requests)) == (1, 2)

    for played, attempts in ((one, 2), (two, 1)):
        assert played.response is not None
        assert played.response.attempts == attempts
        assert played.response.used_fallback
        (switch,) = played.of(FallingBack)
        assert type(switch.error).__name__ == "AuthenticationError"
    assert ledger() == [(1, 0, 0, "error"), (2, 0, 1, "ok"), (1, 0, 1, "ok")]


def test_other_key_for_the_same_provider_is_asked() -> None:
    with fault_server(BAD_KEY) as first, fault_server(OK) as second:
        play("sync-whole", configs([first, second], api_key="sk-not-a-real-key-1"))
        play("sync-whole", configs([first, second], api_key="sk-not-a-real-key-2"))
        assert (len(first.requests), len(second.requests)) == (2, 2)


# --- everybody waits ---------------------------------------------------------------------------


def test_answer_that_used_a_limit_up_makes_the_next_call_wait() -> None:
    used_up = [("X-RateLimit-Remaining-Tokens", "0"), ("X-RateLimit-Reset-Tokens", "300ms")]
    with fault_server(whole(*used_up), OK) as server:
        play("sync-whole", configs([server]))
        assert len(pauses()) == 1
        played = play("sync-whole", configs([server]))

    (waiting,) = played.of(Waiting)
    assert 0 < waiting.seconds < 0.5
    assert played.response is not None


def test_retry_after_on_an_answer_is_no_reason_to_wait() -> None:
    with fault_server(whole(("Retry-After", "60"))) as server:
        played = play("sync-whole", configs([server]))
        assert pauses() == []
        assert played.response is not None


def test_provider_that_asks_everybody_to_wait_for_long_is_not_asked_again() -> None:
    with fault_server(LATER) as first, fault_server(OK) as second:
        play("sync-whole", configs([first]))
        refused = play("sync-whole", configs([first]))
        other = play("sync-whole", configs([first, second]))
        assert (len(first.requests), len(second.requests)) == (1, 1)

    assert type(refused.error).__name__ == "RateLimitError"
    assert isinstance(refused.error, LLMError)
    assert refused.error.retry_after is not None
    assert 100 < refused.error.retry_after <= 121
    assert refused.records == []
    assert other.response is not None
    assert (other.response.attempts, other.response.used_fallback) == (1, True)
