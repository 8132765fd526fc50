"""What the server writes to its log, and how a line finds its request."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
from tests.support.jobs import Json
from tests.support.server import Server

from zeus_bso.server.logs import configure_logging, log_fields


@pytest.fixture(autouse=True)
def _our_handlers_only() -> Iterator[None]:
    """Take the handlers that a test adds away again."""
    root, ours = logging.getLogger(), logging.getLogger("zeus_bso")
    before, level = list(root.handlers), ours.level
    yield
    root.handlers[:] = before
    ours.setLevel(level)


@pytest.fixture
def lines() -> io.StringIO:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    return stream


def objects(stream: io.StringIO) -> list[Json]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_request_gets_an_id_and_its_log_lines_carry_it(own_server: Server, lines: io.StringIO) -> None:
    own_server.register()
    response = own_server.send("GET", "/jobs/batch_size", params={"job_id": "job"})

    identity = response.headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{32}", identity)
    assert [line["request_id"] for line in objects(lines) if "trial" in line["message"]] == [identity]


def test_an_id_that_came_along_is_kept(own_server: Server) -> None:
    response = own_server.send("GET", "/healthz", headers={"X-Request-ID": "proxy-7.a_B"})

    assert response.headers["X-Request-ID"] == "proxy-7.a_B"


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, 'a"b', "a=b", "{}"])
def test_an_id_that_could_spoil_the_log_is_replaced(own_server: Server, sent: str) -> None:
    response = own_server.send("GET", "/healthz", headers={"X-Request-ID": sent})

    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"])


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/jobs?job_id=x", 404), ("POST", "/jobs", 422)]
)
def test_an_error_has_its_request_id_too(own_server: Server, method: str, path: str, status: int) -> None:
    response = own_server.send(method, path)

    assert response.status_code == status
    assert response.headers["X-Request-ID"]


def test_a_decision_is_one_line(own_server: Server, lines: io.StringIO) -> None:
    own_server.register()
    trial = own_server.ask()
    own_server.report(trial)
    own_server.converge(trial, current_epoch=2)

    asked, decided = objects(lines)
    assert (asked["job"], asked["trial"], asked["batch_size"], asked["type"]) == ("job", 1, 16, "Exploration")
    assert (decided["job"], decided["trial"], decided["outcome"], decided["cost"]) == ("job", 1, "converged", 100.0)
    assert (decided["level"], decided["logger"]) == ("info", "zeus_bso.server.optimizer")


def test_a_line_does_not_grow_with_the_history(own_server: Server, lines: io.StringIO) -> None:
    own_server.register()
    for _ in range(30):
        own_server.report(own_server.ask(), metric=1.0)

    assert max(len(line) for line in lines.getvalue().splitlines()) < 500


def test_no_name_can_add_a_line_or_a_field() -> None:
    stream = io.StringIO()
    configure_logging("info", "text", stream)

    log_fields(logging.getLogger("zeus_bso.test"), job="a b=c\nd", empty=None, cost=1 / 3)

    (line,) = stream.getvalue().splitlines()
    assert line.endswith(' INFO job="a b=c\\nd" cost=0.333333')
