"""`llm-client health --deep`: one token, through everything that any other call goes through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..support.fault_server import (
    Received,
    Script,
    Wire,
)
from ..support.health_servers import REFUSES, by_path, keyed, listed
from ..support.ledgers import rows
from .health_runs import lines, only_who_is_named, with_provider
from .model_servers import KEY, configure, providers
from .program import answer, error, run


@pytest.fixture(autouse=True)
def _named_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    only_who_is_named(monkeypatch)


def test_deep_check_generates_one_token_that_the_ledger_has(
    llama_server: str, clean_environment: Path, data: Path
) -> None:
    configure(
        clean_environment,
        '[profiles.default]\nmodel = "work/demo"\nfallback = ["dead/x"]\n'
        + with_provider(llama_server)
        + with_provider("http://127.0.0.1:9/v1", name="dead"),
    )
    result = run("health", "--deep", "--json")

    assert result.status == 4
    dead, work = result.json["providers"]
    assert (dead["problem"], dead["deep"]) == ("unreachable", None)
    assert work["healthy"]
    assert work["deep"]["model"] == "demo"
    assert work["deep"]["time_to_first_token_ms"] > 0
    assert work["deep"]["tokens_per_second"] > 0
    (attempt,) = rows(data)
    assert (attempt["provider"], attempt["completion_tokens"]) == ("work", 1)


def test_deep_check_goes_by_the_project_file(
    llama_server: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".llm_client.toml").write_text('project = "ours"\n')

    result = run("health", "--deep", "-u", llama_server, cwd=tmp_path)

    assert result.status == 0, result.stderr
    assert [attempt["project"] for attempt in rows(data)] == ["ours"]


@pytest.mark.parametrize("flags", [["-p", "jan"], []], ids=["named", "all"])
def test_deep_check_asks_the_first_model_where_none_is_named(
    flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"/v1/models": listed("first", "second"), "POST /v1/chat/completions": answer("x")}
    with providers(monkeypatch, xai=by_path(answers), jan=by_path(answers)) as servers:
        monkeypatch.delenv("LLM_CLIENT_XAI_API_KEY")
        result = run("health", "--deep", *flags, "--json")
        posted = [r.body for r in servers["jan"].requests if r.method == "POST"]

    assert result.status == 0, result.stderr
    (jan,) = result.json["providers"]
    assert jan["deep"]["model"] == "some-model"
    assert b'"model":"first"' in posted[0]


@pytest.mark.parametrize(
    ("script", "problem", "expected"),
    [
        (error(500, "out of memory"), "failing", 4),
        (error(404, "The model `m` does not exist", code="model_not_found"), "model", 6),
        (error(401, "no"), "key", 3),
        (error(429, "slow down"), "limited", 5),
    ],
    ids=["failing", "model", "key", "limited"],
)
def test_deep_check_that_fails_is_told(
    script: Script, problem: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"/v1/models": listed("m"), "POST /v1/chat/completions": script}
    with providers(monkeypatch, jan=by_path(answers)) as servers:
        result = run("health", "--deep", "-m", "jan/m", "--json")
        posts = [r for r in servers["jan"].requests if r.method == "POST"]

    assert result.status == expected
    (jan,) = result.json["providers"]
    assert (jan["healthy"], jan["problem"]) == (False, problem)
    assert len(posts) == 1


def test_deep_check_asks_for_more_where_one_token_is_too_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusal = error(400, "Invalid 'max_output_tokens': expected a value >= 16")
    bodies: list[bytes] = []

    def script(wire: Wire, request: Received) -> bool:
        bodies.append(request.body)
        return (refusal if len(bodies) == 1 else answer("OK"))(wire, request)

    answers = {"/v1/models": listed("m"), "POST /v1/chat/completions": script}
    with providers(monkeypatch, jan=by_path(answers)):
        result = run("health", "--deep", "-p", "jan", "-m", "m", "--json")

    assert result.status == 0, result.stdout
    assert [json.loads(body)["max_tokens"] for body in bodies] == [1, 16]


def test_deep_check_that_the_budget_forbids_is_told(
    llama_server: str, clean_environment: Path
) -> None:
    configure(
        clean_environment,
        "[budget]\nper_call_usd = 0.000001\n"
        + '[pricing."work/*"]\ninput = 1000.0\noutput = 1000.0\n'
        + with_provider(llama_server),
    )

    result = run("health", "--deep", "-m", "work/demo")

    assert result.status == 8
    assert lines(result)["work"]["status"] == "budget"


def test_deep_check_leaves_alone_who_only_embeds(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(monkeypatch, voyage=keyed(KEY, REFUSES)) as servers:
        result = run("health", "--deep", "-p", "voyage")
        assert {r.path for r in servers["voyage"].requests} == {"/v1/embeddings"}

    assert result.status == 0
