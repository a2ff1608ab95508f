"""A long stream through the openai SDK on asyncio. Arguments: as `stream_ours`."""

import asyncio
import sys

import openai

from benchmarks.scripts.meter import StreamMeter

MESSAGES = [{"role": "user", "content": "hello"}]


async def stream(url: str) -> openai.AsyncStream:
    client = openai.AsyncOpenAI(base_url=url, api_key="bench")
    return await client.chat.completions.create(model="bench", messages=MESSAGES, stream=True)


async def main() -> None:
    async for _ in await stream(sys.argv[1]):
        pass
    meter = StreamMeter(int(sys.argv[3]))
    async for chunk in await stream(sys.argv[2]):
        if chunk.choices[0].delta.content:
            meter.chunk()
    meter.report()


asyncio.run(main())
