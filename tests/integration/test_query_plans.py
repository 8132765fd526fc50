"""Every statement of a request finds its rows by an index, however long the history is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, select, text
from tests.support.databases import KINDS, DatabaseServers, look
from tests.support.server import Server

from zeus_bso.server.database.schema import job, trial, trial_report

GUARDED = ("trial", "trial_report", "batch_size_state")
JOBS = 20
TRIALS = 200
"""Of each job; so many that no database prefers to read all rows."""

STATEMENTS = 23
"""So many statements of the product read or change those tables."""

OF_MANY_JOBS = frozenset(
    (
        "BatchSizeStateRepository.sizes_of",
        "OverviewRepository.ended_since_converged_of",
        "OverviewRepository.ends_since_converged_of",
        "OverviewRepository.versions",
        "OverviewRepository.records_of",
        "OverviewRepository.trial_kinds",
        "OverviewRepository.uses_by_day",
    )
)
"""What lists jobs reads many of them, with all their trials."""

OF_A_WHOLE_JOB = frozenset(
    (
        "BatchSizeStateRepository.decided_trials",
        "BatchSizeStateRepository.sizes",
        "BatchSizeStateRepository.totals",
        "DashboardQueries.costs_before",
        "DashboardQueries.count_trials",
        "DashboardQueries.latest_of_each_size",
        "DashboardQueries.points",
        "OverviewRepository.ended_since_converged",
        "OverviewRepository.ended_trials",
        "OverviewRepository.records",
    )
)
"""What is about all trials of a job, or all its batch sizes; everything else must be flat in their number."""

ENOUGH_ON_THE_WAY = frozenset(
    (
        "BatchSizeStateRepository.latest_decided",
        "BatchSizeStateRepository.page",
        "BatchSizeStateRepository.some_sizes",
        "DashboardQueries.number_before_latest",
        "DashboardQueries.trials",
    )
)
"""What has a limit may be found among all of a job, in the order of the index, until there are enough."""

Plan = list[str]


@dataclass(frozen=True)
class Statement:
    """A statement that was run.

    Attributes:
        text: Its text.
        asker: The method of the product that ran it; empty: a test did.
        parameters: Those of its last run.
    """

    text: str
    asker: str = ""
    parameters: Any = field(default=(), compare=False)


@pytest.fixture(scope="module", params=KINDS)
def history_url(
    request: pytest.FixtureRequest, databases: DatabaseServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with many jobs, each with a long history."""
    with databases.migrated(request.param, tmp_path_factory.mktemp("history")) as url:
        with _serving(url) as server:
            for number in range(JOBS):
                policy = "surrogate" if number == 2 else "zeus"
                server.register(job_id=f"job-{number}", window_size=3 * (number % 2), policy=policy)
        look(url, _grow)
        yield url


def test_no_statement_of_a_request_reads_more_than_it_needs(history_url: str) -> None:
    with _serving(history_url) as server, _statements() as seen:
        _every_request(server)
    guarded = [statement for statement in seen if _is_guarded(statement)]
    assert len({statement.text for statement in guarded}) >= STATEMENTS, "the scenario should run every statement"
    exempt = OF_MANY_JOBS | OF_A_WHOLE_JOB | ENOUGH_ON_THE_WAY
    assert exempt <= {statement.asker for statement in seen}, "nothing is exempt that is not run"
    scans = look(history_url, lambda connection: _scans(connection, guarded))
    assert scans == {}


def test_a_statement_without_an_index_would_be_found(history_url: str) -> None:
    bad = [
        Statement("SELECT energy FROM trial WHERE energy > 7"),
        Statement("DELETE FROM trial_report WHERE epoch = 7"),
        Statement("SELECT energy FROM trial WHERE job_id = 'job-3' AND instance = 'x'"),
    ]
    assert list(look(history_url, partial(_scans, statements=bad))) == bad


@contextmanager
def _serving(url: str) -> Iterator[Server]:
    server = Server(url)
    server.start()
    with closing(server):
        yield server


