"""The table of models at every width, and its lines for programs."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from llm_client.cli.model_facts import ModelRow
from llm_client.cli.render.models_table import (
    capability_words,
    model_lines,
    model_table,
    one_line,
    short_count,
    usd,
)
from llm_client.price_list import KnownPrices
from llm_client.types.models import ModelInfo

EVIL = "evil\x1b]52;c;aGk=\x07\r\n\tname\x9b31m"


def row(
    spec: str,
    window: int | None = None,
    *,
    rates: dict[str, object] | None = None,
    able: tuple[str, ...] | None = None,
    local: bool = False,
    default: bool = False,
    own_default: bool = False,
    aliases: tuple[str, ...] = (),
) -> ModelRow:
    provider, _, id = spec.partition("/")
    return ModelRow(
        model=ModelInfo(id, provider, context_length=window, capabilities=able),
        spec=spec,
        is_local=local,
        prices=None if rates is None else KnownPrices(rates, is_own=False),  # type: ignore[arg-type]
        is_default=default,
        is_provider_default=own_default,
        aliases=aliases,
    )


ROWS = [
    row("ollama/llama3.2", 131072, local=True, able=("completion", "tools"), default=True),
    row("openai/gpt-5", 400000, rates={"input": 1.25, "output": 10.0}, aliases=("big", "smart")),
    row("openai/gpt-5-pro", 400000, rates={"input": [15.0, [200000, 30.0]], "output": 120.0}),
    row("openai/unknown", able=("completion", "reasoning", "schema", "tools", "vision")),
    row("groq/free-of-charge", 8192, rates={}, own_default=True),
    row("größe/模型:7b", 1048576),
]
LONG = row("openrouter/" + "a-name-that-has-no-end-" * 4 + "x", 200000, rates={"input": 0.0375})


def table(width: int, *rows: ModelRow) -> list[str]:
    return model_table(rows or ROWS, width, color=False)


def test_wide_table_has_everything() -> None:
    assert table(120) == [
        "MODEL                CONTEXT  IN $/M  OUT $/M  MARKS        CAPABILITIES",
        "ollama/llama3.2         128k   local    local  default      tools",
        "openai/gpt-5            400k    1.25       10  @big @smart",
        "openai/gpt-5-pro        400k     15+      120",
        "openai/unknown                                              reasoning schema tools vision",
        "groq/free-of-charge       8k    free     free  -p:groq",
        "größe/模型:7b             1M",
    ]


def test_narrow_table_leaves_out_what_matters_least() -> None:
    heads = {width: table(width)[0].split() for width in (89, 78, 60, 46, 30, 20)}

    assert heads == {
        89: ["MODEL", "CONTEXT", "IN", "$/M", "OUT", "$/M", "MARKS", "CAPABILITIES"],
        78: ["MODEL", "CONTEXT", "IN", "$/M", "OUT", "$/M", "MARKS", "CAPABILITIES"],
        60: ["MODEL", "CONTEXT", "IN", "$/M", "OUT", "$/M", "MARKS"],
        46: ["MODEL", "CONTEXT", "IN", "$/M", "OUT", "$/M"],
        30: ["MODEL", "CONTEXT"],
        20: ["MODEL"],
    }
    assert "reasoning schema…" in table(78)[4]


@pytest.mark.parametrize("width", range(1, 201, 7))
def test_no_line_is_wider_than_the_terminal_but_for_a_whole_name(width: int) -> None:
    names = [row.spec for row in (*ROWS, LONG)]
    lines = table(width, *ROWS, LONG)

    for line in lines[1:]:
        assert cell_len(line) <= width or line in names, line
    for name in names:
        assert any(line == name or line.startswith(f"{name} ") for line in lines)


def test_name_that_is_too_long_reaches_into_blanks_or_stands_alone() -> None:
    short = [row(f"p/model-{i:02}", 200000, rates={"input": 1.0, "output": 2.0}) for i in range(20)]
    little, much = row("p/model-and-more", 8000), row("p/model-with-much-more-of-it", 8000)
    lines = table(40, *short, little, much)

    assert lines[-3:] == [
        "p/model-and-more 8k",
        "p/model-with-much-more-of-it",
        "                 8k",
    ]
    assert {line.index("200k") for line in lines[1:21]} == {15}


def test_columns_that_nobody_fills_are_left_out() -> None:
    assert table(80, row("p/x"), row("p/y")) == ["MODEL", "p/x", "p/y"]


def test_marks_and_abilities_are_cut_where_they_are_many() -> None:
    aliases = tuple(f"profile-{i}" for i in range(9))
    line = table(200, row("p/x", aliases=aliases, able=tuple(f"able-{i}" for i in range(9))))[1]

    assert line.count("…") == 2
    assert cell_len(line) < 80


def test_names_of_servers_do_not_drive_the_terminal() -> None:
    rows = [row(f"p/{EVIL}", able=(EVIL,), aliases=(EVIL,))]

    for lines in (model_table(rows, 300, color=False), model_lines(rows)):
        text = "\n".join(lines)
        assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text) is None
        assert len(lines) == text.count("\n") + 1
    assert len(model_lines(rows)[0].split("\t")) == 6


def test_colour_marks_head_and_default_and_nothing_else() -> None:
    plain, lines = table(120), model_table(ROWS, 120, color=True)

    assert lines[0] == f"\x1b[2m{plain[0]}\x1b[0m"
    assert lines[1] == f"\x1b[1m{plain[1]}\x1b[0m"
    assert lines[2:] == plain[2:]


def test_lines_for_programs_have_exact_figures() -> None:
    assert model_lines([*ROWS, LONG]) == [
        "ollama/llama3.2\t131072\tlocal\tlocal\tcompletion,tools\tdefault",
        "openai/gpt-5\t400000\t1.25\t10\t\t@big,@smart",
        "openai/gpt-5-pro\t400000\t15\t120\t\t",
        "openai/unknown\t\t\t\tcompletion,reasoning,schema,tools,vision\t",
        "groq/free-of-charge\t8192\t0\t0\t\t-p:groq",
        "größe/模型:7b\t1048576\t\t\t\t",
        f"{LONG.spec}\t200000\t0.0375\t\t\t",
    ]


@pytest.mark.parametrize(
    ("tokens", "shown"),
    [
        (512, "512"),
        (4096, "4k"),
        (8192, "8k"),
        (32768, "32k"),
        (65535, "65.5k"),
        (128000, "128k"),
        (131072, "128k"),
        (200000, "200k"),
        (262144, "256k"),
        (999999, "1M"),
        (1022976, "999k"),
        (1046528, "1022k"),
        (1000000, "1M"),
        (1047576, "1.05M"),
        (1048576, "1M"),
        (2097152, "2M"),
        (10_000_000, "10M"),
    ],
)
def test_windows_are_said_as_people_say_them(tokens: int, shown: str) -> None:
    assert short_count(tokens) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0.0375, "0.0375"), (0.25, "0.25"), (3.0, "3"), (1234.5, "1234"), (1 / 3, "0.3333")],
)
def test_amounts_have_no_digits_that_say_nothing(amount: float, shown: str) -> None:
    assert usd(amount) == shown


def test_answering_is_no_ability_worth_a_word() -> None:
    assert capability_words(("completion", "tools")) == "tools"
    assert capability_words(None) == ""


def test_text_of_several_lines_becomes_one() -> None:
    assert one_line("a\n b\tc") == "a b c"
    assert one_line("as it  is") == "as it  is"
