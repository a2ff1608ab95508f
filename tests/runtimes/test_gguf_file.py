"""The GGUF writer lays out bytes as version 3 of the format says."""

from __future__ import annotations

import struct

import pytest

from llm_client.runtimes.gguf_file import ALIGNMENT, MAGIC, GGUFWriter, TensorType


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def test_empty_file_has_header_and_architecture() -> None:
    content = GGUFWriter("llama").to_bytes()
    head = MAGIC + struct.pack("<IQQ", 3, 0, 1)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    assert content == head + bytes(-len(head) % ALIGNMENT)


@pytest.mark.parametrize(
    ("method", "value", "encoded"),
    [
        pytest.param("add_string", "é", struct.pack("<I", 8) + text("é"), id="string"),
        pytest.param("add_uint32", 2**32 - 1, struct.pack("<II", 4, 2**32 - 1), id="uint32"),
        pytest.param("add_float32", 0.5, struct.pack("<If", 6, 0.5), id="float32"),
        pytest.param("add_bool", True, struct.pack("<I?", 7, True), id="bool"),
        pytest.param(
            "add_strings",
            ["a", "bc"],
            struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc"),
            id="strings",
        ),
        pytest.param("add_int32s", [-1, 7], struct.pack("<IIQii", 9, 5, 2, -1, 7), id="int32s"),
    ],
)
def test_value_is_written_with_key_and_type(method: str, value: object, encoded: bytes) -> None:
    writer = GGUFWriter("llama")
    getattr(writer, method)("some.key", value)
    assert text("some.key") + encoded in writer.to_bytes()


def test_tensor_data_is_aligned_and_described() -> None:
    writer = GGUFWriter("llama")
    writer.add_tensor("first", (3,), TensorType.F32, b"\x01" * 12)
    writer.add_tensor("second", (32, 2), TensorType.Q8_0, b"\x02" * 68)
    content = writer.to_bytes()
    assert text("first") + struct.pack("<IQIQ", 1, 3, 0, 0) in content
    assert text("second") + struct.pack("<IQQIQ", 2, 32, 2, 8, ALIGNMENT) in content
    data = b"\x01" * 12 + bytes(20) + b"\x02" * 68 + bytes(28)
    assert content.endswith(data)
    assert (len(content) - len(data)) % ALIGNMENT == 0
