"""Which host names can only mean this machine.

Owns the one answer that keys, proxies and messages depend on: loopback traffic may go unencrypted,
never goes to a proxy, and a refusal there means that nothing listens. Strict, because whatever is
taken for loopback by mistake gets a key in plain text. No look-up is made.
"""

from __future__ import annotations

__all__ = ["is_loopback_host"]


def is_loopback_host(host: str) -> bool:
    """Tell whether `host` (without brackets) can only mean this machine (RFC 6761, RFC 1122).

    That is `localhost` and the names under it, `::1`, and 127.0.0.0/8 as four decimal numbers, the
    names and numbers with an optional final dot. `127.1` and `127.01.0.1` are not: what they mean
    is up to the system's resolver.
    """
    if host == "::1":
        return True
    host = host.lower().removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    octets = host.split(".")
    return len(octets) == 4 and octets[0] == "127" and all(map(_is_octet, octets))


def _is_octet(text: str) -> bool:
    if not (text.isascii() and text.isdecimal() and len(text) <= 3):
        return False
    return int(text) <= 255 and str(int(text)) == text
