"""`llm-client creds test`: valid, refused, unreachable, or not to be told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ..conftest import LLAMA_KEY
from ..support.fault_server import Received, Script, Wire, fault_server, respond
from .program import error, run
from .terminal import terminal

KEY = "correct-horse-battery-staple-42"
LIST = respond(
    headers=[("Content-Type", "application/json")],
    body=b'{"data": [{"id": "m"}], "object": "list"}',
)


def demanding(key: str) -> Script:
    """List models to who has the key."""

    def script(wire: Wire, request: Received) -> bool:
        if request.headers.get("authorization") == f"Bearer {key}":
            return LIST(wire, request)
        return error(401, f"Incorrect key: {request.headers.get('authorization')}")(wire, request)

    return script


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_CLIENT_CREDENTIALS_STORE", "file")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)


def use(provider: str, url: str, key: str, patch: pytest.MonkeyPatch) -> None:
    patch.setenv(f"LLM_CLIENT_{provider.upper()}_BASE_URL", url)
    patch.setenv(f"LLM_CLIENT_{provider.upper()}_API_KEY", key)


def test_real_server_tells_a_good_key_from_a_bad_one(
    llama_server_with_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{llama_server_with_key}/v1")
    run("creds", "set", "openai", stdin=LLAMA_KEY.encode())
    good = run("creds", "test", "openai")
    assert (good.status, good.text) == (0, "openai\tvalid\tfile\t\n")
    run("creds", "set", "openai", stdin=KEY.encode())
    bad = run("creds", "test")
    assert bad.status == 3
    assert bad.text.startswith("openai\trefused\tfile\t")
    assert "llm-client creds set openai" in bad.text
    assert KEY not in bad.text + bad.stderr


def test_all_keys_are_tried_at_once(
    closed_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[providers.broken]\nbase_url = "https://b.example.com/v1"\napi_key_command = ["false"]\n'
    )
    with fault_server(demanding(KEY)) as server:
        use("openai", server.url, KEY, monkeypatch)
        use("groq", server.url, "another-key-0123456789", monkeypatch)
        use("mistral", closed_url, KEY, monkeypatch)
        result = run("creds", "test", "--config", str(config), "--json")
    assert result.status == 4
    found = {each["provider"]: each for each in result.json["results"]}
    outcomes = {name: each["outcome"] for name, each in found.items()}
    assert outcomes == {
        "openai": "valid",
        "groq": "refused",
        "mistral": "unreachable",
        "broken": "unusable",
    }
    assert found["openai"]["source"] == "LLM_CLIENT_OPENAI_API_KEY"
    assert found["openai"]["latency_ms"] > 0
    assert (found["openai"]["why"], found["openai"]["hint"]) == (None, None)
    assert "failed with exit status 1" in found["broken"]["why"]
    assert KEY not in result.text + result.stderr
    assert "another-key-0123456789" not in result.text + result.stderr


@pytest.mark.parametrize(
    ("scripts", "status"), [(["valid"], 0), (["valid", "refused"], 3), (["refused", "down"], 4)]
)
def test_worst_outcome_is_the_exit_status(
    scripts: list[str], status: int, closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(demanding(KEY)) as server:
        for provider, script in zip(("openai", "groq"), scripts, strict=False):
            url = closed_url if script == "down" else server.url
            key = KEY if script == "valid" else "another-key-0123456789"
            use(provider, url, key, monkeypatch)
        assert run("creds", "test").status == status


def test_silent_server_takes_no_longer_than_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(wire: Wire, request: Received) -> bool:
        wire.wait_for_hang_up()
        return False

    with fault_server(silent) as server:
        use("openai", server.url, KEY, monkeypatch)
        started = time.monotonic()
        result = run("creds", "test", "openai", "--timeout", "0.5")
        assert time.monotonic() - started < 20
    assert result.status == 4
    assert result.text.startswith("openai\tunreachable\t")


def test_server_that_answers_everybody_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(LIST) as server:
        use("vllm", server.url, KEY, monkeypatch)
        result = run("creds", "test", "vllm")
        assert result.status == 0
        assert result.text.startswith("vllm\tunproven\tLLM_CLIENT_VLLM_API_KEY\t")
        monkeypatch.delenv("LLM_CLIENT_VLLM_API_KEY")
        none = run("creds", "test", "vllm")
    assert none.text == "vllm\tunproven\t\tIt has no key, and answers without.\n"


def test_terminal_shows_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(demanding(KEY)) as server:
        use("openai", server.url, KEY, monkeypatch)
        with terminal("creds", "test") as seen:
            assert seen.finish() == 0
    assert seen.screen == ["openai  valid       (LLM_CLIENT_OPENAI_API_KEY)"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 3, "There are no keys."),
        (["openai"], 3, "No key for 'openai'."),
        (["opnai"], 3, "There is no provider 'opnai'."),
        (["embedded"], 3, "'embedded' runs in this process and takes no key."),
        (["openai", "--timeout", "0"], 2, "--timeout 0 is out of range"),
    ],
)
def test_what_cannot_be_tried_is_told(arguments: list[str], status: int, message: str) -> None:
    result = run("creds", "test", *arguments)
    assert result.status == status
    assert f"error: {message}" in result.stderr
