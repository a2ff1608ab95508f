"""A model in MLX's format whose replies are known, written in a few milliseconds.

It is the demo model (`llm_client.runtimes.demo_model`, which explains how it works) as a directory
of Hugging Face's: the same vocabulary and the same weights, so that mlx-lm and its server really run
it. Its texts are its own, because mlx-lm wants `<think>` and `</think>` to be tokens.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_client.runtimes.demo_model import (
    _BYTE_TEXTS,
    DEFAULT,
    END,
    TOOL_CALL,
    Script,
    _chat_template,
    _Vocabulary,
)

CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'
SCRIPTS: Mapping[str, Script] = {
    DEFAULT: Script("Hello! I am a tiny test model."),
    "think": Script(
        # A character of several bytes before the tag makes the tag a token of its own.
        "<think>\nLet me think about it…</think>\n\nThe answer is 42.",
        split_characters=True,
    ),
    "long": Script(" one two three four five six seven eight nine ten", endless=True),
    "utf8": Script("Grüße, 世界 🌍 ok", split_characters=True),
    "json": Script('{"ok": true}'),
    "empty": Script(""),
    "broken": Script('<tool_call>\n{"name": "get_weather", "arg'),
    "twice": Script(f"Both: {CALL.replace('Paris', 'Rome')}\n{CALL.replace('Paris', 'Oslo')}"),
    TOOL_CALL: Script(CALL),
}
"""As the demo model's: `/key` in the last message picks a text, tools given pick the call."""

FORM_OF_CALLS = "{#- tool_call.name #}"
"""By these words in a template mlx-lm knows in which form the model calls tools."""
EFFORT = "{#- enable_thinking #}"
"""Makes a template look as if it could switch thinking off."""
LAYERS, HEAD_SIZE, FEED_FORWARD_SIZE = 1, 32, 32
FOLLOW_WEIGHT = 7.0


def write_tiny_mlx(
    directory: Path,
    *,
    context_tokens: int = 4096,
    template: str | None = None,
    scripts: Mapping[str, Script] = SCRIPTS,
) -> Path:
    """Write the model and return its directory.

    Args:
        directory: made when absent.
        context_tokens: what the model claims to be trained for.
        template: another chat template; `""` is none at all.
        scripts: other texts.
    """
    vocabulary = _Vocabulary(scripts)
    width = -(-len(vocabulary.successors) // 32) * 32
    directory.mkdir(parents=True, exist_ok=True)
    if template is None:
        template = _chat_template(scripts) + FORM_OF_CALLS
    end = vocabulary.end
    _write(directory / "config.json", _config(vocabulary, width, context_tokens))
    _write(directory / "generation_config.json", {"eos_token_id": end, "do_sample": False})
    _write(directory / "tokenizer.json", _tokenizer(vocabulary))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "pad_token": END}
    _write(
        directory / "tokenizer_config.json",
        settings | ({"chat_template": template} if template else {}),
    )
    (directory / "model.safetensors").write_bytes(_safetensors(_tensors(vocabulary, width)))
    return directory


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def _config(vocabulary: _Vocabulary, width: int, context_tokens: int) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": width,
        "intermediate_size": FEED_FORWARD_SIZE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "head_dim": HEAD_SIZE,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "vocab_size": len(vocabulary.texts),
        "max_position_embeddings": context_tokens,
        "eos_token_id": vocabulary.end,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }


def _tokenizer(vocabulary: _Vocabulary) -> dict[str, Any]:
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    ordinary = set(_BYTE_TEXTS)
    added = [
        {
            "id": token,
            "content": text,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for token, text in enumerate(vocabulary.texts)
        if text.startswith("<|") and text not in ordinary
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {text: token for token, text in enumerate(vocabulary.texts)},
            "merges": [],
        },
    }


def _tensors(vocabulary: _Vocabulary, width: int) -> dict[str, tuple[list[int], bytes]]:
    """Return shape and 32-bit floats of each tensor."""
    tokens = len(vocabulary.texts)
    embedding, output = bytearray(4 * tokens * width), bytearray(4 * tokens * width)
    for token in range(tokens):
        state = vocabulary.states.get(token, 0)
        struct.pack_into("<f", embedding, 4 * (token * width + state), 1.0)
    for state, token in enumerate(vocabulary.successors):
        struct.pack_into("<f", output, 4 * (token * width + state), FOLLOW_WEIGHT)
    ones = struct.pack("<f", 1.0) * width
    tensors = {
        "model.embed_tokens.weight": ([tokens, width], bytes(embedding)),
        "lm_head.weight": ([tokens, width], bytes(output)),
        "model.norm.weight": ([width], ones),
    }
    for norm in ("input_layernorm", "post_attention_layernorm"):
        tensors[f"model.layers.0.{norm}.weight"] = ([width], ones)
    for projection, (rows, columns) in {
        "self_attn.q_proj": (HEAD_SIZE, width),
        "self_attn.k_proj": (HEAD_SIZE, width),
        "self_attn.v_proj": (HEAD_SIZE, width),
        "self_attn.o_proj": (width, HEAD_SIZE),
        "mlp.gate_proj": (FEED_FORWARD_SIZE, width),
        "mlp.up_proj": (FEED_FORWARD_SIZE, width),
        "mlp.down_proj": (width, FEED_FORWARD_SIZE),
    }.items():
        zeros = bytes(4 * rows * columns)
        tensors[f"model.layers.0.{projection}.weight"] = ([rows, columns], zeros)
    return tensors


def _safetensors(tensors: Mapping[str, tuple[list[int], bytes]]) -> bytes:
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, (shape, data) in tensors.items():
        offsets = [start, start + len(data)]
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        start = offsets[1]
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(data for _, data in tensors.values())
    return struct.pack("<Q", len(text)) + text + data
