"""A long stream through `AsyncLLMClient.stream`. Arguments: warm-up URL, URL, chunks."""

import asyncio
import sys

from benchmarks.scripts.meter import StreamMeter
from llm_client import AsyncLLMClient, LLMConfig


def client(url: str) -> AsyncLLMClient:
    return AsyncLLMClient(LLMConfig(provider="openai-compatible", base_url=url, model="bench"))


async def main() -> None:
    async with client(sys.argv[1]) as warm_up:
        async for _ in warm_up.stream("hello"):
            pass
    async with client(sys.argv[2]) as measured:
        meter = StreamMeter(int(sys.argv[3]))
        async for chunk in measured.stream("hello"):
            if chunk.delta:
                meter.chunk()
        meter.report()


asyncio.run(main())
