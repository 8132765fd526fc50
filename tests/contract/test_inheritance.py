"""A new job begins with what another one has learnt."""

from __future__ import annotations

from itertools import count

import pytest
from tests.support.access import SETTING, TOKENS
from tests.support.contract import ANY_DATABASE, EVERY_DATABASE
from tests.support.exports import export, file_of, lines_of, rows, send
from tests.support.inheritance import CHEAPEST, ENERGY, NEEDED, ancestor, finish, learnt, other
from tests.support.jobs import Json, Trial
from tests.support.server import Server

pytestmark = ANY_DATABASE


class TestWhoIsAnAncestor:
    @EVERY_DATABASE
    def test_a_job_of_the_same_prefix_on_another_gpu(self, server: Server) -> None:
        learnt(server)
        answer = other(server)

        assert answer["message"] == (
            "The job is new, and begins with what job 'job' has learnt. The policy option transfer=false switches "
            "that off."
        )
        found = ancestor(server)
        assert found is not None
        assert (found["job_id"], found["kind"]) == ("job", "identical")
        assert found["runs"] == 7
        began = server.job("other")["began_with"]
        assert began.startswith(f"It began with the results of job job, {found['runs']} runs of the same task;")
        assert other(server)["message"] is None

    @pytest.mark.parametrize("changed", [{"target_metric": 0.92}, {"max_epochs": 20}])
    def test_with_another_target_its_task_is_similar(self, server: Server, changed: Json) -> None:
        learnt(server)
        other(server, **changed)

        found = ancestor(server)
        assert found is not None
        assert found["kind"] == "similar"

    @pytest.mark.parametrize(
        "changed",
        [
            {"job_id_prefix": "something else"},
            {"batch_sizes": [16, 17, 18]},
            {"policy": "zeus"},
            {"policy_options": {"transfer": False}},
        ],
    )
    def test_it_is_no_ancestor_of_a_job_that_differs_otherwise(self, server: Server, changed: Json) -> None:
        learnt(server)
        other(server, **changed)

        assert ancestor(server) is None
        assert server.job("other")["began_with"] is None

    def test_it_is_no_ancestor_of_a_job_whose_metric_goes_the_other_way(self, server: Server) -> None:
        learnt(server)
        other(server, higher_is_better_metric=False, target_metric=0.2)

        assert ancestor(server) is None

    def test_it_has_learnt_enough_after_five_converged_runs(self, server: Server) -> None:
        learnt(server, runs=4)
        other(server, job_id="too early")
        finish(server, server.ask("job"))
        other(server)

        assert ancestor(server, "too early") is None
        assert ancestor(server) is not None

    def test_the_same_task_comes_before_more_runs(self, server: Server) -> None:
        learnt(server, runs=20, target_metric=0.91, job_id="another target")
        learnt(server, runs=6, job_id="few", policy_options={"transfer": False})
        learnt(server, runs=8, job_id="most", policy_options={"transfer": False})
        other(server)

        found = ancestor(server)
        assert found is not None
        assert found["job_id"] == "most"

    def test_a_job_that_is_named_comes_first_whatever_its_prefix(self, server: Server) -> None:
        learnt(server)
        learnt(server, runs=3, job_id="named", job_id_prefix="something else")
        other(server, similar_to="named")

        found = ancestor(server)
        assert found is not None
        assert (found["job_id"], found["kind"]) == ("named", "similar")

    def test_a_named_job_whose_metric_goes_the_other_way_is_similar(self, server: Server) -> None:
        learnt(server)
        other(server, similar_to="job", higher_is_better_metric=False)

        found = ancestor(server)
        assert found is not None
        assert found["kind"] == "similar"

    def test_a_job_of_the_reference_policy_has_none(self, server: Server) -> None:
        learnt(server)
        answer = other(server, policy="zeus", similar_to="job")

        assert answer["message"] == (
            "similar_to: only a job of the policy 'surrogate' begins with the results of another job."
        )

    @pytest.mark.parametrize("name", ["not there", "of zeus", "not run", "other"])
    def test_a_named_job_that_has_nothing_to_hand_on_is_said(self, server: Server, name: str) -> None:
        server.register(job_id="of zeus", job_id_prefix="something else")
        server.register(job_id="not run", job_id_prefix="something else", policy="surrogate")
        answer = other(server, similar_to=name)

        assert answer["message"].startswith(f"similar_to: job '{name}' has nothing to hand on")
        assert ancestor(server) is None


