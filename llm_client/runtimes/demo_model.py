"""The demo model: a GGUF file of well under 1 MB that llama.cpp runs and whose replies are known.

Owns the fixed texts, the chat template that picks one of them and the weights that make a llama
model say it. It exists so that the embedded runtime answers offline, right after installation, and
so that the tests run a real model without a download. It uses the standard library only, needs no
random numbers (the same scripts give the same bytes) and refuses to look like a real model: its
default answer says what it is.

How it works: every piece of a text is one token, each token is found in one text at one place only,
and so the last token alone decides the next. Its embedding is a unit vector, one dimension for each
such token ("state"), and the output matrix maps a state to its successor. The attention and the
feed-forward weights are zero. Byte tokens, which prompts are made of, share state 0.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from llm_client.runtimes.gguf_file import GGUFWriter, TensorType

__all__ = ["DEFAULT", "SCRIPTS", "TOOL_CALL", "Script", "build_demo_model", "ensure_demo_model"]

DEFAULT = "default"
"""Key of the script that answers when no trigger matches."""
TOOL_CALL = "tool_call"
"""Key of the script that answers when tools are offered and the last message is no tool result."""

CONTEXT_TOKENS = 8192
BLOCK_SIZE = 32
"""Values in one Q8_0 block, which a row must be a multiple of (GGUF specification, version 3)."""
HEAD_SIZE = 32
FEED_FORWARD_SIZE = 32

END = "<|im_end|>"
START = "<|im_start|>"


@dataclass(frozen=True, slots=True)
class Script:
    """One fixed reply."""

    text: str
    endless: bool = False
    """Starts again instead of ending: stops at a limit or when it is cancelled."""
    split_characters: bool = False
    """Sends the UTF-8 bytes of a non-ASCII character as several tokens."""


SCRIPTS: Mapping[str, Script] = {
    DEFAULT: Script(
        "Hello! I am the demo model built into llm_client: I cannot think, and I repeat a few "
        "fixed texts whatever you ask. Send me /markdown, /think, /json or /long to see how "
        "answers look. For a real model, install Ollama and run "
        '`llm-client generate -m ollama/llama3.2 "your question"`.'
    ),
    "think": Script(
        "<think>\nThe question asks for some thinking. All I have is this fixed text.\n</think>\n\n"
        "The answer is 42, as always with a demo model."
    ),
    "long": Script(
        " This is an endless answer, one that only stops when you press Ctrl-C or reach the limit"
        " of tokens;",
        endless=True,
    ),
    "utf8": Script("Grüße, 世界 🌍 – naïve café ✓", split_characters=True),
    "json": Script('{"ok": true}'),
    "empty": Script(""),
    "markdown": Script(
        "# Markdown from the demo model\n\n"
        "A paragraph with **bold**, *italic* and `code`.\n\n"
        "## List\n\n- first item\n- second item\n  - nested item\n\n"
        "## Table\n\n| fruit | price |\n|:------|------:|\n| apple |  1.20 |\n| mango | 12.50 |\n\n"
        '## Code\n\n```python\ndef greet(name: str) -> str:\n    return f"Hello, {name}!"\n```\n\n'
        "> The end.\n"
    ),
    TOOL_CALL: Script(
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'
    ),
}
"""The texts of the shipped model. A key other than the two above is triggered by `/key`."""

PREFERRED_IN_GRAMMAR = '"}],:{[1t'
"""Where a grammar (a JSON schema, a tool's parameters) forbids what the script says next, the answer
ends if it may, and else goes on with one of these, best first: they close what is open."""

_WEIGHT_UNIT = 1 / 16
_FOLLOW_WEIGHT = 112
_GRAMMAR_STEP = 8
# In units of 1/16 and times the norm of the input (about 16), these are logits of 112 for the
# successor, and 8 apart up to 64 for the preferences: no temperature in use mixes them up.

_NORMAL, _CONTROL = 1, 3
_BLOCK_BYTES = 2 + BLOCK_SIZE
_PIECES = re.compile(rb"\s*\S+|\s+$")
_CHARACTER_BYTES = re.compile(rb"[\x00-\x7f]+|[\x80-\xff]")

_TEMPLATE_HEAD = """\
{%- if tools %}
{{- '<|im_start|>system\\n# Tools\\n\\nYou may call these functions:\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}
{{- '\\n</tools>\\n\\nReturn each call as JSON in tags:\\n<tool_call>\\n' }}
{{- '{"name": <function>, "arguments": <object>}\\n</tool_call><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response>' }}
{%- else %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' and message.reasoning_content %}
{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}
{%- endif %}
{%- if message.content %}{{- message.content }}{%- endif %}
{%- for call in message.tool_calls or [] %}
{%- set function = call.function if call.function is defined else call %}
{{- '<tool_call>\\n{"name": "' + function.name + '", "arguments": ' }}
{{- function.arguments | tojson }}{{- '}\\n</tool_call>' }}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- set last = messages[-1] %}
{%- set text = last.content if last.content is string else '' %}
"""


def ensure_demo_model(directory: Path) -> Path:
    """Write the demo model into a directory unless it is there; return its path.

    Several processes may do so at once: each writes a file of its own and renames it into place.
    The name holds a hash of the content, so a later version of the package writes another file.

    Args:
        directory: made, with its parents, when absent, for its owner alone.

    Raises:
        OSError: the directory cannot be made or written to.
    """
    content = build_demo_model(SCRIPTS)
    path = directory / f"demo-{hashlib.sha256(content).hexdigest()[:12]}.gguf"
    try:
        if path.stat().st_size == len(content):
            return path
    except FileNotFoundError:
        pass
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".demo-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


def build_demo_model(
    scripts: Mapping[str, Script], *, context_tokens: int = CONTEXT_TOKENS
) -> bytes:
    """Return the bytes of a GGUF file that answers with the given scripts.

    Args:
        scripts: at least `DEFAULT`; `TOOL_CALL` is optional; any other key is triggered by `/key`
            in the last message, the first match in the mapping's order winning.
        context_tokens: what the model claims to be trained for.

    Raises:
        ValueError: `DEFAULT` is missing, a key is not a word (it goes into the chat template), or
            scripts cannot be told apart token by token.
    """
    if DEFAULT not in scripts:
        raise ValueError(f"There is no script {DEFAULT!r}.")
    for key in scripts:
        if not key.isidentifier():
            raise ValueError(f"The script's key {key!r} is not a word.")
    vocabulary = _Vocabulary(scripts)
    width = -(-(len(vocabulary.successors)) // BLOCK_SIZE) * BLOCK_SIZE
    gguf = GGUFWriter("llama")
    gguf.add_string("general.name", "llm_client demo")
    gguf.add_uint32("llama.context_length", context_tokens)
    gguf.add_uint32("llama.embedding_length", width)
    gguf.add_uint32("llama.block_count", 1)
    gguf.add_uint32("llama.feed_forward_length", FEED_FORWARD_SIZE)
    gguf.add_uint32("llama.attention.head_count", 1)
    gguf.add_uint32("llama.attention.head_count_kv", 1)
    gguf.add_uint32("llama.attention.key_length", HEAD_SIZE)
    gguf.add_uint32("llama.attention.value_length", HEAD_SIZE)
    gguf.add_uint32("llama.rope.dimension_count", HEAD_SIZE)
    gguf.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    gguf.add_string("tokenizer.ggml.model", "gpt2")
    gguf.add_string("tokenizer.ggml.pre", "gpt-2")
    gguf.add_strings("tokenizer.ggml.tokens", vocabulary.texts)
    gguf.add_int32s("tokenizer.ggml.token_type", vocabulary.types)
    gguf.add_strings("tokenizer.ggml.merges", [])
    gguf.add_uint32("tokenizer.ggml.bos_token_id", vocabulary.end)
    gguf.add_uint32("tokenizer.ggml.eos_token_id", vocabulary.end)
    gguf.add_bool("tokenizer.ggml.add_bos_token", False)
    gguf.add_string("tokenizer.chat_template", _chat_template(scripts))
    _add_tensors(gguf, vocabulary, width)
    return gguf.to_bytes()


class _Vocabulary:
    """The tokens of the model, and which follows which."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        self.texts: list[str] = []
        """Token texts by id, in GPT-2's printable spelling of bytes."""
        self.types: list[int] = []
        self.states: dict[int, int] = {}
        """State by token id; a token that is absent is in state 0."""
        self.successors: list[int] = [0]
        """Id of the next token by state."""
        self.end = self._add(END, _CONTROL)
        self._add(START, _CONTROL)
        openers = {key: self._add(_opener(key), _CONTROL) for key in scripts}
        self.bytes = [self._add(_BYTE_TEXTS[byte], _NORMAL) for byte in range(256)]
        used = {bytes([byte]) for byte in range(128)}
        for key, script in scripts.items():
            self._add_script(openers[key], script, _distinct_pieces(script, used))
        self.successors[0] = self.successors[self.states[openers[DEFAULT]]]

    def preferred(self) -> list[int]:
        """Return what to say, best first, where a grammar forbids the successor."""
        closing = [
            token
            for token, successor in zip(self.states, self.successors[1:], strict=True)
            if successor == self.end and self.texts[token].endswith("</tool_call>")
        ]
        characters = [self.bytes[ord(character)] for character in PREFERRED_IN_GRAMMAR]
        return [self.end, *closing, *characters]

    def _add(self, text: str, token_type: int) -> int:
        self.texts.append(text)
        self.types.append(token_type)
        return len(self.texts) - 1

    def _add_script(self, opener: int, script: Script, pieces: list[bytes]) -> None:
        tokens = [
            self.bytes[piece[0]]
            if len(piece) == 1
            else self._add("".join(_BYTE_TEXTS[byte] for byte in piece), _NORMAL)
            for piece in pieces
        ]
        last = tokens[0] if script.endless and tokens else self.end
        for token, successor in zip([opener, *tokens], [*tokens, last], strict=True):
            self.states[token] = len(self.successors)
            self.successors.append(successor)


def _opener(key: str) -> str:
    return f"<|say_{key}|>"


def _distinct_pieces(script: Script, used: set[bytes]) -> list[bytes]:
    """Cut a text where the pieces are all new, and add them to those in use."""
    pieces: list[bytes] = []
    pending = b""
    for part in _parts(script):
        pending += part
        if pending not in used:
            used.add(pending)
            pieces.append(pending)
            pending = b""
    if pending:
        if not pieces:
            raise ValueError(f"The script {script.text!r} has no piece of its own.")
        pieces[-1] += pending
        used.add(pieces[-1])
    return pieces


def _parts(script: Script) -> Iterator[bytes]:
    for word in _PIECES.findall(script.text.encode()):
        yield from _CHARACTER_BYTES.findall(word) if script.split_characters else [word]


def _byte_texts() -> list[str]:
    """Return GPT-2's map from a byte to a printable character, by byte."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    substitutes = iter(range(256, 512))
    return [chr(byte if byte in printable else next(substitutes)) for byte in range(256)]


_BYTE_TEXTS = _byte_texts()


def _chat_template(scripts: Mapping[str, Script]) -> str:
    """Return the Jinja template that ends a prompt with the opener of the script to say."""
    lines = [
        f"{{%- elif '/{key}' in text %}}{{{{- '{_opener(key)}' }}}}"
        for key in scripts
        if key not in (DEFAULT, TOOL_CALL)
    ]
    if TOOL_CALL in scripts:
        lines.append(
            f"{{%- elif tools and last.role != 'tool' %}}{{{{- '{_opener(TOOL_CALL)}' }}}}"
        )
    branches = "\n".join(
        ["{%- if false %}", *lines, f"{{%- else %}}{{{{- '{_opener(DEFAULT)}' }}}}"]
    )
    return f"{_TEMPLATE_HEAD}{branches}\n{{%- endif %}}\n{{%- endif %}}\n"


def _add_tensors(gguf: GGUFWriter, vocabulary: _Vocabulary, width: int) -> None:
    tokens = len(vocabulary.texts)
    gguf.add_tensor(
        "token_embd.weight", (width, tokens), TensorType.Q8_0, _embedding(vocabulary, width)
    )
    gguf.add_tensor("output.weight", (width, tokens), TensorType.Q8_0, _output(vocabulary, width))
    ones = struct.pack("<f", 1.0) * width
    for norm in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        gguf.add_tensor(f"{norm}.weight", (width,), TensorType.F32, ones)
    for projection, (columns, rows) in {
        "attn_q": (width, HEAD_SIZE),
        "attn_k": (width, HEAD_SIZE),
        "attn_v": (width, HEAD_SIZE),
        "attn_output": (HEAD_SIZE, width),
        "ffn_gate": (width, FEED_FORWARD_SIZE),
        "ffn_up": (width, FEED_FORWARD_SIZE),
        "ffn_down": (FEED_FORWARD_SIZE, width),
    }.items():
        zeros = bytes(columns * rows // BLOCK_SIZE * _BLOCK_BYTES)
        gguf.add_tensor(f"blk.0.{projection}.weight", (columns, rows), TensorType.Q8_0, zeros)


def _embedding(vocabulary: _Vocabulary, width: int) -> bytes:
    """Return the matrix that maps a token to the unit vector of its state."""
    row_bytes = width // BLOCK_SIZE * _BLOCK_BYTES
    matrix = bytearray(row_bytes * len(vocabulary.texts))
    for token in range(len(vocabulary.texts)):
        block, position = divmod(vocabulary.states.get(token, 0), BLOCK_SIZE)
        start = token * row_bytes + block * _BLOCK_BYTES
        struct.pack_into("<e", matrix, start, 1.0)
        matrix[start + 2 + position] = 1
    return bytes(matrix)


def _output(vocabulary: _Vocabulary, width: int) -> bytes:
    """Return the matrix that maps a state to its successor."""
    blocks = width // BLOCK_SIZE
    scale = struct.pack("<e", _WEIGHT_UNIT)
    matrix = bytearray((scale + bytes(BLOCK_SIZE)) * blocks * len(vocabulary.texts))
    row_bytes = blocks * _BLOCK_BYTES
    for rank, token in enumerate(reversed(vocabulary.preferred()), start=1):
        weights = bytes([rank * _GRAMMAR_STEP]) * BLOCK_SIZE
        matrix[token * row_bytes : (token + 1) * row_bytes] = (scale + weights) * blocks
    for state, token in enumerate(vocabulary.successors):
        block, position = divmod(state, BLOCK_SIZE)
        matrix[token * row_bytes + block * _BLOCK_BYTES + 2 + position] = _FOLLOW_WEIGHT
    return bytes(matrix)
