"""One client for every LLM provider: a shell command and a Python library over one core.

Public names are resolved when they are first used (PEP 562), so that importing the package costs
next to nothing.
"""

from __future__ import annotations

from ._version import __version__

TYPE_CHECKING = False  # importing it from `typing` costs 5 ms; type checkers know the name
if TYPE_CHECKING:
    from .aclient import AsyncLLMClient, AsyncStream
    from .attachments import attach
    from .client import LLMClient, Stream
    from .engine.session import Stats
    from .exceptions import (
        AuthenticationError,
        BudgetExceededError,
        ConfigurationError,
        ContentFilterError,
        ContextLengthError,
        CredentialStoreWarning,
        GenerationError,
        InsecureConnectionWarning,
        InvalidOutputError,
        LLMAPIError,
        LLMConnectionError,
        LLMError,
        LLMServiceError,
        LLMTimeoutError,
        ModelNotFoundError,
        QuotaExceededError,
        RateLimitError,
        StreamInterruptedError,
        ToolDeniedError,
        ToolError,
        ValidationError,
    )
    from .exceptions import ConnectionError as ConnectionError
    from .exceptions import TimeoutError as TimeoutError
    from .providers.names import Provider
    from .storage.credentials import Credentials, CredentialsManager
    from .types.budget import Budget
    from .types.config import LLMConfig
    from .types.content import Audio, Document, Image, ProviderState, Text
    from .types.embedding import EmbeddingResponse
    from .types.events import (
        Asking,
        AttemptRecord,
        FallingBack,
        Labels,
        Notice,
        Observer,
        Retrying,
        Waiting,
    )
    from .types.health import HealthReport, LoadedModel
    from .types.http import HttpRequest
    from .types.messages import Message, Tool, ToolCall
    from .types.models import ModelInfo
    from .types.request import LLMRequest, Prompt, ReasoningEffort, RequestOptions
    from .types.response import LLMResponse, StreamChunk, ToolCallDelta, Usage
    from .types.secret import Secret
    from .types.usage import UsageReport, UsageRow

_MODULES = {
    "aclient": ("AsyncLLMClient", "AsyncStream"),
    "attachments": ("attach",),
    "client": ("LLMClient", "Stream"),
    "engine.session": ("Stats",),
    "exceptions": (
        "AuthenticationError",
        "BudgetExceededError",
        "ConfigurationError",
        "ConnectionError",
        "ContentFilterError",
        "ContextLengthError",
        "CredentialStoreWarning",
        "GenerationError",
        "InsecureConnectionWarning",
        "InvalidOutputError",
        "LLMAPIError",
        "LLMConnectionError",
        "LLMError",
        "LLMServiceError",
        "LLMTimeoutError",
        "ModelNotFoundError",
        "QuotaExceededError",
        "RateLimitError",
        "StreamInterruptedError",
        "TimeoutError",
        "ToolDeniedError",
        "ToolError",
        "ValidationError",
    ),
    "providers.names": ("Provider",),
    "storage.credentials": ("Credentials", "CredentialsManager"),
    "types.budget": ("Budget",),
    "types.config": ("LLMConfig",),
    "types.embedding": ("EmbeddingResponse",),
    "types.content": ("Audio", "Document", "Image", "ProviderState", "Text"),
    "types.events": (
        "Asking",
        "AttemptRecord",
        "FallingBack",
        "Labels",
        "Notice",
        "Observer",
        "Retrying",
        "Waiting",
    ),
    "types.health": ("HealthReport", "LoadedModel"),
    "types.http": ("HttpRequest",),
    "types.messages": ("Message", "Tool", "ToolCall"),
    "types.models": ("ModelInfo",),
    "types.request": ("LLMRequest", "Prompt", "ReasoningEffort", "RequestOptions"),
    "types.response": ("LLMResponse", "StreamChunk", "ToolCallDelta", "Usage"),
    "types.secret": ("Secret",),
    "types.usage": ("UsageReport", "UsageRow"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

# Without `ConnectionError` and `TimeoutError`, which are there too: `import *` must not put them in
# the place of the builtins.
__all__ = [
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


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
