"""The helper that serves the demo model over real HTTP."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_client.engine.transport.httpx_import import httpx
from tests.support.llama_server import running_llama_server


def test_server_answers_and_ends_with_the_block() -> None:
    with running_llama_server(alias="tiny", parallel=3, ctx=1536) as url:
        models = httpx.get(f"{url}/v1/models").json()
        slots = httpx.get(f"{url}/slots").json()
        assert [entry["id"] for entry in models["data"]] == ["tiny"]
        assert [slot["n_ctx"] for slot in slots] == [512] * 3
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")


@pytest.mark.parametrize(("key", "status"), [("right", 200), ("wrong", 401)])
def test_server_demands_its_key(key: str, status: int) -> None:
    body = {"messages": [{"role": "user", "content": "/json"}]}
    with running_llama_server(api_key="right") as url:
        headers = {"Authorization": f"Bearer {key}"}
        response = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers)
    assert response.status_code == status


def test_server_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="did not start"),
        running_llama_server(model=tmp_path / f"no-{os.getpid()}.gguf"),
    ):
        pass
