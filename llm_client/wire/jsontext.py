"""JSON from bytes that a stranger sent. One way in, one kind of failure.

Undecodable bytes become U+FFFD instead of an error: one broken character must not cost an answer.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["parse_json"]


def parse_json(data: bytes) -> Any:
    """Return the value that the bytes spell, with or without a byte order mark.

    Raises:
        ValueError: they are no JSON, or nested deeper than the interpreter can follow.
    """
    try:
        return json.loads(data.decode("utf-8", "replace").removeprefix("\ufeff"))
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
