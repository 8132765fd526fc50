"""The five calls of the wire protocol: every code, and what an answer holds.

What is wrong with a request stands in ``test_validation.py``.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.jobs import SPEC, Json, Trial, spec
from tests.support.refusals import assert_refused, message_of
from tests.support.server import Server

pytestmark = ANY_DATABASE

IDENTITY_CHANGES: Json = {
    "job_id_prefix": "other",
    "batch_sizes": [8, 16, 32],
    "default_batch_size": 32,
    "target_metric": 0.8,
    "higher_is_better_metric": False,
    "gpu_model": "H100",
    "number_of_gpus": 2,
}
SETTINGS_CHANGES: Json = {
    "eta_knob": 0.25,
    "beta_knob": 3.0,
    "max_epochs": 11,
    "num_pruning_rounds": 3,
    "window_size": 5,
    "mab_prior_mean": -1.0,
    "mab_prior_precision": 0.5,
    "mab_num_explorations": 4,
    "mab_seed": 2,
}
CHANGES = IDENTITY_CHANGES | SETTINGS_CHANGES


@pytest.fixture
def trial(server: Server) -> Trial:
    """An open trial of a registered job."""
    server.register()
    return server.ask()


class TestRegister:
    @EVERY_DATABASE
    def test_a_new_job_is_201_and_gets_its_spec_back(self, server: Server) -> None:
        response = server.call("POST", "/jobs", SPEC)

        assert response.status_code == 201
        assert {name: response.json()[name] for name in SPEC} == SPEC

    def test_an_identical_job_is_200_and_gets_the_same_body(self, server: Server) -> None:
        first = server.call("POST", "/jobs", SPEC)
        second = server.call("POST", "/jobs", SPEC)

        assert second.status_code == 200
        assert second.json() == first.json()

    def test_fields_left_out_have_the_defaults_of_the_reference(self, server: Server) -> None:
        needed = ("job_id_prefix", "batch_sizes", "default_batch_size", "max_power", "number_of_gpus", "gpu_model")
        response = server.call("POST", "/jobs", {name: SPEC[name] for name in needed})

        assert response.status_code == 201
        defaults = {
            "eta_knob": 0.5,
            "beta_knob": 2.0,
            "target_metric": 0.5,
            "higher_is_better_metric": True,
            "max_epochs": 100,
            "num_pruning_rounds": 2,
            "window_size": 0,
            "mab_prior_mean": 0,
            "mab_prior_precision": 0,
            "mab_num_explorations": 2,
            "mab_seed": None,
        }
        assert {name: response.json()[name] for name in defaults} == defaults

    @EVERY_DATABASE
    def test_beta_and_seed_may_be_null(self, server: Server) -> None:
        response = server.call("POST", "/jobs", spec(beta_knob=None, mab_seed=None))

        assert response.status_code == 201
        assert response.json()["beta_knob"] is None
        assert response.json()["mab_seed"] is None

    def test_the_order_of_the_sizes_makes_no_difference(self, server: Server) -> None:
        server.register()

        assert server.call("POST", "/jobs", spec(batch_sizes=[64, 8, 32, 16])).status_code == 200

    @pytest.mark.parametrize("field", CHANGES)
    def test_another_spec_under_the_same_id_is_409_naming_the_field_with_both_values(
        self, server: Server, field: str
    ) -> None:
        server.register()
        response = server.call("POST", "/jobs", spec(**{field: CHANGES[field]}))

        assert_refused(response, 409, field, str(SPEC[field]), str(CHANGES[field]))

    def test_a_conflict_names_every_field_that_differs_and_no_other(self, server: Server) -> None:
        server.register()
        message = message_of(server.call("POST", "/jobs", spec(max_epochs=99, gpu_model="H100", beta_knob=None)))

        assert {name for name in CHANGES if re.search(rf"\b{name}\b", message)} == {
            "max_epochs",
            "gpu_model",
            "beta_knob",
        }
        assert "None" in message or "null" in message

    @EVERY_DATABASE
    def test_a_conflict_changes_nothing(self, server: Server) -> None:
        server.register()
        before = server.job()
        server.call("POST", "/jobs", spec(max_epochs=99))

        assert server.job() == before

    def test_another_max_power_is_only_warned_about(self, server: Server) -> None:
        server.register(max_power=300.0)
        response = server.call("POST", "/jobs", spec(max_power=250.0))

        assert response.status_code == 200
        assert response.json()["max_power"] == 300.0
        assert "max_power" in response.json()["message"]

    @EVERY_DATABASE
    def test_ids_compare_case_sensitively(self, server: Server) -> None:
        server.register(job_id="Job")

        assert server.call("POST", "/jobs", spec(job_id="job", gpu_model="H100")).status_code == 201

    @EVERY_DATABASE
    def test_an_id_may_hold_anything_readable(self, server: Server) -> None:
        for job_id in ("a/b/c", "jöb-☃", "a b", "100%", "a?b=c&d#e", "'; DROP TABLE job; --", "x" * 255):
            server.register(job_id=job_id)

            assert server.ask(job_id).job_id == job_id
            assert server.job(job_id)["job_id"] == job_id

    @EVERY_DATABASE
    def test_a_float_survives_the_round_trip_through_the_database(self, server: Server) -> None:
        floats = {"eta_knob": 1 / 3, "beta_knob": 1.0000000000000002, "max_power": 123456.7890123456}
        floats |= {"mab_prior_mean": -1e30, "mab_prior_precision": 1e30}
        for number, target in enumerate((0.1 + 0.2, -1.2345678901234567e29, 5e-324)):
            told = spec(job_id=f"job-{number}", **floats, target_metric=target)
            assert server.call("POST", "/jobs", told).status_code == 201

            assert server.job(f"job-{number}")["spec"].items() >= (floats | {"target_metric": target}).items()
            assert server.call("POST", "/jobs", told).status_code == 200


class TestDerivedIds:
    def test_no_id_gives_one_of_prefix_and_eight_hex_digits(self, server: Server) -> None:
        assert re.fullmatch(r"unit-[0-9a-f]{8}", server.register(job_id=None)["job_id"])

    @EVERY_DATABASE
    def test_the_same_script_twice_is_the_same_job(self, server: Server) -> None:
        first = server.call("POST", "/jobs", spec(job_id=None))
        second = server.call("POST", "/jobs", spec(job_id=None))

        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json()["job_id"] == first.json()["job_id"]

    def test_the_id_does_not_depend_on_the_server(self, server: Server) -> None:
        before = server.register(job_id=None)["job_id"]
        server.delete(before)

        assert server.register(job_id=None)["job_id"] == before

    def test_the_order_of_the_sizes_makes_no_difference(self, server: Server) -> None:
        first = server.register(job_id=None)

        assert server.register(job_id=None, batch_sizes=[64, 8, 32, 16])["job_id"] == first["job_id"]

    def test_a_whole_number_is_the_same_as_an_integer(self, server: Server) -> None:
        first = server.register(job_id=None, target_metric=1)

        assert server.register(job_id=None, target_metric=1.0)["job_id"] == first["job_id"]

    @pytest.mark.parametrize("field", IDENTITY_CHANGES)
    def test_another_identity_is_another_job(self, server: Server, field: str) -> None:
        first = server.register(job_id=None)
        response = server.call("POST", "/jobs", spec(job_id=None, **{field: IDENTITY_CHANGES[field]}))

        assert response.status_code == 201
        assert response.json()["job_id"] != first["job_id"]

    @EVERY_DATABASE
    def test_all_settings_may_change_at_once(self, server: Server) -> None:
        first = server.register(job_id=None)

        assert server.register(job_id=None, **SETTINGS_CHANGES)["job_id"] == first["job_id"]
        assert server.job(first["job_id"])["spec"].items() >= SETTINGS_CHANGES.items()

    @pytest.mark.parametrize("field", SETTINGS_CHANGES)
    def test_changed_settings_update_the_job_and_say_so(self, server: Server, field: str) -> None:
        first = server.register(job_id=None)
        response = server.call("POST", "/jobs", spec(job_id=None, **{field: SETTINGS_CHANGES[field]}))

        assert response.status_code == 200
        assert response.json()["job_id"] == first["job_id"]
        assert response.json()[field] == SETTINGS_CHANGES[field]
        assert field in response.json()["message"]
        assert server.job(first["job_id"])["spec"][field] == SETTINGS_CHANGES[field]

    def test_unchanged_settings_say_nothing(self, server: Server) -> None:
        server.register(job_id=None)

        assert server.register(job_id=None)["message"] is None

    @EVERY_DATABASE
    def test_an_id_taken_by_another_identity_gets_four_more_digits(self, server: Server) -> None:
        eight = server.register(job_id=None)["job_id"]
        server.delete(eight)
        server.register(job_id=eight, gpu_model="H100")
        response = server.call("POST", "/jobs", spec(job_id=None))

        assert response.status_code == 201
        assert re.fullmatch(rf"{eight}[0-9a-f]{{4}}", response.json()["job_id"])
        assert server.call("POST", "/jobs", spec(job_id=None)).json()["job_id"] == response.json()["job_id"]

    @EVERY_DATABASE
    def test_a_long_prefix_still_gives_an_id_that_can_be_asked_with(self, server: Server) -> None:
        job_id = server.register(job_id=None, job_id_prefix="p" * 255)["job_id"]

        assert len(job_id) <= 255
        assert server.ask(job_id).job_id == job_id

    @EVERY_DATABASE
    def test_long_prefixes_that_differ_at_the_end_are_different_jobs(self, server: Server) -> None:
        first = server.register(job_id=None, job_id_prefix="p" * 254 + "a")["job_id"]

        assert server.register(job_id=None, job_id_prefix="p" * 254 + "b")["job_id"] != first


@EVERY_DATABASE
class TestAsk:
    @ANY_DATABASE
    def test_an_ask_is_answered_with_a_trial_id_and_nothing_else(self, server: Server) -> None:
        server.register()
        response = server.call("GET", "/jobs/batch_size", job_id="job")

        assert response.status_code == 200
        assert response.json() == {"job_id": "job", "batch_size": 16, "trial_number": 1}

    @ANY_DATABASE
    def test_an_unknown_job_is_400(self, server: Server) -> None:
        assert_refused(server.call("GET", "/jobs/batch_size", job_id="nobody"), 400, "nobody")

    @ANY_DATABASE
    def test_two_asks_are_two_trials(self, server: Server) -> None:
        server.register()

        assert [server.ask().trial_number, server.ask().trial_number] == [1, 2]

    def test_two_asks_with_one_run_id_are_one_trial(self, server: Server) -> None:
        server.register()

        assert server.ask(run_id="night-1") == server.ask(run_id="night-1")

    @ANY_DATABASE
    def test_two_run_ids_are_two_trials(self, server: Server) -> None:
        server.register()

        assert server.ask(run_id="night-1").trial_number != server.ask(run_id="night-2").trial_number

    def test_run_ids_of_two_jobs_have_nothing_to_do_with_each_other(self, server: Server) -> None:
        server.register()
        server.register(job_id="other")

        assert server.ask("job", run_id="r").job_id == "job"
        assert server.ask("other", run_id="r").job_id == "other"

    def test_our_ask_adds_lease_and_totals(self, server: Server) -> None:
        server.register()
        offer = server.offer(run_id="r", heartbeat_s=30, instance="i")

        assert (offer["batch_size"], offer["trial_number"], offer["resumed"]) == (16, 1, False)
        assert (offer["lease_s"], offer["time"], offer["energy"], offer["current_epoch"]) == (300, 0, 0, 0)


class TestReport:
    def test_a_report_that_decides_nothing_says_go_on(self, server: Server, trial: Trial) -> None:
        answer = server.report(trial)

        assert (answer["stop_train"], answer["converged"]) == (False, False)
        assert isinstance(answer["message"], str)

    def test_the_target_is_reached_at_the_target_itself(self, server: Server, trial: Trial) -> None:
        answer = server.report(trial, metric=0.9)

        assert (answer["stop_train"], answer["converged"]) == (True, True)
        assert (answer["outcome"], answer["target_reached"]) == ("converged", True)

    def test_a_metric_just_short_of_the_target_has_not_reached_it(self, server: Server, trial: Trial) -> None:
        assert not server.report(trial, metric=0.8999999999)["converged"]

    def test_a_loss_converges_downward(self, server: Server) -> None:
        server.register(job_id="loss", higher_is_better_metric=False, target_metric=0.1)
        trial = server.ask("loss")

        assert not server.report(trial, metric=0.11)["stop_train"]
        assert server.report(trial, metric=0.1, current_epoch=2)["converged"]

    def test_max_epochs_over_without_the_target_is_target_missed(self, server: Server, trial: Trial) -> None:
        assert not server.report(trial, current_epoch=9)["stop_train"]
        answer = server.report(trial, current_epoch=10)

        assert (answer["stop_train"], answer["converged"]) == (True, False)
        assert (answer["outcome"], answer["target_reached"]) == ("target-missed", False)

    def test_the_target_reached_in_the_last_epoch_has_converged(self, server: Server, trial: Trial) -> None:
        assert server.report(trial, metric=0.95, current_epoch=10)["outcome"] == "converged"

    def test_a_cost_over_the_bound_stops(self, server: Server, trial: Trial) -> None:
        server.converge(trial, energy=100.0)
        answer = server.report(server.ask(), energy=200.1)

        assert (answer["stop_train"], answer["converged"], answer["outcome"]) == (True, False, "cost-bound")

    def test_a_cost_at_the_bound_goes_on(self, server: Server, trial: Trial) -> None:
        server.converge(trial, energy=100.0)

        assert not server.report(server.ask(), energy=200.0)["stop_train"]

    def test_over_the_bound_is_not_converged_even_if_the_target_was_reached(self, server: Server, trial: Trial) -> None:
        server.converge(trial, energy=100.0)
        answer = server.report(server.ask(), energy=201.0, metric=0.95)

        assert (answer["stop_train"], answer["converged"]) == (True, False)
        assert (answer["outcome"], answer["target_reached"]) == ("cost-bound", True)

    def test_the_bound_weighs_energy_and_time(self, server: Server) -> None:
        server.register(job_id="half", eta_knob=0.5, max_power=100.0)
        server.converge(server.ask("half"), energy=1000.0, time=10.0)

        assert server.job("half")["min_cost"] == 0.5 * 1000 + 0.5 * 100 * 10
        assert not server.report(server.ask("half"), energy=1000.0, time=30.0)["stop_train"]
        assert server.report(server.ask("half"), energy=1000.0, time=30.1)["outcome"] == "cost-bound"

    def test_a_beta_of_null_is_no_bound(self, server: Server) -> None:
        server.register(job_id="free", beta_knob=None)
        server.converge(server.ask("free"), energy=1.0)

        assert not server.report(server.ask("free"), energy=1e15)["stop_train"]

    @EVERY_DATABASE
    def test_three_metrics_in_a_row_that_are_not_finite_are_diverged(self, server: Server, trial: Trial) -> None:
        assert not server.report(trial, metric=None, current_epoch=1)["stop_train"]
        assert not server.report(trial, metric=None, current_epoch=2)["stop_train"]
        answer = server.report(trial, metric=None, current_epoch=3)

        assert (answer["stop_train"], answer["converged"], answer["outcome"]) == (True, False, "diverged")

    def test_a_finite_metric_between_breaks_the_row(self, server: Server, trial: Trial) -> None:
        for epoch, metric in enumerate([None, None, 0.5, None, None], start=1):
            assert not server.report(trial, metric=metric, current_epoch=epoch)["stop_train"]

    def test_a_repeated_epoch_does_not_lengthen_the_row(self, server: Server, trial: Trial) -> None:
        for epoch in (1, 1, 1, 2, 2):
            assert not server.report(trial, metric=None, current_epoch=epoch)["stop_train"]

    def test_a_final_report_without_the_target_has_missed_it(self, server: Server, trial: Trial) -> None:
        answer = server.report(trial, final=True)

        assert (answer["stop_train"], answer["outcome"]) == (True, "target-missed")

    def test_a_final_report_with_the_target_has_converged(self, server: Server, trial: Trial) -> None:
        assert server.report(trial, final=True, metric=0.95)["outcome"] == "converged"

    @EVERY_DATABASE
    def test_a_final_report_of_an_epoch_already_reported_ends_the_trial(self, server: Server, trial: Trial) -> None:
        server.report(trial, current_epoch=3)

        assert server.report(trial, current_epoch=3, final=True)["outcome"] == "target-missed"

    def test_a_report_for_an_unknown_job_is_400(self, server: Server, trial: Trial) -> None:
        response = server.call("POST", "/report", trial.result(job_id="nobody"))

        assert_refused(response, 400, "nobody")

    @pytest.mark.parametrize("wrong", [{"trial_number": 2}, {"batch_size": 8}, {"batch_size": 7}])
    def test_a_report_for_an_unknown_trial_is_400(self, server: Server, trial: Trial, wrong: Json) -> None:
        assert_refused(server.call("POST", "/report", trial.result(**wrong)), 400, "trial")

    @EVERY_DATABASE
    def test_totals_that_fall_are_clamped(self, server: Server, trial: Trial) -> None:
        server.report(trial, current_epoch=1, time=10.0, energy=100.0)
        server.report(trial, current_epoch=2, time=9.0, energy=50.0)
        view = server.trial(trial)

        assert (view["current_epoch"], view["time"], view["energy"]) == (2, 10.0, 100.0)

    def test_a_clamped_total_is_what_the_cost_is_made_of(self, server: Server, trial: Trial) -> None:
        server.report(trial, current_epoch=1, energy=100.0)
        server.converge(trial, current_epoch=2, energy=50.0)

        assert server.job()["min_cost"] == 100.0

    def test_a_run_that_converged_at_no_cost_is_422(self, server: Server, trial: Trial) -> None:
        response = server.call("POST", "/report", trial.result(energy=0.0, metric=1.0))

        assert_refused(response, 422, "energy")

    @EVERY_DATABASE
    def test_a_refused_result_leaves_no_trace(self, server: Server, trial: Trial) -> None:
        before, job = server.trial(trial), server.job()
        server.call("POST", "/report", trial.result(energy=0.0, metric=1.0))

        assert server.trial(trial) == before
        assert server.job() == job
        assert server.sql("SELECT * FROM trial_report") == []

    def test_after_a_refused_result_the_true_one_counts(self, server: Server, trial: Trial) -> None:
        server.call("POST", "/report", trial.result(energy=0.0, metric=1.0))

        assert server.converge(trial, energy=70.0)["outcome"] == "converged"
        assert server.job()["min_cost"] == 70.0

    @pytest.mark.parametrize("totals", [{"energy": 0.0, "time": 0.0}, {"energy": 1e-300, "time": 0.0}])
    def test_only_a_cost_of_exactly_zero_is_refused(self, server: Server, trial: Trial, totals: Json) -> None:
        response = server.call("POST", "/report", trial.result(metric=1.0, **totals))

        assert response.status_code == (200 if totals["energy"] else 422)

    def test_no_energy_is_fine_for_a_run_that_has_not_converged(self, server: Server, trial: Trial) -> None:
        assert not server.report(trial, energy=0.0, time=0.0)["stop_train"]


@EVERY_DATABASE
class TestFirstReportOfAnEpochDecides:
    def test_four_ranks_with_different_metrics_get_one_answer(self, server: Server, trial: Trial) -> None:
        answers = [server.report(trial, metric=metric) for metric in (0.5, 0.95, None, 0.1)]

        assert all(answer == answers[0] for answer in answers)
        assert not answers[0]["stop_train"]

    @ANY_DATABASE
    def test_four_ranks_are_told_together_that_the_run_has_converged(self, server: Server, trial: Trial) -> None:
        answers = [server.report(trial, metric=metric) for metric in (0.95, 0.5, None, 0.1)]

        assert [(a["stop_train"], a["converged"], a["outcome"]) for a in answers] == [(True, True, "converged")] * 4

    @ANY_DATABASE
    def test_four_ranks_are_told_together_that_the_run_has_failed(self, server: Server, trial: Trial) -> None:
        ranks = [(0.1, 10), (0.95, 10), (0.95, 10), (None, 10)]
        answers = [server.report(trial, metric=metric, current_epoch=epoch) for metric, epoch in ranks]

        assert [(a["stop_train"], a["converged"], a["outcome"]) for a in answers] == [
            (True, False, "target-missed")
        ] * 4

    def test_four_ranks_at_the_same_moment_get_one_answer(self, server: Server, trial: Trial) -> None:
        ranks = [("POST", "/report", trial.result(metric=metric)) for metric in (0.95, 0.5, 0.1, 0.2)]
        answers = [response.json() for response in server.gather(ranks)]

        assert len({(a["stop_train"], a["converged"], a["outcome"], a["target_reached"]) for a in answers}) == 1

    def test_the_stored_trial_shows_the_first_report(self, server: Server, trial: Trial) -> None:
        server.report(trial, metric=0.5, energy=100.0, time=10.0)
        server.report(trial, metric=0.8, energy=120.0, time=12.0)
        view = server.trial(trial)

        assert (view["metric"], view["energy"], view["time"]) == (0.5, 100.0, 10.0)
        assert [row["metric"] for row in server.sql("SELECT metric FROM trial_report")] == [0.5]

    def test_an_older_epoch_gets_the_stored_answer_and_is_not_stored(self, server: Server, trial: Trial) -> None:
        answer = server.report(trial, current_epoch=5, metric=0.5)

        assert server.report(trial, current_epoch=4, metric=0.95) == answer
        assert (server.trial(trial)["current_epoch"], server.trial(trial)["metric"]) == (5, 0.5)

    @ANY_DATABASE
    def test_the_cost_is_that_of_the_first_report(self, server: Server, trial: Trial) -> None:
        server.converge(trial, energy=100.0)
        server.report(trial, energy=150.0, metric=1.0)

        assert server.trial(trial)["cost"] == 100.0
        assert server.size(16)["observations"] == 1

    @ANY_DATABASE
    def test_an_epoch_of_zero_is_reported_once(self, server: Server, trial: Trial) -> None:
        server.report(trial, current_epoch=0, metric=0.5)

        assert not server.report(trial, current_epoch=0, metric=0.95)["stop_train"]
        assert server.report(trial, current_epoch=1, metric=0.95)["converged"]


@EVERY_DATABASE
class TestEndATrial:
    def test_an_open_trial_becomes_failed(self, server: Server, trial: Trial) -> None:
        response = server.call("PATCH", "/trials", trial.body)

        assert response.status_code == 200
        assert (server.trial(trial)["status"], server.trial(trial)["reason"]) == ("Failed", "error")

    @ANY_DATABASE
    @pytest.mark.parametrize("reason", ["preempted", "cancelled", "error", "oom"])
    def test_a_reason_is_kept(self, server: Server, trial: Trial, reason: str) -> None:
        server.end(trial, reason)

        assert (server.trial(trial)["status"], server.trial(trial)["reason"]) == ("Failed", reason)

    @ANY_DATABASE
    def test_a_decided_trial_stays_as_it_was(self, server: Server, trial: Trial) -> None:
        server.converge(trial)
        before = server.trial(trial)
        response = server.call("PATCH", "/trials", trial.body | {"reason": "oom"})

        assert response.status_code == 200
        assert server.trial(trial) == before

    @ANY_DATABASE
    def test_an_unknown_job_is_404(self, server: Server, trial: Trial) -> None:
        assert_refused(server.call("PATCH", "/trials", trial.body | {"job_id": "nobody"}), 404, "nobody")

    @ANY_DATABASE
    @pytest.mark.parametrize("wrong", [{"trial_number": 2}, {"batch_size": 8}])
    def test_an_unknown_trial_is_404(self, server: Server, trial: Trial, wrong: Json) -> None:
        assert_refused(server.call("PATCH", "/trials", trial.body | wrong), 404, "trial")


@EVERY_DATABASE
class TestDelete:
    def test_a_deleted_job_is_gone(self, server: Server, trial: Trial) -> None:
        response = server.call("DELETE", "/jobs", job_id="job")

        assert response.status_code == 200
        assert_refused(server.call("GET", "/jobs/batch_size", job_id="job"), 400)
        assert_refused(server.call("POST", "/report", trial.result()), 400)
        assert_refused(server.call("PATCH", "/trials", trial.body), 404)
        for table in ("job", "trial", "trial_report", "batch_size_state"):
            assert server.sql(f"SELECT * FROM {table}") == []

    @ANY_DATABASE
    def test_an_unknown_job_is_404(self, server: Server) -> None:
        assert_refused(server.call("DELETE", "/jobs", job_id="nobody"), 404, "nobody")

    @ANY_DATABASE
    def test_deleting_twice_is_404(self, server: Server) -> None:
        server.register()
        server.delete()

        assert_refused(server.call("DELETE", "/jobs", job_id="job"), 404)

    def test_other_jobs_stay(self, server: Server) -> None:
        server.register()
        server.register(job_id="other")
        server.delete()

        assert server.ask("other").trial_number == 1


class TestOurOwnCalls:
    @pytest.mark.parametrize(
        ("method", "url", "body"),
        [
            ("GET", "/api/v1/job", None),
            ("GET", "/api/v1/trials", None),
            ("PATCH", "/api/v1/jobs", {"max_epochs": 5}),
            ("POST", "/api/v1/jobs/reset", None),
        ],
    )
    def test_an_unknown_job_is_404(self, server: Server, method: str, url: str, body: Any) -> None:
        assert_refused(server.call(method, url, body, job_id="nobody"), 404, "nobody")

    def test_an_ask_for_an_unknown_job_is_refused(self, server: Server) -> None:
        assert_refused(server.call("POST", "/api/v1/trials", {"job_id": "nobody"}), 400, "nobody")

    def test_a_heartbeat_for_an_unknown_trial_is_404(self, server: Server, trial: Trial) -> None:
        response = server.call("POST", "/api/v1/trials/heartbeat", trial.body | {"trial_number": 9})

        assert_refused(response, 404, "trial")

    @EVERY_DATABASE
    def test_settings_that_are_left_out_stay(self, server: Server) -> None:
        server.register()
        server.change(max_epochs=77)

        assert server.job()["spec"] | {"job_id": "job"} == {
            **SPEC,
            "max_epochs": 77,
            "policy": "zeus",
            "policy_options": {"curve_stop": True, "transfer": True},
            "similar_to": None,
            "power_limit": "off",
            "power_goal": None,
            "max_slowdown": None,
        }

    @EVERY_DATABASE
    def test_a_setting_may_be_set_to_null(self, server: Server) -> None:
        server.register()
        server.change(beta_knob=None)

        assert server.job()["spec"]["beta_knob"] is None

    @EVERY_DATABASE
    def test_trials_come_in_pages_by_number(self, server: Server) -> None:
        server.register()
        for _ in range(5):
            server.ask()
        response = server.call("GET", "/api/v1/trials", job_id="job", after=1, limit=3)

        assert [view["trial_number"] for view in response.json()] == [2, 3, 4]

    @EVERY_DATABASE
    def test_jobs_are_listed_with_their_trials(self, server: Server) -> None:
        server.register(job_id="b")
        server.register(job_id="a")
        server.converge(server.ask("a"))
        server.ask("a")
        found = server.call("GET", "/api/v1/jobs").json()

        assert [(job["job_id"], job["trials"], job["open_trials"]) for job in found] == [("a", 2, 1), ("b", 0, 0)]

    @EVERY_DATABASE
    def test_a_healthy_server_says_so(self, server: Server) -> None:
        assert [server.call("GET", url).status_code for url in ("/healthz", "/readyz")] == [200, 200]

    def test_an_unknown_path_is_404_with_a_message(self, server: Server) -> None:
        assert_refused(server.call("GET", "/nowhere"), 404)

    def test_a_wrong_method_is_405_with_a_message(self, server: Server) -> None:
        assert_refused(server.call("PUT", "/jobs"), 405)

    @pytest.mark.parametrize(
        ("path", "allowed"),
        [
            ("/jobs", "DELETE, POST"),
            ("/api/v1/jobs", "GET, PATCH"),
            ("/api/v1/trials", "GET, POST"),
            ("/report", "POST"),
            ("/login", "GET, POST"),
        ],
    )
    def test_a_wrong_method_is_told_all_right_ones(self, server: Server, path: str, allowed: str) -> None:
        assert server.call("PUT", path).headers["allow"] == allowed
