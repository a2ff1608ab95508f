"""The table of docs/providers.md: `python -m tests.providers.table` writes it from the catalog.

Owns nothing but the form; a test compares what stands in the file with what is written here.
"""

from __future__ import annotations

import re
from pathlib import Path

from llm_client.providers.catalog import CATALOG
from llm_client.types.target import ProviderSpec

__all__ = ["DOCUMENT", "stored", "table"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "providers.md"
_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)


def table() -> str:
    """Return the table as Markdown, a line for each provider."""
    lines = [
        "| provider | address | dialect | key | also read |",
        "|---|---|---|---|---|",
        *(_line(row) for row in CATALOG.values()),
    ]
    return "\n".join(lines) + "\n"


def stored() -> str:
    """Return the table that stands in the document."""
    found = _TABLE.search(DOCUMENT.read_text("utf-8"))
    return found[0] if found else ""


def _line(row: ProviderSpec) -> str:
    address = f"`{row.base_url.removeprefix('https://')}`" if row.base_url else "`--base-url`"
    others = [f"`{name}`" for name in (*row.base_url_env, *row.model_env)]
    for field in row.fields:
        names = ", ".join(f"`{name}`" for name in field.env)
        usual = (
            f" = `{field.default}`" if field.default else " (optional)" if field.optional else ""
        )
        others.append(f"{field.name}{usual}{': ' if names else ''}{names}")
    keys = ", ".join(f"`{name}`" for name in row.key_env)
    return f"| {row.name} | {address} | {row.dialect} | {keys} | {'; '.join(others)} |"


def main() -> None:
    """Put the table into the document."""
    text = DOCUMENT.read_text("utf-8")
    DOCUMENT.write_text(_TABLE.sub(lambda _: table(), text), "utf-8")


if __name__ == "__main__":
    main()
