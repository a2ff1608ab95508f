"""The floor of one-shot figures with the standard library: http.client, one stream."""

import http.client
import json
import sys

host, _, path = sys.argv[1].removeprefix("http://").partition("/")
body = {"model": "bench", "messages": [{"role": "user", "content": "hello"}], "stream": True}
connection = http.client.HTTPConnection(host)
connection.request(
    "POST",
    f"/{path}/chat/completions",
    json.dumps(body),
    {"Content-Type": "application/json"},
)
for line in connection.getresponse():
    if line.startswith(b"data: ") and line != b"data: [DONE]\n":
        delta = json.loads(line[6:])["choices"][0]["delta"]
        sys.stdout.write(delta.get("content", ""))
        sys.stdout.flush()
print()
