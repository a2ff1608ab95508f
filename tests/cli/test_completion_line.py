"""Lines as shells pass them at Tab, and words as each wants them back."""

from __future__ import annotations

import subprocess

import pytest

from llm_client.cli.completion_line import (
    SHELLS,
    WORDS_VARIABLE,
    Line,
    Suggestion,
    answer,
    read_line,
)

from ..support.packages import needs
from .program import SECONDS


@pytest.mark.parametrize(
    ("typed", "replaced", "line"),
    [
        pytest.param("p ", "", Line([], ""), id="nothing"),
        pytest.param("p", "p", Line([], "p", ""), id="program-itself"),
        pytest.param("p gen", "gen", Line([], "gen"), id="word"),
        pytest.param("p  a\tb ", "", Line(["a", "b"], ""), id="blanks"),
        pytest.param("p '' ", "", Line([""], ""), id="empty-word"),
        pytest.param("p a\\ b c", "c", Line(["a b"], "c"), id="escaped-blank"),
        pytest.param("p 'a\\' x", "x", Line(["a\\"], "x"), id="backslash-in-single-quotes"),
        pytest.param(
            'p "a\\"\\$\\`\\\\\\n" x',
            "x",
            Line(['a"$`\\\\n'], "x"),
            id="backslash-in-double-quotes",
        ),
        pytest.param("p a'b'\"c\"d x", "x", Line(["abcd"], "x"), id="joined-quotes"),
        pytest.param("p o/l:1", "1", Line([], "o/l:1", "o/l:"), id="colon"),
        pytest.param("p o/l:", "", Line([], "o/l:", "o/l:"), id="behind-a-colon"),
        pytest.param("p --m=", "", Line([], "--m=", "--m="), id="behind-an-equals-sign"),
        pytest.param("p --m=o\\ l", "o\\ l", Line([], "--m=o l", "--m="), id="equals-and-escape"),
        pytest.param('p "my p', "my p", Line([], "my p", "", '"'), id="open-double-quote"),
        pytest.param("p 'my p", "my p", Line([], "my p", "", "'"), id="open-single-quote"),
        pytest.param(
            'p --x="my:p', "my:p", Line([], "--x=my:p", "--x=", '"'), id="quote-in-a-word"
        ),
        pytest.param("p 'a'\"b", "b", Line([], "ab", "a", '"'), id="second-quote"),
        pytest.param("p 'it'\\''s'", "'it'\\''s'", Line([], "it's"), id="quotes-closed"),
        pytest.param("p a\\", "a\\", Line([], "a"), id="ends-in-a-backslash"),
        pytest.param('p "a\\', "a\\", Line([], "a", "", '"'), id="quote-ends-in-a-backslash"),
        pytest.param("p x > fi", "fi", Line(["x"], "fi", "", "", True), id="redirection"),
        pytest.param("p x 2>&1 y", "y", Line(["x"], "y"), id="redirection-passed"),
        pytest.param("p x2>fi", "fi", Line(["x2"], "fi", "", "", True), id="no-number-of-a-stream"),
        pytest.param("p x 2>", "", Line(["x"], "", "", "", True), id="behind-a-redirection"),
        pytest.param("p <a>>b --c", "--c", Line([], "--c"), id="redirections-without-blanks"),
        pytest.param("p '>' \\> x", "x", Line([">", ">"], "x"), id="quoted-redirection"),
    ],
)
def test_line_of_bash_is_split_as_bash_does(typed: str, replaced: str, line: Line) -> None:
    assert read_line("bash", [typed, replaced], {}) == line


def test_words_come_as_arguments_or_in_a_variable() -> None:
    assert read_line("zsh", ["a b", "c"], {}) == Line(["a b"], "c")
    assert read_line("fish", [""], {}) == Line([], "")
    variables = {WORDS_VARIABLE: "a b\x1f\x1f'c"}
    assert read_line("powershell", [], variables) == Line(["a b", ""], "'c")


_NAMES = (
    "plain/model-1.5:latest@x",
    "two words",
    "it's",
    'say "so"',
    "a$(id)`id`${HOME}",
    r"back\slash\\",
    "semi;colon&amp|pipe",
    "~home#no!bang!",
    "Größe/模型",
    "[a]{b,c}*?",
    "ends in '",
    'ends in "',
    "ends in !",
)


@pytest.mark.parametrize("quote", ["", "'", '"'], ids=["bare", "single", "double"])
def test_every_name_is_one_word_for_bash(quote: str) -> None:
    needs("bash")
    found = answer("bash", Line([], "", "", quote), [Suggestion(name) for name in _NAMES])
    kind, *texts = found.splitlines()
    assert kind == "words"
    # As readline does: it closes the quotes where they do not seem to be.
    words = [f"{quote}{text}{'' if quote and text.endswith(quote) else quote}" for text in texts]
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {' '.join(words)}"],
        capture_output=True,
        timeout=SECONDS,
        env={"LC_ALL": "C.UTF-8"},
    )
    assert done.stdout.decode().split("\0")[:-1] == list(_NAMES)


def test_bash_gets_only_what_it_replaces() -> None:
    line = Line([], "--model=o/l:", "--model=o/l:")
    assert answer("bash", line, [Suggestion("--model=o/l:1b")]) == "words\n1b\n"


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("zsh", r"a\:b\\c:What it is."),
        ("fish", "a:b\\c\tWhat it is."),
        ("powershell", "'a:b\\c'\ta:b\\c\tWhat it is."),
    ],
)
def test_word_comes_with_its_meaning(shell: str, line: str) -> None:
    found = answer(shell, Line([], ""), [Suggestion("a:b\\c", "What it is.")])
    assert found == f"words\n{line}\n"


@pytest.mark.parametrize(
    ("shell", "line"), [("zsh", "a"), ("fish", "a\t"), ("powershell", "a\ta\ta")]
)
def test_word_without_a_meaning_is_alone(shell: str, line: str) -> None:
    assert answer(shell, Line([], ""), [Suggestion("a")]) == f"words\n{line}\n"


@pytest.mark.parametrize(
    ("word", "inserted"),
    [
        ("--model=ollama/llama3.2:1b", "--model=ollama/llama3.2:1b"),
        ("my project", "'my project'"),
        ("it's ‘so’", "'it''s ‘‘so’’'"),
        ("$(id)", "'$(id)'"),
        ("@x", "'@x'"),
        ("a,b", "'a,b'"),
    ],
)
def test_powershell_gets_words_that_mean_themselves(word: str, inserted: str) -> None:
    found = answer("powershell", Line([], ""), [Suggestion(word)])
    assert found == f"words\n{inserted}\t{word}\t{word}\n"


def test_meaning_is_one_line_without_control_characters_and_not_endless() -> None:
    found = answer(
        "fish", Line([], ""), [Suggestion("a", "one\ntwo\t\x1b[31m"), Suggestion("b", "x" * 200)]
    )
    assert found.splitlines() == ["words", "a\tone two  [31m", "b\t" + "x" * 99 + "…"]


@pytest.mark.parametrize("shell", SHELLS)
def test_files_are_left_to_the_shell_and_nothing_is_nothing(shell: str) -> None:
    assert answer(shell, Line([], ""), None) == "files\n"
    assert answer(shell, Line([], ""), []) == ""
