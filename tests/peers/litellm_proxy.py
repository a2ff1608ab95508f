"""The LiteLLM proxy in a process of its own, before a real llama.cpp server and with mock replies.

Owns the proxy's configuration and the life of its process. The proxy lives in a virtual environment
of its own (`make test-peers`), since what it needs does not go together with what the tests need.
It is told to ask nobody for prices, news or keys: nothing leaves the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.fault_server import refused_url

START_SECONDS: Final = 120.0
ENVIRONMENT_VARIABLE: Final = "PEERS_VENV"
"""Names the virtual environment with LiteLLM in it."""
MOCK_TEXT: Final = "Hello! I am a mock reply."
RPM: Final = 2
"""Requests a minute that the proxy lets through to the model `rpm`."""

_QUIET: Final = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_MODE": "PRODUCTION",
    "NO_DOCS": "True",
    "NO_REDOC": "True",
    "DISABLE_ADMIN_UI": "True",
}


@contextmanager
def running_proxy(directory: Path, llama: str) -> Iterator[str]:
    """Serve the models of `_configuration`; yield the base URL without a path.

    Args:
        directory: for the configuration and what the proxy writes.
        llama: the base URL of a llama.cpp server, without a path.
    """
    with refused_url() as nobody, refused_url() as url:
        configuration = directory / "config.yaml"
        # JSON is YAML too.
        configuration.write_text(json.dumps(_configuration(llama, nobody)))
        shutil.copy(Path(__file__).with_name("litellm_auth.py"), directory)
        port = url.rpartition(":")[2]
        command = ["--config", str(configuration), "--host", "127.0.0.1", "--port"]
    program = Path(os.environ[ENVIRONMENT_VARIABLE], "bin", "litellm").absolute()
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [program, *command, port],
            env={**os.environ, **_QUIET},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    with process:
        try:
            _wait_until_alive(process, url, directory / "log")
            yield url
        finally:
            process.kill()


def _configuration(llama: str, nobody: str) -> dict[str, Any]:
    def mock(reply: str, model: str = "openai/gpt-4o", **fields: Any) -> dict[str, Any]:
        return {"model": model, "api_key": "none", "mock_response": reply, **fields}

    # No mock of Gemini's: streamed, LiteLLM 1.106 asks Google in spite of the mock reply.
    models = {
        "llama": {"model": "openai/demo", "api_base": f"{llama}/v1", "api_key": "none"},
        "llama-anthropic": {"model": "anthropic/demo", "api_base": llama, "api_key": "none"},
        "down": {"model": "openai/x", "api_base": f"{nobody}/v1", "api_key": "none"},
        "mock": mock(MOCK_TEXT),
        "mock-anthropic": mock(MOCK_TEXT, "anthropic/claude-sonnet-4-5"),
        "overloaded": mock("litellm.RateLimitError"),
        "too-long": mock("litellm.ContextWindowExceededError"),
        "broken": mock("litellm.InternalServerError"),
        "rpm": mock("ok", rpm=RPM),
    }
    return {
        "model_list": [
            {"model_name": name, "litellm_params": parameters}
            for name, parameters in models.items()
        ],
        "router_settings": {
            "num_retries": 0,
            "disable_cooldowns": True,
            "optional_pre_call_checks": ["enforce_model_rate_limits"],
        },
        "litellm_settings": {"telemetry": False, "drop_params": True, "num_retries": 0},
        "general_settings": {
            "master_key": "sk-test-master-0123456789",
            "custom_auth": "litellm_auth.authenticate",
            "custom_auth_run_common_checks": True,
        },
    }


def _wait_until_alive(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not _is_alive(url):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"The LiteLLM proxy did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _is_alive(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/liveliness", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
