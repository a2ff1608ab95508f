"""Where an attempt goes: a row of the provider catalog, and that row made concrete.

Owns the shape of provider data. What is true of which provider stands in `providers/catalog.py`;
what to do with it is the dialects' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from .http import DEFAULT_FIRST_BYTE_SECONDS, Timeouts
from .secret import Secret

__all__ = [
    "ModelRule",
    "Probe",
    "ProviderField",
    "ProviderSpec",
    "Quirks",
    "Target",
    "Variant",
    "matches",
    "variable_part",
]


@lru_cache(maxsize=1024)
def matches(pattern: str, name: str) -> bool:
    """Return whether a name fits a pattern, in which `*` stands for any text; case counts not.

    Own code, because `fnmatch` compiles a regular expression for every pattern of a table.
    """
    first, *rest = pattern.lower().split("*")
    name = name.lower()
    if not rest:
        return name == first
    if not name.startswith(first):
        return False
    *middle, last = rest
    position = len(first)
    for text in middle:
        position = name.find(text, position)
        if position < 0:
            return False
        position += len(text)
    return len(name) - len(last) >= position and name.endswith(last)


class ModelRule(NamedTuple):
    """What is true of some models of a provider only. An empty field says nothing."""

    pattern: str
    """Model names, `*` stands for any text."""
    dialect: str = ""
    """The only dialect, or the better one, that they are served in."""
    schema: str = ""
    """As `Quirks.schema`."""
    effort: str = ""
    """As `Quirks.effort`."""
    echo_reasoning: str = ""
    """As `Quirks.echo_reasoning`."""


class ProviderField(NamedTuple):
    """Something besides key and model that a provider's address or headers are made of."""

    name: str
    """As it stands in `{braces}` and in the configuration."""
    env: tuple[str, ...] = ()
    """Variables that may hold it, the first one set wins."""
    default: str = ""
    """May itself have `{model}`; empty: the user must give it, unless it is optional."""
    optional: bool = False
    example: str = ""
    """For the hint when it is missing."""
    is_address: bool = False
    """Whether it is an address, with a scheme, and not a part of one."""
    is_model: bool = False
    """Whether it is the provider's own name for the model: where the address does not have it, it
    is sent as the model."""
    leftover: str = ""
    """Regular expression for what users leave at its end and the address has itself."""
    pattern: str = ""
    """Regular expression for a whole value; empty: any."""


class Variant(NamedTuple):
    """Another form of a provider's address, used when an optional field is given."""

    field: str
    base_url: str
    query: tuple[tuple[str, str], ...] = ()
    dialects: tuple[str, ...] = ()
    """The only dialects that it is for; none: any."""
    value: str = ""
    """The only value of the field that it is for; empty: any."""


class Probe(NamedTuple):
    """A question to a server about itself."""

    path: str
    """Behind the host, or what stands in front of the path that belongs to the dialect."""
    form: str
    """Of the answer: one that `probe_bodies` knows by name."""


def variable_part(name: str) -> str:
    """Return a provider's name as it stands in the names of variables."""
    return "".join(c if c.isalnum() else "_" for c in name.upper())


