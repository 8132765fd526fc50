"""Read model of the page about the API, from the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from pydantic import BaseModel

from zeus_bso import protocol, units
from zeus_bso.server.dashboard.docstrings import attributes_of, parse_docstring

_METHODS = ("get", "post", "put", "patch", "delete")
_VERSIONED = "/api/v1/"
_REFERENCE = "#/components/schemas/"

_Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, a field, a body or an answer.

    Attributes:
        name: Name of the field.
        kind: JSON schema of the field. Empty if there is none.
        default: Default as JSON, or ``required`` if there is none.
        description: Description of the field.
        status: HTTP status of an answer.
    """

    name: str
    kind: _Json
    default: str = ""
    description: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Operations for one purpose.

    Attributes:
        title: Their heading.
        anchor: The place of the heading on the page.
        operations: The operations.
    """

    title: str
    anchor: str
    operations: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ApiPage:
    """The description of the API.

    Attributes:
        api: The OpenAPI document.
        groups: The operations, grouped by purpose.
        schemas: The bodies and answers, by name.
    """

    api: _Json
    groups: list[Group]
    schemas: list[dict[str, Any]]


def api_page(api: _Json) -> ApiPage:
    """Describe an OpenAPI document for people."""
    schemas = api.get("components", {}).get("schemas", {})
    grouped: dict[str, list[dict[str, Any]]] = {}
    for operation in _operations(api):
        grouped.setdefault(_title(operation["tag"], operation["path"]), []).append(operation)
    groups = [Group(title, f"group-{title.lower().replace(' ', '-')}", found) for title, found in grouped.items()]
    models = {model.__name__: model for model in _messages(BaseModel)}
    return ApiPage(api, groups, [_schema(name, schemas[name], models) for name in sorted(schemas)])


_TITLES = {"protocol": "Reference protocol", "health": "Operation", "job": "Jobs"}


def _title(tag: str, path: str) -> str:
    """The heading above an operation: that of its tag, or in the versioned API what it is about."""
    about = path.removeprefix(_VERSIONED).partition("/")[0] if path.startswith(_VERSIONED) else tag
    return _TITLES.get(about, about.capitalize())


def _operations(api: _Json) -> Iterator[dict[str, Any]]:
    for path, item in api["paths"].items():
        for method in _METHODS:
            if method in item:
                found = item[method]
                yield {
                    "anchor": f"{method}-{path.strip('/').replace('/', '-')}",
                    "tag": next(iter(found.get("tags", [])), "Others"),
                    "method": method.upper(),
                    "path": path,
                    "description": parse_docstring(found.get("description") or found.get("summary", "")).text,
                    "parameters": [_parameter(parameter) for parameter in found.get("parameters", [])],
                    "body": _content("body", found.get("requestBody", {})),
                    "answers": [
                        _content("", answer, status=status) or Field("", {}, "", answer["description"], status)
                        for status, answer in sorted(found["responses"].items())
                    ],
                }


def _messages(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The classes of the protocol's messages, whose names are those of the schemas."""
    for model in base.__subclasses__():
        if model.__module__.startswith(protocol.__name__):
            yield model
        yield from _messages(model)


def _schema(name: str, schema: _Json, models: Mapping[str, type]) -> dict[str, Any]:
    required = schema.get("required", [])
    docstring = parse_docstring(schema.get("description", ""))
    described = attributes_of(models[name]) if name in models else docstring.attributes
    fields = [
        _field(field, kind, field in required, {"description": described.get(field, "")})
        for field, kind in schema.get("properties", {}).items()
    ]
    choices = ", ".join(json.dumps(value) for value in schema.get("enum", []))
    return {"name": name, "description": docstring.text, "choices": choices, "fields": fields}


def _parameter(parameter: _Json) -> Field:
    return _field(parameter["name"], parameter["schema"], parameter.get("required", False), parameter)


def _field(name: str, kind: _Json, required: bool, described: _Json | None = None) -> Field:
    default = "required" if required else json.dumps(kind["default"]) if "default" in kind else ""
    return Field(name, kind, default, (described or kind).get("description", ""))


def _content(name: str, holder: _Json, status: str = "") -> Field | None:
    for media_type, content in holder.get("content", {}).items():
        kind = content.get("schema") or {"type": media_type}
        return Field(name, kind, "", holder.get("description", ""), status)
    return None


def kind_of(schema: _Json) -> Markup:
    """A schema in a few words, with links to named schemas."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return Markup('<a href="#{0}">{0}</a>').format(name)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return Markup(" or ").join(kind_of(each) for each in schema[several])
    if schema.get("type") == "array":
        return _kind_of_array(schema)
    if "const" in schema or "enum" in schema:
        return Markup(", ").join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    return Markup(", ").join(filter(None, (schema.get("type", "anything"), _bounds(schema))))


def _kind_of_array(schema: _Json) -> Markup:
    if "prefixItems" in schema:
        return Markup("({})").format(Markup(", ").join(map(kind_of, schema["prefixItems"])))
    return Markup("list of {}").format(kind_of(schema.get("items", {})))


def _bound(value: float) -> str:
    """A bound in short: a whole one with separated thousands, another as programmers write it."""
    return units.count(value) if isinstance(value, int) else f"{value:g}".replace("e+", "e")


def _bounds(schema: _Json) -> str:
    words = {
        "minimum": "at least {}",
        "exclusiveMinimum": "above {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "below {}",
        "maxLength": "at most {} characters",
    }
    return ", ".join(words[name].format(_bound(schema[name])) for name in words if name in schema)
