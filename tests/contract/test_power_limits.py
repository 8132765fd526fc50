"""What the server keeps of power limits, and what it tells of them."""

from __future__ import annotations

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.jobs import Json, Trial
from tests.support.power import BEGUN, BEST_W, COMPLETE, point, profile
from tests.support.server import Server

pytestmark = ANY_DATABASE

OFF: Json = {"power_limit": "off", "power_goal": None, "max_slowdown": None}
OPTIMIZE: Json = {"power_limit": "optimize", "power_goal": "energy", "max_slowdown": None}


@pytest.fixture
def optimizing(server: Server) -> Server:
    """A server with a job that looks for the best power limits."""
    server.register(**OPTIMIZE)
    return server


def offered(server: Server, batch_size: int) -> Json | None:
    """The profile that comes with the offer of a batch size."""
    for _ in range(30):
        offer = server.offer()
        if offer["batch_size"] == batch_size:
            found: Json | None = offer["power_profile"]
            return found
    raise AssertionError(f"{batch_size} was not offered")


def settings_of(server: Server) -> Json:
    return {name: server.job()["spec"][name] for name in OFF}


class TestSettings:
    def test_a_reference_client_leaves_the_limits_alone(self, server: Server) -> None:
        assert {name: server.register()[name] for name in OFF} == OFF
        assert settings_of(server) == OFF

    @EVERY_DATABASE
    @pytest.mark.parametrize("limit", ["off", "optimize", 250.1])
    def test_they_come_back(self, server: Server, limit: str | float) -> None:
        given = {"power_limit": limit, "power_goal": "cost", "max_slowdown": 1.05}
        registered = server.register(**given)

        assert {name: registered[name] for name in OFF} == settings_of(server) == given

    def test_they_can_be_changed_and_a_reference_client_does_not_change_them_back(self, server: Server) -> None:
        server.register()
        server.change(power_limit=250, power_goal="energy", max_slowdown=1.1)
        server.change(power_limit="optimize")
        server.register()

        assert settings_of(server) == {"power_limit": "optimize", "power_goal": "energy", "max_slowdown": 1.1}
        server.change(**OFF)
        assert settings_of(server) == OFF

    def test_a_registration_without_an_id_changes_them_and_says_so(self, server: Server) -> None:
        job_id = server.register(job_id=None)["job_id"]
        answer = server.register(job_id=None, power_limit="optimize")

        assert answer["job_id"] == job_id
        assert answer["message"].endswith("updated: power_limit from 'off' to 'optimize'.")

    def test_with_an_id_another_limit_is_a_conflict(self, server: Server) -> None:
        server.register()
        answer = server.call("POST", "/jobs", server.register() | {"power_limit": 250.0})

        assert answer.status_code == 409
        assert "power_limit is 'off', but 250.0 was sent" in answer.json()["message"]

    @pytest.mark.parametrize("limit", ["fast", -1, 0, True, None, 2e6, [250]])
    def test_any_other_limit_is_refused_in_one_sentence(self, server: Server, limit: object) -> None:
        server.register()
        answer = server.call("PATCH", "/api/v1/jobs", {"power_limit": limit}, job_id="job")

        assert answer.status_code == 422
        assert answer.json() == {"message": 'power_limit: must be "off", "optimize" or a number of watts up to 1e6'}

    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [
            ("power_goal", "speed", "power_goal: Input should be 'cost' or 'energy'"),
            ("max_slowdown", 0.9, "max_slowdown: Input should be greater than or equal to 1"),
        ],
    )
    def test_other_settings_name_their_field(self, server: Server, name: str, value: object, sentence: str) -> None:
        server.register()
        answer = server.call("PATCH", "/api/v1/jobs", {name: value}, job_id="job")

        assert (answer.status_code, answer.json()["message"]) == (422, sentence)


