"""Which models of a list are for asking: they answer in text, and are still there.

Pure. Lists say little: OpenAI's has names only, and what others say of abilities is seldom all of
it. So a name counts too, by words that makers use; whoever wants to see everything asks for all.
"""

from __future__ import annotations

import re
from typing import Final

from ..types.models import ModelInfo

__all__ = ["answers_in_text", "is_retired"]

_OTHER_WORK: Final = re.compile(
    r"\b(bge|dall|embed|embedding|embeddings|imagen|lyria|minilm|moderation|realtime|rerank|reranker"
    r"|sora|transcribe|tts|veo|whisper)\b"
)
"""Words of a name that say what a model is for instead, whatever else is said of it: Gemini lists
its models that speak as any other."""
_PICTURES: Final = re.compile(r"\b(diffusion|flux|image|images|ocr|sdxl)\b")
"""Words that say it of models of which nothing speaks for texts: some answer with both."""
_OF_CONVERSATION: Final = frozenset({"reasoning", "schema", "tools", "vision"})
"""Abilities that only a model with answers in text has, whether its list says so or not."""


def answers_in_text(model: ModelInfo) -> bool:
    """Return whether a model answers a prompt with a text, as far as its list tells."""
    name = model.id.lower().replace("_", "-")
    if _OTHER_WORK.search(name):
        return False
    able = model.capabilities
    if able is not None and "completion" in able:
        return True
    if _PICTURES.search(name):
        return False
    return able is None or not _OF_CONVERSATION.isdisjoint(able)


def is_retired(model: ModelInfo, today: str) -> bool:
    """Return whether a model was taken away before a day, written as `YYYY-MM-DD`."""
    date = re.match(r"\d{4}-\d{2}-\d{2}", model.retires_at or "")
    return date is not None and date[0] < today
