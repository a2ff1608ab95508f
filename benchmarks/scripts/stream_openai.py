"""A long stream through the openai SDK. Arguments: as `stream_ours`."""

import sys

import openai

from benchmarks.scripts.meter import StreamMeter

MESSAGES = [{"role": "user", "content": "hello"}]


def stream(url: str) -> openai.Stream:
    client = openai.OpenAI(base_url=url, api_key="bench")
    return client.chat.completions.create(model="bench", messages=MESSAGES, stream=True)


list(stream(sys.argv[1]))
meter = StreamMeter(int(sys.argv[3]))
for chunk in stream(sys.argv[2]):
    if chunk.choices[0].delta.content:
        meter.chunk()
meter.report()
