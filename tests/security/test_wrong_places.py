"""A key in a place where none belongs is refused without being repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .sources import SHAPED, UNSHAPED
from .world import World

KEYS = pytest.mark.parametrize("key", [UNSHAPED], ids=["unshaped"])
"""What has the shape of a key is masked wherever it stands: see the tests without this mark."""

CONFIGURATIONS = {
    "no-quotes": "[providers.openai]\napi_key = {key}\n",
    "open-quote": '[providers.openai]\napi_key = "{key}\n',
    "key-for-a-provider": '[providers.openai]\napi_key = "{key}"\n',
    "key-at-the-top": 'api_key = "{key}"\n',
    "key-as-a-variable": '[providers.openai]\napi_key_env = "{key}"\n',
    "key-as-a-command": '[providers.openai]\napi_key_command = "{key}"\n',
    "key-as-headers": '[providers.openai]\nheaders = "{key}"\n',
    "key-in-a-list-of-headers": '[providers.openai]\nheaders = ["{key}"]\n',
    "key-as-a-header-of-two-lines": '[providers.openai]\nheaders = {{ x = "{key}\\n{key}" }}\n',
    "key-as-a-name-of-a-header": '[providers.openai]\nkey_header = "x {key}"\n',
    "header-without-quotes": "[providers.openai]\nheaders = {{ x = {key} }}\n",
    "header-twice": '[providers.openai]\nheaders = {{ x = "{key}", x = "{key}" }}\n',
    "query-of-an-address": '[providers.openai]\nbase_url = "http://127.0.0.1:9/v1?key={key}"\n',
    "password-of-no-address": '[providers.openai]\nbase_url = "http://u:{key}@/v1"\n',
    "password-of-a-wrong-port": '[providers.openai]\nbase_url = "http://u:{key}@h:99999/v1"\n',
    "password-with-a-blank": '[providers.openai]\nbase_url = "http://u:{key} {key}@h/v1"\n',
    "password-before-no-host": '[providers.openai]\nbase_url = "u:{key}@"\n',
    "password-with-a-slash": '[providers.openai]\nbase_url = "http://u:{key}/{key}@h/v1"\n',
    "password-with-a-hash": '[providers.openai]\nbase_url = "http://u:{key}#{key}@h/v1"\n',
    "password-with-a-mark": '[providers.openai]\nbase_url = "http://u:{key}?{key}@h/v1"\n',
    "address-of-something-else": '[providers.openai]\nbase_url = "ftp://u:{key}@h/v1"\n',
}
LEGITIMATE = {
    "key-in-a-command": '[providers.openai]\napi_key_command = ["no-such-program", "{key}"]\n',
    "password-without-a-scheme": '[providers.openai]\nbase_url = "u:{key}@127.0.0.1:9"\n',
    "option": '[providers.openai.options]\napi_key = "{key}"\n',
}
"""What the user may have wanted."""
COMMANDS = (
    "generate -m openai/m --no-stdin --retries 0 --debug -v hi",
    "models --debug -v",
    "health --json --debug -v",
    "config show --json --all --debug",
    "config validate --debug",
    "config validate --json --debug",
    "config set retry.max_retries 1 --debug",
    "creds list --json --debug",
    "creds test openai --debug",
)


def refused(world: World, key: str) -> None:
    """Run what reads configuration and keys; none of it may show the key."""
    for command in COMMANDS:
        world.run(command)
    world.check(key)


@KEYS
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_key_in_the_configuration_is_not_repeated(world: World, name: str, key: str) -> None:
    world.configure(CONFIGURATIONS[name].format(key=key))
    world.allowed.add(world.config)
    refused(world, key)
    assert world.runs[0].status == 3


@KEYS
@pytest.mark.parametrize("name", LEGITIMATE)
def test_key_that_may_stand_in_the_configuration_is_not_repeated(
    world: World, name: str, key: str
) -> None:
    world.configure(LEGITIMATE[name].format(key=key))
    world.allowed.add(world.config)
    for command in COMMANDS:
        world.run(command)
    # The user's command has the arguments that the user has given it.
    assert {find.place for find in world.finds(key)} <= {"programs"}


@KEYS
@pytest.mark.parametrize(
    "text",
    [
        '{{"providers": {{"openai": {{"headers": {{"x": "{key}" }}',
        '{{"providers": {{"openai": {{"headers": {{"x": {key} }}}}}}}}',
    ],
    ids=["cut", "no-quotes"],
)
def test_key_in_broken_json_is_not_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch, text: str, key: str
) -> None:
    world.configure("")
    file = world.directory / "config.json"
    file.write_text(text.format(key=key))
    monkeypatch.setenv("LLM_CLIENT_CONFIG", str(file))
    world.allowed.add(file)
    refused(world, key)
    assert world.runs[0].status == 3


VARIABLES = {
    "LLM_CLIENT_OPENAI_BASE_URL": "http://127.0.0.1:9/v1?key={key}",
    "OPENAI_BASE_URL": "http://user:{key}@host:port/v1",
    "LLM_CLIENT_OPENAI_HEADERS": '{{"X-Key": "{key}',
    "LLM_CLIENT_HEADERS": '{{"X-Key": "{key}"}}',
    "LLM_CLIENT_OPENAI_API_KEY_ENV": "{key}",
    "LLM_CLIENT_OPENAI_KEY_HEADER": "x {key}",
    "LLM_CLIENT_OPENAI_KEY": "{key}",
    "LLM_CLIENT_KEY": "{key}",
    "OPENAI_API_KEY": "{key}\nX-Injected: {key}",
    "LLM_CLIENT_OPENAI_API_KEY": "{key}\u20ac",
    "HTTP_PROXY": "http://user:{key}@:80:80",
    "HTTPS_PROXY": "{key}",
}


@KEYS
@pytest.mark.parametrize("variable", VARIABLES)
def test_key_in_a_variable_is_not_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch, variable: str, key: str
) -> None:
    monkeypatch.setenv("LLM_CLIENT_OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv(variable, VARIABLES[variable].format(key=key))
    world.has_key_in_variables = True
    refused(world, key)


FILES = {
    "no-quotes": "[openai]\napi_key = {key}\n",
    "open-quote": '[openai]\napi_key = "{key}\n',
    "twice": '[openai]\napi_key = "{key}"\napi_key = "{key}"\n',
    "no-table": 'openai = "{key}"\n',
    "another-name": '[openai]\nkey = "{key}"\n',
    "a-list": '[openai]\napi_key = ["{key}"]\n',
    "two-lines": '[openai]\napi_key = "{key}\\nsecond"\n',
    "as-the-flag": '[openai]\nkeyring = "{key}"\n',
    "the-key-alone": "{key}\n",
    "of-a-shell": "export OPENAI_API_KEY={key}\n",
    "json": '{{"openai": "{key}"}}\n',
}


@KEYS
@pytest.mark.parametrize("name", FILES)
def test_key_in_broken_credentials_is_not_repeated_and_nothing_is_written_over_them(
    world: World, name: str, key: str
) -> None:
    world.store("openai", "x")
    world.credentials.write_text(text := FILES[name].format(key=key))
    for command in (
        "creds set openai --store file",
        "creds remove openai",
        "creds move --all --to file",
    ):
        assert world.run(command, "--debug", stdin=b"sk-another-0123456789").status == 3
    refused(world, key)
    assert world.credentials.read_text() == text


TYPED = {
    "config set providers.openai.api_key {key}": 3,
    "config set providers.openai.headers.x-api-key {key}": 0,
    "config set providers.openai.headers {key}": 3,
    "config set providers.openai.api_key_env {key}": 3,
    "config set api_key {key}": 3,
    "config set openai.key {key}": 3,
    "creds set openai {key}": 2,
    "creds set openai --key {key}": 2,
    "creds set openai --api-key={key}": 2,
    "generate --api-key {key} hi": 2,
    "generate --api-key={key} hi": 2,
}
"""What users type, with the exit status. The shell's history has it then, and /proc; nothing else."""


