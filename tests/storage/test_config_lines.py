"""On which line of a configuration file a setting stands, however it is written."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from llm_client.storage.config_lines import json_lines, toml_lines

TOML = '''\
# retry.delay = 9, in a comment
default_profile = "fast" # and = behind it

[profiles]
quick = "fast"
"with.dot" = 'fast'

[ profiles . fast ]
system = """
[retry]
delay = 3
\\""" still " inside ""\\
"""
stop = [
  "a]", # ]
  'b', "c",
]
options = { num_ctx = 8192, deep = { er = 1 }, list = [{ a = 1 }, 2] }
when = 2024-10-21 10:00:00
seed = 5

[pricing."work/our-model"]
input = 0.4

[retry]
'delay' = 1
"max\\u005fdelay" = \'\'\'
3
\'\'\'
exponential_base=2.0

[[odd]]
x = 1
[[odd]]
x = 2
[cache]
a.b = 1'''
TOML_LINES = {
    ("default_profile",): 2,
    ("profiles",): 4,
    ("profiles", "quick"): 5,
    ("profiles", "with.dot"): 6,
    ("profiles", "fast"): 8,
    ("profiles", "fast", "system"): 9,
    ("profiles", "fast", "stop"): 14,
    ("profiles", "fast", "options"): 18,
    ("profiles", "fast", "options", "num_ctx"): 18,
    ("profiles", "fast", "options", "deep"): 18,
    ("profiles", "fast", "options", "deep", "er"): 18,
    ("profiles", "fast", "options", "list"): 18,
    ("profiles", "fast", "when"): 19,
    ("profiles", "fast", "seed"): 20,
    ("pricing",): 22,
    ("pricing", "work/our-model"): 22,
    ("pricing", "work/our-model", "input"): 23,
    ("retry",): 25,
    ("retry", "delay"): 26,
    ("retry", "max_delay"): 27,
    ("retry", "exponential_base"): 30,
    ("odd",): 32,
    ("odd", "x"): 33,
    ("cache",): 36,
    ("cache", "a"): 37,
    ("cache", "a", "b"): 37,
}


def test_every_key_of_toml_has_its_line() -> None:
    assert tomllib.loads(TOML)  # else the example proves nothing
    assert toml_lines(TOML) == TOML_LINES


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("text", ["", "\n\n", "# only this", "a = 1", "a = [[1, 2], []]", "[a]"])
def test_short_documents_are_followed_to_their_end(text: str, end: str) -> None:
    text = text.replace("\n", end)
    tomllib.loads(text)

    assert set(toml_lines(text)) == ({("a",)} if "a]" in text or "a =" in text else set())


@pytest.mark.parametrize(
    "text", ["[", "[a", "a", "a =", 'a = "', "a = [1", "a = {b", "= 1", "]", '"""', "a = { b = "]
)
def test_text_that_is_no_toml_ends_too(text: str) -> None:
    toml_lines(text)


def test_line_counts_whatever_the_line_ends_are() -> None:
    assert toml_lines("a = 1\r\n\r\nb = 2\r\n")[("b",)] == 3


JSON = r"""{
  "default_profile": "fast", "profiles":
  {
    "quick": "fast: {[",
    "fast": { "stop": ["a", {"inner": 1}, "b"],
      "seed": 1e5, "system": "say \"x\": \\"
    }
  },
  "retry": {"delay": 1},
  "retry": {
    "del\u0061y": -2, "max_delay": null}
}"""
JSON_LINES = {
    ("default_profile",): 2,
    ("profiles",): 2,
    ("profiles", "quick"): 4,
    ("profiles", "fast"): 5,
    ("profiles", "fast", "stop"): 5,
    ("profiles", "fast", "seed"): 6,
    ("profiles", "fast", "system"): 6,
    ("retry",): 10,
    ("retry", "delay"): 11,
    ("retry", "max_delay"): 11,
}


def test_every_key_of_json_has_its_line_and_the_last_of_two_counts() -> None:
    assert json.loads(JSON)["retry"]["delay"] == -2
    assert json_lines(JSON) == JSON_LINES


@pytest.mark.parametrize("value", [[], {}, [1, {"a": 1}], 1, "x", None])
def test_json_without_keys_has_no_lines(value: Any) -> None:
    assert json_lines(json.dumps(value)) == {}
