"""What can be asked of an embedding call, and what its answer says."""

from __future__ import annotations

from typing import Any

import pytest

from llm_client.exceptions import ValidationError
from llm_client.types.embedding import EmbeddingRequest, EmbeddingResponse, total_usage
from llm_client.types.long_text import LongText
from llm_client.types.response import Usage


@pytest.mark.parametrize(
    ("texts", "taken"),
    [
        ("hello", ("hello",)),
        (["a", "b"], ("a", "b")),
        (("a",), ("a",)),
        ((text for text in "ab"), ("a", "b")),
        ([" "], (" ",)),
    ],
    ids=["text", "list", "tuple", "generator", "blank"],
)
def test_texts_in_any_form_are_taken_in_order(texts: object, taken: tuple[str, ...]) -> None:
    assert EmbeddingRequest.build(texts).texts == taken


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no texts"),
        ("", "empty text"),
        (["a", ""], "number 2"),
        (["a", None], "number 2 is NoneType"),
        ([b"a"], "number 1 is bytes"),
        ([LongText([b"a"])], "number 1 is LongText"),
        (b"abc", "not bytes"),
        ({"a": 1}, "not dict"),
        (7, "not int"),
        (None, "not NoneType"),
    ],
    ids=str,
)
def test_texts_that_cannot_be_embedded_are_refused(texts: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        EmbeddingRequest.build(texts)
    assert caught.value.param == "texts"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 1.5}, "dimensions"),
        ({"input_type": "search_query"}, "input_type"),
        ({"extra_body": [1]}, "extra_body"),
    ],
    ids=str,
)
def test_option_out_of_range_is_refused_by_name(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field) as caught:
        EmbeddingRequest.build("a", **options)
    assert caught.value.param == field


def test_option_that_is_none_says_nothing() -> None:
    nothing = EmbeddingRequest.build("a", dimensions=None, input_type=None, extra_body=None)
    assert nothing == EmbeddingRequest(("a",))


def test_usage_of_several_requests_is_summed() -> None:
    parts = [Usage(1, 0, 2, estimated_cost=0.5), Usage(3, 0, 4, estimated_cost=0.25)]
    assert total_usage(parts) == Usage(4, 0, 6, estimated_cost=0.75)


def test_cost_that_is_partly_unknown_is_unknown() -> None:
    assert total_usage([Usage(1, estimated_cost=0.5), Usage(1)]) == Usage(2)


def test_usage_that_nobody_told_is_none() -> None:
    assert total_usage([None, None]) is None
    assert total_usage([None, Usage(1, estimated=True)]) == Usage(1, estimated=True)


def test_response_tells_dimensions_and_cost_and_hides_vectors() -> None:
    response = EmbeddingResponse(((0.25, 0.5),), "m", "p", Usage(1, estimated_cost=0.125))
    assert (response.dimensions, response.cost) == (2, 0.125)
    assert "0.25" not in repr(response)
    assert EmbeddingResponse(((1.0,),), "m", "p").cost is None
