"""Thinking inside `<think>` tags at the start of a text."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from random import Random

import pytest

from llm_client.wire.think import ThinkSplitter

CASES = {
    "thinking, then the answer": ("<think>hm</think>yes", "yes", "hm"),
    "line ends stay": ("<think>\nhm\n</think>\n\nyes\n", "\n\nyes\n", "\nhm\n"),
    "blanks before the tag": (" \n\t<think>hm</think>yes", "yes", "hm"),
    "no tag": ("yes <think>no</think>", "yes <think>no</think>", ""),
    "no thinking": ("<think></think>yes", "yes", ""),
    "no answer": ("<think>hm</think>", "", "hm"),
    "no closing tag": ("<think>hm, and so", "", "hm, and so"),
    "closing tag broken off": ("<think>hm</thin", "", "hm</thin"),
    "only an opening tag": ("<think>", "", ""),
    "opening tag broken off": ("<thin", "<thin", ""),
    "opening tag broken off behind blanks": ("\n <thin", "\n <thin", ""),
    "closing tag alone": ("hm</think>yes", "hm</think>yes", ""),
    "closing tag alone at the start": ("</think>yes", "</think>yes", ""),
    "second tag": ("<think>a</think>b<think>c</think>d", "b<think>c</think>d", "a"),
    "tag within": ("<think>a<think>b</think>c</think>d", "c</think>d", "a<think>b"),
    "almost the tag": ("<thinking>hm</thinking>", "<thinking>hm</thinking>", ""),
    "almost the closing tag": ("<think>a</thinks></ think><</think>b", "b", "a</thinks></ think><"),
    "other case": ("<THINK>a</THINK>b", "<THINK>a</THINK>b", ""),
    "only blanks": (" \n ", " \n ", ""),
    "nothing": ("", "", ""),
    "many blanks": (" " * 64 + "<think>a</think>b", "b", "a"),
    "too many blanks": (" " * 65 + "<think>a</think>b", " " * 65 + "<think>a</think>b", ""),
    "other characters": ("\u2003<think>ü🌍</think>\u2028é", "\u2028é", "ü🌍"),
}


def split(parts: Iterable[str]) -> tuple[str, str]:
    splitter = ThinkSplitter()
    pieces = [splitter.feed(part) for part in parts]
    pieces.append(splitter.end())
    return "".join(answer for answer, _ in pieces), "".join(thought for _, thought in pieces)


@pytest.mark.parametrize("name", CASES)
def test_text_split_is_answer_and_thinking(name: str) -> None:
    text, answer, thinking = CASES[name]
    assert split([text]) == (answer, thinking)


@pytest.mark.parametrize("name", CASES)
def test_text_in_pieces_is_split_the_same_wherever_it_is_cut(name: str) -> None:
    text, *expected = CASES[name]
    assert split(text) == tuple(expected)
    for cut in range(len(text) + 1):
        assert split([text[:cut], text[cut:]]) == tuple(expected), cut


def test_random_texts_do_not_depend_on_where_they_are_cut() -> None:
    random = Random(3)
    alphabet = ["<think>", "</think>", "<", "/", "think", ">", " ", "a", "</th", "\n"]
    for _ in range(2000):
        text = "".join(random.choices(alphabet, k=random.randrange(8)))
        cuts = sorted(random.randrange(len(text) + 1) for _ in range(3))
        parts = [text[a:b] for a, b in pairwise([0, *cuts, len(text)])]
        assert split(parts) == split([text]), text


def test_thinking_and_answer_come_as_soon_as_they_are_known() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed("<th") == ("", "")
    assert splitter.feed("ink>hm") == ("", "hm")
    assert splitter.feed(" so</th") == ("", " so")
    assert splitter.feed("ey</think") == ("", "</they")
    assert splitter.feed(">yes") == ("yes", "")
    assert splitter.feed("</think>") == ("</think>", "")
    assert splitter.end() == ("", "")


def test_answer_without_a_tag_is_held_back_no_longer_than_its_blanks() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed(" ") == ("", "")
    assert splitter.feed("<") == ("", "")
    assert splitter.feed("b>") == (" <b>", "")
    assert splitter.feed("<think>") == ("<think>", "")
