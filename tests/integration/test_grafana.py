"""The Grafana dashboard asks for nothing that the server does not tell."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.jobs import Json
from tests.support.server import Server

DASHBOARD: Json = json.loads((Path(__file__).parents[2] / "deploy/grafana/zeus-bso.json").read_text())
_METRIC = re.compile(r"zeus_bso_\w+")
_SELECTOR = re.compile(r"(zeus_bso_\w+)\{([^}]*)\}")


def expressions() -> list[str]:
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return queries + [variable["query"] for variable in DASHBOARD["templating"]["list"]]


@pytest.fixture
def told(own_server: Server) -> dict[str, set[str]]:
    """The names of all samples, each with its labels."""
    own_server.register(power_limit=250)
    own_server.converge(own_server.ask())
    own_server.converge(own_server.ask())
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(own_server.call("GET", "/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_that_is_asked_for_exists(told: dict[str, set[str]]) -> None:
    asked = {name for expression in expressions() for name in _METRIC.findall(expression)}

    assert len(asked) > 10
    assert asked <= set(told)


def test_every_label_that_is_asked_for_exists(told: dict[str, set[str]]) -> None:
    for expression in expressions():
        for name, selector in _SELECTOR.findall(expression):
            labels = set(re.findall(r"(\w+)\s*[=!]", selector))
            assert labels <= told[name] | {"job"}, expression
        for grouped in re.findall(r"by \(([^)]*)\)", expression):
            name = _METRIC.findall(expression)[0]
            assert set(grouped.replace(" ", "").split(",")) <= told[name], expression


def test_every_metric_of_ours_is_shown(told: dict[str, set[str]]) -> None:
    ours = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in told if name.startswith("zeus_bso_")}
    shown = " ".join(expressions())

    assert {name for name in ours if name not in shown and f"{name}_total" not in shown} == set()


def test_panels_do_not_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
