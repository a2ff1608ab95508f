"""The public names, and that importing the package costs next to nothing."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import llm_client
from llm_client import exceptions

NAMES = [
    "Asking",
    "AsyncLLMClient",
    "AsyncStream",
    "AttemptRecord",
    "Audio",
    "AuthenticationError",
    "Budget",
    "BudgetExceededError",
    "ConfigurationError",
    "ContentFilterError",
    "ContextLengthError",
    "CredentialStoreWarning",
    "Credentials",
    "CredentialsManager",
    "Document",
    "EmbeddingResponse",
    "FallingBack",
    "GenerationError",
    "HealthReport",
    "HttpRequest",
    "Image",
    "InsecureConnectionWarning",
    "InvalidOutputError",
    "LLMAPIError",
    "LLMClient",
    "LLMConfig",
    "LLMConnectionError",
    "LLMError",
    "LLMRequest",
    "LLMResponse",
    "LLMServiceError",
    "LLMTimeoutError",
    "Labels",
    "LoadedModel",
    "Message",
    "ModelInfo",
    "ModelNotFoundError",
    "Notice",
    "Observer",
    "Prompt",
    "Provider",
    "ProviderState",
    "QuotaExceededError",
    "RateLimitError",
    "ReasoningEffort",
    "RequestOptions",
    "Retrying",
    "Secret",
    "Stats",
    "Stream",
    "StreamChunk",
    "StreamInterruptedError",
    "Text",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolDeniedError",
    "ToolError",
    "Usage",
    "UsageReport",
    "UsageRow",
    "ValidationError",
    "Waiting",
    "__version__",
    "attach",
]
COSTLY = (
    "asyncio",
    "dataclasses",
    "email",
    "httpcore",
    "httpx",
    "importlib.metadata",
    "inspect",
    "json",
    "keyring",
    "logging",
    "pathlib",
    "platformdirs",
    "re",
    "rich",
    "socket",
    "sqlite3",
    "ssl",
    "tempfile",
    "tomllib",
    "typer",
    "typing",
    "urllib.parse",
)


def modules_after(code: str) -> set[str]:
    """Return what a fresh interpreter without site packages' hooks has imported after `code`."""
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys\nsys.path[:0] = {sys.path!r}\n{script}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


def test_public_names_are_pinned() -> None:
    assert llm_client.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_public_name_can_be_imported_and_is_listed(name: str) -> None:
    assert getattr(llm_client, name) is getattr(llm_client, name)
    assert name in dir(llm_client)


def test_star_import_brings_the_public_names() -> None:
    namespace: dict[str, object] = {}
    exec("from llm_client import *", namespace)

    assert {*NAMES} <= namespace.keys()
    # Those would take the place of the builtins.
    assert not {"ConnectionError", "TimeoutError"} & namespace.keys()


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'llm_client' has no attribute 'LLMCient'"):
        _ = llm_client.LLMCient
    with pytest.raises(ImportError):
        exec("from llm_client import LLMCient")


def test_every_exception_is_public() -> None:
    assert {*exceptions.__all__} - {*NAMES} == {"ConnectionError", "TimeoutError"}
    assert llm_client.TimeoutError is exceptions.TimeoutError
    assert llm_client.ConnectionError is exceptions.ConnectionError
    for name in exceptions.__all__:
        assert getattr(llm_client, name) is getattr(exceptions, name)


def test_importing_the_package_imports_nothing_else() -> None:
    before = modules_after("")
    after = modules_after("import llm_client")

    assert after - before == {"llm_client", "llm_client._version", "__future__"}


def test_exceptions_and_values_cost_no_network_library() -> None:
    before = modules_after("import dataclasses, typing")
    after = modules_after("from llm_client import LLMConfig, LLMError, LLMRequest, Message, Usage")

    assert not {"asyncio", "httpx", "rich", "socket", "ssl", "typer"} & (after - before)


def test_sync_client_costs_neither_asyncio_nor_httpx_before_its_first_call() -> None:
    after = modules_after("import llm_client\nllm_client.LLMClient('embedded/demo')")

    unwanted = {"asyncio", "httpcore", "httpx", "keyring", "rich", "ssl", "typer", "xllamacpp"}
    assert not unwanted & after


def test_costly_modules_are_known_to_exist() -> None:
    """A misspelled name above would make its test pass for ever."""
    imports = "; ".join(f"import {name}" for name in COSTLY)

    assert {*COSTLY} <= modules_after(imports)
    assert not {*COSTLY} & modules_after("import llm_client") - modules_after("")


def test_version_is_the_package_s() -> None:
    from llm_client._version import __version__

    assert llm_client.__version__ == __version__
    assert __version__.count(".") == 2


@pytest.mark.parametrize(
    "value",
    [
        llm_client.LLMConfig(provider="ollama", model="m"),
        llm_client.LLMResponse("hi", "m", "ollama"),
        llm_client.Message("user", "hi"),
        llm_client.ToolCall("1", "f", "{}"),
        llm_client.Usage(1, 2, 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_can_be_pickled(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
