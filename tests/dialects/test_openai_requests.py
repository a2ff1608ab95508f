"""What OpenAI's models are known to refuse, and which schemas it can hold them to."""

from __future__ import annotations

from typing import Any

import pytest

from llm_client.dialects.openai_requests import is_strict, known_model, schema_name
from llm_client.exceptions import ValidationError
from llm_client.providers.openai_models import OPENAI_MODEL_RULES, openai_model
from llm_client.types.request import LLMRequest
from llm_client.types.target import matches

from .answers import target


def check(model: str, **options: Any) -> None:
    known_model(LLMRequest.build("Hi", stream=False, **options), target("openai", model=model))


LOW_TO_HIGH = "low medium high"
EFFORTS = {
    "gpt-5": f"minimal {LOW_TO_HIGH}",
    "gpt-5-mini-2025-08-07": f"minimal {LOW_TO_HIGH}",
    "gpt-5-pro": "high",
    "gpt-5-codex": LOW_TO_HIGH,
    "gpt-5.1": f"none {LOW_TO_HIGH}",
    "gpt-5.1-2025-11-13": f"none {LOW_TO_HIGH}",
    "gpt-5.1-chat-latest": "medium",
    "gpt-5.1-codex": LOW_TO_HIGH,
    "gpt-5.1-codex-max": f"{LOW_TO_HIGH} xhigh",
    "gpt-5.2": f"none {LOW_TO_HIGH} xhigh",
    "gpt-5.2-pro-2025-12-11": "medium high xhigh",
    "gpt-5.3-codex": f"none {LOW_TO_HIGH} xhigh",
    "gpt-5.4-nano": f"none {LOW_TO_HIGH} xhigh",
    "gpt-5.5-pro": "medium high xhigh",
    "gpt-5.6-terra": f"none {LOW_TO_HIGH} xhigh max",
    "gpt-6-astra": f"{LOW_TO_HIGH} xhigh max",
    "o1": LOW_TO_HIGH,
    "o3-deep-research": "medium",
    "o3-pro": LOW_TO_HIGH,
    "o4-mini-2025-04-16": LOW_TO_HIGH,
}
"""models.dev, 2026-07 to 2026-11."""
ALL_EFFORTS = {"none", "minimal", "low", "medium", "high", "xhigh", "max"}


@pytest.mark.parametrize("model", EFFORTS)
def test_effort_that_a_model_does_not_take_is_refused_with_those_it_takes(model: str) -> None:
    taken = set(EFFORTS[model].split())
    for effort in taken:
        check(model, reasoning_effort=effort)
    for effort in ALL_EFFORTS - taken:
        with pytest.raises(ValidationError, match=f"{model} cannot be told") as caught:
            check(model, reasoning_effort=effort)
        assert caught.value.param == "reasoning_effort"
        assert caught.value.hint == f"It takes {', '.join(EFFORTS[model].split())}."


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "gpt-3.5-turbo", "gpt-5-chat-latest"])
def test_effort_of_a_model_that_does_not_think_is_refused(model: str) -> None:
    with pytest.raises(ValidationError, match="cannot be told reasoning_effort 'high'") as caught:
        check(model, reasoning_effort="high")
    assert caught.value.hint == "It does not think: leave it out."


@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-9", "openai/gpt-5", "llama3.2", ""])
def test_effort_of_a_model_without_known_efforts_is_left_to_its_provider(model: str) -> None:
    for effort in ALL_EFFORTS:
        check(model, reasoning_effort=effort)


