"""From what a client and a call are told to the call's targets: the first choice and its fallbacks.

Owns which of code, profile, task, prompt, price and discovery says what. Resolving one target is
`policy/route.py`'s business.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from .exceptions import ConfigurationError, InsecureConnectionWarning
from .policy.layers import Layers, layered, over, split_known
from .policy.route import (
    is_loopback,
    profile_config,
    resolve_target,
    split_model,
    with_timeout,
)
from .storage.seen_keys import remember
from .storage.stored_keys import StoredKeys
from .types.config import LLMConfig, Settings
from .types.request import LLMRequest
from .types.target import Target

if TYPE_CHECKING:
    from .policy.choice import Offer

__all__ = ["Link", "Plan", "Routes", "Way", "may_be_long", "with_model"]

_WORTH_A_LOOK = 2000
"""Characters. A token is hardly ever less than one, and no model that answers reads fewer tokens."""


class Link(NamedTuple):
    """A target of a route."""

    target: Target
    profile: LLMConfig | None = None
    """The fallback's own profile, whose options hold in the place of the first choice's; `None`:
    those of the first choice hold."""


class Plan(NamedTuple):
    """What a client's arguments come to."""

    layers: Layers
    """What code, variables and profile say."""
    route: tuple[Link, ...]
    reason: str
    """Why the first target was chosen, when the code does not name it."""

    @property
    def config(self) -> LLMConfig:
        """The effective one: what the code says over what variables and profile say."""
        return self.layers.config

    @property
    def profile(self) -> str | None:
        """Where the call begins; `None`: the code names a provider, or one was found."""
        return self.layers.name

    @property
    def is_named(self) -> bool:
        """Whether the code names a provider, a model or a profile."""
        return self.layers.is_named

    @property
    def is_decided(self) -> bool:
        """Whether it is named in code or by variables: no prompt changes who is asked first."""
        return self.layers.is_named or self.layers.is_set


class Way(NamedTuple):
    """The targets of one call."""

    links: tuple[Link, ...]
    profile: str | None
    """Where the call begins, as `Plan.profile`."""
    notice: str = ""
    """Why the first target is another than the client's own; empty: it is not, or was named."""
    reason: str = ""
    """Why it is the first, where neither the call nor `notice` says it."""
    is_open: bool = False
    """Whether the length and the price of the prompt may still choose another first target."""

    def targets(self, timeout: float | None = None) -> list[Target]:
        """Return the targets, each of their waits bounded by so many seconds."""
        targets = [link.target for link in self.links]
        return targets if timeout is None else [with_timeout(t, timeout) for t in targets]


