"""Shapes whose annotations are texts, as `from __future__ import annotations` makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, NotRequired, Required, TypedDict

__all__ = ["Branch", "Loose", "Strict", "Tree"]


@dataclass
class Tree:
    """A tree.

    With leaves.
    """

    label: Annotated[str, "what it says"]
    branches: list[Branch] = field(default_factory=list)
    parent: Tree | None = None


@dataclass
class Branch:
    tree: Tree
    weight: float = 1.0


class Strict(TypedDict):
    a: int
    b: NotRequired[Annotated[str, "the b"]]


class Loose(Strict, total=False):
    c: Required[bool]
    d: list[Strict]
