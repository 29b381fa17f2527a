"""What is wrong with some settings, in words: pydantic's errors as lines that name the key, the value and the remedy.

In: a ValidationError and the model that raised it. Out: one line a problem, such as

    sft.learning_rate: found 7.0; allowed: a number > 0 and < 1
    sft.lerning_rate: unknown key (found 0.0005); did you mean sft.learning_rate?
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "a section",
}
KEY = "[key]"
"""What pydantic calls the place of a mapping's key."""
BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def explain(error: ValidationError, model: type[BaseModel], spell: Callable[[str], str] = str) -> list[str]:
    """One line for every problem that pydantic found. `spell` turns a field's name into what the user wrote."""
    schema = model.model_json_schema()
    keys = list(_dotted_keys(schema, schema))
    return [_line(details, schema, keys, spell) for details in error.errors()]


def nearest(key: str, known: Sequence[str]) -> str | None:
    """The known dotted key most like `key`: among its neighbours first, then by its last part anywhere."""
    section, _, name = key.rpartition(".")
    neighbours = {other.rpartition(".")[2]: other for other in known if other.rpartition(".")[0] == section}
    anywhere = {other.rpartition(".")[2]: other for other in reversed(known)}
    for candidates in (neighbours, anywhere):
        if match := difflib.get_close_matches(name, candidates, n=1):
            return candidates[match[0]]
    return None


def _line(details: Mapping[str, Any], schema: dict[str, Any], keys: Sequence[str], spell: Callable[[str], str]) -> str:
    location = [part for part in details["loc"] if part != KEY]
    key = ".".join(str(part) for part in location)
    if details["type"] in ("extra_forbidden", "invalid_key") or KEY in details["loc"]:
        section = "".join(f"{part}." for part in location[:-1])
        neighbours = [f"{section}{name}" for name in _names(_section(_node(schema, location[:-1]), schema), schema)]
        match = nearest(key, [*neighbours, *keys])
        known = ", ".join(map(spell, neighbours))
        remedy = f"did you mean {spell(match)}?" if match else f"known: {known}" if known else "a name is expected"
        return f"{spell(key)}: unknown key (found {reprlib.repr(details['input'])}); {remedy}"
    if details["type"] == "value_error":
        return f"{spell(key)}: {details['ctx']['error']}".removeprefix(": ")  # of several sections: it names them
    found = "missing" if details["type"] == "missing" else f"found {reprlib.repr(details['input'])}"
    return f"{spell(key)}: {found}; allowed: {_allowed(_node(schema, location), schema)}"


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else node


def _node(schema: dict[str, Any], location: Sequence[str | int]) -> dict[str, Any]:
    node = schema
    for part in location:
        node = _resolved(_child(_section(node, schema), part), schema)
    return node


def _section(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Of a section that may be null, the section."""
    choices = [_resolved(choice, schema) for choice in node.get("anyOf", ())]
    return next((choice for choice in choices if "properties" in choice), node)


def _child(node: dict[str, Any], part: str | int) -> dict[str, Any]:
    """Of a section the field of that name, of a list an item, of a mapping any value."""
    if part in node.get("properties", {}):
        child: dict[str, Any] = node["properties"][part]
    else:
        child = node["items"] if "items" in node else node["additionalProperties"]
    return child


def _names(node: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """The keys that are known in a section, or in a mapping whose keys are an enumeration."""
    keys = _resolved(node.get("propertyNames", {}), schema)
    return [*node.get("properties", ()), *keys.get("enum", ())]


def _dotted_keys(node: dict[str, Any], schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, child in node.get("properties", {}).items():
        yield prefix + name
        yield from _dotted_keys(_section(_resolved(child, schema), schema), schema, f"{prefix}{name}.")


def _allowed(node: dict[str, Any], schema: dict[str, Any]) -> str:
    if "anyOf" in node:
        return " or ".join(_allowed(_resolved(choice, schema), schema) for choice in node["anyOf"])
    if "enum" in node or "const" in node:
        return "one of " + ", ".join(str(choice) for choice in node.get("enum", [node.get("const")]))
    if node.get("type") == "array":
        return f"a list, each item {_allowed(_resolved(node['items'], schema), schema)}"
    bounds = " and ".join(f"{sign} {node[name]:g}" for name, sign in BOUNDS.items() if name in node)
    return f"{TYPES[node['type']]} {bounds}".rstrip()
