"""What shows that a key is accepted, and that nobody sees it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_client import LLMConfig
from llm_client.policy.route import resolve_target
from llm_client.types.config import Settings
from llm_client.types.health import LoadedModel

from .support.fault_server import (
    Script,
    fault_server,
    respond,
    say_nothing,
    status,
)
from .support.health_checks import KEY, check, target_of
from .support.health_servers import (
    REFUSES,
    by_path,
    keyed,
    listed,
    said,
)


def test_public_list_proves_nothing_and_openrouter_is_asked_about_the_key() -> None:
    answers = {"/api/v1/models": listed("x/y"), "/api/v1/key": keyed(KEY, said({"data": {}}))}
    with fault_server(by_path(answers)) as server:
        right = check(target_of(server.url, "openrouter", KEY))
        wrong = check(target_of(server.url, "openrouter", "sk-wrong-0123456789"))

    assert (right.healthy, right.key_accepted) == (True, True)
    assert (wrong.healthy, wrong.key_accepted, wrong.problem) == (False, False, "key")


def test_key_question_that_is_not_known_there_leaves_it_open() -> None:
    with fault_server(by_path({"/api/v1/models": listed("x/y")})) as server:
        report = check(target_of(server.url, "openrouter", KEY))

    assert (report.healthy, report.key_accepted) == (True, None)


@pytest.mark.parametrize(
    ("empty_call", "accepted"),
    [
        pytest.param(keyed(KEY, REFUSES), True, id="key-first"),
        pytest.param(REFUSES, None, id="key-last"),
        pytest.param(said({}), None, id="takes-anything"),
        pytest.param(status(405), None, id="not-there"),
        pytest.param(status(500), None, id="broken"),
        pytest.param(say_nothing(), None, id="silent"),
    ],
)
def test_empty_call_proves_a_key_where_one_is_looked_at_first(
    empty_call: Script, accepted: bool | None
) -> None:
    answers = {"/v1/models": listed("m"), "POST /v1/chat/completions": empty_call}
    with fault_server(by_path(answers)) as server:
        report = check(target_of(server.url, "nvidia", KEY), seconds=0.5)

    assert (report.healthy, report.key_accepted) == (True, accepted)
    assert {request.body for request in server.requests if request.method == "POST"} == {b"{}"}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(status(403), "key"), (status(429), "limited"), (status(402), "limited")],
    ids=["refused", "limited", "no-credit"],
)
def test_empty_call_that_is_refused_for_us_is_told(answer: Script, problem: str) -> None:
    answers = {"/v1/models": listed("m"), "POST /v1/chat/completions": answer}
    with fault_server(by_path(answers)) as server:
        report = check(target_of(server.url, "nvidia", KEY))

    assert (report.healthy, report.problem, report.reachable) == (False, problem, True)


@pytest.mark.parametrize("provider", ["perplexity", "minimax"])
def test_provider_without_a_list_is_asked_with_an_empty_call(provider: str) -> None:
    with fault_server(keyed(KEY, REFUSES)) as server:
        right = check(target_of(server.url, provider, KEY), "sonar")
        wrong = check(target_of(server.url, provider, "sk-wrong-0123456789"))

    assert (right.healthy, right.key_accepted, right.model_present) == (True, True, None)
    assert right.latency_ms is not None
    assert (wrong.healthy, wrong.problem) == (False, "key")
    assert len(server.requests) == 3
    assert {request.body for request in server.requests} == {b"{}"}


def test_voyage_is_asked_where_it_embeds() -> None:
    answers = {"POST /v1/embeddings": keyed(KEY, said({"detail": "missing input"}, 400))}
    with fault_server(by_path(answers)) as server:
        assert check(target_of(server.url, "voyage", KEY)).key_accepted is True


def test_databricks_is_asked_beside_its_address() -> None:
    answers = {"/api/2.0/serving-endpoints": keyed(KEY, said({"endpoints": []}))}
    with fault_server(by_path(answers)) as server:
        config = LLMConfig(provider="databricks", api_key=KEY, fields={"host": server.url})
        report = check(resolve_target(config, Settings(), {}))

    assert (report.healthy, report.key_accepted) == (True, True)


@pytest.mark.parametrize("empty_call", [status(404), status(503)], ids=["no-path", "broken"])
def test_provider_without_a_list_that_does_not_know_calls_is_not_healthy(
    empty_call: Script,
) -> None:
    with fault_server(empty_call) as server:
        report = check(target_of(server.url, "perplexity", KEY))

    assert (report.healthy, report.problem, report.reachable) == (False, "failing", True)


@pytest.mark.parametrize("host", ["vendor", "proxy"])
def test_list_of_the_vendor_proves_the_key_and_that_of_a_proxy_does_not(host: str) -> None:
    with fault_server(listed("gpt-5")) as server:
        target = target_of(server.url, "openai", KEY)
        if host == "vendor":
            row = replace(target.provider, base_url=f"{server.url}/v1")
            target = replace(target, provider=row)
        report = check(target, "gpt-5")

    assert (report.healthy, report.key_accepted) == (True, True if host == "vendor" else None)
    assert len(server.requests) == (1 if host == "vendor" else 2)


@pytest.mark.parametrize(
    ("provider", "header", "path"),
    [
        ("anthropic", "x-api-key", "/v1/models"),
        ("gemini", "x-goog-api-key", "/v1beta/models"),
        ("cohere", "authorization", "/v1/models"),
    ],
)
def test_key_stands_where_the_dialect_has_it(provider: str, header: str, path: str) -> None:
    rows = [{"id": "m", "name": "models/m"}]
    answer = said({"data": rows, "models": rows})
    with fault_server(by_path({path: keyed(KEY, answer, header)})) as server:
        assert check(target_of(server.url, provider, KEY)).key_accepted is True
        assert check(target_of(server.url, provider, "sk-wrong-01234567")).key_accepted is False


def test_password_of_an_address_counts_as_a_key() -> None:
    with fault_server(listed("m")) as server:
        report = check(target_of(server.url.replace("//", "//bob:hunter2-secret@")))

    assert (report.has_key, report.key_accepted) == (True, None)
    assert "hunter2" not in repr(report)


def test_key_that_a_server_repeats_is_not_in_the_report() -> None:
    told = {"build_info": f"b1 {KEY}", "model_path": KEY}
    props = {**told, "default_generation_settings": {"n_ctx": 7}}
    answers = {"/v1/models": listed(f"m-{KEY}"), "/health": respond(200), "/props": said(props)}
    with fault_server(by_path(answers)) as server:
        report = check(target_of(server.url, "llamacpp", KEY))

    assert report.models == ("m-***",)
    assert (report.version, report.loaded) == ("b1 ***", (LoadedModel("***", 7),))
    assert KEY not in repr(report)