@EVERY_DATABASE
class TestProfiles:
    def test_a_profile_comes_with_the_next_offer_of_its_size_alone(self, optimizing: Server) -> None:
        first = optimizing.offer()
        assert first["power_profile"] is None
        optimizing.converge(Trial.of(first), power_profile=COMPLETE, power_limit=BEST_W)

        other = optimizing.offer()
        assert (other["batch_size"] == first["batch_size"], other["power_profile"]) == (False, None)
        assert offered(optimizing, first["batch_size"]) == COMPLETE

    @ANY_DATABASE
    def test_a_heartbeat_brings_one_too(self, optimizing: Server) -> None:
        trial = optimizing.ask()
        assert optimizing.beat(trial, power_profile=BEGUN)["power_profile"] is None

        assert offered(optimizing, trial.batch_size) == BEGUN

    @ANY_DATABASE
    def test_the_run_itself_gets_it_again(self, optimizing: Server) -> None:
        trial = Trial.of(optimizing.offer(run_id="run"))
        optimizing.beat(trial, power_profile=BEGUN)

        resumed = optimizing.offer(run_id="run")
        assert (resumed["resumed"], resumed["power_profile"]) == (True, BEGUN)

    @ANY_DATABASE
    def test_a_job_that_leaves_the_limits_alone_is_told_nothing(self, optimizing: Server) -> None:
        optimizing.converge(optimizing.ask(), power_profile=COMPLETE)
        optimizing.change(power_limit=200)
        assert offered(optimizing, 16) is None
        optimizing.change(power_limit="optimize")
        assert offered(optimizing, 16) == COMPLETE

    def test_a_profile_that_has_just_begun_does_not_replace_a_complete_one(self, optimizing: Server) -> None:
        trial = optimizing.ask()
        optimizing.report(trial, power_profile=COMPLETE)
        optimizing.report(trial, power_profile=BEGUN, current_epoch=2)
        optimizing.beat(trial, power_profile=profile())

        assert offered(optimizing, trial.batch_size) == COMPLETE

    def test_two_that_have_both_begun_are_joined(self, optimizing: Server) -> None:
        one, other = optimizing.ask(), optimizing.ask()
        assert one.batch_size == other.batch_size
        optimizing.report(one, power_profile=profile(point(300.0), point(250.0)))
        optimizing.report(other, power_profile=profile(point(200.0), point(250.0, 2)))

        joined = profile(point(300.0), point(250.0, 2), point(200.0))
        assert offered(optimizing, one.batch_size) == joined

    @ANY_DATABASE
    @pytest.mark.parametrize("current_epoch", [0, 1])
    def test_a_report_that_decides_nothing_any_more_may_still_bring_one(
        self, optimizing: Server, current_epoch: int
    ) -> None:
        trial = optimizing.ask()
        optimizing.report(trial, power_profile=BEGUN)
        optimizing.report(trial, power_profile=COMPLETE, current_epoch=current_epoch)

        assert offered(optimizing, trial.batch_size) == COMPLETE

    @ANY_DATABASE
    @pytest.mark.parametrize("by", ["report", "beat"])
    def test_so_may_a_message_after_the_decision(self, optimizing: Server, by: str) -> None:
        trial = optimizing.ask()
        optimizing.converge(trial)
        getattr(optimizing, by)(trial, power_profile=COMPLETE)

        assert offered(optimizing, trial.batch_size) == COMPLETE

    @ANY_DATABASE
    def test_one_by_other_energy_readings_is_not_kept(self, optimizing: Server) -> None:
        trial, foreign = optimizing.ask(), optimizing.ask()
        optimizing.report(trial, energy_source="counter")
        optimizing.report(foreign, energy_source="power", power_profile=COMPLETE)
        optimizing.beat(foreign, power_profile=COMPLETE)
        assert offered(optimizing, foreign.batch_size) is None

        optimizing.report(trial, current_epoch=2, power_profile=COMPLETE)
        assert offered(optimizing, trial.batch_size) == COMPLETE

    @ANY_DATABASE
    def test_one_by_a_run_that_was_measured_in_part_is_not_kept(self, optimizing: Server) -> None:
        trial = optimizing.ask()
        optimizing.report(trial, energy_source="partial", power_profile=COMPLETE)

        assert offered(optimizing, trial.batch_size) is None

    def test_profiles_outlive_what_else_was_learnt_but_not_the_job(self, optimizing: Server) -> None:
        optimizing.converge(optimizing.ask(), power_profile=COMPLETE)
        optimizing.reset()
        assert offered(optimizing, 16) == COMPLETE
        optimizing.delete()
        optimizing.register(**OPTIMIZE)

        assert offered(optimizing, 16) is None
        assert optimizing.sql("SELECT * FROM power_profile") == optimizing.sql("SELECT * FROM power_point") == []

    @ANY_DATABASE
    @pytest.mark.parametrize(
        ("broken", "sentence"),
        [
            (profile(point(300.0), point(300.0)), "each limit may occur only once in points"),
            (profile(point(400.0)), "the limit 400 lies outside lowest to highest"),
            (profile(*(point(200.0 + n) for n in range(65))), "at most 64 items"),
            (profile(point(300.0) | {"rate": 0}), "greater than"),
        ],
    )
    def test_a_broken_profile_is_refused_in_a_sentence(self, optimizing: Server, broken: Json, sentence: str) -> None:
        trial = optimizing.ask()
        answer = optimizing.call("POST", "/report", trial.result(power_profile=broken))

        assert answer.status_code == 422
        assert answer.json()["message"].startswith("power_profile")
        assert sentence in answer.json()["message"]


