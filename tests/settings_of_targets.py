"""Rows of the matrix for the settings of profiles and of providers: see `settings_rows.py`."""

from __future__ import annotations

from dataclasses import replace

from .support.setting_setup import Code, Observe, Row, Setup

__all__ = ["PROFILE_ROWS", "PROVIDER_ROWS", "configured"]


def configured(name: str, value: object) -> Code:
    """Return how code says a setting that is a field of `LLMConfig`."""
    return Code(f"`LLMConfig({name}=…)`", {name: value})


def _option(
    name: str, file: object, text: str, said: object, coded: object, wrong: object, bad: str | None
) -> Row:
    """Return a setting of profiles that arrives in the request under its own name."""
    return Row(
        f"profiles.*.{name}",
        lambda setup: setup.body.get(name),
        file,
        text,
        said,
        wrong,
        bad,
        code=configured(name, coded),
        coded=coded,
    )


def _system(setup: Setup) -> object:
    first = setup.body["messages"][0]
    return first["content"] if first["role"] == "system" else None


def _chain(setup: Setup) -> object:
    return [link.target.spec for link in setup.plan.route[1:]]


def _waits(setup: Setup) -> object:
    return setup.target.timeouts.silence


PROFILE_ROWS = (
    Row(
        "profiles.*.model",
        lambda setup: setup.target.spec,
        "work/of-file",
        "work/of-variable",
        "work/of-variable",
        5,
        "wrok/x",
        default="work/m",
        code=configured("model", "work/of-code"),
        coded="work/of-code",
    ),
    Row(
        "profiles.*.fallback",
        _chain,
        ["q"],
        "q, work/b",
        ["work/other", "work/b"],
        "q",
        "nobody",
        default=[],
        filed=["work/other"],
        code=configured("fallback_configs", ["work/c"]),
        coded=["work/c"],
    ),
    replace(
        _option("system", "of file", "of variable", "of variable", "of code", 5, None),
        observe=_system,
    ),
    _option("temperature", 0.1, "0.2", 0.2, 0.3, 3, "3"),
    _option("top_p", 0.1, "0.2", 0.2, 0.3, -1, "x"),
    _option("max_tokens", 1, "2", 2, 3, 0, "0"),
    _option("stop", ["a"], "b,c", ["b", "c"], ["d"], [""], '["'),
    _option("seed", 1, "2", 2, 3, "x", "1.5"),
    _option("reasoning_effort", "low", "high", "high", "medium", "much", "much"),
    Row(
        "profiles.*.timeout",
        _waits,
        1,
        "2",
        2,
        0,
        "0",
        default=30.0,
        code=configured("timeout", 3.0),
        coded=3.0,
    ),
    Row(
        "profiles.*.options",
        lambda setup: setup.target.options.get("k"),
        {"k": 1},
        '{"k": 2}',
        2,
        5,
        "k=2",
        filed=1,
        code=configured("options", {"k": 3}),
        coded=3,
    ),
    Row(
        "profiles.*.overflow",
        lambda setup: setup.calls.config.overflow or "refuse",
        "trim",
        "summarize",
        "summarize",
        "cut",
        "cut",
        default="refuse",
        code=configured("overflow", "refuse"),
        coded="refuse",
    ),
    Row(
        "profiles.*.prefer",
        lambda setup: setup.plan.layers.prefer,
        "cheapest",
        "cheapest",
        "cheapest",
        "best",
        "best",
        default="order",
        code=configured("prefer", "order"),
        coded="order",
        over=("order", "order"),
    ),
)


def _of_target(name: str) -> Observe:
    return lambda setup: getattr(setup.target, name)


def _key(setup: Setup) -> object:
    key = setup.target.api_key
    return key.reveal() if key else None


PROVIDER_ROWS = (
    Row(
        "providers.*.dialect",
        lambda setup: setup.target.provider.dialect,
        "anthropic",
        "gemini",
        "gemini",
        "opnai",
        "opnai",
        default="openai-chat",
        code=configured("dialect", "cohere"),
        coded="cohere",
    ),
    Row(
        "providers.*.base_url",
        lambda setup: setup.target.base_url,
        "http://of-file:1",
        "http://of-variable:2",
        "http://of-variable:2",
        "ftp://x",
        "ftp://x",
        default="http://localhost:11434",
        code=Code("`LLMConfig(base_url=…)`", {"provider": "ollama", "base_url": "http://code:3"}),
        coded="http://code:3",
        own=("OLLAMA_HOST", "own:4", "http://own:4"),
        provider="ollama",
    ),
    Row(
        "providers.*.api_key_env",
        _key,
        "KEY_OF_FILE",
        "KEY_OF_VARIABLE",
        "key-of-variable",
        "sk-proj-0123456789",
        "sk-proj-0123456789",
        filed="key-of-file",
        code=configured("api_key", "key-of-code"),
        coded="key-of-code",
    ),
    Row(
        "providers.*.api_key_command",
        _key,
        ["echo", "key-printed-for-file"],
        "echo key-printed-for-variable",
        "key-printed-for-variable",
        "echo x",
        "[]",
        filed="key-printed-for-file",
        code=configured("api_key", "key-of-code"),
        coded="key-of-code",
    ),
    Row(
        "providers.*.key_header",
        lambda setup: setup.target.provider.key_header,
        "x-of-file",
        "x-of-variable",
        "x-of-variable",
        "a b",
        "a b",
        default="",
    ),
    Row(
        "providers.*.headers",
        lambda setup: dict(setup.target.headers).get("x-team"),
        {"x-team": "of file"},
        '{"x-team": "of variable"}',
        "of variable",
        {"x-team": 5},
        "x-team: y",
        filed="of file",
    ),
    Row(
        "providers.*.timeout",
        _waits,
        1,
        "2",
        2,
        0,
        "soon",
        default=30.0,
        code=Code("`LLMConfig(timeout=…)`", {"provider": "ollama", "timeout": 3.0}),
        coded=3.0,
        own=("OLLAMA_TIMEOUT", "4", 4),
        provider="ollama",
    ),
    Row(
        "providers.*.verify_ssl",
        lambda setup: setup.target.verify_ssl,
        False,
        "system",
        "system",
        5,
        None,
        default=True,
        code=configured("verify_ssl", "/ca.pem"),
        coded="/ca.pem",
    ),
    Row(
        "providers.*.options",
        lambda setup: setup.body.get("k"),
        {"k": 1},
        '{"k": 2}',
        2,
        5,
        "[1]",
        filed=1,
        code=configured("options", {"k": 3}),
        coded=3,
    ),
    *(
        Row(
            f"providers.*.{name}",
            _of_target(name),
            1,
            "2",
            2,
            0,
            "0",
            code=configured(name, 3),
            coded=3,
        )
        for name in ("requests_per_minute", "tokens_per_minute")
    ),
)
