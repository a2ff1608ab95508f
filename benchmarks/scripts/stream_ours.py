"""A long stream through `LLMClient.stream`. Arguments: warm-up URL, URL, chunks."""

import sys

from benchmarks.scripts.meter import StreamMeter
from llm_client import LLMClient, LLMConfig


def client(url: str) -> LLMClient:
    return LLMClient(LLMConfig(provider="openai-compatible", base_url=url, model="bench"))


with client(sys.argv[1]) as warm_up:
    list(warm_up.stream("hello"))
with client(sys.argv[2]) as measured:
    meter = StreamMeter(int(sys.argv[3]))
    for chunk in measured.stream("hello"):
        if chunk.delta:
            meter.chunk()
    meter.report()
