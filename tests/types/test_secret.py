"""A key never shows: not in any form of output, not in a pickle, not in foreign text."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import traceback

import pytest

from llm_client.providers.catalog import find_provider
from llm_client.types.secret import Secret, redact
from llm_client.types.target import Target

KEY = "correct-horse-battery-staple"


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret(KEY)),
        str(Secret(KEY)),
        f"{Secret(KEY)} {Secret(KEY)!r} {Secret(KEY):>20}",
        "%s %r" % (Secret(KEY), Secret(KEY)),  # noqa: UP031 - the old way must not show it either
        repr([Secret(KEY)]),
        repr(Target(find_provider("openai"), "m", "https://example.com", Secret(KEY))),
        str(dataclasses.asdict(Target(find_provider("openai"), "m", "", Secret(KEY)))),
    ],
    ids=["repr", "str", "f-string", "format", "in a list", "in a target", "in its dictionary"],
)
def test_secret_shown_in_any_form_is_masked(shown: str) -> None:
    assert KEY not in shown
    assert "***" in shown


def test_secret_in_a_traceback_with_locals_is_masked() -> None:
    try:
        key = Secret(KEY)
        raise ValueError(key)
    except ValueError as error:
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        assert KEY not in "".join(lines)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_secret_pickled_is_refused_alone_and_in_a_target(protocol: int) -> None:
    target = Target(find_provider("openai"), "m", "https://example.com", Secret(KEY))
    for value in (Secret(KEY), target):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(value, protocol)


def test_key_of_six_characters_is_the_shortest_that_is_masked() -> None:
    assert redact("abcdef", [Secret("abcdef")]) == "***"
    assert redact("abcde", [Secret("abcde")]) == "abcde"


def test_secret_copied_is_itself() -> None:
    secret = Secret(KEY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_secrets_compare_by_value_with_secrets_only() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY), Secret("other")}) == 2
    assert Secret(KEY).reveal() == KEY
    assert (bool(Secret(KEY)), bool(Secret(""))) == (True, False)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"key {KEY}, again {KEY}", "key ***, again ***"),
        ("Incorrect API key provided: sk-proj-ab****yz.", "Incorrect API key provided: ***."),
        ("gsk_abcdefgh and xai-12345678", "*** and ***"),
        ("hf_abcdefgh AIzaSyA12345678901 pplx-abcdef12", "*** *** ***"),
        ("Authorization: Bearer abc.def~1+/=", "Authorization: Bearer ***"),
        ("a risk-averse task-based ask: sk-", "a risk-averse task-based ask: sk-"),
        ("short none x", "short none x"),
        ("", ""),
    ],
)
def test_text_redacted_has_no_key(text: str, masked: str) -> None:
    assert redact(text, [Secret(KEY), None, Secret("none"), Secret("")]) == masked
