"""A real Secret Service, gnome-keyring, on a bus of its own, without a display.

Owns the life of the bus and what is on it: home, run-time directory and bus are the test's, and go
away with it. A service that prompts finds no display, so that a locked keyring stays locked.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .packages import needs

__all__ = ["COLLECTION", "locked", "private_bus", "unlocked_keyring"]

COLLECTION = "/org/freedesktop/secrets/collection/login"
PASSWORD = "test"
"""Of the keyring."""
SECONDS = 30.0
_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={directory}</listen>
  <auth>EXTERNAL</auth>
  {services}
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@contextmanager
def private_bus(directory: Path, *, services: bool) -> Iterator[dict[str, str]]:
    """Run a bus; yield the variables of those who are on it.

    Args:
        directory: for its socket and the service's files; short, as sockets' names are.
        services: whether it starts services that are asked for, a keyring among them.
    """
    needs("dbus-daemon")
    run = directory / "run"
    run.mkdir(mode=0o700)
    configuration = directory / "bus.conf"
    dirs = "<standard_session_servicedirs/>" if services else ""
    configuration.write_text(_CONFIGURATION.format(directory=run, services=dirs))
    environ = {
        **{name: value for name, value in os.environ.items() if "DISPLAY" not in name},
        "XDG_RUNTIME_DIR": str(run),
    }
    process = subprocess.Popen(
        ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address, "the bus did not start"
            yield {"XDG_RUNTIME_DIR": str(run), "DBUS_SESSION_BUS_ADDRESS": address}
        finally:
            process.kill()


@contextmanager
def unlocked_keyring(directory: Path) -> Iterator[dict[str, str]]:
    """Run a keyring that is open; yield the variables of those who use it."""
    needs("gnome-keyring-daemon", "dbus-send")
    with private_bus(directory, services=True) as variables:
        process = subprocess.Popen(
            ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **variables},
        )
        with process:
            try:
                assert process.stdin is not None
                process.stdin.write(PASSWORD.encode())
                process.stdin.close()
                ends = time.monotonic() + SECONDS
                while not _is_there(variables):
                    assert process.poll() is None, "the keyring did not start"
                    assert time.monotonic() < ends, "the keyring does not come"
                    time.sleep(0.01)
                yield variables
            finally:
                process.kill()


def locked(variables: dict[str, str]) -> None:
    """Lock the keyring."""
    lock = "org.freedesktop.Secret.Service.Lock"
    collections = f"array:objpath:{COLLECTION}"
    _call(variables, "org.freedesktop.secrets", "/org/freedesktop/secrets", lock, collections)


def _is_there(variables: dict[str, str]) -> bool:
    """Return whether the keyring is on the bus; asking for it itself would start another."""
    bus, path = "org.freedesktop.DBus", "/org/freedesktop/DBus"
    asked = "string:org.freedesktop.secrets"
    return "boolean true" in _call(variables, bus, path, f"{bus}.NameHasOwner", asked)


def _call(variables: dict[str, str], service: str, path: str, *words: str) -> str:
    """Call a method on the bus; return what comes back, in words."""
    done = subprocess.run(
        ["dbus-send", "--session", "--print-reply", f"--dest={service}", path, *words],
        env={**os.environ, **variables},
        check=True,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    return done.stdout
