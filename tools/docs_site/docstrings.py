"""Lets mkdocstrings read our docstrings: a reference such as ``:class:`JobSpec``` becomes code in Markdown."""

from __future__ import annotations

import re

import griffe

_ROLE = re.compile(r":\w+:`~?([^`]+)`")


class References(griffe.Extension):
    """Rewrites references in the docstrings of all objects."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: object) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(r"`\1`", obj.docstring.value)
