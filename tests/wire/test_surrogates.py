"""Text in pieces never leaves half a character behind."""

from __future__ import annotations

import pytest

from llm_client.wire.surrogates import SurrogateJoiner


@pytest.mark.parametrize(
    ("pieces", "texts"),
    [
        (["plain", "Grüße 🌍"], ["plain", "Grüße 🌍", ""]),
        (["a\ud83c", "\udf0db"], ["a", "🌍b", ""]),
        (["\ud83c", "", "\udf0d"], ["", "", "🌍", ""]),
        (["\ud83c\udf0d"], ["🌍", ""]),
        (["\ud83c\udf0d\ud83c", "\udf0d"], ["🌍", "🌍", ""]),
        (["a\ud83c", "b"], ["a", "\ufffdb", ""]),
        (["\udf0d", "b"], ["\ufffd", "b", ""]),
        (["a\ud83c"], ["a", "\ufffd"]),
        (["\ud83c", "\ud83c", "\udf0d"], ["", "\ufffd", "🌍", ""]),
    ],
    ids=[
        "nothing to do",
        "split pair",
        "empty piece between",
        "pair as two halves",
        "pair and a split pair",
        "lone first half",
        "lone second half",
        "first half at the end",
        "two first halves",
    ],
)
def test_pieces_fed_are_whole_characters(pieces: list[str], texts: list[str]) -> None:
    joiner = SurrogateJoiner()
    joined = [*map(joiner.feed, pieces), joiner.end()]
    assert joined == texts
    assert "".join(joined).encode().decode() == "".join(texts)
