"""Make the control characters of a model's text harmless and visible.

A model's text is untrusted: it may carry escape sequences that write to the clipboard (OSC 52),
change the title, move the cursor, answer queries or end a bracketed paste. All of them begin with
a control character, so replacing every control character by a visible one disarms them all, those
not invented yet included; the rest of the sequence then shows as ordinary text.

This module refuses to interpret escape sequences (a parser can be fooled, a character table
cannot), and it leaves format characters such as bidirectional marks alone: real languages need
them and they do not drive a terminal. Piped output never comes here: a pipe gets the exact text.
"""

from typing import Final

__all__ = ["Neutraliser", "neutralise"]


def _build_table() -> dict[int, str]:
    table = {code: chr(0x2400 + code) for code in range(0x20)}  # ESC becomes U+241B
    del table[0x09], table[0x0A]
    table[0x7F] = "\u2421"
    # C1 controls have no pictures in Unicode. A terminal in 8-bit mode obeys them (0x9B is CSI).
    table.update({code: f"\\x{code:02x}" for code in range(0x80, 0xA0)})
    # A lone surrogate cannot be encoded: writing it would raise in the middle of an answer.
    table.update(dict.fromkeys(range(0xD800, 0xE000), "\ufffd"))
    return table


_TABLE: Final = _build_table()


def neutralise(text: str) -> str:
    r"""Replace every control character except tab and line feed by a visible character.

    C0 controls and DEL become control pictures (U+2400 to U+2421), C1 controls become `\x9b`
    notation, lone surrogates U+FFFD. CRLF becomes LF; a CR elsewhere becomes its picture. Takes
    time linear in the length. For text that arrives in pieces use `Neutraliser`.
    """
    if text.isprintable():  # Most pieces of a stream; many times faster than the table.
        return text
    return text.replace("\r\n", "\n").translate(_TABLE)


class Neutraliser:
    """`neutralise` for text in pieces: a CRLF may be split between two of them.

    For any way of cutting a text, the joined results equal `neutralise` of the whole.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return what of the text so far can be shown now; a final CR is held back."""
        text = self._held + piece
        self._held = "\r" if text.endswith("\r") else ""
        return neutralise(text[:-1] if self._held else text)

    def flush(self) -> str:
        """Return what was held back: the text has ended."""
        held, self._held = self._held, ""
        return neutralise(held)
