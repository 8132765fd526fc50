"""The page about the HTTP API, made from the server's OpenAPI document."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from tools.docs_site.reference import attributes_of, one_line
from zeus_bso.server.app import create_app
from zeus_bso.server.config import Settings

_GROUPS = {
    "protocol": ("The Zeus protocol", "The requests of the Zeus client. Clients of both projects use them."),
    "v1": ("Version 1", "The requests of our client, the dashboard and the command line."),
    "health": ("Health and metrics", "For load balancers, Kubernetes and Prometheus."),
}

Schema = Mapping[str, Any]


def http_page() -> str:
    """The page in Markdown."""
    document = create_app(Settings(database_url="sqlite://")).openapi()
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Schema) -> Iterator[str]:
    yield "# HTTP API\n"
    yield "The server serves this description at `/openapi.json`, and as a page at `/docs`. The body of every error is"
    yield '`{"message": "..."}`. Energies are in joules, times in seconds, powers in watts.\n'
    for tag, (title, about) in _GROUPS.items():
        yield f"## {title}\n\n{about}\n"
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag in operation["tags"]:
                    yield from _operation(f"{method.upper()} {path}", operation)
    yield "## Values\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield from _value(name, schema)


def _operation(request: str, operation: Schema) -> Iterator[str]:
    yield f"### {request}\n"
    yield f"{one_line(operation.get('description', ''))}\n"
    scopes = sorted({scope for way in operation.get("security", ()) for scopes in way.values() for scope in scopes})
    if scopes:
        yield f"Needs a token with the scope `{'`, `'.join(scopes)}`, if the server has tokens.\n"
    parameters = operation.get("parameters", ())
    if parameters:
        yield from ["| parameter | type | |", "|---|---|---|"]
        for parameter in parameters:
            required = "required" if parameter.get("required") else _default(parameter["schema"])
            yield f"| `{parameter['name']}` | {_type(parameter['schema'])} | {required} |"
        yield ""
    body = [_type(kind.get("schema", {})) for kind in operation.get("requestBody", {}).get("content", {}).values()]
    if any(body):
        yield f"Body: {body[0]}\n"
    answers = [
        f"{status} {_type(kind['schema'])}"
        for status, answer in operation["responses"].items()
        for kind in answer.get("content", {}).values()
        if kind.get("schema") and status[0] == "2"
    ]
    if answers:
        yield f"Answer: {', '.join(answers)}\n"


def _value(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}\n"
    about, _, _ = schema.get("description", "").partition("\n\nAttributes:\n")
    if about:
        yield f"{one_line(about)}\n"
    if "enum" in schema:
        yield f"One of {', '.join(f'`{word}`' for word in schema['enum'])}.\n"
    meanings = _meanings(name)
    if schema.get("properties"):
        yield from ["| field | type | default | meaning |", "|---|---|---|---|"]
        for field, of_field in schema["properties"].items():
            default = "required" if field in schema.get("required", ()) else _default(of_field)
            yield f"| `{field}` | {_type(of_field)} | {default} | {meanings.get(field, '')} |"
        yield ""


def _meanings(name: str) -> dict[str, str]:
    """What the docstrings of a model say of its fields; those of what it extends too."""
    models = {model.__name__: model for model in _models(BaseModel) if model.__module__.startswith("zeus_bso.")}
    lines = reversed(models[name].__mro__) if name in models else ()
    return {field: text for cls in lines for field, text in attributes_of(inspect.cleandoc(cls.__doc__ or "")).items()}


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for extended in model.__subclasses__():
        yield extended
        yield from _models(extended)


def _type(schema: Schema) -> str:
    """A type in a few words; a link for a value that has a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[several]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", ""))


def _default(schema: Schema) -> str:
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else ""
