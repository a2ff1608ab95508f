"""Addresses: as users write them made whole, and of one dialect as of another.

Pure, and without any provider's name: what is peculiar to one stands in its row of the catalog.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from ..dialects import check_dialect
from ..exceptions import ConfigurationError
from ..types.secret import Secret, without_password
from ..types.target import ProviderSpec, Target
from ..wire.loopback import is_loopback_host

__all__ = [
    "is_address",
    "is_local",
    "is_loopback",
    "is_model_path",
    "is_usual",
    "normal_url",
    "of_dialect",
    "with_dialect",
    "without_credentials",
]

_SCHEMES: Final = frozenset({"http", "https", "gguf", "mlx"})
_UNWANTED: Final = re.compile("[\\s?#\ud800-\udfff]")
"""The path of a request is put behind an address, so a query cannot stand there. What is no UTF-8
in a variable comes as halves of characters."""
_REACHABLE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where a server that listens on all addresses, or says only its port, can be reached."""


_PATHS: Final = {
    "anthropic": "",
    "cohere": "/v2",
    "gemini": "/v1beta",
    "ollama": "",
    "openai-chat": "/v1",
    "openai-completions": "/v1",
    "openai-responses": "/v1",
}
"""By dialect: what stands between the host and the paths that the dialect asks for."""
_OPENAI_ENDINGS: Final = ("/chat/completions", "/completions", "/responses")
_ENDINGS: Final = {
    "anthropic": ("/v1/messages", "/v1"),
    "cohere": ("/chat", "/v1"),
    "gemini": ("/models",),
    "ollama": ("/v1", "/api"),
    "openai-chat": _OPENAI_ENDINGS,
    "openai-completions": _OPENAI_ENDINGS,
    "openai-responses": _OPENAI_ENDINGS,
}
"""By dialect: what users add and it does not want, in the order in which it is taken off."""


def normal_url(url: str, row: ProviderSpec, dialect: str, *, path: str = "") -> str:
    """Return an address as users write it (OLLAMA_HOST is often `0.0.0.0:11434`) made whole.

    Args:
        url: as it was written.
        row: whose it is.
        dialect: in which it is spoken to.
        path: put behind a host alone; empty: that of the provider's own address in this dialect.

    Raises:
        ConfigurationError: it is no address.
    """
    schemeless = "://" not in url
    text = _with_scheme(url.strip())
    parts = _parts(text)
    if parts is None:
        raise _no_address(url)
    host, port = parts.hostname, parts.port
    if schemeless and _is_encrypted(row) and port is None and not is_loopback(text):
        parts = parts._replace(scheme="https")  # it is known to be, and a key goes there
    if port is None and schemeless and "{" not in row.base_url:
        port = urlsplit(row.base_url).port
    name = _REACHABLE.get(host or "", host or "")
    netloc = "".join(
        (
            parts.netloc[: parts.netloc.rfind("@") + 1],
            f"[{name}]" if ":" in name else name,
            "" if port is None else f":{port}",
        )
    )
    written = parts.path.rstrip("/")
    for ending in _ENDINGS[dialect]:
        written = written.removesuffix(ending)
    path = written or path or _usual_path(row, dialect)
    return parts._replace(netloc=netloc, path=path).geturl()


def is_address(url: str) -> bool:
    """Return whether a text is an address as `normal_url` takes them."""
    return _parts(_with_scheme(url.strip())) is not None


def _with_scheme(text: str) -> str:
    if "://" in text:
        return text
    is_bare_ipv6 = not {"[", "@"}.intersection(text) and text.count(":") > 1
    return f"http://[{text}]" if is_bare_ipv6 else f"http://{text}"


def _parts(text: str) -> SplitResult | None:
    """Return what an address is made of; `None` for what is none."""
    try:
        parts = urlsplit(text)
        known = {parts.hostname, parts.port} != {None}
    except ValueError:
        return None
    is_one = known and parts.scheme in _SCHEMES and not _UNWANTED.search(text)
    return parts if is_one else None


def _no_address(url: str) -> ConfigurationError:
    shown = without_password(url)
    if "?" in url:
        return ConfigurationError(
            f"{shown!r} has a query, which an address of a server cannot have.",
            hint="Leave out the `?` and what follows; a key belongs into the provider's variable.",
        )
    return ConfigurationError(
        f"{shown!r} is no address of a server.", hint="Write it as `http://HOST:PORT/v1`."
    )


def is_usual(url: str, row: ProviderSpec, dialect: str) -> bool:
    """Return whether an address has the path of the provider's own in this dialect."""
    return urlsplit(url).path == _usual_path(row, dialect)


def _is_encrypted(row: ProviderSpec) -> bool:
    return row.base_url.startswith(("https://", "{"))


def without_credentials(url: str) -> tuple[str, Secret | None]:
    """Return an address that can be shown, and the `user:password` that stood in it."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    return parts._replace(netloc=host).geturl(), Secret(unquote(userinfo))


def of_dialect(url: str, old: str, new: str) -> str:
    """Return the address at which the same host speaks another dialect.

    The path that belongs to the one is taken off and that of the other put in its place: llama.cpp
    has OpenAI's at `/v1` and Anthropic's at the root (seen with llama.cpp 2026-10).
    """
    old_path, new_path = _PATHS[old], _PATHS[new]
    if old_path == new_path:
        return url
    url = url.removesuffix(old_path) if old_path else url
    return url if url.endswith(new_path) else url + new_path


def with_dialect(target: Target, name: str) -> Target:
    """Return a target spoken to in another dialect, at the address where it is spoken.

    Raises:
        ConfigurationError: there is no such dialect.
    """
    row = target.provider
    if check_dialect(name) == row.dialect:
        return target
    # The way back, for a target whose address is not where the path of its dialect says.
    addresses = {**dict(row.dialect_base_urls), row.dialect: target.base_url}
    return replace(
        target,
        base_url=addresses.get(name) or of_dialect(target.base_url, row.dialect, name),
        provider=replace(row, dialect=name, dialect_base_urls=tuple(addresses.items())),
    )


@lru_cache(maxsize=64)
def is_loopback(url: str) -> bool:
    """Return whether an address stays on this machine."""
    parts = urlsplit(url)
    return parts.scheme not in {"http", "https"} or is_loopback_host(parts.hostname or "")


def is_local(target: Target) -> bool:
    """Return whether a target is on this machine and sells nothing on, as a gateway may do.

    What it uses there without a price costs nothing.
    """
    return not target.provider.price_id and is_loopback(target.base_url)


def is_model_path(model: str) -> bool:
    """Return whether a model is named by its path, and not by a name that has a slash in it."""
    return model.startswith(("/", "./", "../", "~")) or model[1:3] in {":\\", ":/"}


def _usual_path(row: ProviderSpec, dialect: str) -> str:
    """Return the path of a provider's own address, if it is the same for all of its users."""
    known = dict(row.dialect_base_urls).get(dialect, "")
    if not known and _PATHS[dialect] == _PATHS[row.dialect]:
        known = row.base_url
    # `{endpoint}/openai/v1` is a host and a path.
    path = urlsplit(re.sub(r"^\{\w+\}", "http://host", known)).path
    return path if known and "{" not in path else _PATHS[dialect]
