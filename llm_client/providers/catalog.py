"""Who answers: every provider by its name.

Owns the look-up. The rows are facts, each with its source, and stand in `local.py`, `makers.py`,
`hosts.py` and `clouds.py`; what to do with a fact is decided on other floors. The rows are many,
and one call needs one of them: a file of rows is imported by the first look-up that gets that far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from typing import Final, TypeAlias

from ..exceptions import ConfigurationError
from ..types.target import ProviderSpec

__all__ = ["CATALOG", "LOCAL_SERVERS", "find_provider"]

Rows: TypeAlias = dict[str, ProviderSpec]


@cache
def _local() -> Rows:
    from .local import LOCAL

    return {row.name: row for row in LOCAL}


@cache
def _makers() -> Rows:
    from .makers import MAKERS

    return {row.name: row for row in MAKERS}


@cache
def _hosts() -> Rows:
    from .hosts import HOSTS

    return {row.name: row for row in HOSTS}


@cache
def _clouds() -> Rows:
    from .clouds import CLOUDS

    return {row.name: row for row in CLOUDS}


class _Catalog(Mapping[str, ProviderSpec]):
    """The rows by their names; iterated in the order of preference, makers first."""

    def __getitem__(self, name: str) -> ProviderSpec:
        for rows in (_local, _makers, _hosts, _clouds):
            if name in rows():
                return rows()[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return chain(_makers(), _hosts(), _clouds(), _local())

    def __len__(self) -> int:
        return sum(1 for _ in self)


CATALOG: Final = _Catalog()
"""Every provider by its name."""

LOCAL_SERVERS: Final = ("ollama", "lmstudio", "llamacpp", "mlx", "vllm")
"""The servers to look for when nothing is configured, in order of preference."""


def find_provider(name: str) -> ProviderSpec:
    """Return the row of a provider.

    Raises:
        ConfigurationError: there is none of that name; the hint has the nearest.
    """
    row = CATALOG.get(name.lower())
    if row is not None:
        return row
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), CATALOG, n=1)
    raise ConfigurationError(
        f"There is no provider {name!r}.",
        hint=(f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(CATALOG))}.")
        + " Any other OpenAI-compatible server: `--base-url URL`.",
    )
