"""An embedding call through both drivers: batches, retries, the deadline, the books."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llm_client.engine.embedding import run_embedding
from llm_client.engine.pipeline import Granted, Hooks
from llm_client.exceptions import (
    ConfigurationError,
    ConnectionError,
    LLMError,
    LLMServiceError,
    ModelNotFoundError,
    RateLimitError,
    TimeoutError,
    ValidationError,
)
from llm_client.types.config import RetrySettings
from llm_client.types.embedding import EmbeddingRequest
from llm_client.types.events import AttemptRecord, Event, Retrying
from llm_client.types.response import Usage
from llm_client.types.target import Quirks, Target

from .embedding_stage import (
    Fault,
    Run,
    Server,
    context,
    records,
    request,
    run_async,
    run_sync,
    target,
    vectors,
)


@pytest.fixture(params=[run_sync, run_async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


@pytest.mark.parametrize(
    ("count", "batches"),
    [(1, [1]), (2, [2]), (3, [2, 1]), (6, [2, 2, 2])],
    ids=["one", "full", "one over", "three full"],
)
def test_long_list_is_sent_in_batches_and_comes_back_in_order(
    run: Run, count: int, batches: list[int]
) -> None:
    server, events = Server(), list[Event]()

    response = run(server, run_embedding(request(count), context(server, events)))

    assert [len(body["input"]) for body in server.asked] == batches
    assert [vector[0] for vector in response.embeddings] == list(range(count))
    assert response.usage == Usage(count, 0, count)
    assert (response.model, response.provider) == ("served", "p")
    assert (response.attempts, response.retry_count) == (len(batches), 0)
    assert len(response.raw) == len(batches)
    assert response.metadata == {"call_id": "call"}
    assert server.open_exchanges == 0
    assert [(r.outcome, r.usage) for r in records(events)] == [
        ("ok", Usage(size, 0, size)) for size in batches
    ]


def test_batch_is_bounded_by_bytes_too_and_a_longer_text_goes_alone() -> None:
    server = Server(answer=lambda texts: {"data": [{"embedding": [len(t)]} for t in texts]})
    quirks = Quirks(embed_batch=3, embed_batch_bytes=6)
    texts = ("aaaaaaaaaa", "éé", "b", "c", "d", "ééé", "e")

    steps = run_embedding(EmbeddingRequest(texts), context(server, [], route=[target(quirks)]))
    response = run_sync(server, steps)

    sent = [body["input"] for body in server.asked]
    assert sent == [["aaaaaaaaaa"], ["éé", "b", "c"], ["d"], ["ééé"], ["e"]]
    assert [vector[0] for vector in response.embeddings] == [len(text) for text in texts]


def test_every_request_says_everything(run: Run) -> None:
    server = Server()
    asked = request(3, dimensions=4, extra_body={"user": "ann"})

    run(server, run_embedding(asked, context(server, [])))

    assert len(server.asked) == 2
    assert all((body["dimensions"], body["user"]) == (4, "ann") for body in server.asked)


@pytest.mark.parametrize(
    "fault",
    [
        (429, {"retry-after": "3"}, {"error": {"message": "slow down"}}),
        (503, {}, {"error": {"message": "busy"}}),
        ConnectionError("it broke off"),
    ],
    ids=["429", "503", "connection"],
)
def test_failed_batch_alone_is_tried_again(run: Run, fault: Fault) -> None:
    server, events = Server([None, fault]), list[Event]()

    response = run(server, run_embedding(request(4), context(server, events)))

    assert [body["input"][0] for body in server.asked] == ["text 0", "text 2", "text 2"]
    assert (response.attempts, response.retry_count) == (3, 1)
    assert [vector[0] for vector in response.embeddings] == [0, 1, 2, 3]
    assert server.slept == [3.0 if isinstance(fault, tuple) and fault[1] else 1.0]
    assert [(r.outcome, r.retry) for r in records(events)] == [
        ("ok", 0),
        ("error", 0),
        ("ok", 1),
    ]
    assert sum(isinstance(event, Retrying) for event in events) == 1


def test_retries_are_counted_for_each_batch_anew(run: Run) -> None:
    busy: Fault = (503, {}, {})
    server = Server([busy, None, busy, None])
    settings = RetrySettings(max_retries=1)

    events: list[Event] = []

    response = run(server, run_embedding(request(4), context(server, events, retry=settings)))

    assert (response.attempts, response.retry_count) == (4, 2)
    assert [record.retry for record in records(events)] == [0, 1, 0, 1]


def test_failure_for_good_is_raised_and_the_rest_is_not_asked(run: Run) -> None:
    server = Server([None, (400, {}, {"error": {"message": "no"}})])
    events: list[Event] = []

    with pytest.raises(ValidationError):
        run(server, run_embedding(request(6), context(server, events)))

    assert len(server.asked) == 2
    assert [r.outcome for r in records(events)] == ["ok", "error"]
    assert server.open_exchanges == 0


def test_fallbacks_of_the_route_are_not_used(run: Run) -> None:
    server = Server([(401, {}, {})])
    route = [target(), replace(target(), model="other")]

    with pytest.raises(LLMError):
        run(server, run_embedding(request(1), context(server, [], route=route)))

    assert [body["model"] for body in server.asked] == ["m"]


@pytest.mark.parametrize("got", [0, 1, 3], ids=["none", "too few", "too many"])
def test_wrong_count_of_vectors_is_an_error_that_is_booked(run: Run, got: int) -> None:
    server = Server(answer=lambda texts: vectors([f"text {i}" for i in range(got)]))
    events: list[Event] = []

    with pytest.raises(LLMServiceError, match=f"p sent {got} embeddings for 2 texts"):
        run(server, run_embedding(request(2), context(server, events)))

    (record,) = records(events)
    assert (record.outcome, record.model) == ("error", "served")
    assert record.usage == (Usage(got, 0, got))


def test_server_that_refuses_base64_is_asked_for_lists(run: Run) -> None:
    refusal: Fault = (422, {}, {"detail": "Extra inputs are not permitted: encoding_format"})
    server = Server([refusal])

    response = run(server, run_embedding(request(1), context(server, [])))

    assert [body.get("encoding_format") for body in server.asked] == ["base64", None]
    assert response.embeddings == ((0.0, 1.0),)
    assert server.slept == []


def test_deadline_bounds_all_batches_together(run: Run) -> None:
    server, events = Server([4.0, 4.0, 4.0]), list[Event]()

    with pytest.raises(TimeoutError, match="deadline of 10 s"):
        run(server, run_embedding(request(6), context(server, events, deadline=10.0)))

    assert server.now == 110.0
    assert [r.outcome for r in records(events)] == ["ok", "ok", "error"]
    assert server.open_exchanges == 0


def test_deadline_that_is_over_before_a_batch_sends_nothing(run: Run) -> None:
    server = Server()
    with pytest.raises(TimeoutError, match="before the first attempt"):
        run(server, run_embedding(request(1), context(server, [], deadline=0.0)))
    assert server.asked == []


def test_interrupt_is_booked_and_the_exchange_closed() -> None:
    server, events = Server([KeyboardInterrupt()]), list[Event]()

    with pytest.raises(KeyboardInterrupt):
        run_sync(server, run_embedding(request(1), context(server, events)))

    assert [r.outcome for r in records(events)] == ["interrupted"]
    assert server.open_exchanges == 0


def test_hooks_reserve_for_every_request_and_settle_it(run: Run) -> None:
    reserved: list[tuple[int, int]] = []
    settled: list[AttemptRecord] = []

    def reserve(asked: Any, where: Target, number: int) -> Granted:
        is_first = (number, len(asked.texts)) not in reserved
        reserved.append((number, len(asked.texts)))
        return Granted(0.5 if is_first else 0.0)

    def settle(record: AttemptRecord, where: Target, pause: float | None) -> None:
        settled.append(record)

    server = Server()
    hooks = Hooks(reserve=reserve, settle=settle)

    run(server, run_embedding(request(3), context(server, [], hooks=hooks)))

    assert reserved == [(1, 2), (1, 2), (2, 1), (2, 1)], "asked again after the wait"
    assert server.slept == [0.5, 0.5]
    assert [(record.outcome, record.attempt) for record in settled] == [("ok", 1), ("ok", 2)]


def test_limit_that_is_used_up_is_passed_on_to_the_ledger(run: Run) -> None:
    told: list[float | None] = []
    hooks = Hooks(settle=lambda record, where, pause: told.append(pause))
    used_up = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}
    server = Server([(200, used_up, vectors(["text 0"]))])

    run(server, run_embedding(request(1), context(server, [], hooks=hooks)))

    assert told == [30.0]


def test_rate_limit_behind_the_deadline_is_refused(run: Run) -> None:
    hooks = Hooks(reserve=lambda *_: Granted(60.0))
    server = Server()
    with pytest.raises(RateLimitError):
        run(server, run_embedding(request(1), context(server, [], hooks=hooks, deadline=5.0)))
    assert server.asked == []


def test_provider_without_embeddings_is_refused_before_anything_is_sent(run: Run) -> None:
    server, events = Server(), list[Event]()
    route = [target(dialect="anthropic")]
    with pytest.raises(ConfigurationError):
        run(server, run_embedding(request(1), context(server, events, route=route)))
    assert (server.asked, events) == ([], [])


@pytest.mark.parametrize(
    ("models", "chosen"),
    [
        (
            [
                {"name": "chat", "endpoints": ["chat"]},
                {"name": "unknown"},
                {"name": "embed", "endpoints": ["embed"]},
            ],
            "embed",
        ),
        ([{"name": "chat", "endpoints": ["chat"]}, {"name": "unknown"}], "unknown"),
        ([{"name": "chat", "endpoints": ["chat"]}], "chat"),
    ],
    ids=["known", "unknown", "others only"],
)
def test_model_that_is_not_named_is_one_for_embeddings_if_there_is_any(
    run: Run, models: list[dict[str, Any]], chosen: str
) -> None:
    server = Server(models=models, answer=lambda texts: {})
    route = [target(dialect="cohere", model="")]
    server.faults = [(200, {}, {"embeddings": {"float": [[1.0]]}})]

    response = run(server, run_embedding(request(1), context(server, [], route=route)))

    assert server.asked[0]["model"] == chosen
    assert response.model == chosen


def test_provider_that_lists_no_model_is_an_error(run: Run) -> None:
    server = Server()
    route = [target(dialect="cohere", model="")]
    with pytest.raises(ModelNotFoundError, match="has no models"):
        run(server, run_embedding(request(1), context(server, [], route=route)))
    assert server.open_exchanges == 0


def test_price_of_every_request_is_in_the_usage_and_in_the_books(run: Run) -> None:
    server, events = Server(), list[Event]()
    priced: list[tuple[str, int]] = []

    def price(where: Target, model: str, usage: Usage) -> float:
        priced.append((model, usage.prompt_tokens))
        return 0.25 * usage.prompt_tokens

    response = run(server, run_embedding(request(3), context(server, events, price=price)))

    assert response.cost == 0.75
    assert priced == [("served", 2), ("served", 1)]
    assert [r.usage.estimated_cost for r in records(events) if r.usage] == [0.5, 0.25]


@pytest.mark.parametrize(
    ("named", "embed_model", "asked"),
    [("chat", "small", "small"), ("mine", "small", "mine"), ("mine", "", "mine")],
    ids=["default", "named", "named, none known"],
)
def test_model_that_answers_by_default_does_not_embed(
    run: Run, named: str, embed_model: str, asked: str
) -> None:
    row = replace(target().provider, default_model="chat", embed_model=embed_model)
    server = Server()
    route = [replace(target(model=named), provider=row)]
    run(server, run_embedding(request(1), context(server, [], route=route)))
    assert server.asked[0]["model"] == asked


def test_provider_whose_embedding_model_is_not_known_wants_it_named(run: Run) -> None:
    row = replace(target().provider, default_model="chat")
    server = Server()
    route = [replace(target(model="chat"), provider=row)]
    with pytest.raises(ConfigurationError, match="which model of 'p' makes the embeddings"):
        run(server, run_embedding(request(1), context(server, [], route=route)))
    assert server.asked == []
