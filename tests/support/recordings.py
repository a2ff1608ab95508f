"""Real exchanges to test decoders against: read from `../shared/recordings`, which may be absent.

Owns the reading of the two forms that stand there: provider exchanges (JSON) and raw answers of
local servers (`.http`, with status line, headers and chunk framing). Refuses to interpret the
body: what it means is what the tests are about.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from llm_client.types.http import Head

__all__ = ["ROOT", "Recording", "local_answer", "needs_recordings", "provider_exchange"]

_FOLDER: Final = Path(__file__).resolve().parents[2].parent / "shared" / "recordings"

ROOT: Final = _FOLDER if _FOLDER.is_dir() else None
"""The folder of the recordings; `None` where it is absent."""

needs_recordings: Final = pytest.mark.skipif(ROOT is None, reason="../shared/recordings is absent")
"""Marks what cannot be tested without the recordings."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One answer of a server, and what it was asked."""

    name: str
    head: Head
    body: bytes
    """Without the framing of the transfer."""
    request: dict[str, Any]
    """The JSON that was sent; empty when there was none or it was no JSON object."""

    @property
    def streamed(self) -> bool:
        """Whether the body is a stream of events or lines."""
        kind = self.head.headers.get("content-type", "")
        return kind.startswith(("text/event-stream", "application/x-ndjson"))


def local_answer(server: str, name: str) -> Recording:
    """Return what a local server answered, e.g. `local_answer("xllamacpp", "chat-stream")`."""
    return _local(_root() / "local-servers" / server / f"{name}.http")


def provider_exchange(folder: str, name: str, index: int = 0) -> Recording:
    """Return one exchange with a provider, e.g. `provider_exchange("groq", "tool_regular_error")`."""
    return _exchanges(_root() / "providers" / folder / f"{name}.json")[index]


def _root() -> Path:
    if ROOT is None:
        pytest.skip("../shared/recordings is absent")
    return ROOT


@cache
def _local(path: Path) -> Recording:
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if headers.get("transfer-encoding") == "chunked":
        body = _dechunked(body)
    asked = path.with_suffix(".req")
    sent = asked.read_bytes().partition(b"\r\n\r\n")[2] if asked.exists() else b""
    return Recording(
        f"{path.parent.name}/{path.stem}",
        Head(int(status_line.split()[1]), headers),
        body,
        _json_object(sent),
    )


@cache
def _exchanges(path: Path) -> list[Recording]:
    rows = json.loads(path.read_bytes())["exchanges"]
    return [_exchange(f"{path.parent.name}/{path.stem}", row) for row in rows]


def _exchange(name: str, row: dict[str, Any]) -> Recording:
    response = row["response"]
    headers = {key.lower(): ", ".join(_listed(value)) for key, value in response["headers"].items()}
    body = response["body"]
    return Recording(
        name,
        Head(response["status"], headers),
        (body if isinstance(body, str) else json.dumps(body)).encode(),
        _json_object(row["request"]["body"]),
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _json_object(value: object) -> dict[str, Any]:
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _dechunked(data: bytes) -> bytes:
    """Return a chunked body without its framing; what was cut off stays missing."""
    parts = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size.partition(b";")[0] or b"0", 16)
        if length == 0:
            break
        parts.append(data[:length])
        data = data[length + 2 :]
    return b"".join(parts)
