"""What answers to a health check mean: which problem an error is, whether a model is there.

Pure; asking is `llm_client/health.py`'s business. Refuses to take a doubt for a no: a model that a
list does not have is missing only where the list is known to have all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote
from urllib.parse import urlsplit

from ..exceptions import (
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    ConnectionError,
    LLMError,
    ModelNotFoundError,
    RateLimitError,
    TimeoutError,
)
from ..types.config import Profile, Settings
from ..types.health import Problem
from ..types.target import ProviderSpec, Target
from .address import of_dialect
from .route import COMPATIBLE

__all__ = [
    "REFUSABLE",
    "has_model",
    "is_vendors_own",
    "named_models",
    "problem_of",
    "root_url",
    "wanted_models",
    "what_to_do",
    "without_model",
]

REFUSABLE = {
    "anthropic": "/v1/messages",
    "cohere": "/chat",
    "ollama": "/api/chat",
    "openai-chat": "/chat/completions",
    "openai-completions": "/completions",
    "openai-responses": "/responses",
}
"""By dialect: where a call goes, which has to be refused when it is empty. Gemini's has the model in
its path."""
_ROOTED = "anthropic"
"""A dialect whose paths begin at the root, where servers have what they tell about themselves."""
_DATED = r"-(latest|\d{3,8}|\d{4}-\d{2}-\d{2})"
_ALIAS_ENDINGS = ("-latest", "-0")
"""Of names that stand for a dated model: Mistral and Anthropic, which do not list them all."""
_NEAR = 3


def problem_of(error: LLMError) -> Problem:
    """Return which problem an error is."""
    match error:
        case ConfigurationError():
            return "configuration"
        case ConnectionError():
            return "unreachable"
        case AuthenticationError():
            return "key"
        case RateLimitError():
            return "limited"
        case ModelNotFoundError():
            return "model"
        case BudgetExceededError():
            return "budget"
    # llama.cpp says "Loading model" (recorded 2026-11).
    if error.status == 503 and re.search(r"\bloading\b", error.message, re.IGNORECASE):
        return "loading"
    return "failing"


def has_model(name: str, listed: Sequence[str], row: ProviderSpec) -> bool | None:
    """Return whether a provider has a model; `None` where its list does not tell.

    Args:
        name: of the model.
        listed: the ids of its list.
        row: whose list it is.
    """
    if not row.key_required and name == row.default_model:
        return True  # its name for the one that it was started with
    known = {_tagged(id, row).casefold() for id in listed}
    if any(_tagged(spelling, row).casefold() in known for spelling in _spellings(name, row)):
        return True
    stem = name.casefold()
    for ending in _ALIAS_ENDINGS:
        stem = stem.removesuffix(ending)
    if any(re.fullmatch(re.escape(stem) + _DATED, id) for id in known):
        return True
    return False if row.lists_every_model else None


def _spellings(name: str, row: ProviderSpec) -> Iterator[str]:
    yield name
    yield name.removeprefix("models/")  # Gemini's own way to write it, as `resource_path`
    if not row.default_tag and ":" in name:
        yield name.rpartition(":")[0]  # how it is to be served: OpenRouter's `:free`


def _tagged(name: str, row: ProviderSpec) -> str:
    is_bare = row.default_tag and ":" not in name.rpartition("/")[2]
    return f"{name}:{row.default_tag}" if is_bare else name


def named_models(settings: Settings, provider: str) -> tuple[str, ...]:
    """Return the models of a provider that the configuration names, the default profile's first."""
    default = settings.profile_behind(settings.default_profile or "default")
    profiles = sorted(settings.profiles.items(), key=lambda entry: entry[0] != default)
    specs: list[str] = []
    for _, profile in profiles:
        if isinstance(profile, Profile):
            specs += [profile.model or "", *profile.fallback]
    specs += settings.routing.values()
    found = (_of(provider, spec) for spec in specs if spec not in settings.profiles)
    return tuple(dict.fromkeys(filter(None, found)))


def wanted_models(settings: Settings, target: Target) -> tuple[str, ...]:
    """Return the models that a target should have, the one first that variables name."""
    row = target.provider
    own = target.model if target.model != row.default_model else ""
    return tuple(dict.fromkeys(filter(None, (own, *named_models(settings, row.name)))))


def _of(provider: str, spec: str) -> str:
    """Return the model of a spec; empty where it is another provider's."""
    name, slash, model = spec.partition("/")
    return model if slash and provider in (name, name.lower()) else ""


def root_url(target: Target) -> str:
    """Return the address behind which a server tells about itself."""
    return of_dialect(target.base_url, target.provider.dialect, _ROOTED)


def is_vendors_own(target: Target) -> bool:
    """Return whether a target is where the catalog says, and not a proxy of the user's."""
    usual = target.provider.base_url
    return "{" in usual or urlsplit(target.base_url).hostname == urlsplit(usual).hostname


def what_to_do(problem: Problem, error: LLMError, target: Target) -> str | None:
    """Return the next step after an error, as a command where there is one."""
    row = target.provider
    match problem:
        case "key":
            variable = (*row.key_env, row.own_key_variable)[0]
            if row.name == COMPATIBLE:
                return f"Put a valid key into {variable}: `export {variable}=…`."
            what = "a valid one" if target.api_key or target.basic_auth else "its key"
            return f"Put in {what}: `llm-client creds set {row.name}`, or set {variable}."
        case "loading":
            return f"Ask again in a while: `llm-client health {_naming(target)}`."
    slow = "If it is only slow, allow more: `llm-client health --timeout SECONDS`."
    if isinstance(error, TimeoutError) and error.accepted:
        return f"It is there and does not answer: its log may say why.\n{slow}"
    if error.hint is not None:
        return error.hint
    match error:
        case TimeoutError():
            return slow
        case ConnectionError(refused=True):
            other = "with `-u http://HOST:PORT/v1`"
            if row.name != COMPATIBLE:
                other = f"with `llm-client config set providers.{row.name}.base_url URL`"
            return f"Is the server running, and on this port? Another address is given {other}."
        case RateLimitError():
            return f"Ask again in a while: `llm-client health {_naming(target)}`."
        case BudgetExceededError() | ConfigurationError():
            return None
    if not target.base_url.startswith("http"):
        return None
    return f"See what answers there: `curl -v {target.base_url}`."


def without_model(missing: Iterable[str], listed: Sequence[str], target: Target) -> tuple[str, str]:
    """Return why a provider is not healthy that lacks models, and what to do."""
    from difflib import get_close_matches

    names = list(missing)
    row = target.provider
    shown = ", ".join(map(repr, names))
    if not target.base_url.startswith("http"):
        error = f"There is no model {shown} on this machine."
        return error, f"Correct its path; what is there shows `ls -d {quote(names[0])}*`."
    error = f"{target.base_url} has no model {shown}."
    if row.fetch_model_command:
        return error, f"Fetch it: `{row.fetch_model_command} {names[0]}`."
    near = get_close_matches(names[0], listed, n=_NEAR, cutoff=0.4)
    meant = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    return error, f"{meant}See what there is: `llm-client models {_naming(target)}`."


def _naming(target: Target) -> str:
    """Return the flags that name a target on the command line."""
    name = target.provider.name
    return f"-u {target.base_url}" if name == COMPATIBLE else f"-p {name}"
