"""What the API says that was saved, on every database."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.jobs import Json, Trial
from tests.support.server import Server

pytestmark = ANY_DATABASE


def savings(server: Server, job_id: str = "job") -> Json:
    response = server.call("GET", "/api/v1/savings", job_id=job_id)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


def fleet(server: Server) -> Json:
    response = server.call("GET", "/api/v1/savings/fleet")
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


def history(server: Server, job_id: str = "job") -> list[Json]:
    response = server.call("GET", "/api/v1/savings/history", job_id=job_id)
    assert response.status_code == 200, response.text
    found: list[Json] = response.json()
    return found


def default_then_smaller(server: Server, job_id: str = "job", **result: Any) -> None:
    """Two runs: the default size uses 100 J and 10 s, the next size 60 J and 10 s."""
    server.register(job_id=job_id)
    first = server.ask(job_id)
    assert first.batch_size == 16
    server.converge(first, energy=100.0, **result)
    second = server.ask(job_id)
    assert second.batch_size == 8
    server.converge(second, energy=60.0, **result)


def test_a_job_without_a_converged_default_run_has_no_figure_yet(server: Server) -> None:
    server.register()
    server.report(server.ask())

    found = savings(server)

    assert (found["energy"], found["time"], found["cost"], found["energy_kwh"]) == (None, None, None, None)
    assert found["message"] == "Not enough data yet: no run with the default batch size 16 has converged."
    assert history(server) == []


def test_one_converged_default_run_is_enough_for_a_figure(server: Server) -> None:
    default_then_smaller(server)

    found = savings(server)

    assert found["energy"]["saved"] == pytest.approx(40.0)
    assert found["energy"]["low"] < 40.0 < found["energy"]["high"]
    assert found["energy_kwh"]["saved"] == pytest.approx(40.0 / 3.6e6)
    assert found["cost"]["saved"] == pytest.approx(40.0)
    assert found["time"]["saved"] == 0.0
    assert (found["baseline_batch_size"], found["baseline_runs"]) == (16, 1)
    assert f"baseline: 1 run, last on {found['baseline_last_at'][:10]}." in found["message"]


@EVERY_DATABASE
def test_stopped_failed_and_discarded_work_counts_against_the_saving(server: Server) -> None:
    default_then_smaller(server)
    server.miss(server.ask(), energy=30.0)
    failed = server.ask()
    server.report(failed, energy=20.0)
    server.end(failed, "error")
    server.offer(run_id="again", instance="one")
    taken = server.offer(run_id="again", instance="one")
    server.beat(Trial.of(taken), energy=7.0, time=3.0)
    server.offer(run_id="again", instance="two")
    server.end(Trial.of(taken), "cancelled")

    found = savings(server)

    assert found["energy"]["saved"] == pytest.approx(40.0 - 30.0 - 20.0 - 7.0)
    assert found["energy"]["lost"] == pytest.approx(57.0)
    assert found["time"]["lost"] == pytest.approx(10.0 + 10.0 + 3.0)
    assert found["runs"] == {"converged": 2, "unconverged": 1, "failed": 2, "left_out": 0}


def test_runs_that_go_on_are_not_judged_yet(server: Server) -> None:
    default_then_smaller(server)
    before = savings(server)

    server.report(server.ask(), energy=50.0)

    assert savings(server) == before


@EVERY_DATABASE
def test_energy_from_another_source_is_not_compared(server: Server) -> None:
    default_then_smaller(server, energy_source="counter")

    server.converge(server.ask(), energy=1.0, energy_source="estimate")

    found = savings(server)
    assert found["energy"]["saved"] == pytest.approx(40.0)
    assert found["runs"]["left_out"] == 1
    assert (found["energy_source"], found["estimated"]) == ("counter", False)


def test_estimated_energy_is_called_so(server: Server) -> None:
    default_then_smaller(server, energy_source="estimate")

    assert savings(server)["estimated"]
    assert "(estimated)" in savings(server)["message"]
    assert "(estimated)" in fleet(server)["message"]


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (["oom"] * 5, "All ran out of memory. Offer smaller batch sizes"),
        (["error"] * 5, "All crashed. Look at the log of the training script."),
        ([None] * 5, "All missed the target. Lower target_metric, or raise max_epochs."),
        (["oom", "oom", "error", None, None], "2 out of memory, 2 missed the target, 1 crashed. Check target_metric"),
    ],
)
def test_the_advice_of_an_alarm_follows_how_the_runs_ended(
    server: Server, reasons: list[str | None], said: str
) -> None:
    server.register()
    for reason in reasons:
        trial = server.ask()
        server.end(trial, reason) if reason else server.miss(trial)
    (summary,) = server.call("GET", "/api/v1/jobs").json()

    assert said in savings(server)["alarm"]
    assert summary["savings"]["alarm"] == savings(server)["alarm"]


@EVERY_DATABASE
def test_five_ended_runs_without_one_that_converged_raise_an_alarm(server: Server) -> None:
    server.register(max_epochs=10)
    server.converge(server.ask())
    for _ in range(4):
        server.end(server.ask(), "cancelled")
    assert savings(server)["alarm"] is None

    server.end(server.ask(), "cancelled")
    assert savings(server)["alarm"].startswith("None of the last 5 runs converged")
    assert fleet(server)["alarmed_jobs"] == 1

    server.converge(server.ask())
    assert savings(server)["alarm"] is None


@EVERY_DATABASE
def test_the_saving_over_time_ends_at_todays(server: Server) -> None:
    default_then_smaller(server)
    server.miss(server.ask(), energy=30.0)

    points, today = history(server), savings(server)

    assert [point["trial_number"] for point in points] == [1, 2, 3]
    assert [point["energy_kwh"]["saved"] * 3.6e6 for point in points] == pytest.approx([0.0, 40.0, 10.0])
    assert points[-1]["energy_kwh"] == pytest.approx(today["energy_kwh"])


@EVERY_DATABASE
def test_the_fleet_adds_up_the_jobs_that_can_be_compared(server: Server) -> None:
    default_then_smaller(server, "one")
    default_then_smaller(server, "two")
    server.register(job_id="three")
    server.end(server.ask("three"))

    found = fleet(server)

    assert found["energy"]["saved"] == pytest.approx(80.0)
    assert found["spent_energy"] == pytest.approx(320.0)
    assert (found["jobs"], found["compared_jobs"], found["alarmed_jobs"]) == (3, 2, 0)
    assert found["runs"]["converged"] == 4


def test_a_fleet_without_jobs_has_no_figure(server: Server) -> None:
    found = fleet(server)

    assert (found["energy"], found["jobs"]) == (None, 0)
    assert found["message"].startswith("Not enough data yet")


@pytest.mark.parametrize("path", ["/api/v1/savings", "/api/v1/savings/history"])
def test_savings_of_an_unknown_job_are_not_found(server: Server, path: str) -> None:
    assert server.call("GET", path, job_id="nobody").status_code == 404


def test_money_and_emissions_are_told_where_their_rates_are_set(own_server: Server) -> None:
    default_then_smaller(own_server)
    assert (savings(own_server)["money"], savings(own_server)["co2e_kg"]) == (None, None)

    own_server.restart(electricity_price=0.36, currency="EUR", carbon_intensity=360.0)

    found = savings(own_server)
    assert found["money"]["saved"] == pytest.approx(40.0 / 3.6e6 * 0.36)
    assert found["co2e_kg"]["saved"] == pytest.approx(40.0 / 3.6e6 * 0.36)
    assert found["currency"] == "EUR"
