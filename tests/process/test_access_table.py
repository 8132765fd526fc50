"""Every route, asked by everybody: the table in docs/security.md is what this has seen.

``REWRITE_DOCS=1`` writes the table anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.access import ABSENT, JOB, RECIPES, TOKENS, WRONG, Answer, GuardedServer

from zeus_bso.server.app import create_app
from zeus_bso.server.config import Settings
from zeus_bso.server.security.routes import GuardedRoute, need_of, routes_of
from zeus_bso.server.security.tokens import Scope

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- the table: begin -->\n", "<!-- the table: end -->\n"
REWRITE = bool(os.environ.get("REWRITE_DOCS"))

OPEN = {"GET /healthz", "GET /readyz", "GET /dashboard/static/{version}/{name}", "GET /login", "POST /login"}
COLUMNS = {
    "no token": None,
    "wrong token": WRONG,
    "read": TOKENS["reader"],
    "report": TOKENS["trainer"],
    "admin": TOKENS["boss"],
    "admin of the team": TOKENS["team-a"],
    "admin of another team": TOKENS["team-b"],
}
WITHOUT_CSRF, WITH_CSRF = "cookie without CSRF", "cookie with CSRF"

Rows = dict[str, dict[str, Answer]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedServer]:
    with GuardedServer(tmp_path_factory.mktemp("guarded") / "zeus-bso.db") as server:
        server.prepare()
        yield server


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, GuardedRoute]:
    """The routes of the application, as ``METHOD path``."""
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path_factory.mktemp('app')}/zeus-bso.db"))
    found = [route for route in routes_of(app) if isinstance(route, GuardedRoute)]
    return {f"{method} {route.path}": route for route in found for method in route.methods or ()}


@pytest.fixture(scope="module")
def rows(server: GuardedServer, routes: dict[str, GuardedRoute]) -> Rows:
    """What every route answered to everybody."""
    return {name: asked_by_everybody(server, name) for name in routes}


def asked_by_everybody(server: GuardedServer, name: str) -> dict[str, Answer]:
    answers = {}
    server.prepare()
    for column, token in COLUMNS.items():
        if not name.startswith("GET "):
            server.prepare()
        # Who is wrong too often is not even answered with 401.
        address = server.stranger() if token == WRONG else None
        if name == "POST /login":
            answers[column] = server.log_in(token or "", address=address or server.stranger())
        else:
            answers[column] = server.send(RECIPES[name](server, JOB), token=token, address=address)
    cookie, csrf = server.session(TOKENS["boss"])
    server.prepare()
    answers[WITHOUT_CSRF] = server.send(RECIPES[name](server, JOB), headers=cookie)
    server.prepare()
    if name == "POST /login":
        answers[WITH_CSRF] = server.log_in(TOKENS["boss"])
    else:
        answers[WITH_CSRF] = server.send(RECIPES[name](server, JOB), headers=cookie | {"X-CSRF-Token": csrf})
    return answers


def status(answer: Answer) -> str:
    to_login = answer.status == 303 and answer.headers["location"].startswith("/login?")
    return "login" if to_login else str(answer.status)


def table(rows: Rows) -> str:
    columns = [*COLUMNS, WITHOUT_CSRF, WITH_CSRF]
    lines = [f"| route | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    lines += [
        f"| `{name}` | {' | '.join(status(answers[column]) for column in columns)} |" for name, answers in rows.items()
    ]
    return "\n".join(lines) + "\n"


def test_every_route_is_asked(routes: dict[str, GuardedRoute]) -> None:
    assert set(routes) == set(RECIPES), "tests/support/access.py must say how each route is asked"


def test_the_document_has_the_table_that_is_seen(rows: Rows) -> None:
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    written, _, after = rest.partition(END)
    seen = table(rows)
    if REWRITE:
        DOCUMENT.write_text(before + BEGIN + seen + END + after)
        return

    assert seen == written, f"REWRITE_DOCS=1 pytest {Path(__file__).name} writes it anew; look at what changed"


def test_only_health_and_login_are_open(routes: dict[str, GuardedRoute]) -> None:
    assert {name for name, route in routes.items() if need_of(route.endpoint).scope is None} == OPEN


@pytest.mark.parametrize("column", ["no token", "wrong token"])
def test_nobody_unknown_gets_anything_else(rows: Rows, column: str) -> None:
    statuses = {name: status(answers[column]) for name, answers in rows.items() if name not in OPEN}

    assert set(statuses.values()) == {"401", "login"}, statuses


def test_a_scope_lets_in_to_what_declares_it_and_no_further(rows: Rows, routes: dict[str, GuardedRoute]) -> None:
    scopes = {"read": Scope.READ, "report": Scope.REPORT, "admin": Scope.ADMIN}
    for name, answers in rows.items():
        need = need_of(routes[name].endpoint)
        for column, scope in scopes.items():
            if need.scope is not None and scope < need.scope:
                assert answers[column].status == 403, (name, column)
            else:
                assert answers[column].status in (200, 201, 303), (name, column, answers[column].text)


def test_what_changes_something_needs_proof_beside_a_cookie(rows: Rows) -> None:
    for name, answers in rows.items():
        changes = name == "GET /jobs/batch_size" or not name.startswith("GET ")
        assert (answers[WITHOUT_CSRF].status == 403) is changes, name
        assert answers[WITH_CSRF].status in (200, 201, 303), name


def test_a_teams_admin_does_everything_with_its_jobs(rows: Rows) -> None:
    refused = {name for name, answers in rows.items() if answers["admin of the team"].status == 403}

    assert refused == {"GET /metrics"}


def test_another_team_learns_nothing_of_a_job(rows: Rows) -> None:
    """Beyond the id that it asked for."""
    for name, answers in rows.items():
        answer = answers["admin of another team"]
        told = answer.text.replace("There is no job &#39;team-a-job&#39;", "").replace(
            "There is no job 'team-a-job'", ""
        )
        assert JOB not in told, name


@pytest.mark.parametrize("name", RECIPES)
def test_another_teams_job_is_as_one_that_does_not_exist(server: GuardedServer, name: str) -> None:
    existing = server.send(RECIPES[name](server, JOB), token=TOKENS["team-b"])
    absent = server.send(RECIPES[name](server, ABSENT), token=TOKENS["team-b"])

    assert existing.status == absent.status
    if name not in ("GET /login", "POST /login"):  # with a nonce in it
        assert existing.text.replace(JOB, ABSENT) == absent.text
