"""The server takes the decisions of the simulator: same trace, same seed, driven over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from tests.support.process import ServerProcess
from tests.support.traces import WORKLOADS, tiny_pair

from zeus_bso.protocol.job_spec import JobSpecFromClient, PolicyOptions
from zeus_bso.protocol.words import FailReason, Outcome
from zeus_bso.simulator.job import PolicyJob, knobs_of
from zeus_bso.simulator.past_draws import past_runs_of
from zeus_bso.simulator.recorded import DIGITS
from zeus_bso.simulator.runner import EpochReport, GivenTrial, ReportAnswer, simulate
from zeus_bso.simulator.scenario import Drift, Scenario
from zeus_bso.simulator.traces import Pair, read_traces
from zeus_bso.simulator.world import SimulatedWorkload

SEED = 7

SCENARIOS = {
    "one after the other": Scenario(recurrences=24),
    "overlapping, some crash": Scenario(recurrences=24, overlap=3, crash_rate=0.2),
    "drifting, without curve stop": Scenario(recurrences=24, drift=Drift(at=12, factor=2.0), curve_stop=False),
    "weighing energy alone, tight bound": Scenario(recurrences=24, eta_knob=1.0, beta_knob=1.2),
    "with power limits": Scenario(recurrences=24, power="optimize", overlap=1, preempt_rate=0.2),
    "with past runs": Scenario(recurrences=24, overlap=1, past_runs={32: 3, 64: 1, 256: 1}),
}

CASES = [
    *(("digits", scenario) for scenario in SCENARIOS),
    ("tiny", "weighing energy alone, tight bound"),
    ("tiny", "overlapping, some crash"),
    ("tiny", "with power limits"),
    ("hard", "overlapping, some crash"),
]


class ServedJob:
    """A job of a server, as a decider of the simulator.

    Args:
        client: Knows the server.
        world: Workload, GPU and scenario.
        policy: The job's.
        prefix: Its prefix; None: one that no other job has.
    """

    power_limit_w: float | None = None

    def __init__(
        self,
        client: httpx.Client,
        world: SimulatedWorkload,
        policy: Literal["zeus", "surrogate"],
        prefix: str | None = None,
    ) -> None:
        self._client = client
        knobs = knobs_of(world)
        self._job_id = uuid.uuid4().hex
        spec = JobSpecFromClient(
            job_id=self._job_id,
            job_id_prefix=prefix or self._job_id,
            batch_sizes=list(knobs.batch_sizes),
            default_batch_size=knobs.default_batch_size,
            target_metric=knobs.target_metric,
            higher_is_better_metric=knobs.higher_is_better_metric,
            max_epochs=knobs.max_epochs,
            eta_knob=world.scenario.eta_knob,
            beta_knob=knobs.beta_knob,
            mab_seed=SEED,
            policy=policy,
            policy_options=PolicyOptions(curve_stop=knobs.curve_stop),
            max_power=world.pair.max_power_w,
            number_of_gpus=1,
            gpu_model="simulated",
        )
        answer = client.post("/jobs", json=spec.model_dump(mode="json"))
        assert answer.status_code == 201
        self.began_with_another = "begins with what job" in (answer.json()["message"] or "")
        told = past_runs_of(world, self._job_id, SEED)
        if told is not None:
            client.post("/api/v1/observations", json=told.model_dump(mode="json")).raise_for_status()

    def ask(self) -> GivenTrial:
        offer = self._client.get("/jobs/batch_size", params={"job_id": self._job_id}).raise_for_status().json()
        return GivenTrial(offer["trial_number"], offer["batch_size"])

    def report(self, trial: GivenTrial, report: EpochReport) -> ReportAnswer:
        result = self._id(trial) | {
            "time": report.time_s,
            "energy": report.energy_j,
            "metric": report.metric,
            "current_epoch": report.epoch,
        }
        answer = self._client.post("/report", json=result).raise_for_status().json()
        outcome = Outcome(answer["outcome"]) if answer["outcome"] else None
        return ReportAnswer(outcome, answer["target_reached"])

    def fail(self, trial: GivenTrial, reason: FailReason) -> None:
        self._client.patch("/trials", json=self._id(trial) | {"reason": reason.value}).raise_for_status()

    def _id(self, trial: GivenTrial) -> dict[str, object]:
        return {"job_id": self._job_id, "batch_size": trial.batch_size, "trial_number": trial.number}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a server process."""
    path = tmp_path_factory.mktemp("served") / "jobs.db"
    with ServerProcess(path) as server, httpx.Client(base_url=server.url, timeout=240) as found:
        yield found


def pair_of(name: str, folder: Path) -> Pair:
    """The recorded demo job; one with a size that never reaches its target; or one that goes through generations."""
    if name == "hard":
        return tiny_pair(folder, workloads=WORKLOADS.replace(",10,64", ",3,64"))
    if name == "tiny":
        return tiny_pair(folder)
    (found,) = read_traces(DIGITS).pairs()
    return found


@pytest.mark.parametrize(("traces", "scenario"), CASES)
@pytest.mark.parametrize("policy", ["zeus", "surrogate"])
def test_the_server_decides_as_the_simulator(
    client: httpx.Client, tmp_path: Path, policy: Literal["zeus", "surrogate"], traces: str, scenario: str
) -> None:
    world = SimulatedWorkload(pair_of(traces, tmp_path), SCENARIOS[scenario])
    simulated = simulate(world, PolicyJob(world, policy, SEED), SEED)
    served = simulate(world, ServedJob(client, world, policy), SEED)

    assert served == simulated
    assert len({attempt.batch_size for recurrence in served for attempt in recurrence.attempts}) > 1


@pytest.mark.parametrize(
    ("traces", "scenario"), [("digits", "one after the other"), ("tiny", "overlapping, some crash")]
)
def test_it_does_so_for_a_job_that_begins_with_what_another_has_learnt(
    client: httpx.Client, tmp_path: Path, traces: str, scenario: str
) -> None:
    pair, prefix = pair_of(traces, tmp_path), uuid.uuid4().hex
    earlier = SimulatedWorkload(pair, Scenario(recurrences=10))
    world = SimulatedWorkload(pair, SCENARIOS[scenario])
    source = PolicyJob(earlier, "surrogate", SEED)
    simulate(earlier, source, SEED)
    simulate(earlier, ServedJob(client, earlier, "surrogate", prefix), SEED)
    served_job = ServedJob(client, world, "surrogate", prefix)
    simulated = simulate(world, PolicyJob(world, "surrogate", SEED, source.hand_on(world)), SEED)
    served = simulate(world, served_job, SEED)

    assert served_job.began_with_another
    assert served == simulated
    assert served != simulate(world, PolicyJob(world, "surrogate", SEED), SEED)