@EVERY_DATABASE
class TestPastRuns:
    def test_are_handed_on_too(self, server: Server) -> None:
        server.register(policy="surrogate")
        past = [
            {
                "run_id": f"{size}-{number}",
                "batch_size": size,
                "epochs": NEEDED[size],
                "energy": NEEDED[size] * ENERGY[size],
                "time": float(NEEDED[size]),
                "reached": True,
            }
            for size in (16, 32, 64)
            for number in range(2)
        ]
        server.call("POST", "/api/v1/observations", {"job_id": "job", "source": "csv", "runs": past})
        other(server)

        assert ancestor(server) == {"job_id": "job", "kind": "identical", "runs": 6}
        assert server.offer("other")["batch_size"] == CHEAPEST

    def test_of_the_job_itself_leave_the_ancestor_no_first_run(self, server: Server) -> None:
        learnt(server)
        other(server)
        run = {"run_id": "1", "batch_size": 16, "epochs": 3, "energy": 180.0, "time": 3.0, "reached": True}
        server.call("POST", "/api/v1/observations", {"job_id": "other", "source": "csv", "runs": [run]})

        assert server.offer("other")["epoch_bound"] is None


class TestTheFirstRun:
    def test_takes_the_size_that_the_ancestor_has_found_the_cheapest(self, server: Server) -> None:
        learnt(server)
        other(server)
        explained = server.job("other")
        offer = server.offer("other")

        assert offer["batch_size"] == explained["next_batch_size"] == CHEAPEST
        assert "found this batch size the cheapest for the same task." in explained["next_run"]
        assert 2 * NEEDED[CHEAPEST] <= offer["epoch_bound"] <= 2 * NEEDED[CHEAPEST] + 2
        assert server.offer("other")["batch_size"] == CHEAPEST

    def test_takes_the_default_if_the_task_is_similar(self, server: Server) -> None:
        learnt(server)
        other(server, target_metric=0.91)
        offer = server.offer("other")

        assert (offer["batch_size"], offer["epoch_bound"]) == (16, None)

    def test_takes_it_without_a_bound_if_it_is_not_to_explore(self, server: Server) -> None:
        learnt(server)
        other(server)
        offer = server.call("POST", "/api/v1/trials", {"job_id": "other", "explore": False}).json()

        assert (offer["batch_size"], offer["epoch_bound"]) == (CHEAPEST, None)

    def test_is_stopped_at_twice_the_epochs_and_the_next_takes_the_default(self, server: Server) -> None:
        learnt(server)
        other(server)
        first = server.offer("other")
        bound = first["epoch_bound"]
        answers = [
            server.report(Trial.of(first), current_epoch=epoch, energy=50.0 * epoch, time=float(epoch), metric=0.1)
            for epoch in range(1, bound + 1)
        ]

        assert [answer["stop_train"] for answer in answers] == [*[False] * (bound - 1), True]
        assert answers[-1]["outcome"] == "cost-bound"
        assert answers[-1]["message"] == (
            f"Stopped: the target was not reached within {bound} epochs, twice as many as the job needs at this batch "
            "size whose results this job began with."
        )
        offer = server.offer("other")
        assert (offer["batch_size"], offer["epoch_bound"]) == (16, None)

    def test_that_reaches_the_target_at_the_bound_has_converged(self, server: Server) -> None:
        learnt(server)
        other(server)
        offer = server.offer("other")
        finish(server, Trial.of(offer), needed=offer["epoch_bound"])

        assert server.trials("other")[0]["outcome"] == "converged"

    def test_comes_once_so_that_a_job_of_two_sizes_goes_on(self, server: Server) -> None:
        learnt(server, batch_sizes=[16, 32])
        other(server, batch_sizes=[16, 32])
        taken = []
        for number in count():
            trial = server.ask("other")
            taken.append(trial.batch_size)
            if number == 12:
                break
            finish(server, trial, needed=9)

        assert taken[:2] == [32, 16]
        assert all(bound["epoch_bound"] is None for bound in (server.offer("other") for _ in range(2)))

    def test_comes_once_also_if_nothing_is_learnt_from_it(self, server: Server) -> None:
        learnt(server)
        other(server)
        first = server.offer("other")
        for epoch in range(1, first["epoch_bound"] + 1):
            server.report(Trial.of(first), current_epoch=epoch, metric=0.1, energy_source="partial")

        assert server.trials("other")[0]["outcome"] == "cost-bound"
        assert server.offer("other")["epoch_bound"] is None

    @EVERY_DATABASE
    def test_comes_again_to_a_job_that_was_deleted_and_registered_again(self, server: Server) -> None:
        learnt(server)
        other(server)
        finish(server, server.ask("other"))
        server.delete("other")
        other(server)
        offer = server.offer("other")

        assert offer["batch_size"] == CHEAPEST
        assert offer["epoch_bound"] is not None

    def test_does_not_come_again_after_a_reset(self, server: Server) -> None:
        learnt(server)
        other(server)
        finish(server, server.ask("other"))
        server.reset("other")
        offer = server.offer("other")

        assert (offer["batch_size"], offer["epoch_bound"]) == (16, None)
        assert ancestor(server) is not None