@pytest.mark.parametrize("key", [SHAPED, UNSHAPED], ids=["shaped", "unshaped"])
@pytest.mark.parametrize("command", TYPED)
def test_key_on_the_command_line_is_not_repeated(world: World, command: str, key: str) -> None:
    if command.startswith("config set providers.openai.headers.x"):
        world.allowed.add(world.config)
    ran = world.run(command.format(key=key), "--debug")
    world.check(key)
    assert ran.status == TYPED[command], ran.output


SHAPED_ONLY = (
    "config set retry.delay --api-key={key}",
    "config set retry.delay {key}",
    "creds set openai --store {key}",
    "creds remove openai {key}",
    "config set profiles.fast.model {key}",
    "config set profiles.fast.system {key}",
    "config set {key} 1",
    "config unset {key}",
    "config show {key}",
    "creds set {key}",
    "creds remove {key}",
    "creds test {key}",
    "creds move {key} --to file",
    "health -p {key}",
    "models -p {key}",
    "models show {key}",
    "generate -p {key} hi",
    "generate --profile {key} hi",
    "{key}",
    "creds {key}",
)
"""Where a text that does not look like a key could be what it is taken for: the wrong name."""


@pytest.mark.parametrize("command", SHAPED_ONLY)
def test_what_looks_like_a_key_is_not_repeated_where_a_name_was_wanted(
    world: World, command: str
) -> None:
    ran = world.run(command.format(key=SHAPED), "--debug")
    world.check(SHAPED)
    assert ran.status in (1, 2, 3), ran.output


