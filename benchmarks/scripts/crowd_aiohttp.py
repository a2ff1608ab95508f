"""Many requests through aiohttp. Arguments: as `crowd_ours`."""

import asyncio
import sys

import aiohttp

from benchmarks.scripts.meter import measure_crowd

BODY = {"model": "bench", "messages": [{"role": "user", "content": "hello"}]}
URL = sys.argv[1] + "/chat/completions"


async def main() -> None:
    async with aiohttp.ClientSession() as session:

        async def ask() -> str:
            async with session.post(URL, json=BODY) as response:
                answer = await response.json()
            return str(answer["choices"][0]["message"]["content"])

        await measure_crowd(ask, int(sys.argv[2]), int(sys.argv[3]))


asyncio.run(main())
