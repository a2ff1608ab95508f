"""What `config show` says holds is what calls go by: targets, options, limits, prices, keys."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from llm_client.policy.layers import options_of
from llm_client.routes import Plan, Routes
from llm_client.storage.config import settings_of
from llm_client.storage.config_document import Document, parse_document
from llm_client.storage.effective import effective_settings, used_profile
from llm_client.storage.project_file import ProjectFile
from llm_client.types.config import LLMConfig, Settings
from llm_client.types.http import Timeouts

TEXT = """\
default_profile = "quick"

[profiles.fast]
model = "work/small"
temperature = 0.3
system = "Be brief."
options = { num_ctx = 1, top_k = 2 }

[profiles]
quick = "fast"

[profiles.big]
model = "ollama/big"
system = "Think."

[providers.work]
base_url = "https://llm.example.com/v1"
api_key_env = "WORK_KEY"
timeout = 60
headers = { X-Team = "ours", x-other = "kept" }
options = { seed = 3 }

[providers.ollama]
timeout = 70

[budget.projects.web]
daily_usd = 5
monthly_usd = 50

[pricing."a/b"]
input = 1.0
output = 2.0
"""
DOCUMENT: Document = parse_document(Path("/somewhere/config.toml"), TEXT)
PROJECT = ProjectFile("/p/.llm_client.toml", {"profile": "big", "system": "Arr."}, {})
KEYS = {"WORK_KEY": "k-work-000000000000", "OPENAI_API_KEY": "k-openai-0000000000"}

ENVIRONMENTS: list[Any] = [
    pytest.param({}, id="nothing"),
    pytest.param({"LLM_CLIENT_PROFILE": "big"}, id="profile"),
    pytest.param({"LLM_CLIENT_PROVIDER": "openai", "LLM_CLIENT_TOP_P": "0.5"}, id="provider"),
    pytest.param({"LLM_CLIENT_PROVIDER": "openai", "LLM_CLIENT_PROFILE": "big"}, id="both"),
    pytest.param({"LLM_CLIENT_MODEL": "openai/x", "LLM_CLIENT_SYSTEM": "S"}, id="model spec"),
    pytest.param({"LLM_CLIENT_MODEL": "other"}, id="bare model"),
    pytest.param({"LLM_CLIENT_BASE_URL": "http://localhost:9/v1"}, id="address"),
    pytest.param({"LLM_CLIENT_OPTIONS": '{"num_ctx": 9}'}, id="options"),
    pytest.param({"LLM_CLIENT_WORK_OPTIONS": '{"seed": 9, "n": 1}'}, id="provider's options"),
    pytest.param({"LLM_CLIENT_TIMEOUT": "5"}, id="wait"),
    pytest.param({"LLM_CLIENT_TIMEOUT": "5", "LLM_CLIENT_WORK_TIMEOUT": "6"}, id="two waits"),
    pytest.param({"OLLAMA_TIMEOUT": "8", "LLM_CLIENT_PROFILE": "big"}, id="provider's own wait"),
    pytest.param({"LLM_CLIENT_WORK_HEADERS": '{"x-team": "theirs"}'}, id="headers"),
    pytest.param({"LLM_CLIENT_WORK_API_KEY": "k-over-00000000000"}, id="key"),
    pytest.param(
        {"LLM_CLIENT_WORK_API_KEY_ENV": "SECOND_KEY", "SECOND_KEY": "k-second-000000000"},
        id="another variable for the key",
    ),
]


def planned(environ: dict[str, str], given: LLMConfig, profile: str | None) -> Plan:
    return Routes(settings_of(DOCUMENT, environ), environ).plan(given, profile)


@pytest.mark.parametrize(
    ("profile", "provider"),
    [(None, None), ("quick", None), (None, "work"), (None, "ollama")],
    ids=["nothing named", "a profile", "a provider", "another provider"],
)
@pytest.mark.parametrize("project", [None, PROJECT], ids=["", "project"])
@pytest.mark.parametrize("environ", ENVIRONMENTS)
def test_what_is_shown_is_what_calls_go_by(
    environ: dict[str, str],
    project: ProjectFile | None,
    profile: str | None,
    provider: str | None,
    clean_environment: Path,
) -> None:
    environ = {**KEYS, "HOME": str(clean_environment), **environ}
    model = "m" if provider else None
    spoken = environ
    if project is not None:  # as `use_project` has it
        named = profile or environ.get("LLM_CLIENT_PROFILE")
        spoken = (project.without_profile() if named else project).over(environ)
    plan = planned(spoken, LLMConfig(provider=provider, model=model), profile)
    target = plan.route[0].target
    rows = effective_settings(DOCUMENT, environ, project, profile=profile, provider=provider)
    shown = {row.names: row.value for row in rows}
    used = used_profile(DOCUMENT, environ, project, named=profile, provider=provider)
    assert used == (
        None if plan.profile is None else {"quick": "fast"}.get(plan.profile, plan.profile)
    )

    def of_profile(name: str) -> Any:
        return shown.get(("profiles", used or "*", name))

    def of_provider(name: str) -> Any:
        return shown.get(("providers", target.provider.name, name))

    for name, value in options_of(plan.config).items():
        assert of_profile(name) == value, name
    for name in ("temperature", "top_p", "system"):
        assert of_profile(name) == getattr(plan.config, name), name
    wait = of_provider("timeout") or of_profile("timeout")
    assert (wait or Timeouts().whole) == target.timeouts.whole
    assert {**(of_provider("options") or {}), **(of_profile("options") or {})} == target.options
    headers = of_provider("headers") or {}
    assert headers.items() <= dict(target.headers).items()
    assert len(headers) == (2 if target.provider.name == "work" else 0)
    key = target.api_key.reveal() if target.api_key is not None else None
    assert of_provider("api_key") == key


def limits(settings: Settings) -> dict[tuple[str, ...], Any]:
    assert settings.budget is not None
    return {
        ("budget", "projects", name, limit): value
        for name, budget in settings.budget.projects.items()
        for limit, value in asdict(budget).items()
        if limit.endswith("_usd") and value is not None
    }


def test_table_of_a_variable_replaces_whole_entries() -> None:
    environ = {
        "LLM_CLIENT_PRICING": '{"a/b": {"output": 3}, "c/d": {"input": 4}}',
        "LLM_CLIENT_BUDGET_PROJECTS": '{"web": {"daily_usd": 1}, "app": {"total_usd": 2}}',
    }
    settings = settings_of(DOCUMENT, environ)
    rows = {row.names: row for row in effective_settings(DOCUMENT, environ)}
    shown = {names: row.value for names, row in rows.items()}
    prices = {
        ("pricing", model, name): value
        for model, said in settings.pricing.items()
        for name, value in said.items()
    }
    assert {names: of for names, of in shown.items() if names[0] == "pricing"} == prices
    assert {names: of for names, of in shown.items() if names[0] == "budget"} == limits(settings)
    assert str(rows["pricing", "a/b", "output"].over) == "config.toml:32"


def test_store_that_is_turned_off_has_no_keys(clean_environment: Path) -> None:
    stored = clean_environment / "credentials.toml"
    stored.write_text("[openai]\nkeyring = true\n[mistral]\napi_key = 'k-stored-0123'\n")
    stored.chmod(0o600)
    environ = {"LLM_CLIENT_CREDENTIALS": str(stored)}
    for store, holder in (("keyring", "openai"), ("file", "mistral")):
        rows = effective_settings(None, {**environ, "LLM_CLIENT_CREDENTIALS_STORE": store})
        assert [row.names[1] for row in rows if row.names[-1] == "api_key"] == [holder]


def test_preference_of_routing_is_not_hidden_by_a_default() -> None:
    document = parse_document(
        Path("/c.toml"), "[profiles.default]\n[routing]\nprefer = 'cheapest'\n"
    )
    shown = {row.key: row.value for row in effective_settings(document, {}, defaults=True)}
    assert shown["routing.prefer"] == "cheapest"
    assert shown["profiles.default.overflow"] == "refuse"
    assert "profiles.default.prefer" not in shown
