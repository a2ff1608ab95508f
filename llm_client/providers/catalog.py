"""Who answers: every provider by its name.

Owns the look-up. The rows are facts, each with its source, and stand in `local.py`, `makers.py`,
`hosts.py` and `clouds.py`; what to do with a fact is decided on other floors. The rows are many,
and one call needs one of them: a file of rows is imported when a row of it is looked up, and none
to know which names there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Final, TypeAlias

from ..exceptions import ConfigurationError
from ..types.target import ProviderSpec

__all__ = ["CATALOG", "LOCAL_SERVERS", "find_provider"]

Rows: TypeAlias = dict[str, ProviderSpec]


@cache
def _local() -> Rows:
    from .local import LOCAL

    return {row.name: row for row in LOCAL}


@cache
def _makers() -> Rows:
    from .makers import MAKERS

    return {row.name: row for row in MAKERS}


@cache
def _hosts() -> Rows:
    from .hosts import HOSTS

    return {row.name: row for row in HOSTS}


@cache
def _clouds() -> Rows:
    from .clouds import CLOUDS

    return {row.name: row for row in CLOUDS}


_NAMES: Final[tuple[tuple[Callable[[], Rows], str], ...]] = (
    (
        _makers,
        "openai anthropic gemini mistral deepseek xai cohere perplexity moonshot dashscope zai "
        "zhipuai minimax meta llama volcengine ai21 inception reka sarvam v0 morph",
    ),
    (
        _hosts,
        "openrouter groq cerebras together fireworks deepinfra sambanova nebius vercel crusoe "
        "novita hyperbolic lambda baseten featherless nscale friendli modelscope requesty poe "
        "venice chutes gmi parasail atlascloud ollama-cloud voyage jina",
    ),
    (
        _clouds,
        "huggingface github azure databricks snowflake cloudflare heroku ovhcloud scaleway nvidia "
        "wandb",
    ),
    (
        _local,
        "ollama lmstudio llamacpp mlx vllm sglang llama-cpp-python llamafile docker tgi "
        "transformers localai jan gpt4all koboldcpp text-generation-webui lemonade litellm "
        "openai-compatible embedded",
    ),
)
"""Whose rows are in which file, in the order of the rows."""
_FILES: Final = {name: rows for rows, names in _NAMES for name in names.split()}


class _Catalog(Mapping[str, ProviderSpec]):
    """The rows by their names; iterated in the order of preference, makers first."""

    def __getitem__(self, name: str) -> ProviderSpec:
        return _FILES[name]()[name]

    def __contains__(self, name: object) -> bool:
        return name in _FILES  # `Mapping` would look the row up

    def __iter__(self) -> Iterator[str]:
        return iter(_FILES)

    def __len__(self) -> int:
        return len(_FILES)


CATALOG: Final = _Catalog()
"""Every provider by its name."""

LOCAL_SERVERS: Final = ("ollama", "lmstudio", "llamacpp", "mlx", "vllm")
"""The servers to look for when nothing is configured, in order of preference."""

_WELL_KNOWN: Final = ("openai", "anthropic", "gemini", "ollama")
_MOST_NEAR: Final = 3


def find_provider(name: str, configured: Iterable[str] = ()) -> ProviderSpec:
    """Return the row of a provider.

    Args:
        name: in letters of any case.
        configured: names that the configuration gives to others, for the hint.

    Raises:
        ConfigurationError: there is none of that name; the hint has the nearest.
    """
    row = CATALOG.get(name.lower())
    if row is not None:
        return row
    from difflib import get_close_matches

    own = sorted(configured)
    near = get_close_matches(name.lower(), dict.fromkeys([*own, *CATALOG]), n=_MOST_NEAR)
    if near:
        *others, last = map(repr, near)
        hint = f"Did you mean {', '.join(others)}{' or ' if others else ''}{last}?"
    else:
        also = f" and, in the configuration, {', '.join(own)}" if own else ""
        hint = f"Known are {', '.join(_WELL_KNOWN)}, {len(CATALOG) - len(_WELL_KNOWN)} more{also}."
    raise ConfigurationError(
        f"There is no provider {name!r}.",
        hint=f"{hint} Any other OpenAI-compatible server: `--base-url URL`.",
    )
