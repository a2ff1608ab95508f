"""`llm-client creds set`, `list`, `remove`, `move`: what is said, and that no key is."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from llm_client.cli.creds_list import last_four
from llm_client.types.secret import Secret

from .program import Result, command, environment, run, shell
from .terminal import terminal
from .test_startup import bare, imported

KEY = "correct-horse-battery-staple-42"
SHAPED = "sk-0123456789abc"
"""What looks like a key."""


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the file alone as a store, without a word about keyrings."""
    monkeypatch.setenv("LLM_CLIENT_CREDENTIALS_STORE", "file")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)


@pytest.fixture
def config(clean_environment: Path) -> Path:
    folder = clean_environment / ".config" / "llm_client"
    folder.mkdir(mode=0o700, parents=True)
    return folder / "config.toml"


def file_of(home: Path) -> Path:
    return home / ".config" / "llm_client" / "credentials.toml"


def keep(provider: str, key: str = KEY, *more: str) -> Result:
    return run("creds", "set", provider, *more, stdin=key.encode())


def check_error(result: Result, status: int, message: str, hint: str = "") -> None:
    assert result.status == status, result.stderr
    assert f"error: {message}" in result.stderr
    assert hint in result.stderr
    assert KEY not in result.stderr + result.text


def test_piped_key_is_kept_and_the_place_said(clean_environment: Path) -> None:
    result = keep("openai", f"\ufeff {KEY} \r\n")
    file = file_of(clean_environment)
    assert (result.status, result.stderr) == (0, "")
    assert result.text == f"The key for 'openai' is in '{file}', which only you can read.\n"
    assert file.read_text() == f'[openai]\napi_key = "{KEY}"\nkeyring = false\n'


def test_store_that_is_asked_for_must_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_CLIENT_CREDENTIALS_STORE")
    check_error(
        keep("openai", KEY, "--store", "keyring"), 3, "There is no keyring here", "--store file"
    )
    result = keep("openai", KEY, "--store", "file")
    assert (result.status, result.stderr) == (0, "")


def test_variable_that_holds_instead_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "another-key-0123456789")
    result = keep("openai")
    assert result.status == 0
    assert result.stderr == "Warning: OPENAI_API_KEY holds instead: `unset OPENAI_API_KEY`.\n"
    removed = run("creds", "remove", "openai")
    assert removed.text == "The key for 'openai' is removed from the file.\n"
    assert removed.stderr == "Warning: OPENAI_API_KEY is set still: `unset OPENAI_API_KEY`.\n"
    check_error(
        run("creds", "remove", "openai"), 3, "No key for 'openai'", "`unset OPENAI_API_KEY`"
    )


def test_provider_of_the_configuration_counts(config: Path) -> None:
    config.write_text('[providers."my work"]\nbase_url = "https://llm.example.com/v1"\n')
    assert keep("my work").status == 0
    assert run("creds", "list").text == "my work\tfile\te-42\t\n".replace("e-42", KEY[-4:])


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["openai", KEY], 2, "A key is not taken from the command line"),
        (["openai", KEY, "--debug"], 2, "A key is not taken from the command line"),
        ([SHAPED], 2, "The name of a provider is wanted; this looks like a key"),
        ([KEY * 2], 2, "The name of a provider is wanted; this looks like a key"),
        (["opnai"], 3, "There is no provider 'opnai'."),
        (["embedded"], 3, "'embedded' runs in this process and takes no key."),
        (["openai", "--store", "vault"], 2, "--store 'vault' is neither keyring nor file."),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_the_key(
    arguments: list[str], status: int, message: str, clean_environment: Path
) -> None:
    result = run("creds", "set", *arguments, stdin=KEY.encode())
    check_error(result, status, message)
    assert SHAPED not in result.stderr
    assert not file_of(clean_environment).exists()


@pytest.mark.parametrize(
    ("key", "status", "message"),
    [
        ("", 2, "No key came on standard input: nothing is stored."),
        (" \n\n", 2, "No key came on standard input: nothing is stored."),
        (f"{KEY}\n{KEY}\n", 3, "The key for 'openai' has a line break"),
        (f"{KEY}\x1b[2J", 3, "The key for 'openai' has a character"),
        (KEY * 3000, 2, "Standard input is no key: it is longer than 64 kB."),
    ],
    ids=["empty", "blank", "lines", "control", "long"],
)
def test_input_that_is_no_key_is_refused(
    key: str, status: int, message: str, clean_environment: Path
) -> None:
    check_error(keep("openai", key), status, message)
    assert not file_of(clean_environment).exists()


def test_input_that_is_closed_is_no_key() -> None:
    result = shell('exec "$@" <&-', "creds", "set", "openai")
    check_error(result, 2, "No key came on standard input")


