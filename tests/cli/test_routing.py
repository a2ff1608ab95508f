"""`generate` by task, by content and by length: who is asked, and the one line about it on stderr."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ..support.fault_server import FaultServer, fault_server
from .program import answer, body_of, ending, error, run, stream, text
from .terminal import terminal

ROUTED = """
[profiles.default]
model = "one/m"
[providers.one]
base_url = "{one}/v1"
options = {{ num_ctx = 4096 }}
[providers.two]
base_url = "{two}/v1"
[routing]
planning = "two/plans"
vision = "two/eyes"
long_context = "two/reads"
"""
PNG = b"\x89PNG\r\n\x1a\n0000"


def written(folder: Path, one: FaultServer, two: FaultServer, text: str = ROUTED) -> str:
    file = folder / "config.toml"
    file.write_text(text.format(one=one.url, two=two.url))
    return str(file)


@pytest.mark.parametrize(
    ("arguments", "stdin", "model", "line"),
    [
        (["--task", "planning", "hi"], b"", "plans", ""),
        (
            ["--attach", "{picture}", "What is it?"],
            b"",
            "eyes",
            "Asking two/eyes: the prompt has images.",
        ),
        (
            ["Sum up"],
            b"word " * 40_000,
            "reads",
            "Asking two/reads: the prompt is too long for one/m.",
        ),
        (["hi"], b"", "m", ""),
    ],
    ids=["task", "image", "length", "nothing"],
)
def test_generate_asks_who_the_configuration_names_and_says_so(
    tmp_path: Path, arguments: list[str], stdin: bytes, model: str, line: str
) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(PNG)
    arguments = [argument.format(picture=picture) for argument in arguments]
    with fault_server(answer("yes")) as one, fault_server(answer("yes")) as two:
        config = written(tmp_path, one, two)
        result = run("generate", "--config", config, *arguments, stdin=stdin)

        (request,) = one.requests + two.requests
    assert (result.status, result.text) == (0, "yes\n")
    assert result.stderr == (f"{line}\n" if line else "")
    assert body_of(request)["model"] == model


def test_dry_run_shows_who_would_be_asked(tmp_path: Path) -> None:
    with fault_server(answer("yes")) as one, fault_server(answer("yes")) as two:
        config = written(tmp_path, one, two)
        result = run("generate", "--config", config, "--dry-run", "--task", "planning", "hi")

        assert one.requests == two.requests == []
        assert result.json["url"] == f"{two.url}/v1/chat/completions"


@pytest.mark.parametrize("flags", [[], ["--dry-run"]], ids=["asked", "dry run"])
@pytest.mark.parametrize(
    ("arguments", "stdin", "lines"),
    [
        (
            ["--task", "planning", "hi"],
            b"",
            ["Using two/plans: `[routing]` names it for the task 'planning'."],
        ),
        (
            ["Sum up"],
            b"word " * 40_000,
            ["Asking two/reads: the prompt is too long for one/m."],
        ),
        (["hi"], b"", ["Using one/m: it is the profile 'default' of {config}."]),
    ],
    ids=["task", "length", "nothing"],
)
def test_verbose_names_who_is_really_asked(
    tmp_path: Path, arguments: list[str], stdin: bytes, lines: list[str], flags: list[str]
) -> None:
    with fault_server(answer("yes")) as one, fault_server(answer("yes")) as two:
        config = written(tmp_path, one, two)
        result = run("generate", "--config", config, "-v", *flags, *arguments, stdin=stdin)

    said = result.stderr.splitlines()[: None if flags else -1]  # the last is about the answer
    assert said == [line.format(config=config) for line in lines]


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_spinner_names_who_is_really_asked(tmp_path: Path) -> None:
    slow = stream((0.8, b""), *text("Yes."), *ending())
    with fault_server(error(401, "no")) as one, fault_server(slow) as two:
        config = written(tmp_path, one, two)
        with terminal("generate", "--config", config, "--task", "planning", "hi") as routed:
            assert routed.finish() == 0
        chain = ("--fallback", "two/next")
        with terminal("generate", "--config", config, *chain, "hi") as fallen:
            assert fallen.finish() == 0

    for seen, name in ((routed, b"two/plans"), (fallen, b"two/next")):
        assert b"waiting for " + name in seen.raw
        assert b"waiting for one/m" not in seen.raw


def test_task_without_an_entry_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with fault_server(answer("yes")) as one, fault_server(answer("yes")) as two:
        config = written(tmp_path, one, two, ROUTED.partition("[routing]")[0])
        result = run("generate", "--config", config, "--task", "vision", "hi")

    assert result.status == 3
    assert f'`vision = "PROVIDER/MODEL"` under `[routing]` in {config}' in result.stderr


def test_too_long_prompt_is_refused_with_what_helps(tmp_path: Path) -> None:
    with fault_server(answer("yes")) as one, fault_server(answer("yes")) as two:
        config = written(tmp_path, one, two, ROUTED.partition("[routing]")[0])
        result = run("generate", "--config", config, "Sum up", stdin=b"word " * 40_000)

        assert one.requests == []
    assert result.status == 1
    assert "one/m reads 4,096: nothing was sent." in result.stderr
    assert "`--task long_context`" in result.stderr


def test_trimmed_prompt_is_said_and_answered(tmp_path: Path) -> None:
    text = ROUTED.partition("[routing]")[0].replace("one/m", 'one/m"\noverflow = "trim')
    with fault_server(answer("yes")) as one, fault_server(answer("yes")) as two:
        config = written(tmp_path, one, two, text)
        result = run("generate", "--config", config, "Sum up", stdin=b"word " * 40_000)

        assert len(one.requests[0].body) < 30_000
    assert (result.status, result.text) == (0, "yes\n")
    assert "one/m reads 4,096 tokens: the prompt is shortened, " in result.stderr
