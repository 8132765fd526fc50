"""Renders the OpenAPI document as HTML without a script."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

_FOLDER = Path(__file__).parent
_METHODS = ("get", "post", "put", "patch", "delete")
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
class Page:
    """A page with its content security policy."""

    html: str
    content_security_policy: str


def render(api: _Json) -> Page:
    """Render an OpenAPI document."""
    style = (_FOLDER / "api_docs.css").read_text()
    template = Environment(autoescape=True).from_string((_FOLDER / "api_docs.html").read_text())
    schemas = api.get("components", {}).get("schemas", {})
    html = template.render(
        api=api,
        style=Markup(style),
        operations=list(_operations(api)),
        schemas=[_schema(name, schemas[name]) for name in sorted(schemas)],
        kind=lambda field: _kind(field.kind),
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return Page(html, f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'")


def _operations(api: _Json) -> Iterator[dict[str, Any]]:
    for path, item in api["paths"].items():
        for method in _METHODS:
            if method in item:
                found = item[method]
                yield {
                    "anchor": f"{method}-{path.strip('/').replace('/', '-')}",
                    "method": method.upper(),
                    "path": path,
                    "description": found.get("description") or found.get("summary", ""),
                    "parameters": [_parameter(parameter) for parameter in found.get("parameters", [])],
                    "body": _content("body", found.get("requestBody", {})),
                    "answers": [
                        _content("", answer, status=status) or Field("", {}, "", answer["description"], status)
                        for status, answer in sorted(found["responses"].items())
                    ],
                }


def _schema(name: str, schema: _Json) -> dict[str, Any]:
    required = schema.get("required", [])
    fields = [_field(field, kind, field in required) for field, kind in schema.get("properties", {}).items()]
    values = ", ".join(json.dumps(value) for value in schema.get("enum", []))
    description = "\n".join(part for part in (schema.get("description", ""), values) if part)
    return {"name": name, "description": description, "fields": fields}


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


def _kind(schema: _Json) -> Markup:
    """A schema in a few words, with links to named schemas."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return Markup('<a href="#{0}">{0}</a>').format(name)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return Markup(" or ").join(_kind(each) for each in schema[several])
    if schema.get("type") == "array":
        return Markup("list of {}").format(_kind(schema.get("items", {})))
    if "const" in schema or "enum" in schema:
        return Markup(", ").join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    return Markup("{} {}").format(schema.get("type", "anything"), _bounds(schema))


def _bounds(schema: _Json) -> str:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
        "maxLength": "characters at most:",
    }
    return ", ".join(f"{word} {schema[name]}" for name, word in words.items() if name in schema)
