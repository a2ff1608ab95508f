"""How many tokens a text may have, by what kinds of characters it is made of.

Owns the counting, and three scales: what is likely, and what no tokenizer in use is far below or
above. Refuses to be a tokenizer: those cost megabytes and seconds, and every maker has their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from ..types.long_text import LongText

__all__ = ["LEAST", "LIKELY", "MOST", "Scale", "tokens_of"]


class Scale(NamedTuple):
    """Tokens for each character of a kind."""

    lower: float
    """Lower-case ASCII letters: several make a token."""
    blank: float
    """Spaces, which belong to the word behind them."""
    upper: float
    """Capitals: each can begin a token of its own."""
    digit: float
    """Some tokenizers take them one by one, others up to three together."""
    sign: float
    """Punctuation, line ends and what else ASCII has."""
    two_bytes: float
    """Latin with accents, Greek, Cyrillic, Hebrew, Arabic: by their length in UTF-8."""
    three_bytes: float
    """Chinese, Japanese, Korean, most other scripts of Asia, typographical signs."""
    four_bytes: float
    """Emoji."""


LIKELY: Final = Scale(0.23, 0.0, 0.5, 0.7, 0.68, 0.45, 1.0, 2.0)
"""Fitted to the answers of eight makers' models in `shared/recordings` (2026-11), prose and code:
none is off by more than a third."""
LEAST: Final = Scale(0.14, 0.0, 0.2, 0.3, 0.1, 0.2, 0.4, 0.5)
"""About half of it: seven letters to a token are more than any language has on average, and rows of
one sign are few tokens."""
MOST: Final = Scale(0.36, 0.2, 0.9, 1.0, 1.0, 1.0, 2.0, 4.0)
"""Half as much again for prose, and enough for base64, hexadecimal and digits taken one by one."""

_LOWER: Final = b"abcdefghijklmnopqrstuvwxyz"
_UPPER: Final = _LOWER.upper()
_DIGIT: Final = b"0123456789"
_TWO: Final = bytes(range(0xC0, 0xE0))
_THREE: Final = bytes(range(0xE0, 0xF0))
_FOUR: Final = bytes(range(0xF0, 0x100))
_CONTINUED: Final = bytes(range(0x80, 0xC0))

_WHOLE: Final = 1 << 18
"""Characters, or bytes, up to which a text is counted whole: in under a millisecond."""
_SAMPLES: Final = 64


def tokens_of(text: str | LongText, scale: Scale = LIKELY) -> int:
    """Return about how many tokens a text has; of a long one by samples from all over it."""
    if isinstance(text, str):
        size = len(text)
        if size <= _WHOLE:
            return _round_up(_weigh(text.encode("utf-8", "surrogatepass"), scale))
        sample = "".join(_from_str(text)).encode("utf-8", "surrogatepass")
    else:
        size = sum(map(len, text.pieces))
        if size <= _WHOLE:
            return _round_up(_weigh(b"".join(text.pieces), scale))
        sample = b"".join(_from_pieces(text.pieces, size))
    return _round_up(_weigh(sample, scale) * size / _WHOLE)


def _round_up(tokens: float) -> int:
    # Without the dust of adding: 100 letters of 0.23 are 23.
    return -int(-round(tokens, 6) // 1)


def _weigh(data: bytes, scale: Scale) -> float:
    """Return the tokens of UTF-8, taking away one kind of character after another.

    The commonest go first, so that most of a text is looked at once or twice.
    """
    tokens = 0.0
    for kind, weight in (
        (_LOWER, scale.lower),
        (b" ", scale.blank),
        (_CONTINUED, 0.0),
        (_THREE, scale.three_bytes),
        (_TWO, scale.two_bytes),
        (_UPPER, scale.upper),
        (_DIGIT, scale.digit),
        (_FOUR, scale.four_bytes),
    ):
        if not data:
            return tokens
        rest = data.translate(None, kind)
        tokens += weight * (len(data) - len(rest))
        data = rest
    return tokens + scale.sign * len(data)


def _from_str(text: str) -> Iterator[str]:
    """Yield samples of `_WHOLE` characters together."""
    length = _WHOLE // _SAMPLES
    for i in range(_SAMPLES):
        start = (len(text) - length) * i // (_SAMPLES - 1)
        yield text[start : start + length]


def _from_pieces(pieces: tuple[bytes, ...], size: int) -> Iterator[bytes]:
    """Yield samples of `_WHOLE` bytes together."""
    length = _WHOLE // _SAMPLES
    starts = iter([(size - length) * i // (_SAMPLES - 1) for i in range(_SAMPLES)])
    start, wanted, before = next(starts), length, 0
    for piece in pieces:
        after = before + len(piece)
        while start < after:
            found = piece[start - before : start - before + wanted]
            yield found
            wanted -= len(found)
            start += len(found)
            if not wanted:
                start, wanted = next(starts, size), length
        before = after
