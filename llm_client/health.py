"""Whether a provider answers, takes the key and has the models: the check behind `health_check()`.

Owns what is asked, in which order, and how long. The model list comes first: who gives it answers.
Then what proves the key, what a server says of its own state, and what it tells about itself. It
refuses to ask for anything that could be billed, and never raises because a server is dead; what
an answer means is decided in `policy/health.py`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from .dialects import find_dialect
from .dialects.base import ListsModels
from .dialects.http import json_request
from .dialects.probe_bodies import read_probe
from .engine.effects import Steps
from .engine.exchange import Deadline, ask, fetch_models
from .exceptions import (
    AuthenticationError,
    ConfigurationError,
    LLMAPIError,
    LLMError,
    TimeoutError,
)
from .policy.health import (
    REFUSABLE,
    has_model,
    is_vendors_own,
    problem_of,
    root_url,
    what_to_do,
    without_model,
)
from .policy.route import with_timeout
from .providers.catalog import CATALOG, LOCAL_SERVERS
from .types.health import HealthReport, LoadedModel, Problem
from .types.http import Head, HttpRequest
from .types.models import ModelInfo
from .types.secret import redact
from .types.target import ProviderSpec, Target

__all__ = ["DEFAULT_SECONDS", "Examined", "check_health", "examine"]

DEFAULT_SECONDS = 5.0
"""For a whole check: a server that takes longer to say what it has is of little use."""
_LATE_SECONDS = 0.25
"""By how much the whole may be longer than a single wait, whose error says more."""
_ASIDE_SECONDS = 2.0
"""For everything besides the list: a server that does not answer that may be healthy all the same."""
_ROUNDING_SECONDS = 0.05
_BODY_LIMIT = 1 << 20
"""Bytes of what a server tells about itself: what listens there may be anything."""
_WITHOUT_A_LIST = frozenset({404, 405, 501})
_REFUSES_KEYS = frozenset({401, 403})
_OF_THE_CALLER: frozenset[Problem] = frozenset({"key", "limited"})
"""Problems that are ours, whatever else the answer says."""


class Examined(NamedTuple):
    """What came of a check."""

    report: HealthReport
    error: LLMError | None = None
    """Which cut it short."""


def check_health(
    target: Target, *, named: Sequence[str] = (), seconds: float = DEFAULT_SECONDS
) -> Steps[HealthReport]:
    """Ask a provider how it is; return what came of it. Never raises an `LLMError`.

    Args:
        target: who is asked.
        named: models that it should have.
        seconds: for everything.
    """
    return (yield from examine(target, named=named, seconds=seconds)).report


def examine(
    target: Target,
    *,
    named: Sequence[str] = (),
    seconds: float = DEFAULT_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Steps[Examined]:
    """Do the same; return also the error behind the report, for who wants to know its kind."""
    check = _Check(with_timeout(target, seconds), seconds, clock)
    failure: LLMError | None = None
    try:
        yield from check.ask()
    except LLMError as error:
        check.fail(error)
        failure = error
    if check.problem is None:
        check.look_for(named)
    return Examined(check.report(named), failure)


class _Check:
    """One check, and what it has found so far."""

    def __init__(self, target: Target, seconds: float, clock: Callable[[], float]) -> None:
        self._target, self._row = target, target.provider
        self._has_key = target.api_key is not None or target.basic_auth is not None
        self._seconds, self._clock, self._started = seconds, clock, clock()
        self._deadline = Deadline(seconds + _LATE_SECONDS, self._started, clock)
        self._aside = self._deadline
        self._listed: list[ModelInfo] | None = None
        self._proof: Head | None = None
        self._latency_ms: float | None = None
        self._reachable = False
        self._key_accepted: bool | None = None
        self._missing: tuple[str, ...] = ()
        self._model_present: bool | None = None
        self._version: str | None = None
        self._loaded: tuple[LoadedModel, ...] = ()
        self._error: str | None = None
        self._hint: str | None = None
        self.problem: Problem | None = None

    def ask(self) -> Steps[None]:
        """Ask everything.

        Raises:
            LLMError: it does not answer, or not as it should.
        """
        yield from self._ask_models()
        left = self._deadline.remaining() or 0.0
        self._aside = Deadline(min(left, _ASIDE_SECONDS), self._clock(), self._clock)
        if self._listed is not None:
            self._row = _recognised(self._row, self._listed)
        yield from self._ask_state()
        yield from self._ask_about_key()
        yield from self._ask_about_itself()

    def fail(self, error: LLMError) -> None:
        """Take an error as the reason why it is not healthy."""
        if isinstance(error, TimeoutError) and self._deadline.within(_ROUNDING_SECONDS):
            # Where it was cut off depends on how long the rest took, and says nothing.
            accepted, url = error.accepted, self._target.base_url
            error = TimeoutError(f"{url} did not send its whole answer within {self._seconds:g} s.")
            error.accepted = accepted
        self.problem = problem_of(error)
        if self.problem == "key":
            self._key_accepted = False
        if error.status is not None and self._latency_ms is None:
            self._answered()
        self._error = error.message
        self._hint = what_to_do(self.problem, error, self._target)

    def look_for(self, named: Sequence[str]) -> None:
        """Find out whether the models are there that somebody has named."""
        if self._listed is None:
            return
        ids = [model.id for model in self._listed]
        found = [self._has(name, ids) for name in named]
        self._missing = tuple(
            name for name, is_there in zip(named, found, strict=True) if is_there is False
        )
        if self._missing:
            self._model_present, self.problem = False, "model"
            self._error, self._hint = without_model(self._missing, ids, self._target)
        elif found and None not in found:
            self._model_present = True

    def _has(self, name: str, ids: Sequence[str]) -> bool | None:
        if self._target.base_url.startswith("http"):
            return has_model(name, ids, self._row)
        # In this process a model is its path, and the list has only what was read already.
        return name == self._row.default_model or _is_on_disk(name)

    def report(self, named: Sequence[str]) -> HealthReport:
        """Return what was found, without the key, which a server may repeat wherever it likes."""
        secrets = self._target.secrets

        def shown(text: str) -> str:
            return redact(text, secrets)

        return HealthReport(
            provider=self._target.provider.name,
            healthy=self.problem is None,
            base_url=self._target.base_url,
            latency_ms=self._latency_ms,
            models=tuple(shown(model.id) for model in self._listed or ()),
            error=self._error,
            hint=self._hint,
            problem=self.problem,
            reachable=self._reachable,
            has_key=self._has_key,
            key_accepted=self._key_accepted,
            named_models=tuple(named),
            missing_models=self._missing,
            model_present=self._model_present,
            version=self._version and shown(self._version),
            loaded=tuple(LoadedModel(shown(it.model), it.context) for it in self._loaded),
        )

    # --- the list ---------------------------------------------------------------------------------

    def _ask_models(self) -> Steps[None]:
        """Ask for the models; of a provider without a list, whatever else shows that it answers."""
        row = self._target.provider
        missing: LLMAPIError | None = None
        if row.lists_models and isinstance(find_dialect(row.dialect), ListsModels):
            try:
                self._listed = yield from fetch_models(self._target, self._deadline)
                self._answered()
                return
            except LLMAPIError as error:
                if error.status not in _WITHOUT_A_LIST:
                    raise
                missing = error
        elif row.health_path:
            head, _ = yield from self._get(row.health_path, self._deadline)
            if head.status not in _WITHOUT_A_LIST:
                self._answered()
                return
        yield from self._ask_for_refusal(missing)

    def _ask_for_refusal(self, missing: LLMAPIError | None) -> Steps[None]:
        """Prove by a request that has to be refused that there is an LLM server at all.

        Args:
            missing: why there is no list, where one was asked for.
        """
        probe = self._target.provider.key_probe
        if probe in ("", "list"):
            probe = "refusal"
        request = _key_request(probe, self._target)
        if request is None:
            raise missing or ConfigurationError(
                f"{self._row.name!r} has nothing that can be asked for free in the dialect "
                f"{self._row.dialect!r}.",
                hint="Try it with one token: `llm-client generate --max-tokens 1 hi`.",
            )
        self._proof, body = yield from ask(request, self._target, self._deadline, _BODY_LIMIT)
        status, error = self._proof.status, self._error_of(self._proof, body)
        if status in _WITHOUT_A_LIST:
            raise missing or error
        if status >= 500 or (status >= 400 and problem_of(error) in _OF_THE_CALLER):
            raise error
        self._answered()

    def _answered(self) -> None:
        self._reachable = True
        self._latency_ms = (self._clock() - self._started) * 1000

    # --- the key ----------------------------------------------------------------------------------

    def _ask_about_key(self) -> Steps[None]:
        """Find out whether the key is accepted.

        Raises:
            LLMError: it is refused.
        """
        if not self._has_key:
            return
        probe = self._target.provider.key_probe
        if probe in ("", "list"):
            if self._listed is None:
                probe = "refusal"
            elif probe and is_vendors_own(self._target):
                self._key_accepted = True
                return
        try:
            self._key_accepted = yield from self._prove_key(probe)
        except LLMError as error:
            if problem_of(error) in _OF_THE_CALLER:
                raise

    def _prove_key(self, probe: str) -> Steps[bool | None]:
        """Return whether a request shows that the key is accepted; `None` where it does not tell."""
        keyless = replace(self._target, api_key=None, basic_auth=None)
        if probe in ("", "list"):
            # The list was given with the key: who gives it to anybody proves nothing by that.
            try:
                yield from fetch_models(keyless, self._aside)
            except AuthenticationError:
                return True
            return None
        request = _key_request(probe, self._target)
        if request is None:
            return None
        if self._proof is None:
            self._proof, body = yield from ask(request, self._target, self._aside, _BODY_LIMIT)
            if self._proof.status >= 400:
                error = self._error_of(self._proof, body)
                if problem_of(error) in _OF_THE_CALLER:
                    raise error
        status = self._proof.status
        if request.method == "GET":
            return True if status < 300 else None
        if not 400 <= status < 500 or status in _WITHOUT_A_LIST:
            return None
        # Refused, and not for the key. Without one it has to be for the key: else nobody looked.
        bare = _key_request(probe, keyless) or request
        head, _ = yield from ask(bare, keyless, self._aside, _BODY_LIMIT)
        return True if head.status in _REFUSES_KEYS else None

    # --- what it says of itself -------------------------------------------------------------------

    def _ask_state(self) -> Steps[None]:
        """Ask whether it can answer.

        Raises:
            LLMError: it says that it cannot, or not yet.
        """
        if not self._row.health_path:
            return
        try:
            head, body = yield from self._get(self._row.health_path, self._aside)
        except ConfigurationError:
            raise  # what is asked in this process is not installed
        except LLMError:
            return
        if head.status != 503:
            return
        error = self._error_of(head, body)
        if problem_of(error) == "loading":
            error.message = f"{self._target.provider.name} is loading the model."
        raise error

    def _ask_about_itself(self) -> Steps[None]:
        """Ask for version and loaded models; what is not answered stays unknown."""
        if self._row.lists_what_is_loaded and self._listed is not None:
            self._loaded = tuple(LoadedModel(m.id, m.context_length) for m in self._listed)
        for probe in self._row.probes:
            try:
                head, body = yield from self._get(probe.path, self._aside)
            except LLMError:
                return
            if head.status == 200:
                told = read_probe(probe.form, body)
                self._version = self._version or told.version
                self._loaded = self._loaded or told.loaded

    def _get(self, path: str, deadline: Deadline) -> Steps[tuple[Head, bytes]]:
        root = replace(self._target, base_url=root_url(self._target))
        request = json_request("GET", path, root)
        return (yield from ask(request, root, deadline, _BODY_LIMIT))

    def _error_of(self, head: Head, body: bytes) -> LLMError:
        dialect = find_dialect(self._target.provider.dialect)
        return dialect.error(head, body, replace(self._target, model=""))


def _key_request(probe: str, target: Target) -> HttpRequest | None:
    """Return the request that a `key_probe` stands for; `None` where the dialect has none."""
    dialect = find_dialect(target.provider.dialect)
    method, _, path = probe.partition(" ")
    if probe == "refusal":
        method, path = "POST", REFUSABLE.get(target.provider.dialect, "")
    if not path or not isinstance(dialect, ListsModels):
        return None
    base_url = target.base_url
    if path.startswith("../"):
        base_url, path = base_url.rpartition("/")[0], path[2:]
    # With the key where the dialect has it, and what else it says with every request.
    wire = dialect.encode_models(target)
    url = base_url + path + (f"?{target.query}" if target.query else "")
    if method == "GET":
        return replace(wire, url=url)
    headers = (*wire.headers, ("content-type", "application/json"))
    return replace(wire, method=method, url=url, headers=headers, body=b"{}")


def _recognised(row: ProviderSpec, models: Sequence[ModelInfo]) -> ProviderSpec:
    """Return the row of the server that a list shows, where only its address is known."""
    if row.key_required or row.health_path or row.probes:
        return row
    owners = {model.owned_by for model in models}
    known = (CATALOG[name] for name in LOCAL_SERVERS)
    return next((other for other in known if other.owned_by and other.owned_by in owners), row)


def _is_on_disk(path: str) -> bool:
    """Return whether there is a file, or the directory of a model that is in more than one."""
    found = os.path.expanduser(path)
    return os.path.isfile(found) or os.path.isfile(os.path.join(found, "config.json"))
