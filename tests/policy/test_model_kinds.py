"""Which models are listed unless all are asked for."""

from __future__ import annotations

import pytest

from llm_client.policy.model_kinds import answers_in_text, is_retired
from llm_client.types.models import ModelInfo


@pytest.mark.parametrize(
    "name",
    [
        "gpt-5.6-luna",
        "o3",
        "gpt-4o-search-preview",
        "davinci-002",
        "claude-sonnet-5",
        "llama3.2:1b",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "imagine-chat",
        "embedded",
        "demo",
        "größe/模型:7b",
    ],
)
def test_model_of_which_nothing_is_said_answers_in_text(name: str) -> None:
    assert answers_in_text(ModelInfo(name, "p"))


@pytest.mark.parametrize(
    "name",
    [
        "text-embedding-3-small",
        "nomic-embed-text:latest",
        "BAAI/bge-m3",
        "all-minilm:33m",
        "jina_embeddings_v4",
        "rerank-v4.0-pro",
        "whisper-1",
        "gpt-4o-mini-tts",
        "gpt-4o-transcribe",
        "gpt-realtime",
        "omni-moderation-latest",
        "dall-e-3",
        "gpt-image-1",
        "chatgpt-image-latest",
        "sora-2",
        "veo-3.1-generate",
        "black-forest-labs/FLUX.1-schnell",
        "stabilityai/stable-diffusion-xl",
    ],
)
def test_name_tells_what_else_a_model_is_for(name: str) -> None:
    assert not answers_in_text(ModelInfo(name, "p"))


@pytest.mark.parametrize(
    ("name", "capabilities", "expected"),
    [
        pytest.param("x", ("completion",), True, id="text"),
        pytest.param("x", ("completion", "embedding"), True, id="both"),
        pytest.param("x", ("embedding",), False, id="vectors"),
        pytest.param("x", (), False, id="nothing"),
        pytest.param("x", ("audio",), False, id="sound"),
        pytest.param("x", ("tools",), True, id="conversation that its list does not name"),
        pytest.param("moonshot-v1-8k-vision", ("vision",), True, id="sees"),
        pytest.param("mistral-ocr-latest", ("vision",), False, id="reads pictures"),
        pytest.param("gemini-2.5-flash-image", ("completion",), True, id="texts and pictures"),
        pytest.param("gemini-2.5-flash-preview-tts", ("completion",), False, id="speaks"),
    ],
)
def test_abilities_count_where_they_are_told(
    name: str, capabilities: tuple[str, ...], expected: bool
) -> None:
    assert answers_in_text(ModelInfo(name, "p", capabilities=capabilities)) is expected


@pytest.mark.parametrize(
    ("retires_at", "expected"),
    [
        (None, False),
        ("2026-11-05", True),
        ("2026-11-05T23:59:59Z", True),
        ("2026-11-06", False),
        ("2027-01-01T00:00:00Z", False),
        ("next spring", False),
    ],
)
def test_model_is_retired_from_the_day_after(retires_at: str | None, expected: bool) -> None:
    assert is_retired(ModelInfo("x", "p", retires_at=retires_at), "2026-11-06") is expected
