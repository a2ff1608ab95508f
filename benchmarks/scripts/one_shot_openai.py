"""The same stream with the openai SDK."""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="bench")
messages = [{"role": "user", "content": "hello"}]
for chunk in client.chat.completions.create(model="bench", messages=messages, stream=True):
    sys.stdout.write(chunk.choices[0].delta.content or "")
    sys.stdout.flush()
print()
