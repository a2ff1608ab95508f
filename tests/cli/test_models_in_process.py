"""Parts of `llm-client models` that no server on loopback can show."""

from __future__ import annotations

import io
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from llm_client.cli import models as module
from llm_client.cli.environment import Environment
from llm_client.cli.guard import guarded
from llm_client.cli.model_facts import Listing, Marks, first_names, is_named
from llm_client.cli.models import ModelsCommand, ask, show_models
from llm_client.cli.progress import Progress
from llm_client.cli.signals import Terminated
from llm_client.configured import Configured, configured_providers
from llm_client.exceptions import LLMError
from llm_client.model_lists import ModelList
from llm_client.policy.route import resolve_target
from llm_client.providers.catalog import CATALOG
from llm_client.storage.model_cache import ModelCache
from llm_client.types.config import LLMConfig, Profile, Settings
from llm_client.types.models import ModelInfo

from ..support.fault_server import fault_server
from .model_servers import listed


def make_environment() -> Environment:
    return Environment(
        stdin=None,
        stdin_is_terminal=False,
        stdout=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"),
        stdout_is_terminal=False,
        stderr=io.StringIO(),
        stderr_is_terminal=False,
        environ=os.environ,
    )


def run_models(command: ModelsCommand, environment: Environment) -> int:
    progress = Progress(environment, quiet=False, verbose=command.verbose)
    return guarded(
        lambda: show_models(command, environment, progress),
        environment,
        progress,
        json=command.json,
        debug=command.debug,
    )


def said(environment: Environment) -> str:
    assert isinstance(environment.stderr, io.StringIO)
    return environment.stderr.getvalue()


def printed(environment: Environment) -> str:
    assert isinstance(environment.stdout, io.TextIOWrapper)
    buffer = environment.stdout.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def usual(url: str, name: str = "llamacpp") -> Configured:
    target = resolve_target(LLMConfig(provider=name), Settings(), {})
    return Configured(name, (replace(target, base_url=url),), origin="usual")


def test_one_that_never_comes_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def stuck(*_: object, **__: object) -> Listing:
        never.wait(60)
        raise LLMError("too late")

    entry = Configured("xai", (resolve_target(LLMConfig(provider="ollama"), Settings(), {}),))
    monkeypatch.setattr(module, "configured_providers", lambda *_: [entry])
    monkeypatch.setattr(module, "ask", stuck)
    environment = make_environment()
    try:
        status = run_models(ModelsCommand(seconds=0.1), environment)
    finally:
        never.set()

    assert status == 4
    assert said(environment).startswith("error: xai: No answer within 0.1 s. Allow more with")


def test_bug_while_asking_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Listing:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(module, "ask", broken)
    entry = Configured("xai")
    monkeypatch.setattr(module, "configured_providers", lambda *_: [entry])
    environment = make_environment()

    assert run_models(ModelsCommand(debug=True), environment) == 1
    assert "xai: Something unforeseen went wrong: ZeroDivisionError: oops" in said(environment)
    assert "in broken" in said(environment)


def test_server_on_another_port_is_listed_by_bare_names_and_says_how_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(listed({"id": "m", "owned_by": "llamacpp"})) as server:
        entry = usual(f"{server.url}/v1")
        cache = ModelCache(tmp_path, 300.0)
        listing = ask(entry, cache, 10.0)
        assert not listing.is_by_name
        assert cache.load(listing.target) is not None
        monkeypatch.setattr(module, "configured_providers", lambda *_: [entry])
        environment = make_environment()

        assert run_models(ModelsCommand(), environment) == 0
        assert printed(environment) == "m\t\tlocal\tlocal\t\tdefault\n"
        assert said(environment) == (
            f"llamacpp at {server.url}/v1: ask its models with `-u {server.url}/v1 -m MODEL`.\n"
        )


def test_server_on_its_usual_port_is_listed_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(listed({"id": "m", "owned_by": "llamacpp"})) as server:
        row = replace(CATALOG["llamacpp"], base_url=f"{server.url}/v1")
        monkeypatch.setattr(module, "CATALOG", {"llamacpp": row})

        assert ask(usual(f"{server.url}/v1"), ModelCache(tmp_path, 300.0), 10.0).is_by_name


def test_width_of_no_terminal_is_the_usual_one() -> None:
    assert make_environment().columns == 80


# --- what is marked ---------------------------------------------------------------------------


