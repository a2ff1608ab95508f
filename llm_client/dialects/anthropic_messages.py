"""Conversations as Anthropic Messages wants them: a system prompt and turns made of blocks.

Owns the way from messages to blocks: turns of the same side are put together, results of tools
stand in the user's turn, system messages at the start become the system prompt. Refuses what the
API has no block for (audio, pictures in a system prompt), by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..exceptions import ValidationError
from ..providers.anthropic_models import AnthropicModel, anthropic_model
from ..types.messages import Message, ToolCall
from ..types.target import Target
from .anthropic_stream import DIALECT
from .call_ids import with_call_ids
from .requests import call_arguments, cannot_say

if TYPE_CHECKING:
    from ..types.content import Document, Image, Part

__all__ = ["THINKING", "Turn", "content_of", "encode_conversation"]

Block = dict[str, Any]
Turn = tuple[str, list[Block]]
"""The side, and its blocks."""

_WHO = "The Anthropic format"
_IMAGES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
_CALL_IDS = "[A-Za-z0-9_-]+"
"""What the API takes; it refuses an id that comes twice, too (claude-code#21317)."""
_MARKS = 4
"""Breakpoints of the cache that one request may have. The first pays for other conversations that
begin alike, the last ones for this one."""
THINKING = frozenset({"redacted_thinking", "thinking"})
"""Blocks that cannot carry a breakpoint, and that some models take from themselves only."""


def encode_conversation(
    messages: Sequence[Message], target: Target, model: AnthropicModel
) -> tuple[object, list[Turn]]:
    """Return the system prompt, `None` when there is none, and the turns.

    Raises:
        ValidationError: something in a message cannot be said in this format, or not to this model.
    """
    system: list[Block] = []
    turns: list[Turn] = []
    for message in with_call_ids(messages, _CALL_IDS, target, DIALECT):
        side, blocks = _encode_message(message, target)
        if message.cache:
            _mark(blocks)
        if side == "system" and not turns:
            system += blocks
        elif turns and turns[-1][0] == side:
            turns[-1][1].extend(blocks)
        elif blocks:
            turns.append((side, blocks))
    _check_system_turns(turns, target, model)
    _unmark_the_middle([system, *(blocks for _, blocks in turns)])
    return (content_of(system) if system else None), turns


def content_of(blocks: list[Block]) -> object:
    """Return blocks as the content of a message: a lone text stands for itself."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return blocks[0]["text"]
    return blocks


def _encode_message(message: Message, target: Target) -> Turn:
    match message.role:
        case "system" | "developer":
            return "system", _texts(message)
        case "assistant":
            return "assistant", _answer(message, target)
        case "tool":
            return "user", [_result(message)]
    return "user", _parts(message)


def _texts(message: Message) -> list[Block]:
    """Return the content of a message that can only be text."""
    blocks = _parts(message)
    for block in blocks:
        if block["type"] != "text":
            raise cannot_say(
                _WHO,
                "content",
                hint=f"The content of a {message.role} message is text; put the {block['type']}"
                " into a user message.",
            )
    return blocks


def _parts(message: Message) -> list[Block]:
    content = message.content
    if isinstance(content, tuple):
        return [block for part in content if (block := _part(part)) is not None]
    # A text block without any text is refused.
    return [{"type": "text", "text": content}] if content and not content.isspace() else []


def _part(part: Part) -> Block | None:
    from ..types.content import Document, Image, Text

    if isinstance(part, Text):
        blank = not part.text or part.text.isspace()
        return None if blank else {"type": "text", "text": part.text}
    if isinstance(part, Image):
        return {"type": "image", "source": _image_source(part)}
    if isinstance(part, Document):
        block: Block = {"type": "document", "source": _document_source(part)}
        return block | {"title": part.name} if part.name else block
    raise cannot_say(_WHO, "content", hint="Claude takes no audio: send a transcript of it.")


def _image_source(image: Image) -> Block:
    if image.url is not None:
        return {"type": "url", "url": image.url}
    if image.media_type not in _IMAGES:
        raise ValidationError(
            f"{_WHO} takes no image of type {image.media_type!r}.",
            hint="Convert it to png, jpeg, gif or webp.",
            param="content",
        )
    return {"type": "base64", "media_type": image.media_type, "data": image.base64}


def _document_source(document: Document) -> Block:
    kind = document.media_type
    if document.url is not None and kind in {"", "application/pdf"}:
        return {"type": "url", "url": document.url}
    if document.data is not None and kind == "application/pdf":
        return {"type": "base64", "media_type": kind, "data": document.base64}
    if document.data is not None and kind.startswith("text/"):
        text = document.data.decode("utf-8", "replace")
        return {"type": "text", "media_type": "text/plain", "data": text}
    raise ValidationError(
        f"{_WHO} takes no document of type {kind!r}"
        + (" by its address." if document.url is not None else "."),
        hint="Send a PDF, or the text of the document.",
        param="content",
    )


def _answer(message: Message, target: Target) -> list[Block]:
    state = message.provider_state
    if state is not None and state.fits(target.provider.name, DIALECT):
        items = [dict(item) for item in state.items]
        typed = all(isinstance(item.get("type"), str) for item in items)
        if typed and _says_the_same(items, message):
            lost = THINKING if _is_bound_elsewhere(state.model, target.model) else frozenset()
            return [item for item in items if not _is_blank(item) and item.get("type") not in lost]
    blocks = _texts(message)
    if message.reasoning and target.provider.quirks.echo_reasoning:
        # Anthropic refuses thinking without its signature; others in this format want it back.
        thinking = {"type": "thinking", "thinking": message.reasoning, "signature": ""}
        blocks.insert(0, thinking)
    return blocks + [
        {
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": _arguments(call),
        }
        for call in message.tool_calls
    ]


def _says_the_same(items: list[Block], message: Message) -> bool:
    """Return whether a message still says what its provider wrote: users may change history."""
    text = "".join(str(item.get("text")) for item in items if item.get("type") == "text")
    calls = [
        (item.get("id"), item.get("name"), item.get("input"))
        for item in items
        if item.get("type") == "tool_use"
    ]
    return text == message.text and calls == [
        (call.id, call.name, _arguments(call)) for call in message.tool_calls
    ]


def _is_bound_elsewhere(asked: str, asking: str) -> bool:
    """Return whether one model cannot take the thinking of another: its signature is refused."""
    if asked in {"", asking}:
        return False
    return any(anthropic_model(name).binds_thinking for name in (asked, asking))


def _is_blank(item: Mapping[str, Any]) -> bool:
    return item.get("type") == "text" and not str(item.get("text")).strip()


def _arguments(call: ToolCall) -> dict[str, Any]:
    """Return the arguments of a call as the object that they must be.

    What is none goes back under the name that Anthropic's guide to fine-grained tool streaming
    gives it, so that the model can see and correct what it wrote.
    """
    arguments = call_arguments(call)
    return {"INVALID_JSON": call.arguments} if arguments is None else arguments


def _result(message: Message) -> Block:
    if not message.tool_call_id:
        raise ValidationError(
            "A tool message needs the 'tool_call_id' of the call that it is the result of.",
            param="tool_call_id",
        )
    block: Block = {"type": "tool_result", "tool_use_id": message.tool_call_id}
    blocks = _parts(message)
    return block | {"content": content_of(blocks)} if blocks else block


def _mark(blocks: list[Block]) -> None:
    for position in reversed(range(len(blocks))):
        if blocks[position]["type"] not in THINKING:
            blocks[position] |= {"cache_control": {"type": "ephemeral"}}
            return


def _unmark_the_middle(groups: list[list[Block]]) -> None:
    marked = [block for blocks in groups for block in blocks if "cache_control" in block]
    for block in marked[1 : 1 - _MARKS] if len(marked) > _MARKS else ():
        del block["cache_control"]


def _check_system_turns(turns: list[Turn], target: Target, model: AnthropicModel) -> None:
    if model.system_turns == "anywhere":
        return
    sides = [side for side, _ in turns]
    for position, side in enumerate(sides):
        if side != "system":
            continue
        hint = "Put it before the first user message."
        if not model.system_turns:
            raise cannot_say(target.spec, "messages", "a system message between turns", hint)
        if sides[position - 1] != "user" or sides[position + 1 :][:1] not in ([], ["assistant"]):
            hint = "Put it behind a user message, or before the first one."
            raise cannot_say(target.spec, "messages", "a system message in that place", hint)
