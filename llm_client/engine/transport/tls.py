"""Which certificates an `https://` connection trusts.

Owns the meaning of the `verify_ssl` setting. An SSL context is built when the first `https://` URL
is opened and never for `http://`: loading a bundle of certificates costs about 15 ms.
It refuses to go on with a path that does not hold certificates: falling back to another trust
store would hide a mistake in a security setting.
"""

from __future__ import annotations

import os
import ssl

from llm_client.exceptions import ConfigurationError

__all__ = ["build_ssl_context"]


def build_ssl_context(verify: bool | str = True) -> ssl.SSLContext:
    """Build the context for outgoing HTTP/1.1 connections.

    Args:
        verify: `True` trusts `$SSL_CERT_FILE` or `$SSL_CERT_DIR` when set, else certifi's bundle
            (as httpx does); `"system"` trusts the system's own store; another string is the path
            of a file of CA certificates in PEM or of a hashed directory; `False` trusts anybody.

    Raises:
        ConfigurationError: There are no usable certificates at the path.
    """
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif verify == "system":
        context = ssl.create_default_context()
    elif isinstance(verify, str):
        context = _trusting(verify, named_by="verify_ssl")
    else:
        context = _default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _default_context() -> ssl.SSLContext:
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if path := os.environ.get(variable):
            return _trusting(path, named_by=f"${variable}")
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def _trusting(path: str, *, named_by: str) -> ssl.SSLContext:
    """Return a context that trusts the certificates at `path` and no others."""
    path = os.path.expanduser(path)
    hint = (
        f"Set {named_by} to a file of CA certificates in PEM form, or to a directory prepared "
        "with `openssl rehash`."
    )
    if os.path.isdir(path):
        return ssl.create_default_context(capath=path)
    try:
        return ssl.create_default_context(cafile=path)
    except FileNotFoundError:
        problem = "there is no such file or directory"
    except ssl.SSLError:
        problem = "the file holds no certificate in PEM form"
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
    raise ConfigurationError(
        f"Cannot use the CA certificates at {path!r} ({named_by}): {problem}.", hint=hint
    )
