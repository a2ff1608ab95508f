"""One call through the pipeline, as the tests of its steps make it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llm_client.engine.pipeline import CallContext, run_call
from llm_client.types.events import Event, Notice
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse

from .scenarios import Answer, Expected, Opening, Scenario
from .scripted import Stage, play_async, play_sync, sync_driver, target

__all__ = ["HELLO", "PLAYERS", "UNAVAILABLE", "notices", "run", "scenario"]

PLAYERS = [pytest.param(play_sync, id="sync"), pytest.param(play_async, id="async")]
HELLO = LLMRequest((Message("user", "hi"),))
UNAVAILABLE = Answer((b"{}",), 503)


def scenario(*openings: Opening, **fields: Any) -> Scenario:
    return replace(Scenario("", openings, Expected(())), **{"stream": False, **fields})


def run(
    *openings: Opening, request: LLMRequest = HELLO, **context: Any
) -> tuple[Stage, LLMResponse]:
    """Run a call through the sync driver; return the stage and the answer."""
    stage = Stage(scenario(*openings))
    fields: dict[str, Any] = {
        "route": [target()],
        "observe": stage.played.events.append,
        "clock": stage.clock,
    }
    steps = run_call(request, CallContext("call", **{**fields, **context}))
    return stage, sync_driver(stage).run(steps)


def notices(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]
