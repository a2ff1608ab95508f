"""The demo model in a directory of the test session's own, and a look into llama.cpp's slots."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_client.runtimes.demo_model import SCRIPTS, build_demo_model
from llm_client.runtimes.gguf import MAX_CONTEXT_TOKENS
from llm_client.runtimes.gguf_models import LoadedModel, find_loaded, unload_models

CHAT = "gguf://embedded/v1/chat/completions"
PATIENT_TOKENS = 200_000
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture(scope="session")
def demo_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(autouse=True, scope="module")
def _no_model_outlives_its_module() -> Iterator[None]:
    yield
    unload_models()


@pytest.fixture(scope="session")
def patient_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of a model that takes a minute and more to fill its context of PATIENT_TOKENS."""
    path = tmp_path_factory.mktemp("patient") / "patient.gguf"
    path.write_bytes(build_demo_model(SCRIPTS, context_tokens=PATIENT_TOKENS))
    return str(path)


def chat_body(text: str, *, model: str = "demo", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def loaded_model(name: str = "demo", n_ctx: int = MAX_CONTEXT_TOKENS) -> LoadedModel:
    """Return a model that a request has loaded."""
    model = find_loaded(name, n_ctx=n_ctx)
    assert model is not None
    return model


def busy_slots(model: LoadedModel) -> int:
    """Ask llama.cpp itself how many requests it is working on."""
    connection = model.connection()
    try:
        connection.connect(model.address)
        connection.sendall(
            b"GET /slots HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Authorization: Bearer " + model.key.encode() + b"\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    finally:
        model.hang_up(connection)
    slots = json.loads(answer.partition(b"\r\n\r\n")[2])
    return sum(slot["is_processing"] for slot in slots)


def wait_until_busy(
    model: LoadedModel, expected: int, *, seconds: float = 5, interval: float = 0.005
) -> None:
    """Wait until llama.cpp works on a number of requests.

    Asking resets the second after which llama.cpp looks for a hang-up where it does not stream, so
    the interval must be longer than that second there.
    """
    end = time.monotonic() + seconds
    while (busy := busy_slots(model)) != expected:
        assert time.monotonic() < end, f"after {seconds} s, {busy} slots are busy"
        time.sleep(interval)


def answers_at(address: str | tuple[str, int], family: socket.AddressFamily) -> bool:
    with socket.socket(family) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
        return True
