r"""Text in pieces, made fit for UTF-8.

A server that counts in UTF-16 can cut an emoji in two and send each half as an escape of its own
(`\ud83c`, then `\udf0d`). Python keeps such halves as lone surrogates, which no file and no
terminal takes.
"""

from __future__ import annotations

__all__ = ["SurrogateJoiner"]


class SurrogateJoiner:
    """Feed it the pieces of one text; it joins split characters and replaces lone halves."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Take the next piece; return it whole, without a half character at its end."""
        if not self._held and (text.isascii() or _is_whole(text)):
            return text
        text = self._held + text
        self._held = text[-1] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return _joined(text.removesuffix(self._held))

    def end(self) -> str:
        """Take the end of the text; return what stands for a half that never got its other."""
        rest, self._held = _joined(self._held), ""
        return rest


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _joined(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
