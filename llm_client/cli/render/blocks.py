"""Parse Markdown into top-level blocks, and cut an open block where that is possible.

Everything here is about source text and tokens; nothing is drawn. The parser is the one inside
rich, with raw HTML turned off: rich draws nothing for HTML, and an answer must not lose words.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = [
    "Block",
    "Parser",
    "Resumption",
    "completed_items",
    "cut_position",
    "hides_its_kind",
    "resume_inside",
]

_REFERENCE_LIMIT: Final = 512
"""Link definitions remembered for the rest of the answer."""

_NESTING_LIMIT: Final = 50
"""Containers in each other. The parser drops text that is deeper; its default of 20 would be
reached by a list of ten levels."""

_RESUMPTION_LIMIT: Final = 1024
"""Characters that may be put in front of the rest after a cut; hundreds of containers exceed it,
and then the rest goes on outside of them: each cut must make the text shorter."""

_CLOSED_BY_BLANK: Final = frozenset(
    {"paragraph_open", "heading_open", "hr", "table_open", "blockquote_open"}
)
_MARKERS: Final = re.compile(r"(?:[ \t]*(?:>[ \t]?|(?:[-+*]|\d{1,9}[.)])[ \t]+))*[ \t]*")
_LIST_MARKER: Final = re.compile(r"[-+*]|\d{1,9}[.)]")
_WORD_START: Final = re.compile(r"\s(?=[^\W\d_])")
_UNDECIDED: Final = re.compile(r"[\s>]*(?:[-=*_+#`~|:\s]*|\d{1,9}[.)]?\s*)")


@dataclass(frozen=True, slots=True)
class Block:
    """A top-level block of a document."""

    tokens: Sequence[Token]
    """The parser's tokens, from the opening to the closing one."""
    source: str
    """The lines of the block, with those that follow it up to the next block."""
    offset: int
    """Where `source` starts in the parsed text, in characters."""

    @property
    def kind(self) -> str:
        """The type of the first token, such as `paragraph_open` or `fence`."""
        return self.tokens[0].type

    @property
    def is_open_fence(self) -> bool:
        """Whether this is a fenced code block whose closing line is missing."""
        return self.kind == "fence" and _is_open(self.tokens[0])

    @property
    def is_closed(self) -> bool:
        """Whether no further line can belong to it, given that `source` ends with a line feed."""
        if self.kind == "fence":
            return not self.is_open_fence
        last_line = self.source[:-1].rpartition("\n")[2]
        return self.kind in _CLOSED_BY_BLANK and not last_line.strip()


@dataclass(frozen=True, slots=True)
class Resumption:
    """How to go on with a block that was cut inside."""

    source: str
    """What to put before the rest, so that the parser sees it in the same containers."""
    rows: int
    """How many rows that source takes on the screen; they must not be drawn."""
    inside_fence: bool
    """Whether the cut went through a fenced code block."""


class Parser:
    """Parse a document in pieces; link definitions are carried from one to the next."""

    def __init__(self) -> None:
        options = {"html": False, "maxNesting": _NESTING_LIMIT}
        self._markdown = MarkdownIt("commonmark", options)
        self._markdown.enable(["strikethrough", "table"])
        self._references: dict[str, dict[str, Any]] = {}
        self._found: dict[str, dict[str, Any]] = {}

    def parse(self, text: str) -> list[Block]:
        """Split text into its top-level blocks.

        Args:
            text: Markdown that begins at the start of a block.
        """
        env = {"references": dict(self._references)}
        tokens = self._markdown.parse(text, env)
        self._found = env["references"]
        for token in tokens:
            if token.children:
                token.children = [part for child in token.children for part in _as_link(child)]
        return _group(tokens, text)

    def remember(self, before: Block | None = None) -> None:
        """Keep the link definitions of the text parsed last, for the text to come.

        Args:
            before: Take only the definitions above this block: it is not finished. None: all.
        """
        end = _first_line(before.tokens[0]) if before else sys.maxsize
        for label, reference in self._found.items():
            if label not in self._references and reference["map"][0] < end:
                self._references[label] = reference
        while len(self._references) > _REFERENCE_LIMIT:
            del self._references[next(iter(self._references))]


def _as_link(token: Token) -> list[Token]:
    """Turn an image into a link: rich's placeholder pushes as much text off the row's end."""
    if token.type != "image":
        return [token]
    opening = Token("link_open", "a", 1, attrs={"href": token.attrs.get("src", "")})
    label = Token("text", "", 0, content=f"🌆 {token.content}".rstrip())
    return [opening, label, Token("link_close", "a", -1)]


