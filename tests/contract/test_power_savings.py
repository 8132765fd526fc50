"""What power limits have saved, and what the views tell of them, on every database.

The job counts energy alone. By the profile, a unit of work needs ``FULL`` times as much energy at full power as at the
best limit, and ``PACE`` times as much time.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.jobs import Json
from tests.support.power import BEGUN, BEST_W, COMPLETE, point
from tests.support.server import Server

pytestmark = ANY_DATABASE

PACE = point(BEST_W)["rate"] / point(300.0)["rate"]
FULL = 300.0 / BEST_W * PACE
LIMITED: Json = {"power_limit": BEST_W, "power_profile": COMPLETE}


@pytest.fixture
def optimizing(server: Server) -> Server:
    """A server with a job that looks for the best power limits."""
    server.register(power_limit="optimize")
    return server


def savings(server: Server, path: str = "/api/v1/savings", **params: Any) -> Json:
    response = server.call("GET", path, **params)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


def test_a_job_saves_by_limits_though_all_its_runs_have_the_default_size(optimizing: Server) -> None:
    optimizing.converge(optimizing.ask(), 100.0, time=10.0, **LIMITED)
    energy, time = (savings(optimizing, job_id="job")[name] for name in ("energy", "time"))

    assert energy["saved"] == energy["by_limits"] == pytest.approx(100.0 * FULL - 100.0)
    assert (energy["by_sizes"], energy["per_default_run"]) == (0.0, pytest.approx(100.0 * FULL))
    assert energy["fraction"] == pytest.approx(1 - 1 / FULL)
    assert time["by_limits"] == pytest.approx(10.0 * PACE - 10.0)


def test_sizes_and_limits_share_the_saving(optimizing: Server) -> None:
    optimizing.converge(optimizing.ask(), 100.0)
    optimizing.converge(optimizing.ask(), 60.0, **LIMITED)
    found = savings(optimizing, job_id="job")

    for name in ("energy", "cost"):
        assert found[name]["saved"] == pytest.approx(100.0 - 60.0)
        assert found[name]["by_sizes"] == pytest.approx(100.0 - 60.0 * FULL)
        assert found[name]["by_limits"] == pytest.approx(60.0 * FULL - 60.0)
    assert ", 15.6 J of it by power limits, against batch size 16" in found["message"]


def test_measuring_is_charged_to_the_limits_also_on_a_discarded_path(optimizing: Server) -> None:
    optimizing.converge(optimizing.ask(), 100.0)
    optimizing.converge(optimizing.ask(), 60.0, **LIMITED, profiling_energy=9.0, profiling_time=-0.5)
    energy = savings(optimizing, job_id="job")["energy"]

    assert energy["saved"] == pytest.approx(100.0 - 60.0 - 9.0)
    assert energy["by_sizes"] == pytest.approx(100.0 - 60.0 * FULL)
    assert (energy["spent"], energy["lost"]) == (pytest.approx(169.0), pytest.approx(9.0))


def test_a_limit_about_which_nothing_is_known_is_not_judged(server: Server) -> None:
    server.register(power_limit=200)
    server.converge(server.ask(), 100.0)
    server.converge(server.ask(), 60.0, power_limit=200.0)
    energy = savings(server, job_id="job")["energy"]

    assert (energy["saved"], energy["by_sizes"], energy["by_limits"]) == (40.0, 40.0, 0.0)


@EVERY_DATABASE
def test_over_time_and_over_all_jobs_the_figures_are_the_same(optimizing: Server) -> None:
    optimizing.converge(optimizing.ask(), 100.0, **LIMITED, profiling_energy=3.0)
    optimizing.converge(optimizing.ask(), 60.0, power_limit=200.0, power_profile=COMPLETE)
    optimizing.miss(optimizing.ask(), 30.0)
    of_job, fleet = savings(optimizing, job_id="job"), savings(optimizing, "/api/v1/savings/fleet")
    points = optimizing.call("GET", "/api/v1/savings/history", job_id="job").json()

    assert points[-1]["energy_kwh"] == pytest.approx(of_job["energy_kwh"])
    assert fleet["energy"]["by_limits"] == pytest.approx(of_job["energy"]["by_limits"])
    assert fleet["spent_energy"] == pytest.approx(of_job["energy"]["spent"]) == 193.0


@EVERY_DATABASE
def test_a_job_shows_its_limit_and_its_profiles(optimizing: Server) -> None:
    assert (optimizing.job()["chosen_power_limit"], optimizing.job()["power_profiles"]) == (None, [])
    optimizing.converge(optimizing.ask(), 100.0, **LIMITED)
    other = optimizing.ask()
    optimizing.report(other, power_profile=BEGUN)
    job = optimizing.job()

    assert (job["chosen_batch_size"], job["chosen_power_limit"]) == (16, BEST_W)
    assert job["power_profiles"] == sorted(
        [
            COMPLETE | {"batch_size": 16, "best_limit": BEST_W, "finished": True},
            BEGUN | {"batch_size": other.batch_size, "best_limit": BEGUN["points"][-1]["limit"], "finished": False},
        ],
        key=lambda profile: profile["batch_size"],
    )
    (listed,) = optimizing.call("GET", "/api/v1/jobs").json()
    assert listed["chosen_power_limit"] == BEST_W


@pytest.mark.parametrize(("limit", "chosen"), [("off", None), (250, 250.0)])
def test_the_limit_of_a_job_that_does_not_look_for_the_best(
    optimizing: Server, limit: str | int, chosen: float | None
) -> None:
    optimizing.converge(optimizing.ask(), **LIMITED)
    optimizing.change(power_limit=limit)

    assert optimizing.job()["chosen_power_limit"] == chosen
    assert [profile["best_limit"] for profile in optimizing.job()["power_profiles"]] == [BEST_W]


def test_a_goal_that_changes_changes_the_best_limit(optimizing: Server) -> None:
    optimizing.converge(optimizing.ask(), **LIMITED)
    optimizing.change(max_slowdown=1.0)

    assert optimizing.job()["chosen_power_limit"] == 300.0


@EVERY_DATABASE
def test_a_trial_shows_its_limit_and_what_measuring_took(optimizing: Server) -> None:
    trial = optimizing.ask()
    optimizing.report(trial, **LIMITED, profiling_time=1.5, profiling_energy=-2.5)
    view = optimizing.trial(trial)

    assert (view["power_limit"], view["profiling_time"], view["profiling_energy"]) == (BEST_W, 1.5, -2.5)
