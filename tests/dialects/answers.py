"""What the decoder tests of every dialect share: targets, folding, and what cuts may do.

The expected values of the recordings stand in `expected_*.json`, one row per recording: read off
the recordings by hand and by a script that knows nothing of the decoders. A long text is given by
its start, its end, its length and a hash.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from llm_client.dialects.base import Dialect
from llm_client.exceptions import LLMAPIError, LLMError, LLMServiceError, StreamInterruptedError
from llm_client.providers.catalog import find_provider
from llm_client.types.response import Fold, StreamChunk
from llm_client.types.secret import Secret
from llm_client.types.target import Quirks, Target

from ..support.recordings import Recording, local_answer, provider_exchange

SMALL = 6000
"""Bytes up to which a body is split in two at every offset; larger ones at samples, and byte by byte."""
_LONG = 160


class Answer(NamedTuple):
    """What a decoder made of a body."""

    text: str
    reasoning: str
    tools: list[list[str]]
    """Id, name and arguments of each call."""
    finish: str | None
    usage: Sequence[float | None] | None
    """Prompt, completion, total, cached, cache write, reasoning; the cost in USD."""
    model: str
    id: str | None
    error: LLMError | None


def target(provider: str, key: str | None = None, **fields: Any) -> Target:
    """Return a target at a made-up address of a provider of the catalog."""
    row = find_provider(provider)
    path = {"anthropic": "", "cohere": "/v2", "gemini": "/v1beta", "ollama": ""}
    base_url = f"http://localhost:1{path.get(row.dialect, '/v1')}"
    fields = {"model": "some-model", "base_url": base_url, **fields}
    return Target(row, api_key=Secret(key) if key else None, **fields)


def plain(where: Target) -> Target:
    """Return the target of a provider that keeps to its dialect, whatever the catalog says."""
    return replace(where, provider=replace(where.provider, quirks=Quirks()))


def answer(chunks: list[StreamChunk]) -> Answer:
    """Fold chunks, after checking that they keep the promises of every decoder."""
    fold = Fold()
    for chunk in chunks[:-1]:
        assert chunk.error is None
        assert not chunk.is_done
        fold.add(chunk)
    last = chunks[-1]
    assert last.is_done is (last.error is None)
    fold.add(last)
    response = fold.response(provider="", model="")
    usage = response.usage
    return Answer(
        response.content,
        response.reasoning,
        [[call.id, call.name, call.arguments] for call in response.tool_calls],
        response.finish_reason,
        None
        if usage is None
        else [
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens,
            usage.estimated_cost,
        ],
        response.model,
        response.response_id,
        last.error,
    )


def feed(dialect: Dialect, where: Target, parts: Iterable[bytes]) -> list[StreamChunk]:
    """Return the chunks of a stream that comes in parts and then ends."""
    decoder = dialect.decoder(where)
    chunks = [chunk for part in parts for chunk in decoder.feed(part)]
    if not decoder.done:
        chunks += decoder.end()
    assert decoder.done
    return chunks


def decode(dialect: Dialect, where: Target, recording: Recording) -> Answer:
    """Return what a recorded answer says, streamed or whole as it came."""
    if recording.streamed:
        return answer(feed(dialect, where, [recording.body]))
    return answer(dialect.decode(recording.body, where))


def shown(value: Answer) -> dict[str, Any]:
    """Return an answer in the form of the expected rows: empty fields are left out."""
    row = value._replace(text="", reasoning="")._asdict()
    row["text"], row["reasoning"] = _brief(value.text), _brief(value.reasoning)
    row["error"] = type(value.error).__name__ if value.error else None
    return {name: field for name, field in row.items() if field not in (None, "", [])}


def _brief(text: str) -> str | dict[str, Any]:
    if len(text) <= _LONG:
        return text
    digest = sha256(text.encode()).hexdigest()[:16]
    return {"start": text[:60], "end": text[-40:], "length": len(text), "sha256": digest}


def expected(name: str) -> dict[str, dict[str, Any]]:
    """Return the rows of one file of expected values, by recording."""
    rows = json.loads((Path(__file__).parent / f"expected_{name}.json").read_bytes())
    assert isinstance(rows, dict)
    return rows


def recording(name: str) -> Recording:
    """Return the recording that a row is about: `server/name`, or `provider/name#exchange`."""
    folder, _, rest = name.partition("/")
    file, numbered, index = rest.partition("#")
    return provider_exchange(folder, file, int(index)) if numbered else local_answer(folder, file)


def offsets(body: bytes) -> Iterator[int]:
    """Return where to split: everywhere in a small body, else at samples and close to the end."""
    if len(body) <= SMALL:
        yield from range(1, len(body))
    else:
        yield from range(1, len(body), max(97, len(body) // 150) | 1)
        yield from range(len(body) - 40, len(body))


def check_splits(dialect: Dialect, where: Target, body: bytes) -> None:
    """Assert that the answer does not depend on where its bytes are split."""
    whole = answer(feed(dialect, where, [body]))
    one_by_one = answer(feed(dialect, where, (body[i : i + 1] for i in range(len(body)))))
    assert _comparable(one_by_one) == _comparable(whole)
    for offset in offsets(body):
        split = answer(feed(dialect, where, [body[:offset], body[offset:]]))
        assert _comparable(split) == _comparable(whole), f"split at {offset}"


def check_cuts(dialect: Dialect, where: Target, body: bytes, finished: Iterable[bytes]) -> None:
    """Assert that a cut answer is an error with a part of the answer, or has all of it.

    Args:
        dialect: decodes.
        where: whom the answer is from.
        body: the whole stream.
        finished: marks of which one must have arrived before anything may pass for an answer.
    """
    whole = answer(feed(dialect, where, [body]))
    marks = list(finished)
    decoder = dialect.decoder(where)
    text = reasoning = ""
    for offset in range(len(body)):
        # A copy is ended at every byte: decoding each part anew would take the square of the size.
        ended = _copied(decoder, {id(where): where})
        last = [] if ended.done else ended.end()
        cut_text = text + "".join(chunk.delta for chunk in last)
        cut_reasoning = reasoning + "".join(chunk.reasoning for chunk in last)
        error = next((chunk.error for chunk in last if chunk.error is not None), None)
        place = f"cut at {offset}"
        if error is None and not decoder.done:
            assert any(mark in body[:offset] for mark in marks), place
        if error is None:
            assert (cut_text, cut_reasoning) == (whole.text, whole.reasoning), place
        else:
            assert whole.text.startswith(cut_text), place
            assert whole.reasoning.startswith(cut_reasoning), place
            if not isinstance(error, StreamInterruptedError):
                nothing = isinstance(error, LLMServiceError) and "sent nothing" in str(error)
                assert (nothing and not cut_text) or str(error) == str(whole.error), place
        if decoder.done:
            return  # what the server still sends is not looked at
        for chunk in decoder.feed(body[offset : offset + 1]):
            text, reasoning = text + chunk.delta, reasoning + chunk.reasoning


_UNCHANGING = (str, bytes, int, float, frozenset, type(None))


_SLOTS: dict[type, tuple[str, ...]] = {}


def _slots(kind: type) -> tuple[str, ...]:
    if kind not in _SLOTS:
        names = (name for base in kind.__mro__ for name in getattr(base, "__slots__", ()))
        _SLOTS[kind] = tuple(names)
    return _SLOTS[kind]


def _copied(value: Any, copies: dict[int, Any]) -> Any:
    """Return a deep copy, as `copy.deepcopy` would with that memo, in a fraction of its time."""
    if isinstance(value, _UNCHANGING):
        return value
    if id(value) in copies:
        return copies[id(value)]
    if type(value) is list:
        copies[id(value)] = items = value[:]
        if items and not isinstance(
            items[0], bytes | str
        ):  # such a list holds nothing that changes
            items[:] = [_copied(item, copies) for item in items]
        return items
    if type(value) is dict:
        copies[id(value)] = fields = value.copy()
        for name, item in value.items():
            fields[name] = _copied(item, copies)
        return fields
    if hasattr(value, "__dict__") or not _slots(type(value)):
        return copy.deepcopy(value, copies)
    copies[id(value)] = made = object.__new__(type(value))
    for name in _slots(type(value)):
        if hasattr(value, name):
            object.__setattr__(made, name, _copied(getattr(value, name), copies))
    return made


def _comparable(value: Answer) -> tuple[Answer, str]:
    return value._replace(error=None), str(value.error)


def details(error: LLMError | None) -> dict[str, Any]:
    """Return an error in the form of the expected rows."""
    assert error is not None
    row: dict[str, Any] = {"error": type(error).__name__}
    if isinstance(error, LLMAPIError):
        names = ("status", "code", "type", "param", "retryable", "retry_after", "request_id")
        row.update((name, getattr(error, name)) for name in names)
    return {name: value for name, value in row.items() if value is not None}
