"""`llm-client health` as a program: what it says of each provider, and how it ends."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ..conftest import LLAMA_KEY
from ..support.fault_server import (
    Script,
    fault_server,
    say_nothing,
    status,
)
from ..support.health_checks import dead_servers
from ..support.health_servers import LLAMA_LOADING, OLLAMA, by_path, keyed, listed, said
from .health_runs import lines, only_who_is_named, with_provider
from .model_servers import KEY, configure, providers
from .program import run, started
from .terminal import terminal


@pytest.fixture(autouse=True)
def _named_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    only_who_is_named(monkeypatch)


# --- everything is well -------------------------------------------------------------------------


def test_healthy_providers_are_a_line_each(
    llama_server: str, llama_server_with_key: str, clean_environment: Path, monkeypatch: Any
) -> None:
    configure(
        clean_environment,
        '[profiles.default]\nmodel = "open/demo"\n'
        + with_provider(llama_server, name="open")
        + with_provider(llama_server_with_key, 'api_key_env = "THEIR_KEY"', name="keyed"),
    )
    monkeypatch.setenv("THEIR_KEY", LLAMA_KEY)

    result = run("health")

    assert (result.status, result.stderr) == (0, "")
    found = lines(result)
    assert list(found) == ["keyed", "open"]
    assert {name: line["status"] for name, line in found.items()} == dict.fromkeys(found, "healthy")
    assert (found["keyed"]["key"], found["open"]["key"]) == ("accepted", "")
    assert (found["keyed"]["model"], found["open"]["model"]) == ("", "present")
    assert found["open"]["loaded"] == "demo=2048"
    assert found["open"]["address"] == f"{llama_server}/v1"
    assert found["open"]["latency"].isdigit()
    assert (found["open"]["first_token"], found["open"]["why"]) == ("", "")


def test_json_has_an_object_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(monkeypatch, ollama=by_path(OLLAMA), xai=status(401)):
        result = run("health", "--json")

    assert result.status == 3
    assert result.json["schema_version"] == 1
    assert result.json["healthy"] is False
    ollama, xai = result.json["providers"]
    assert ollama["latency_ms"] > 0
    assert {**ollama, "latency_ms": None, "base_url": ""} == {
        "name": "ollama",
        "base_url": "",
        "healthy": True,
        "problem": None,
        "reachable": True,
        "has_key": True,
        "key_accepted": None,
        "named_models": [],
        "missing_models": [],
        "model_present": None,
        "models": 2,
        "version": "0.33.0-rc2",
        "loaded": [{"model": "tiny:latest", "context_length": 4096}],
        "latency_ms": None,
        "deep": None,
        "error": None,
        "hint": None,
    }
    assert (xai["problem"], xai["reachable"], xai["key_accepted"]) == ("key", True, False)
    assert "`llm-client creds set xai`" in xai["hint"]
    assert result.stderr.startswith("error: xai: ")


def test_verbose_tells_what_was_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(monkeypatch, ollama=by_path(OLLAMA)):
        result = run("health", "-v")

    assert result.status == 0
    assert "ollama: 2 models listed by http://127.0.0.1:" in result.stderr
    assert list(lines(result)) == ["ollama"]


def test_quiet_shows_only_who_is_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(monkeypatch, ollama=by_path(OLLAMA), xai=status(500)):
        ill, well = run("health", "-q"), run("health", "-q", "-p", "ollama")

    assert list(lines(ill)) == ["xai"]
    assert ill.status == 4
    assert (well.status, well.stdout, well.stderr) == (0, b"", "")


# --- what is wrong, and which exit status it has ------------------------------------------------

REFUSED_KEY = keyed("sk-another-0123456789", listed("m"))
LOADING = by_path(LLAMA_LOADING)


@pytest.mark.parametrize(
    ("scripts", "expected", "problems"),
    [
        pytest.param({"xai": listed("m")}, 0, {"healthy"}, id="well"),
        pytest.param({"xai": say_nothing()}, 4, {"unreachable"}, id="silent"),
        pytest.param({"llamacpp": LOADING}, 4, {"loading"}, id="loading"),
        pytest.param({"xai": status(503)}, 4, {"failing"}, id="failing"),
        pytest.param({"xai": REFUSED_KEY}, 3, {"key"}, id="key"),
        pytest.param({"groq": listed("other")}, 6, {"model"}, id="model"),
        pytest.param({"xai": status(429)}, 5, {"limited"}, id="limited"),
        pytest.param(
            {"groq": listed("o"), "xai": REFUSED_KEY}, 3, {"model", "key"}, id="key-before-model"
        ),
        pytest.param(
            {
                "groq": listed("o"),
                "xai": REFUSED_KEY,
                "openai": status(500),
                "mistral": status(429),
            },
            4,
            {"model", "key", "failing", "limited"},
            id="unreachable-before-all",
        ),
        pytest.param(
            {"groq": listed("o"), "mistral": status(429)}, 6, {"model", "limited"}, id="model-first"
        ),
    ],
)
def test_worst_problem_is_the_exit_status(
    scripts: dict[str, Script],
    expected: int,
    problems: set[str],
    clean_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "groq" in scripts:
        configure(clean_environment, '[profiles.fast]\nmodel = "groq/wanted"\n')
    with providers(monkeypatch, **scripts):
        result = run("health", "--timeout", "1")

    assert result.status == expected, result.stderr
    assert {line["status"] for line in lines(result).values()} == problems
    ill = problems - {"healthy"}
    assert result.stderr.count("error: ") == len(ill)


def test_configured_cloud_provider_without_a_key_is_told(clean_environment: Path) -> None:
    configure(clean_environment, '[profiles.default]\nmodel = "openai/gpt-5"\n')

    result = run("health", "--json")

    assert result.status == 3
    (openai,) = result.json["providers"]
    assert (openai["problem"], openai["reachable"]) == ("configuration", None)
    assert "OPENAI_API_KEY" in openai["hint"]


def test_failure_is_told_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(monkeypatch, ollama=by_path(OLLAMA)):
        result = run("health", "-m", "ollama/llama3.2")

    assert result.status == 6
    assert lines(result)["ollama"]["model"] == "missing"
    assert "has no model 'llama3.2'. Fetch it: `ollama pull llama3.2`." in result.stderr


def test_key_appears_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"error": {"message": "Incorrect API key provided: %s"}}' % KEY.encode()
    with providers(monkeypatch, xai=status(401, body), groq=status(500, body)):
        for flags in ([], ["--json"], ["-v", "--debug"]):
            result = run("health", *flags)
            assert KEY not in result.text + result.stderr


@pytest.mark.parametrize("flags", [[], ["--json"], ["-v", "--debug"]], ids=["", "json", "debug"])
def test_key_that_a_server_repeats_is_not_shown(
    flags: list[str], clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"build_info": f"b1 {KEY}", "model_alias": f"my-{KEY}"}
    props = said({**told, "default_generation_settings": {"n_ctx": 7}})
    answers = {"/v1/models": listed(KEY), "/health": listed(), "/props": props}
    configure(clean_environment, f'[profiles.p]\nmodel = "llamacpp/{KEY[:-1]}"\n')
    with providers(monkeypatch, llamacpp=by_path(answers)):
        result = run("health", *flags)
        with terminal("health", *flags, columns=60) as tty:
            tty.finish()

    for shown in (result.text, result.stderr, tty.raw.decode()):
        assert KEY not in shown
        assert KEY[-6:] not in shown, "the end of it"


# --- on a terminal ------------------------------------------------------------------------------


def test_terminal_gets_a_table_with_the_fix_below(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        providers(monkeypatch, ollama=by_path(OLLAMA), xai=status(401)),
        terminal("health", "--timeout", "5", columns=100) as tty,
    ):
        assert tty.finish() == 3

    head, first, second, why, fix = tty.screen
    assert head.split() == [*("PROVIDER", "STATUS", "LATENCY", "KEY", "MODEL", "LOADED", "VERSION")]
    assert first.startswith("✓ ollama    healthy")
    assert first.endswith("unknown  2 listed  tiny:latest (4k)  0.33.0-rc2")
    assert second.startswith("✗ xai       key refused")
    assert why.startswith("    xai did not accept the key")
    assert fix == "    Put in a valid one: `llm-client creds set xai`, or set XAI_API_KEY."
    assert "\x1b[32m✓\x1b[0m" in tty.raw.decode()


def test_terminal_without_colour_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:replace")
    with (
        providers(monkeypatch, ollama=by_path(OLLAMA), xai=status(500)),
        terminal("health", "--color", "never", columns=100) as tty,
    ):
        assert tty.finish() == 4

    assert tty.screen[1].startswith("+ ollama")
    assert tty.screen[2].startswith("! xai")
    assert "\x1b[3" not in tty.raw.decode()


# --- many, slow, interrupted --------------------------------------------------------------------


def test_twenty_providers_take_no_longer_than_one_timeout(
    clean_environment: Path, closed_url: str
) -> None:
    with dead_servers(closed_url) as dead, fault_server(listed("m")) as server:
        urls = [*dead, *[server.url] * 10]
        text = "".join(with_provider(url, name=f"p{i:02}") for i, url in enumerate(urls))
        configure(clean_environment, text)
        began = time.monotonic()
        result = run("health", "--timeout", "3")
        elapsed = time.monotonic() - began

    assert result.status == 4
    found = [line["status"] == "healthy" for line in lines(result).values()]
    assert found == [False] * 10 + [True] * 10
    assert elapsed < 12


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "term"]
)
def test_interrupt_ends_it_at_once(
    number: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        providers(monkeypatch, xai=say_nothing()) as servers,
        started("health", "--timeout", "60") as process,
    ):
        while not servers["xai"].requests:
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)

    assert process.returncode == expected
    assert b"Traceback" not in err
