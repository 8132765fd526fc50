"""The policy of a job: which one it has, and that the surrogate's state lives in the database.

Costs are energies here: every job has ``eta_knob`` 1 unless a test says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.jobs import Json, Trial, spec
from tests.support.refusals import assert_refused
from tests.support.server import Server
from tests.unit.policy.policy_job import fresh

from zeus_bso.policy.state import Knobs, SurrogateArmState, SurrogateState
from zeus_bso.server.database.documents import to_document

pytestmark = ANY_DATABASE

SURROGATE: Json = {"policy": "surrogate", "beta_knob": 2.0, "max_epochs": 40}


def stored(server: Server) -> dict[int, Json]:
    """What the surrogate knows of each batch size; 0: of the job."""
    rows = server.sql("SELECT batch_size, surrogate FROM batch_size_state ORDER BY batch_size")
    (job,) = server.sql("SELECT 0 AS batch_size, surrogate FROM job")
    return {row["batch_size"]: json.loads(row["surrogate"] or "{}") for row in [job, *rows]}


def train(server: Server, trial: Trial, metrics: Sequence[float | None], energy: float = 25.0) -> Json:
    """Report epoch after epoch, until told to stop."""
    answer: Json = {}
    for epoch, metric in enumerate(metrics, start=1):
        answer = server.report(trial, current_epoch=epoch, metric=metric, energy=energy * epoch, time=1.0 * epoch)
        if answer["stop_train"]:
            break
    return answer


def run(server: Server, epochs: int = 4, energy: float = 25.0) -> Trial:
    """One recurrence that converges after so many epochs of so much energy."""
    trial = server.ask()
    answer = train(server, trial, [epoch / epochs for epoch in range(1, epochs + 1)], energy)
    assert answer["converged"], answer
    return trial


NO_CURVE_STOP: Json = {"curve_stop": False, "transfer": True}
"""The options as they come back."""


class TestWhichPolicy:
    def test_a_registration_that_names_none_is_of_the_reference_algorithm(self, server: Server) -> None:
        answer = server.register()

        assert (answer["policy"], server.job()["policy"]) == ("zeus", "zeus")
        assert server.trial(server.ask())["type"] == "Exploration"

    def test_a_registration_that_names_one_has_it(self, server: Server) -> None:
        answer = server.register(policy="surrogate", policy_options={"curve_stop": False})

        assert (answer["policy"], answer["policy_options"]) == ("surrogate", NO_CURVE_STOP)
        assert server.job()["spec"]["policy_options"] == NO_CURVE_STOP
        assert server.trial(server.ask())["type"] == "MAB"

    @pytest.mark.parametrize("job_id", ["job", None])
    def test_another_policy_is_neither_a_conflict_nor_a_change(self, server: Server, job_id: str | None) -> None:
        first = server.register(job_id=job_id, policy="surrogate")
        again = server.call("POST", "/jobs", spec(job_id=job_id, policy="zeus"))

        assert again.status_code == 200
        assert (again.json()["job_id"], again.json()["policy"]) == (first["job_id"], "surrogate")
        sentence = "policy stays 'surrogate', as when the job was created, although 'zeus' was sent."
        assert again.json()["message"] == sentence

    def test_a_reference_client_may_register_a_job_of_our_policy_again(self, server: Server) -> None:
        server.register(policy="surrogate", policy_options={"curve_stop": False})
        again = server.register()

        assert (again["policy"], again["policy_options"], again["message"]) == (
            "surrogate",
            NO_CURVE_STOP,
            None,
        )

    def test_a_settings_change_cannot_change_the_policy_and_says_so(self, server: Server) -> None:
        server.register(policy="surrogate")
        refused = server.call("PATCH", "/api/v1/jobs", {"policy": "zeus"}, job_id="job")

        assert_refused(refused, 422, "the policy is fixed when a job is created and cannot be changed later")
        assert server.job()["policy"] == "surrogate"

    @EVERY_DATABASE
    def test_options_are_settings(self, server: Server) -> None:
        server.register(**SURROGATE)
        server.change(policy_options={"curve_stop": False})
        assert server.job()["spec"]["policy_options"] == NO_CURVE_STOP
        server.change(max_epochs=7)
        assert server.job()["spec"]["policy_options"] == NO_CURVE_STOP

        conflict = server.call("POST", "/jobs", spec(**SURROGATE | {"max_epochs": 7}))
        assert conflict.status_code == 200, "who names no options says nothing about them"
        body = spec(**SURROGATE | {"max_epochs": 7, "policy_options": {}})
        conflict = server.call("POST", "/jobs", body)
        assert_refused(conflict, 409, "policy_options is {'curve_stop': False, 'transfer': True}, but")

    def test_an_option_that_does_not_exist_is_refused_in_a_change_and_ignored_in_a_registration(
        self, server: Server
    ) -> None:
        server.register(policy_options={"curve_stop": False, "of_another_release": 1})
        refused = server.call("PATCH", "/api/v1/jobs", {"policy_options": {"curve": False}}, job_id="job")

        assert_refused(refused, 422, "policy_options.curve")
        assert server.job()["spec"]["policy_options"] == NO_CURVE_STOP

    @EVERY_DATABASE
    def test_a_reset_keeps_the_policy_and_forgets_what_it_knew(self, server: Server) -> None:
        server.register(**SURROGATE)
        run(server)
        server.reset()

        assert server.job()["policy"] == "surrogate"
        assert set(map(str, stored(server).values())) == {"{}"}

    @EVERY_DATABASE
    def test_a_job_that_was_deleted_may_come_back_with_another_policy(self, server: Server) -> None:
        server.register(policy="surrogate")
        run(server)
        server.delete()

        assert server.register(policy="zeus")["policy"] == "zeus"
        assert stored(server)[16] == {}


@EVERY_DATABASE
class TestTheSurrogateInTheDatabase:
    def test_server_and_policy_take_the_same_decisions_and_know_the_same_to_the_last_bit(self, server: Server) -> None:
        """Twenty-five recurrences, two of them at a time, with stopped runs and an odd metric here and there."""
        sizes = (8, 12, 16, 24, 32, 48, 64)
        epochs = dict(zip(sizes, (30, 20, 12, 5, 14, 30, 60), strict=True))
        knobs = Knobs(sizes, 24, target_metric=0.9, max_epochs=40)
        server.register(**SURROGATE, batch_sizes=list(sizes), default_batch_size=24)
        job = fresh(knobs, policy="surrogate")
        under_way = [(server.ask(), job.ask())]
        given, outcomes = [], set()
        for night in range(25):
            under_way.append((server.ask(), job.ask()))
            trial, choice = under_way.pop(0)
            given.append((trial.batch_size, choice.batch_size))
            curve: list[tuple[int, float | None]] = []
            energy, needs = 0.0, epochs[trial.batch_size] + night % 3
            for epoch in range(1, 41):
                energy += (100.1 + trial.batch_size / 7) / 3
                curve.append((epoch, None if epoch == 2 and night % 5 == 0 else 0.9 * epoch / needs))
                answer = server.report(trial, current_epoch=epoch, metric=curve[-1][1], energy=energy)
                outcome = job.report(choice, energy, curve)
                assert answer["outcome"] == (outcome.value if outcome else None)
                if outcome is not None:
                    outcomes.add(answer["outcome"])
                    break

        assert [theirs for theirs, _ in given] == [ours for _, ours in given]
        assert outcomes >= {"converged", "curve-stop"}
        known: dict[int, SurrogateState | SurrogateArmState] = {0: job.progress.surrogate}
        known |= {size: state.surrogate for size, state in job.sizes.items()}
        assert stored(server) == {
            size: json.loads(json.dumps(to_document(state))) or {} for size, state in known.items()
        }

    def test_a_run_whose_curve_promises_too_little_is_stopped_and_the_next_takes_the_best_size(
        self, server: Server
    ) -> None:
        server.register(**SURROGATE)
        assert run(server).batch_size == 16
        slow = server.ask()
        answer = train(server, slow, [0.01] * 20, energy=10.0)

        # Four epochs of 10 J without passing what the other passed in one: 16 in all, and 120 J more than its 100 J.
        assert (answer["outcome"], server.trial(slow)["current_epoch"]) == ("curve-stop", 4)
        said = answer["message"]
        assert "would need 16 epochs, a cost of another 120 J; a whole run with 16 is believed to cost 100 J" in said
        retry = server.offer()
        assert (retry["batch_size"], retry["cost_bound"]) == (16, None)
        assert "did not converge" in retry["message"]
        assert server.trial(Trial.of(retry))["uncapped"]

    @ANY_DATABASE
    def test_with_the_option_off_it_is_not(self, server: Server) -> None:
        server.register(**SURROGATE, policy_options={"curve_stop": False})
        run(server)
        answer = train(server, server.ask(), [0.01] * 12, energy=10.0)

        assert answer["outcome"] is None

    def test_evaluations_that_were_discarded_at_a_restart_do_not_count_against_a_run(self, server: Server) -> None:
        server.register(**SURROGATE)
        run(server)
        first = server.offer(run_id="r", instance="a")
        trial = Trial.of(first)
        for epoch in (1, 2, 3):
            server.report(trial, instance="a", current_epoch=epoch, metric=0.01, energy=10.0 * epoch)
        server.offer(run_id="r", instance="b", checkpoint={"current_epoch": 1, "time": 1.0, "energy": 10.0})
        answers = [
            server.report(trial, instance="b", current_epoch=epoch, metric=metric, energy=10.0 * epoch)
            for epoch, metric in ((2, 0.3), (3, 0.6), (4, 1.0))
        ]

        assert [answer["outcome"] for answer in answers] == [None, None, "converged"]
        assert stored(server)[trial.batch_size]["curve"] == [[0.01, 1.0], [0.3, 2.0], [0.6, 3.0], [0.9, 4.0]]

    def test_runs_that_overlap_try_different_sizes(self, server: Server) -> None:
        server.register(**SURROGATE, batch_sizes=[4, 8, 16, 32, 64])
        run(server)

        assert len({server.ask().batch_size for _ in range(3)}) == 3

    def test_a_run_of_an_older_generation_is_owed_no_retry(self, server: Server) -> None:
        server.register(**SURROGATE)
        late = server.ask()
        server.reset()
        run(server)
        server.report(late, current_epoch=40, metric=0.1)

        assert "retries_owed" not in stored(server)[0]
        assert server.trial(server.ask())["uncapped"] is False

    def test_a_changed_eta_weighs_what_was_learnt_anew(self, server: Server) -> None:
        server.register(**SURROGATE)
        trial = run(server)
        assert server.size(trial.batch_size)["believed_cost"] == pytest.approx(100.0)
        server.change(eta_knob=0.25)

        cost = 0.25 * 100.0 + 0.75 * 300.0 * 4.0
        # Of four epochs, the first is kept apart.
        assert stored(server)[trial.batch_size]["cost_sum"] == pytest.approx(cost * 3 / 4)
        assert server.size(trial.batch_size)["believed_cost"] == pytest.approx(cost)
        assert server.offer()["cost_bound"] == pytest.approx(2 * cost)

    def test_a_run_with_readings_of_another_source_teaches_nothing(self, server: Server) -> None:
        server.register(**SURROGATE)
        server.converge(server.ask(), energy_source="counter")
        before = stored(server)
        other = server.ask()
        server.converge(other, energy_source="estimate")

        after = stored(server)
        assert {size: after[size] for size in (8, 16, 32, 64)} == {size: before[size] for size in (8, 16, 32, 64)}

    def test_the_chosen_size_is_the_incumbent_and_what_comes_next_is_said_beforehand(self, server: Server) -> None:
        server.register(**SURROGATE)
        assert (server.job()["next_batch_size"], server.job()["chosen_batch_size"]) == (16, None)
        for _ in range(8):
            said = server.job()
            trial = server.ask()
            assert said["next_batch_size"] == trial.batch_size
            assert str(trial.batch_size) in said["next_run"]
            train(server, trial, [0.5, 1.0], energy=50.0 + abs(trial.batch_size - 32))

        assert server.job()["chosen_batch_size"] == 32
        size = server.size(32)
        assert size["believed_cost_low"] < size["believed_cost"] < size["believed_cost_high"]