@dataclass(frozen=True, slots=True)
class Quirks:
    """In what a provider departs from its dialect. The default is the dialect's own vendor."""

    max_tokens_field: str = "max_completion_tokens"
    """Name of the field that bounds the answer."""
    seed_field: str = "seed"
    """Name of OpenAI Chat's field for the seed."""
    names: bool = True
    """Whether OpenAI Chat's messages may say who speaks."""
    document: str = "file"
    """How OpenAI Chat says a document: one of the forms that `content_parts` knows by name."""
    audio: str = "object"
    """How OpenAI Chat says audio, likewise."""
    stream_options: bool = True
    """Whether `stream_options.include_usage` is understood."""
    omits: tuple[str, ...] = ()
    """What a dialect must not say of that which it says unasked (`SaysUnasked.unasked_fields`)."""
    streams_always: bool = False
    """Whether an answer is streamed on the wire also when it is wanted whole: where giving up on
    a whole one does not stop its generation."""
    not_found_is_model: bool = True
    """Whether a 404 on the chat path means that the model is missing."""
    inline_think: bool = False
    """Whether thinking can stand inside `<think>` tags at the start of the text."""
    effort: str = "reasoning_effort"
    """How OpenAI Chat says `reasoning_effort`: one of the forms that `openai_chat` knows by name;
    empty: it cannot be said."""
    echo_reasoning: str = ""
    """Field of an assistant message in which its thinking must be sent back; empty: not at all;
    `<think>`: in front of its text, between the tags."""
    cache_control: bool = False
    """Whether OpenAI Chat's content parts may carry Anthropic's `cache_control`."""
    call_ids: str = ""
    """Regular expression for the ids of tool calls that OpenAI Chat may carry; others, which come
    from other providers, are replaced. Empty: any."""
    required_tool_choice: bool = True
    """Whether `tool_choice` may be `required` or name a tool."""
    schema: str = "native"
    """How a JSON schema is asked for: `native` (the dialect's own field), `tool` (a forced call of
    a tool with that schema) or `prompt` (in words)."""
    embeddings: bool = True
    """Whether there are embeddings, as far as the dialect has them."""
    embed_batch: int = 0
    """The most texts of one embedding request; 0: as many as the dialect's own vendor takes."""
    embed_batch_bytes: int = 0
    """The most UTF-8 of the texts of one embedding request together; 0: as the dialect's own
    vendor. No tokenizer makes more tokens than bytes, so a limit in tokens is kept by as many
    bytes. A single text may be longer: then it goes alone."""
    embed_dimensions_field: str = "dimensions"
    """Name of OpenAI's field for the length of the vectors."""
    embed_base64_field: str = "encoding_format"
    """Name of OpenAI's field that asks for vectors as base64; empty: they come as lists."""
    embed_input_type_field: str = ""
    """Name of the field that says what the texts are for; empty: it cannot be said."""
    embed_input_types: tuple[tuple[str, str], ...] = ()
    """Our words for what texts are for, and the provider's."""


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """One row of the catalog."""

    name: str
    base_url: str
    """Without a trailing slash; empty when the user must give it."""
    dialect: str
    key_env: tuple[str, ...] = ()
    """Variables that may hold the key, the first one set wins."""
    base_url_env: tuple[str, ...] = ()
    """The provider's own variables for its address."""
    model_env: tuple[str, ...] = ()
    """Variables that name the model."""
    timeout_env: tuple[str, ...] = ()
    """The provider's own variables for how many seconds a wait may last."""
    key_required: bool = True
    default_model: str = ""
    """Used when none is named; empty means: ask the server and take its first."""
    embed_model: str = ""
    """The same for embeddings, where `default_model` is one that answers."""
    first_byte: float = DEFAULT_FIRST_BYTE_SECONDS
    """Seconds; local servers may be loading a model."""
    start_command: str = ""
    """What starts a local server, for the hint when nothing listens."""
    fetch_model_command: str = ""
    """What fetches a missing model, with its name behind it, for the hint."""
    alternative_base_urls: tuple[str, ...] = ()
    """Where the server may also listen, when `base_url` is the default."""
    owned_by: str | None = None
    """What its model list says under `owned_by` (empty: nothing), to tell servers apart that share
    a port; `None` where that is no question."""
    key_header: str = ""
    """Header that carries the key as it is; empty: as the dialect's own vendor wants it."""
    dialect_key_headers: tuple[tuple[str, str], ...] = ()
    """The same for single dialects, over `key_header`."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request. Like address and query they may have `{fields}`."""
    query: tuple[tuple[str, str], ...] = ()
    """Put behind every address."""
    fields: tuple[ProviderField, ...] = ()
    """What `{braces}` in address, headers and query stand for, besides `{model}`."""
    variants: tuple[Variant, ...] = ()
    """Other forms of the address; the first whose field is given wins."""
    dialect_base_urls: tuple[tuple[str, str], ...] = ()
    """Addresses of other dialects than `dialect`, where they differ by more than the path that
    belongs to the dialect."""
    model_rules: tuple[ModelRule, ...] = ()
    """What is true of some models only. For each field the first rule that fits and says it wins."""
    lists_models: bool = True
    models_path: str = ""
    """Path of the model list under the base URL, where it is not the dialect's; `../` in front
    leaves out the last part of the base URL."""
    lists_every_model: bool = True
    """Whether a model is missing that the list does not have."""
    lists_what_is_loaded: bool = False
    """Whether the list has the models in memory and no others."""
    default_tag: str = ""
    """What a model's name means that has no tag of its own, as Ollama's `latest`."""
    health_path: str = ""
    """Path, as that of a `Probe`, that says by its status alone whether the server can answer: 503
    is no, or not yet; empty: none."""
    probes: tuple[Probe, ...] = ()
    """What else a server tells about itself."""
    key_probe: str = ""
    """What proves a key and bills nothing, at the provider's own address: `list` (the model list,
    which nobody gets without one); `refusal` (a call with an empty object, which has to be refused
    for another reason than the key); `GET /path`; `POST /path`, also with an empty object. Paths as
    `models_path`. Empty: nobody knows; it is tried out."""
    price_id: str = ""
    """Name of the provider in the price data; empty: local or not priced."""
    in_process_base_url: str = ""
    """Address of the runtime in this process, for a model that is given as a path; where it is the
    base URL too there is no other."""
    chosen_by_key: bool = True
    """Whether a key in the environment is reason enough to use it when nothing is configured. Not
    where the variable serves other purposes too, or where more than a key is needed."""
    quirks: Quirks = Quirks()

    def dialect_for(self, model: str) -> str:
        """Return the dialect in which a model is spoken to."""
        return self._rule(model, "dialect") or self.dialect

    def schema_for(self, model: str) -> str:
        """Return how a JSON schema is asked of a model: `native`, `tool` or `prompt`."""
        return self._rule(model, "schema") or self.quirks.schema

    def effort_for(self, model: str) -> str:
        """Return how an effort is said to a model, as `Quirks.effort`."""
        return self._rule(model, "effort") or self.quirks.effort

    def echo_reasoning_for(self, model: str) -> str:
        """Return where a model's thinking is sent back, as `Quirks.echo_reasoning`."""
        return self._rule(model, "echo_reasoning") or self.quirks.echo_reasoning

    def _rule(self, model: str, name: str) -> str:
        """Return what the first rule says that fits a model and says anything of that name."""
        for rule in self.model_rules:
            said: str = getattr(rule, name)
            if said and matches(rule.pattern, model):
                return said
        return ""

    @property
    def is_in_process(self) -> bool:
        """Whether it runs in this process only, so that it has no address of its own."""
        return bool(self.in_process_base_url) and self.base_url == self.in_process_base_url

    @property
    def own_key_variable(self) -> str:
        """The variable that holds the key before any other: `LLM_CLIENT_<PROVIDER>_API_KEY`."""
        return f"LLM_CLIENT_{variable_part(self.name)}_API_KEY"


