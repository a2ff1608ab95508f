"""What models cost and how much they read: the data, vendor by vendor.

Owns the reading of `prices.json`, which `make prices` makes from the genai-prices package (MIT,
see `prices.NOTICE`). Nothing is read at import, and of a quarter of a megabyte only the vendor that
is asked for is parsed. It refuses to interpret: `policy/pricing.py` finds the model and calculates.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypedDict, cast

if TYPE_CHECKING:
    from importlib.abc import ResourceLoader

__all__ = ["Clause", "PricedModel", "Prices", "Rate", "Vendor", "models_of", "vendors"]

Clause: TypeAlias = "str | list[Clause] | dict[str, Any]"
"""A condition on a name in lower case: equal to a text, any of a list, or one key of `starts_with`,
`ends_with`, `contains`, `regex` (each with a text) and `and` (with a list)."""

Rate: TypeAlias = "float | list[Any]"
"""USD per million tokens (of requests: per thousand), or that and then, for longer prompts,
`[tokens, rate]` in ascending order: with more prompt tokens than that, the rate is for all."""

Prices: TypeAlias = dict[str, Rate]
"""Rates of `input`, `output`, `cache_read`, `cache_write`, `reasoning` and `requests`; empty: free."""


class Vendor(TypedDict, total=False):
    """How one that sets prices is recognised."""

    names: Clause
    """Names that also mean it, besides its own."""
    models: Clause
    """Models that are its own, for where only the model is known."""
    fallback: list[str]
    """Vendors whose prices hold for models that it has no price for."""


class PricedModel(NamedTuple):
    """One model of a vendor."""

    match: Clause
    """The names that mean it. The first model that fits is meant."""
    context_window: int | None
    """Tokens of the prompt."""
    prices: Prices | list[tuple[str | None, Prices | None]] | None
    """Prices, or a list of them with conditions: `YYYY-MM-DD` (from that day on), `HH:MM:SS/HH:MM:SS`
    (every day from, until) in UTC, `None` (always). The last whose condition holds is meant, and the
    first when none does. `None`: tokens do not tell what it costs."""


@cache
def vendors() -> dict[str, Vendor]:
    """Return how vendors are recognised, by their names in the data; the order counts."""
    return cast("dict[str, Vendor]", _read("vendors", "}"))


@cache
def models_of(vendor: str) -> tuple[PricedModel, ...]:
    """Return the models of a vendor, in the order in which they are tried."""
    return tuple(PricedModel(*row) for row in _read(vendor, "]"))


def _read(name: str, end: str) -> Any:
    """Return one entry of the file, whose lines are made so that an entry is easily cut out."""
    text = _text()
    start = text.index(f'\n"{name}": ') + len(name) + 5
    return json.loads(text[start : text.index(f"\n{end}", start) + 2])


@cache
def _text() -> str:
    # As pkgutil.get_data does it, whose import alone costs 4 ms: also inside a zip file.
    loader = cast("ResourceLoader", __spec__.loader)
    return loader.get_data(__file__.rpartition("prices")[0] + "prices.json").decode("ascii")
