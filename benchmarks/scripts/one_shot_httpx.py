"""The bare script that one-shot figures are ratios of: httpx, one stream, nothing else."""

import json
import sys

import httpx

body = {"model": "bench", "messages": [{"role": "user", "content": "hello"}], "stream": True}
with httpx.Client().stream("POST", sys.argv[1] + "/chat/completions", json=body) as response:
    for line in response.iter_lines():
        if line.startswith("data: ") and line != "data: [DONE]":
            delta = json.loads(line[6:])["choices"][0]["delta"]
            sys.stdout.write(delta.get("content", ""))
            sys.stdout.flush()
print()