@EVERY_DATABASE
class TestWhatIsKept:
    def test_of_a_job_of_a_thousand_sizes_the_nearest_fit_into_every_database(self, server: Server) -> None:
        sizes = list(range(1, 1001))
        server.register(policy="surrogate", batch_sizes=sizes, default_batch_size=500)
        past = [
            {
                "run_id": str(size),
                "batch_size": size,
                "epochs": 7,
                "energy": 12.345678,
                "time": 3.456789,
                "reached": True,
            }
            for size in sizes
        ]
        told = server.call("POST", "/api/v1/observations", {"job_id": "job", "source": "csv", "runs": past})
        assert told.json()["added"] == 1000
        other(server, batch_sizes=sizes, default_batch_size=900)
        other(server, job_id="third", batch_sizes=[1, 1000], default_batch_size=1)

        assert ancestor(server) == {"job_id": "job", "kind": "identical", "runs": 256}
        lines = lines_of(export(server, "third"))
        kept = [size["batch_size"] for size in rows(lines, "job")[0]["inheritance"]["sizes"]]
        assert (kept[0], kept[-1], len(kept)) == (1, 1000, 256)
        assert send(server, file_of(lines), replace=True).status_code == 201

    def test_figures_beyond_all_bounds_are_handed_on_within_them(self, server: Server) -> None:
        server.register(policy="surrogate", eta_knob=1.0)
        past = [
            {
                "run_id": str(size),
                "batch_size": size,
                "epochs": 2**31 - 1,
                "energy": 1e15,
                "time": 1e-9,
                "reached": True,
            }
            for size in (16, 32)
        ]
        server.call("POST", "/api/v1/observations", {"job_id": "job", "source": "csv", "runs": past})

        for number, eta in enumerate((0.0, 0.5, 1.0)):
            other(server, job_id=f"other-{number}", eta_knob=eta, similar_to="job")
            assert server.offer(f"other-{number}")["batch_size"] in (8, 16, 32, 64)

    def test_the_ancestor_may_be_deleted(self, server: Server) -> None:
        learnt(server)
        other(server)
        before = server.job("other")
        server.delete("job")

        assert server.job("other")["ancestor"] == before["ancestor"]
        assert server.offer("other")["batch_size"] == CHEAPEST

    @ANY_DATABASE
    def test_another_eta_weighs_what_was_taken_over_anew(self, server: Server) -> None:
        learnt(server)
        other(server, eta_knob=0.0)

        # An epoch takes 1 s at every size, so the larger ones need the least time.
        assert server.offer("other")["batch_size"] in (32, 64)
        server.change("other", eta_knob=1.0)
        assert server.offer("other")["batch_size"] == CHEAPEST

    @ANY_DATABASE
    def test_it_can_be_switched_off_later(self, server: Server) -> None:
        learnt(server)
        other(server)
        server.change("other", policy_options={"transfer": False})

        assert server.offer("other")["batch_size"] == 16
        assert server.job("other")["began_with"].endswith("its policy option transfer=false leaves them out.")

    def test_it_travels_with_the_job(self, server: Server) -> None:
        learnt(server)
        other(server)
        file, before = export(server, "other"), server.job("other")
        server.delete("other")
        assert send(server, file, replace=True).status_code == 201

        after = server.job("other")
        assert {name: after[name] for name in ("ancestor", "began_with", "next_run")} == {
            name: before[name] for name in ("ancestor", "began_with", "next_run")
        }
        assert server.offer("other")["batch_size"] == CHEAPEST

    @ANY_DATABASE
    @pytest.mark.parametrize(
        ("field", "value"),
        [("kinship", "close"), ("sizes", []), ("noise_variance", -1.0), ("job_id", 3), ("default_batch_size", 0)],
    )
    def test_a_file_with_an_impossible_one_is_refused(self, server: Server, field: str, value: object) -> None:
        learnt(server)
        other(server)
        lines = lines_of(export(server, "other"))
        rows(lines, "job")[0]["inheritance"][field] = value
        server.delete("other")
        answer = send(server, file_of(lines))

        assert answer.status_code == 422
        assert answer.json()["message"] == "Line 2: job holds an invalid value."


def test_a_team_is_not_told_the_id_of_another_teams_job(own_server: Server) -> None:
    learnt(own_server, job_id="team-b-secret")
    own_server.register(job_id="team-a-job", policy="surrogate", gpu_model="H200")
    own_server.restart(api_tokens=SETTING)

    def seen_by(token: str) -> str:
        headers = {"Authorization": f"Bearer {TOKENS[token]}"}
        answers = [
            own_server.send("GET", "/api/v1/job", params={"job_id": "team-a-job"}, headers=headers),
            own_server.send("GET", "/job", params={"job_id": "team-a-job"}, headers=headers),
            own_server.send("GET", "/jobs/batch_size", params={"job_id": "team-a-job"}, headers=headers),
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        return "".join(answer.text for answer in answers)

    assert "team-b-secret" in seen_by("boss")
    told = seen_by("team-a")
    assert "team-b-secret" not in told
    assert "It began with the results of another job, 7 runs of the same task" in told
