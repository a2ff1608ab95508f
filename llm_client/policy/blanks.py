"""What a provider's address and headers need besides key and model: an endpoint, an account.

Owns where such a value comes from and how it gets into a template of the catalog. Precedence,
highest first: what the code says, `LLM_CLIENT_<PROVIDER>_<FIELD>`, the provider's own variables,
the configuration file, the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode, urlsplit

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
            ConfigurationError: the code says something that is none, or is no text.
        """
        names = [field.name for field in self.row.fields]
        for name, value in self.given.items():
            said: object = value
            if not isinstance(said, str | None):
                raise ConfigurationError(
                    f"The field {name!r} of {self.row.name!r} is a text, not {said!r}."
                )
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

    def path(self, template: str) -> str:
        """Return the path of an address, its values filled in; its host may be any."""
        return self.address(urlsplit(re.sub(rf"^{_BLANK}", "http://host", template)).path)

    def variant(self, dialect: str) -> Variant | None:
        """Return the form of the address that the given fields ask for; `None`: the usual one."""
        for variant in self.row.variants:
            if dialect in (variant.dialects or (dialect,)):
                value = self._value(variant.field)
                if value and value == (variant.value or value):
                    return variant
        return None

    def sent_model(self, template: str) -> str:
        """Return the name of the model as it is sent to an address of this form."""
        for field in self.row.fields:
            if field.is_model and f"{{{field.name}}}" not in template:
                return self._value(field.name)
        return self.model

    def query(self, variant: Variant | None) -> str:
        """Return what stands behind every address of a form, without the question mark."""
        return urlencode(
            [*self._pairs(self.row.query), *self._pairs(variant.query if variant else ())]
        )

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the row's headers; one whose value is not given is left out."""
        return tuple(self._pairs(self.row.headers))

    def values(self) -> dict[str, str]:
        """Return what is known of the fields, by name.

        Raises:
            ConfigurationError: something is given that cannot be what it should be.
        """
        known = {field.name: self._value(field.name) for field in self.row.fields}
        return {name: value for name, value in known.items() if value}

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
        raise ConfigurationError(
            f"{self.row.name!r} needs its {field.name!r}, for example {field.example!r}.",
            hint=self._how_to_set(field),
        )

    def _how_to_set(self, field: ProviderField) -> str:
        shown = field.env or field_variables(self.row, field)
        return (
            f"Set {' or '.join(shown)}: `export {shown[0]}={field.example}`, "
            f'or write `{field.name} = "{field.example}"` under `[providers.{self.row.name}]` '
            "in the configuration." + (" Or leave it out." if field.optional else "")
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
        return self._cleaned(text.strip(), field)

    def _cleaned(self, text: str, field: ProviderField) -> str:
        """Return a value without what users write around it.

        Raises:
            ConfigurationError: it has a line break or the like, which no header can have, or it
                cannot be what it should be.
        """
        if not text.isprintable():
            raise ConfigurationError(
                f"{field.name!r} has characters that cannot be sent: {text!r}."
            )
        scheme, _, rest = text.rpartition("://")
        if field.leftover:
            rest = re.sub(rf"(?:{field.leftover})$", "", rest)
        rest = rest.rstrip("/")
        # Without a scheme a name alone is that of a resource.
        is_one = bool(scheme) or "." in rest or ":" in rest if field.is_address else True
        if not is_one or (field.pattern and re.fullmatch(field.pattern, rest) is None):
            raise ConfigurationError(
                f"The {field.name!r} of {self.row.name!r} is wrong: {text!r}. "
                f"It looks like {field.example!r}.",
                hint=self._how_to_set(field),
            )
        return f"{scheme or 'https'}://{rest}" if field.is_address else rest

    def _field(self, name: str) -> ProviderField | None:
        """Return the field of that name; `None` stands for the model."""
        return next((field for field in self.row.fields if field.name == name), None)


_BLANK = r"\{(\w+)\}"
"""Compiled by its first use: most rows have none."""
