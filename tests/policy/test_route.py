"""From configuration to targets: who wins, how addresses are written, which key is sent."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.address import normal_url
from llm_client.policy.route import (
    is_loopback,
    key_variables,
    profile_config,
    resolve_key,
    resolve_target,
    retry_settings,
    split_model,
    target_for_fallback,
)
from llm_client.providers.catalog import CATALOG
from llm_client.types.config import (
    LLMConfig,
    Profile,
    ProviderSettings,
    RetrySettings,
    Settings,
)
from llm_client.types.http import Timeouts
from llm_client.types.secret import Secret
from llm_client.types.target import ProviderSpec

NO_SETTINGS = Settings()
OLLAMA = LLMConfig(provider="ollama")
OPENAI = LLMConfig(provider="openai", api_key="sk-from-code")


def whole(row: ProviderSpec, written: str) -> str:
    """Return an address as the route makes it of what a user wrote."""
    return normal_url(written, row, row.dialect)


def configured(**providers: ProviderSettings) -> Settings:
    return Settings(providers=providers)


BASE_URLS = {
    "code": "http://code.test",
    "LLM_CLIENT_OLLAMA_BASE_URL": "http://general.test",
    "OLLAMA_BASE_URL": "http://own.test",
    "OLLAMA_HOST": "http://second.test",
    "file": "http://file.test",
    "catalog": "http://localhost:11434",
}


@pytest.mark.parametrize("winner", BASE_URLS)
def test_base_url_of_the_higher_source_wins(winner: str) -> None:
    """Every source from the winner downwards is set."""
    present = list(BASE_URLS)[list(BASE_URLS).index(winner) :]
    environ = {name: BASE_URLS[name] for name in present if name.isupper()}
    settings = configured(ollama=ProviderSettings(base_url=BASE_URLS["file"]))
    config = replace(OLLAMA, base_url=BASE_URLS["code"]) if "code" in present else OLLAMA

    target = resolve_target(config, settings if "file" in present else NO_SETTINGS, environ)

    assert target.base_url == BASE_URLS[winner]


KEYS = {
    "code": "key-of-code",
    "LLM_CLIENT_LMSTUDIO_API_KEY": "key-general",
    "LMSTUDIO_API_KEY": "key-own",
    "LM_API_TOKEN": "key-second",
    "nothing": None,
}


@pytest.mark.parametrize("winner", KEYS)
def test_key_of_the_higher_source_wins(winner: str) -> None:
    present = list(KEYS)[list(KEYS).index(winner) :]
    environ = {name: str(KEYS[name]) for name in present if name.isupper()}
    config = LLMConfig(provider="lmstudio", api_key=KEYS["code"] if "code" in present else None)

    key = resolve_target(config, NO_SETTINGS, environ).api_key

    assert (key.reveal() if key else None) == KEYS[winner]


MODELS = {"code": "of-code", "LLM_CLIENT_EMBEDDED_MODEL": "of-variable", "catalog": "demo"}


@pytest.mark.parametrize("winner", MODELS)
def test_model_of_the_higher_source_wins(winner: str) -> None:
    present = list(MODELS)[list(MODELS).index(winner) :]
    environ = {name: MODELS[name] for name in present if name.isupper()}
    config = LLMConfig(provider="embedded", model=MODELS["code"] if "code" in present else None)

    assert resolve_target(config, NO_SETTINGS, environ).model == MODELS[winner]


@pytest.mark.parametrize(
    ("given", "filed", "expected"),
    [
        pytest.param(None, None, Timeouts(first_byte=300.0, silence=30.0), id="catalog"),
        pytest.param(None, 60.0, Timeouts(5.0, 60.0, 60.0, whole=60.0), id="file"),
        pytest.param(2.0, 60.0, Timeouts(2.0, 2.0, 2.0, whole=2.0), id="code"),
    ],
)
def test_timeout_of_the_higher_source_wins(
    given: float | None, filed: float | None, expected: Timeouts
) -> None:
    settings = configured(ollama=ProviderSettings(timeout=filed))

    target = resolve_target(replace(OLLAMA, timeout=given), settings, {})

    assert target.timeouts == expected


@pytest.mark.parametrize(
    ("given", "filed", "expected"),
    [
        (None, None, True),
        (None, "/ca.pem", "/ca.pem"),
        (None, False, False),
        (True, False, True),
        (False, "/ca.pem", False),
        ("system", "/ca.pem", "system"),
    ],
)
def test_trust_of_the_higher_source_wins(
    given: bool | str | None, filed: bool | str | None, expected: bool | str
) -> None:
    settings = configured(openai=ProviderSettings(verify_ssl=filed))

    assert resolve_target(replace(OPENAI, verify_ssl=given), settings, {}).verify_ssl == expected


def test_options_of_code_go_over_those_of_the_file() -> None:
    settings = configured(ollama=ProviderSettings(options={"num_ctx": 1, "mirostat": 2}))

    target = resolve_target(replace(OLLAMA, options={"num_ctx": 9}), settings, {})

    assert target.options == {"num_ctx": 9, "mirostat": 2}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (LLMConfig(model="openrouter/meta/llama-3"), ("openrouter", "meta/llama-3")),
        (LLMConfig(model="ollama/llama3.2"), ("ollama", "llama3.2")),
        (LLMConfig(model="work/a/b"), ("work", "a/b")),
        (LLMConfig(model="llama3.2"), (None, "llama3.2")),
        (LLMConfig(), (None, "")),
        (LLMConfig(provider="openai", model="a/b"), ("openai", "a/b")),
        (LLMConfig(base_url="http://x", model="a/b"), ("openai-compatible", "a/b")),
        (LLMConfig(provider="ollama", base_url="http://x", model="m"), ("ollama", "m")),
    ],
    ids=lambda value: str(value.model) if isinstance(value, LLMConfig) else "",
)
def test_spec_is_split_at_the_first_slash_only(
    config: LLMConfig, expected: tuple[str | None, str]
) -> None:
    settings = configured(
        openrouter=ProviderSettings(base_url="http://r"), work=ProviderSettings(base_url="http://w")
    )

    assert split_model(config, settings) == expected


def test_unknown_provider_in_a_spec_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="no provider 'olama'") as caught:
        resolve_target(LLMConfig(model="olama/llama3.2"), NO_SETTINGS, {})

    assert "Did you mean 'ollama', " in str(caught.value.hint)


@pytest.mark.parametrize(
    "config", [LLMConfig(model="wrk/m"), LLMConfig(provider="wrk")], ids=["spec", "provider"]
)
def test_unknown_provider_near_a_configured_one_names_that(config: LLMConfig) -> None:
    settings = configured(work=ProviderSettings(base_url="http://w"))
    with pytest.raises(ConfigurationError) as caught:
        resolve_target(config, settings, {})

    assert "Did you mean 'work'?" in str(caught.value.hint)


def test_unknown_provider_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no provider 'olama'"):
        resolve_target(LLMConfig(provider="olama", model="m"), NO_SETTINGS, {})


def test_model_without_a_provider_is_no_target() -> None:
    with pytest.raises(ConfigurationError, match="Nothing says which provider has the model 'x'"):
        resolve_target(LLMConfig(model="x"), NO_SETTINGS, {})


@pytest.mark.parametrize("name", ["OpenAI", "OPENAI"])
def test_provider_is_found_in_any_case_with_its_settings(name: str) -> None:
    settings = configured(openai=ProviderSettings(base_url="https://proxy.test/v1"))

    target = resolve_target(replace(OPENAI, provider=name), settings, {})

    assert target.provider.name == "openai"
    assert target.base_url == "https://proxy.test/v1"


def test_provider_of_the_file_speaks_its_dialect_with_its_own_key_only() -> None:
    settings = configured(
        work=ProviderSettings(
            base_url="https://llm.work.test/v1", api_key_env="WORK_KEY", options={"a": 1}
        )
    )
    environ = {"WORK_KEY": "key-of-work", "LLM_CLIENT_API_KEY": "of-another"}

    target = resolve_target(LLMConfig(model="work/m"), settings, environ)

    assert target.provider.name == "work"
    assert target.provider.dialect == "openai-chat"
    assert target.api_key == Secret("key-of-work")
    assert target.spec == "work/m"
    del environ["WORK_KEY"]
    assert resolve_target(LLMConfig(model="work/m"), settings, environ).api_key is None


def test_address_of_the_file_is_read_by_the_dialect_of_the_file() -> None:
    settings = configured(box=ProviderSettings(base_url="http://box:1/api/", dialect="ollama"))

    target = resolve_target(LLMConfig(model="box/m"), settings, {})

    assert target.base_url == "http://box:1"
    assert target.provider.dialect == "ollama"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("http://0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("10.0.0.0:8000", "http://10.0.0.0:8000"),
        (":11434", "http://127.0.0.1:11434"),
        (":9000", "http://127.0.0.1:9000"),
        ("host", "http://host:11434"),
        ("host:1", "http://host:1"),
        ("host/v1", "http://host:11434"),
        ("https://x", "https://x"),
        ("HTTPS://X.test", "https://x.test"),
        ("http://x", "http://x"),
        ("http://x/v1", "http://x"),
        ("http://x/v1/", "http://x"),
        ("http://x/api", "http://x"),
        ("http://x/ollama/", "http://x/ollama"),
        ("http://x/ollama/v1", "http://x/ollama"),
        ("http://x///", "http://x"),
        ("  http://x:1  ", "http://x:1"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("http://[fe80::1]:8000/v1", "http://[fe80::1]:8000"),
        ("[::]:8000", "http://[::1]:8000"),
        ("https://user:pa@ss@x:1", "https://user:pa@ss@x:1"),
    ],
)
def test_address_of_ollama_is_made_whole(written: str, meant: str) -> None:
    assert whole(CATALOG["ollama"], written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http://x:1", "http://x:1/v1"),
        ("http://x:1/", "http://x:1/v1"),
        ("http://x:1/v1", "http://x:1/v1"),
        ("http://x:1/v1///", "http://x:1/v1"),
        ("http://x:1/v1/chat/completions", "http://x:1/v1"),
        ("http://x:1/openai/v2", "http://x:1/openai/v2"),
        ("localhost:8080", "http://localhost:8080/v1"),
        ("localhost", "http://localhost:1234/v1"),
        ("https://llm.test", "https://llm.test/v1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1"),
        ("::1", "http://[::1]:1234/v1"),
    ],
)
def test_address_of_an_openai_server_is_made_whole(written: str, meant: str) -> None:
    assert whole(CATALOG["lmstudio"], written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "ftp://x",
        "http://",
        "http://x:port",
        "http://x:99999",
        "http://[::1",
        "http://two words",
        "http://x/v1#top",
        "://x",
        "/",
    ],
)
def test_address_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address of a server") as caught:
        whole(CATALOG["openai-compatible"], written)

    assert caught.value.hint == "Write it as `http://HOST:PORT/v1`."


def test_provider_without_an_address_asks_for_one() -> None:
    with pytest.raises(ConfigurationError, match="'openai-compatible' needs an address") as caught:
        resolve_target(LLMConfig(provider="openai-compatible"), NO_SETTINGS, {})

    assert "--base-url" in str(caught.value.hint)


@pytest.mark.parametrize("row", CATALOG.values(), ids=lambda row: row.name)
def test_address_of_the_catalog_is_normal_already(row: ProviderSpec) -> None:
    for url in filter(None, (row.base_url, *row.alternative_base_urls)):
        written = re.sub(r"^\{\w+\}", "https://host", url).replace("{", "").replace("}", "")
        if not row.is_in_process:
            assert whole(row, written) == written


def test_missing_key_names_the_variables_and_a_command() -> None:
    with pytest.raises(ConfigurationError, match="No key for 'openai'") as caught:
        resolve_key(CATALOG["openai"], {})

    assert caught.value.hint == "Set OPENAI_API_KEY: `export OPENAI_API_KEY=…`."


def test_missing_key_of_a_provider_without_variables_names_the_general_one() -> None:
    row = replace(CATALOG["openai"], name="my.work-llm", key_env=())

    with pytest.raises(ConfigurationError) as caught:
        resolve_key(row, {})

    assert caught.value.hint is not None
    assert "export LLM_CLIENT_MY_WORK_LLM_API_KEY=…" in caught.value.hint


def test_variables_of_a_key_begin_with_the_general_one() -> None:
    assert key_variables(CATALOG["openai"]) == ("LLM_CLIENT_OPENAI_API_KEY", "OPENAI_API_KEY")


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_blank_key_is_no_key(value: str) -> None:
    assert resolve_key(CATALOG["ollama"], {"OLLAMA_API_KEY": value}) is None
    with pytest.raises(ConfigurationError):
        resolve_key(CATALOG["openai"], {"OPENAI_API_KEY": value})


def test_key_is_stripped_of_the_line_end_of_its_file() -> None:
    assert resolve_key(CATALOG["openai"], {"OPENAI_API_KEY": "sk-x\n"}) == Secret("sk-x")
    assert resolve_key(CATALOG["openai"], {}, given="sk-y") == Secret("sk-y")


PROFILES = Settings(
    profiles={
        "fast": Profile(
            model="ollama/llama3.2",
            fallback=("cloud", "openai/gpt-5-mini"),
            temperature=0.1,
            top_p=0.2,
            max_tokens=3,
            system="Be brief.",
        ),
        "cloud": Profile(model="openai/gpt-5"),
        "quick": "speedy",
        "speedy": "fast",
        "a": "b",
        "b": "c",
        "c": "a",
        "self": "self",
        "lost": "nowhere",
    }
)


@pytest.mark.parametrize("name", ["fast", "speedy", "quick"])
def test_profile_is_found_by_its_name_and_its_aliases(name: str) -> None:
    config, fallback = profile_config(PROFILES, name)

    assert config == LLMConfig(
        model="ollama/llama3.2", temperature=0.1, top_p=0.2, max_tokens=3, system="Be brief."
    )
    assert fallback == ("cloud", "openai/gpt-5-mini")


@pytest.mark.parametrize(("name", "circle"), [("a", "a -> b -> c -> a"), ("self", "self -> self")])
def test_alias_of_itself_shows_the_circle(name: str, circle: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        profile_config(PROFILES, name)

    assert str(caught.value).endswith(f"is an alias of itself: {circle}.")


@pytest.mark.parametrize(("name", "missing"), [("no", "no"), ("lost", "nowhere")])
def test_missing_profile_lists_those_there_are(name: str, missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"no profile '{missing}'") as caught:
        profile_config(PROFILES, name)

    assert "cloud, fast" in str(caught.value.hint)


def test_missing_profile_without_a_configuration_says_so() -> None:
    with pytest.raises(ConfigurationError) as caught:
        profile_config(NO_SETTINGS, "fast")

    assert caught.value.hint == "Profiles in the configuration: none."


@pytest.mark.parametrize(
    ("link", "spec"),
    [("cloud", "openai/gpt-5"), ("quick", "ollama/llama3.2"), ("openai/x/y", "openai/x/y")],
)
def test_link_of_a_chain_is_a_profile_or_a_spec(link: str, spec: str) -> None:
    target = target_for_fallback(link, PROFILES, {"OPENAI_API_KEY": "sk-x"})

    assert target.spec == spec


def test_retry_settings_of_code_go_over_those_of_the_file() -> None:
    settings = Settings(retry=RetrySettings(max_retries=7, delay=3.0))
    config = LLMConfig(max_retries=0, retry_max_delay=5.0, retry_exponential_base=1.5)

    assert retry_settings(config, settings) == RetrySettings(
        max_retries=0, delay=3.0, max_delay=5.0, exponential_base=1.5
    )
    assert retry_settings(LLMConfig(retry_delay=9.0), settings).delay == 9.0


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://localhost:1/v1", True),
        ("http://localhost./v1", True),
        ("http://a.localhost", True),
        ("http://127.0.0.1", True),
        ("http://127.8.9.1:5", True),
        ("http://[::1]:1", True),
        ("gguf://embedded/v1", True),
        ("http://127.example.com", False),
        ("http://127.0.0.1.evil.test", False),
        ("http://localhost.evil.test", False),
        ("https://api.openai.test", False),
        ("http://192.168.0.1", False),
        ("http://[fe80::1]", False),
    ],
)
def test_loopback_is_told_from_names_that_look_like_it(url: str, is_local: bool) -> None:
    assert is_loopback(url) is is_local


@pytest.mark.parametrize("written", ["http://bob:hun%20ter2@h.test/v1", "bob:hun%20ter2@h.test"])
def test_credentials_of_an_address_are_kept_apart_from_it(written: str) -> None:
    target = resolve_target(LLMConfig(base_url=written, model="m"), NO_SETTINGS, {})

    assert target.base_url == "http://h.test/v1"
    assert target.basic_auth == Secret("bob:hun ter2")
    assert "hun" not in repr(target)


def test_address_for_a_model_in_this_process_is_a_contradiction() -> None:
    config = LLMConfig(provider="embedded", base_url="http://bob:secret@h.test")

    with pytest.raises(ConfigurationError, match="runs in this process") as caught:
        resolve_target(config, NO_SETTINGS, {})
    assert "secret" not in str(caught.value)


def test_address_with_a_query_is_refused_and_its_values_are_not_shown() -> None:
    with pytest.raises(
        ConfigurationError, match=r"'http://x/v1\?key=\*\*\*&b=\*\*\*' has a query"
    ) as caught:
        whole(CATALOG["openai-compatible"], "http://x/v1?key=hidden&b=1")
    assert "hidden" not in str(caught.value) + str(caught.value.hint)
