"""One health check, as the tests of it make it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from llm_client import LLMConfig
from llm_client.engine.drivers import SyncDriver
from llm_client.health import check_health
from llm_client.policy.route import resolve_target
from llm_client.types.config import Settings
from llm_client.types.health import HealthReport
from llm_client.types.target import Target

from .fault_server import (
    FaultServer,
    cut_body,
    fault_server,
    garbage,
    respond,
    say_nothing,
    status,
)

__all__ = ["KEY", "asked", "check", "dead_servers", "target_of"]

KEY = "sk-test-0123456789"


def target_of(url: str, provider: str = "openai-compatible", key: str | None = None) -> Target:
    config = LLMConfig(provider=provider, base_url=url, api_key=key)
    return resolve_target(config, Settings(), {})


def check(target: Target, *named: str, seconds: float = 5.0) -> HealthReport:
    driver = SyncDriver()
    try:
        return driver.run(check_health(target, named=named, seconds=seconds))
    finally:
        driver.close()


def asked(server: FaultServer) -> list[str]:
    return [f"{request.method} {request.path}" for request in server.requests]


@contextmanager
def dead_servers(closed_url: str) -> Iterator[list[str]]:
    """Ten addresses at which nobody answers as they should, each in its own way."""
    scripts = (
        say_nothing(),
        garbage(),
        respond(pieces=[(0.05, b" ")] * 2000),
        cut_body(b"{"),
        status(500),
    )
    with ExitStack() as stack:
        urls = [stack.enter_context(fault_server(script)).url for script in scripts]
        yield [*urls, *urls[:3], closed_url, "http://name.invalid"]