def listing(name: str, *ids: str, origin: str = "named") -> Listing:
    config = LLMConfig(provider=name, base_url="http://localhost:1")
    target = resolve_target(config, Settings(), {})
    models = ModelList([ModelInfo(id, name) for id in ids])
    return Listing(Configured(name, (target,), origin=origin), target, models)  # type: ignore[arg-type]


def old(listing: Listing) -> Listing:
    return listing._replace(found=listing.found._replace(failure=LLMError("gone")))


@pytest.mark.parametrize(
    ("listings", "environ", "expected"),
    [
        ([], {}, None),
        ([], {"GROQ_API_KEY": "k", "OPENAI_API_KEY": "k"}, ("openai", "gpt-5.6-luna")),
        ([], {"GITHUB_TOKEN": "k"}, None),
        (
            [listing("vllm", "a"), listing("lmstudio", "b")],
            {"OPENAI_API_KEY": "k"},
            ("lmstudio", ""),
        ),
        ([listing("ollama"), listing("vllm", "a")], {}, ("vllm", "")),
        ([listing("mlx", "a")], {}, ("mlx", "default_model")),
        (
            [listing("openai-compatible", "a", origin="usual")],
            {"OPENAI_API_KEY": "k"},
            ("openai-compatible", ""),
        ),
        ([listing("openai-compatible", "a")], {}, None),
        ([old(listing("ollama", "a")), listing("vllm", "b")], {}, ("vllm", "")),
    ],
)
def test_default_is_decided_as_discovery_does(
    listings: list[Listing], environ: dict[str, str], expected: tuple[str, str] | None
) -> None:
    assert first_names(listings, Settings(), environ) == expected


def test_profiles_mark_the_models_that_they_name() -> None:
    marks = Marks(
        Settings(
            profiles={
                "default": Profile(model="OpenAI/gpt-5"),
                "z": "default",
                "any": Profile(model="openai/"),
                "bare": Profile(model="gpt-5"),
                "bad": Profile(model="nosuch/x"),
                "round": "round",
            }
        ),
        {},
    )

    assert marks.default == ("openai", "gpt-5")
    assert marks.is_decided
    assert marks.aliases("openai", "gpt-5", is_provider_default=False) == ("default", "z")
    assert marks.aliases("openai", "x", is_provider_default=True) == ("any",)
    assert marks.aliases("groq", "gpt-5", is_provider_default=True) == ()
    assert not Marks(Settings(), {}).is_decided


def test_model_of_variables_is_the_default() -> None:
    settings = Settings(profiles={"default": Profile(model="openai/gpt-5")})

    marks = Marks(settings, {"LLM_CLIENT_MODEL": "Groq/x"})

    assert (marks.default, marks.is_decided) == (("groq", "x"), True)
    bare = Marks(Settings(), {"LLM_CLIENT_BASE_URL": "http://x"})
    assert (bare.default, bare.is_decided) == (("openai-compatible", ""), True)


def test_name_may_leave_out_what_ollama_adds() -> None:
    assert is_named("llama3.2:latest", "llama3.2")
    assert not is_named("llama3.2", "llama3.2:latest")


def test_every_entry_can_be_asked(clean_environment: Path, tmp_path: Path) -> None:
    cache = ModelCache(tmp_path, 300.0)
    for entry in configured_providers(Settings(), os.environ):
        if entry.origin == "built-in":
            assert [model.id for model in ask(entry, cache, 30.0).found.models] == ["demo"]
        else:
            with pytest.raises(LLMError):
                ask(entry, cache, 1.0)


# --- how it ends ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (Terminated(15), 143, "Terminated."),
        (BrokenPipeError(), 141, ""),
        (OSError(28, "No space left on device"), 1, "Cannot write the answer: No space left"),
        (ValueError("x"), 1, "This is a bug of llm-client"),
    ],
    ids=["ctrl-c", "term", "pipe", "full", "bug"],
)
@pytest.mark.parametrize("json", [False, True])
def test_command_ends_with_its_status(
    error: BaseException, status: int, words: str, json: bool
) -> None:
    def work() -> int:
        raise error

    environment = make_environment()
    progress = Progress(environment, quiet=False, verbose=False)

    assert guarded(work, environment, progress, json=json, debug=False) == status
    assert words in said(environment)
    is_told = json and not isinstance(error, OSError)
    assert ('"error"' in printed(environment)) is is_told
