"""The table of settings: one row each. Looking them up is `setting_schema.py`'s business."""

from __future__ import annotations

from typing import Final

from ..types.target import variable_part
from .setting_kinds import (
    ADDRESS,
    AMOUNT,
    COMMAND,
    DIALECT,
    EFFORT,
    FACTOR,
    FLAG,
    HEADER_NAME,
    HEADERS,
    ON_EXCEEDED,
    OVERFLOW,
    PAUSE,
    PREFER,
    PRICE,
    RETRIES,
    SECONDS,
    SHARE,
    SIZE,
    SOME,
    STORE,
    TABLE,
    TEMPERATURE,
    TEXT,
    TEXTS,
    VARIABLE,
    VERIFY,
    WAIT,
    WHOLE,
    Kind,
)

__all__ = ["OTHER_VARIABLES", "SETTINGS", "Setting"]


class Setting:
    """One setting, or one table of settings by names that the user gives.

    No NamedTuple: making the class would cost every start with a configuration file 0.2 ms.
    """

    __slots__ = ("about", "default", "kind", "path", "variable")

    def __init__(
        self, path: str, kind: Kind, about: str, variable: str = "", default: object = None
    ) -> None:
        """Take what is to be known of it.

        Args:
            path: dotted; `*` stands for a name: `retry.max_retries`, `providers.*.timeout`.
            kind: what it may be.
            about: one line of help, without a full stop.
            variable: stands over the file; `*` in it is the name in capitals. Those of `profiles.*`
                hold for whichever profile is used. Empty: the table around it has one.
            default: `None`: nothing, or what catalog or provider say.
        """
        self.path = path
        self.kind = kind
        self.about = about
        self.variable = variable
        self.default = default

    def variable_for(self, name: str = "") -> str:
        """Return the variable of a setting below a name."""
        return self.variable.replace("*", variable_part(name))


def _limits(path: str, variable: str, whose: str) -> tuple[Setting, ...]:
    """Return the settings of a budget."""
    rows = (
        ("per_call_usd", AMOUNT, "USD that one call may cost at most"),
        ("daily_usd", AMOUNT, "USD a day, in local time"),
        ("weekly_usd", AMOUNT, "USD a week, from Monday"),
        ("monthly_usd", AMOUNT, "USD a month"),
        ("total_usd", AMOUNT, "USD at all"),
    )
    named = variable and f"{variable}_"
    return (
        *(
            Setting(f"{path}.{name}", kind, f"{about}{whose}", named and named + name.upper())
            for name, kind, about in rows
        ),
        Setting(
            f"{path}.on_exceeded",
            ON_EXCEEDED,
            f"What happens where it is spent{whose}",
            named and f"{named}ON_EXCEEDED",
            "block",
        ),
    )


