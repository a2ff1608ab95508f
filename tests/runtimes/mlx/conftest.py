"""The tiny MLX model, written once a session; without mlx-lm what runs it is skipped."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from llm_client.engine.transport.httpx_import import httpx
from llm_client.runtimes.mlx import MLXTransport
from llm_client.runtimes.mlx_models import unload_model
from tests.support.tiny_mlx import write_tiny_mlx

HELLO = "Hello! I am a tiny test model."
CHAT = "mlx://local/v1/chat/completions"
PATIENT_TOKENS = 1_000_000
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
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of a model whose context takes many minutes to fill."""
    if find_spec("mlx_lm") is None:
        pytest.skip("mlx-lm cannot be installed on this system: `pip install 'mlx[cpu]' mlx-lm`")
    directory = tmp_path_factory.mktemp("mlx") / "tiny"
    return str(write_tiny_mlx(directory, context_tokens=PATIENT_TOKENS))


@pytest.fixture(autouse=True, scope="module")
def _no_model_outlives_its_module() -> Iterator[None]:
    yield
    unload_model()


def chat_body(text: str, model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(transport=MLXTransport(), timeout=60) as client:
        yield client


def answer(client: httpx.Client, text: str, model: str, **fields: Any) -> dict[str, Any]:
    response = client.post(CHAT, json=chat_body(text, model, **fields))
    assert response.status_code == 200, response.text
    choice: dict[str, Any] = response.json()["choices"][0]
    return choice


def error(client: httpx.Client, text: str, model: str, **fields: Any) -> tuple[int, dict[str, Any]]:
    response = client.post(CHAT, json=chat_body(text, model, **fields))
    details: dict[str, Any] = response.json()["error"]
    return response.status_code, details


def assert_free(client: httpx.Client, model: str) -> None:
    """The next answer could not come before the endless one's end otherwise."""
    response = client.post(CHAT, json=chat_body("/json", model), timeout=10)
    assert response.json()["choices"][0]["message"]["content"] == '{"ok": true}'
