"""Model lists through the clients: kept, asked for again, and old ones where nobody answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from llm_client import (
    AsyncLLMClient,
    AuthenticationError,
    ConfigurationError,
    LLMAPIError,
    LLMClient,
    LLMConfig,
    LLMError,
    LLMServiceError,
    Notice,
)
from llm_client.engine import exchange
from llm_client.exceptions import ConnectionError
from llm_client.model_lists import ModelList, ago
from llm_client.types.events import Event
from llm_client.types.models import ModelInfo

from .support.fault_server import (
    FaultServer,
    Script,
    cut_body,
    fault_server,
    garbage,
    respond,
    status,
)

JSON = [("Content-Type", "application/json")]


def listed(*ids: str) -> Script:
    return respond(200, JSON, json.dumps({"data": [{"id": id} for id in ids]}).encode())


def client_of(server: FaultServer, events: list[Event] | None = None, **config: float) -> LLMClient:
    said: list[Event] = [] if events is None else events
    return LLMClient(
        LLMConfig(base_url=f"{server.url}/v1", **config),  # type: ignore[arg-type]
        observe=said.append,
    )


def ids(models: list[ModelInfo]) -> list[str]:
    return [model.id for model in models]


@pytest.fixture
def stored(clean_environment: Path) -> Path:
    """Where lists are kept."""
    return clean_environment / ".cache" / "llm_client" / "models"


def grow_old(directory: Path, seconds: float) -> None:
    """Let every stored list have been asked for so long ago."""
    for file in directory.glob("*.json"):
        content = json.loads(file.read_bytes())
        file.write_text(json.dumps({**content, "time": content["time"] - seconds}))


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        pytest.param(status(500), "500", id="fails"),
        pytest.param(status(401), "401", id="key"),
        pytest.param(garbage(), "does not speak HTTP", id="garbage"),
        pytest.param(respond(200, JSON, b"[1"), "no JSON|not JSON", id="no list"),
        pytest.param(cut_body(b'{"data": ['), "", id="cut"),
        pytest.param(status(429, retry_after="9"), "429", id="limit"),
    ],
)
def test_old_list_is_taken_with_a_note_where_no_new_one_comes(
    stored: Path, failure: Script, reason: str
) -> None:
    events: list[Event] = []
    with fault_server(listed("one"), failure) as server, client_of(server, events) as client:
        client.list_models()
        grow_old(stored, 3 * 3600)
        models = client.list_models()

    assert ids(models) == ["one"]
    (notice,) = events
    assert isinstance(notice, Notice)
    assert notice.text.startswith("openai-compatible: ")
    assert "Its model list is from 3 hours ago." in notice.text
    assert any(word in notice.text for word in reason.split("|"))


def test_list_that_is_not_there_is_no_missing_model() -> None:
    body = b'{"error": {"message": "no such route"}}'
    with fault_server(respond(404, JSON, body)) as server:
        config = LLMConfig(base_url=f"{server.url}/v1", model="m")
        with LLMClient(config) as client, pytest.raises(LLMAPIError, match="no such route") as e:
            client.list_models()

    assert type(e.value) is LLMAPIError
    assert f"Nothing answers at {server.url}/v1/models" in str(e.value.hint)


def test_list_that_is_too_long_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_LIST_BODY_LIMIT", 100_000)
    longest = listed(*(f"model-{number}" for number in range(50_000)))
    with (
        fault_server(longest) as server,
        client_of(server) as client,
        pytest.raises(LLMServiceError, match="something that is not JSON"),
    ):
        client.list_models()


def test_old_list_is_asked_for_again_every_time_until_a_new_one_comes(stored: Path) -> None:
    script = (listed("one"), status(500), listed("two"), status(500))
    with fault_server(*script) as server, client_of(server) as client:
        client.list_models()
        grow_old(stored, 301)
        assert ids(client.list_models()) == ["one"]
        assert ids(client.list_models()) == ["two"]
        assert ids(client.list_models()) == ["two"]

        assert len(server.requests) == 3


def test_async_client_takes_the_old_list_too(stored: Path) -> None:
    events: list[Event] = []

    async def ask(url: str) -> list[ModelInfo]:
        async with AsyncLLMClient(LLMConfig(base_url=url), observe=events.append) as client:
            await client.list_models()
            grow_old(stored, 86400 * 2)
            return await client.list_models()

    with fault_server(listed("one"), status(500)) as server:
        assert ids(asyncio.run(ask(f"{server.url}/v1"))) == ["one"]
    (notice,) = events
    assert isinstance(notice, Notice)
    assert "2 days ago" in notice.text


def test_list_that_is_to_be_new_is_an_error_where_there_is_none(stored: Path) -> None:
    events: list[Event] = []
    with (
        fault_server(listed("one"), status(401)) as server,
        client_of(server, events) as client,
    ):
        client.list_models()
        with pytest.raises(AuthenticationError):
            client.list_models(use_cache=False)

        assert ids(client.list_models()) == ["one"]  # what was there has stayed
        assert events == []
        assert len(server.requests) == 2


def test_no_time_to_live_leaves_no_old_list(stored: Path) -> None:
    with fault_server(listed("one"), status(500)) as server:
        with client_of(server) as client:
            client.list_models()
        with client_of(server, cache_ttl=0) as client, pytest.raises(LLMError):
            client.list_models()


def test_variable_says_how_long_a_list_lives(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(listed("one"), listed("two")) as server:
        with client_of(server) as client:
            client.list_models()
        grow_old(stored, 400)
        monkeypatch.setenv("LLM_CLIENT_CACHE_TTL", "500")
        with client_of(server) as client:
            assert ids(client.list_models()) == ["one"]
        monkeypatch.setenv("LLM_CLIENT_CACHE_TTL", "x")
        with pytest.raises(ConfigurationError, match="LLM_CLIENT_CACHE_TTL must be a number of"):
            client_of(server)
        monkeypatch.delenv("LLM_CLIENT_CACHE_TTL")
        with client_of(server) as client:
            assert ids(client.list_models()) == ["two"]


@pytest.mark.parametrize("damage", [b"", b'{"time": 1', b"{}"], ids=["empty", "torn", "foreign"])
def test_damaged_list_is_fetched_again(stored: Path, damage: bytes) -> None:
    with fault_server(listed("one"), listed("two")) as server, client_of(server) as client:
        client.list_models()
        (file,) = stored.glob("*.json")
        file.write_bytes(damage)

        assert ids(client.list_models()) == ["two"]


def test_list_from_the_future_is_fetched_again_and_is_better_than_none(stored: Path) -> None:
    events: list[Event] = []
    script = (listed("one"), listed("two"), status(500))
    with fault_server(*script) as server, client_of(server, events) as client:
        client.list_models()
        grow_old(stored, -3600)
        assert ids(client.list_models()) == ["two"]
        grow_old(stored, -3600)
        assert ids(client.list_models()) == ["two"]

    (notice,) = events
    assert isinstance(notice, Notice)
    assert "an unknown time ago" in notice.text


def test_observer_that_fails_becomes_a_warning(stored: Path) -> None:
    def fail(event: Event) -> None:
        raise ValueError("observer")

    with (
        fault_server(listed("one"), status(500)) as server,
        LLMClient(LLMConfig(base_url=server.url), observe=fail) as client,
    ):
        client.list_models()
        grow_old(stored, 400)
        with pytest.warns(RuntimeWarning, match="observer"):
            assert ids(client.list_models()) == ["one"]


def test_window_of_the_price_list_is_not_stored_as_the_provider_s(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(listed("gpt-4o")) as server:
        monkeypatch.setenv("LLM_CLIENT_OPENAI_BASE_URL", f"{server.url}/v1")
        with LLMClient(LLMConfig(provider="openai", api_key="sk-test-0123456789")) as client:
            fetched, kept = client.list_models(), client.list_models()

    assert [model.context_length for model in (*fetched, *kept)] == [128000, 128000]
    (file,) = stored.glob("*.json")
    assert json.loads(file.read_bytes())["models"][0]["context_length"] is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "an unknown time ago"),
        (0.0, "just now"),
        (1.0, "1 second ago"),
        (59.9, "59 seconds ago"),
        (60.0, "1 minute ago"),
        (7199.0, "1 hour ago"),
        (86400.0, "1 day ago"),
        (1e7, "115 days ago"),
    ],
)
def test_age_is_told_in_the_largest_unit_that_fits(seconds: float | None, words: str) -> None:
    assert ago(seconds) == words


def test_note_says_what_to_do_about_the_failure() -> None:
    found = ModelList([], 60.0, ConnectionError("Nobody is there.", hint="Start it."))

    assert found.note("x") == "x: Nobody is there. Its model list is from 1 minute ago. Start it."
    assert ModelList([], 1.0, LLMError("Bad.")).note("x").endswith("1 second ago.")
