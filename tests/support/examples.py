"""The examples in the docstrings of public names, and how to run them."""

from __future__ import annotations

import ast
import doctest
import io
from importlib import import_module
from inspect import getsource

from tools.docs_site.reference import PUBLIC_NAMES

import zeus_bso


def public_names() -> list[tuple[str, str]]:
    """Every public name with the module that users import it from."""
    return [(module, name) for page in PUBLIC_NAMES.values() for module, names in page.items() for name in names]


def docstring_of(module: str, name: str) -> str:
    """The docstring of a name where it is defined; also that of a constant or another name."""
    value = getattr(import_module(module), name)
    home = zeus_bso._HOMES.get(name, "zeus_bso._version" if name == "__version__" else module)
    if getattr(value, "__name__", None) == name:
        home = value.__module__
    body = ast.parse(getsource(import_module(home))).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return ast.get_docstring(node) or ""
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            text = following.value if isinstance(following, ast.Expr) else None
            return str(text.value) if isinstance(text, ast.Constant) else ""
    return ""


def failures_of(module: str, name: str) -> str:
    """What goes wrong when the examples of a name are run as they stand; a name without one is wrong too."""
    test = doctest.DocTestParser().get_doctest(docstring_of(module, name), {}, f"{module}.{name}", None, None)
    if not test.examples:
        return f"{module}.{name} has no example"
    said = io.StringIO()
    doctest.DocTestRunner(verbose=False).run(test, out=said.write)
    return said.getvalue()
