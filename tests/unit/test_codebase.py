"""Rules of the codebase that no linter knows; each check lists who breaks it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import zeus_bso

SOURCE = Path(zeus_bso.__file__).parent

SQL_HOMES = (
    "server/database/",
    "server/job/repository.py",
    "server/batch_size_state/repository.py",
    "server/observations/repository.py",
    "server/overview/repository.py",
    "server/transfer/repository.py",
    "server/dashboard/queries.py",
)
STATEMENTS = {"select", "insert", "update", "delete", "text", "bindparam", "Table"}

CATCH_ALLS = {
    "server/database/sqlite.py": "the writer's thread outlives what it is asked to do, and hands every error on",
    "server/database/sqlite_units.py": "so do the readers'",
    "server/database/groups.py": "a group outlives its members: each runs again on its own, and meets its error there",
    "client/training_guard.py": "a training never dies for the server's sake",
    "client/tracking/feed.py": "nor for the sake of an experiment tracker",
    "client/meter.py": "nor for the sake of a monitor of another package",
    "integrations/lightning.py": "whatever an unpickler makes of a broken checkpoint is said in one sentence",
    "client/power/limiter.py": "one broken GPU must not leave another one limited",
    "client/distributed.py": "whatever fails on one rank is told to all, and raised there",
    "embedded.py": "the embedded app is foreign code to the client, as a server is over HTTP",
}
LONGEST_ENDPOINT = 10

POLICY_MAY_IMPORT = (
    *("numpy", "zeus_bso.policy", "zeus_bso.protocol", "zeus_bso.cost", "zeus_bso.exceptions", "zeus_bso.units"),
    *("__future__", "math", "enum", "dataclasses", "collections", "typing", "functools", "itertools", "bisect"),
)


@cache
def modules() -> dict[str, ast.Module]:
    """The package, read."""
    return {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text()) for path in SOURCE.rglob("*.py")}


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
        for module, router in (("server/router.py", "router."), ("server/dashboard/page_routes.py", "dashboard."))
        for node in modules()[module].body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
        and any(ast.unparse(decorator).startswith(router) for decorator in node.decorator_list)
    }


def length(function: ast.AsyncFunctionDef | ast.FunctionDef) -> int:
    """How many lines the body has without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def modules_of(package: str) -> dict[str, ast.Module]:
    """The modules of a package; there are some."""
    found = {module: tree for module, tree in modules().items() if module.startswith(package)}
    assert found, package
    return found


def found_in(tree: ast.AST, *kinds: type[ast.AST]) -> list[ast.AST]:
    """The nodes of some kinds."""
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def sql(tree: ast.AST) -> list[str]:
    """The texts that begin as a statement does."""
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if text.startswith(("SELECT ", "INSERT ", "UPDATE ", "DELETE "))]


def methods_called(tree: ast.AST) -> set[str]:
    """The names of the methods that are called."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {call.attr for call in calls if isinstance(call, ast.Attribute)}


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
    assert len(modules()) > 40
    assert len(endpoints()) >= 10
    assert any(name == "select" for _, name in imports(modules()["server/job/repository.py"]))
    assert sql(ast.parse("run('DELETE FROM trial')")) == ["DELETE FROM trial"]
    assert methods_called(ast.parse("session.commit()")) == {"commit"}
    assert found_in(ast.parse("async def f(): await g()"), ast.Await)
    assert length(ast.parse('def f():\n    "doc"\n    a\n\n    b').body[0]) == 3  # type: ignore[arg-type]
    assert catch_alls(ast.parse("try:\n    pass\nexcept (ValueError, Exception):\n    pass")) == [3]
    assert catch_alls(ast.parse("try:\n    pass\nexcept:\n    pass")) == [3]


def test_sql_stands_in_repositories_only() -> None:
    assert {
        module: found
        for module, tree in modules().items()
        if not module.startswith(SQL_HOMES)
        and (found := {name for source, name in imports(tree) if source.startswith("sqlalchemy")} & STATEMENTS)
    } == {}


def test_statements_written_as_text_stand_there_too() -> None:
    """A statement in a string, handed to a driver, is SQL as well."""
    assert {
        module: found for module, tree in modules().items() if not module.startswith(SQL_HOMES) and (found := sql(tree))
    } == {}


def test_an_endpoint_has_at_most_ten_lines() -> None:
    assert {name: lines for name, node in endpoints().items() if (lines := length(node)) > LONGEST_ENDPOINT} == {}


def test_an_endpoint_catches_nothing() -> None:
    assert [name for name, node in endpoints().items() if found_in(node, ast.Try, ast.ExceptHandler)] == []


def test_an_endpoint_says_what_it_does() -> None:
    assert [name for name, node in endpoints().items() if not ast.get_docstring(node)] == []


def test_nothing_catches_every_exception_but_at_an_edge() -> None:
    assert {
        module: lines for module, tree in modules().items() if module not in CATCH_ALLS and (lines := catch_alls(tree))
    } == {}


def test_the_policy_knows_numpy_and_what_is_shared_alone() -> None:
    assert {
        module: foreign
        for module, tree in modules_of("policy/").items()
        if (foreign := {source for source, _ in imports(tree) if not source.startswith(POLICY_MAY_IMPORT)})
    } == {}


def test_the_policy_waits_for_nothing_and_asks_no_clock() -> None:
    waiting = (ast.Await, ast.AsyncFunctionDef, ast.AsyncWith, ast.AsyncFor)

    assert [module for module, tree in modules_of("policy/").items() if found_in(tree, *waiting)] == []


def test_a_service_never_commits() -> None:
    assert {
        module: found
        for module, tree in modules_of("server/services/").items()
        if (found := methods_called(tree) & {"commit", "rollback", "begin_nested"})
    } == {}
