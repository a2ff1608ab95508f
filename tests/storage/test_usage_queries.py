"""What was used, summed up by the database and compared with sums made by hand."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest

from llm_client.storage.database import Connection
from llm_client.storage.ledger import open_ledger, storable
from llm_client.storage.usage_queries import EXPORTED, DayUsage
from llm_client.storage.usage_store import UsageStore
from llm_client.types.events import AttemptRecord, Labels, Outcome
from llm_client.types.usage import UsageKey, UsageQuery, UsageRow

from .usage_rows import attempt, local, rows, total, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_call_of_three_attempts_at_two_models_is_one_call(path: Path) -> None:
    write(
        path,
        attempt("c", 1, outcome="error", tokens=None, latency_ms=10, first_token_ms=None),
        attempt("c", 2, outcome="error", tokens=None, latency_ms=10, first_token_ms=None),
        attempt("c", 3, spec="gemini/gemini-3", latency_ms=400, first_token_ms=None),
    )

    found = rows(path, "model")
    assert {key: (row.calls, row.attempts, row.failed) for key, row in found.items()} == {
        "gemini/gemini-3": (1, 1, 0),
        "openai/gpt-5.2": (1, 2, 2),
    }
    assert (total(path).calls, total(path).attempts, total(path).failed) == (1, 3, 2)
    # Waits are those of answers only.
    assert total(path).latency_ms == 400
    assert total(path).time_to_first_token_ms is None
    # Nothing that costs anything was used there.
    assert found["openai/gpt-5.2"].cost_nano_usd == 0


def test_outcomes_are_counted_apart(path: Path) -> None:
    outcomes: tuple[Outcome, ...] = get_args(Outcome)
    write(
        path,
        *(
            attempt(name, outcome != "cached", outcome=outcome)
            for name, outcome in zip("abcdef", outcomes, strict=True)
        ),
    )

    whole = total(path)
    assert whole.calls == 6
    assert (whole.attempts, whole.failed, whole.interrupted) == (5, 1, 2)
    assert (whole.lost, whole.cached) == (1, 1)
    assert rows(path, "outcome").keys() == set(outcomes)


@pytest.mark.parametrize("given", ["p\udcff", "*\udcff"], ids=["whole", "part"])
def test_label_that_is_no_text_is_found_as_it_was_written_down(path: Path, given: str) -> None:
    write(path, attempt("a", labels=Labels(project=storable("p\udcff"))))
    assert total(path, project=given).calls == 1
    assert total(path, project="\udcff").calls == 0


def test_kinds_of_tokens_are_summed_and_unknown_ones_stay_unknown(path: Path) -> None:
    write(
        path,
        attempt("a", tokens=(100, 10), cached_tokens=40, reasoning_tokens=5),
        attempt("b", tokens=(50, 5), cached_tokens=None, estimated=True),
        attempt("c", tokens=None, outcome="error"),
    )

    whole = total(path)
    assert (whole.prompt_tokens, whole.completion_tokens, whole.total_tokens) == (150, 15, 165)
    assert (whole.cached_tokens, whole.reasoning_tokens) == (40, 5)
    assert whole.cache_write_tokens is None
    assert whole.estimated == 1


def test_absurd_figures_do_not_break_the_sum(path: Path) -> None:
    write(path, *(attempt(f"c{i}", tokens=(2**63 - 1, 2**63 - 1), cost=9e9) for i in range(3)))
    whole = total(path)
    assert whole.prompt_tokens == 3 * 10**15
    assert whole.cost == 3_000_000
    assert UsageStore(path).days(UsageQuery())[0].total_tokens == 6 * 10**15


def test_tags_count_under_each_and_once_in_the_total(path: Path) -> None:
    write(
        path,
        attempt("a", labels=Labels(tags=("x", "y"))),
        attempt("b", labels=Labels(tags=("x", "x"))),
        attempt("c", labels=Labels(tags=('"quoted", %', "naïve 🦀"))),
        attempt("d"),
    )

    found = rows(path, "tag")
    assert {key: (row.calls, row.cost_nano_usd) for key, row in found.items()} == {
        "x": (2, 2_000_000),
        "y": (1, 1_000_000),
        '"quoted", %': (1, 1_000_000),
        "naïve 🦀": (1, 1_000_000),
        None: (1, 1_000_000),
    }
    assert (total(path).calls, total(path).cost_nano_usd) == (4, 4_000_000)


@pytest.mark.parametrize("by", ["project", "session", "profile"])
def test_no_label_is_a_group_of_its_own(path: Path, by: UsageKey) -> None:
    label: Any = {by: "web"}
    write(path, attempt("a", labels=Labels(**label)), attempt("b"), attempt("c"))
    assert {key: row.calls for key, row in rows(path, by).items()} == {"web": 1, None: 2}


def test_days_weeks_and_months_are_in_order_and_local(path: Path) -> None:
    times = ("2027-01-01T00:10", "2026-12-31T23:50", "2026-11-02T12:00", "2026-12-28T01:00")
    write(path, *(attempt(at, at=at, cost=0.001 * i) for i, at in enumerate(times)))

    assert [*rows(path, "day")] == ["2026-11-02", "2026-12-28", "2026-12-31", "2027-01-01"]
    # The first of January 2027 is a Friday.
    assert {key: row.calls for key, row in rows(path, "week").items()} == {
        "2026-W45": 1,
        "2026-W53": 3,
    }
    assert [*rows(path, "month")] == ["2026-11", "2026-12", "2027-01"]


def test_other_groups_come_by_cost_then_tokens_then_calls_then_name(path: Path) -> None:
    write(
        path,
        attempt("1", spec="a/cheap", cost=0.001),
        attempt("2", spec="b/dear", cost=1.0),
        attempt("3", spec="ollama/long", cost=None, tokens=(5000, 1)),
        attempt("4", spec="ollama/short", cost=None, tokens=(1, 1)),
        attempt("5", spec="z/failed", tokens=None, outcome="error"),
        attempt("6", spec="y/failed", tokens=None, outcome="error"),
        attempt("7", spec="y/failed", tokens=None, outcome="error"),
        attempt("8", spec="a/failed", tokens=None, outcome="error"),
    )
    assert [*rows(path, "model")] == [
        *("b/dear", "a/cheap", "ollama/long", "ollama/short", "y/failed", "a/failed", "z/failed"),
    ]


def test_attempt_without_a_model_is_its_provider_s(path: Path) -> None:
    write(path, attempt("c", spec="ollama/"))
    assert [*rows(path, "model")] == ["ollama"]


SPECS = ("openai/gpt-5.2", "openai/gpt_5", "openrouter/meta/llama-3", "work/100%")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"provider": "openai"}, SPECS[:2]),
        ({"provider": "OpenAI"}, SPECS[:2]),
        ({"provider": "open*"}, SPECS[:3]),
        ({"model": "gpt-5.2"}, SPECS[:1]),
        ({"model": "openai/gpt-5.2"}, SPECS[:1]),
        ({"model": "meta/llama-3"}, SPECS[2:3]),
        ({"model": "openrouter/meta/llama-3"}, SPECS[2:3]),
        ({"model": "GPT*"}, SPECS[:2]),
        ({"model": "gpt_*"}, SPECS[1:2]),
        ({"model": "*%"}, SPECS[3:]),
        ({"model": "gpt"}, ()),
        ({"model": "*"}, SPECS),
        ({"model": ""}, ()),
        ({"provider": "openai", "model": "meta/llama-3"}, ()),
    ],
    ids=str,
)
def test_providers_and_models_are_found_by_name_or_pattern(
    path: Path, filters: dict[str, str], found: tuple[str, ...]
) -> None:
    write(path, *(attempt(spec, spec=spec) for spec in SPECS))
    assert rows(path, "model", **filters).keys() == set(found)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"project": "web"}, "ab"),
        ({"project": "WEB"}, ""),
        ({"project": "w*"}, "ab"),
        ({"project": ""}, "cd"),
        ({"session": "s"}, "b"),
        ({"profile": "fast"}, "a"),
        ({"tag": "x"}, "ab"),
        ({"tag": "y"}, "b"),
        ({"tag": "X*"}, "ab"),
        ({"tag": ""}, "cd"),
        ({"tag": "x", "session": "s"}, "b"),
        ({"outcome": "error"}, "d"),
        ({"project": "' OR 1=1 --"}, ""),
    ],
    ids=str,
)
def test_labels_filter(path: Path, filters: dict[str, str], found: str) -> None:
    write(
        path,
        attempt("a", labels=Labels("fast", None, "web", ("x",))),
        attempt("b", labels=Labels(None, "s", "web", ("x", "y"))),
        attempt("c"),
        attempt("d", outcome="error"),
    )
    query = UsageQuery(**filters)  # type: ignore[arg-type]
    store = UsageStore(path)
    assert {row["call_id"] for row in store.attempts(query)} == set(found)
    assert store.count(query) == len(found)


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        ("2026-11-20", None, "bc"),
        (None, "2026-11-19", "a"),
        ("2026-11-19", "2026-11-20", "abc"),
        ("2026-11-21", None, ""),
        (local("2026-11-20T12:00"), None, "c"),
        (None, local("2026-11-20T12:00"), "ab"),
        (local("2026-11-19T23:59:30"), "2026-11-20", "abc"),
    ],
    ids=str,
)
def test_days_include_and_moments_exclude_their_end(
    path: Path, since: Any, until: Any, found: str
) -> None:
    times = ("2026-11-19T23:59:30", "2026-11-20T00:00", "2026-11-20T12:00")
    write(path, *(attempt(name, at=at) for name, at in zip("abc", times, strict=True)))
    query = UsageQuery(since=since, until=until)
    assert {row["call_id"] for row in UsageStore(path).attempts(query)} == set(found)


def test_every_day_is_told_with_cost_and_tokens(path: Path) -> None:
    write(
        path,
        attempt("a", at="2026-11-18T12:00", cost=0.002),
        attempt("b", at="2026-11-18T13:00", cost=None),
        attempt("c", at="2026-11-20T12:00", cost=None),
        attempt("d", at="2026-11-21T12:00", tokens=None, outcome="error"),
    )
    assert UsageStore(path).days(UsageQuery()) == [
        DayUsage("2026-11-18", 2_000_000, 240),
        DayUsage("2026-11-20", None, 120),
        DayUsage("2026-11-21", None, 0),
    ]


def test_exported_attempt_has_every_column_but_no_number(path: Path) -> None:
    record = attempt(
        "c",
        2,
        labels=Labels("fast", "s", "web", ("x",)),
        outcome="error",
        error_type="LLMServiceError",
        cost=0.0061565,
        latency_ms=12.34567,
        first_token_ms=1 / 3,
        cached_tokens=7,
        estimated=True,
    )
    write(path, record, attempt("d", tokens=None, first_token_ms=None))

    first, second = UsageStore(path).attempts(UsageQuery())
    assert tuple(first) == tuple(second) == EXPORTED
    assert first["started_at"].endswith("Z")
    assert first | {"started_at": ""} == {
        "started_at": "",
        "day": "2026-11-20",
        "call_id": "c",
        "attempt": 2,
        "provider": "openai",
        "model": "gpt-5.2",
        "local": False,
        "profile": "fast",
        "session": "s",
        "project": "web",
        "tags": ["x"],
        "outcome": "error",
        "error_type": "LLMServiceError",
        "retry": 1,
        "fallback": 0,
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "cached_tokens": 7,
        "cache_write_tokens": None,
        "reasoning_tokens": None,
        "estimated": True,
        "cost": 0.0061565,
        "cost_nano_usd": 6_156_500,
        "latency_ms": 12.346,
        "time_to_first_token_ms": 0.333,
    }
    assert (second["tags"], second["cost"], second["time_to_first_token_ms"]) == ([], None, None)
    # Whoever adds a column of the ledger decides whether it is exported.
    columns = set(EXPORTED) - {"cost_nano_usd", "time_to_first_token_ms"} | {"first_token_ms"}
    assert columns | {"id"} == _columns(path)


def _columns(path: Path) -> set[str]:
    database = open_ledger(path)
    names = database.read(
        lambda connection: {row[1] for row in connection.execute("PRAGMA table_info(attempts)")}
    )
    database.close()
    return names


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (UsageQuery(by="model", since="2026-11-20"), "attempts_by_day"),
        (UsageQuery(by="model", since=1.0e9, until=2.0e9), "attempts_by_time"),
        (UsageQuery(), "sqlite_autoindex_attempts_1"),
    ],
    ids=["days", "moments", "calls-of-all-time"],
)
def test_span_is_looked_up_in_an_index(path: Path, query: UsageQuery, index: str) -> None:
    from llm_client.storage import usage_queries

    plans: list[str] = []

    class Explained:
        """Notes how the database would go about each question."""

        def __init__(self, connection: Connection) -> None:
            self._connection = connection

        def execute(self, statement: str, values: Any = ()) -> Any:
            found = self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.append("; ".join(row[3] for row in found))
            return self._connection.execute(statement, values)

    write(path, *(attempt(f"c{i}") for i in range(100)))
    database = open_ledger(path)
    database.read(lambda it: usage_queries.summarize(Explained(it), query))  # type: ignore[arg-type]
    database.close()
    assert plans
    assert index in plans[0]


def test_random_ledger_is_summed_up_as_by_hand(path: Path) -> None:
    chance = random.Random(4)
    records: list[AttemptRecord] = []
    for i in range(60):
        labels = Labels(
            chance.choice([None, "fast"]),
            None,
            chance.choice([None, "web", "app"]),
            tuple(chance.sample(["x", "y", "z"], chance.randrange(3))),
        )
        for number in range(1, chance.choice([1, 1, 2, 4]) + 1):
            records.append(
                attempt(
                    f"c{i}",
                    number,
                    at=f"2026-{chance.randrange(9, 13):02}-{chance.randrange(1, 29):02}T12:00",
                    spec=chance.choice(["openai/a", "openai/b", "ollama/c"]),
                    outcome=chance.choice(["ok", "error", "interrupted"]),
                    tokens=chance.choice([None, (chance.randrange(999), chance.randrange(99))]),
                    cost=chance.choice([None, chance.randrange(10**6) / 1e9]),
                    labels=labels,
                )
            )
    write(path, *records)

    keys: dict[UsageKey, Callable[[AttemptRecord], tuple[str | None, ...]]] = {
        "provider": lambda record: (record.provider,),
        "model": lambda record: (f"{record.provider}/{record.model}",),
        "day": lambda record: (str(_day(record)),),
        "week": lambda record: ("{:04}-W{:02}".format(*_day(record).isocalendar()),),
        "month": lambda record: (str(_day(record))[:7],),
        "project": lambda record: (record.labels.project,),
        "profile": lambda record: (record.labels.profile,),
        "tag": lambda record: record.labels.tags or (None,),
        "outcome": lambda record: (record.outcome,),
    }
    for by, key_of in keys.items():
        groups: dict[str | None, list[AttemptRecord]] = defaultdict(list)
        for record in records:
            for key in key_of(record):
                groups[key].append(record)
        assert {key: _figures(row) for key, row in rows(path, by).items()} == {
            key: _by_hand(group) for key, group in groups.items()
        }
    assert _figures(total(path)) == _by_hand(records)


def _day(record: AttemptRecord) -> date:
    return date.fromtimestamp(record.started_at)


def _figures(row: UsageRow) -> tuple[int, ...]:
    return row.calls, row.attempts, row.failed, row.total_tokens, row.cost_nano_usd or 0


def _by_hand(group: list[AttemptRecord]) -> tuple[int, ...]:
    used = [record.usage for record in group if record.usage is not None]
    return (
        len({record.call_id for record in group}),
        len(group),
        sum(record.outcome == "error" for record in group),
        sum(usage.total_tokens for usage in used),
        sum(round((usage.estimated_cost or 0) * 1e9) for usage in used),
    )
