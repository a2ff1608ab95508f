"""What MLX cannot do, and what is no model: told as an HTTP answer tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_client.engine.transport.httpx_import import httpx
from llm_client.exceptions import ConfigurationError
from llm_client.runtimes.mlx_models import loaded_path, unload_model
from tests.runtimes.mlx.conftest import CHAT, HELLO, WEATHER, answer, chat_body, error
from tests.support.tiny_mlx import write_tiny_mlx


@pytest.mark.parametrize(
    ("template", "fields", "words"),
    [
        pytest.param("", {}, "has no chat template", id="no-template"),
        pytest.param("{{ messages }}", {"tools": [WEATHER]}, "takes no tools", id="no-tools"),
        pytest.param(
            "{{ raise_exception('roles must alternate') }}",
            {},
            "roles must alternate",
            id="refused",
        ),
    ],
)
def test_what_the_model_cannot_do_is_refused(
    client: httpx.Client, tmp_path: Path, template: str, fields: dict[str, Any], words: str
) -> None:
    model = str(write_tiny_mlx(tmp_path, template=template))
    status, details = error(client, "hi", model, stream=True, **fields)
    assert (status, details["type"]) == (400, "invalid_request_error")
    assert words in details["message"]


def damaged(path: Path) -> None:
    (path / "model.safetensors").write_bytes(b"nonsense")


def unknown_kind(path: Path) -> None:
    config = json.loads((path / "config.json").read_bytes())
    (path / "config.json").write_text(json.dumps({**config, "model_type": "nonesuch"}))


def without(name: str) -> Any:
    def remove(path: Path) -> None:
        (path / name).unlink()

    return remove


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        pytest.param(damaged, "model_not_loadable", "cannot load", id="damaged"),
        pytest.param(unknown_kind, "model_not_loadable", "nonesuch", id="unknown-kind"),
        pytest.param(without("config.json"), "not_mlx", "no config.json", id="no-config"),
        pytest.param(without("model.safetensors"), "not_mlx", "no *.safetensors", id="no-weights"),
        pytest.param(without("tokenizer.json"), "model_not_loadable", "cannot load", id="no-words"),
    ],
)
def test_directory_that_is_no_model_is_refused(
    client: httpx.Client, tiny_model: str, tmp_path: Path, damage: Any, code: str, words: str
) -> None:
    damage(write_tiny_mlx(tmp_path))
    status, details = error(client, "hi", str(tmp_path), stream=True)
    assert (status, details["code"]) == (400, code)
    assert words in details["message"]
    assert "\n" not in details["message"]
    assert answer(client, "hi", tiny_model)["message"]["content"] == HELLO


def test_path_that_is_nothing_or_a_file_says_what_to_do(
    client: httpx.Client, tmp_path: Path
) -> None:
    status, details = error(client, "hi", str(tmp_path / "nothing"))
    assert (status, details["code"]) == (404, "model_not_found")
    assert "`hf download mlx-community/NAME`" in details["message"]
    for name, words in {"m.gguf": "`-p embedded -m FILE`", "m.txt": "are directories."}.items():
        (tmp_path / name).write_bytes(b"GGUF")
        status, details = error(client, "hi", str(tmp_path / name))
        assert (status, details["code"]) == (400, "not_mlx")
        assert details["message"].endswith(words + ("." if "`" in words else ""))


def test_failed_request_keeps_the_model(client: httpx.Client, tiny_model: str) -> None:
    answer(client, "hi", tiny_model)
    error(client, "hi", "/nothing/there")
    assert loaded_path() == tiny_model


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_failure_of_mlx_is_told_where_the_answer_is(
    client: httpx.Client, tiny_model: str, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    import mlx_lm

    def fail(*args: Any, **fields: Any) -> None:
        raise RuntimeError("[metal::malloc] no\nmemory.")

    with monkeypatch.context() as patch:
        patch.setattr(mlx_lm, "stream_generate", fail)
        response = client.post(CHAT, json=chat_body("hi", tiny_model, stream=stream))
    data = response.content.removeprefix(b"data: ")
    details = json.loads(data)["error"]
    assert response.status_code == (200 if stream else 500)
    assert details["type"] == "server_error"
    assert details["message"] == "MLX failed: RuntimeError: [metal::malloc] no memory"
    assert answer(client, "hi", tiny_model)["message"]["content"] == HELLO


def test_missing_mlx_lm_says_what_to_install(
    client: httpx.Client, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unload_model()
    monkeypatch.setitem(__import__("sys").modules, "mlx_lm", None)
    with pytest.raises(ConfigurationError, match="need the package 'mlx-lm'") as caught:
        client.post(CHAT, json=chat_body("hi", tiny_model))
    assert caught.value.hint is not None
    assert "mlx-lm`" in caught.value.hint


def test_loading_asks_no_server(
    client: httpx.Client, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    asked: list[object] = []

    def refuse(*arguments: object, **fields: object) -> None:
        asked.append(arguments)
        raise OSError("there is no network here")

    unload_model()
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert answer(client, "hi", tiny_model)["message"]["content"] == HELLO
    assert asked == []
