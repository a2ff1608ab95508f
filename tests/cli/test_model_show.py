"""`llm-client models show`: every fact of one model, and where it is from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_client.cli.exit_status import ExitStatus

from ..support.fault_server import fault_server, garbage, status
from .model_servers import configure, gemini, grow_old, listed, ollama, providers
from .program import Result, run
from .terminal import terminal

ROW = {
    "id": "gpt-4o",
    "owned_by": "them",
    "created": 1_700_000_000,
    "expiration_date": "2999-01-01",
    "description": "Writes\ntexts.\x1b[31m",
    "max_output_tokens": 16384,
    "capabilities": ["tools", "vision"],
}


def facts(result: Result) -> dict[str, tuple[str, str]]:
    """Return value and source of each fact."""
    found = {}
    for line in result.text.splitlines():
        label, value, source = line.split("\t")
        found[label] = (value, source)
    return found


def test_every_fact_says_where_it_is_from(
    clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(clean_environment, "[profiles]\nsmart = 'big'\n[profiles.big]\nmodel='openai/gpt-4o'")
    with providers(monkeypatch, openai=listed(ROW)) as servers:
        result = run("models", "show", "openai/gpt-4o")
        by_profile = run("models", "show", "smart")
        url = servers["openai"].url

        assert facts(result) == {
            "model": ("openai/gpt-4o", ""),
            "address": (f"{url}/v1", "LLM_CLIENT_OPENAI_BASE_URL"),
            "dialect": ("openai-chat", "catalog"),
            "window": ("128,000 tokens", "price list"),
            "longest answer": ("16,384 tokens", "provider"),
            "abilities": ("tools, vision", "provider"),
            "price of the prompt": ("$2.5 per million tokens", "price list"),
            "… from the cache": ("$1.25 per million tokens", "price list"),
            "price of the answer": ("$10 per million tokens", "price list"),
            "owner": ("them", "provider"),
            "created": ("2023-11-14", "provider"),
            "retires": ("2999-01-01", "provider"),
            "profiles": ("big, smart", "configuration"),
            "listed": ("just now", ""),
            "description": ("Writes texts.␛[31m", "provider"),
        }
        assert (result.status, result.stderr) == (0, "")
        assert facts(by_profile)["model"] == ("openai/gpt-4o", "")
        assert len(servers["openai"].requests) == 1


def test_json_has_the_facts_and_their_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(monkeypatch, openai=listed(ROW)):
        found = run("models", "show", "openai/gpt-4o", "--json").json

    assert found["schema_version"] == 1
    assert found["spec"] == "openai/gpt-4o"
    assert found["price"]["input"] == 2.5
    assert found["note"] is None
    assert found["sources"] == {
        "id": "provider",
        "created": "provider",
        "owned_by": "provider",
        "description": "provider",
        "max_output_tokens": "provider",
        "capabilities": "provider",
        "retires_at": "provider",
        "context_length": "price list",
        "price": "price list",
        "base_url": "LLM_CLIENT_OPENAI_BASE_URL",
        "dialect": "catalog",
    }


def test_prices_that_grow_with_the_prompt_are_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(monkeypatch, openai=listed("gpt-5.6-luna")):
        found = facts(run("models", "show", "openai/gpt-5.6-luna"))

    assert found["price of the prompt"][0] == (
        "$0.2 per million tokens, $0.4 above 272,000 tokens of prompt"
    )
    assert found["asked"] == ("with -p openai alone", "")
    assert found["dialect"] == ("openai-responses", "catalog")


def test_own_price_address_and_default_are_of_the_configuration(clean_environment: Path) -> None:
    with fault_server(listed("m", {"id": "free"})) as server:
        configure(
            clean_environment,
            f"""
            default_profile = "d"
            [profiles.d]
            model = "work/m"
            [providers.work]
            dialect = "openai-chat"
            base_url = "{server.url}"
            [pricing."work/m"]
            input = 0.4
            [pricing."work/free"]
            input = 0
            output = 0
            """,
        )
        found = facts(run("models", "show", "work/m"))
        free = facts(run("models", "show", "work/free"))

        assert found["price of the prompt"] == ("$0.4 per million tokens", "configuration")
        assert found["address"] == (f"{server.url}/v1", "configuration")
        assert found["dialect"] == ("openai-chat", "configuration")
        assert found["asked"] == ("when nothing is named and with -p work alone", "")
        assert free["price of the answer"] == ("$0 per million tokens", "configuration")


def test_local_model_has_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = (ollama("llama3.2:latest"), listed("llama3.2:latest"))
    with providers(monkeypatch, ollama=scripts) as servers:
        found = facts(run("models", "show", "ollama/llama3.2"))
        bare = facts(run("models", "show", "llama3.2:latest", "-u", f"{servers['ollama'].url}/v1"))

    assert found["model"] == ("ollama/llama3.2:latest", "")
    assert found["price"] == ("none: it runs on this machine", "")
    assert bare["model"] == ("llama3.2:latest", "")
    assert bare["address"][1] == "command line"


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("ollama/lama3.2", "Did you mean 'llama3.2:1b'"),
        ("ollama/qqqq", "`llm-client models -p ollama --all`"),
    ],
)
def test_model_that_is_not_listed_is_not_found(
    monkeypatch: pytest.MonkeyPatch, spec: str, hint: str
) -> None:
    with providers(monkeypatch, ollama=ollama("llama3.2:1b")):
        result = run("models", "show", spec)
        as_json = run("models", "show", spec, "--json")

    assert result.status == as_json.status == ExitStatus.MODEL_NOT_FOUND
    assert f"ollama lists no model {spec[7:]!r}." in result.stderr
    assert hint in result.stderr
    assert as_json.json["error"]["type"] == "ModelNotFoundError"


def test_model_that_is_not_listed_at_an_address_names_the_address() -> None:
    with fault_server(listed("one")) as server:
        result = run("models", "show", "xyz", "-u", server.url)

    assert result.status == ExitStatus.MODEL_NOT_FOUND
    assert f"`llm-client models -u {server.url}/v1 --all` lists what it has" in result.stderr


def test_without_a_key_the_price_list_tells_what_it_knows() -> None:
    result, as_json = (run("models", "show", "openai/gpt-4o", *flags) for flags in ([], ["--json"]))

    assert result.status == as_json.status == 0
    assert result.stderr == "openai: No key for 'openai'. The price list knows this much.\n"
    assert facts(result)["window"] == ("128,000 tokens", "price list")
    assert "listed" not in facts(result)
    assert as_json.json["note"] == "No key for 'openai'."
    assert as_json.json["age_seconds"] is None


@pytest.mark.parametrize("spec", ["openai/gpt-4o", "openrouter/openai/gpt-4o"])
def test_model_of_a_list_that_nobody_has_is_not_said_to_be_the_default(spec: str) -> None:
    result, as_json = (run("models", "show", spec, *flags) for flags in ([], ["--json"]))

    assert result.status == 0
    assert "asked" not in facts(result)
    assert not as_json.json["is_provider_default"]


def test_provider_that_fails_leaves_the_price_list_or_its_own_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with providers(monkeypatch, openai=garbage()):
        known = run("models", "show", "openai/gpt-4o")
        unknown = run("models", "show", "openai/of-tomorrow")

    assert known.status == 0
    assert "does not speak HTTP" in known.stderr
    assert "The price list knows this much." in known.stderr
    assert (unknown.status, unknown.stdout) == (ExitStatus.UNREACHABLE, b"")


def test_old_list_is_told_as_such(clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(monkeypatch, openai=(listed("gpt-4o"), status(500))):
        run("models", "-p", "openai")
        grow_old(clean_environment)
        result = run("models", "show", "openai/gpt-4o")

    assert result.status == 0
    assert facts(result)["listed"] == ("2 hours ago", "")
    assert "Its model list is from 2 hours ago." in result.stderr


def test_new_list_is_asked_for_where_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(monkeypatch, openai=(listed("one"), listed("two"))):
        run("models", "-p", "openai")
        assert run("models", "show", "openai/two").status == ExitStatus.MODEL_NOT_FOUND
        assert run("models", "show", "openai/two", "--refresh").status == 0


@pytest.mark.parametrize(
    ("arguments", "expected", "words"),
    [
        pytest.param(["gpt-5"], 3, "which provider has the model 'gpt-5'", id="no provider"),
        pytest.param(["nosuch/x"], 3, "There is no provider 'nosuch'", id="provider"),
        pytest.param(["x/y", "--timeout", "-1"], 2, "--timeout -1", id="timeout"),
        pytest.param([], 2, "MODEL", id="nothing"),
    ],
)
def test_what_cannot_be_shown_says_why(arguments: list[str], expected: int, words: str) -> None:
    result = run("models", "show", *arguments)

    assert (result.status, result.stdout) == (expected, b"")
    assert words in result.stderr


@pytest.mark.parametrize("columns", [40, 120])
def test_terminal_gets_facts_that_fit(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    long = {**ROW, "description": "word " * 60}
    with (
        providers(monkeypatch, openai=listed(long)),
        terminal("models", "show", "openai/gpt-4o", columns=columns) as tty,
    ):
        assert tty.finish() == 0

        screen = tty.screen
        assert screen[0].split() == ["model", "openai/gpt-4o"]
        assert max(map(len, screen)) <= columns
        assert any("(provider)" in line for line in screen)


def test_date_beyond_all_calendars_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(monkeypatch, openai=listed({"id": "x", "created": 10**18})):
        assert facts(run("models", "show", "openai/x"))["created"][0] == str(10**18)
        assert json.loads(run("models", "--json").stdout)["models"]


def test_model_that_is_free_says_so_and_one_of_unknown_price_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with providers(monkeypatch, gemini=gemini("gemma-3-27b-it", "of-tomorrow")):
        free = run("models", "show", "gemini/gemma-3-27b-it")
        unknown = run("models", "show", "gemini/of-tomorrow")
        rows = run("models", "-p", "gemini").text.splitlines()

    assert facts(free)["price"] == ("free", "price list")
    assert facts(unknown)["price"] == ("not known", "")
    assert [row.split("\t")[2:4] for row in rows] == [["0", "0"], ["", ""]]
