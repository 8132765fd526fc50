"""docs/operations.md has every setting, variable, command, endpoint and metric that the code has."""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from fastapi.routing import APIRoute
from prometheus_client.parser import text_string_to_metric_families

import zeus_bso
from zeus_bso.cli.main import COMMANDS, build_parser
from zeus_bso.savings import Saving
from zeus_bso.server.config import Settings
from zeus_bso.server.instruments import Instruments
from zeus_bso.server.metrics import exposition
from zeus_bso.server.metrics.job_totals import AllJobsTotals
from zeus_bso.server.router import router

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
SOURCE = Path(zeus_bso.__file__).parent
TABLE_CELLS = set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE))
_VARIABLE = re.compile(r"\bZEUS(?:_BSO|D)_[A-Z][A-Z_]*[A-Z]\b")


@cache
def variables() -> set[str]:
    """Every environment variable that the source names."""
    texts = (
        node.value
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    named = {name for text in texts for name in _VARIABLE.findall(text)}
    return named | {f"ZEUS_BSO_{field.upper()}" for field in Settings.model_fields}


@cache
def commands() -> frozenset[str]:
    """Every command with each of its actions."""
    parser, _ = build_parser(list(COMMANDS))
    return frozenset(_commands_of(parser, "zeus-bso"))


def _commands_of(parser: argparse.ArgumentParser, prefix: str) -> Iterator[str]:
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not actions:
        yield prefix
    for action in actions:
        for name, subparser in action.choices.items():
            yield from _commands_of(subparser, f"{prefix} {name}")


@cache
def endpoints() -> set[str]:
    """Every request that the API answers."""
    return {
        f"{method} {route.path}"
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }


@cache
def metrics() -> set[str]:
    """Every metric that the server can tell."""
    saving = Saving(saved=1, low=0, high=2, spent=3, lost=0, per_default_run=1, fraction=0.25)
    totals = AllJobsTotals(
        jobs=Counter({"MAB": 1}),
        trials=Counter({("Succeeded", "converged"): 1}),
        open_trials=0,
        alarmed_jobs=0,
        energy=saving,
        time=saving,
        spent_energy=3.0,
        saved_of_jobs=[("job", 1.0, False)],
        limits_of_jobs=[("job", 250.0)],
    )
    instruments = Instruments(connections=1)
    instruments.request("GET", "/", 200)
    instruments.decision("ask", 0.1)
    text = (instruments.text() + exposition.text(totals)).decode()
    families = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(text)
    }
    return {name for name in families if name.startswith("zeus_bso_") and not name.endswith("_created")}


def test_there_is_something_to_judge() -> None:
    assert len(variables()) > 20
    assert len(commands()) > 12
    assert len(endpoints()) > 20
    assert len(metrics()) > 12


def test_every_variable_is_documented() -> None:
    assert variables() - TABLE_CELLS == set()


def test_every_command_is_documented() -> None:
    assert commands() - TABLE_CELLS == set()


def test_every_endpoint_is_documented() -> None:
    assert endpoints() - TABLE_CELLS == set()


def test_every_metric_is_documented() -> None:
    assert metrics() - TABLE_CELLS == set()


def test_nothing_is_documented_that_does_not_exist() -> None:
    assert TABLE_CELLS - (variables() | commands() | endpoints() | metrics()) == set()


def test_every_default_is_documented() -> None:
    stated = {
        f"ZEUS_BSO_{name.upper()}": f"{default:g}" if isinstance(default, float) else f"{default}"
        for name, field in Settings.model_fields.items()
        if isinstance(default := field.default, int | float | str)
    }
    rows = dict(re.findall(r"^\| `(ZEUS_BSO_\w+)` \|([^|]*\|[^|]*)", PAGE, re.MULTILINE))

    assert len(stated) > 10
    assert {name: default for name, default in stated.items() if default not in rows[name].split("|")[-1]} == {}
