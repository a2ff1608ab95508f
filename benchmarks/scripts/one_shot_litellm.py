"""The same stream with litellm."""

import sys

import litellm

messages = [{"role": "user", "content": "hello"}]
for chunk in litellm.completion(
    model="openai/bench", api_base=sys.argv[1], api_key="bench", messages=messages, stream=True
):
    sys.stdout.write(chunk.choices[0].delta.content or "")
    sys.stdout.flush()
print()
