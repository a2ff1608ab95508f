"""Which proxy a URL goes through, by httpx's rules and one of our own.

Owns the reading of HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY (and of the system's settings on
macOS and Windows). It refuses to send loopback traffic to a proxy, whatever the variables say: a
local model behind a company proxy is the classic unreachable server (ollama#4674).
"""

from __future__ import annotations

import os
import re
import sys
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from llm_client.wire.loopback import is_loopback_host

__all__ = ["Proxies", "proxies_apply"]

DEFAULT_PORTS = {"http": 80, "https": 443}


def proxies_apply() -> bool:
    """Tell, at the cost of a look at the environment, whether any proxy may be configured."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(name[-6:].lower() == "_proxy" and value for name, value in os.environ.items())


class _Exception(NamedTuple):
    """One entry of NO_PROXY."""

    scheme: str
    """Empty for any."""
    host: re.Pattern[str]
    port: int | None

    def matches(self, url: SplitResult) -> bool:
        if self.scheme and self.scheme != url.scheme:
            return False
        port = None if url.port == DEFAULT_PORTS.get(url.scheme) else url.port
        if self.port is not None and self.port != port:
            return False
        return self.host.fullmatch(url.hostname or "") is not None


class Proxies:
    """The proxy settings as they were when this was made."""

    def __init__(self) -> None:
        # It also reads the settings of macOS and Windows.
        from urllib.request import getproxies

        settings = getproxies()
        self._by_scheme = {
            scheme: url if "://" in url else f"http://{url}"
            for scheme in ("http", "https", "all")
            if (url := settings.get(scheme))
        }
        entries = [entry.strip() for entry in settings.get("no", "").split(",")]
        if "*" in entries:
            self._by_scheme = {}
        self._exceptions = [_parse_exception(entry) for entry in entries if entry]

    def proxy_for(self, url: str) -> str | None:
        """Return the URL of the proxy that `url` goes through, `None` for a direct connection."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return None  # no URL: the transport says so
        host = parts.hostname or ""
        proxy = self._by_scheme.get(parts.scheme) or self._by_scheme.get("all")
        if proxy is None or is_loopback_host(host):
            return None
        if any(exception.matches(parts) for exception in self._exceptions):
            return None
        return proxy


def _parse_exception(entry: str) -> _Exception:
    """Read one entry of NO_PROXY as httpx does.

    `example.com` covers the domain and its subdomains, `.example.com` only those, an IP address or
    `localhost` itself; `http://example.com` covers one scheme; a port narrows any of them.
    """
    scheme, separator, rest = entry.lower().rpartition("://")
    address = rest.split("/")[0]
    if _is_ip(address):
        host, port, pattern = address, None, re.escape(address)
    else:
        host, port = _split_port(address)
        if separator or host == "localhost" or _is_ip(host):
            pattern = re.escape(host)
        elif host.startswith("."):
            pattern = ".+" + re.escape(host)
        else:
            pattern = r"(?:.+\.)?" + re.escape(host)
    return _Exception("" if scheme == "all" else scheme, re.compile(pattern), port)


def _split_port(address: str) -> tuple[str, int | None]:
    parts = urlsplit(f"//{address}")
    try:
        return parts.hostname or address, parts.port
    except ValueError:
        return address, None


def _is_ip(host: str) -> bool:
    for kind in (IPv4Address, IPv6Address):
        try:
            kind(host)
        except AddressValueError:
            continue
        return True
    return False