def typed(text: str, *arguments: str) -> tuple[int, str]:
    """Type at the prompt of `creds set openai`; return the exit status and what was seen."""
    with terminal("creds", "set", "openai", *arguments) as seen:
        seen.read_until("(it is not shown): ")
        os.write(seen.master, text.encode())
        status = seen.finish()
    return status, seen.raw.decode()


def test_typed_key_is_not_shown(clean_environment: Path) -> None:
    status, shown = typed(f"{KEY}\n")
    assert status == 0
    assert KEY not in shown
    assert KEY in file_of(clean_environment).read_text()


@pytest.mark.parametrize("text", ["\n", "  \n", "\x04"], ids=["nothing", "blanks", "Ctrl-D"])
def test_nothing_typed_keeps_nothing(text: str, clean_environment: Path) -> None:
    status, shown = typed(text)
    assert status == 2
    assert "No key was typed: nothing is stored." in shown
    assert "(it is not shown): \r\n" in shown
    assert not file_of(clean_environment).exists()


def test_interrupt_at_the_prompt_keeps_nothing_and_shows_again(clean_environment: Path) -> None:
    import pexpect

    first, *rest = (str(word) for word in command("creds", "set", "openai"))
    child = pexpect.spawn(first, rest, env=environment(), timeout=60)
    child.expect("it is not shown")
    assert not child.getecho()
    child.send(KEY)
    child.sendintr()
    child.expect("\r\nInterrupted")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert not file_of(clean_environment).exists()


def test_key_and_prompt_may_come_from_different_places(clean_environment: Path) -> None:
    """Standard output and error may go elsewhere while somebody types."""
    import pexpect

    line = shlex.join(map(str, command("creds", "set", "openai")))
    child = pexpect.spawn(
        "sh", ["-c", f"{line} >out 2>err"], env=environment(), timeout=60, cwd=clean_environment
    )
    child.expect("it is not shown")
    child.sendline(KEY)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert KEY in file_of(clean_environment).read_text()


