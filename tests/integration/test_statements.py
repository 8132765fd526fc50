"""How often a request goes to the database: what has changed is written once, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Delete, Engine, Executable, Insert, Select, Table, Update, event
from tests.support.jobs import Trial
from tests.support.power import BEGUN, COMPLETE
from tests.support.server import Server

from zeus_bso.server.services.service import ZeusService

Written = tuple[str, str, tuple[object, ...]]
"""What was written: INSERT, UPDATE or DELETE; the table; the key within the job."""


class Seen:
    """What requests have asked the database.

    Attributes:
        reads: Tables, or several joined, that were read, in order.
        writes: Rows that were written, in order.
    """

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.writes: list[Written] = []

    def note(
        self,
        connection: Connection,
        statement: Executable,
        multiparams: Sequence[Mapping[str, Any]],
        params: Mapping[str, Any],
        execution_options: Mapping[str, Any],
    ) -> None:
        if isinstance(statement, Select):
            self.reads.append(", ".join(str(getattr(found, "name", found)) for found in statement.columns_clause_froms))
        elif isinstance(statement, Insert | Update | Delete):
            assert isinstance(statement.table, Table)
            kind, table = type(statement).__name__.upper(), statement.table.name
            self.writes += [(kind, table, _key(table, row)) for row in multiparams or [params]]

    def again(self) -> dict[Written, int]:
        """Rows that were written more than once, however."""
        counts = Counter((table, key) for _, table, key in self.writes)
        return {written: counts[written[1:]] for written in self.writes if counts[written[1:]] > 1}


def _key(table: str, row: Mapping[str, Any]) -> tuple[object, ...]:
    number = row.get("number", row.get("trial_number"))
    names = {
        "job": (),
        "batch_size_state": (row.get("size", row.get("batch_size")),),
        "trial": (number,),
        "trial_report": (number, row.get("epoch")),
        "power_profile": (row.get("size", row.get("batch_size")),),
        "power_point": (row.get("batch_size"), row.get("power_limit")),
    }
    return names[table]


@contextmanager
def watched() -> Iterator[Seen]:
    """See what is asked of any database meanwhile."""
    seen = Seen()
    event.listen(Engine, "before_execute", seen.note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_execute", seen.note)


@pytest.fixture(params=["zeus", "surrogate"])
def trial(request: pytest.FixtureRequest, own_server: Server) -> Trial:
    """An open trial of a job that has converged before."""
    own_server.register(policy=request.param)
    own_server.converge(own_server.ask())
    return own_server.ask()


def test_a_report_that_goes_on_reads_two_rows_and_writes_two(own_server: Server, trial: Trial) -> None:
    own_server.report(trial, current_epoch=2)
    with watched() as seen:
        own_server.report(trial, current_epoch=4, time=10.5, energy=110.0)

    number = trial.trial_number
    assert seen.reads[:1] == ["job, trial"]
    assert len(seen.reads) == 1 or "batch_size_state" in seen.reads[1], "or those that its curve is compared with"
    assert seen.writes == [("UPDATE", "trial", (number,)), ("INSERT", "trial_report", (number, 4))]


def test_a_report_that_is_known_writes_the_lease_alone(own_server: Server, trial: Trial) -> None:
    own_server.report(trial)
    with watched() as seen:
        own_server.report(trial)

    assert seen.reads == ["job, trial"]
    assert seen.writes == [("UPDATE", "trial", (trial.trial_number,))]


def test_a_report_of_a_trial_that_was_decided_writes_nothing(own_server: Server, trial: Trial) -> None:
    own_server.converge(trial)
    with watched() as seen:
        own_server.report(trial, metric=1.0)

    assert (seen.reads, seen.writes) == (["job, trial"], [])


@pytest.mark.parametrize("metric", [1.0, 0.1], ids=["converges", "misses"])
@pytest.mark.parametrize("before", [None, "error", "expired"])
def test_a_report_that_decides_writes_each_row_once(
    own_server: Server, trial: Trial, metric: float, before: str | None
) -> None:
    """Also where it reopens the trial first."""
    own_server.report(trial)
    if before == "error":
        own_server.end(trial, "error")
    elif before == "expired":
        own_server.time_passes(30 * 86_400)
        own_server.ask()
    with watched() as seen:
        answer = own_server.report(trial, metric=metric, current_epoch=10)

    assert answer["stop_train"]
    assert seen.again() == {}
    assert {(kind, table) for kind, table, _ in seen.writes} >= {
        ("UPDATE", "job"),
        ("UPDATE", "trial"),
        ("INSERT", "trial_report"),
        ("UPDATE", "batch_size_state"),
    }
    assert seen.reads[0] == "job, trial"


def test_an_exploration_that_fills_its_place_after_all_writes_each_row_once(own_server: Server) -> None:
    """Its place was handed out again: the other one becomes Concurrent by the same report."""
    own_server.register()
    first = own_server.ask()
    own_server.end(first, "preempted")
    second = own_server.ask()
    own_server.report(first)
    with watched() as seen:
        own_server.converge(first, current_epoch=2)

    assert seen.again() == {}
    assert [key for _, table, key in seen.writes if table == "trial"] == [(second.trial_number,), (first.trial_number,)]


@pytest.mark.parametrize("explore", [True, False])
def test_an_ask_writes_each_row_once_however_many_leases_have_ended(
    own_server: Server, trial: Trial, explore: bool
) -> None:
    for _ in range(3):
        own_server.offer(heartbeat_s=30)
    own_server.time_passes(30 * 86_400)
    with watched() as seen:
        own_server.offer(explore=explore)

    assert seen.again() == {}
    assert sum(kind == "UPDATE" and table == "trial" for kind, table, _ in seen.writes) == 4
    assert sum(kind == "INSERT" and table == "trial" for kind, table, _ in seen.writes) == 1


def test_a_process_that_takes_a_trial_over_writes_each_row_once(own_server: Server, trial: Trial) -> None:
    offered = own_server.offer(run_id="run", instance="one")
    mine = Trial.of(offered)
    own_server.report(mine, instance="one")
    own_server.end(mine, "preempted", instance="one")
    with watched() as seen:
        assert own_server.offer(run_id="run", instance="two")["resumed"]

    assert seen.again() == {}
    assert [written[:2] for written in seen.writes] == [("UPDATE", "trial"), ("DELETE", "trial_report")]


@pytest.mark.parametrize("reason", ["error", "oom"])
def test_an_end_writes_each_row_once(own_server: Server, trial: Trial, reason: str) -> None:
    with watched() as seen:
        own_server.end(trial, reason)

    assert seen.again() == {}
    assert [table for _, table, _ in seen.writes].count("trial") == 1


def test_a_heartbeat_that_reopens_writes_each_row_once(own_server: Server, trial: Trial) -> None:
    own_server.end(trial, "error")
    with watched() as seen:
        own_server.beat(trial, time=20.0, energy=200.0)

    assert seen.again() == {}
    assert [table for _, table, _ in seen.writes].count("trial") == 1


def test_a_profile_is_written_when_it_has_changed(own_server: Server, trial: Trial) -> None:
    own_server.report(trial, power_profile=BEGUN)
    with watched() as again:
        own_server.report(trial, power_profile=BEGUN)
    with watched() as more:
        own_server.beat(trial, power_profile=COMPLETE)

    assert again.reads == ["job, trial", "power_point, power_profile"]
    assert again.writes == [("UPDATE", "trial", (trial.trial_number,))]
    size = trial.batch_size
    assert more.again().keys() == {("DELETE", "power_profile", (size,)), ("INSERT", "power_profile", (size,))}
    assert [written[:2] for written in more.writes if written[1] != "power_point"] == [
        ("UPDATE", "trial"),
        ("DELETE", "power_profile"),
        ("INSERT", "power_profile"),
        ("UPDATE", "job"),
    ]


@pytest.mark.parametrize(("limit", "reads"), [("off", 0), (250.0, 0), ("optimize", 1)])
def test_an_ask_reads_a_profile_only_where_the_best_limit_is_looked_for(
    own_server: Server, trial: Trial, limit: object, reads: int
) -> None:
    own_server.change(power_limit=limit)
    with watched() as seen:
        own_server.offer()

    assert sum("power_profile" in tables for tables in seen.reads) == reads


def test_a_report_enters_the_service_twice(own_server: Server, trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[str] = []
    inside: list[str] = []

    def counted(name: str, method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not inside:
                entered.append(name)
            inside.append(name)
            try:
                return method(*args, **kwargs)
            finally:
                inside.pop()

        return call

    for name, method in list(vars(ZeusService).items()):
        if not name.startswith("_"):
            monkeypatch.setattr(ZeusService, name, counted(name, method))
    own_server.converge(trial)

    assert entered == ["lock", "save"]
