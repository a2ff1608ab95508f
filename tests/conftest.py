"""What holds for every test: a clean environment, a home of its own, no network but loopback.

Owns the isolation and the fixtures of the real llama.cpp server. Nothing here asserts anything
about the product.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from llm_client.engine.cool_down import COOL_DOWNS
from llm_client.providers.catalog import CATALOG, LOCAL_SERVERS

from .support.fault_server import refused_url
from .support.llama_server import running_llama_server

LLAMA_KEY: Final = "sk-test-llama-0123456789"
"""What the server of `llama_server_with_key` demands."""

_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_TERMINAL_VARIABLES = (
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "COLUMNS",
    "FORCE_COLOR",
    "LINES",
    "NO_COLOR",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
)
_TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_KEYRING_VARIABLES = ("DBUS_SESSION_BUS_ADDRESS", "PYTHON_KEYRING_BACKEND")
"""Lead to the developer's own keyring."""
_EDITOR_VARIABLES = ("EDITOR", "VISUAL")


def _foreign_variables() -> set[str]:
    """Return the variables of the machine that would change what the product does."""
    names = {name for name in os.environ if name.startswith(("LLM_CLIENT_", "XDG_"))}
    names |= {name for name in os.environ if name.upper() in _PROXY_VARIABLES}
    names.update(_TERMINAL_VARIABLES, _TRUST_VARIABLES, _KEYRING_VARIABLES, _EDITOR_VARIABLES)
    for row in CATALOG.values():
        names.update(row.key_env, row.base_url_env, row.model_env, row.timeout_env)
        names.update(name for field in row.fields for name in field.env)
    return names


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Let Ctrl-C interrupt the programs under test.

    A shell that runs the tests in the background has it ignored, and children inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    """Refuse every connection that would leave the machine, before a packet does."""
    real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}

    def guarded(name: str) -> Any:
        def method(self: socket.socket, *arguments: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                _check_loopback(arguments[-1])
            return real[name](self, *arguments)

        return method

    with pytest.MonkeyPatch.context() as patch:
        for name in real:
            patch.setattr(socket.socket, name, guarded(name))
        yield


def _check_loopback(address: object) -> None:
    host = str(address[0]) if isinstance(address, tuple) else ""
    try:
        is_loopback = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    if not is_loopback:
        pytest.fail(f"a test wanted to connect to {address!r}", pytrace=True)


@pytest.fixture(scope="session")
def closed_url() -> Iterator[str]:
    """An address on which nothing listens as long as the tests run."""
    with refused_url() as url:
        yield url


@pytest.fixture(autouse=True)
def clean_environment(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, closed_url: str
) -> Path:
    """Give the test a home of its own and no settings; return that home.

    The local servers' addresses are closed ports, so that a test never talks to what happens to
    run on the machine.
    """
    for name in _foreign_variables():
        monkeypatch.delenv(name, raising=False)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for name, folder in {
        "XDG_CONFIG_HOME": ".config",
        "XDG_DATA_HOME": ".local/share",
        "XDG_STATE_HOME": ".local/state",
        "XDG_CACHE_HOME": ".cache",
        "LLM_CLIENT_CACHE_DIR": ".cache/llm_client",
    }.items():
        monkeypatch.setenv(name, str(home / folder))
    for name in LOCAL_SERVERS:
        monkeypatch.setenv(f"LLM_CLIENT_{name.upper()}_BASE_URL", closed_url)
    if sys.platform == "darwin":  # its keychain needs no variable to be found
        monkeypatch.setenv("LLM_CLIENT_CREDENTIALS_STORE", "file")
    COOL_DOWNS.clear()  # ports and the closed address are shared by all tests
    return home


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which the ledger of the test is."""
    directory = tmp_path / "data"
    monkeypatch.setenv("LLM_CLIENT_DATA_DIR", str(directory))
    return directory


@pytest.fixture(scope="session")
def llama_server() -> Iterator[str]:
    """The base URL, without a path, of llama.cpp's own server with the demo model."""
    with running_llama_server() as url:
        yield url


@pytest.fixture(scope="session")
def llama_server_with_key() -> Iterator[str]:
    """The same, demanding `LLAMA_KEY`."""
    with running_llama_server(api_key=LLAMA_KEY) as url:
        yield url