def _every_request(server: Server) -> None:
    for job_id in ("job-1", "job-2"):
        server.register(job_id=job_id, window_size=3 * (job_id == "job-1"))
        server.converge(server.ask(job_id), energy=90.0)
        another = server.ask(job_id)
        for epoch in range(1, 9):  # a run of another size is compared with the best one by its curve
            server.report(another, current_epoch=epoch)
        for _ in range(12):
            server.converge(server.ask(job_id), energy=90.0)
        first = server.offer(job_id, run_id="run", instance="a", heartbeat_s=10.0)
        server.offer(job_id, run_id="run", instance="a")
        taken = server.ask(job_id, run_id="other")
        server.beat(taken, time=5.0, energy=5.0)
        server.report(taken)
        server.report(taken)
        server.end(taken, "preempted")
        server.report(taken, current_epoch=2)
        server.miss(server.ask(job_id))
        server.report(server.ask(job_id), final=True)
        server.end(server.ask(job_id), "oom")
        server.time_passes(10 * 86_400, job_id)
        server.ask(job_id)
        assert first["job_id"] == job_id
        server.offer(job_id, run_id="run", instance="b")
        server.change(job_id, eta_knob=0.25)
        server.call("GET", "/api/v1/trials", job_id=job_id, after=100, limit=50)
        server.call("GET", "/api/v1/trials", job_id=job_id, after=100, limit=50, descending=True, status="Succeeded")
        server.call("GET", "/api/v1/trials", job_id=job_id, limit=50, batch_size=16)
        server.call("GET", "/api/v1/trials/reports", job_id=job_id, trial_number=100)
        if job_id == "job-2":
            _every_page(server, job_id)
        server.trials(job_id)
        server.job(job_id)
        server.reset(job_id)
    trials = [server.ask(f"job-{number}") for number in range(4)]
    server.gather([("POST", "/report", trial.result()) for trial in trials for _ in range(3)])
    server.call("GET", "/api/v1/jobs")
    server.call("GET", "/")
    server.call("GET", "/fleet")
    assert server.call("GET", "/fleet/chart").json()["data"]
    server.call("GET", "/metrics")
    server.register(job_id=None)
    server.register(job_id=None, max_epochs=11)
    server.delete("job-1")
    server.register(job_id="job-1")


def _every_page(server: Server, job_id: str) -> None:
    server.call("GET", "/api/v1/savings", job_id=job_id)
    server.call("GET", "/api/v1/savings/history", job_id=job_id)
    for url in ("/job", "/job?state=failed&size=16", "/job?before=100&state=stopped", "/job/trial?number=100"):
        server.call("GET", url, job_id=job_id)
    for name in ("cost", "belief", "plane", "curves", "savings"):
        server.call("GET", "/job/chart", job_id=job_id, name=name, span="all")


def _grow(connection: Connection) -> None:
    """Give every job a long history of ended trials, with reports."""
    columns = {column.name: 0 for column in trial.columns}
    then = datetime(2026, 1, 1, tzinfo=timezone.utc)
    stamps = dict.fromkeys(("started_at", "last_report_at", "last_seen_at", "lease_expires_at", "ended_at"), then)
    texts = {"message": "", "instance": None, "reason": None, "energy_source": None, "outcome": "converged"}
    kinds = {"type": "MAB", "status": "Succeeded", "round": None, "heartbeat_s": None, "generation": 1}
    trials = [
        columns
        | stamps
        | texts
        | kinds
        | {"uncapped": False, "reported": True, "start_reported": True, "target_reached": True}
        | {"job_id": "job-0", "trial_number": n, "batch_size": [8, 16, 32, 64][n % 4], "run_id": f"run-{n}"}
        | {"decision": n, "cost": 100.0 + n, "reward": -100.0 - n, "energy": 100.0 + n, "current_epoch": 2}
        for n in range(1, TRIALS + 1)
    ]
    report = {"time": 1.0, "energy": 1.0, "metric": 0.5, "reported_at": then, "job_id": "job-0"}
    reports = [report | {"trial_number": n, "epoch": epoch} for n in range(1, TRIALS + 1) for epoch in (1, 2)]
    for table, rows in ((trial, trials), (trial_report, reports)):
        connection.execute(insert(table), rows)
        values = [job.c.job_id if column.name == "job_id" else column for column in table.columns]
        others = select(*values).where(table.c.job_id == "job-0", job.c.job_id != table.c.job_id)
        connection.execute(insert(table).from_select([column.name for column in table.columns], others))
    connection.execute(
        text("UPDATE job SET last_trial_number = :n, last_decision = :n, min_cost = 101.0"), {"n": TRIALS}
    )
    if connection.dialect.name == "mysql":
        connection.exec_driver_sql("ANALYZE TABLE trial, trial_report, batch_size_state, job").fetchall()
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ANALYZE")


