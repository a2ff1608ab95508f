"""One value of a TOML text changed: what else stands there stays, to the byte."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.storage import toml_edit
from llm_client.storage.toml_edit import with_value, without_value

FILE = """\
# of me

default_profile = "a" # the first

[profiles.a] # head
model = 'x' # kept
# below a

# about b
[profiles.b]
model = "y"
fallback = [
  "a", # one
  "c", # two
] # chain

[retry]
# max_retries = 3
"""

SET: list[Any] = [
    pytest.param(("default_profile",), "b", '= "a" #', '= "b" #', id="root"),
    pytest.param(("profiles", "a", "model"), "z", "'x'", '"z"', id="text"),
    pytest.param(
        ("profiles", "b", "fallback"),
        ["d"],
        '  "a", # one\n  "c", # two\n',
        '  "d", # one\n',
        id="list on several lines",
    ),
    pytest.param(
        ("profiles", "a", "temperature"),
        0.5,
        "# below a\n",
        "# below a\ntemperature = 0.5\n",
        id="new, before the comment of the next table",
    ),
    pytest.param(
        ("retry", "delay"), 2, "= 3\n", "= 3\ndelay = 2\n", id="new, in a table of comments"
    ),
    pytest.param(
        ("pricing", 'a"b/c', "input"),
        1,
        "= 3\n",
        '= 3\n\n[pricing."a\\"b/c"]\ninput = 1\n',
        id="new table",
    ),
    pytest.param(
        ("profiles", "v"), "a", "= 3\n", '= 3\n\n[profiles]\nv = "a"\n', id="table between tables"
    ),
    pytest.param(
        ("providers", "o", "options"),
        {"n": 1, "deep": {"list": [1, True]}},
        "= 3\n",
        "= 3\n\n[providers.o.options]\nn = 1\n\n[providers.o.options.deep]\n"
        "list = [\n    1,\n    true,\n]\n",
        id="a table as a value",
    ),
    pytest.param(
        ("profiles", "a", "options"),
        {"n": 1, "deep": {"list": [1, True]}},
        "# below a\n",
        "# below a\noptions = {n = 1, deep = {list = [1, true]}}\n",
        id="a table as a value in a table",
    ),
]


@pytest.mark.parametrize(("names", "value", "old", "new"), SET)
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_setting_changes_that_place_and_nothing_else(
    names: tuple[str, ...], value: object, old: str, new: str, ending: str
) -> None:
    assert FILE.count(old) == 1
    wanted = FILE.replace(old, new).replace("\n", ending)
    made = with_value(FILE.replace("\n", ending), names, value)
    assert made == wanted
    within: Any = tomllib.loads(made)
    for name in names:
        within = within[name]
    assert within == value


@pytest.mark.parametrize(
    ("text", "names", "value", "wanted"),
    [
        ("", ("a",), 1, "a = 1\n"),
        ("# head\n", ("a",), 1, "# head\na = 1\n"),
        ("[t]\nb = 1\n", ("a",), 1, "a = 1\n\n[t]\nb = 1\n"),
        ("# head\n\n[t]\nb = 1\n", ("a",), 1, "# head\na = 1\n\n[t]\nb = 1\n"),
        ("t = {b = 1} # c\n", ("t", "d"), 2, "t = {b = 1,d = 2} # c\n"),
        ("t.b = 1\n[u]\n", ("t", "d"), 2, "t.b = 1\nt.d = 2\n\n[u]\n"),
        ("[t]\nb = 1", ("t", "d"), 2, "[t]\nb = 1\nd = 2\n"),
        ("[t.u]\nb = 1", ("t", "u", "d"), 2, "[t.u]\nb = 1\nd = 2\n"),
        ("[t.a]\n[u]\n[t.b]\nx = 1\n", ("t", "b", "y"), 2, "[t.a]\n[u]\n[t.b]\nx = 1\ny = 2\n"),
        ("[t]\nb = '''\n\n# no\n'''\n\n[u]\n", ("t", "d"), 2, "[t]\nb = '''\n\n# no\n'''\nd = 2\n\n[u]\n"),
    ],
    ids=["empty", "comment", "before a table", "before tables", "inline", "dotted", "no newline", "deep", "apart", "text"],
)  # fmt: skip
def test_new_setting_stands_where_its_table_is(
    text: str, names: tuple[str, ...], value: object, wanted: str
) -> None:
    assert with_value(text, names, value) == wanted


@pytest.mark.parametrize(
    ("names", "old", "new"),
    [
        (("default_profile",), 'default_profile = "a" # the first\n\n', "\n"),
        (("profiles", "a", "model"), "model = 'x' # kept\n", ""),
        (("profiles", "a"), "[profiles.a] # head\nmodel = 'x' # kept\n# below a\n\n", ""),
        (
            ("profiles", "b", "fallback"),
            'fallback = [\n  "a", # one\n  "c", # two\n] # chain\n',
            "",
        ),
        (("retry",), "\n[retry]\n# max_retries = 3\n", "\n"),
    ],
    ids=["root", "setting", "table", "list", "last table"],
)
def test_unsetting_takes_that_and_leaves_the_comments_of_others(
    names: tuple[str, ...], old: str, new: str
) -> None:
    assert FILE.count(old) == 1
    made = without_value(FILE, names)
    assert made.replace("\n\n\n", "\n\n") == FILE.replace(old, new).replace("\n\n\n", "\n\n")
    assert "# about b" in made


def test_unsetting_the_first_table_leaves_no_blank_line_behind() -> None:
    assert without_value("[a]\nb = 1\n\n# c\n[c]\n", ("a",)) == "# c\n[c]\n"


LIST = """\
[b] # b
x = [  # in order
  "a",  # one

  "c",  # two
  # last
] # chain
"""


@pytest.mark.parametrize(
    ("items", "wanted"),
    [
        (["a"], LIST.replace('\n\n  "c",  # two', "")),
        (["n", "a", "c"], LIST.replace('  "a",', '  "n",\n  "a",')),
        (["a", "d"], LIST.replace('"c"', '"d"')),
        ([], LIST.replace('  "a",  # one\n\n  "c",  # two\n', "")),
    ],
    ids=["one less", "one more", "another", "none"],
)
def test_comments_in_a_list_stay(items: list[str], wanted: str) -> None:
    assert with_value(LIST, ("b", "x"), items) == wanted


def test_list_in_a_line_stays_one() -> None:
    assert with_value("x = ['a', 'b'] # c\n", ("x",), ["b"]) == 'x = ["b"] # c\n'


def test_change_that_would_come_out_wrong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toml_edit, "_edited", lambda *_: "a = 3\n")
    with pytest.raises(ConfigurationError, match="cannot be changed without harm") as caught:
        with_value("a = 1\n", ("a",), 2)
    assert caught.value.hint is not None
    assert "config edit" in caught.value.hint
