"""Writes GGUF files, version 3: metadata, then tensors.

Owns the byte layout of the format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). It
exists so that the demo model needs no third-party package. It writes what the demo model uses and
refuses to read, to quantise or to check names.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum

__all__ = ["MAGIC", "GGUFWriter", "TensorType"]

MAGIC = b"GGUF"
VERSION = 3
ALIGNMENT = 32
"""The format's default alignment of tensor data, in bytes."""


class TensorType(IntEnum):
    """How a tensor's values are stored (ggml's numbers)."""

    F32 = 0
    Q8_0 = 8
    """Blocks of 32 values: a 16-bit float scale and 32 signed bytes."""


class _ValueType(IntEnum):
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9


class GGUFWriter:
    """Collects metadata and tensors, then gives the file's bytes."""

    def __init__(self, architecture: str) -> None:
        self._metadata: list[bytes] = []
        self._descriptions: list[bytes] = []
        self._data = bytearray()
        self.add_string("general.architecture", architecture)

    def add_string(self, key: str, value: str) -> None:
        """Add a text."""
        self._add(key, _ValueType.STRING, _string(value))

    def add_uint32(self, key: str, value: int) -> None:
        """Add a count, a size or a token id."""
        self._add(key, _ValueType.UINT32, struct.pack("<I", value))

    def add_float32(self, key: str, value: float) -> None:
        """Add a number."""
        self._add(key, _ValueType.FLOAT32, struct.pack("<f", value))

    def add_bool(self, key: str, value: bool) -> None:
        """Add a flag."""
        self._add(key, _ValueType.BOOL, struct.pack("<?", value))

    def add_strings(self, key: str, values: Sequence[str]) -> None:
        """Add a list of texts."""
        self._add_array(key, _ValueType.STRING, len(values), b"".join(map(_string, values)))

    def add_int32s(self, key: str, values: Sequence[int]) -> None:
        """Add a list of whole numbers."""
        data = struct.pack(f"<{len(values)}i", *values)
        self._add_array(key, _ValueType.INT32, len(values), data)

    def add_tensor(
        self, name: str, shape: tuple[int, ...], tensor_type: TensorType, data: bytes
    ) -> None:
        """Add a tensor.

        Args:
            name: ggml's name of it.
            shape: sizes, the fastest-varying dimension first (columns, rows).
            tensor_type: how `data` is encoded.
            data: the values, row by row.
        """
        self._descriptions.append(
            _string(name)
            + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
            + struct.pack("<IQ", tensor_type, len(self._data))
        )
        self._data += data
        self._data += bytes(-len(self._data) % ALIGNMENT)

    def to_bytes(self) -> bytes:
        """Return the whole file."""
        counts = struct.pack("<IQQ", VERSION, len(self._descriptions), len(self._metadata))
        head = b"".join([MAGIC, counts, *self._metadata, *self._descriptions])
        return head + bytes(-len(head) % ALIGNMENT) + self._data

    def _add(self, key: str, value_type: _ValueType, value: bytes) -> None:
        self._metadata.append(_string(key) + struct.pack("<I", value_type) + value)

    def _add_array(self, key: str, value_type: _ValueType, count: int, values: bytes) -> None:
        self._add(key, _ValueType.ARRAY, struct.pack("<IQ", value_type, count) + values)


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded
