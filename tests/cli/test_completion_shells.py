"""Tab in real bash, zsh and fish: what the line says afterwards.

Words that a server or a file chose are among those offered, with everything that a shell would
run: none of it may be.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from llm_client.cli.completions import SCRIPTS
from llm_client.policy.route import resolve_target
from llm_client.storage.model_cache import ModelCache
from llm_client.types.config import LLMConfig, Settings
from llm_client.types.models import ModelInfo

from ..support.packages import needs
from .program import SECONDS
from .shells import SHELLS, Home, Shell, running_shell

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")

HOSTILE = {
    "substitution": "a$(touch ran)",
    "backticks": "b`touch ran`",
    "escaped-substitution": r"c\$(touch ran)",
    "double-quote": 'd";touch ran;"',
    "single-quote": "e';touch ran;'",
    "brackets": "f)); touch ran; ((",
    "pattern": "g*",
    "history": "h!!!",
    "variable": "i$HOME",
    "redirection": "j > ran",
    "description": "k:l\\:m\\",
    "home": "l~",
}
"""Names of models, by what a shell might make of them."""
_CONFIG = r"""
[profiles]
alias = "fast"

[profiles.fast]
model = "ollama/llama3.2:1b"

[profiles."my project"]
model = "openai/gpt-5"

[profiles."it's \"so\""]
model = "openai/gpt-5"

[profiles."evil\u001b]0;title\u0007"]
model = "openai/gpt-5"

[providers.workplace]
dialect = "openai-chat"
base_url = "http://localhost:1/v1"
"""


class Open(NamedTuple):
    """A shell that is waiting, and whose it is."""

    name: str
    shell: Shell
    user: Home


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    """For every shell a user with profiles, with models that are kept, and with some files."""
    return {name: _user(tmp_path_factory.mktemp(name), name) for name in SHELLS}


def _user(folder: Path, shell: str) -> Home:
    user = Home(folder)
    user.add_script(shell)
    config = user.home / ".config" / "llm_client" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(_CONFIG)
    cache = ModelCache(user.home / ".cache" / "llm_client" / "models", 300.0)
    for provider, names in {
        "ollama": ("llama3.2:1b", "llama3.2:3b", "qwen:7b"),
        "openai": ("gpt-5", "gpt-5-mini", "bell\x07"),
        "groq": HOSTILE.values(),
    }.items():
        config_ = LLMConfig(provider=provider, base_url="http://localhost:1", api_key="k-012345")
        target = resolve_target(config_, Settings(), {})
        cache.store(target, [ModelInfo(name, provider) for name in names])
    files = [user.here / name for name in ("note file.txt", "image.png", "settings.toml")]
    for file in (*files, user.home / "plain.txt"):
        file.write_text('[profiles.only]\nmodel = "openai/gpt-5"\n')
    return user


@pytest.fixture(scope="module", params=SHELLS)
def opened(request: pytest.FixtureRequest, users: dict[str, Home]) -> Iterator[Open]:
    name = request.param
    with running_shell(name, users[name]) as shell:
        yield Open(name, shell, users[name])


@pytest.mark.parametrize(
    ("typed", "edited"),
    [
        pytest.param("llm-client gen", "llm-client generate ", id="command"),
        pytest.param("llm-client usage pr", "llm-client usage prune ", id="subcommand"),
        pytest.param("llm-client nothing x", None, id="no-command"),
        pytest.param("lc gen", "lc generate ", id="alias"),
        pytest.param("FOO=1 llm-client gen", "FOO=1 llm-client generate ", id="assignment"),
        pytest.param("true; llm-client gen", "true; llm-client generate ", id="second-command"),
        pytest.param("../bin/llm-client gen", "../bin/llm-client generate ", id="path"),
        pytest.param("generate --dry", "generate --dry-run ", id="flag"),
        pytest.param("generate --json --js", None, id="flag-that-is-there"),
        pytest.param("generate -- --dry", None, id="after-two-dashes"),
        pytest.param("generate x -p olla", "generate x -p ollama", id="provider"),
        pytest.param("generate -polla", "generate -pollama", id="provider-attached"),
        pytest.param("generate --provider=wo", "generate --provider=workplace ", id="custom"),
        pytest.param("generate --profile fa", "generate --profile fast ", id="profile"),
        pytest.param("generate --profile al", "generate --profile alias ", id="alias-of-profile"),
        pytest.param("generate --profile ev", None, id="control-characters"),
        pytest.param("generate --fallback fa", "generate --fallback fast ", id="fallback-profile"),
        pytest.param(
            "generate --fallback x --fallback ollama/q",
            "generate --fallback x --fallback ollama/qwen:7b ",
            id="fallback-model",
        ),
        pytest.param("generate --task v", "generate --task vision ", id="task"),
        pytest.param(
            "generate --reasoning-effort mi", "generate --reasoning-effort minimal ", id="effort"
        ),
        pytest.param("generate --color al", "generate --color always ", id="color"),
        pytest.param(
            "generate --dialect openai-r", "generate --dialect openai-responses ", id="dialect"
        ),
        pytest.param(
            "generate -m ollama/llama3.2:1", "generate -m ollama/llama3.2:1b ", id="colon"
        ),
        pytest.param("generate -m ollama/l", "generate -m ollama/llama3.2:", id="what-is-common"),
        pytest.param(
            "generate --model=ollama/llama3.2:3",
            "generate --model=ollama/llama3.2:3b ",
            id="equals",
        ),
        pytest.param(
            "generate -p openai -m gpt-5-",
            "generate -p openai -m gpt-5-mini ",
            id="model-of-provider",
        ),
        pytest.param(
            'generate -m "ollama/llama3.2:1', 'generate -m "ollama/llama3.2:1b" ', id="colon-quoted"
        ),
        pytest.param("config set cache.m", "config set cache.models_ttl ", id="setting"),
        pytest.param(
            "config set cache.responses f", "config set cache.responses false ", id="its-value"
        ),
        pytest.param("creds set anthr", "creds set anthropic ", id="provider-of-a-key"),
        pytest.param("models show fa", "models show fast ", id="argument"),
        pytest.param("generate -f no", r"generate -f note\ file.txt ", id="file"),
        pytest.param("generate --file=no", r"generate --file=note\ file.txt ", id="file-equals"),
        pytest.param("generate -f ~/pl", "generate -f ~/plain.txt ", id="file-at-home"),
        pytest.param("generate --file=~/pl", "generate --file=~/plain.txt ", id="equals-home"),
        pytest.param('generate -a "no', 'generate -a "note file.txt" ', id="file-quoted"),
        pytest.param("generate --config set", "generate --config settings.toml ", id="config"),
        pytest.param(
            "generate --schema ../here/im", "generate --schema ../here/image.png ", id="schema"
        ),
        pytest.param("generate -o im", "generate -o image.png ", id="output"),
        pytest.param(
            "generate -p embedded -m ./im", "generate -p embedded -m ./image.png ", id="model-file"
        ),
        pytest.param("generate im", None, id="no-file-for-a-prompt"),
        pytest.param("generate --system im", None, id="no-file-for-a-text"),
        pytest.param("generate hi > im", "generate hi > image.png ", id="redirection"),
        pytest.param(
            "generate --config settings.toml --profile o",
            "generate --config settings.toml --profile only ",
            id="profile-of-that-config",
        ),
        pytest.param(
            "generate --config ~/plain.txt --profile o",
            "generate --config ~/plain.txt --profile only ",
            id="profile-of-a-config-at-home",
        ),
        pytest.param(
            "generate --profile my", r"generate --profile my\ project ", id="blank-in-a-name"
        ),
        pytest.param(
            r"generate --profile my\ p", r"generate --profile my\ project ", id="blank-escaped"
        ),
        pytest.param(
            "generate --profile 'my p", "generate --profile 'my project' ", id="blank-quoted"
        ),
        pytest.param(
            'generate --profile "my', 'generate --profile "my project" ', id="blank-double-quoted"
        ),
        pytest.param(
            'config set \'profiles."my project".mod',
            "config set 'profiles.\"my project\".model' ",
            id="quotes-in-quotes",
        ),
        pytest.param(
            "generate --profile 'it'\\''s \"s",
            "generate --profile 'it'\\''s \"so\"' ",
            id="quotes-of-both-kinds",
        ),
    ],
)
def test_tab_completes_what_is_typed(opened: Open, typed: str, edited: str | None) -> None:
    program = "" if "llm-client" in typed or typed.startswith("lc ") else "llm-client "
    assert opened.shell.tab(program + typed) == program + (edited or typed)


def test_middle_of_a_line_is_completed_and_its_end_stays(opened: Open) -> None:
    left = "\x1b[D" * len(" some words")
    line = opened.shell.tab(f"llm-client generate --profile fa some words{left}")
    assert line.split() == ["llm-client", "generate", "--profile", "fast", "some", "words"]


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("quote", ["", "'", '"'], ids=["bare", "single", "double"])
def test_name_that_a_server_chose_is_a_word_and_is_never_run(
    opened: Open, name: str, quote: str
) -> None:
    typed = f"llm-client generate -m {quote}groq/{name[0]}"
    line = opened.shell.tab(typed)
    assert line != typed
    assert not (opened.user.here / "ran").exists()
    assert _words(opened, line)[-1] == f"groq/{name}"


def _words(opened: Open, line: str) -> list[str]:
    """Return the words of a line as its shell understands it."""
    script = line.replace("llm-client", "printf '%s\\0'", 1)
    if opened.name == "zsh":
        script = script.replace(r"\!", "!")  # which a zsh at work does, where it has a history
    arguments = {"bash": ["-c"], "zsh": ["-f", "-c"], "fish": ["--no-config", "-c"]}[opened.name]
    done = subprocess.run(
        [opened.name, *arguments, script],
        capture_output=True,
        timeout=SECONDS,
        cwd=opened.user.here,
        env=opened.user.variables,
    )
    assert (done.returncode, done.stderr) == (0, b""), script
    return done.stdout.decode().removesuffix("\0").split("\0")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("generate --color ", {"auto", "always", "never"}),
        ("usage ", {"prune", "export"}),
        ("generate -p ollama -m ", {"llama3.2:1b", "llama3.2:3b", "qwen:7b"}),
        ("generate -p openai -m ", {"gpt-5", "gpt-5-mini"}),
    ],
    ids=["colors", "subcommands", "models", "no-control-characters"],
)
def test_all_that_fits_is_offered(opened: Open, line: str, words: set[str]) -> None:
    if opened.name == "fish":
        assert set(_of_fish(opened.user, f"llm-client {line}")) == words
    else:
        assert opened.shell.every(f"llm-client {line}") == words


def _of_fish(user: Home, line: str) -> dict[str, str]:
    """Return what fish offers, with what it says of each."""
    done = subprocess.run(
        ["fish", "-c", f"complete -C {shlex.quote(line)}"],
        capture_output=True,
        timeout=SECONDS,
        cwd=user.here,
        env=user.variables,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    pairs = (row.partition("\t") for row in done.stdout.decode().splitlines())
    return {word: help for word, _, help in pairs}


def test_fish_and_zsh_say_what_a_flag_means(users: dict[str, Home]) -> None:
    needs("fish", "zsh")
    assert _of_fish(users["fish"], "llm-client generate --dry") == {
        "--dry-run": "Print the request as it would be sent, key masked."
    }
    with running_shell("zsh", users["zsh"]) as shell:
        shell.tab("llm-client generate --no-st")
        assert "Do not read standard input." in shell.seen


def test_bash_has_registered_the_function(users: dict[str, Home]) -> None:
    needs("bash")
    script = f"source {users['bash'].home}/completions/llm-client.bash; complete -p llm-client"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout.split()[-3:] == ["-F", "_llm_client_completion", "llm-client"]


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize("damage", ["config", "program", "crash", "home"])
def test_trouble_leaves_line_and_terminal_alone(name: str, damage: str, tmp_path: Path) -> None:
    user = _user(tmp_path, name)
    match damage:
        case "config":
            (user.home / ".config" / "llm_client" / "config.toml").write_text("[profiles\n")
        case "program":
            user.program.write_text("#!/bin/sh\necho Traceback; echo Traceback >&2; exit 1\n")
        case "crash":
            user.program.write_text("#!/nonexistent/interpreter\n")
        case _:
            # Nothing that it looks for can be there.
            moved = user.program.rename(user.program.with_suffix(".py"))
            user.program.write_text(f'#!/bin/sh\nHOME=/dev/null exec "{moved}" "$@"\n')
            user.program.chmod(0o755)
    with running_shell(name, user) as shell:
        assert shell.tab("llm-client generate --profile fa") == "llm-client generate --profile fa"
        assert "Traceback" not in shell.seen
        assert "rror" not in shell.seen


@pytest.mark.parametrize("name", SHELLS)
def test_script_that_the_program_installs_works(name: str, tmp_path: Path) -> None:
    needs(name)
    user = Home(tmp_path)
    done = subprocess.run(
        # More than one command: else the shell replaces itself, and nobody knows which it was.
        [name, "-c", "llm-client --install-completion && echo done"],
        env=user.variables,
        capture_output=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"{name} completion installed" in done.stdout.decode()
    with running_shell(name, user) as shell:
        assert shell.tab("llm-client gen") == "llm-client generate "


@pytest.mark.parametrize("name", SHELLS)
def test_script_that_the_program_shows_is_that_of_the_shell(name: str, tmp_path: Path) -> None:
    needs(name)
    done = subprocess.run(
        [name, "-c", "llm-client --show-completion && echo done"],
        env=Home(tmp_path).variables,
        capture_output=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert (name, done.stdout.decode().removesuffix("done\n")) in SCRIPTS.values()


def test_script_that_zsh_evaluates_works(tmp_path: Path) -> None:
    user = Home(tmp_path)
    (user.home / ".zshrc").write_text(
        "autoload -Uz compinit\ncompinit -u\n"
        'eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 llm-client --show-completion zsh)"\n'
    )
    with running_shell("zsh", user) as shell:
        assert shell.tab("llm-client gen") == "llm-client generate "
