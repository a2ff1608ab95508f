"""The keyring is asked in time, or not at all; what keeps keys readable is none."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import keyring.errors
import pytest
from keyring.backends import chainer, fail, null

from llm_client.storage import keyring_store
from llm_client.storage.keyring_store import SERVICE, KeyringStore, KeyringTrouble, can_exist
from llm_client.types.secret import Secret

from ..support.fake_keyring import BUS, FakeKeyring, forget_stores, use_keyring

# They are not typed.
CHAINER: Any = chainer.ChainerBackend
FAIL: Any = fail.Keyring
NULL: Any = null.Keyring
KEY = Secret("correct-horse-battery-staple-42")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_stores(monkeypatch)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    backend = FakeKeyring()
    use_keyring(monkeypatch, backend)
    return backend


def trouble_of(provider: str = "openai") -> KeyringTrouble:
    with pytest.raises(KeyringTrouble) as caught:
        KeyringStore(os.environ).get(provider)
    assert caught.value.hint
    return caught.value


def test_key_is_kept_under_the_name_of_its_provider(backend: FakeKeyring) -> None:
    store = KeyringStore(os.environ)
    assert store.get("openai") is None
    store.set("openai", KEY)
    assert backend.kept == {(SERVICE, "openai"): KEY.reveal()}
    assert store.get("openai") == KEY
    assert store.delete("openai")
    assert not store.delete("openai")
    assert backend.kept == {}


def test_key_that_is_not_kept_is_told(backend: FakeKeyring) -> None:
    backend.loses = True
    with pytest.raises(KeyringTrouble, match="did not keep the key"):
        KeyringStore(os.environ).set("openai", KEY)


def test_backend_that_only_reads_is_passed_over(
    backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = FakeKeyring()
    reader.kept[SERVICE, "groq"] = "from-the-reader"
    reader.only_reads = True
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [reader, backend])
    use_keyring(monkeypatch, CHAINER())
    store = KeyringStore(os.environ)
    store.set("openai", KEY)
    assert backend.kept == {(SERVICE, "openai"): KEY.reveal()}
    assert store.get("openai") == KEY
    assert store.get("groq") == Secret("from-the-reader")
    use_keyring(monkeypatch, reader)
    with pytest.raises(KeyringTrouble, match="did not keep the key"):
        store.set("openai", KEY)


class PlaintextKeyring(FakeKeyring):
    """What `keyrings.alt` has under this name."""


class Odd(FakeKeyring):
    """Another of `keyrings.alt`."""


Odd.__module__ = "keyrings.alt.file"


@pytest.mark.parametrize("kind", [PlaintextKeyring, Odd])
def test_keyring_that_keeps_keys_readable_is_none(
    kind: type[FakeKeyring], backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    readable = kind()
    readable.kept[SERVICE, "openai"] = "readable"
    use_keyring(monkeypatch, readable)
    found = trouble_of()
    assert "keeps keys readable" in str(found)
    assert found.is_absent
    assert readable.asked == []
    forget_stores(monkeypatch)
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [readable, backend])
    use_keyring(monkeypatch, CHAINER())
    assert KeyringStore(os.environ).get("openai") is None
    assert (readable.asked, backend.asked) == ([], [("get", "openai")])


def test_keyring_that_is_turned_off_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    use_keyring(monkeypatch, NULL())
    assert "it is turned off" in str(trouble_of())


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (
            RuntimeError("The Secret Service daemon is neither running nor activatable through"),
            "no keyring service is on the session bus",
        ),
        (RuntimeError("Unable to initialize"), "no session bus answers at 'unix:path=/nonexist"),
        (None, "does not choose it, with priority 5"),
    ],
)
def test_why_there_is_no_keyring_is_said(
    problem: Exception | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keyring.backends import SecretService

    class Service:
        @property
        def priority(self) -> float:
            if problem is not None:
                raise problem
            return 5

    monkeypatch.setattr(SecretService, "Keyring", Service())
    use_keyring(monkeypatch, FAIL())
    found = trouble_of()
    assert message in str(found)
    assert found.is_absent


def test_bus_that_is_named_nowhere_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    use_keyring(monkeypatch, FAIL())
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    with pytest.raises(KeyringTrouble, match="DBUS_SESSION_BUS_ADDRESS is not set"):
        KeyringStore(BUS).get("openai")


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (keyring.errors.KeyringLocked("Failed to unlock the item!"), "is locked, and nobody"),
        (keyring.errors.InitError("Prompt dismissed.."), "is locked, and nobody"),
        (keyring.errors.PasswordSetError("no room"), "failed: PasswordSetError: no room."),
        (ValueError(), "failed: ValueError."),
        (ValueError(f"cannot keep {KEY.reveal()}"), "failed: ValueError: cannot keep ***."),
    ],
    ids=["locked", "dismissed", "refused", "without words", "with the key"],
)
def test_failure_is_told(failure: Exception, message: str, backend: FakeKeyring) -> None:
    backend.failure = failure
    with pytest.raises(KeyringTrouble) as caught:
        KeyringStore(os.environ).set("openai", KEY)
    assert message in str(caught.value)
    assert not caught.value.is_absent


def test_key_that_cannot_be_sent_is_not_shown(backend: FakeKeyring) -> None:
    backend.kept[SERVICE, "openai"] = "one-line\nand-another"
    found = trouble_of()
    assert "In the keyring: The key for 'openai' has a line break" in str(found)
    assert "one-line" not in f"{found} {found.hint}"


def test_keyring_that_hangs_is_not_waited_for_twice(
    backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring_store, "ALONE_SECONDS", 0.1)
    ends = threading.Event()
    backend.before = lambda: ends.wait(30)
    assert "did not answer within 0.1 s" in str(trouble_of())
    assert "did not answer within 0.1 s" in str(trouble_of("groq"))
    assert backend.asked == [("get", "openai")]
    ends.set()
    monkeypatch.setattr(keyring_store, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(keyring_store._State, "until", 0.0)
    assert KeyringStore(os.environ).get("groq") is None


def test_failure_of_one_key_is_none_of_the_next(backend: FakeKeyring) -> None:
    backend.failure = ValueError("too long")
    trouble_of()
    backend.failure = None
    assert KeyringStore(os.environ).get("openai") is None


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, keyring_store.ALONE_SECONDS),
        ({"DISPLAY": ":0"}, keyring_store.PROMPT_SECONDS),
        ({"WAYLAND_DISPLAY": "wayland-0"}, keyring_store.PROMPT_SECONDS),
        ({"DISPLAY": ":0", "CI": "true"}, keyring_store.ALONE_SECONDS),
    ],
    ids=str,
)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a desktop")
def test_only_who_can_answer_is_waited_for(environ: dict[str, str], seconds: float) -> None:
    assert keyring_store._patience(environ) == seconds


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a keyring")
def test_where_no_keyring_can_be_none_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"HOME": str(tmp_path)}
    assert not can_exist(environ)
    assert not can_exist({**environ, "XDG_RUNTIME_DIR": str(tmp_path)})
    (tmp_path / "bus").touch()
    assert can_exist({**environ, "XDG_RUNTIME_DIR": str(tmp_path)})
    assert can_exist({**environ, **BUS})
    assert can_exist({**environ, "PYTHON_KEYRING_BACKEND": "some.Keyring"})
    off = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    assert not can_exist({**environ, **BUS, **off})
    monkeypatch.setattr(keyring, "get_keyring", pytest.fail)
    with pytest.raises(KeyringTrouble, match="no session bus") as caught:
        KeyringStore(environ).get("openai")
    assert caught.value.is_absent


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "HOME"])
def test_configured_keyring_may_be_without_a_bus(variable: str, tmp_path: Path) -> None:
    folder = tmp_path / ("" if variable == "XDG_CONFIG_HOME" else ".config") / "python_keyring"
    folder.mkdir(parents=True)
    (folder / "keyringrc.cfg").touch()
    assert can_exist({variable: str(tmp_path)})


def test_backend_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    code = (
        "import os\n"
        "from llm_client.storage.keyring_store import KeyringStore\n"
        "try: KeyringStore(os.environ).get('openai')\n"
        "except Exception as error: print(error)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    environ["PYTHON_KEYRING_BACKEND"] = "no_such_module.Keyring"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout == (
        "The keyring, PYTHON_KEYRING_BACKEND='no_such_module.Keyring', failed: "
        "ModuleNotFoundError: No module named 'no_such_module'.\n"
    )