_PRICES: Final = {
    "input": "prompts",
    "output": "answers",
    "cache_read": "prompts read from the provider's cache",
    "cache_write": "prompts written to the provider's cache",
}

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "default_profile",
        TEXT,
        "The profile that is used where none is named",
        "LLM_CLIENT_PROFILE",
    ),
    Setting("profiles.*.model", TEXT, "Who answers: `provider/model`", "LLM_CLIENT_MODEL"),
    Setting(
        "profiles.*.fallback",
        TEXTS,
        "Who answers when the first fails: profiles or model specs, in order",
        "LLM_CLIENT_FALLBACK",
    ),
    Setting("profiles.*.system", TEXT, "The system prompt", "LLM_CLIENT_SYSTEM"),
    Setting(
        "profiles.*.temperature",
        TEMPERATURE,
        "How freely words are chosen",
        "LLM_CLIENT_TEMPERATURE",
    ),
    Setting("profiles.*.top_p", SHARE, "Share of likely words to choose from", "LLM_CLIENT_TOP_P"),
    Setting("profiles.*.max_tokens", SOME, "The most tokens of an answer", "LLM_CLIENT_MAX_TOKENS"),
    Setting("profiles.*.stop", TEXTS, "Texts that end the answer", "LLM_CLIENT_STOP"),
    Setting("profiles.*.seed", WHOLE, "For answers that can be repeated", "LLM_CLIENT_SEED"),
    Setting(
        "profiles.*.reasoning_effort", EFFORT, "How much to think", "LLM_CLIENT_REASONING_EFFORT"
    ),
    Setting(
        "profiles.*.timeout", WAIT, "Seconds that any single wait may last", "LLM_CLIENT_TIMEOUT"
    ),
    Setting(
        "profiles.*.options",
        TABLE,
        "Provider-specific fields of every request",
        "LLM_CLIENT_OPTIONS",
    ),
    Setting(
        "profiles.*.overflow",
        OVERFLOW,
        "What happens to a conversation that is too long for the model",
        "LLM_CLIENT_OVERFLOW",
        "refuse",
    ),
    Setting(
        "profiles.*.prefer",
        PREFER,
        "Which target of a chain is asked first",
        "LLM_CLIENT_PREFER",
        "order",
    ),
    Setting("providers.*.dialect", DIALECT, "The wire format", "LLM_CLIENT_*_DIALECT"),
    Setting("providers.*.base_url", ADDRESS, "The server's address", "LLM_CLIENT_*_BASE_URL"),
    Setting(
        "providers.*.api_key_env",
        VARIABLE,
        "Variable that holds the key",
        "LLM_CLIENT_*_API_KEY_ENV",
    ),
    Setting(
        "providers.*.api_key_command",
        COMMAND,
        "Program, and its arguments, that prints the key",
        "LLM_CLIENT_*_API_KEY_COMMAND",
    ),
    Setting(
        "providers.*.key_header",
        HEADER_NAME,
        "Header that carries the key",
        "LLM_CLIENT_*_KEY_HEADER",
    ),
    Setting("providers.*.headers", HEADERS, "Sent with every request", "LLM_CLIENT_*_HEADERS"),
    Setting(
        "providers.*.timeout",
        WAIT,
        "Seconds that any single wait may last",
        "LLM_CLIENT_*_TIMEOUT",
    ),
    Setting(
        "providers.*.verify_ssl",
        VERIFY,
        "Whether certificates are checked, and by which authorities",
        "LLM_CLIENT_*_VERIFY_SSL",
        True,
    ),
    Setting(
        "providers.*.options",
        TABLE,
        "Provider-specific fields of every request",
        "LLM_CLIENT_*_OPTIONS",
    ),
    Setting(
        "providers.*.requests_per_minute",
        SOME,
        "By all processes of this machine with the same key",
        "LLM_CLIENT_*_REQUESTS_PER_MINUTE",
    ),
    Setting(
        "providers.*.tokens_per_minute",
        SOME,
        "Of prompts and answers together, by all processes with the same key",
        "LLM_CLIENT_*_TOKENS_PER_MINUTE",
    ),
    Setting(
        "retry.max_retries",
        RETRIES,
        "How often a failed attempt is made again",
        "LLM_CLIENT_MAX_RETRIES",
        3,
    ),
    Setting("retry.delay", PAUSE, "Seconds before the first retry", "LLM_CLIENT_RETRY_DELAY", 1.0),
    Setting(
        "retry.max_delay",
        PAUSE,
        "Seconds that a delay grows to at most",
        "LLM_CLIENT_RETRY_MAX_DELAY",
        10.0,
    ),
    Setting(
        "retry.exponential_base",
        FACTOR,
        "By how much each delay grows",
        "LLM_CLIENT_RETRY_EXPONENTIAL_BASE",
        2.0,
    ),
    *_limits("budget", "LLM_CLIENT_BUDGET", ""),
    Setting(
        "budget.projects", TABLE, "Budgets by the names of projects", "LLM_CLIENT_BUDGET_PROJECTS"
    ),
    *_limits("budget.projects.*", "", ", for a project"),
    Setting(
        "budget.profiles", TABLE, "Budgets by the names of profiles", "LLM_CLIENT_BUDGET_PROFILES"
    ),
    *_limits("budget.profiles.*", "", ", for a profile"),
    Setting(
        "budget.providers",
        TABLE,
        "Budgets by the names of providers",
        "LLM_CLIENT_BUDGET_PROVIDERS",
    ),
    *_limits("budget.providers.*", "", ", for a provider"),
    Setting(
        "routing.planning", TEXT, "Who answers `--task planning`", "LLM_CLIENT_ROUTING_PLANNING"
    ),
    Setting("routing.vision", TEXT, "Who answers prompts with images", "LLM_CLIENT_ROUTING_VISION"),
    Setting(
        "routing.long_context",
        TEXT,
        "Who answers prompts that are too long for the first choice",
        "LLM_CLIENT_ROUTING_LONG_CONTEXT",
    ),
    Setting(
        "routing.prefer",
        PREFER,
        "Which target of a chain is asked first, where the profile does not say",
        "LLM_CLIENT_ROUTING_PREFER",
        "order",
    ),
    Setting(
        "cache.models_ttl",
        SECONDS,
        "Seconds that a model list is kept",
        "LLM_CLIENT_CACHE_TTL",
        300.0,
    ),
    Setting(
        "cache.responses",
        FLAG,
        "Whether answers are kept and used again",
        "LLM_CLIENT_CACHE_RESPONSES",
        False,
    ),
    Setting(
        "cache.responses_ttl",
        SECONDS,
        "Seconds that an answer is kept",
        "LLM_CLIENT_CACHE_RESPONSES_TTL",
        86400.0,
    ),
    Setting(
        "cache.responses_max_mb",
        SIZE,
        "Megabytes of answers that are kept",
        "LLM_CLIENT_CACHE_RESPONSES_MAX_MB",
        256.0,
    ),
    Setting(
        "pricing",
        TABLE,
        "Prices by model spec, in which `*` stands for any text",
        "LLM_CLIENT_PRICING",
    ),
    *(
        Setting(f"pricing.*.{name}", PRICE, f"USD per million tokens of {of}")
        for name, of in _PRICES.items()
    ),
    Setting("ledger.enabled", FLAG, "Whether attempts are written down", "LLM_CLIENT_LEDGER", True),
    Setting(
        "credentials.store",
        STORE,
        "Where `llm-client creds set` puts keys, and whether the keyring is asked",
        "LLM_CLIENT_CREDENTIALS_STORE",
        "auto",
    ),
)
"""In the order in which a file is best read."""

