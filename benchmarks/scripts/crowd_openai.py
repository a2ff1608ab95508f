"""Many requests through the openai SDK. Arguments: as `crowd_ours`."""

import asyncio
import sys

import openai

from benchmarks.scripts.meter import measure_crowd

MESSAGES = [{"role": "user", "content": "hello"}]


async def main() -> None:
    async with openai.AsyncOpenAI(base_url=sys.argv[1], api_key="bench") as client:

        async def ask() -> str:
            answer = await client.chat.completions.create(model="bench", messages=MESSAGES)
            return str(answer.choices[0].message.content)

        await measure_crowd(ask, int(sys.argv[2]), int(sys.argv[3]))


asyncio.run(main())
