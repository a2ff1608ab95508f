"""A long stream read by hand: httpx's raw bytes, split, parsed. Arguments: as `stream_ours`."""

import json
import sys
from collections.abc import Iterator

import httpx

from benchmarks.scripts.meter import StreamMeter

BODY = {"model": "bench", "messages": [{"role": "user", "content": "hello"}], "stream": True}


def deltas(client: httpx.Client, url: str) -> Iterator[str]:
    with client.stream("POST", url + "/chat/completions", json=BODY) as response:
        rest = b""
        for data in response.iter_raw():
            *events, rest = (rest + data).split(b"\n\n")
            for event in events:
                if event != b"data: [DONE]":
                    yield json.loads(event[6:])["choices"][0]["delta"].get("content", "")


with httpx.Client() as client:
    list(deltas(client, sys.argv[1]))
    meter = StreamMeter(int(sys.argv[3]))
    for delta in deltas(client, sys.argv[2]):
        if delta:
            meter.chunk()
    meter.report()
