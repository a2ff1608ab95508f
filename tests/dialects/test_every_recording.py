"""Every recording there is, by every dialect: an answer or an error, and never an exception.

What an answer of a dialect's own says is compared in `test_*_recordings.py`. Here the bodies go to
the wrong readers too, as they do behind a wrong address or `--dialect`.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from llm_client.dialects import DIALECTS, find_dialect
from llm_client.dialects.base import ListsModels
from llm_client.exceptions import LLMError

from ..support.recordings import ROOT, Recording, local_answer, needs_recordings, provider_exchange
from .answers import answer, feed, target

pytestmark = needs_recordings

OTHER_ENDPOINTS = {
    "of llama.cpp alone": "apply-template completion completion-stream count-oai detokenize "
    "embedding-bare health infill lora metrics models-bare props rerank slots tokenize tools "
    "health-badkey health-key health-nokey health-xkey props-key props-xkey",
    "of Ollama, not for answers": "copy cors-ok delete embed-legacy generate-load generate-raw "
    "generate-system oll-generate oll-generate-stream oll-ps oll-show oll-version ps pull "
    "root-head show show-verbose unload version auth-header",
    "counting tokens": "anth-count gem-count",
    "of LiteLLM's keeper": "keygen live modelinfo ready",
    "one model, or the front page": "model-one root",
    "a list of models: test_models": "gem-models models models-badkey models-key models-nokey "
    "models-xkey badkey-models onlymock-models oll-tags tags",
    "embeddings: test_embeddings_answers": "embeddings emb-key emb-xkey oll-embed",
    "not served there": "gem gem-stream gem-stream-json gem-tools oll-chat oll-chat-stream "
    "oll-chat-tools oll-err-model resp resp-stream resp-tools-stream",
    "a key that is missing or wrong": "auth- auth-bad",
    "an empty body: test_stream_with_an_empty_body_names_the_long_prompt": "err-too-long-stream",
}
"""Endpoints that no row of `expected_*.json` is about, and why."""
ELSEWHERE = {
    "cerebras/known_model_names": "a list of models",
    "openai_chat/invalid_response": "test_recorded_200_that_is_no_answer_says_so",
    "openai_chat/text_response": "test_recorded_200_that_is_no_answer_says_so",
    "openai_responses/model_name_suggestion-openai-responses": "test_openai_responses_recordings",
    "openai_responses/openai_responses_model_http_error": "test_openai_responses_recordings",
}


def everything() -> Iterator[str]:
    if ROOT is None:
        return
    for path in sorted((ROOT / "local-servers").glob("*/*.http")):
        yield f"{path.parent.name}/{path.stem}"
    for path in sorted((ROOT / "providers").glob("*/*.json")):
        for index in range(len(json.loads(path.read_bytes())["exchanges"])):
            yield f"{path.parent.name}/{path.stem}#{index}"


def recorded(name: str) -> Recording:
    folder, _, rest = name.partition("/")
    file, numbered, index = rest.partition("#")
    return provider_exchange(folder, file, int(index)) if numbered else local_answer(folder, file)


def named(value: Any) -> Iterator[str]:
    """Yield the recordings that rows of expected values are about, however deep they stand."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key.partition("#")[0]
            yield from named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named(inner)
    elif isinstance(value, str):
        yield value.partition("#")[0]


NAMES = list(everything())
LEAST_CUTS = 3000


def test_every_recording_has_its_row_or_a_reason() -> None:
    folder = Path(__file__).parent
    rows = {
        name
        for file in folder.glob("expected_*.json")
        for name in named(json.loads(file.read_bytes()))
        if re.fullmatch(r"[\w.-]+/[\w.-]+", name)
    }
    reasons = {endpoint for names in OTHER_ENDPOINTS.values() for endpoint in names.split()}
    left = {
        name
        for name in (whole.partition("#")[0] for whole in NAMES)
        if name not in rows and name not in ELSEWHERE and name.partition("/")[2] not in reasons
    }
    assert left == set()
    assert len(NAMES) > 780


@pytest.mark.parametrize("name", DIALECTS)
def test_any_body_is_an_answer_or_an_error_in_any_dialect(name: str) -> None:
    dialect, where = find_dialect(name), target("openai-compatible")
    for source in map(recorded, NAMES):
        answer(dialect.decode(source.body, where))
        answer(feed(dialect, where, [source.body]))
        if isinstance(dialect, ListsModels):
            with suppress(LLMError):
                dialect.decode_models(source.body, where)


@pytest.mark.parametrize("name", DIALECTS)
def test_answer_that_came_whole_is_no_answer_when_cut_and_the_same_in_pieces(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Looking for keys in 100,000 error bodies would take minutes.
    monkeypatch.setattr("llm_client.dialects.errors.redact", lambda text, secrets: text)
    dialect, where = find_dialect(name), target("openai-compatible")
    cuts = 0
    for source in map(recorded, NAMES):
        body = source.body.strip()
        whole = answer(dialect.decode(body, where))
        if whole.error is not None or not body.startswith((b"{", b"[")) or b"\n{" in body:
            continue  # no answer of this dialect, or a stream: those have tests of their own
        pieces = (body[i : i + 1] for i in range(len(body)))
        assert answer(feed(dialect, where, pieces)) == whole, source.name
        for end in range(len(body)):
            cut = answer(dialect.decode(body[:end], where))
            assert cut.error is not None, f"{source.name} cut at {end}"
            assert not cut.text, f"{source.name} cut at {end}"
            cuts += 1
    assert cuts > LEAST_CUTS


@pytest.mark.parametrize("name", DIALECTS)
def test_any_recorded_failure_carries_what_every_error_carries(name: str) -> None:
    dialect, where = find_dialect(name), target("openai-compatible")
    failures = [source for source in map(recorded, NAMES) if source.head.status >= 400]
    assert len(failures) > 300
    for source in failures:
        error = dialect.error(source.head, source.body, where)
        assert (error.provider, error.model) == ("openai-compatible", "some-model"), source.name
        assert error.status == source.head.status, source.name
        assert len(error.message) > 20, source.name
        sent = source.head.headers
        if "x-request-id" in sent:
            assert error.request_id, source.name
        if sent.get("retry-after", "").isdigit():
            assert error.retry_after == float(sent["retry-after"]), source.name
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