class Routes:
    """Resolves targets by one configuration file and environment."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._stored = StoredKeys(settings, environ)
        self._options = LLMConfig()
        """What variables say of the options of every call."""
        self._routed: dict[str, tuple[Link, ...]] = {}
        """By the names in `[routing]`: who is asked, with the fallbacks of its profile."""

    def plan(self, given: LLMConfig, profile: str | None) -> Plan:
        """Return the effective configuration and the route.

        Raises:
            ConfigurationError: no such profile or provider, no key, nothing found.
        """
        layers = layered(given, profile, self._settings, self._environ)
        self._options = layers.options
        first, found = self._first(layers)
        return Plan(layers, self.chain(first, layers.chain), layers.reason or found)

    def chain(self, first: Target, links: Sequence[str | LLMConfig]) -> tuple[Link, ...]:
        """Return a route that begins with a target.

        Raises:
            ConfigurationError: a link cannot be asked as it is configured, or this is no list.
        """
        if isinstance(links, str):  # a sequence too, of letters
            raise ConfigurationError(
                f"The fallback chain {links!r} is not a list.", hint=f"Write `[{links!r}]`."
            )
        return _each_once([Link(first), *map(self._link, links)])

    def way(
        self,
        plan: Plan,
        links: tuple[Link, ...],
        request: LLMRequest | None,
        *,
        model: str | None = None,
        task: str | None = None,
    ) -> Way:
        """Return the targets of a call, as far as that takes no look at its length.

        Args:
            plan: of the client.
            links: its route.
            request: of the call; `None`: one to which no task applies.
            model: as the call names it.
            task: as call or client name it.

        Raises:
            ConfigurationError: no such provider, no key, no such task, or nobody named for it.
        """
        if task is not None:
            from .policy.choice import check_task

            check_task(task)
        aside = task is not None and (model is not None or plan.is_named)
        notice = f"The task {task!r} is left aside: what to ask is named." if aside else ""
        if model is not None:
            first = Link(self.other_model(links[0].target, plan.layers, model))
            return Way(_each_once([first, *links[1:]]), plan.profile, notice)
        if request is None or plan.is_named:
            return Way(links, plan.profile, notice, plan.reason, is_open=request is not None)
        routing = self._settings.routing
        if task is not None:
            from .policy.choice import named_for

            way = self._to(named_for(task, routing, self._settings.source), plan, links)
            return way._replace(reason=f"`[routing]` names it for the task {task!r}")
        if "vision" in routing and not plan.is_decided:
            from .policy.choice import has_images

            if has_images(request):
                return self._to(routing["vision"], plan, links, "the prompt has images")
        return Way(links, plan.profile, reason=plan.reason, is_open=True)

    def looks_at_length(self, way: Way, plan: Plan, request: LLMRequest) -> bool:
        """Return whether the length of a prompt can change its way."""
        if not way.is_open:
            return False
        if plan.layers.prefer == "cheapest" and len(way.links) > 1:
            return True
        in_routing = "long_context" in self._settings.routing
        return in_routing and not plan.is_decided and may_be_long(request)

    def by_length(
        self,
        way: Way,
        plan: Plan,
        *,
        reads: Callable[[Link], bool],
        offer: Callable[[Link], Offer],
    ) -> Way:
        """Return the way of a call by what its prompt fits into and what it would cost.

        Args:
            way: as it is so far.
            plan: of the client.
            reads: returns whether the prompt, as a link has it asked, may fit into its window.
            offer: returns what it would cost there.

        Raises:
            ConfigurationError: who reads long prompts cannot be asked as it is configured.
        """
        if plan.layers.prefer == "cheapest" and len(way.links) > 1:
            way = _cheapest_first(way, reads, offer)
        name = self._settings.routing.get("long_context")
        if name is None or plan.is_decided or reads(way.links[0]):
            return way
        why = f"the prompt is too long for {way.links[0].target.spec}"
        return self._to(name, plan, way.links, why)

    def _to(self, name: str, plan: Plan, links: tuple[Link, ...], why: str = "") -> Way:
        """Return the way to a profile or model spec, with its own fallbacks and the others behind.

        Args:
            name: as `[routing]` has it.
            plan: of the client.
            links: its route; all but the first choice stays.
            why: it was chosen; empty: the call asks for it.
        """
        if name not in self._routed:
            is_profile = name in self._settings.profiles
            chain = profile_config(self._settings, name)[1] if is_profile else ()
            self._routed[name] = tuple(map(self._link, (name, *chain)))
        route = _each_once([*self._routed[name], *links[1:]])
        first = route[0].target
        notice = f"Asking {first.spec}: {why}." if why and first != links[0].target else ""
        return Way(route, name if name in self._settings.profiles else plan.profile, notice)

    def remember(self, target: Target) -> None:
        """Keep the model that was chosen for a target without one."""
        for name, links in [*self._routed.items()]:  # another thread may add one
            self._routed[name] = with_model(links, target)

    def resolve(self, config: LLMConfig, profile: LLMConfig | None = None) -> Target:
        """Return the target of a configuration that names its provider.

        Args:
            config: what is said over the variables of the provider.
            profile: what is said under them, over the settings of the provider.

        Raises:
            ConfigurationError: an unknown provider, no address, no key.
        """
        return _warned(self._target(config, profile))

    def other_model(self, own: Target, layers: Layers, model: str) -> Target:
        """Return the target of another model: of another provider only when it is named.

        Args:
            own: the first choice.
            layers: what it was made of.
            model: a model of the same provider, or `provider/model`.
        """
        config, profile = layers.config, layers.profile
        provider, rest = split_known(model, self._settings)
        if provider is not None and provider != own.provider.name:
            # Nothing else of this client's configuration: key and address are another provider's.
            other = LLMConfig(model=model, timeout=config.timeout)
            return self.resolve(other, LLMConfig(timeout=profile.timeout))
        named = split_model(config, self._settings)[0] is not None
        config = replace(config, provider=own.provider.name, model=rest, api_key=own.api_key)
        if not named:
            config = replace(config, base_url=own.base_url)  # found, and perhaps not the usual one
        return replace(self._target(config, profile), basic_auth=own.basic_auth)

    def _target(self, config: LLMConfig, profile: LLMConfig | None) -> Target:
        settings, environ, stored = self._settings, self._environ, self._stored
        return _known(resolve_target(config, settings, environ, profile=profile, stored=stored))

    def _first(self, layers: Layers) -> tuple[Target, str]:
        """Return the first choice, and why it was chosen when nothing names it."""
        config = layers.config
        provider, model = split_model(config, self._settings)
        if provider is not None:
            return self.resolve(config, layers.profile), ""
        if config.api_key is not None:
            raise ConfigurationError(  # else it would go to whoever is found
                "A key is given, and nothing says which provider it is for.",
                hint="Name it, `LLMConfig(provider=…, api_key=…)`, or its address, `base_url=…`.",
            )
        from .discovery import discover

        choice = discover(self._settings, self._environ, model=model)
        found = LLMConfig(
            provider=choice.target.provider.name,
            base_url=choice.target.base_url,
            model=model or choice.target.model or None,
        )
        target = self.resolve(over(found, replace(config, model=None)), layers.profile)
        return replace(target, basic_auth=choice.target.basic_auth), choice.reason

    def _link(self, link: str | LLMConfig) -> Link:
        if isinstance(link, LLMConfig):
            return Link(self.resolve(link), over(self._options, link))
        profile, model = None, link
        if link in self._settings.profiles:
            profile, _ = profile_config(self._settings, link)
            model = profile.model or ""
        target = self.resolve(LLMConfig(model=model or None), profile)
        return Link(target, None if profile is None else over(profile, self._options))


def with_model(links: tuple[Link, ...], target: Target) -> tuple[Link, ...]:
    """Return links with the model of a target, where they have the same one without a model."""
    return tuple(
        link._replace(target=replace(link.target, model=target.model))
        if replace(target, model="", timeouts=link.target.timeouts) == link.target
        else link
        for link in links
    )


def _each_once(links: Sequence[Link]) -> tuple[Link, ...]:
    """Return links without targets that were tried before: they would only fail again."""
    seen = [link.target for link in links]
    return tuple(link for i, link in enumerate(links) if link.target not in seen[:i])


def may_be_long(request: LLMRequest) -> bool:
    """Return whether a prompt is worth a closer look, which short ones are not to pay for."""
    if request.tools:
        return True
    size = 0
    for message in request.messages:
        content = message.content
        if isinstance(content, tuple):
            return True
        size += len(content) if isinstance(content, str) else sum(map(len, content.pieces))
        size += sum(len(call.arguments) for call in message.tool_calls)
    return size >= _WORTH_A_LOOK


def _cheapest_first(way: Way, reads: Callable[[Link], bool], offer: Callable[[Link], Offer]) -> Way:
    from .policy.choice import cheapest_first

    links = way.links
    offers = [(reads(link), offer(link)) for link in links]
    order = cheapest_first(offers)
    way = way._replace(links=tuple(links[i] for i in order))
    if not order[0]:
        return way
    notice = f"Asking {way.links[0].target.spec}: it is the cheapest that fits."
    return way._replace(notice=way.notice or notice, reason="")


def _known(target: Target) -> Target:
    """Return a target, after noting its keys, wherever they are from, which nothing may show."""
    for secret in target.secrets:
        remember(secret)
    return target


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
