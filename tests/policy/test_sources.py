"""Every provider and every source of its key, its address and its fields: the right one is used.

What is compared is the request as its dialect writes it, because the wrong key at the wrong place is
what users of other clients meet (PEERS.md, bug 14).
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from llm_client.dialects import find_dialect
from llm_client.policy.blanks import field_variables
from llm_client.policy.route import key_variables, resolve_target
from llm_client.providers.catalog import CATALOG
from llm_client.routes import Routes
from llm_client.types.config import LLMConfig, Profile, ProviderSettings, Settings
from llm_client.types.http import HttpRequest
from llm_client.types.request import LLMRequest
from llm_client.types.target import ProviderField, ProviderSpec, variable_part

ROWS = list(CATALOG.values())
KEY = "key-of-the-test-0123456789"
VENDOR_KEY_HEADERS = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}


def surroundings(row: ProviderSpec) -> dict[str, str]:
    """Return an environment with what a provider needs besides an address."""
    environ = {row.own_key_variable: KEY} if row.key_required else {}
    for field in row.fields:
        if not field.default and not field.optional:
            environ[field_variables(row, field)[0]] = (
                "https://given" if field.is_address else "given"
            )
    return environ


def sent(
    row: ProviderSpec, config: LLMConfig, environ: dict[str, str], own: ProviderSettings
) -> HttpRequest:
    """Return the request that a configuration makes of a prompt."""
    settings = Settings(providers={row.name: own})
    target = resolve_target(replace(config, provider=row.name, model="m"), settings, environ)
    return find_dialect(target.provider.dialect).encode(
        LLMRequest.build("hi", stream=False), target
    )


def addresses(row: ProviderSpec) -> list[str]:
    """Return the sources of an address over the catalog's, the strongest first."""
    return ["code", f"LLM_CLIENT_{variable_part(row.name)}_BASE_URL", *row.base_url_env, "file"]


def keys(row: ProviderSpec) -> list[str]:
    return ["code", *key_variables(row)]


ADDRESSES = [
    pytest.param(row, source, id=f"{row.name}-{source}")
    for row in ROWS
    if not row.is_in_process
    for source in addresses(row)
]
KEYS = [
    pytest.param(row, source, id=f"{row.name}-{source}") for row in ROWS for source in keys(row)
]


@pytest.mark.parametrize(("row", "winner"), ADDRESSES)
def test_request_goes_to_the_address_of_the_strongest_source(
    row: ProviderSpec, winner: str
) -> None:
    """Every source from the winner downwards is set."""
    present = addresses(row)[addresses(row).index(winner) :]
    urls = {source: f"https://{variable_part(source).lower()}.test/own" for source in present}
    environ = surroundings(row) | {name: urls[name] for name in present if name.isupper()}

    request = sent(
        row, LLMConfig(base_url=urls.get("code")), environ, ProviderSettings(base_url=urls["file"])
    )

    assert request.url.startswith(f"{urls[winner]}/")


@pytest.mark.parametrize("row", [row for row in ROWS if row.base_url], ids=lambda row: row.name)
def test_request_goes_to_the_catalog_when_nothing_else_is_said(row: ProviderSpec) -> None:
    request = sent(row, LLMConfig(), surroundings(row), ProviderSettings())

    expected = row.base_url.replace("{account}", "given").replace("{host}/", "https://given/")
    expected = expected.replace("{endpoint}", "https://given")
    if row.name == "dashscope":
        expected = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    assert request.url.startswith(f"{expected}/")


@pytest.mark.parametrize(("row", "winner"), KEYS)
def test_request_carries_the_key_of_the_strongest_source(row: ProviderSpec, winner: str) -> None:
    present = keys(row)[keys(row).index(winner) :]
    environ = surroundings(row) | {"LLM_CLIENT_OTHER_API_KEY": "key-of-another"}
    environ.pop(row.own_key_variable, None)
    environ |= {name: f"key-of-{name.lower()}" for name in present if name.isupper()}
    config = LLMConfig(
        api_key="key-of-code" if "code" in present else None,
        base_url=None if row.base_url else "https://somewhere.test",
    )

    request = sent(row, config, environ, ProviderSettings())

    header = row.key_header or VENDOR_KEY_HEADERS.get(row.dialect, "authorization")
    key = f"key-of-{winner.lower()}"
    expected = f"Bearer {key}" if header == "authorization" else key
    carrying = {name: value for name, value in request.headers if "key-of-" in value}
    assert carrying == {header: expected}
    assert header in request.secret_headers


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_key_of_another_variable_is_read_when_the_file_names_it(row: ProviderSpec) -> None:
    environ = surroundings(row) | dict.fromkeys(row.key_env, "key-of-the-usual-variable")
    environ.pop(row.own_key_variable, None)
    own = ProviderSettings(
        api_key_env="MY_KEY",
        key_header="X-My-Key",
        base_url=None if row.base_url else "https://somewhere.test",
    )

    request = sent(row, LLMConfig(), environ | {"MY_KEY": "key-of-mine"}, own)

    carrying = {name: value for name, value in request.headers if "key-of-" in value}
    assert carrying == {"x-my-key": "key-of-mine"}


FIELDS = [
    pytest.param(row, field, source, id=f"{row.name}-{field.name}-{source}")
    for row in ROWS
    for field in row.fields
    for source in ("code", *field_variables(row, field), "file")
]


