"""Who comes in and how, at a server process with tokens, and at one without."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.access import JOB, TOKENS, WRONG, Asked, GuardedServer, hidden
from tests.support.forked import run_python
from tests.support.jobs import spec

from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.client.connection.http_transport import HttpTransport
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.server.app import create_app
from zeus_bso.server.config import Settings
from zeus_bso.server.router import router
from zeus_bso.server.security.headers import HEADERS
from zeus_bso.server.security.routes import refuse_unguarded_routes
from zeus_bso.server.security.throttle import BURST
from zeus_bso.testing import ReplayMonitor

LIST = Asked("GET", "/api/v1/jobs")
FRONT = Asked("GET", "/", html=True)


@pytest.fixture(scope="module")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedServer]:
    """A server with tokens that logs all it can."""
    path = tmp_path_factory.mktemp("guarded") / "zeus-bso.db"
    with GuardedServer(path, options=["--access-log"]) as server:
        yield server


@pytest.fixture
def server(running_server: GuardedServer) -> GuardedServer:
    """The server with the jobs of two teams, whatever an earlier test has deleted."""
    running_server.prepare()
    for name in ("team-b-job", "Team-a-job"):
        running_server.send(Asked("POST", "/jobs", body=spec(job_id=name)), token=TOKENS["boss"])
    return running_server


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedServer]:
    """A server without tokens."""
    with GuardedServer(tmp_path_factory.mktemp("open") / "zeus-bso.db", tokens="") as server:
        yield server


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def job_ids(server: GuardedServer, token: str) -> list[str]:
    return [job["job_id"] for job in json.loads(server.send(LIST, token=TOKENS[token]).text)]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"bearer {TOKENS['reader']}"},
        basic("any", TOKENS["reader"]),
        basic("", TOKENS["reader"]),
        basic(TOKENS["reader"], ""),
    ],
    ids=["bearer", "password", "password alone", "user alone"],
)
def test_a_token_comes_in_by_each_way(server: GuardedServer, headers: dict[str, str]) -> None:
    assert server.send(LIST, headers=headers).status == 200


@pytest.mark.parametrize("value", ["", "Bearer", "Basic", "Basic !", "Basic gICA", "Digest x", TOKENS["reader"]])
def test_a_header_that_means_nothing_is_401_and_no_browser_asks(server: GuardedServer, value: str) -> None:
    answer = server.send(LIST, headers={"Authorization": value}, address=server.stranger())

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="zeus-bso"'


def test_our_client_runs_with_a_token_and_says_what_is_missing_without(server: GuardedServer) -> None:
    job = JobSpec(job_id_prefix="team-a", batch_sizes=[8, 16], default_batch_size=16)
    monitor = ReplayMonitor([(1.0, 10.0)] * 4)
    bso = BatchSizeOptimizer(monitor, server.process.url, job, token=TOKENS["team-a"])
    bso.get_batch_size()
    bso.on_train_begin()
    bso.on_evaluate(0.9)

    assert bso.training_finished
    for token, says in ((None, "ZEUS_BSO_TOKEN"), (TOKENS["team-b"], "team-b-"), (TOKENS["reader"], "scope 'report'")):
        with pytest.raises(ZeusBSOConfigError, match=says):
            BatchSizeOptimizer(monitor, server.process.url, job, token=token)


def test_a_team_sees_its_own_jobs_and_sums_alone(server: GuardedServer) -> None:
    def front(token: str) -> str:
        return server.send(FRONT, token=TOKENS[token]).text

    assert job_ids(server, "team-b") == ["team-b-job"]
    assert set(job_ids(server, "boss")) >= {JOB, "team-b-job", "Team-a-job"}
    assert "Team-a-job" not in job_ids(server, "team-a")
    assert JOB in front("boss")
    assert JOB not in front("team-b")
    count = server.send(LIST, token=TOKENS["team-b"]).headers["x-total-count"]
    sums = json.loads(server.send(Asked("GET", "/api/v1/savings/fleet"), token=TOKENS["team-b"]).text)
    assert (count, sums["jobs"]) == ("1", 1)


def test_a_job_whose_id_is_derived_lies_within_the_teams_prefix(server: GuardedServer) -> None:
    def register(token: str) -> int:
        body = spec(job_id=None, job_id_prefix="team-b")
        return server.send(Asked("POST", "/jobs", body=body), token=TOKENS[token]).status

    assert register("team-a") == 403
    assert register("team-b") == 201
    (derived,) = set(job_ids(server, "team-b")) - {"team-b-job"}
    server.send(Asked("DELETE", "/jobs", {"job_id": derived}), token=TOKENS["team-b"])


def test_the_tag_of_a_page_is_good_for_whoever_got_it(server: GuardedServer) -> None:
    tag = server.send(FRONT, token=TOKENS["boss"]).headers["etag"]

    assert server.send(FRONT, token=TOKENS["boss"], headers={"If-None-Match": tag}).status == 304
    assert server.send(FRONT, token=TOKENS["reader"], headers={"If-None-Match": tag}).status == 200


def test_an_address_that_is_wrong_too_often_has_to_wait_and_a_right_token_never(server: GuardedServer) -> None:
    address = server.stranger()
    statuses = [server.send(LIST, token=f"{WRONG}{number}", address=address).status for number in range(BURST)]
    refused = server.send(LIST, token=WRONG, address=address)

    assert statuses == [401] * BURST
    assert refused.status == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    assert server.send(LIST, token=TOKENS["reader"], address=address).status == 200
    login = server.log_in(TOKENS["reader"], address=address)
    assert login.status == 429
    assert "zeus_bso_session" not in login.cookies


@pytest.mark.parametrize(
    "asked",
    [LIST, FRONT, Asked("GET", "/nowhere"), Asked("GET", "/healthz"), Asked("PUT", "/jobs"), Asked("GET", "/login")],
    ids=lambda asked: f"{asked.method} {asked.path}",
)
def test_every_answer_has_the_security_headers(server: GuardedServer, asked: Asked) -> None:
    headers = server.send(asked, token=TOKENS["boss"]).headers

    assert {name.lower() for name in HEADERS} <= {name.lower() for name in headers}
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "no-store" in headers["cache-control"] or "private" in headers["cache-control"]


def test_a_person_is_sent_to_log_in_and_back(server: GuardedServer) -> None:
    wanted = f"/job?job_id={JOB}&size=8"
    sent = server.send(Asked("GET", "/job", {"job_id": JOB, "size": "8"}, html=True))
    page = server.send(Asked("GET", sent.headers["location"], html=True))
    back = server.log_in(TOKENS["reader"], to=hidden(page.text, "next"))

    assert sent.status == 303
    assert (back.status, back.headers["location"]) == (303, wanted)


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_no_login_leads_to_another_site(server: GuardedServer, to: str) -> None:
    assert server.log_in(TOKENS["reader"], to=to).headers["location"] == "/"


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_the_sessions_cookie_is_for_the_server_alone(server: GuardedServer, tls: bool) -> None:
    forwarded = {"X-Forwarded-Proto": "https"} if tls else {}
    page = server.send(Asked("GET", "/login", html=True), headers=forwarded)
    cookie = page.headers["set-cookie"].lower()

    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert ("secure" in cookie) is tls


def test_a_session_is_no_token_and_ends_in_the_browser_by_logging_out(server: GuardedServer) -> None:
    cookie, csrf = server.session(TOKENS["reader"])
    out = server.send(Asked("POST", "/logout", html=True), headers=cookie, form={"csrf": csrf})

    assert not [token for token in TOKENS.values() if token in cookie["Cookie"]]
    assert out.headers["location"] == "/login"
    assert out.cookies["zeus_bso_session"] in ("", '""')


@pytest.mark.parametrize("form", [{}, {"csrf": "x"}, {"csrf": ""}], ids=["none", "wrong", "empty"])
def test_a_forged_login_begins_no_session(server: GuardedServer, form: dict[str, str]) -> None:
    forged = server.send(Asked("POST", "/login", html=True), form=form | {"token": TOKENS["boss"]})

    assert forged.status == 403
    assert "zeus_bso_session" not in forged.cookies


def test_the_proof_of_one_session_is_none_for_another(server: GuardedServer) -> None:
    cookie, _ = server.session(TOKENS["boss"])
    _, other = server.session(TOKENS["boss"])
    answer = server.send(Asked("DELETE", "/jobs", {"job_id": JOB}), headers=cookie | {"X-CSRF-Token": other})

    assert answer.status == 403


def test_a_page_of_another_site_changes_nothing_whatever_it_sends(
    server: GuardedServer, open_server: GuardedServer
) -> None:
    """A browser sends along what it was given by `http://any:TOKEN@host/`, or nothing, where nothing is asked for."""
    register = Asked("POST", "/jobs", body=spec(job_id="team-a-forged"))
    for site in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}):
        assert server.send(register, headers=basic("any", TOKENS["boss"]) | site).status == 403
        assert open_server.send(register, headers=site).status == 403
    own = {"Origin": open_server.process.url}
    assert open_server.send(register, headers=own).status == 201


def test_a_server_without_tokens_answers_to_names_of_its_machine_alone(open_server: GuardedServer) -> None:
    port = open_server.process.url.rpartition(":")[2]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "[::1]:80", "bso.localhost"):
        assert open_server.send(LIST, headers={"Host": host}).status == 200, host
    refused = open_server.send(LIST, headers={"Host": f"evil.example:{port}"})
    assert refused.status == 403
    assert "ZEUS_BSO_API_TOKENS" in refused.text


def test_a_server_without_tokens_has_no_login(open_server: GuardedServer) -> None:
    login = open_server.send(Asked("GET", "/login", {"next": "/fleet"}, html=True))

    assert (login.status, login.headers["location"]) == (303, "/fleet")
    assert "Log out" not in open_server.send(FRONT).text


def test_what_is_changed_for_good_is_logged_with_the_tokens_name(server: GuardedServer) -> None:
    admin, headers = TOKENS["team-a"], {"X-Request-ID": "the-request"}
    server.prepare()
    file = server.exported()
    for asked in (
        Asked("PATCH", "/api/v1/jobs", {"job_id": JOB}, {"beta_knob": 3.0}),
        Asked("POST", "/api/v1/jobs/reset", {"job_id": JOB}),
        Asked("POST", "/api/v1/jobs/import", {"replace": "true"}, file),
        Asked("DELETE", "/jobs", {"job_id": JOB}),
    ):
        assert server.send(asked, token=admin, headers=headers).status in (200, 201)

    lines = [line for line in server.process.said.splitlines() if "request_id=the-request" in line and "act=" in line]
    assert [re.findall(r"act=(\w+) job=(\S+) token=(\S+)", line) for line in lines] == [
        [(act, JOB, "team-a")] for act in ("settings", "reset", "import", "delete")
    ]


def test_no_secret_is_ever_logged(server: GuardedServer) -> None:
    cookie, csrf = server.session(TOKENS["boss"])
    server.log_in(WRONG, address=server.stranger())
    server.send(LIST, headers=basic("any", WRONG), address=server.stranger())
    server.send(LIST, headers=cookie | {"X-CSRF-Token": csrf})
    server.send(FRONT, token=TOKENS["reader"])
    said = server.process.said

    assert "GET /api/v1/jobs" in said
    assert "Unknown token from" in said
    secrets = [*TOKENS.values(), WRONG, csrf, cookie["Cookie"].partition("=")[2]]
    assert not [secret for secret in secrets if secret in said]


def test_a_route_that_does_not_say_what_it_needs_cannot_be_made(tmp_path: Path) -> None:
    async def forgotten() -> None: ...

    with pytest.raises(TypeError, match="forgotten"):
        router.get("/forgotten")(forgotten)
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/a.db"))
    app.get("/forgotten")(forgotten)
    with pytest.raises(TypeError, match="/forgotten"):
        refuse_unguarded_routes(app)


def test_the_embedded_mode_asks_for_nothing_and_hears_of_no_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEUS_BSO_API_TOKENS", "makes no sense")
    monkeypatch.setenv("ZEUS_BSO_API_TOKENS_FILE", "/nowhere")
    job = JobSpec(job_id_prefix="here", batch_sizes=[8], default_batch_size=8)

    assert BatchSizeOptimizer(ReplayMonitor([]), f"sqlite:///{tmp_path}/a.db", job).get_batch_size() == 8


@pytest.mark.parametrize("option", [[], ["--workers", "2"]], ids=["one process", "workers"])
def test_tokens_that_make_no_sense_are_one_line_without_them(tmp_path: Path, option: list[str]) -> None:
    command = ["-m", "zeus_bso", "serve", "--port", "0", "--database-url", "sqlite:///a.db", *option]
    done = run_python(*command, folder=tmp_path, environment={"ZEUS_BSO_API_TOKENS": "ops:boss=0123456789-the-secret"})

    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "ZEUS_BSO_API_TOKENS" in done.stderr
    assert "the-secret" not in done.stderr


def test_with_tokens_it_listens_beyond_loopback_and_its_workers_ask_for_them(tmp_path: Path) -> None:
    with GuardedServer(tmp_path / "a.db", options=["--host", "0.0.0.0", "--workers", "2"]) as server:
        port = server.process.url.rpartition(":")[2]
        transport = HttpTransport(f"http://any:{TOKENS['reader']}@127.0.0.1:{port}")
        try:
            assert transport.request("GET", "/api/v1/jobs").status == 200
        finally:
            transport.close()
        anonymous = HttpTransport(f"http://127.0.0.1:{port}")
        try:
            assert {anonymous.request("GET", "/api/v1/jobs").status for _ in range(8)} == {401}
        finally:
            anonymous.close()
