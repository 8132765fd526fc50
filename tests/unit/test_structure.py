"""Each name stands for one thing, and no module imports itself by a detour."""

from __future__ import annotations

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

import zeus_bso
from zeus_bso.cli import main

SOURCE = Path(zeus_bso.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

PER_DOMAIN = {"__init__", "models", "commands", "repository"}
"""File names that each domain of the server has."""

PER_FRAMEWORK = {"ZeusBSOCallback"}
"""Each framework's callback is imported from a module of its own."""

LONGEST_FILE = 400


def test_a_class_has_a_name_of_its_own() -> None:
    homes = defaultdict(list)
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name not in PER_FRAMEWORK:
                homes[node.name].append(path.relative_to(SOURCE).as_posix())
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_a_file_has_a_name_of_its_own() -> None:
    homes = defaultdict(list)
    for path in FILES:
        if path.stem not in PER_DOMAIN:
            homes[path.stem].append(path.relative_to(SOURCE).as_posix())
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_a_file_is_short() -> None:
    lengths = {path.relative_to(SOURCE).as_posix(): len(path.read_text().splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_neither_files_nor_packages_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("zeus_bso", cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    circles = [_circle(imported)]
    for package in sorted(module for module in graph.modules if graph.find_children(module)):
        children = graph.find_children(package)
        between: dict[str, set[str]] = {child: set() for child in children}
        for module in graph.modules:
            home = _child_of(module, children)
            if home is not None:
                between[home] |= {_child_of(other, children) or home for other in imported[module]} - {home}
        circles.append(_circle(between))
    assert [circle for circle in circles if circle] == []


def test_a_module_that_is_loaded_by_name_is_imported_for_whoever_follows_imports() -> None:
    graph = grimp.build_graph("zeus_bso", cache_dir=None)
    commands = {f"zeus_bso.cli.{main._MODULES.get(name, name)}" for name in main.COMMANDS}
    assert commands <= graph.find_modules_directly_imported_by("zeus_bso.cli.main")
    assert set(zeus_bso._HOMES.values()) <= graph.find_modules_directly_imported_by("zeus_bso")
    loading = [path.relative_to(SOURCE).as_posix() for path in FILES if "import_module" in path.read_text()]
    libraries = ["integrations/lightning.py", "monitor/sensors/amd.py", "monitor/sensors/nvml.py"]
    assert loading == ["__init__.py", "cli/main.py", *libraries]


def _circle(imported: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _child_of(module: str, children: set[str]) -> str | None:
    return next((child for child in children if module == child or module.startswith(f"{child}.")), None)
