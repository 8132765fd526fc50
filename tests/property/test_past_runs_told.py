"""Whatever past runs a job is told of, it answers, stores them as a whole or not at all, and goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.jobs import Json
from tests.support.server import Server

TOTALS = st.one_of(st.none(), st.sampled_from([0.0, 5e-324, 1e-300, 1.0, 1e15]), st.floats(0, 1e15))
METRICS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.9, 1e308, -1e308]))
EPOCHS = st.one_of(st.none(), st.integers(1, 12), st.integers(1, 2**31 - 1))
RUNS = st.fixed_dictionaries(
    {"run_id": st.integers(0, 30).map(str), "batch_size": st.sampled_from([8, 16, 32, 64])},
    optional={
        "epochs": EPOCHS,
        "time": TOTALS,
        "energy": TOTALS,
        "reached": st.sampled_from([True, False, None]),
        "metric": METRICS,
        "curve": st.lists(st.tuples(st.integers(1, 20), METRICS), max_size=4, unique_by=lambda point: point[0]).map(
            lambda points: sorted(points, key=lambda point: point[0])
        ),
    },
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path / "jobs.db")
    found.start()
    yield found
    found.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    told=st.lists(st.lists(RUNS, min_size=1, max_size=6), min_size=1, max_size=4),
    policy=st.sampled_from(["surrogate", "surrogate", "zeus"]),
    eta=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_any_past_runs_are_taken_or_refused_and_the_job_goes_on(
    server: Server, told: list[list[Json]], policy: str, eta: float
) -> None:
    server.wipe()
    server.register(policy=policy, eta_knob=0.3)
    known = 0
    for runs in told:
        body = {"job_id": "job", "source": "csv", "runs": runs}
        answer = server.call("POST", "/api/v1/observations", body)
        assert answer.status_code in (200, 422), answer.text
        known += answer.json().get("added", 0)
    server.change(eta_knob=eta)
    job = server.job()

    assert sum(job["past_runs"].values()) == known
    json.dumps(job, allow_nan=False)
    server.converge(server.ask())
    exported = server.call("GET", "/api/v1/jobs/export", job_id="job").content
    imported = server.send("POST", "/api/v1/jobs/import", exported, params={"as": "copy"})
    assert imported.status_code == 201, imported.text
