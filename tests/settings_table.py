"""The table of docs/configuration.md: `python -m tests.settings_table` writes it from the schema.

Owns nothing but the form; a test compares what stands in the file with what is written here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from llm_client.policy.variables import OF_ALL_PROVIDERS

from .settings_rows import ROWS
from .support.setting_setup import Row

__all__ = ["DOCUMENT", "stored", "table"]

DOCUMENT = Path(__file__).parents[1] / "docs" / "configuration.md"
_TABLE = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- end -->)", re.DOTALL)


def table() -> str:
    """Return the table of the documentation as Markdown, a line for each setting."""
    lines = [
        "| setting | what | is | variable | in code | default |",
        "|---|---|---|---|---|---|",
        *(_line(row) for row in ROWS if "*" not in row.path or not row.path.startswith("budget.")),
    ]
    return "\n".join(lines) + "\n"


def stored() -> str:
    """Return the table that stands in the document."""
    found = _TABLE.search(DOCUMENT.read_text("utf-8"))
    return found[0] if found else ""


def _line(row: Row) -> str:
    setting = row.setting
    key = setting.path.replace("*", "NAME")
    variables = [f"`{setting.variable.replace('*', 'NAME')}`"] if setting.variable else []
    field = setting.path.rpartition(".")[2]
    if setting.path.startswith("providers.") and field in OF_ALL_PROVIDERS:
        variables.append(f"`{OF_ALL_PROVIDERS[field]}`")
    if row.own is not None:
        variables.append(f"the provider's own (`{row.own[0]}`…)")
    code = row.code.shown if row.code is not None else ""
    default = "" if setting.default is None else f"`{json.dumps(setting.default).strip(chr(34))}`"
    wanted = setting.kind.wanted.replace("|", "\\|")
    return f"| `{key}` | {setting.about} | {wanted} | {', '.join(variables)} | {code} | {default} |"


def main() -> None:
    """Put the table into the document."""
    text = DOCUMENT.read_text("utf-8")
    DOCUMENT.write_text(_TABLE.sub(lambda _: table(), text), "utf-8")


if __name__ == "__main__":
    main()