@pytest.mark.parametrize(
    "text",
    [
        '{{"{key}": 1}}',
        '{{"profiles": "{key}"}}',
        '{{"providers": {{"x": {{"timeout": "{key}"}}}}}}',
    ],
    ids=["name", "table", "number"],
)
def test_what_looks_like_a_key_is_not_repeated_where_something_else_was_wanted(
    world: World, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    world.configure("")
    file = world.directory / "config.json"
    file.write_text(text.format(key=SHAPED))
    monkeypatch.setenv("LLM_CLIENT_CONFIG", str(file))
    world.allowed.add(file)
    refused(world, SHAPED)


SCRIPTS = {
    "on-both-streams": "echo {key}; echo {key} >&2; exit 1",
    "two-lines": "echo {key}; echo {key}",
    "with-a-bell": "printf '{key}\\a\\n'",
    "in-the-trace": "set -x; KEY={key}; echo; exit 1",
    "killed": "echo {key}; kill -9 $$",
}


@KEYS
@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_failing_command_prints_is_not_repeated(world: World, name: str, key: str) -> None:
    script = world.work.parent / "vault.sh"
    script.write_text(SCRIPTS[name].format(key=key))
    world.configure(f"[providers.openai]\napi_key_command = {json.dumps(['sh', str(script)])}\n")
    refused(world, key)
    assert world.runs[0].status == 3


def test_what_looks_like_a_key_is_not_repeated_from_a_complaint(world: World) -> None:
    script = world.work.parent / "vault.sh"
    script.write_text(f"echo the key is {SHAPED} >&2; exit 3")
    world.configure(f"[providers.openai]\napi_key_command = {json.dumps(['sh', str(script)])}\n")
    refused(world, SHAPED)
    assert "the key is ***" in world.runs[0].output


def test_link_to_the_credentials_shows_no_byte_of_them(world: World) -> None:
    world.store("openai", UNSHAPED)
    (world.work / ".llm_client.toml").symlink_to(world.credentials)
    for flag in ("--config", "--attach", "--schema"):
        world.run("generate", "--no-stdin", "--debug", flag, str(world.credentials), "hi")
    for command in COMMANDS:
        world.run(command)
    world.check(UNSHAPED)


@pytest.mark.parametrize("name", [".llm_client.toml", "answer.toml"])
def test_credentials_as_the_configuration_are_not_repeated(world: World, name: str) -> None:
    world.store("openai", UNSHAPED)
    file = Path(name)
    file.write_bytes(world.credentials.read_bytes())
    world.allowed.add(file.absolute())
    for command in COMMANDS:
        world.run(command, "--config", name)
    world.check(UNSHAPED)
