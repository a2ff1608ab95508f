"""What stderr says while an answer takes longer: one line per retry, switch and long wait."""

from __future__ import annotations

import json
import re

import pytest

from llm_client.cli.progress import Progress
from llm_client.types.events import Waiting

from ..support.fault_server import Script, fault_server, respond, status
from .program import answer, run
from .test_in_process import make_environment, said

JSON = [("Content-Type", "application/json")]
BUSY = status(503, b'{"error": {"message": "busy"}}')
BAD_KEY = status(401, b'{"error": {"message": "who are you"}}')


def generate(url: str, *arguments: str) -> tuple[int, bytes, list[str]]:
    """Run the program against a server; return its status, what it printed and its lines."""
    result = run("generate", "-u", url, "-m", "m", *arguments, "hi")
    return result.status, result.stdout, result.stderr.splitlines()


def test_every_retry_is_one_line() -> None:
    with fault_server(status(429, b"{}", retry_after="0.2"), BUSY, answer("Yes.")) as server:
        code, out, lines = generate(server.url)
        assert len(server.requests) == 3

    assert (code, out) == (0, b"Yes.\n")
    first, second = lines
    assert re.fullmatch(
        r"openai-compatible/m: .+ \(429\): .+ Trying again in 0\.2 s \(1 of 3\)\.", first
    )
    assert re.fullmatch(
        r"openai-compatible/m: .+ \(503\): busy\. Trying again in \d\.\d s \(2 of 3\)\.", second
    )


def test_every_switch_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        fault_server(BAD_KEY) as one,
        fault_server(BAD_KEY) as two,
        fault_server(answer("Yes.")) as three,
    ):
        monkeypatch.setenv("LLM_CLIENT_VLLM_BASE_URL", f"{two.url}/v1")
        monkeypatch.setenv("LLM_CLIENT_LMSTUDIO_BASE_URL", f"{three.url}/v1")
        code, out, lines = generate(one.url, "--fallback", "vllm/b", "--fallback", "lmstudio/c")
        assert [len(server.requests) for server in (one, two, three)] == [1, 1, 1]

    assert (code, out) == (0, b"Yes.\n")
    first, second = lines
    assert re.fullmatch(r"openai-compatible/m: .+ Going on with vllm/b\.", first)
    assert re.fullmatch(r"vllm/b: .+ Going on with lmstudio/c\.", second)


def test_chain_that_fails_as_a_whole_says_both_and_ends_with_the_last_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fault_server(BAD_KEY) as one, fault_server(status(402)) as two:
        monkeypatch.setenv("LLM_CLIENT_VLLM_BASE_URL", f"{two.url}/v1")
        code, out, lines = generate(one.url, "--fallback", "vllm/b")

    assert (code, out) == (5, b"")
    assert lines[0].startswith("openai-compatible/m: ")
    assert lines[0].endswith(" Going on with vllm/b.")
    assert any("The quota at vllm is used up" in line for line in lines[1:])
    assert sum("Going on with" in line for line in lines) == 1


def limited(seconds: str) -> Script:
    """Answer, and say that no further token is left for a while."""
    used_up = [("X-RateLimit-Remaining-Tokens", "0"), ("X-RateLimit-Reset-Tokens", seconds)]
    choice = {"message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}
    return respond(headers=[*JSON, *used_up], body=json.dumps({"choices": [choice]}).encode())


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(
            "5s",
            ["openai-compatible/m: waiting N s for the rate limit, as the provider asked."],
            id="long",
        ),
        pytest.param("1s", [], id="short"),
    ],
)
def test_wait_for_a_limit_that_another_process_used_up_is_one_line_when_it_is_long(
    seconds: str, expected: list[str]
) -> None:
    with fault_server(limited(seconds), answer("Yes.")) as server:
        assert generate(server.url) == (0, b"Yes.\n", [])
        code, out, lines = generate(server.url)

    assert (code, out) == (0, b"Yes.\n")
    assert [re.sub(r"waiting [345] s", "waiting N s", line) for line in lines] == expected


def test_other_process_leaves_a_provider_alone_that_asks_for_long() -> None:
    with fault_server(status(429, b"{}", retry_after="500")) as server:
        code, _, _ = generate(server.url)
        again, out, lines = generate(server.url)
        assert len(server.requests) == 1

    assert (code, again, out) == (5, 5, b"")
    assert "asked to be left alone" in lines[0]


@pytest.mark.parametrize(
    ("limited", "why"),
    [(True, "configured rate limit"), (False, "rate limit, as the provider asked")],
)
@pytest.mark.parametrize(
    ("seconds", "waiting"),
    [(0.5, ""), (2.0, ""), (2.01, "waiting 3 s"), (12.0, "waiting 12 s")],
)
def test_wait_is_said_in_whole_seconds_from_two_on(
    seconds: float, waiting: str, limited: bool, why: str
) -> None:
    environment = make_environment()
    Progress(environment, quiet=False, verbose=False)(Waiting("a/b", seconds, limited))

    line = f"a/b: {waiting} for the {why}.\n"
    assert said(environment) == (line if waiting else "")


def test_wait_is_not_said_to_who_wants_no_notes() -> None:
    environment = make_environment()
    Progress(environment, quiet=True, verbose=False)(Waiting("a/b", 12.0))

    assert said(environment) == ""
