"""Every failure of httpx, ssl and the operating system in llm_client's own words.

Owns the wording. It exists so that nothing above the transport knows httpx, and so that an error
never carries a request: what is raised has no cause and no context, only text made here from the
origin of the URL, the wait that ran out, and the system's reason.
"""

from __future__ import annotations

import builtins
import errno
import socket
import ssl
from time import monotonic
from urllib.parse import urlsplit

from llm_client.engine.transport.addresses import LookUpTimeout
from llm_client.engine.transport.httpx_import import httpx
from llm_client.engine.transport.incoming import StaleConnection
from llm_client.engine.transport.redirects import origin_shown
from llm_client.exceptions import ConfigurationError, ConnectionError, LLMError, TimeoutError
from llm_client.types.http import Timeouts
from llm_client.wire.loopback import is_loopback_host

__all__ = ["FAILURES", "explain"]

FAILURES: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    OSError,
)
"""What a transport may raise on a bad day; anything else is a bug and stays as it is."""

_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "the connection was reset",
    errno.ECONNABORTED: "the connection was aborted",
    errno.EPIPE: "the connection was closed by the server",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "the network is unreachable",
    errno.ENETDOWN: "the network is down",
    errno.EADDRNOTAVAIL: "the address is not available on this machine",
    errno.EMFILE: "too many open files",
    errno.ETIMEDOUT: "the operating system gave up waiting",
}
_UNKNOWN_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
"""No such name, or one without an address; not every system tells them apart."""
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
"""OpenSSL's reasons when the peer answers in plain text."""
_BEFORE_IT_WAS_SENT = (httpx.ConnectTimeout, httpx.PoolTimeout, httpx.WriteTimeout)
_TICK_SECONDS = 0.001
"""How much too early a wait for a moment may return."""


def explain(
    error: Exception,
    url: str,
    timeouts: Timeouts,
    *,
    answering: bool,
    one_wait: bool = False,
    ends: float | None = None,
    proxy: str | None = None,
) -> LLMError:
    """Return the error to raise for `error`.

    Args:
        error: One of `FAILURES`.
        url: Where the request went; only its origin is shown.
        timeouts: What was allowed, in seconds.
        answering: Whether a byte of the body had arrived.
        one_wait: Whether the transport knew only one wait for all reads.
        ends: When the call is over; see `Waits.ends`.
        proxy: The URL of the proxy in between; only its origin is shown.
    """
    if isinstance(error, LLMError):
        return error
    told = _told(error, url, timeouts, answering, one_wait, ends, proxy)
    if isinstance(told, TimeoutError):
        told.accepted = not isinstance(error, _BEFORE_IT_WAS_SENT)
    return told


def _told(
    error: Exception,
    url: str,
    timeouts: Timeouts,
    answering: bool,
    one_wait: bool,
    ends: float | None,
    proxy: str | None,
) -> LLMError:
    origin = origin_shown(url)
    route = f"{origin} through the proxy {origin_shown(proxy)}" if proxy else origin
    match error:
        case httpx.TimeoutException() | builtins.TimeoutError(errno=None):
            if ends is not None and monotonic() + _TICK_SECONDS >= ends:
                had = _seconds(timeouts.total)
                return TimeoutError(
                    f"The call to {route} was not over within the {had} left for it."
                )
            wait = timeouts.silence if answering else timeouts.first_byte
            if one_wait:
                wait = timeouts.longest_read()
            return _timed_out(error, url, route, timeouts, wait, answering=answering)
        case httpx.ConnectError():
            return _cannot_connect(error, url, route)
    return _misunderstood(error, origin, answering=answering)


def _misunderstood(error: Exception, origin: str, *, answering: bool) -> LLMError:
    """Return the error for a failure that is none of time or of connecting."""
    match error:
        case httpx.ProxyError():
            return ConnectionError(
                f"The proxy for {origin} failed: {error}.",
                hint="Check HTTPS_PROXY and ALL_PROXY, or list the host in NO_PROXY.",
            )
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return ConfigurationError(
                f"{origin!r} is not an address to send a request to: {error}.",
                hint="A base URL looks like `https://api.example.com/v1`.",
            )
        case httpx.LocalProtocolError():
            return ConfigurationError(
                f"The request to {origin} has a character that HTTP does not allow."
            )
        case httpx.DecodingError():
            return ConnectionError(f"The answer of {origin} is compressed wrongly: {error}.")
        case httpx.StreamError():
            return ConnectionError(f"The answer of {origin} was closed before its end.")
    reason = _reason(error)
    if answering:
        return ConnectionError(f"The answer of {origin} broke off: {reason}.")
    stale = isinstance(error, StaleConnection)
    return ConnectionError(f"No answer from {origin}: {reason}.", stale=stale)


