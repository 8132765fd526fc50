"""Docstrings as the page about the API shows them: without the markup of docstrings, and each attribute by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from inspect import cleandoc

from markupsafe import Markup, escape

_ATTRIBUTES = "Attributes:"
_ATTRIBUTE = re.compile(r" {4}(\w+): (.*)")
_CODE = re.compile(r"(?::\w+:)?`{1,2}~?([^`]+)`{1,2}")
_STRESSED = re.compile(r"\*(\w+)\*")


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring in parts.

    Attributes:
        text: What precedes the attributes.
        attributes: The description of each attribute.
    """

    text: Markup
    attributes: Mapping[str, Markup]


def parse_docstring(docstring: str) -> Docstring:
    """Take a docstring of Google's style apart."""
    text, _, attributes = docstring.partition(_ATTRIBUTES)
    found: dict[str, list[str]] = {}
    name = ""
    for line in attributes.lstrip("\n").splitlines():
        if begun := _ATTRIBUTE.fullmatch(line):
            name = begun[1]
            found[name] = [begun[2]]
        elif line and not line.startswith(" "):
            break  # another section
        elif name:
            found[name].append(line)
    paragraphs = (_marked(paragraph.splitlines()) for paragraph in text.split("\n\n"))
    return Docstring(Markup("\n\n").join(paragraphs).strip(), {name: _marked(lines) for name, lines in found.items()})


def attributes_of(model: type) -> Mapping[str, Markup]:
    """The description of each attribute of a class, those that it inherits among them."""
    described: dict[str, Markup] = {}
    for base in reversed(model.__mro__):
        described |= parse_docstring(cleandoc(vars(base).get("__doc__") or "")).attributes
    return described


def _marked(lines: Iterable[str]) -> Markup:
    """Lines as one, in which code looks like code and a stressed word is stressed."""
    line = " ".join(filter(None, map(str.strip, lines)))
    return Markup(_STRESSED.sub(r"<em>\1</em>", _CODE.sub(r"<code>\1</code>", str(escape(line)))))