@dataclass(frozen=True, slots=True)
class Target:
    """Provider, model, address and key: where one attempt goes."""

    provider: ProviderSpec
    model: str
    base_url: str
    """Without credentials: those of an address `http://user:password@host` are `basic_auth`."""
    api_key: Secret | None = None
    basic_auth: Secret | None = None
    """`user:password` from the address; used when there is no key."""
    timeouts: Timeouts = Timeouts()
    options: Mapping[str, object] = field(default_factory=dict)
    """Provider-specific fields from the configuration, under those of the request."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Sent with every request, over the dialect's own of the same name. One may carry a key."""
    query: str = ""
    """Put behind every address, without the question mark."""
    verify_ssl: bool | str = True
    """True, False, the path of a CA file or directory, or `system`."""
    requests_per_minute: int | None = None
    """`None` is no limit."""
    tokens_per_minute: int | None = None

    @property
    def spec(self) -> str:
        """The model spec, `provider/model`."""
        return f"{self.provider.name}/{self.model}" if self.model else self.provider.name

    @property
    def secret_headers(self) -> frozenset[str]:
        """Lower-case names of `headers` that may carry a key, as gateways want one under any name.

        All that the configuration adds, but for those that are known to be none.
        """
        own = {name.lower() for name, _ in self.headers}
        return frozenset(own - _PLAIN_HEADERS - {name.lower() for name, _ in self.provider.headers})

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything that no message may show: key, password, what secret headers carry.

        Each also in the forms in which a server has it before it, and may repeat it.
        """
        found = [] if self.api_key is None else [self.api_key]
        if self.basic_auth is not None:
            from base64 import b64encode

            pair = self.basic_auth.reveal()
            user, _, password = pair.partition(":")
            encoded = b64encode(pair.encode("utf-8", "replace")).decode("ascii")
            found += [self.basic_auth, Secret(encoded), Secret(password or user)]
        secret = self.secret_headers if self.headers else ()
        for name, value in self.headers:
            if name.lower() in secret:
                found += [Secret(value), Secret(value.rpartition(" ")[2])]  # `Bearer KEY`
        # One that is part of another would leave the rest of it readable.
        return tuple(sorted(found, key=lambda secret: -len(secret.reveal())))


_PLAIN_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-language",
        "anthropic-beta",
        "anthropic-version",
        "content-type",
        "http-referer",
        "openai-beta",
        "openai-organization",
        "openai-project",
        "referer",
        "user-agent",
        "x-title",
    }
)
"""Headers that users add and that are no keys; providers repeat them in what they complain of."""
