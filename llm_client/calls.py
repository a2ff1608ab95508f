"""What both clients share: from constructor and method arguments to steps of the engine.

Owns the route, the defaults and the books of one client. The clients add a driver and nothing
else, so what is true of one is true of the other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .books import Books, Spent, new_call_id
from .dialects import find_dialect
from .engine.booking import inform
from .engine.context import DEFAULT_SCHEMA_RETRIES, Fit, Hooks
from .engine.cool_down import COOL_DOWNS
from .engine.effects import Steps, call
from .engine.exchange import as_sent
from .engine.pipeline import CallContext, run_call
from .engine.session import Session, Stats
from .exceptions import ValidationError
from .policy.layers import options_of
from .policy.route import retry_settings, with_dialect
from .price_list import known_window, with_windows
from .routes import Link, Routes, Way, may_be_long, with_model
from .storage.config import load_settings
from .types.call_options import CALL_OPTIONS, check_options
from .types.checks import check_seconds
from .types.config import LLMConfig, Overflow
from .types.events import Asking, Event, Notice, Observer
from .types.http import HttpRequest
from .types.request import LLMRequest, Prompt, RequestOptions, readable_again
from .types.response import LLMResponse
from .types.target import Target

if TYPE_CHECKING:
    from .engine.shaping import Shapes
    from .storage.model_cache import ModelCache
    from .types.embedding import EmbeddingRequest, EmbeddingResponse, EmbedOptions
    from .types.health import HealthReport
    from .types.models import ModelInfo
    from .types.usage import UsageFilters, UsageKey, UsageReport

__all__ = ["Calls"]

_Extra: TypeAlias = Mapping[str, Any]  # options of a call that are no fields of its request
_Build: TypeAlias = Callable[..., tuple[LLMRequest, dict[str, Any]]]
"""Makes the request of a call as a `profile` has it asked."""


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
        if not isinstance(config, LLMConfig | str | None):
            raise TypeError(f"a client takes an LLMConfig or a text, not {type(config).__name__}")
        given = LLMConfig(model=config) if isinstance(config, str) else config or LLMConfig()
        file = given.from_file if config_path is None else config_path
        self._settings = load_settings(None if file is None else Path(file), environ)
        self._routes = Routes(self._settings, environ)
        self._tell: Observer = observe if observe is not None else _tell_nobody
        self.session = Session()
        check_options(defaults or {})
        self._plan = self._routes.plan(given, profile)
        self._links = self._plan.route
        self._said = defaults or {}
        self._retry = retry_settings(self.config, self._settings)
        self._books = Books(self._settings, self.config, environ)

    @property
    def config(self) -> LLMConfig:
        """What the client was told, over what its profile says."""
        return self._plan.config

    @property
    def reason(self) -> str:
        """Why the first target was chosen, when nothing named it."""
        return self._plan.reason

    @property
    def target(self) -> Target:
        """The first choice."""
        return self._links[0].target

    def call(self, prompt: Prompt, *, stream: bool, options: RequestOptions) -> Steps[LLMResponse]:
        """Return the steps of one call.

        Raises:
            ValidationError: the request is wrong in itself; nothing is sent.
        """
        build = partial(self._request, readable_again(prompt), stream=stream, options=options)
        request, extra = build()
        return self._run(request, extra, self._way(request, extra), build)

    def completion(self, prompt: str, options: RequestOptions) -> Steps[LLMResponse]:
        """Return the steps of one text completion: a call in the legacy dialect of OpenAI.

        Raises:
            ValidationError: the request is wrong in itself; nothing is sent.
        """
        request, extra = self._request(prompt, stream=False, options=options)
        if request.schema is not None:
            # Here, because the engine would try to ask for it in a system prompt.
            raise ValidationError("Text completion cannot be told schema.", param="schema")
        build = partial(self._request, prompt, stream=False, options=options)
        way = self._way(request, extra)
        return self._run(request, extra, way, build, dialect="openai-completions")

    def preview(self, prompt: Prompt, *, stream: bool, options: RequestOptions) -> HttpRequest:
        """Return the request that a call would send first; nothing is sent.

        A conversation that would be summarised is shown whole: a summary has to be asked for.

        Raises:
            ContextLengthError: it would not be sent, because it is too long.
        """
        build = partial(self._request, readable_again(prompt), stream=stream, options=options)
        request, extra = build()
        way = self._by_length(self._way(request, extra), request, extra, build)
        self._announce(way)
        (target, *_), link = way.targets(extra["timeout"]), way.links[0]
        if link.profile is not None:
            request = build(profile=link.profile)[0]
        overflow = self._overflow(link)
        if may_be_long(request) or overflow != "refuse":
            request = self._shapes.windows.shaped(request, target, overflow)
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

        check_options(options, EmbedOptions.__annotations__)
        # Of the client's defaults those of the call itself; the others are about answers.
        extra = {name: self._said.get(name) for name in CALL_OPTIONS}
        asked: dict[str, Any] = dict(options)
        extra |= {name: asked.pop(name) for name in CALL_OPTIONS & asked.keys()}
        return self._run_embedding(EmbeddingRequest.build(texts, **asked), extra)

    def _run_embedding(self, request: EmbeddingRequest, extra: _Extra) -> Steps[EmbeddingResponse]:
        from .engine.embedding import run_embedding

        way = self._routes.way(self._plan, self._links, None, model=extra["model"])
        response = yield from run_embedding(request, self._context(extra, way, {}))
        self.session.answered()
        return response

    def _request(
        self,
        prompt: Prompt,
        *,
        stream: bool,
        options: RequestOptions,
        profile: LLMConfig | None = None,
    ) -> tuple[LLMRequest, dict[str, Any]]:
        """Return a request, and the options of the call that are none of its fields.

        What the call says stands over what the client says, and that over a profile: the one that
        the client was made with, or that of a fallback.
        """
        check_options(options)
        merged: dict[str, Any] = {**options_of(profile or self.config), **self._said, **options}
        extra = {name: merged.pop(name, None) for name in CALL_OPTIONS}
        request = LLMRequest.build(prompt, stream=stream, **merged)
        if request.schema is not None:
            from .wire.json_schema import check_schema

            check_schema(request.schema)
        return request, extra

    def _way(self, request: LLMRequest, extra: _Extra) -> Way:
        model, task = extra["model"], extra["task"]
        return self._routes.way(self._plan, self._links, request, model=model, task=task)

    def _by_length(self, way: Way, request: LLMRequest, extra: _Extra, build: _Build) -> Way:
        """Return the way of a call by the length of its prompt, where it matters. May read files."""
        if not self._routes.looks_at_length(way, self._plan, request):
            return way
        from .policy.choice import most_usd, offered

        budget = self._settings.budget if self.config.budget is None else self.config.budget
        most = most_usd(extra["max_cost"], budget)

        def asked(link: Link) -> LLMRequest:
            return request if link.profile is None else build(profile=link.profile)[0]

        return self._routes.by_length(
            way,
            self._plan,
            reads=lambda link: self._shapes.windows.reads(asked(link), link.target),
            offer=lambda link: offered(asked(link), link.target, self._books.cost, most),
        )

    def _run(
        self,
        request: LLMRequest,
        extra: _Extra,
        way: Way,
        build: _Build,
        *,
        dialect: str | None = None,
    ) -> Steps[LLMResponse]:
        """Run a call.

        Args:
            request: as the first choice of this client is asked.
            extra: the options of the call.
            way: as far as it does not depend on the length of the prompt.
            build: of the call.
            dialect: in which all are asked; `None`: each in its own.
        """
        if self._routes.looks_at_length(way, self._plan, request):
            so_far = way
            way = yield from call(lambda: self._by_length(so_far, request, extra, build))
        links = way.links

        def adapt(position: int, request: LLMRequest) -> LLMRequest:
            profile = links[position].profile
            return request if profile is None else build(profile=profile)[0]

        spent: Spent = {}
        context = self._context(extra, way, spent)
        context = replace(context, adapt=adapt, fit=self._fit(request, way, extra, context, spent))
        if dialect is not None:
            route = [with_dialect(target, dialect) for target in context.route]
            context = replace(context, route=route)
        self._announce(way)
        response = yield from run_call(request, context)
        self.session.answered(response)
        return response

    def _announce(self, way: Way) -> None:
        """Tell the observer who is asked first, and why."""
        if way.notice:
            inform(self._tell, Notice(way.notice))
        inform(self._tell, Asking(way.links[0].target.spec, way.reason))

    def _overflow(self, link: Link) -> Overflow:
        """Return what is done about a prompt that is too long for a link."""
        return (link.profile or self.config).overflow or "refuse"

    def _fit(
        self,
        request: LLMRequest,
        way: Way,
        extra: _Extra,
        context: CallContext,
        spent: Spent,
    ) -> Fit | None:
        """Return what makes the prompts of a call fit; `None` where all is short."""
        overflows = [self._overflow(link) for link in way.links]
        if not may_be_long(request) and set(overflows) == {"refuse"}:
            return None

        def aside() -> tuple[str, Hooks]:
            call_id = new_call_id()
            return call_id, self._books.hooks(call_id, context.labels, extra, context.route, spent)

        return self._shapes.fit(overflows, aside)

    @cached_property
    def _shapes(self) -> Shapes:
        from .engine.shaping import Shapes

        return Shapes(lambda target: known_window(target, self._cache()))

    def _context(self, extra: _Extra, way: Way, spent: Spent) -> CallContext:
        retry, retries = self._retry, extra["max_retries"]
        if retries is not None:
            retry = replace(retry, max_retries=retries)
        asked_again = extra["schema_retries"]
        call_id = new_call_id()
        labels = self._books.labels(way.profile, extra)
        route = way.targets(extra["timeout"])
        return CallContext(
            call_id=call_id,
            route=route,
            retry=retry,
            deadline=extra["deadline"],
            observe=self._tell,
            settle=self.session.settle,
            chosen=self._remember,
            price=self._books.cost,
            labels=labels,
            hooks=self._books.hooks(call_id, labels, extra, route, spent),
            cool_downs=COOL_DOWNS,
            schema_retries=DEFAULT_SCHEMA_RETRIES if asked_again is None else asked_again,
        )

    def _remember(self, position: int, target: Target) -> None:
        """Keep the model that was chosen for a target without one: a list is asked for once."""
        self._links = with_model(self._links, target)
        self._routes.remember(target)

    def list_models(self, provider: str | None, *, use_cache: bool) -> Steps[list[ModelInfo]]:
        """Return the steps that list the models of a provider, from the cache when it is fresh."""
        from .model_lists import list_models

        target = self._target_of(provider)
        found = yield from list_models(
            target, self._cache(), refresh=not use_cache, fall_back=use_cache
        )
        if found.failure is not None:
            inform(self._tell, Notice(found.note(target.provider.name)))
        return with_windows(target, found.models)

    def health(self, provider: str | None, seconds: float | None) -> Steps[HealthReport]:
        """Return the steps that check a provider.

        Raises:
            ConfigurationError: no such provider, or no key for it.
            ValidationError: so many seconds cannot be waited for.
        """
        from .health import DEFAULT_SECONDS, check_health
        from .policy.health import wanted_models

        if seconds is not None:
            check_seconds("timeout", seconds)
        target = self._target_of(provider)
        named = wanted_models(self._settings, target)
        if target is self.target and self.config.model and target.model:
            named = (target.model,)
        return check_health(
            target, named=named, seconds=DEFAULT_SECONDS if seconds is None else seconds
        )

    def invalidate_cache(self) -> Steps[None]:
        """Return the steps that forget every model list."""
        yield from call(self._cache().invalidate)

    def get_usage(self, by: UsageKey | None, filters: UsageFilters) -> Steps[UsageReport]:
        """Return the steps that sum up what the ledger has.

        Raises:
            ValidationError: there is no such group or filter.
        """
        from datetime import datetime

        from .policy.usage_query import usage_query
        from .storage.usage_store import UsageStore

        query = usage_query(by, filters, datetime.now())
        return call(lambda: UsageStore.of(self._environ).summarize(query))

    def reset_usage(self) -> Steps[int]:
        """Return the steps that forget every attempt, and what budgets count."""
        from .storage.usage_store import UsageStore
        from .types.usage import UsageQuery

        return call(lambda: UsageStore.of(self._environ).delete(UsageQuery(), budgets=True))

    def close(self) -> None:
        """Close the books."""
        self._books.close()

    def stats(self) -> Stats:
        """Return the totals of this client."""
        return self.session.stats(self.target.spec)

    def set_fallback_chain(self, chain: Sequence[str | LLMConfig]) -> None:
        """Replace what comes after the first choice."""
        self._links = self._routes.chain(self.target, chain)

    def _target_of(self, provider: str | None) -> Target:
        """Return this client's own target, or another provider's as it is configured."""
        if provider is None or provider == self.target.provider.name:
            return self.target
        return self._routes.resolve(LLMConfig(provider=provider))

    def _cache(self) -> ModelCache:
        from .storage.model_cache import open_model_cache

        return open_model_cache(self._settings, self._environ, ttl=self.config.cache_ttl)


def _tell_nobody(_: Event) -> None:
    pass
