"""Which host names can only mean this machine."""

from __future__ import annotations

import pytest

from llm_client.wire.loopback import is_loopback_host


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ollama.localhost",
        "a.b.Localhost.",
        "127.0.0.1",
        "127.0.0.1.",
        "127.1.2.3",
        "127.255.255.255",
        "::1",
    ],
)
def test_host_that_can_only_be_this_machine_is_loopback(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "notlocalhost",
        "localhost.example.com",
        "localhost..",
        "127.example.com",
        "127.0.0.1.example.com",
        "127.0.0.1..",
        "127.1",
        "127.0.1",
        "127",
        "127.0.0.",
        "127..0.1",
        "127.0.0.0.1",
        "127.999.1.1",
        "127.0.0.256",
        "127.01.0.1",
        "127.0.0.0001",
        "127.0.0.+1",
        "127.0.0. 1",
        "127.0.0.1_0",
        "127.0.0.\u0661",
        "127.0.0.\u00b2",
        "127.0x0.0.1",
        "0127.0.0.1",
        "128.0.0.1",
        "0.0.0.0",
        "::2",
        "::1.",
        "[::1]",
        "::ffff:127.0.0.1",
    ],
)
def test_any_other_host_is_not_loopback(host: str) -> None:
    assert not is_loopback_host(host)


def test_number_of_any_length_is_refused_without_converting_it() -> None:
    assert not is_loopback_host("127.0.0." + "9" * 10_000)