def test_list_is_one_line_a_place(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(
        '[providers.work]\nbase_url = "https://llm.example.com/v1"\n'
        'api_key_command = ["printf", "printed-by-the-command"]\n'
    )
    config.chmod(0o600)
    keep("openai")
    keep("groq", "short")
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-variable-wxyz")
    result = run("creds", "list")
    assert (result.status, result.stderr) == (0, "")
    assert sorted(result.text.splitlines()) == [
        "groq\tfile\t\t",
        "openai\tOPENAI_API_KEY\twxyz\t",
        f"openai\tfile\t{KEY[-4:]}\tbehind OPENAI_API_KEY",
        "work\tcommand\t\t",
    ]
    assert "work\tcommand\tmand\t" in run("creds", "list", "--run").text


def test_list_as_an_object(monkeypatch: pytest.MonkeyPatch, clean_environment: Path) -> None:
    keep("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "short")
    found = run("creds", "list", "--json").json
    assert found == {
        "schema_version": 1,
        "file": str(file_of(clean_environment)),
        "keys": [
            {
                "provider": "openai",
                "source": "OPENAI_API_KEY",
                "last_four": None,
                "note": None,
                "is_used": True,
            },
            {
                "provider": "openai",
                "source": "file",
                "last_four": KEY[-4:],
                "note": "behind OPENAI_API_KEY",
                "is_used": False,
            },
        ],
    }


def test_list_on_a_terminal_stands_in_columns() -> None:
    keep("openai")
    keep("mistral", "short")
    with terminal("creds", "list") as seen:
        assert seen.finish() == 0
    assert sorted(seen.screen[1:]) == ["mistral   file  …", f"openai    file  …{KEY[-4:]}"]
    assert seen.screen[0] == "PROVIDER  FROM  KEY"


def test_name_in_the_file_does_not_drive_the_terminal(clean_environment: Path) -> None:
    keep("openai")
    file = file_of(clean_environment)
    file.write_text('["a\\u001b]0;title\\u0007\\n"]\napi_key = "x"\n')
    with terminal("creds", "list") as seen:
        assert seen.finish() == 0
    assert "\x1b]" not in seen.raw.decode()
    file.write_text(f'["{SHAPED}"]\napi_key = "x"\n')
    assert SHAPED not in run("creds", "list").text + run("creds", "list", "--json").text
    file.write_text('["a\\nb"]\napi_key = "x"\n')
    assert len(run("creds", "list").text.splitlines()) == 1


def test_list_without_keys_says_what_to_do() -> None:
    result = run("creds", "list")
    assert (result.status, result.text) == (0, "")
    assert result.stderr == "No keys. Keep one with `llm-client creds set PROVIDER`.\n"
    assert run("creds", "list", "--json").json["keys"] == []


@pytest.mark.parametrize(
    ("length", "shown"), [(4, ""), (11, ""), (12, "6789"), (40, "6789")], ids=str
)
def test_end_of_a_short_key_is_not_shown(length: int, shown: str) -> None:
    assert last_four(Secret("0123456789"[-length:].rjust(length, "x"))) == shown
    assert last_four(None) == ""


@pytest.mark.parametrize("name", ["list", "set", "remove", "move", "test"])
def test_file_that_others_can_read_is_an_error_everywhere(
    name: str, clean_environment: Path
) -> None:
    keep("openai")
    file_of(clean_environment).chmod(0o644)
    arguments = [] if name == "list" else ["openai"]
    result = run("creds", name, *arguments, *(["--to", "file"] if name == "move" else []))
    if name == "set":
        result = keep("openai")
    check_error(result, 3, "Others can read the credentials", "`chmod 600 ")


def test_removed_key_is_gone() -> None:
    keep("openai")
    assert (
        run("creds", "remove", "OpenAI").text == "The key for 'OpenAI' is removed from the file.\n"
    )
    check_error(run("creds", "remove", "openai"), 3, "No key for 'openai' is stored.", "creds set")


def test_key_of_a_provider_that_is_gone_is_removed(config: Path) -> None:
    config.write_text('[providers.work]\nbase_url = "https://llm.example.com/v1"\n')
    keep("work")
    config.unlink()
    result = run("creds", "remove", "work")
    assert (result.status, result.stderr) == (0, "")
    assert result.text == "The key for 'work' is removed from the file.\n"


def test_move_that_cannot_be_done_leaves_all_keys() -> None:
    keep("openai")
    keep("groq")
    result = run("creds", "move", "--all", "--to", "keyring")
    assert result.status == 3
    assert result.stderr.count("There is no keyring here: no session bus.") == 2
    assert len(run("creds", "list").text.splitlines()) == 2
    check_error(run("creds", "move", "openai", "--to", "keyring"), 3, "There is no keyring here")


def test_move_to_where_the_key_is_says_so() -> None:
    keep("openai")
    assert "was already in '" in run("creds", "move", "openai", "--to", "file").text
    nothing = run("creds", "move", "--all", "--to", "file")
    assert (nothing.status, nothing.text) == (0, "Nothing to move: no key is in the keyring.\n")


def test_entry_of_a_keyring_that_is_gone_can_be_removed(clean_environment: Path) -> None:
    keep("groq")
    with file_of(clean_environment).open("a") as file:
        file.write("[openai]\nkeyring = true\n")
    result = run("creds", "remove", "openai")
    assert result.text == "The entry of 'openai' is removed; there was no key any more.\n"
    assert "no keyring here" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["move", "--to", "file"], "Name one provider, or say --all."),
        (["move", "openai", "--all", "--to", "file"], "Name one provider, or say --all."),
        (["move", "openai", "--to", "vault"], "--to 'vault' is neither keyring nor file."),
        (["set"], "Missing argument 'PROVIDER'"),
        (["remove"], "Missing argument 'PROVIDER'"),
    ],
)
def test_command_line_that_makes_no_sense_is_told(arguments: list[str], message: str) -> None:
    check_error(run("creds", *arguments), 2, message)


def test_file_elsewhere_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_CLIENT_CREDENTIALS", str(tmp_path / "keys"))
    keep("openai")
    assert KEY in (tmp_path / "keys").read_text()
    monkeypatch.delenv("LLM_CLIENT_CREDENTIALS")
    config = tmp_path / "own" / "config.toml"
    config.parent.mkdir(mode=0o700)
    config.write_text("")
    keep("openai", KEY, "--config", str(config))
    assert KEY in config.with_name("credentials.toml").read_text()


BUS = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent/bus"}
ASK = ("generate", "--dry-run", "-m")


@pytest.mark.parametrize(
    ("environ", "model"),
    [
        ({**BUS, "OPENAI_API_KEY": KEY}, "openai/m"),
        (BUS, "ollama/m"),
        (BUS, "groq/m"),
        ({}, "openai/m"),
    ],
    ids=["variable", "no key needed", "not in the keyring", "no keyring possible"],
)
def test_keyring_is_not_imported_where_it_has_no_say(
    environ: dict[str, str], model: str, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("openai")
    with file_of(clean_environment).open("a") as file:
        file.write('[groq]\nkeyring = false\napi_key = "g"\n')
    monkeypatch.delenv("LLM_CLIENT_CREDENTIALS_STORE")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    modules = imported(*ASK, model, "hi") - bare()
    assert not {name for name in modules if name.partition(".")[0] in {"keyring", "secretstorage"}}
    assert "tomlkit" not in modules


def test_local_server_costs_no_look_into_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", BUS["DBUS_SESSION_BUS_ADDRESS"])
    modules = imported(*ASK, "ollama/m", "hi")
    assert "llm_client.storage.stored_keys" in modules
    assert "llm_client.storage.credentials_file" not in modules
    assert "llm_client.storage.keyring_store" not in modules