def made_up(field: ProviderField, number: int) -> str:
    """Return a value of a field, another for each number."""
    if field.is_address:
        return f"https://value-{number}"
    forms = (f"value-{number}", f"value{number}", f"2024-10-1{number}")
    return next(form for form in forms if re.fullmatch(field.pattern or ".*", form))


@pytest.mark.parametrize(("row", "field", "winner"), FIELDS)
def test_field_of_the_strongest_source_is_used(
    row: ProviderSpec, field: ProviderField, winner: str
) -> None:
    sources = ["code", *field_variables(row, field), "file"]
    values = {
        source: made_up(field, number)
        for number, source in enumerate(sources)
        if number >= sources.index(winner)
    }
    environ = surroundings(row)
    for name in field_variables(row, field):
        environ.pop(name, None)
    environ |= {name: value for name, value in values.items() if name.isupper()}
    for variant in row.variants:
        if variant.field != field.name:  # so that the form that has the field is used
            environ[f"LLM_CLIENT_{variable_part(f'{row.name}_{variant.field}')}"] = "2024-10-21"
    config = LLMConfig(fields={field.name: values["code"]} if "code" in values else {})

    request = sent(row, config, environ, ProviderSettings(fields={field.name: values["file"]}))

    value = values[winner]
    texts = [request.url, *(text for _, text in request.headers)]
    assert any(value in text for text in texts), texts
    for other in set(values.values()) - {value}:
        assert not any(other in text for text in texts), texts


KEYED = [row for row in ROWS if not row.is_in_process and row.name != "openai-compatible"]


def everything() -> dict[str, str]:
    """Return an environment with a key of every provider, and what their addresses need."""
    environ = {"LLM_CLIENT_API_KEY": "key-of-the-address"}
    for row in KEYED:
        environ |= surroundings(row) | {row.own_key_variable: f"key-of-{row.name}"}
    return environ


def first_request(
    environ: dict[str, str], config: LLMConfig, settings: Settings, profile: str | None = None
) -> HttpRequest:
    target = Routes(settings, environ).plan(config, profile).route[0].target
    return find_dialect(target.provider.dialect).encode(
        LLMRequest.build("hi", stream=False), target
    )


def keys_in(request: HttpRequest) -> set[str]:
    texts = [request.url, *(text for _, text in request.headers)]
    return {word for text in texts for word in re.findall(r"key-of-[a-z0-9-]+", text)}


@pytest.mark.parametrize("row", KEYED, ids=lambda row: row.name)
@pytest.mark.parametrize("how", ["provider", "spec", "profile"])
def test_address_of_variables_is_left_aside_where_a_provider_is_named(
    row: ProviderSpec, how: str
) -> None:
    """`LLM_CLIENT_BASE_URL` never gets the key of a provider that the code names."""
    environ = everything() | {
        "LLM_CLIENT_BASE_URL": "http://127.0.0.1:9/own",
        "LLM_CLIENT_MODEL": "of-variable",
    }
    settings = Settings(profiles={"p": Profile(model=f"{row.name}/m")})
    config = {
        "provider": LLMConfig(provider=row.name, model="m"),
        "spec": LLMConfig(model=f"{row.name}/m"),
        "profile": LLMConfig(),
    }[how]

    request = first_request(environ, config, settings, "p" if how == "profile" else None)

    assert "127.0.0.1:9" not in request.url
    assert keys_in(request) == {f"key-of-{row.name}"}


@pytest.mark.parametrize("row", KEYED, ids=lambda row: row.name)
@pytest.mark.parametrize("by", ["file", "LLM_CLIENT_PROFILE"])
def test_address_of_variables_has_no_key_of_the_profiles_provider(
    row: ProviderSpec, by: str
) -> None:
    environ = everything() | {"LLM_CLIENT_BASE_URL": "http://127.0.0.1:9/own"}
    if by.isupper():
        environ[by] = "p"
    settings = Settings(default_profile="p", profiles={"p": Profile(model=f"{row.name}/m")})

    request = first_request(environ, LLMConfig(model="m"), settings)

    assert request.url.startswith("http://127.0.0.1:9/own/")
    assert keys_in(request) == {"key-of-the-address"}


@pytest.mark.parametrize("row", KEYED, ids=lambda row: row.name)
def test_provider_and_address_of_variables_belong_together(row: ProviderSpec) -> None:
    environ = everything() | {
        "LLM_CLIENT_BASE_URL": "http://127.0.0.1:9/own",
        "LLM_CLIENT_PROVIDER": row.name,
    }
    settings = Settings(default_profile="p", profiles={"p": Profile(model="openai/gpt-4o")})

    request = first_request(environ, LLMConfig(model="m"), settings)

    assert request.url.startswith("http://127.0.0.1:9/own/")
    assert keys_in(request) == {f"key-of-{row.name}"}


@pytest.mark.parametrize("row", KEYED, ids=lambda row: row.name)
def test_fallback_has_neither_address_nor_key_of_the_first(row: ProviderSpec) -> None:
    environ = everything() | {
        "LLM_CLIENT_BASE_URL": "http://127.0.0.1:9/own",
        "LLM_CLIENT_FALLBACK": f"{row.name}/m",
    }
    links = Routes(Settings(), environ).plan(LLMConfig(model="m"), None).route

    request = find_dialect(links[1].target.provider.dialect).encode(
        LLMRequest.build("hi", stream=False), links[1].target
    )
    assert "127.0.0.1:9" not in request.url
    assert keys_in(request) == {f"key-of-{row.name}"}
