"""What both clients share: from constructor and method arguments to steps of the engine.

Owns the route, the defaults and the books of one client. The clients add a driver and nothing
else, so what is true of one is true of the other.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .dialects import find_dialect
from .engine.context import DEFAULT_SCHEMA_RETRIES
from .engine.effects import Steps, call
from .engine.exchange import Deadline, as_sent, fetch_models
from .engine.pipeline import CallContext, run_call
from .engine.session import Session, Stats
from .exceptions import ConfigurationError, InsecureConnectionWarning, ValidationError
from .policy.route import (
    is_loopback,
    profile_config,
    resolve_target,
    retry_settings,
    split_model,
    target_for_fallback,
    with_dialect,
    with_timeout,
)
from .price_list import cost, with_windows
from .storage.config import load_settings
from .storage.paths import cache_dir
from .types.checks import check_count, check_seconds
from .types.config import LLMConfig
from .types.events import Event, Observer
from .types.http import HttpRequest
from .types.request import LLMRequest, Prompt, RequestOptions
from .types.response import LLMResponse
from .types.target import Target

if TYPE_CHECKING:
    from .storage.model_cache import ModelCache
    from .types.embedding import EmbeddingRequest, EmbeddingResponse, EmbedOptions
    from .types.models import HealthReport, ModelInfo

__all__ = ["Calls"]

_CALL_OPTIONS = frozenset({"model", "timeout", "deadline", "max_retries", "schema_retries"})
"""Options of a call that are not fields of its request."""


class Calls:
    """One client's route, defaults and books."""

    def __init__(
        self,
        config: LLMConfig | str | None,
        *,
        profile: str | None = None,
        config_path: str | Path | None = None,
        observe: Observer | None = None,
        defaults: RequestOptions | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._environ = environ
        self._settings = load_settings(
            Path(config_path).expanduser() if config_path is not None else None, environ
        )
        self._observe = observe
        self.session = Session()
        self.reason = ""
        """Why the first target was chosen, when nothing named it."""
        if not isinstance(config, LLMConfig | str | None):
            raise TypeError(f"a client takes an LLMConfig or a text, not {type(config).__name__}")
        _check_options(defaults or {})
        given = LLMConfig(model=config) if isinstance(config, str) else config or LLMConfig()
        self.config, self.route = self._plan(given, profile)
        self._defaults = self._defaults_of(self.config, defaults or {})
        self._retry = retry_settings(self.config, self._settings)

    @property
    def target(self) -> Target:
        """The first choice."""
        return self.route[0]

    def call(self, prompt: Prompt, *, stream: bool, options: RequestOptions) -> Steps[LLMResponse]:
        """Return the steps of one call.

        Raises:
            ValidationError: the request is wrong in itself; nothing is sent.
        """
        request, extra = self._request(prompt, stream=stream, options=options)
        return self._run(request, self._context(extra))

    def completion(self, prompt: str, options: RequestOptions) -> Steps[LLMResponse]:
        """Return the steps of one text completion: a call in the legacy dialect of OpenAI.

        Raises:
            ValidationError: the request is wrong in itself; nothing is sent.
        """
        request, extra = self._request(prompt, stream=False, options=options)
        if request.schema is not None:
            # Here, because the engine would try to ask for it in a system prompt.
            raise ValidationError("Text completion cannot be told schema.", param="schema")
        context = self._context(extra)
        route = [with_dialect(target, "openai-completions") for target in context.route]
        return self._run(request, replace(context, route=route))

    def preview(self, prompt: Prompt, *, stream: bool, options: RequestOptions) -> HttpRequest:
        """Return the request that a call would send first; nothing is sent."""
        request, extra = self._request(prompt, stream=stream, options=options)
        target = self._route(extra)[0]
        if request.schema is not None:
            from .policy.structured import Asking, first_mode

            request = Asking.of(request, first_mode(request, target)).request
        return find_dialect(target.provider.dialect).encode(as_sent(request, target), target)

    def embed(self, texts: str | Iterable[str], options: EmbedOptions) -> Steps[EmbeddingResponse]:
        """Return the steps of one embedding call.

        Raises:
            ValidationError: the request is wrong in itself; nothing is sent.
        """
        from .types.embedding import EmbeddingRequest, EmbedOptions

        _check_options(options, EmbedOptions.__annotations__)
        # Of the client's defaults those of the call itself; the others are about answers.
        extra = {name: self._defaults.get(name) for name in _CALL_OPTIONS}
        asked: dict[str, Any] = dict(options)
        extra |= {name: asked.pop(name) for name in _CALL_OPTIONS & asked.keys()}
        return self._run_embedding(EmbeddingRequest.build(texts, **asked), extra)

    def _run_embedding(
        self, request: EmbeddingRequest, extra: Mapping[str, Any]
    ) -> Steps[EmbeddingResponse]:
        from .engine.embedding import run_embedding

        response = yield from run_embedding(request, self._context(extra))
        self.session.answered()
        return response

    def _request(
        self, prompt: Prompt, *, stream: bool, options: RequestOptions
    ) -> tuple[LLMRequest, dict[str, Any]]:
        _check_options(options)
        merged: dict[str, Any] = {**self._defaults, **options}
        extra = {name: merged.pop(name, None) for name in _CALL_OPTIONS}
        request = LLMRequest.build(prompt, stream=stream, **merged)
        if request.schema is not None:
            from .wire.json_schema import check_schema

            check_schema(request.schema)
        return request, extra

    def _route(self, extra: Mapping[str, Any]) -> list[Target]:
        route = list(self.route)
        if extra["model"] is not None:
            route[0] = self._other_model(extra["model"])
        if extra["timeout"] is not None:
            route = [with_timeout(target, extra["timeout"]) for target in route]
        return route

    def _run(self, request: LLMRequest, context: CallContext) -> Steps[LLMResponse]:
        response = yield from run_call(request, context)
        self.session.answered(response)
        return response

    def _context(self, extra: Mapping[str, Any]) -> CallContext:
        retry = self._retry
        if extra["max_retries"] is not None:
            retry = replace(retry, max_retries=extra["max_retries"])
        return CallContext(
            call_id=uuid.uuid4().hex,
            route=self._route(extra),
            retry=retry,
            deadline=extra["deadline"],
            observe=self._tell,
            settle=self.session.settle,
            chosen=self._remember,
            price=cost,
            schema_retries=DEFAULT_SCHEMA_RETRIES
            if (schema_retries := extra["schema_retries"]) is None
            else schema_retries,
        )

    def _remember(self, position: int, target: Target) -> None:
        """Keep the model that was chosen for a target without one: a list is asked for once."""
        route = list(self.route)
        known = route[position] if position < len(route) else target
        if replace(target, model="", timeouts=known.timeouts) == known:
            route[position] = replace(known, model=target.model)
            self.route = tuple(route)

    def list_models(self, provider: str | None, *, use_cache: bool) -> Steps[list[ModelInfo]]:
        """Return the steps that list the models of a provider, from the cache when it is fresh."""
        target = self._target_of(provider)
        cache = self._cache()
        if use_cache:
            stored = yield from call(lambda: cache.load(target))
            if stored is not None:
                return stored
        models = yield from fetch_models(target, Deadline(None, 0.0, time.monotonic))
        models = with_windows(target, models)
        yield from call(lambda: cache.store(target, models))
        return models

    def health(self, provider: str | None) -> Steps[HealthReport]:
        """Return the steps that check a provider."""
        from .health import check_health

        return check_health(self._target_of(provider))

    def invalidate_cache(self) -> Steps[None]:
        """Return the steps that forget every model list."""
        yield from call(self._cache().invalidate)

    def stats(self) -> Stats:
        """Return the totals of this client."""
        return self.session.stats(self.target.spec)

    def set_fallback_chain(self, chain: Sequence[str | LLMConfig]) -> None:
        """Replace what comes after the first choice."""
        self.route = _without_repetition([self.target, *map(self._link, chain)])

    def _plan(self, given: LLMConfig, profile: str | None) -> tuple[LLMConfig, tuple[Target, ...]]:
        """Return the effective configuration and the route."""
        name = profile
        if name is None and split_model(given, self._settings)[0] is None:
            name = self._settings.default_profile
            if name is None and "default" in self._settings.profiles:
                name = "default"
            if name is not None:
                self.reason = f"it is the profile {name!r} of {self._settings.source}"
        chain: tuple[str, ...] = ()
        config = given
        if name is not None:
            from_profile, chain = profile_config(self._settings, name)
            config = self._over_profile(from_profile, given)
        first = self._first(config)
        links: list[str | LLMConfig] = [*config.fallback_configs] or [*chain]
        return config, _without_repetition([first, *map(self._link, links)])

    def _over_profile(self, profile: LLMConfig, given: LLMConfig) -> LLMConfig:
        """Return a profile with what the code says over it.

        A bare model is one of the profile's provider; another provider leaves the profile's model
        behind, which it does not have.
        """
        provider, model = split_model(profile, self._settings)
        named, rest = given.provider, given.model
        if named is None and given.base_url is None and rest is not None:
            named, rest = self._split_known(rest)
        if named is not None and named.lower() != (provider or "").lower():
            profile = replace(profile, model=None)
        else:
            profile = replace(profile, provider=provider, model=model or None)
        return _over(profile, replace(given, provider=named, model=rest))

    def _split_known(self, model: str) -> tuple[str | None, str]:
        """Return provider and model of a spec; of anything else `None` and all of it."""
        try:
            return split_model(LLMConfig(model=model), self._settings)
        except ConfigurationError:
            return None, model

    def _target_of(self, provider: str | None) -> Target:
        """Return this client's own target, or another provider's as it is configured."""
        if provider is None or provider == self.target.provider.name:
            return self.target
        return self._resolve(LLMConfig(provider=provider))

    def _first(self, config: LLMConfig) -> Target:
        provider, model = split_model(config, self._settings)
        if provider is not None:
            return self._resolve(config)
        if config.api_key is not None:
            raise ConfigurationError(  # else it would go to whoever is found
                "A key is given, and nothing says which provider it is for.",
                hint="Name it, `LLMConfig(provider=…, api_key=…)`, or its address, `base_url=…`.",
            )
        from .discovery import discover

        choice = discover(self._settings, self._environ, model=model)
        self.reason = choice.reason
        found = LLMConfig(
            provider=choice.target.provider.name,
            base_url=choice.target.base_url,
            model=model or choice.target.model or None,
        )
        target = self._resolve(_over(found, replace(config, model=None)))
        return replace(target, basic_auth=choice.target.basic_auth)

    def _resolve(self, config: LLMConfig) -> Target:
        return _warned(resolve_target(config, self._settings, self._environ))

    def _link(self, link: str | LLMConfig) -> Target:
        if isinstance(link, LLMConfig):
            return self._resolve(link)
        return _warned(target_for_fallback(link, self._settings, self._environ))

    def _other_model(self, model: str) -> Target:
        """Return the target of another model: of another provider only when it is named."""
        provider, rest = self._split_known(model)
        if provider is None or provider == self.target.provider.name:
            return self._own_target_for(rest)
        # Nothing else of this client's configuration: its key and address are another provider's.
        return self._resolve(LLMConfig(model=model, timeout=self.config.timeout))

    def _own_target_for(self, model: str) -> Target:
        """Return this client's target for another model, which may want another dialect or path."""
        own = self.target
        config = replace(self.config, provider=own.provider.name, model=model, api_key=own.api_key)
        if split_model(self.config, self._settings)[0] is None:
            config = replace(config, base_url=own.base_url)  # found, and perhaps not the usual one
        target = resolve_target(config, self._settings, self._environ)
        return replace(target, basic_auth=own.basic_auth)

    def _cache(self) -> ModelCache:
        from .storage.model_cache import ModelCache

        ttl = self.config.cache_ttl
        directory = cache_dir(self._environ) / "models"
        return ModelCache(directory, self._settings.models_ttl if ttl is None else ttl)

    def _tell(self, event: Event) -> None:
        if self._observe is not None:
            self._observe(event)

    @staticmethod
    def _defaults_of(config: LLMConfig, defaults: RequestOptions) -> dict[str, Any]:
        own = {
            "temperature": config.temperature,
            "top_p": config.top_p,
            "max_tokens": config.max_tokens,
            "system": config.system,
        }
        return {**{name: value for name, value in own.items() if value is not None}, **defaults}


def _without_repetition(route: Sequence[Target]) -> tuple[Target, ...]:
    """Return a route without targets that were tried before: they would only fail again."""
    return tuple(target for i, target in enumerate(route) if target not in route[:i])


def _warned(target: Target) -> Target:
    """Return a target, after a warning when its key would travel in the open."""
    has_key = target.api_key or target.basic_auth
    if has_key and target.base_url.startswith("http://") and not is_loopback(target.base_url):
        warnings.warn(
            f"The key for {target.provider.name} goes unencrypted to {target.base_url}: use https.",
            InsecureConnectionWarning,
            stacklevel=_frames_of_ours(),
        )
    return target


def _frames_of_ours() -> int:
    """Return how many callers up the first frame is that is not this package's."""
    frame, count = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals["__name__"].startswith(f"{__package__}."):
        frame, count = frame.f_back, count + 1
    return count


def _check_options(
    options: Mapping[str, object], known: Collection[str] = RequestOptions.__annotations__.keys()
) -> None:
    for name, value in options.items():
        if value is None:
            continue
        if name in {"max_retries", "schema_retries"}:
            check_count(name, value, least=0)
        elif name in {"timeout", "deadline"}:
            check_seconds(name, value, zero=name == "deadline")
    if unknown := sorted(options.keys() - set(known)):
        raise ValidationError(
            f"There is no option {unknown[0]!r}.",
            hint=f"Options: {', '.join(sorted(known))}.",
        )


def _over(under: LLMConfig, over: LLMConfig) -> LLMConfig:
    """Return `under` with everything that `over` says."""
    blank = LLMConfig()
    said = {
        name: value
        for name in LLMConfig.__slots__
        if (value := getattr(over, name)) != getattr(blank, name)
    }
    return replace(under, **said)