@pytest.mark.parametrize(
    ("model", "effort", "is_refused"),
    [
        pytest.param("gpt-4o", None, False, id="4o"),
        pytest.param("gpt-5", None, True, id="5"),
        pytest.param("gpt-5", "minimal", True, id="5-minimal"),
        pytest.param("gpt-5-chat-latest", None, False, id="5-chat"),
        pytest.param("gpt-5.1", None, False, id="5.1"),
        pytest.param("gpt-5.1", "none", False, id="5.1-none"),
        pytest.param("gpt-5.1", "low", True, id="5.1-low"),
        pytest.param("gpt-5.1-codex", None, True, id="5.1-codex"),
        pytest.param("gpt-5.4", None, False, id="5.4"),
        pytest.param("gpt-5.5", None, True, id="5.5"),
        pytest.param("gpt-5.5", "none", False, id="5.5-none"),
        pytest.param("gpt-6-astra", None, True, id="6-astra"),
        pytest.param("gpt-6-sol", None, False, id="6-not-known"),
        pytest.param("gpt-6-sol", "high", True, id="6-high"),
        pytest.param("o3", None, True, id="o3"),
        pytest.param("openai/o3", None, False, id="router"),
    ],
)
@pytest.mark.parametrize("field", ["temperature", "top_p"])
def test_sampling_is_refused_while_a_model_thinks(
    model: str, effort: str | None, is_refused: bool, field: str
) -> None:
    options: dict[str, Any] = {field: 0.5, "reasoning_effort": effort}
    if not is_refused:
        check(model, **options)
        return
    with pytest.raises(ValidationError, match=f"{model} cannot be told {field} 0.5") as caught:
        check(model, **options)
    assert caught.value.param == field
    says_how = "reasoning_effort to none" in (caught.value.hint or "")
    assert says_how is ("none" in openai_model(model).efforts)


@pytest.mark.parametrize("field", ["temperature", "top_p"])
def test_default_of_sampling_is_left_to_the_provider(field: str) -> None:
    check("gpt-5", **{field: 1})
    check("o3", **{field: 1.0})
    with pytest.raises(ValidationError, match="0"):
        check("o3", **{field: 0})


@pytest.mark.parametrize(
    ("model", "is_refused"),
    [
        ("gpt-4o", False),
        ("gpt-5-mini", True),
        ("gpt-5.5", True),
        ("o3", True),
        ("o3-mini", False),
        ("o4-mini", True),
        ("o1", False),
    ],
)
def test_stop_is_refused_by_models_that_are_known_to(model: str, is_refused: bool) -> None:
    if not is_refused:
        check(model, stop="x")
        return
    with pytest.raises(ValidationError) as caught:
        check(model, stop="x")
    assert caught.value.param == "stop"


@pytest.mark.parametrize(
    ("model", "reasons"),
    [("gpt-4.1", False), ("gpt-5-chat-latest", False), ("gpt-5.6-sol", True), ("o1-pro", True)],
)
def test_reasoning_models_are_known(model: str, reasons: bool) -> None:
    assert openai_model(model).reasons is reasons


RESPONSES_ONLY = [
    "codex-mini-latest",
    "computer-use-preview",
    "gpt-5-codex",
    "gpt-5-pro-2025-10-06",
    "gpt-5.1-codex-max",
    "gpt-5.2-pro",
    "gpt-5.4",
    "gpt-5.4-mini",
    "gpt-5.5",
    "gpt-5.6-luna",
    "gpt-6-cyber",
    "gpt-6.1-sol",
    "gpt-daybreak-red-latest",
    "gpt-rosalind-research",
    "o1-pro",
    "o3-deep-research-2025-06-26",
    "o3-pro-2025-06-10",
    "o4-mini-deep-research",
]
CHAT = ["gpt-3.5-turbo", "gpt-4o", "gpt-4.1", "gpt-5", "gpt-5-mini", "gpt-5.1", "gpt-5.2", "o3"]


@pytest.mark.parametrize("model", [*RESPONSES_ONLY, *CHAT])
def test_model_is_routed_to_responses_where_it_must(model: str) -> None:
    dialects = [rule.dialect for rule in OPENAI_MODEL_RULES if matches(rule.pattern, model)]
    assert bool(dialects) is (model in RESPONSES_ONLY)
    assert set(dialects) <= {"openai-responses"}


def test_models_that_the_openai_package_lists_for_responses_only_are_routed_there() -> None:
    from typing import get_args

    from openai.types.shared import responses_model

    names = [
        name
        for literal in get_args(responses_model.ResponsesModel)
        for name in get_args(literal)
        if isinstance(name, str) and name not in get_args(responses_model.ChatModel)
    ]
    assert len(names) > 15
    for name in names:
        assert any(matches(rule.pattern, name) for rule in OPENAI_MODEL_RULES), name