@EVERY_DATABASE
class TestTrials:
    def test_a_trial_keeps_its_limit_and_what_measuring_has_cost(self, optimizing: Server) -> None:
        trial = optimizing.ask()
        optimizing.report(trial, power_limit=200.0, profiling_time=3.5, profiling_energy=-20.5)
        (row,) = optimizing.sql("SELECT power_limit, profiling_time, profiling_energy, time, energy FROM trial")
        assert tuple(row.values()) == (200.0, 3.5, -20.5, 10.0, 100.0)
        optimizing.converge(trial, current_epoch=2, power_limit=BEST_W, profiling_time=4.5, profiling_energy=-30.5)

        (row,) = optimizing.sql("SELECT power_limit, profiling_time, profiling_energy FROM trial")
        assert tuple(row.values()) == (BEST_W, 4.5, -30.5)

    @ANY_DATABASE
    def test_measuring_enters_no_cost_and_no_bound(self, optimizing: Server) -> None:
        optimizing.converge(optimizing.ask(), 100.0, profiling_energy=1e6, profiling_time=1e6)
        trial = optimizing.ask()
        answer = optimizing.report(trial, energy=150.0, profiling_energy=1e6, profiling_time=1e6)

        assert not answer["stop_train"]
        assert optimizing.job()["min_cost"] == 100.0

    @pytest.mark.parametrize("checkpoint", [None, (6.0, 60.0, 0.5, -5.0)])
    def test_what_measuring_has_cost_on_a_discarded_path_stays_counted(
        self, optimizing: Server, checkpoint: tuple[float, ...] | None
    ) -> None:
        trial = Trial.of(optimizing.offer(run_id="run", instance="one"))
        told = {"profiling_time": 2.0, "profiling_energy": -20.0, "power_profile": BEGUN, "current_epoch": 2}
        optimizing.report(trial, instance="one", **told)
        optimizing.end(trial, "preempted", instance="one")
        names = ("time", "energy", "profiling_time", "profiling_energy")
        start = dict(zip(names, checkpoint or (0.0,) * 4, strict=True))
        begun: Json = {"checkpoint": start | {"current_epoch": 1}} if checkpoint else {}
        resumed = optimizing.offer(run_id="run", instance="two", **begun)

        assert resumed["power_profile"] == BEGUN
        (row,) = optimizing.sql("SELECT * FROM trial")
        for name, total in (("time", 10.0 + 2.0), ("energy", 100.0 - 20.0)):
            assert row[f"profiling_{name}"] == start[f"profiling_{name}"]
            assert row[name] + row[f"profiling_{name}"] + row[f"wasted_{name}"] == total
