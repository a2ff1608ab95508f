"""Keys in a real Secret Service, through the program: gnome-keyring on a bus of the test's own."""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..cli.program import Result, run
from ..conftest import LLAMA_KEY
from ..support.keyring_session import locked, private_bus, unlocked_keyring

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a Secret Service")

LOCKED = "The keyring is locked, and nobody unlocked it."
NO_SERVICE = "There is no keyring here: no keyring service is on the session bus."
OTHER = "sk-another-key-9876543210"


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose name is short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="bus-") as name:
        yield Path(name)


def use(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "PYTHON_KEYRING_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def keyring(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The variables of a keyring that is open."""
    with unlocked_keyring(directory) as variables:
        use(variables, monkeypatch)
        yield variables


def entries() -> dict[str, dict[str, object]]:
    file = Path(os.environ["XDG_CONFIG_HOME"]) / "llm_client" / "credentials.toml"
    return tomllib.loads(file.read_text())


def creds(*arguments: str, stdin: str = "") -> Result:
    return run("creds", *arguments, stdin=stdin.encode())


def done(*arguments: str, stdin: str = "") -> str:
    """Run a command that goes well; return what it says."""
    result = creds(*arguments, stdin=stdin)
    assert (result.status, result.stderr) == (0, "")
    return result.text


def refused(result: Result, message: str) -> None:
    assert result.status == 3
    assert f"error: {message}" in result.stderr
    assert LLAMA_KEY not in result.stderr + result.text


@pytest.mark.usefixtures("keyring")
def test_key_goes_round_through_the_keyring(
    llama_server_with_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{llama_server_with_key}/v1")
    ask = ("generate", "-m", "openai/demo", "--max-tokens", "5", "hi")
    assert "creds set openai" in run(*ask).stderr
    assert (
        done("set", "openai", stdin=f"{LLAMA_KEY}\n") == "The key for 'openai' is in the keyring.\n"
    )
    assert entries() == {"openai": {"keyring": True}}
    assert done("list") == f"openai\tkeyring\t{LLAMA_KEY[-4:]}\t\n"
    assert run(*ask).status == 0
    assert done("test", "openai").startswith("openai\tvalid\tkeyring")
    assert "which only you can read" in done("move", "openai", "--to", "file")
    assert entries() == {"openai": {"api_key": LLAMA_KEY, "keyring": False}}
    assert run(*ask).status == 0
    assert done("move", "--all", "--to", "keyring") == "The key for 'openai' is in the keyring.\n"
    assert entries() == {"openai": {"keyring": True}}
    assert done("remove", "openai") == "The key for 'openai' is removed from the keyring.\n"
    assert "No key for 'openai'" in run(*ask).stderr
    assert creds("list").stderr.startswith("No keys.")


@pytest.mark.usefixtures("keyring")
def test_wrong_key_is_refused_and_the_next_one_taken(
    llama_server_with_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{llama_server_with_key}/v1")
    done("set", "openai", stdin=OTHER)
    result = creds("test", "openai")
    assert result.status == 3
    assert result.text.startswith("openai\trefused\tkeyring")
    done("set", "openai", stdin=LLAMA_KEY)
    assert creds("test").status == 0


@pytest.mark.usefixtures("keyring")
def test_key_of_a_login_without_the_keyring_is_the_newer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done("set", "openai", stdin=LLAMA_KEY)
    (Path(os.environ["XDG_CONFIG_HOME"]) / "llm_client" / "credentials.toml").unlink()
    assert done("list") == f"openai\tkeyring\t{LLAMA_KEY[-4:]}\t\n"
    with monkeypatch.context() as elsewhere:
        elsewhere.delenv("DBUS_SESSION_BUS_ADDRESS")
        elsewhere.delenv("XDG_RUNTIME_DIR")
        assert creds("set", "openai", stdin=OTHER).status == 0
    assert done("list") == f"openai\tfile\t{OTHER[-4:]}\t\n"
    text = "The key for 'openai' is removed from the keyring and the file.\n"
    assert done("remove", "openai") == text
    assert creds("list").stderr.startswith("No keys.")


def test_locked_keyring_is_told_and_the_file_used(
    keyring: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done("set", "openai", stdin=LLAMA_KEY)
    locked(keyring)
    asked = run("generate", "-m", "openai/demo", "--dry-run", "hi")
    refused(asked, "No key for 'openai'.")
    assert asked.stderr.count(f"Warning: {LOCKED} Log in to the desktop") == 1
    listed = creds("list")
    assert (listed.status, listed.text) == (0, f"openai\tkeyring\t\t{LOCKED}\n")
    refused(creds("set", "openai", "--store", "keyring", stdin=OTHER), LOCKED)
    refused(creds("remove", "openai"), LOCKED)
    refused(creds("move", "openai", "--to", "file"), LOCKED)
    assert entries() == {"openai": {"keyring": True}}
    kept = creds("set", "openai", stdin=OTHER)
    assert kept.status == 0
    assert kept.stderr == (
        f"Warning: {LOCKED} The key goes to the file. "
        "Later: `llm-client creds move openai --to keyring`.\n"
    )
    assert entries() == {"openai": {"api_key": OTHER, "keyring": False}}
    answered = run("generate", "-m", "openai/demo", "--dry-run", "hi")
    assert (answered.status, answered.stderr) == (0, "")


def test_keyring_that_was_never_made_is_told_like_a_locked_one(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ..support.packages import needs

    needs("gnome-keyring-daemon")
    with private_bus(directory, services=True) as variables:
        use(variables, monkeypatch)
        result = creds("set", "openai", stdin=LLAMA_KEY)
    assert result.status == 0
    assert result.stderr.startswith(f"Warning: {LOCKED} The key goes to the file.")


def check_without_a_keyring(message: str) -> None:
    """Check that a key goes to the file, and that one which should be in the keyring is told."""
    kept = creds("set", "openai", stdin=LLAMA_KEY)
    assert kept.status == 0
    assert kept.stderr == f"Warning: {message} The key goes to the file.\n"
    assert done("list") == f"openai\tfile\t{LLAMA_KEY[-4:]}\t\n"
    answered = run("generate", "-m", "openai/demo", "--dry-run", "hi")
    assert (answered.status, answered.stderr) == (0, "")
    refused(creds("set", "openai", "--store", "keyring", stdin=OTHER), message)
    refused(creds("move", "openai", "--to", "keyring"), message)
    file = Path(os.environ["XDG_CONFIG_HOME"]) / "llm_client" / "credentials.toml"
    file.write_text("[openai]\nkeyring = true\n")
    asked = run("generate", "-m", "openai/demo", "--dry-run", "hi")
    refused(asked, "No key for 'openai'.")
    assert asked.stderr.startswith(f"Warning: {message} ")
    local = run("generate", "-m", "ollama/demo", "--dry-run", "hi")
    assert (local.status, local.stderr) == (0, "")


def test_bus_without_a_keyring_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private_bus(directory, services=False) as variables:
        use(variables, monkeypatch)
        check_without_a_keyring(NO_SERVICE)


def test_bus_that_is_missing_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"unix:path={directory}/nobody"
    use({"DBUS_SESSION_BUS_ADDRESS": address}, monkeypatch)
    check_without_a_keyring(f"There is no keyring here: no session bus answers at {address!r}.")


def test_no_bus_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    use({}, monkeypatch)
    check_without_a_keyring("There is no keyring here: no session bus.")
