"""Make `llm_client/providers/prices.json` from the data of the installed genai-prices package.

    make prices        (or: python .ci/build_prices.py)

Owns the form of that file, which `llm_client/providers/prices.py` reads. What our `Usage` has no
figure for (audio, images, searches, pages) is left out; what cannot be said exactly is refused
with an error, so that new data cannot bring wrong prices in silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGE = "genai-prices"
FOLDER = Path(__file__).parent.parent / "llm_client" / "providers"
DATA_FILE = FOLDER / "prices.json"
NOTICE_FILE = FOLDER / "prices.NOTICE"

UNITS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "output_reasoning_mtok": "reasoning",
    "requests_kcount": "requests",
}
"""What our usage has figures for, and its name in the file. USD per million tokens, or per thousand
requests."""


def main() -> None:
    """Write the data and its notice."""
    DATA_FILE.write_text(build(), encoding="ascii", newline="\n")
    NOTICE_FILE.write_text(notice(), encoding="utf-8", newline="\n")


def notice() -> str:
    """Return what the licence of the data wants to stand beside it."""
    distribution = metadata.distribution(PACKAGE)
    [licence] = (path for path in distribution.files or () if path.name == "LICENSE")
    return (
        f"prices.json is made from the data of {PACKAGE} {distribution.version},\n"
        f"which comes under this licence:\n\n{licence.read_text(encoding='utf-8')}"
    )


def build() -> str:
    """Return the text of the data file: JSON with one model a line, so that changes can be read.

    First come `source` and `vendors` (how to recognise each, in the package's order, which
    counts), then one list of models for each vendor.
    """
    from genai_prices.data import providers

    vendors = {vendor.id: _vendor(vendor) for vendor in providers}
    parts = [
        f'"source": "{PACKAGE} {metadata.version(PACKAGE)}"',
        f'"vendors": {_block("{", (f"{_json(k)}: {_json(v)}" for k, v in vendors.items()), "}")}',
    ]
    for vendor in providers:
        rows = (_json(_model(model)) for model in vendor.models)
        parts.append(f"{_json(vendor.id)}: {_block('[', rows, ']')}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _block(start: str, lines: Iterable[str], end: str) -> str:
    return f"{start}\n " + ",\n ".join(lines) + f"\n{end}"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _vendor(vendor: Any) -> dict[str, object]:
    fields = {
        "names": vendor.provider_match and _clause(vendor.provider_match),
        "models": vendor.model_match and _clause(vendor.model_match),
        "fallback": vendor.fallback_model_providers,
    }
    return {name: value for name, value in fields.items() if value}


def _model(model: Any) -> list[object]:
    """Return the line of a model: how to recognise it, its window, its prices."""
    return [_clause(model.match), model.context_window, _prices(model)]


def _clause(clause: Any) -> object:
    """Return a condition on a name: a text (equal), a list (any of them) or one key and value.

    All names are compared in lower case; only regular expressions stay as they are.
    """
    [(kind, value)] = vars(clause).items()
    match kind:
        case "equals":
            return value.lower()
        case "or_":
            return [_clause(part) for part in value]
        case "and_":
            return {"and": [_clause(part) for part in value]}
        case "starts_with" | "ends_with" | "contains":
            return {kind: value.lower()}
        case "regex":
            return {kind: value}
    raise ValueError(f"There is a new kind of clause: {kind!r}.")


def _prices(model: Any) -> object:
    """Return prices as an object, as a list of `[condition, object]`, or null for unknown.

    In a list the last whose condition holds is meant, and the first when none does.
    """
    if not isinstance(model.prices, list):
        return _table(model, model.prices)
    return [[_condition(row.constraint), _table(model, row.prices)] for row in model.prices]


def _table(model: Any, prices: Any) -> object:
    all_prices = {key: price for key, price in vars(prices).items() if price is not None}
    if not all_prices:
        # The package says "free" so; but also of a model that is gone and was never free.
        return None if model.deprecated else {}
    table = {name: _price(all_prices[key]) for key, name in UNITS.items() if key in all_prices}
    # By the hour, the character or the page only: tokens do not tell what it costs.
    return table or None


def _price(price: Any) -> object:
    if isinstance(price, Decimal):
        return _number(price)
    return [_number(price.base), *([tier.start, _number(tier.price)] for tier in price.tiers)]


def _number(price: Decimal) -> float | int:
    return int(price) if price == int(price) else float(price)


def _condition(constraint: Any) -> str | None:
    """Return `YYYY-MM-DD` (from that day on) or `HH:MM:SS/HH:MM:SS` (from, until), both in UTC."""
    if constraint is None:
        return None
    return "/".join(_moments(vars(constraint).values()))


def _moments(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        match value:
            case time():
                moment = datetime.combine(date(1970, 1, 1), value, value.tzinfo or UTC)
                yield moment.astimezone(UTC).time().isoformat("seconds")
            case date():
                yield value.isoformat()
            case _:
                raise ValueError(f"There is a new kind of condition on prices: {value!r}.")


if __name__ == "__main__":
    main()