def _timed_out(
    error: Exception,
    url: str,
    route: str,
    timeouts: Timeouts,
    read_wait: float | None,
    *,
    answering: bool,
) -> TimeoutError:
    origin = origin_shown(url)
    match error:
        case httpx.ConnectTimeout(__cause__=LookUpTimeout()):
            waited = _seconds(timeouts.connect)
            host = urlsplit(url).hostname
            return TimeoutError(f"The name of {host} could not be looked up within {waited}.")
        case httpx.ConnectTimeout():
            return TimeoutError(f"No connection to {route} after {_seconds(timeouts.connect)}.")
        case httpx.PoolTimeout():
            # Only from a caller's own client: our queue stands before the connections.
            return TimeoutError(f"No connection to {origin} became free in time.")
        case httpx.WriteTimeout():
            waited = _seconds(timeouts.silence)
            return TimeoutError(f"{origin} took no more of the request for {waited}.")
    waited = _seconds(read_wait)
    if answering:
        return TimeoutError(f"{origin} went silent for {waited} in the middle of the answer.")
    return TimeoutError(
        f"{origin} accepted the request but sent no byte of an answer for {waited}."
    )


def _seconds(value: float | None) -> str:
    return "its time limit" if value is None else f"{value:g} s"


def _cannot_connect(error: Exception, url: str, route: str) -> ConnectionError:
    root = _root(error)
    host = urlsplit(url).hostname or ""
    if isinstance(root, ssl.SSLCertVerificationError):
        return ConnectionError(
            f"Cannot connect to {route}: its certificate is not trusted "
            f"({getattr(root, 'verify_message', '') or 'verification failed'}).",
            hint="If the server has a private CA, set `verify_ssl` to the path of the CA's "
            'certificate, or to "system" for the CAs of this machine.',
            retryable=False,
        )
    hint = None
    if isinstance(root, ssl.SSLError):
        hint = "If the server does not use TLS, its address begins with `http://`."
    # On this machine a refusal means that nothing listens; elsewhere a restart may be under way.
    refused = isinstance(root, ConnectionRefusedError) and is_loopback_host(host)
    return ConnectionError(
        f"Cannot connect to {route}: {_reason(error)}.",
        hint=hint,
        refused=refused,
        retryable=not (refused or _is_unknown_name(root) or _is_no_tls(root)),
    )


def _is_unknown_name(root: BaseException) -> bool:
    return isinstance(root, socket.gaierror) and root.errno in _UNKNOWN_NAME


def _is_no_tls(root: BaseException) -> bool:
    return isinstance(root, ssl.SSLError) and getattr(root, "reason", None) in _NO_TLS


def _root(error: BaseException) -> BaseException:
    """Follow the causes down to the failure of the system; `error` itself when there is none."""
    seen: BaseException | None = error
    vague = error
    while seen is not None:
        if isinstance(seen, OSError):
            if isinstance(seen, ssl.SSLError) or seen.errno is not None:
                return seen
            vague = seen  # anyio: "All connection attempts failed", with the reason as its cause
        seen = seen.__cause__ or seen.__context__
    return vague


def _reason(error: Exception) -> str:
    """Say in a few words what the system reported."""
    root = _root(error)
    if isinstance(root, ssl.SSLError):
        reason = getattr(root, "reason", None) or root.strerror or str(root)
        if reason in _NO_TLS:
            return "the server does not speak TLS on this port"
        return f"TLS failed ({reason.replace('_', ' ').lower()})"
    if isinstance(root, socket.gaierror):
        if root.errno in _UNKNOWN_NAME:
            return "the host name is unknown"
        return "the host name cannot be looked up just now"
    if isinstance(root, OSError):
        known = _REASONS.get(root.errno or 0)
        return known or (root.strerror or str(root) or type(root).__name__).lower().rstrip(".")
    return str(root).rstrip(".") or type(root).__name__
