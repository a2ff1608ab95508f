"""Many requests through httpx as it comes. Arguments: as `crowd_ours`."""

import asyncio
import sys

import httpx

from benchmarks.scripts.meter import measure_crowd

BODY = {"model": "bench", "messages": [{"role": "user", "content": "hello"}]}
URL = sys.argv[1] + "/chat/completions"


async def main() -> None:
    async with httpx.AsyncClient(timeout=120) as client:

        async def ask() -> str:
            answer = (await client.post(URL, json=BODY)).json()
            return str(answer["choices"][0]["message"]["content"])

        await measure_crowd(ask, int(sys.argv[2]), int(sys.argv[3]))


asyncio.run(main())
