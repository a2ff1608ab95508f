"""What local servers tell about themselves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_client.dialects.probe_bodies import FORMS, Told, read_probe
from llm_client.types.health import LoadedModel

from ..support.recordings import local_answer, needs_recordings


def told(form: str, value: Any) -> Told:
    return read_probe(form, json.dumps(value).encode())


@needs_recordings
@pytest.mark.parametrize(
    ("form", "server", "name", "expected"),
    [
        ("version", "ollama", "oll-version", Told("0.33.0-rc2")),
        ("ollama", "ollama", "oll-ps", Told(None, (LoadedModel("tiny:latest", 4096),))),
        ("ollama", "ollama-extra", "ps", Told(None, (LoadedModel("embed:latest", 4096),))),
        ("llamacpp", "xllamacpp", "props", Told("b0-unknown", (LoadedModel("tiny", 2048),))),
        ("llamacpp", "xllamacpp-key", "props-key", Told("b0-unknown", (LoadedModel("emb", 2048),))),
    ],
)
def test_recorded_answer_is_read(form: str, server: str, name: str, expected: Told) -> None:
    assert read_probe(form, local_answer(server, name).body) == expected


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        pytest.param("version", {"version": "0.19.1"}, Told("0.19.1"), id="version"),
        pytest.param("version", {"version": None}, Told(), id="no-version"),
        pytest.param("ollama", {"models": []}, Told(), id="ollama-nothing-loaded"),
        pytest.param("ollama", {"models": [{}, 5, {"name": ""}]}, Told(), id="ollama-odd-rows"),
        pytest.param(
            "ollama",
            {"models": [{"name": "m"}]},
            Told(None, (LoadedModel("m"),)),
            id="ollama-without-context",
        ),
        pytest.param(
            "llamacpp",
            {
                "model_alias": "",
                "model_path": "/m.gguf",
                "default_generation_settings": {"n_ctx": 9},
            },
            Told(None, (LoadedModel("/m.gguf", 9),)),
            id="llamacpp-by-path",
        ),
        pytest.param(
            "llamacpp",
            {
                "model_alias": "m",
                "build_info": "b8681",
                "is_sleeping": True,
                "default_generation_settings": {"n_ctx": 2048},
            },
            Told("b8681"),
            id="llamacpp-asleep",
        ),
        pytest.param(
            "llamacpp", {"build_info": "b1", "role": "router"}, Told("b1"), id="llamacpp-router"
        ),
        pytest.param(
            "lmstudio",
            {
                "models": [
                    {"key": "a", "loaded_instances": [{"config": {"context_length": 8192}}]},
                    {"key": "b", "loaded_instances": [{"id": "b:2", "config": None}]},
                    {"key": "c", "loaded_instances": []},
                ]
            },
            Told(None, (LoadedModel("a", 8192), LoadedModel("b:2"))),
            id="lmstudio",
        ),
        pytest.param(
            "lmstudio-v0",
            {
                "data": [
                    {"id": "a", "state": "loaded", "loaded_context_length": 4096},
                    {"id": "b", "state": "not-loaded"},
                ]
            },
            Told(None, (LoadedModel("a", 4096),)),
            id="lmstudio-v0",
        ),
        pytest.param(
            "tgi",
            {"model_id": "org/m", "version": "3.3.4", "max_total_tokens": 4096},
            Told("3.3.4", (LoadedModel("org/m", 4096),)),
            id="tgi",
        ),
    ],
)
def test_answer_is_read(form: str, value: Any, expected: Told) -> None:
    assert told(form, value) == expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b'"ok"', b'{"error": "Unexpected endpoint"}', b"[" * 9999],
    ids=["empty", "html", "list", "null", "text", "error", "deep"],
)
def test_anything_else_tells_nothing(form: str, body: bytes) -> None:
    assert read_probe(form, body) == Told()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [None, 5, "x", {}, [{}], [[]]], ids=repr)
def test_odd_values_tell_nothing(form: str, value: Any) -> None:
    names = ("models", "data", "version", "default_generation_settings", "model_id", "build_info")

    assert told(form, dict.fromkeys(names, value)).loaded in (
        (),
        (LoadedModel("x"),) if form == "tgi" else (),
        (LoadedModel("5"),),
    )
