"""A client of the caller's own carries the requests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llm_client import exceptions
from llm_client.engine.transport.httpx_import import httpx
from tests.engine.transport.conftest import fetch

from .asking import get, post


def client_for(side_name: str, handler: Callable[[httpx.Request], httpx.Response]) -> object:
    transport = httpx.MockTransport(handler)
    if side_name == "sync":
        return httpx.Client(transport=transport, headers={"X-Own": "1"})
    return httpx.AsyncClient(transport=transport, headers={"X-Own": "1"})


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_client_of_the_caller_carries_everything(kind: str) -> None:
    from tests.engine.transport.conftest import sides

    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"mocked")

    with sides(kind) as make:
        side = make(http_client=client_for(kind, handler))
        answer = fetch(side, post("https://api.example.com/v1", b"prompt"))
    assert (answer.head.status, answer.body) == (200, b"mocked")
    assert seen[0].content == b"prompt"
    assert seen[0].headers["x-own"] == "1"
    assert seen[0].extensions["timeout"]["read"] == 120.0


def test_client_of_the_caller_that_is_closed_is_a_configuration_error() -> None:
    from tests.engine.transport.conftest import sides

    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    client.close()
    with sides("sync") as make, pytest.raises(exceptions.ConfigurationError, match="is closed"):
        fetch(make(http_client=client), get("http://127.0.0.1:9"))
