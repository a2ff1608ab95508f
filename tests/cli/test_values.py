"""Pure functions of the command line: exit statuses, code in an answer, the line about usage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_client.cli.exit_status import UsageError, exit_status
from llm_client.cli.output import extract_code
from llm_client.cli.progress import usage_line
from llm_client.exceptions import (
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    ConnectionError,
    ContentFilterError,
    ContextLengthError,
    LLMError,
    LLMServiceError,
    ModelNotFoundError,
    QuotaExceededError,
    TimeoutError,
    ToolDeniedError,
    ValidationError,
)
from llm_client.types.response import LLMResponse, Usage

RESPONSE = LLMResponse(content="Yes.", model="m", provider="p", latency_ms=1500.0)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("x"), 2),
        (ValidationError("x"), 2),
        (ValidationError("x", status=422), 1),
        (ContextLengthError("x", status=400), 1),
        (ConfigurationError("x"), 3),
        (AuthenticationError("x"), 3),
        (ConnectionError("x"), 4),
        (TimeoutError("x"), 4),
        (QuotaExceededError("x"), 5),
        (ModelNotFoundError("x"), 6),
        (ContentFilterError("x"), 7),
        (BudgetExceededError("x"), 8),
        (LLMServiceError("x"), 1),
        (ToolDeniedError("x"), 1),
        (LLMError("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LLMError) else "",
)
def test_error_has_its_exit_status(error: LLMError, status: int) -> None:
    assert exit_status(error) == status


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("a\n```\nx\n```\n", "x\n", id="backticks"),
        pytest.param("~~~ py\nx\n```\ny\n~~~\n", "x\n```\ny\n", id="tildes"),
        pytest.param("````\n```\n````", "```\n", id="fence-inside"),
        pytest.param("```\nnever closed", "never closed", id="open"),
        pytest.param("```", "", id="nothing-after"),
        pytest.param("   ```\nx\n  ```", "x\n", id="indented"),
        pytest.param("    ```\nx\n", None, id="indented-too-far"),
        pytest.param("say ```x``` inline", None, id="inline"),
        pytest.param("", None, id="empty"),
    ],
)
def test_first_fenced_block_is_extracted(text: str, code: str | None) -> None:
    assert extract_code(text) == code


def test_usage_line_has_what_is_known() -> None:
    usage = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5, estimated_cost=0.0001)
    assert usage_line(RESPONSE) == "p/m · 1.50 s"
    full = replace(RESPONSE, usage=usage, metadata={"time_to_first_token_ms": 250.0})
    assert usage_line(full) == "p/m · 3 + 2 tokens · 1.50 s · first token after 0.25 s · $0.000100"