OTHER_VARIABLES: Final = {
    "LLM_CLIENT_CONFIG": "The configuration file",
    "LLM_CLIENT_CREDENTIALS": "The file of keys, where there is no keyring",
    "LLM_CLIENT_CACHE_DIR": "The directory of caches",
    "LLM_CLIENT_DATA_DIR": "The directory of the ledger",
    "LLM_CLIENT_PROVIDER": "Who answers, where the command line does not say",
    "LLM_CLIENT_BASE_URL": "Address of who answers, likewise",
    "LLM_CLIENT_DIALECT": "The wire format that is spoken there",
    "LLM_CLIENT_VERIFY_SSL": "As `providers.*.verify_ssl`, for all providers",
    "LLM_CLIENT_API_KEY": "Key of a server that only its address names",
    "LLM_CLIENT_EMBEDDED_MODEL": "The model file of `-p embedded`",
    "LLM_CLIENT_PROJECT": "Label of calls in the ledger",
    "LLM_CLIENT_SESSION": "Label of calls in the ledger",
    "LLM_CLIENT_PROJECT_FILE": "`off`: no `.llm_client.toml` is read",
}
"""Variables that are no setting of the file. Beside them `LLM_CLIENT_<PROVIDER>_API_KEY` and
`LLM_CLIENT_<PROVIDER>_<FIELD>`."""