@contextmanager
def _statements() -> Iterator[list[Statement]]:
    """Collect every statement that is run."""
    seen: dict[Statement, Statement] = {}

    def note(
        connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        found = Statement(statement, _asker(), parameters[0] if executemany else parameters)
        seen[found] = found

    collected: list[Statement] = []
    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield collected
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        collected += seen.values()


def _asker() -> str:
    """The method of the product that runs a statement; empty: a test does."""
    frame: FrameType | None = sys._getframe(2)  # beyond the listener
    while frame is not None:
        package = frame.f_globals["__name__"].partition(".")[0]
        if package in ("zeus_bso", "tests"):
            asker = f"{type(frame.f_locals.get('self')).__name__}.{frame.f_code.co_name}"
            return asker if package == "zeus_bso" else ""
        frame = frame.f_back
    return ""


def _is_guarded(statement: Statement) -> bool:
    words = statement.text.replace("\n", " ").replace(",", " ").split()
    if words[0] not in ("SELECT", "UPDATE", "DELETE") or not set(words).intersection(GUARDED):
        return False
    return bool(statement.asker) and statement.asker not in OF_MANY_JOBS


def _scans(connection: Connection, statements: Sequence[Statement]) -> dict[Statement, Plan]:
    """The statements that read a whole table or index, or all trials of a job without need, with their plans."""
    judge = {"sqlite": _sqlite_scans, "mysql": _mysql_scans, "postgresql": _postgresql_scans}[connection.dialect.name]
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    found = {statement: judge(connection, statement) for statement in statements}
    return {statement: plan for statement, plan in found.items() if plan}


def _may_read_by_job(statement: Statement) -> bool:
    return statement.asker in OF_A_WHOLE_JOB | ENOUGH_ON_THE_WAY


def _sqlite_scans(connection: Connection, statement: Statement) -> Plan:
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement.text}", statement.parameters).mappings()
    plan = [row["detail"] for row in rows]
    by_job = () if _may_read_by_job(statement) else ("(job_id=?)",)
    scans = [step for step in plan if step.startswith("SCAN") or step.endswith(by_job)]
    if _may_read_by_job(statement):
        scans = [
            step for step in scans if step not in ("SCAN ranked", "SCAN (subquery-3)")
        ]  # rows that a step before has found by an index
    return [step for step in scans if not step.startswith("SEARCH job ")]  # which has no longer key


def _mysql_scans(connection: Connection, statement: Statement) -> Plan:
    rows = connection.exec_driver_sql(f"EXPLAIN {statement.text}", statement.parameters).mappings()
    length_of_job_id = 255 * 4 + 2
    by_job = 0 if _may_read_by_job(statement) else length_of_job_id
    # A row without a table says that there is nothing to read; an intersection names the length of each index.
    return [
        f"{row['type']} of {row['table']} by {row['key']}"
        for row in rows
        if row["table"]
        and row["table"] != "job"  # which has no longer key
        and not (row["table"].startswith("<derived") and _may_read_by_job(statement))  # found by an index before
        and (row["type"] in ("ALL", "index") or max(map(int, (row["key_len"] or "0").split(","))) <= by_job)
    ]


def _postgresql_scans(connection: Connection, statement: Statement) -> Plan:
    answer = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement.text}", statement.parameters).scalar_one()
    (explained,) = json.loads(answer) if isinstance(answer, str) else answer
    return list(_postgresql_steps(explained["Plan"], by_job=_may_read_by_job(statement)))


def _postgresql_steps(node: dict[str, Any], *, by_job: bool) -> Iterator[str]:
    # Every index begins with the job; without it a condition is only tried at each entry of the index.
    condition = node.get("Index Cond", "")
    enough = "job_id" in condition and (by_job or " AND " in condition)
    index = node.get("Index Name", "job_pkey")  # which has no longer key
    if node["Node Type"] == "Seq Scan" or (index != "job_pkey" and not enough):
        yield f"{node['Node Type']} {index} {condition}"
    for child in node.get("Plans", ()):
        yield from _postgresql_steps(child, by_job=by_job)
