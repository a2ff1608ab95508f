"""The keys of the proxy under test, without a database. Loaded by LiteLLM, in its own environment."""

from __future__ import annotations

from typing import Any

from litellm.proxy._types import ProxyException, UserAPIKeyAuth

KEY = "sk-test-good-0123456789"
KEY_ONCE_A_MINUTE = "sk-test-once-0123456789"
"""The second request within a minute is refused."""


async def authenticate(request: Any, api_key: str) -> UserAPIKeyAuth:
    """Return what a key may do; LiteLLM calls this for every request."""
    key = (api_key or "").removeprefix("Bearer ")
    if key == KEY:
        return UserAPIKeyAuth(api_key=key)
    if key == KEY_ONCE_A_MINUTE:
        return UserAPIKeyAuth(api_key=key, rpm_limit=1)
    raise ProxyException(
        message="Authentication Error, Invalid proxy server token passed.",
        type="auth_error",
        param="key",
        code=401,
    )
