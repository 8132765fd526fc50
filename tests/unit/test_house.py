"""The rules of the house that no linter knows (design, section 3)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import zeus_bso

SOURCE = Path(zeus_bso.__file__).parent
MODULES = {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text()) for path in SOURCE.rglob("*.py")}

SQL_HOMES = (
    "server/database/",
    "server/job/repository.py",
    "server/batch_size_state/repository.py",
    "server/overview/repository.py",
    "server/transfer/repository.py",
    "server/dashboard/queries.py",
)
STATEMENTS = {"select", "insert", "update", "delete", "text", "bindparam", "Table"}

CATCH_ALLS = {
    "server/database/sqlite.py": "the writer's thread outlives what it is asked to do, and hands every error on",
    "client/guard.py": "a training never dies for the server's sake",
    "client/meter.py": "nor for the sake of a monitor of another package",
    "client/distributed.py": "whatever fails on one rank is told to all, and raised there",
    "client/embedded.py": "the embedded app is foreign code to the client, as a server is over HTTP",
}
LONGEST_ENDPOINT = 10


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Every ``(module, name)`` that is imported from somewhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def endpoints() -> dict[str, ast.AsyncFunctionDef | ast.FunctionDef]:
    """The functions of the routers that answer a request."""
    return {
        f"{router}:{node.name}": node
        for module, router in (("server/router.py", "router."), ("server/dashboard/views.py", "dashboard."))
        for node in MODULES[module].body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
        and any(ast.unparse(decorator).startswith(router) for decorator in node.decorator_list)
    }


def statements(function: ast.AsyncFunctionDef | ast.FunctionDef) -> list[ast.stmt]:
    """The body without its docstring."""
    return function.body[1:] if ast.get_docstring(function) else function.body


def catch_alls(tree: ast.Module) -> list[int]:
    """Lines of handlers that catch any exception, and do not raise it again."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = {"BaseException"} if node.type is None else {ast.unparse(part) for part in parts(node.type)}
            if caught & {"Exception", "BaseException"} and not raises(node):
                found.append(node.lineno)
    return found


def parts(kind: ast.expr) -> list[ast.expr]:
    """The exceptions that a handler names."""
    return kind.elts if isinstance(kind, ast.Tuple) else [kind]


def raises(handler: ast.ExceptHandler) -> bool:
    """Whether a handler ends by raising what it caught."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_there_is_something_to_judge() -> None:
    assert len(MODULES) > 40
    assert len(endpoints()) >= 10
    assert any(name == "select" for _, name in imports(MODULES["server/job/repository.py"]))
    assert catch_alls(ast.parse("try:\n    pass\nexcept (ValueError, Exception):\n    pass")) == [3]
    assert catch_alls(ast.parse("try:\n    pass\nexcept:\n    pass")) == [3]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_sql_stands_in_repositories_only(module: str) -> None:
    found = {name for source, name in imports(MODULES[module]) if source.startswith("sqlalchemy")}

    assert not found & STATEMENTS or module.startswith(SQL_HOMES)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_statements_written_as_text_stand_there_too(module: str) -> None:
    """A statement in a string, handed to a driver, is SQL as well."""
    texts = [node.value for node in ast.walk(MODULES[module]) if isinstance(node, ast.Constant)]
    found = [
        text
        for text in texts
        if isinstance(text, str) and text.startswith(("SELECT ", "INSERT ", "UPDATE ", "DELETE "))
    ]

    assert not found or module.startswith(SQL_HOMES)


@pytest.mark.parametrize("name", sorted(endpoints()))
def test_an_endpoint_has_at_most_ten_lines(name: str) -> None:
    body = statements(endpoints()[name])

    assert (body[-1].end_lineno or 0) - body[0].lineno + 1 <= LONGEST_ENDPOINT


@pytest.mark.parametrize("name", sorted(endpoints()))
def test_an_endpoint_catches_nothing(name: str) -> None:
    assert not [node for node in ast.walk(endpoints()[name]) if isinstance(node, ast.Try | ast.ExceptHandler)]


@pytest.mark.parametrize("name", sorted(endpoints()))
def test_an_endpoint_says_what_it_does(name: str) -> None:
    assert ast.get_docstring(endpoints()[name])


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_catches_every_exception_but_at_an_edge(module: str) -> None:
    lines = catch_alls(MODULES[module])

    assert not lines or module in CATCH_ALLS, f"{module} at {lines}"


@pytest.mark.parametrize("module", [module for module in sorted(MODULES) if module.startswith("policy/")])
def test_the_policy_knows_numpy_and_what_is_shared_alone(module: str) -> None:
    allowed = ("numpy", "zeus_bso.policy", "zeus_bso.common", "zeus_bso.cost", "zeus_bso.exceptions")
    standard = (
        "__future__",
        "math",
        "enum",
        "dataclasses",
        "collections",
        "typing",
        "functools",
        "itertools",
        "bisect",
    )
    foreign = {source for source, _ in imports(MODULES[module]) if not source.startswith(allowed + standard)}

    assert not foreign


@pytest.mark.parametrize("module", [module for module in sorted(MODULES) if module.startswith("policy/")])
def test_the_policy_waits_for_nothing_and_asks_no_clock(module: str) -> None:
    asynchronous = ast.Await | ast.AsyncFunctionDef | ast.AsyncWith | ast.AsyncFor

    assert not [node for node in ast.walk(MODULES[module]) if isinstance(node, asynchronous)]


@pytest.mark.parametrize("module", [module for module in sorted(MODULES) if module.startswith("server/services/")])
def test_a_service_never_commits(module: str) -> None:
    called = {
        node.func.attr
        for node in ast.walk(MODULES[module])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }

    assert not called & {"commit", "rollback", "begin_nested"}
