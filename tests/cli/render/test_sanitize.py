"""No control character of a model's text survives, however it is cut."""

import subprocess
import sys
import unicodedata

import pytest

from llm_client.cli.render.sanitize import Neutraliser, neutralise

SEQUENCES = {
    "OSC 52 clipboard": "a\x1b]52;c;ZXZpbA==\x07b",
    "OSC 52 ended by ST": "\x1b]52;c;ZXZpbA==\x1b\\",
    "title": "\x1b]0;pwned\x07",
    "hyperlink": "\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\",
    "cursor": "\x1b[2J\x1b[H\x1b[10A\x1b[?1049h",
    "colour": "\x1b[31mred\x1b[0m",
    "8-bit CSI": "\x9b31m\x9b2J",
    "8-bit OSC": "\x9d52;c;eA==\x9c",
    "DCS": "\x1bP+q544e\x1b\\\x90q\x9c",
    "APC and PM": "\x1b_Gi=1;AAAA\x1b\\\x1b^x\x1b\\\x9f\x9e",
    "bracketed paste end": "\x1b[201~rm -rf\n",
    "device queries": "\x05\x1b[c\x1b[6n\x1bZ",
    "character sets": "\x0e\x0f\x1b(0\x1bc",
    "overwriting": "safe\revil\b\b\b\x0b\x0c",
    "line ends": "a\r\nb\r\r\nc\rd\n\re\r",
    "DEL, NUL and NEL": "a\x7fb\x00c\x85d",
    "lone surrogates": "a\ud800b\udfffc",
    "ordinary text": "naïve 日本語 🎉 \u200f e\u0301\tx\n",
    "nothing": "",
}
sequences = pytest.mark.parametrize("text", SEQUENCES.values(), ids=SEQUENCES.keys())


def is_harmless(text: str) -> bool:
    return not any(
        unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t" for char in text
    )


@sequences
def test_any_sequence_comes_out_without_controls(text: str) -> None:
    shown = neutralise(text)
    assert is_harmless(shown)
    shown.encode()


@sequences
def test_text_cut_in_three_anywhere_comes_out_the_same(text: str) -> None:
    whole = neutralise(text)
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            neutraliser = Neutraliser()
            pieces = (text[:first], text[first:second], text[second:])
            shown = [neutraliser.feed(piece) for piece in pieces]
            assert all(map(is_harmless, shown))
            assert "".join(shown) + neutraliser.flush() == whole


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "␛[31m"),
        ("\x00\x07\x1f\x7f", "␀␇␟␡"),
        ("\x9b2J", "\\x9b2J"),
        ("a\r\nb", "a\nb"),
        ("a\rb", "a␍b"),
        ("a\r\r\nb", "a␍\nb"),
        ("\ud83d", "\ufffd"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("ÿ\u00a0¡", "ÿ\u00a0¡"),
    ],
    ids=["escape", "C0", "C1", "CRLF", "lone CR", "CR before CRLF", "surrogate", "kept", "Latin-1"],
)
def test_control_becomes_visible(text: str, shown: str) -> None:
    assert neutralise(text) == shown


def test_every_character_of_unicode_is_harmless_or_unchanged() -> None:
    for code in range(0x11_0000):
        char = chr(code)
        shown = neutralise(char)
        assert shown == char or unicodedata.category(char) in ("Cc", "Cs")
        assert is_harmless(shown)


def test_held_carriage_return_is_released_once() -> None:
    neutraliser = Neutraliser()
    assert neutraliser.feed("a\r") == "a"
    assert neutraliser.flush() == "␍"
    assert neutraliser.flush() == ""


@pytest.mark.parametrize("module", ["sanitize", "plain"])
def test_module_for_pipes_and_dumb_terminals_does_not_import_rich(module: str) -> None:
    code = f"import sys, llm_client.cli.render.{module}; print('rich' in sys.modules)"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
