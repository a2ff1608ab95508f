"""Many requests through `AsyncLLMClient`. Arguments: URL, requests, how many at once."""

import asyncio
import sys

from benchmarks.scripts.meter import measure_crowd
from llm_client import AsyncLLMClient, LLMConfig


async def main() -> None:
    config = LLMConfig(provider="openai-compatible", base_url=sys.argv[1], model="bench")
    async with AsyncLLMClient(config) as client:
        await measure_crowd(lambda: client.generate("hello"), int(sys.argv[2]), int(sys.argv[3]))


asyncio.run(main())
