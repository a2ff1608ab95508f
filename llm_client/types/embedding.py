"""What an embedding call asks for and brings: texts in, one vector for each, in order.

Owns the values and the checks of the input. Refuses what no provider can embed: nothing, an empty
text, anything that is no text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict, get_args

from ..exceptions import ValidationError
from .checks import check_count
from .response import Usage

__all__ = [
    "EmbedOptions",
    "EmbeddingInput",
    "EmbeddingRequest",
    "EmbeddingResponse",
    "Vectors",
    "total_usage",
]

EmbeddingInput: TypeAlias = Literal[
    "query", "document", "similarity", "classification", "clustering"
]
"""What texts are for: `query` and `document` are the two sides of a search."""
_INPUT_TYPES: tuple[str, ...] = get_args(EmbeddingInput)


class EmbedOptions(TypedDict, total=False):
    """Keyword options of `embed`."""

    model: str
    """An embedding model, of the client's provider or as `provider/model`."""
    dimensions: int
    """The length of the vectors, for models that can shorten them."""
    input_type: EmbeddingInput
    """What the texts are for; some models embed a query and a document differently."""
    extra_body: Mapping[str, Any]
    """Fields put into the provider's request as they are, over everything else."""
    timeout: float
    """Seconds: bounds every single wait of the attempt."""
    deadline: float
    """Seconds: bounds the whole call with all its requests and retries."""
    max_retries: int
    """Of each request."""
    max_cost: float
    """USD that this call may cost, all its requests included."""
    project: str
    """Label in the ledger; else `LLM_CLIENT_PROJECT`, else the name of the git repository."""
    session: str
    """Label in the ledger."""
    tags: Sequence[str]
    """Labels in the ledger."""


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to embed, at least one, none of them empty."""

    texts: tuple[str, ...]
    dimensions: int | None = None
    """The length of the vectors; `None` leaves it to the model."""
    input_type: EmbeddingInput | None = None
    """`None` leaves it to the provider. Cohere must be told; there it is `document`."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Provider-specific fields, merged into the body last."""

    def __post_init__(self) -> None:
        if not self.texts:
            raise ValidationError("There are no texts to embed.", param="texts")
        for position, text in enumerate(self.texts):
            if not isinstance(text, str):
                raise ValidationError(
                    f"Only texts can be embedded, and number {position + 1} is"
                    f" {type(text).__name__}.",
                    param="texts",
                )
            if not text:
                raise ValidationError(
                    f"An empty text cannot be embedded: number {position + 1} is one.",
                    hint="Leave empty texts out.",
                    param="texts",
                )
        if self.dimensions is not None:
            check_count("dimensions", self.dimensions)
        if self.input_type is not None and self.input_type not in _INPUT_TYPES:
            raise ValidationError(
                f"input_type {self.input_type!r} is not known.",
                hint=f"Use one of {', '.join(_INPUT_TYPES)}.",
                param="input_type",
            )
        if not isinstance(self.extra_body, Mapping):
            raise ValidationError(
                f"extra_body {self.extra_body!r} is not a dictionary.", param="extra_body"
            )

    @classmethod
    def build(cls, texts: object, **options: Any) -> EmbeddingRequest:
        """Return the request for one text or several; options that are `None` say nothing.

        Raises:
            ValidationError: no texts, something that is no text, or a value out of range.
        """
        if isinstance(texts, str):
            texts = (texts,)
        if not isinstance(texts, Iterable) or isinstance(texts, Mapping | bytes):
            raise ValidationError(
                f"embed takes a text or several, not {type(texts).__name__}.", param="texts"
            )
        said = {name: value for name, value in options.items() if value is not None}
        return cls(tuple(texts), **said)


class Vectors(NamedTuple):
    """The answer to one embedding request, as a dialect reads it."""

    embeddings: list[tuple[float, ...]]
    """In the order of the texts."""
    model: str = ""
    """As the provider names it; empty when it does not."""
    usage: Usage | None = None
    raw: Any = None
    """The provider's JSON."""


@dataclass(frozen=True, slots=True)
class EmbeddingResponse:
    """One vector for each text."""

    embeddings: tuple[tuple[float, ...], ...] = field(repr=False)
    """In the order of the texts, as the provider sent them: not every model's have length 1."""
    model: str
    """The model that answered, as the provider names it."""
    provider: str
    usage: Usage | None = None
    """Of all requests together; `None` when the provider reported nothing."""
    latency_ms: float = 0.0
    """From the start of the call to the end of the last answer, retries included."""
    attempts: int = 1
    """HTTP requests: a long list is sent in several, and each may be tried again."""
    retry_count: int = 0
    """Attempts that only repeated one that had failed."""
    raw: tuple[Any, ...] = field(default=(), repr=False, compare=False)
    """The provider's JSON, one for each request that was answered."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """`call_id`."""

    @property
    def dimensions(self) -> int:
        """The length of the vectors."""
        return len(self.embeddings[0])

    @property
    def cost(self) -> float | None:
        """USD; `None` means unknown or local, never free."""
        return self.usage.estimated_cost if self.usage is not None else None


def total_usage(parts: Iterable[Usage | None]) -> Usage | None:
    """Return the usage of several requests together; `None` when none of them told any.

    The cost is only known when it is known of all that told their usage.
    """
    told = [usage for usage in parts if usage is not None]
    if not told:
        return None
    costs = [usage.estimated_cost for usage in told if usage.estimated_cost is not None]
    return Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in told),
        total_tokens=sum(usage.total_tokens for usage in told),
        estimated_cost=sum(costs) if len(costs) == len(told) else None,
        estimated=any(usage.estimated for usage in told),
    )
