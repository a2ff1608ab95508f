"""What a provider's address and headers need besides key and model: an endpoint, an account.

Owns where such a value comes from and how it gets into a template of the catalog. Precedence,
highest first: what the code says, `LLM_CLIENT_<PROVIDER>_<FIELD>`, the provider's own variables,
the configuration file, the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode

from ..exceptions import ConfigurationError
from ..types.target import ProviderField, ProviderSpec, Variant, variable_part

__all__ = ["Blanks", "field_variables"]


def field_variables(row: ProviderSpec, field: ProviderField) -> tuple[str, ...]:
    """Return the names of the variables that may hold a field, the first one set wins."""
    return (f"LLM_CLIENT_{variable_part(row.name)}_{variable_part(field.name)}", *field.env)


class Blanks:
    """What fills the `{braces}` in a row of the catalog.

    No dataclass: it is never compared or shown, and making one costs every start 0.5 ms.
    """

    def __init__(
        self,
        row: ProviderSpec,
        model: str,
        given: Mapping[str, str],
        filed: Mapping[str, str],
        environ: Mapping[str, str],
    ) -> None:
        """Take what is said: by the code, by the configuration file, by the environment."""
        self.row = row
        self.model = model
        self.given = given
        self.filed = filed
        self.environ = environ

    def check(self) -> None:
        """Refuse what the provider has no field for.

        Raises:
            ConfigurationError: the code says something that is none.
        """
        names = [field.name for field in self.row.fields]
        for name in self.given:
            if name not in names:
                from difflib import get_close_matches

                near = get_close_matches(name, names, n=1)
                raise ConfigurationError(
                    f"{self.row.name!r} has no field {name!r}.",
                    hint=f"Did you mean {near[0]!r}?"
                    if near
                    else f"It has: {', '.join(names) or 'none'}.",
                )

    def address(self, template: str) -> str:
        """Return an address, its values fit for a URL.

        Raises:
            ConfigurationError: something that it needs is missing.
        """
        if "{" not in template:
            return template

        def value(match: re.Match[str]) -> str:
            field = self._field(match[1])
            text = self._needed(match[1])
            return text if field is not None and field.is_address else quote(text, safe="")

        return re.sub(_BLANK, value, template)

    def variant(self, dialect: str) -> Variant | None:
        """Return the form of the address that the given fields ask for; `None`: the usual one."""
        for variant in self.row.variants:
            if variant.dialect in {"", dialect} and self._value(variant.field):
                return variant
        return None

    def query(self, dialect: str) -> str:
        """Return what stands behind every address, without the question mark."""
        variant = self.variant(dialect)
        return urlencode(
            [*self._pairs(self.row.query), *self._pairs(variant.query if variant else ())]
        )

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the row's headers; one whose value is not given is left out."""
        return tuple(self._pairs(self.row.headers))

    def _pairs(self, pairs: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
        for name, template in pairs:
            if not any(map(self._is_left_out, re.findall(_BLANK, template))):
                yield name, re.sub(_BLANK, lambda match: self._needed(match[1]), template)

    def _is_left_out(self, name: str) -> bool:
        field = self._field(name)
        return field is not None and field.optional and not self._value(name)

    def _needed(self, name: str) -> str:
        value = self._value(name)
        if value:
            return value
        field = self._field(name)
        if field is None:
            raise ConfigurationError(
                f"{self.row.name!r} needs a model in its address, and none is named.",
                hint="Name one with `-m`.",
            )
        variables = field_variables(self.row, field)
        shown = field.env or variables
        example = field.example or "…"
        raise ConfigurationError(
            f"{self.row.name!r} needs its {field.name!r}, for example {example!r}.",
            hint=f"Set {' or '.join(shown)}: `export {shown[0]}={example}`, "
            f'or write `{field.name} = "{example}"` under `[providers.{self.row.name}]` '
            "in the configuration.",
        )

    def _value(self, name: str) -> str:
        """Return a value as it goes into a template; empty when nothing says it."""
        field = self._field(name)
        if field is None:
            return self.model
        said = (
            self.given.get(name),
            *(self.environ.get(variable) for variable in field_variables(self.row, field)),
            self.filed.get(name),
        )
        text = next((text for text in said if text and text.strip()), None)
        if text is None:
            return field.default.replace("{model}", self.model)
        return _cleaned(text, field)

    def _field(self, name: str) -> ProviderField | None:
        """Return the field of that name; `None` stands for the model."""
        return next((field for field in self.row.fields if field.name == name), None)


def _cleaned(text: str, field: ProviderField) -> str:
    """Return a value without what users write around it.

    Raises:
        ConfigurationError: it has a line break or the like, which no header can have.
    """
    text = text.strip()
    if not text.isprintable():
        raise ConfigurationError(f"{field.name!r} has characters that cannot be sent: {text!r}.")
    scheme, _, rest = text.rpartition("://")
    rest = rest.rstrip("/")
    for ending in field.endings:
        rest = rest.removesuffix(ending)
    if field.is_address:
        return f"{scheme or 'https'}://{rest}"
    return rest


_BLANK = r"\{(\w+)\}"
"""Compiled by its first use: most rows have none."""
