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
from .policy.route import (
    is_loopback,
    profile_config,
    resolve_target,
    split_model,
    target_for_fallback,
    with_timeout,
)
from .types.config import LLMConfig, Prefer, Settings
from .types.request import LLMRequest
from .types.target import Target

if TYPE_CHECKING:
    from .policy.choice import Offer

__all__ = ["Link", "Plan", "Routes", "Way", "may_be_long", "options_of", "with_model"]

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

    config: LLMConfig
    """The effective one: what the code says over what the profile says."""
    route: tuple[Link, ...]
    profile: str | None
    """Where the call begins; `None`: the code names a provider, or one was found."""
    reason: str
    """Why the first target was chosen, when nothing named it."""
    is_named: bool
    """Whether the code names a provider, a model or a profile."""
    prefer: Prefer
    """Which target of the chain is asked first."""


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
        self._routed: dict[str, tuple[Link, ...]] = {}
        """By the names in `[routing]`: who is asked, with the fallbacks of its profile."""

    def plan(self, given: LLMConfig, profile: str | None) -> Plan:
        """Return the effective configuration and the route.

        Raises:
            ConfigurationError: no such profile or provider, no key, nothing found.
        """
        name, reason = profile, ""
        if name is None and split_model(given, self._settings)[0] is None:
            name = self._settings.default_profile
            if name is None and "default" in self._settings.profiles:
                name = "default"
            if name is not None:
                reason = f"it is the profile {name!r} of {self._settings.source}"
        chain: tuple[str, ...] = ()
        config = given
        if name is not None:
            from_profile, chain = profile_config(self._settings, name)
            config = self._over_profile(from_profile, given)
        first, found = self._first(config)
        route = self.chain(first, [*config.fallback_configs] or [*chain])
        is_model_named = bool(given.provider or given.model or given.base_url)
        # Who names a model in code wants that one, and not the cheapest by some configuration.
        prefer = given.prefer or (
            None if is_model_named else config.prefer or self._settings.prefer
        )
        return Plan(
            config,
            route,
            name,
            reason or found,
            is_named=is_model_named or profile is not None,
            prefer=prefer or "order",
        )

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
            first = Link(self.other_model(links[0].target, plan.config, model))
            return Way(_each_once([first, *links[1:]]), plan.profile, notice)
        if request is None or plan.is_named:
            return Way(links, plan.profile, notice, plan.reason, is_open=request is not None)
        routing = self._settings.routing
        if task is not None:
            from .policy.choice import named_for

            way = self._to(named_for(task, routing, self._settings.source), plan, links)
            return way._replace(reason=f"`[routing]` names it for the task {task!r}")
        if "vision" in routing:
            from .policy.choice import has_images

            if has_images(request):
                return self._to(routing["vision"], plan, links, "the prompt has images")
        return Way(links, plan.profile, reason=plan.reason, is_open=True)

    def looks_at_length(self, way: Way, plan: Plan, request: LLMRequest) -> bool:
        """Return whether the length of a prompt can change its way."""
        if not way.is_open:
            return False
        if plan.prefer == "cheapest" and len(way.links) > 1:
            return True
        in_routing = "long_context" in self._settings.routing
        return in_routing and not plan.is_named and may_be_long(request)

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
        if plan.prefer == "cheapest" and len(way.links) > 1:
            way = _cheapest_first(way, reads, offer)
        name = self._settings.routing.get("long_context")
        if name is None or plan.is_named or reads(way.links[0]):
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
            from .policy.choice import check_named

            check_named(name, self._settings.profiles)
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

    def resolve(self, config: LLMConfig) -> Target:
        """Return the target of a configuration that names its provider.

        Raises:
            ConfigurationError: an unknown provider, no address, no key.
        """
        return _warned(resolve_target(config, self._settings, self._environ))

    def other_model(self, own: Target, config: LLMConfig, model: str) -> Target:
        """Return the target of another model: of another provider only when it is named.

        Args:
            own: the first choice.
            config: what it was made of.
            model: a model of the same provider, or `provider/model`.
        """
        provider, rest = self._split_known(model)
        if provider is not None and provider != own.provider.name:
            # Nothing else of this client's configuration: key and address are another provider's.
            return self.resolve(LLMConfig(model=model, timeout=config.timeout))
        named = split_model(config, self._settings)[0] is not None
        config = replace(config, provider=own.provider.name, model=rest, api_key=own.api_key)
        if not named:
            config = replace(config, base_url=own.base_url)  # found, and perhaps not the usual one
        target = resolve_target(config, self._settings, self._environ)
        return replace(target, basic_auth=own.basic_auth)

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

    def _first(self, config: LLMConfig) -> tuple[Target, str]:
        """Return the first choice, and why it was chosen when nothing names it."""
        provider, model = split_model(config, self._settings)
        if provider is not None:
            return self.resolve(config), ""
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
        target = self.resolve(_over(found, replace(config, model=None)))
        return replace(target, basic_auth=choice.target.basic_auth), choice.reason

    def _link(self, link: str | LLMConfig) -> Link:
        if isinstance(link, LLMConfig):
            return Link(self.resolve(link), link)
        target = _warned(target_for_fallback(link, self._settings, self._environ))
        named = link in self._settings.profiles
        return Link(target, profile_config(self._settings, link)[0] if named else None)


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


def options_of(config: LLMConfig) -> dict[str, object]:
    """Return the options of a request that a configuration says."""
    names = ("temperature", "top_p", "max_tokens", "system")
    return {name: value for name in names if (value := getattr(config, name)) is not None}


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


def _over(under: LLMConfig, over: LLMConfig) -> LLMConfig:
    """Return `under` with everything that `over` says."""
    blank = LLMConfig()
    said = {
        name: value
        for name in LLMConfig.__slots__
        if (value := getattr(over, name)) != getattr(blank, name)
    }
    return replace(under, **said)