@pytest.mark.parametrize(
    ("title", "name"),
    [("Person", "Person"), ("A person", "answer"), ("x" * 65, "answer"), (3, "answer")],
)
def test_schema_is_named_by_its_title_where_that_may_be_one(title: object, name: str) -> None:
    assert schema_name({"title": title}) == name
    assert schema_name({}) == "answer"


def closed(required: Any = None, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties] if required is None else required,
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
PERSON = closed(name=TEXT)


def nested(levels: int) -> dict[str, Any]:
    schema = PERSON
    for _ in range(levels):
        schema = closed(inner=schema)
    return schema


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        pytest.param(PERSON, True, id="object"),
        pytest.param(closed(), True, id="empty"),
        pytest.param(
            {"type": "object", "additionalProperties": False}, False, id="nothing-required"
        ),
        pytest.param({**PERSON, "title": "P", "description": "A person."}, True, id="annotated"),
        pytest.param(closed(age={"type": "integer", "minimum": 0}), True, id="bounded"),
        pytest.param(closed(kind={"enum": ["a", "b"]}), True, id="enum"),
        pytest.param(closed(day={"type": "string", "format": "date"}), True, id="format"),
        pytest.param(closed(all={"type": "array", "items": PERSON}), True, id="list"),
        pytest.param(closed(one={"anyOf": [TEXT, {"type": "null"}]}), True, id="any-of"),
        pytest.param(closed(one={"$ref": "#/$defs/P"}) | {"$defs": {"P": PERSON}}, True, id="ref"),
        pytest.param({**PERSON, "type": ["object", "null"]}, False, id="root-null"),
        pytest.param(closed(inner={**PERSON, "type": ["object", "null"]}), True, id="inner-null"),
        pytest.param(nested(9), True, id="deep"),
        pytest.param(nested(10), False, id="too-deep"),
        pytest.param(TEXT, False, id="no-object"),
        pytest.param({"anyOf": [PERSON, TEXT]}, False, id="root-any-of"),
        pytest.param({"$ref": "#/$defs/P", "$defs": {"P": PERSON}}, False, id="root-ref"),
        pytest.param({**PERSON, "additionalProperties": True}, False, id="open"),
        pytest.param({"type": "object", "properties": {}}, False, id="open-by-default"),
        pytest.param(closed([], name=TEXT), False, id="optional"),
        pytest.param(closed("name", name=TEXT), False, id="required-text"),
        pytest.param({**PERSON, "properties": ["name"]}, False, id="properties-list"),
        pytest.param(closed(one={"type": "null", "properties": []}), False, id="no-properties"),
        pytest.param(closed([["name"]], name=TEXT), False, id="required-list"),
        pytest.param(closed(name={**TEXT, "format": ["date"]}), False, id="format-list"),
        pytest.param(closed(inner={"properties": {"x": TEXT}}), False, id="open-without-type"),
        pytest.param(closed(any={}), False, id="anything"),
        pytest.param(closed(any={"description": "x"}), False, id="anything-described"),
        pytest.param(closed(any=True), False, id="boolean"),
        pytest.param(closed(name={**TEXT, "minLength": 1}), False, id="length"),
        pytest.param(closed(name={**TEXT, "default": "x"}), False, id="default"),
        pytest.param(closed(name={**TEXT, "format": "iri"}), False, id="unknown-format"),
        pytest.param(closed(one={"oneOf": [TEXT]}), False, id="one-of"),
        pytest.param(closed(one={"anyOf": [TEXT, {}]}), False, id="any-of-anything"),
        pytest.param(closed(all={"type": "array", "items": {}}), False, id="list-of-anything"),
        pytest.param(
            closed(one={"$ref": "#/$defs/P", "title": "x"}) | {"$defs": {"P": PERSON}},
            False,
            id="ref-and-more",
        ),
        pytest.param(PERSON | {"$defs": {"P": {"type": "object"}}}, False, id="open-definition"),
        pytest.param(PERSON | {"$defs": [PERSON]}, False, id="definitions-list"),
    ],
)
def test_schema_is_strict_where_openai_can_hold_a_model_to_it(
    schema: dict[str, Any], strict: bool
) -> None:
    assert is_strict(schema) is strict
