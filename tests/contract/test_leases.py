"""Leases, the processes that hold them, and checkpoints with which a process comes back.

Costs are energies here: every job has ``eta_knob`` 1 unless a test says otherwise.
"""

from __future__ import annotations

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.job_lives import HOUR, LEASE, retired, run, types
from tests.support.jobs import Json, Trial
from tests.support.refusals import assert_refused
from tests.support.server import Server

pytestmark = [pytest.mark.usefixtures("registered"), ANY_DATABASE]


class TestLeases:
    def test_without_heartbeats_a_lease_is_six_hours(self, server: Server) -> None:
        assert server.offer()["lease_s"] == LEASE

    @pytest.mark.parametrize(("heartbeat_s", "lease_s"), [(1, 300), (30, 300), (31, 310), (600, 6000)])
    def test_with_heartbeats_it_is_ten_beats_but_five_minutes_at_least(
        self, server: Server, heartbeat_s: float, lease_s: float
    ) -> None:
        assert server.offer(heartbeat_s=heartbeat_s)["lease_s"] == lease_s

    def test_without_heartbeats_it_is_ten_epochs_if_that_is_more(self, server: Server) -> None:
        server.report(server.ask(), current_epoch=2, time=2 * 5000.0)

        assert server.offer()["lease_s"] == pytest.approx(10 * 5000.0)
        assert server.offer(heartbeat_s=30)["lease_s"] == 300

    def test_heartbeats_between_two_reports_do_not_make_an_epoch_shorter(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        server.beat(trial, time=9990.0)
        server.report(trial, current_epoch=1, time=10_000.0)
        server.beat(trial, time=19_990.0)
        server.report(trial, current_epoch=2, time=20_000.0)

        assert server.offer()["lease_s"] == pytest.approx(10 * 10_000.0, rel=0.25)

    @EVERY_DATABASE
    def test_a_lease_that_has_ended_expires_in_the_next_ask(self, server: Server) -> None:
        trial = server.ask()
        server.time_passes(LEASE + 1)
        assert server.sql("SELECT status FROM trial") == [{"status": "Dispatched"}]
        again = server.ask()

        assert (server.trial(trial)["status"], server.trial(trial)["reason"]) == ("Failed", "expired")
        assert again.batch_size == trial.batch_size
        assert types(server)[again.trial_number] == "Exploration"

    @EVERY_DATABASE
    def test_a_lease_that_has_not_ended_holds(self, server: Server) -> None:
        trial = server.ask()
        server.time_passes(LEASE - 60)
        server.ask()

        assert server.trial(trial)["status"] == "Dispatched"

    def test_a_report_renews_the_lease(self, server: Server) -> None:
        trial = server.ask()
        server.time_passes(LEASE - 60)
        server.report(trial)
        server.time_passes(LEASE - 60)
        server.ask()

        assert server.trial(trial)["status"] == "Dispatched"

    def test_a_report_of_an_older_epoch_renews_the_lease_too(self, server: Server) -> None:
        """A reference client that was launched again under its run id trains its first epochs once more."""
        trial = server.ask(run_id="r")
        server.report(trial, current_epoch=9)
        for epoch in range(1, 9):
            server.time_passes(2 * HOUR)
            server.report(trial, current_epoch=epoch)
        server.ask()

        assert server.trial(trial)["status"] == "Dispatched"

    @EVERY_DATABASE
    def test_a_heartbeat_renews_the_lease_and_keeps_the_totals(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        for beat in range(1, 4):
            server.time_passes(290)
            server.beat(trial, time=290.0 * beat, energy=10.0 * beat, current_epoch=0)
        server.ask()

        assert server.trial(trial)["status"] == "Dispatched"
        assert (server.trial(trial)["time"], server.trial(trial)["energy"]) == (870.0, 30.0)

    def test_without_its_heartbeats_the_trial_expires_after_five_minutes(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        server.time_passes(301)
        server.ask()

        assert server.trial(trial)["reason"] == "expired"

    def test_heartbeats_alone_keep_a_trial_for_six_hours_only(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        for _ in range(6 * 12 - 1):
            server.time_passes(300)
            server.beat(trial)
        server.ask()
        assert server.trial(trial)["status"] == "Dispatched"

        for _ in range(2):
            server.time_passes(200)
            server.beat(trial)
        server.ask()

        assert server.trial(trial)["reason"] == "expired"

    @EVERY_DATABASE
    def test_a_report_lets_heartbeats_keep_the_trial_for_six_hours_more(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        server.time_passes(5 * HOUR)
        server.beat(trial)
        server.report(trial)
        server.time_passes(5 * HOUR)
        server.beat(trial)
        server.ask()

        assert server.trial(trial)["status"] == "Dispatched"

    @EVERY_DATABASE
    def test_where_epochs_are_long_heartbeats_keep_a_trial_for_ten_of_them(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        server.report(trial, time=HOUR)
        server.time_passes(9.5 * HOUR)
        server.beat(trial)
        server.ask()
        assert server.trial(trial)["status"] == "Dispatched"

        server.time_passes(HOUR)
        server.beat(trial)
        server.ask()

        assert server.trial(trial)["reason"] == "expired"

    @EVERY_DATABASE
    def test_a_heartbeat_reopens_an_expired_trial(self, server: Server) -> None:
        trial = Trial.of(server.offer(heartbeat_s=30))
        server.time_passes(400)
        server.ask()
        server.beat(trial)

        assert (server.trial(trial)["status"], server.trial(trial)["reason"]) == ("Dispatched", None)

    @pytest.mark.parametrize("reason", ["cancelled", "error"])
    def test_a_heartbeat_reopens_a_trial_that_was_given_up(self, server: Server, reason: str) -> None:
        trial = server.ask()
        server.end(trial, reason)
        server.beat(trial)

        assert server.trial(trial)["status"] == "Dispatched"

    def test_a_heartbeat_does_not_bring_back_what_ran_out_of_memory(self, server: Server) -> None:
        trial = server.ask()
        server.end(trial, "oom")
        server.beat(trial)

        assert server.trial(trial)["reason"] == "oom"

    def test_a_heartbeat_changes_nothing_about_a_decided_trial(self, server: Server) -> None:
        trial = run(server)
        before = server.trial(trial)
        server.beat(trial, time=1e6, energy=1e6, current_epoch=9)

        assert server.trial(trial) == before

    def test_no_lost_client_can_block_a_job(self, server: Server) -> None:
        """Every second client vanishes, and still the job gets through Pruning into the bandit."""
        for _ in range(8):
            server.ask()
            server.time_passes(LEASE + 60)
            run(server)

        assert server.job()["stage"] == "MAB"
        assert server.job()["min_cost"] == 100.0


class TestInstances:
    @EVERY_DATABASE
    def test_an_ask_while_the_other_process_still_beats_is_409(self, server: Server) -> None:
        server.offer(run_id="r", instance="a", heartbeat_s=30)
        response = server.call(
            "POST", "/api/v1/trials", {"job_id": "job", "run_id": "r", "instance": "b", "heartbeat_s": 30}
        )

        assert_refused(response, 409)
        assert 0 < int(response.headers["Retry-After"]) <= 76
        assert len(server.trials()) == 1

    def test_the_same_process_asks_again_and_gets_its_trial(self, server: Server) -> None:
        first = server.offer(run_id="r", instance="a", heartbeat_s=30)

        assert Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30)) == Trial.of(first)

    @EVERY_DATABASE
    def test_a_process_that_has_fallen_silent_is_superseded(self, server: Server) -> None:
        first = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.time_passes(90)

        assert Trial.of(server.offer(run_id="r", instance="b", heartbeat_s=30)) == first

    def test_a_heartbeat_keeps_others_away(self, server: Server) -> None:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.time_passes(70)
        server.beat(trial, instance="a")
        server.time_passes(30)
        response = server.call("POST", "/api/v1/trials", {"job_id": "job", "run_id": "r", "instance": "b"})

        assert_refused(response, 409)

    def superseded(self, server: Server) -> Trial:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.report(trial, instance="a")
        server.time_passes(90)
        server.offer(run_id="r", instance="b", heartbeat_s=30)
        return trial

    @EVERY_DATABASE
    def test_reports_of_a_superseded_process_are_409_and_leave_no_trace(self, server: Server) -> None:
        trial = self.superseded(server)
        before = server.trial(trial)
        response = server.call("POST", "/report", trial.result(instance="a", metric=1.0, current_epoch=5))

        assert_refused(response, 409)
        assert server.trial(trial) == before

    def test_a_superseded_process_neither_beats_nor_ends_the_trial(self, server: Server) -> None:
        trial = self.superseded(server)

        assert_refused(server.call("POST", "/api/v1/trials/heartbeat", trial.body | {"instance": "a"}), 409)
        assert_refused(server.call("PATCH", "/trials", trial.body | {"instance": "a"}), 409)
        assert server.trial(trial)["status"] == "Dispatched"

    def test_the_new_process_reports(self, server: Server) -> None:
        trial = self.superseded(server)

        assert server.converge(trial, instance="b")["converged"]

    def test_reports_without_an_instance_are_taken(self, server: Server) -> None:
        trial = self.superseded(server)

        assert server.converge(trial)["converged"]

    def test_a_process_that_ended_the_trial_leaves_it_to_the_next_at_once(self, server: Server) -> None:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.end(trial, "preempted", instance="a")

        assert Trial.of(server.offer(run_id="r", instance="b", heartbeat_s=30)) == trial

    def test_a_crash_that_comes_back_three_times_retires_the_size(self, server: Server) -> None:
        """Each process dies before its first report; a launcher starts the next under the same run id."""
        given = []
        for attempt in range(5):
            given.append(server.offer(run_id="r", instance=f"i{attempt}", heartbeat_s=30)["batch_size"])
            server.time_passes(90)

        assert given == [16, 16, 16, 8, 8]
        assert set(retired(server)) == {16}


class TestCheckpoints:
    def restarted(self, server: Server, checkpoint: Json | None) -> tuple[Trial, Json]:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        for epoch in (1, 2, 3, 4):
            server.report(trial, current_epoch=epoch, time=10.0 * epoch, energy=20.0 * epoch, instance="a")
        server.beat(trial, time=45.0, energy=90.0, instance="a")
        server.time_passes(90)
        return trial, server.offer(run_id="r", instance="b", heartbeat_s=30, checkpoint=checkpoint)

    @EVERY_DATABASE
    def test_a_restart_begins_at_the_checkpoint(self, server: Server) -> None:
        trial, offer = self.restarted(server, {"time": 20.0, "energy": 40.0, "current_epoch": 2})

        assert (offer["time"], offer["energy"], offer["current_epoch"]) == (20.0, 40.0, 2)
        assert Trial.of(offer) == trial
        assert server.trial(trial)["wasted_time"] == 25.0
        assert server.trial(trial)["wasted_energy"] == 50.0

    def test_a_restart_without_a_checkpoint_begins_at_zero(self, server: Server) -> None:
        trial, offer = self.restarted(server, None)

        assert (offer["time"], offer["energy"], offer["current_epoch"]) == (0.0, 0.0, 0)
        assert (server.trial(trial)["wasted_time"], server.trial(trial)["wasted_energy"]) == (45.0, 90.0)

    @EVERY_DATABASE
    def test_epochs_after_the_checkpoint_are_trained_and_judged_again(self, server: Server) -> None:
        trial, _ = self.restarted(server, {"time": 20.0, "energy": 40.0, "current_epoch": 2})
        answer = server.report(trial, current_epoch=3, time=31.0, energy=61.0, metric=0.95, instance="b")

        assert answer["converged"]
        assert server.trial(trial)["cost"] == 61.0
        assert server.job()["min_cost"] == 61.0

    def test_epochs_before_the_checkpoint_were_decided(self, server: Server) -> None:
        trial, _ = self.restarted(server, {"time": 20.0, "energy": 40.0, "current_epoch": 2})

        assert not server.report(trial, current_epoch=2, metric=0.95, instance="b")["stop_train"]

    def test_discarded_work_does_not_bring_the_bound_nearer(self, server: Server) -> None:
        server.converge(server.ask(), 50.0)
        trial, _ = self.restarted(server, None)

        assert not server.report(trial, current_epoch=1, time=10.0, energy=95.0, instance="b")["stop_train"]

    @EVERY_DATABASE
    def test_waste_adds_up_over_restarts(self, server: Server) -> None:
        trial, _ = self.restarted(server, {"time": 20.0, "energy": 40.0, "current_epoch": 2})
        server.report(trial, current_epoch=3, time=30.0, energy=60.0, instance="b")
        server.time_passes(90)
        server.offer(
            run_id="r", instance="c", heartbeat_s=30, checkpoint={"time": 20.0, "energy": 40.0, "current_epoch": 2}
        )

        assert server.trial(trial)["wasted_energy"] == 70.0

    def test_discarded_work_that_a_checkpoint_brings_back_is_no_longer_wasted(self, server: Server) -> None:
        trial, _ = self.restarted(server, None)
        server.report(trial, current_epoch=2, time=20.0, energy=40.0, instance="b")
        server.time_passes(90)
        older = {"time": 40.0, "energy": 80.0, "current_epoch": 4}
        offer = server.offer(run_id="r", instance="c", heartbeat_s=30, checkpoint=older)

        assert (offer["time"], offer["energy"], offer["current_epoch"]) == (40.0, 80.0, 4)
        assert (server.trial(trial)["wasted_time"], server.trial(trial)["wasted_energy"]) == (25.0, 50.0)

    def test_a_checkpoint_beyond_what_was_reported_discards_nothing(self, server: Server) -> None:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.report(trial, current_epoch=1, time=10.0, energy=20.0, instance="a")
        server.time_passes(90)
        checkpoint = {"time": 30.0, "energy": 60.0, "current_epoch": 3}
        offer = server.offer(run_id="r", instance="b", heartbeat_s=30, checkpoint=checkpoint)

        assert (offer["energy"], server.trial(trial)["wasted_energy"]) == (60.0, 0.0)

    def test_the_same_process_asking_again_discards_nothing(self, server: Server) -> None:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.report(trial, current_epoch=4, instance="a")
        offer = server.offer(run_id="r", instance="a", heartbeat_s=30)

        assert offer["current_epoch"] == 4
        assert server.trial(trial)["wasted_energy"] == 0.0

    def test_a_preempted_run_goes_on_from_its_checkpoint(self, server: Server) -> None:
        trial = Trial.of(server.offer(run_id="r", instance="a", heartbeat_s=30))
        server.report(trial, current_epoch=4, time=40.0, energy=80.0, instance="a")
        server.end(trial, "preempted", instance="a")
        checkpoint = {"time": 40.0, "energy": 80.0, "current_epoch": 4}
        offer = server.offer(run_id="r", instance="b", heartbeat_s=30, checkpoint=checkpoint)

        assert (offer["current_epoch"], offer["energy"]) == (4, 80.0)
        assert server.trial(trial)["wasted_energy"] == 0.0
        assert server.converge(trial, 90.0, current_epoch=5, instance="b")["converged"]
