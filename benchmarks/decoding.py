"""Decoding alone, for every streamed dialect: small events, a large one, and how it grows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .measure import Lab, interleave, median
from .table import Check, Section

__all__ = ["decoding"]

DIALECTS = (
    "anthropic",
    "cohere",
    "gemini",
    "ollama",
    "openai-chat",
    "openai-completions",
    "openai-responses",
)
_EVENTS = 25_000
_MEGABYTES = 5
_CHUNK_US = 20
"""Target of the whole client for a chunk (PERFORMANCE.md), of which decoding is a part."""
_LARGE_MS = 50
"""Target for one line or event of 5 MB."""
_GROWTH = 1.5
"""What a chunk may cost in an answer that is four times as long: more is not linear."""


def decoding(lab: Lab) -> Section:
    """Measure the decoders."""
    events, megabytes = lab.size(_EVENTS, 1_000), lab.size(_MEGABYTES, 1)
    environment = lab.environments["ours"]
    contenders: dict[str, Callable[[], dict[str, Any]]] = {
        name: partial(
            lab.report,
            environment,
            environment.module("decode_ours", name, str(events), str(megabytes)),
        )
        for name in DIALECTS
    }
    runs = interleave(contenders, lab.repeats)
    section = Section(
        f"Decoding {events:,} small events, and one of {megabytes} MB",
        ("µs/chunk", "× json", "4× as long", "large ms", "encode ms"),
    )
    found: dict[str, dict[str, float]] = {}
    for name, reports in runs.items():
        keys = reports[0].keys()
        found[name] = {key: median(report[key] for report in reports) for key in keys}
        figures = found[name]
        section.rows.append(
            (
                name,
                [
                    figures["us_per_chunk"],
                    figures["us_per_chunk"] / figures["floor_us"],
                    figures["growth"],
                    figures["large_event_ms"],
                    figures.get("encode_ms"),
                ],
            )
        )
    section.checks = [
        Check("µs of CPU a chunk, the slowest", _most(found, "us_per_chunk"), _CHUNK_US),
        Check("× a chunk of an answer 4 times as long", _most(found, "growth"), _GROWTH),
        Check("ms for an NDJSON line", found["ollama"]["large_event_ms"], _LARGE_MS),
        Check("ms for one event, the slowest", _most(found, "large_event_ms"), _LARGE_MS),
        Check("ms to encode as much, the slowest", _most(found, "encode_ms"), _LARGE_MS),
    ]
    section.notes = ["× json: beside splitting the lines and `json.loads` alone"]
    return section


def _most(found: dict[str, dict[str, float]], key: str) -> float:
    return max(figures[key] for figures in found.values() if key in figures)
