"""Servers on loopback that tell how they are, for what cannot be installed here.

Owns their answers. Ollama's are recorded (../shared/recordings, 2026-11); LM Studio's are after its
documentation (lmstudio.ai/docs/developer/rest), vLLM's after WIRE.md §7 and its documentation:
nobody has seen those two answer these tests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .fault_server import Received, Script, Wire, respond, status

__all__ = [
    "LLAMA_LOADING",
    "LMSTUDIO",
    "LMSTUDIO_V0",
    "OLLAMA",
    "REFUSES",
    "VLLM",
    "by_path",
    "keyed",
    "listed",
    "said",
]

_JSON = [("Content-Type", "application/json")]


def said(value: Any, code: int = 200) -> Script:
    """Answer with JSON."""
    return respond(code, _JSON, json.dumps(value).encode())


def listed(*ids: str, **fields: Any) -> Script:
    """Answer with a model list in OpenAI's form."""
    return said({"object": "list", "data": [{"id": id, **fields} for id in ids]})


def by_path(answers: Mapping[str, Script]) -> Script:
    """Answer by the path that is asked for, `METHOD /path` before `/path`; 404 for any other."""

    def script(wire: Wire, request: Received) -> bool:
        path = request.path.partition("?")[0]
        found = answers.get(f"{request.method} {path}") or answers.get(path)
        return (found or status(404, b'{"detail": "Not Found"}'))(wire, request)

    return script


def keyed(key: str, answer: Script, header: str = "authorization") -> Script:
    """Answer who has the key, and refuse all others."""
    expected = f"Bearer {key}" if header == "authorization" else key
    refusal = said({"error": {"message": "Invalid API Key", "type": "authentication_error"}}, 401)

    def script(wire: Wire, request: Received) -> bool:
        return (answer if request.headers.get(header) == expected else refusal)(wire, request)

    return script


REFUSES = said(
    {"error": {"message": "you must provide a model parameter", "type": "invalid_request"}}, 400
)
"""A call that is empty, whoever makes it."""


def _ollama_row(name: str, **more: Any) -> dict[str, Any]:
    details = {"format": "gguf", "family": "llama", "parameter_size": "411K"}
    return {"name": name, "model": name, "size": 11597250, "details": details, **more}


OLLAMA: Mapping[str, Script] = {
    "/api/tags": said(
        {
            "models": [
                _ollama_row("tiny:latest", capabilities=["completion"]),
                _ollama_row("embed:latest", capabilities=["embedding"]),
            ]
        }
    ),
    "/api/version": said({"version": "0.33.0-rc2"}),
    "/api/ps": said(
        {"models": [_ollama_row("tiny:latest", size_vram=0, context_length=4096)]},
    ),
}

_LMSTUDIO_LIST = listed("qwen/qwen3-4b", "text-embedding-nomic", owned_by="organization_owner")
LMSTUDIO: Mapping[str, Script] = {
    "/v1/models": _LMSTUDIO_LIST,
    "/api/v1/models": said(
        {
            "models": [
                {
                    "type": "llm",
                    "key": "qwen/qwen3-4b",
                    "loaded_instances": [
                        {"id": "qwen/qwen3-4b", "config": {"context_length": 8192}},
                        {"id": "qwen/qwen3-4b:2", "config": {"context_length": 4096}},
                    ],
                    "max_context_length": 262144,
                },
                {"type": "embedding", "key": "text-embedding-nomic", "loaded_instances": []},
            ]
        }
    ),
}
LMSTUDIO_V0: Mapping[str, Script] = {
    "/v1/models": _LMSTUDIO_LIST,
    # Of paths that it does not know it says so with a status of 200.
    "/api/v1/models": said({"error": "Unexpected endpoint or method. (GET /api/v1/models)"}),
    "/api/v0/models": said(
        {
            "object": "list",
            "data": [
                {"id": "qwen/qwen3-4b", "state": "loaded", "loaded_context_length": 4096},
                {"id": "text-embedding-nomic", "state": "not-loaded", "max_context_length": 2048},
            ],
        }
    ),
}

VLLM: Mapping[str, Script] = {
    "/v1/models": listed("Qwen/Qwen3-8B", owned_by="vllm", max_model_len=32768),
    "/health": respond(200),
    "/version": said({"version": "0.19.1"}),
}

LLAMA_LOADING: Mapping[str, Script] = {
    "/v1/models": listed("demo", owned_by="llamacpp"),
    "/health": said(
        {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, 503
    ),
}
