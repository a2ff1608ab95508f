"""Tools from plain typed Python functions: name, docstring and signature become the schema.

Refuses, with the parameter's name, what a model could not fill in: a parameter without a type,
`*args` and `**kwargs`, a lambda. Imported only where a function is given as a tool.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from ..exceptions import ValidationError
from .messages import Tool
from .shapes import Member, SchemaWriter, resolved_hints

__all__ = ["tool_of"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""What every provider takes as the name of a tool."""
_SECTION = re.compile(r"(Args|Arguments|Parameters|Params):\s*")
_UNDERLINED = re.compile(r"(Parameters|Other Parameters)\s*")
_GOOGLE = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_NUMPY = re.compile(r"(\w+(?:\s*,\s*\w+)*)\s*(?::.*)?")
_SPHINX = re.compile(r":(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)")


def tool_of(function: Callable[..., Any]) -> Tool:
    """Return the tool that a function is.

    The first paragraph of the docstring is its description; the texts of its parameters come from
    `Annotated[…, "text"]` or from the docstring in Google's, NumPy's or Sphinx' style. Parameters
    with a default need not be given by the model. Those that a `functools.partial` has set are
    not shown to it.

    Raises:
        ValidationError: it is no function that a model could call.
    """
    whole = _without_presets(function)
    inner, name = _inner(whole), str(getattr(whole, "__name__", ""))
    if not _NAME.fullmatch(name):
        raise _refused(function, f"{name!r} is no name that a model could call", "Use `def`.")
    parameters = _parameters(function, name)
    annotations = {parameter.name: parameter.annotation for parameter in parameters}
    owner = SimpleNamespace(__name__=name, __annotations__=annotations)
    hints = resolved_hints(owner, globalns=getattr(inner, "__globals__", {}))
    description, texts = _read_docstring(inspect.getdoc(inner) or "")
    writer = SchemaWriter()
    properties = {}
    for parameter in parameters:
        text, member = texts.get(parameter.name, ""), _member(parameter, hints)
        schema = writer.member(member, f"{name}({parameter.name})")
        properties[parameter.name] = {"description": text, **schema} if text else schema
    required = [p.name for p in parameters if p.default is p.empty]
    return Tool(
        name,
        description,
        writer.finish(
            {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            }
        ),
    )


def _member(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Member:
    hint = hints[parameter.name]
    if parameter.default is parameter.empty:
        return Member(parameter.name, hint, True)
    return Member(parameter.name, hint, False, default=parameter.default)


def _without_presets(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _inner(function: Any) -> Any:
    """Return the function that is really called, which has docstring, types and module."""
    if not callable(function) or isinstance(function, type):
        raise ValidationError(
            f"A tool is a Tool, a dictionary or a function, not {_kind(function)}.", param="tools"
        )
    # An object that can be called: its class says how.
    function = function if inspect.isroutine(function) else type(function).__call__
    return inspect.unwrap(getattr(function, "__func__", function))


def _kind(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise _refused(
            function, "its parameters cannot be read", "Wrap it in a function."
        ) from None
    preset = function.keywords if isinstance(function, functools.partial) else {}
    parameters = [p for p in signature.parameters.values() if p.name not in preset]
    for parameter in parameters:
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise _refused(function, f"a model cannot fill in {parameter}", "Name every parameter.")
        if parameter.annotation is parameter.empty:
            raise _refused(
                function,
                f"its parameter {parameter.name!r} has no type",
                f"Write `{name}({parameter.name}: str)`, or whatever it takes.",
            )
    return parameters


def _refused(function: object, why: str, hint: str) -> ValidationError:
    shown = getattr(function, "__name__", None) or repr(function)
    return ValidationError(f"{shown} cannot be a tool: {why}.", hint=hint, param="tools")


def _read_docstring(doc: str) -> tuple[str, dict[str, str]]:
    """Return the first paragraph of a docstring, and what it says about each parameter."""
    lines = doc.splitlines()
    texts: dict[str, str] = {}
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if _SECTION.fullmatch(line):
            texts |= _section(lines[number + 1 :], _GOOGLE)
        elif _UNDERLINED.fullmatch(line) and re.fullmatch(r"-{3,}\s*", following):
            texts |= _section(lines[number + 2 :], _NUMPY)
        elif found := _SPHINX.fullmatch(line):
            texts[found[1]] = _joined([found[2], *_deeper(lines[number + 1 :], 0)])
    first = []
    for line in lines:
        if not line.strip() or _SECTION.fullmatch(line) or line.startswith(":"):
            break
        first.append(line)
    return _joined(first), texts


def _section(lines: list[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Return the texts of one section, whose entries all begin at the same column."""
    texts: dict[str, str] = {}
    column = next((_indent(line) for line in lines if line.strip()), 0)
    if pattern is _GOOGLE and column == 0:
        return texts
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        if _indent(line) < column or re.fullmatch(r"-{3,}\s*", _after(lines, number)):
            break
        found = pattern.fullmatch(line.strip()) if _indent(line) == column else None
        if found is not None:
            first = found[2] if pattern is _GOOGLE else ""
            text = _joined([first, *_deeper(lines[number + 1 :], column)])
            texts |= {name.strip(): text for name in found[1].split(",")}
    return texts


def _after(lines: list[str], number: int) -> str:
    return lines[number + 1] if number + 1 < len(lines) else ""


def _deeper(lines: list[str], column: int) -> list[str]:
    """Return the lines up to the first that is indented no more than `column`."""
    taken = []
    for line in lines:
        if line.strip() and _indent(line) <= column:
            break
        taken.append(line)
    return taken


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())
