"""Retries and fallbacks by the table of WIRE.md section 9."""

from __future__ import annotations

import json
import math

import pytest

from llm_client.dialects import find_dialect
from llm_client.dialects.errors import stream_error
from llm_client.exceptions import (
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    ConnectionError,
    ContentFilterError,
    ContextLengthError,
    GenerationError,
    InvalidOutputError,
    LLMAPIError,
    LLMError,
    LLMServiceError,
    ModelNotFoundError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
    TimeoutError,
    ToolError,
    ValidationError,
)
from llm_client.policy.retry import may_fall_back, retry_delay, without_refused_field
from llm_client.providers.catalog import find_provider
from llm_client.types.config import RetrySettings
from llm_client.types.http import Head
from llm_client.types.target import ProviderSpec, Target

SETTINGS = RetrySettings()
BUSY = LLMServiceError("busy", retryable=True)
TARGET = Target(ProviderSpec("p", "http://p.test/v1", "openai-chat"), "m", "http://p.test/v1")


def answer(status: int, code: str | None = None, message: str = "no", **headers: str) -> LLMError:
    """Return the error that a provider's answer becomes."""
    body = {"error": {"message": message, "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return find_dialect("openai-chat").error(Head(status, named), json.dumps(body).encode(), TARGET)


@pytest.mark.parametrize(
    ("error", "retries", "settings", "chance", "delay"),
    [
        pytest.param(BUSY, 0, SETTINGS, 0.0, 1.0, id="first"),
        pytest.param(BUSY, 1, SETTINGS, 0.0, 2.0, id="grows"),
        pytest.param(BUSY, 2, SETTINGS, 0.0, 4.0, id="grows-on"),
        pytest.param(BUSY, 3, SETTINGS, 0.0, None, id="used-up"),
        pytest.param(BUSY, 0, SETTINGS, 1.0, 0.75, id="full-jitter-is-a-quarter"),
        pytest.param(BUSY, 0, SETTINGS, 0.5, 0.875, id="half-the-jitter"),
        pytest.param(BUSY, 0, RetrySettings(max_retries=0), 0.0, None, id="none-allowed"),
        pytest.param(BUSY, 4, RetrySettings(max_retries=9), 0.0, 10.0, id="bounded"),
        pytest.param(BUSY, 4, RetrySettings(max_retries=9), 1.0, 7.5, id="jitter-below-the-bound"),
        pytest.param(BUSY, 2000, RetrySettings(max_retries=9999), 0.0, 10.0, id="huge-power"),
        pytest.param(
            BUSY,
            3,
            RetrySettings(max_retries=9, delay=0.5, exponential_base=3),
            0.0,
            10.0,
            id="base",
        ),
        pytest.param(BUSY, 1, RetrySettings(delay=0.0), 0.3, 0.0, id="no-pause"),
        pytest.param(BUSY, 1, RetrySettings(delay=-1.0), 0.3, 0.0, id="negative-is-no-pause"),
        pytest.param(
            RateLimitError(retryable=True, retry_after=7.0), 0, SETTINGS, 1.0, 7.0, id="asked-for"
        ),
        pytest.param(
            RateLimitError(retryable=True, retry_after=0.0), 0, SETTINGS, 1.0, 0.0, id="asked-for-0"
        ),
        pytest.param(
            RateLimitError(retryable=True, retry_after=120.0), 0, SETTINGS, 1.0, 120.0, id="at-cap"
        ),
        pytest.param(
            RateLimitError(retryable=True, retry_after=120.5), 0, SETTINGS, 0.0, None, id="over-cap"
        ),
        pytest.param(
            RateLimitError(retryable=True, retry_after=math.inf), 0, SETTINGS, 0.0, None, id="inf"
        ),
        pytest.param(
            RateLimitError(retryable=True, retry_after=math.nan), 0, SETTINGS, 0.0, 1.0, id="nan"
        ),
        pytest.param(
            RateLimitError(retryable=True, retry_after=-3.0), 0, SETTINGS, 0.0, 1.0, id="negative"
        ),
        pytest.param(
            RateLimitError(retryable=True, retry_after=1.0),
            3,
            SETTINGS,
            0.0,
            None,
            id="asked-too-often",
        ),
    ],
)
def test_retry_delay(
    error: LLMError, retries: int, settings: RetrySettings, chance: float, delay: float | None
) -> None:
    assert retry_delay(error, retries, settings, chance) == delay


@pytest.mark.parametrize(
    ("error", "is_retried"),
    [
        pytest.param(ConnectionError("reset"), True, id="connection"),
        pytest.param(ConnectionError("unknown host", retryable=False), False, id="unknown-host"),
        pytest.param(TimeoutError("silent"), True, id="timeout"),
        pytest.param(StreamInterruptedError("cut"), True, id="cut-stream"),
        pytest.param(ContentFilterError("withheld"), False, id="content-filter"),
        pytest.param(InvalidOutputError("no JSON"), False, id="invalid-output"),
        pytest.param(GenerationError("odd"), False, id="generation"),
        pytest.param(ConfigurationError("no key"), False, id="configuration"),
        pytest.param(BudgetExceededError("poor"), False, id="budget"),
        pytest.param(ToolError("tool"), False, id="tool"),
        pytest.param(LLMAPIError("odd"), False, id="api-error-not-marked"),
    ],
)
def test_error_of_our_own_is_retried_or_not(error: LLMError, is_retried: bool) -> None:
    assert (retry_delay(error, 0, SETTINGS, 0.0) is not None) == is_retried


@pytest.mark.parametrize(
    ("error", "delay"),
    [
        pytest.param(answer(408), 1.0, id="408"),
        pytest.param(answer(409), 1.0, id="409"),
        pytest.param(answer(429), 1.0, id="429"),
        pytest.param(answer(500), 1.0, id="500"),
        pytest.param(answer(502), 1.0, id="502"),
        pytest.param(answer(503), 1.0, id="503"),
        pytest.param(answer(504), 1.0, id="504"),
        pytest.param(answer(529), 1.0, id="529"),
        pytest.param(answer(501), None, id="501"),
        pytest.param(answer(400), None, id="400"),
        pytest.param(answer(401), None, id="401"),
        pytest.param(answer(402), None, id="402"),
        pytest.param(answer(403), None, id="403"),
        pytest.param(answer(404), None, id="404"),
        pytest.param(answer(422), None, id="422"),
        pytest.param(answer(429, "insufficient_quota"), None, id="insufficient-quota"),
        pytest.param(answer(429, "billing_hard_limit_reached"), None, id="billing"),
        pytest.param(answer(400, "context_length_exceeded"), None, id="context-length"),
        pytest.param(answer(400, "content_filter"), None, id="content-filter"),
        pytest.param(answer(400, "rate_limit_exceeded"), 1.0, id="in-band-rate-limit"),
        pytest.param(answer(400, "overloaded"), 1.0, id="in-band-overloaded"),
        pytest.param(answer(503, x_should_retry="false"), None, id="told-not-to"),
        pytest.param(answer(418, x_should_retry="true"), 1.0, id="told-to"),
        pytest.param(
            answer(429, "insufficient_quota", x_should_retry="true"), None, id="permanent-wins"
        ),
        pytest.param(answer(503, retry_after="2.5"), 2.5, id="retry-after"),
        pytest.param(answer(503, retry_after_ms="1500", retry_after="9"), 1.5, id="ms-wins"),
        pytest.param(
            answer(
                429,
                date="Fri, 20 Nov 2026 10:00:00 GMT",
                retry_after="Fri, 20 Nov 2026 10:00:30 GMT",
            ),
            30.0,
            id="http-date",
        ),
        pytest.param(answer(429, retry_after="nan"), 1.0, id="nan-is-ignored"),
        pytest.param(answer(429, retry_after="inf"), 1.0, id="infinity-is-ignored"),
        pytest.param(answer(429, retry_after="-5"), 1.0, id="negative-is-ignored"),
        pytest.param(answer(429, retry_after="soon"), 1.0, id="nonsense-is-ignored"),
        pytest.param(answer(429, retry_after="3600"), None, id="over-the-cap"),
        pytest.param(answer(429, retry_after="120"), 120.0, id="at-the-cap"),
        pytest.param(
            answer(429, retry_after_ms="-1", retry_after="7"), 7.0, id="bad-ms-is-ignored"
        ),
        pytest.param(answer(599), 1.0, id="599"),
        pytest.param(answer(501, x_should_retry="true"), None, id="501-wins"),
        pytest.param(answer(413), None, id="413"),
        pytest.param(answer(401, x_should_retry="true"), None, id="bad-key-wins"),
        pytest.param(answer(402, x_should_retry="true"), None, id="402-wins"),
        pytest.param(
            answer(400, "context_length_exceeded", x_should_retry="true"), None, id="length-wins"
        ),
        pytest.param(
            answer(429, "project_spend_limit_exceeded", x_should_retry="true"), None, id="cap-wins"
        ),
        pytest.param(answer(429, x_should_retry="false", retry_after="1"), None, id="429-told-not"),
        pytest.param(answer(503, x_should_retry="maybe"), 1.0, id="unclear-word"),
    ],
)
def test_answer_is_retried_when_and_only_when_it_may_help(
    error: LLMError, delay: float | None
) -> None:
    assert retry_delay(error, 0, SETTINGS, 0.0) == delay


GOOGLE = "type.googleapis.com/google.rpc"
OPENROUTER = {
    "X-RateLimit-Limit": "50",
    "X-RateLimit-Remaining": "0",
    "X-RateLimit-Reset": "1795168890000",
}
DATE = {"date": "Fri, 20 Nov 2026 10:00:00 GMT"}
USED_UP = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m30s"}


def retry_info(delay: str, *quotas: str) -> list[dict[str, object]]:
    violations = [{"quotaId": quota} for quota in quotas]
    return [
        {"@type": f"{GOOGLE}.QuotaFailure", "violations": violations},
        {"@type": f"{GOOGLE}.RetryInfo", "retryDelay": delay},
    ]


@pytest.mark.parametrize(
    ("headers", "error", "retry_after", "delay"),
    [
        pytest.param({}, {"details": retry_info("34.5s")}, 34.5, 34.5, id="retry-info"),
        pytest.param(
            {"retry-after": "3"}, {"details": retry_info("34s")}, 3.0, 3.0, id="header-before-it"
        ),
        pytest.param(
            {"retry-after": "nan"}, {"details": retry_info("34s")}, 34.0, 34.0, id="bad-header"
        ),
        pytest.param({}, {"details": retry_info("-4s")}, None, 1.0, id="retry-info-negative"),
        pytest.param({}, {"details": retry_info("999s")}, 999.0, None, id="retry-info-over-cap"),
        pytest.param(
            {},
            {"details": retry_info("12s", "GenerateRequestsPerDayPerProjectPerModel")},
            12.0,
            None,
            id="gemini-per-day",
        ),
        pytest.param(
            {},
            {"details": retry_info("12s", "GenerateRequestsPerMinutePerProjectPerModel")},
            12.0,
            12.0,
            id="gemini-per-minute",
        ),
        pytest.param(USED_UP, {}, 90.0, 90.0, id="rate-headers"),
        pytest.param({**USED_UP, "retry-after": "2"}, {}, 2.0, 2.0, id="retry-after-before-them"),
        pytest.param(
            {**USED_UP, "x-ratelimit-remaining-tokens": "9"}, {}, None, 1.0, id="not-used-up"
        ),
        pytest.param(
            {**USED_UP, "x-ratelimit-reset-tokens": "3h"}, {}, 10800.0, None, id="rate-over-cap"
        ),
        pytest.param(
            {**USED_UP, "x-ratelimit-reset-tokens": "99d"}, {}, None, 1.0, id="rate-hostile"
        ),
        pytest.param(
            USED_UP, {"code": "insufficient_quota"}, None, None, id="no-rate-headers-for-a-quota"
        ),
        pytest.param(
            DATE, {"metadata": {"headers": OPENROUTER}}, 90.0, 90.0, id="openrouter-in-the-body"
        ),
        pytest.param(
            {**DATE, "retry-after": "4"},
            {"metadata": {"headers": OPENROUTER}},
            4.0,
            4.0,
            id="headers-before-the-body",
        ),
        pytest.param({}, {"metadata": {"headers": {"Retry-After": 6}}}, 6.0, 6.0, id="in-the-body"),
        pytest.param({}, {"metadata": {"headers": "none"}}, None, 1.0, id="no-headers-at-all"),
    ],
)
def test_wait_that_a_rate_limit_says_is_found(
    headers: dict[str, str],
    error: dict[str, object],
    retry_after: float | None,
    delay: float | None,
) -> None:
    body = json.dumps({"error": {"message": "slow down", **error}}).encode()
    raised = find_dialect("openai-chat").error(Head(429, headers), body, TARGET)

    assert isinstance(raised, RateLimitError)
    assert raised.retry_after == retry_after
    assert retry_delay(raised, 0, SETTINGS, 0.0) == delay


def test_rate_headers_beside_another_error_are_not_its_wait() -> None:
    body = b'{"error": {"message": "no"}}'

    raised = find_dialect("openai-chat").error(Head(503, USED_UP), body, TARGET)

    assert isinstance(raised, LLMServiceError)
    assert raised.retry_after is None


@pytest.mark.parametrize(
    ("word", "is_retried"),
    [
        ("overloaded_error", True),
        ("rate_limit_error", True),
        ("server_error", True),
        ("insufficient_quota", False),
        ("billing_error", False),
        ("invalid_api_key", False),
        ("context_length_exceeded", False),
        ("content_filter", False),
        ("invalid_request_error", False),
        ("unimplemented", False),
    ],
)
def test_error_inside_a_stream_is_retried_by_its_word(word: str, is_retried: bool) -> None:
    raised = stream_error({"error": {"message": "why", "type": word}}, TARGET)

    assert (retry_delay(raised, 0, SETTINGS, 0.0) is not None) is is_retried


def test_delay_over_the_cap_stays_on_the_error_for_the_caller() -> None:
    error = answer(429, retry_after="3600")

    assert isinstance(error, RateLimitError)
    assert error.retry_after == 3600


@pytest.mark.parametrize(
    ("error", "may"),
    [
        (AuthenticationError(), True),
        (ModelNotFoundError(), True),
        (ContextLengthError(), True),
        (RateLimitError(), True),
        (QuotaExceededError(), True),
        (LLMServiceError(), True),
        (LLMAPIError(), True),
        (ConnectionError(), True),
        (ConnectionError(refused=True), True),
        (TimeoutError(), True),
        (StreamInterruptedError(), True),
        (ConfigurationError(), True),
        (ValidationError(), False),
        (ContentFilterError(), False),
        (InvalidOutputError(), False),
        (GenerationError(), False),
        (BudgetExceededError(), True),
        (ToolError(), False),
        (LLMError(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LLMError) else "",
)
def test_other_target_may_take_over_where_it_could_succeed(error: LLMError, may: bool) -> None:
    assert may_fall_back(error) is may


@pytest.mark.parametrize(
    ("error", "is_relaxed"),
    [
        pytest.param(ValidationError("unknown field stream_options", status=422), True, id="text"),
        pytest.param(ValidationError("no", status=400, param="stream_options"), True, id="param"),
        pytest.param(ValidationError("no", body="stream_options: extra"), True, id="body"),
        pytest.param(ValidationError("unknown field seed", status=422), False, id="other"),
        pytest.param(LLMServiceError("stream_options", status=500), False, id="fault"),
    ],
)
def test_refused_stream_options_are_left_out(error: LLMError, is_relaxed: bool) -> None:
    target = Target(find_provider("openai"), model="m", base_url="https://api.example.test/v1")

    relaxed = without_refused_field(error, target)

    assert (relaxed is not None) is is_relaxed
    if relaxed is not None:
        assert not relaxed.provider.quirks.stream_options
        assert without_refused_field(error, relaxed) is None


RESPONSES = Target(
    ProviderSpec("p", "http://p.test/v1", "openai-responses"), "m", "http://p.test/v1"
)


@pytest.mark.parametrize(
    ("error", "omits"),
    [
        # What transformers serve says (seen in its source 2026-11).
        pytest.param(
            answer(422, message="Unsupported fields in the request: {'store'}"), "store", id="text"
        ),
        pytest.param(ValidationError("Extra inputs", param="body.store"), "store", id="body"),
        # What OpenAI says to organisations that are not verified.
        pytest.param(
            ValidationError("Must be verified to summarise", param="reasoning.summary"),
            "reasoning.summary",
            id="summary",
        ),
        pytest.param(
            ValidationError("Encrypted content is not supported", param="include"),
            "include",
            id="include",
        ),
        pytest.param(
            ValidationError("not persisted when `store` is set to false", param="input"),
            None,
            id="other",
        ),
        pytest.param(LLMServiceError("unknown field store", status=500), None, id="fault"),
    ],
)
def test_field_of_responses_that_is_refused_is_left_out(error: LLMError, omits: str | None) -> None:
    assert without_refused_field(error, TARGET) is None, "another dialect says no such field"

    relaxed = without_refused_field(error, RESPONSES)

    if omits is None:
        assert relaxed is None
        return
    assert relaxed is not None
    assert relaxed.provider.quirks.omits == (omits,)
    assert without_refused_field(error, relaxed) is None