def _group(tokens: Sequence[Token], text: str) -> list[Block]:
    starts = [index for index, token in enumerate(tokens) if _opens_block(token)]
    if not starts:
        return []
    offsets = _line_offsets(text)
    bounds = [offsets[_first_line(tokens[index])] for index in starts]
    ends = [*bounds[1:], len(text)]
    stops = [*starts[1:], len(tokens)]
    return [
        Block(tokens[start:stop], text[offset:end], offset)
        for start, stop, offset, end in zip(starts, stops, bounds, ends, strict=True)
    ]


def _opens_block(token: Token) -> bool:
    return token.level == 0 and token.nesting >= 0


def _first_line(token: Token) -> int:
    return token.map[0] if token.map else 0


def _line_offsets(text: str) -> list[int]:
    offsets = [0]
    for line in text.split("\n"):
        offsets.append(offsets[-1] + len(line) + 1)
    return offsets


def _is_open(fence: Token) -> bool:
    # The parser's range of lines includes the closing line, its content does not.
    first, end = fence.map or (0, 0)
    return fence.content.count("\n") == end - first - 1


def completed_items(block: Block) -> tuple[Block, int, int] | None:
    """Take the completed items off an open list.

    Returns:
        The list without its last item, how many items that are, and where the last one starts in
        the list's source. None when the block is no list or has only one item.
    """
    if block.kind not in ("bullet_list_open", "ordered_list_open"):
        return None
    starts = [
        index
        for index, token in enumerate(block.tokens)
        if token.type == "list_item_open" and token.level == 1
    ]
    if len(starts) < 2:
        return None
    last = starts[-1]
    lines_before = _first_line(block.tokens[last]) - _first_line(block.tokens[0])
    cut = _line_offsets(block.source)[lines_before]
    done = Block([*block.tokens[:last], block.tokens[-1]], block.source[:cut], block.offset)
    return done, len(starts) - 1, cut


def cut_position(source: str, limit: int) -> int:
    """Return where to cut a block that is too long: after a line, else before a word."""
    line_end = source.rfind("\n", limit // 2, limit) + 1
    if line_end:
        return line_end
    words = list(_WORD_START.finditer(source, limit // 2, limit))
    return words[-1].end() if words else limit


def resume_inside(head: Block) -> Resumption:
    """Return what keeps the text after a cut in the containers of the text before it.

    List items get a line with their marker and a placeholder; a quotation needs none, for its
    lines carry their own mark; a fenced code block gets its opening line again.
    """
    lines = head.source.split("\n")
    first = _first_line(head.tokens[0])
    leaf, items = _open_chain(head.tokens)
    marker_lines = sorted({_first_line(item) - first for item in items})
    prefixes = [_prefix(lines[number]) for number in marker_lines]
    parts = [f"{prefix}###### x\n" for prefix in prefixes]
    inside_fence = leaf.type == "fence" and _is_open(leaf)
    if inside_fence:
        opening = lines[_first_line(leaf) - first]
        prefix = _prefix(opening)
        parts.append(f"{_blank_markers(prefix)}{opening[len(prefix) :]}\n")
    if lines[-1]:  # Cut within a line: the rest needs the indentation and `>` of that line.
        parts.append(_blank_markers(_prefix(lines[-1])))
    source = "".join(parts)
    if len(source) > _RESUMPTION_LIMIT:
        return Resumption("", 0, inside_fence=False)
    return Resumption(source, len(prefixes) + inside_fence, inside_fence)


def _open_chain(tokens: Sequence[Token]) -> tuple[Token, list[Token]]:
    """Return the last leaf, and the opening tokens of the list items it is in."""
    end = len(tokens)
    while end > 1 and tokens[end - 1].nesting == -1:
        end -= 1
    levels = {token.level for token in tokens[end:] if token.type == "list_item_close"}
    items = {
        token.level: token
        for token in tokens[:end]
        if token.type == "list_item_open" and token.level in levels
    }
    return tokens[end - 1], list(items.values())


def _prefix(line: str) -> str:
    match = _MARKERS.match(line)
    return match.group() if match else ""


def _blank_markers(prefix: str) -> str:
    return _LIST_MARKER.sub(lambda marker: " " * len(marker.group()), prefix)


def hides_its_kind(partial_line: str) -> bool:
    """Whether a line is so far nothing but marks, and may yet become anything.

    Shown at once, `-` under a line of text would flash up as a heading before it is a list.
    """
    return _UNDECIDED.fullmatch(partial_line) is not None
