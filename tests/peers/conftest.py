"""The LiteLLM proxy, once a session. Without its virtual environment nothing here is collected."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.peers.litellm_proxy import ENVIRONMENT_VARIABLE, running_proxy
from tests.support.llama_server import running_llama_server

collect_ignore_glob = [] if os.environ.get(ENVIRONMENT_VARIABLE) else ["test_*.py"]


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of the proxy, without a path."""
    if ENVIRONMENT_VARIABLE not in os.environ:
        pytest.skip("needs the LiteLLM proxy: `make test-peers`")
    with (
        running_llama_server(ctx=16_384) as llama,
        running_proxy(tmp_path_factory.mktemp("litellm"), llama) as url,
    ):
        yield url
