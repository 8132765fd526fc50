"""The server takes the decisions of the simulator: same trace, same seed, driven by requests."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from tests.support.server import Server
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

Call = Callable[..., httpx.Response]
"""Sends a method, a URL and perhaps a body, and query parameters."""

SCENARIOS = {
    "one after the other": Scenario(recurrences=24),
    "overlapping, some crash": Scenario(recurrences=24, overlap=3, crash_rate=0.2),
    "overlapping, some crash, soon over": Scenario(recurrences=6, overlap=3, crash_rate=0.2),
    "drifting, without curve stop": Scenario(recurrences=24, drift=Drift(at=12, factor=2.0), curve_stop=False),
    "weighing energy alone, tight bound": Scenario(recurrences=24, eta_knob=1.0, beta_knob=1.2),
    "with power limits": Scenario(recurrences=24, power="optimize", overlap=1, preempt_rate=0.2),
    "with past runs": Scenario(recurrences=24, overlap=1, past_runs={32: 3, 64: 1, 256: 1}),
}

CASES = [
    *(("digits", scenario) for scenario in SCENARIOS if "soon" not in scenario),
    ("tiny", "weighing energy alone, tight bound"),
    ("tiny", "overlapping, some crash"),
    ("tiny", "with power limits"),
    ("hard", "overlapping, some crash, soon over"),
]


class ServedJob:
    """A job of a server, as a decider of the simulator.

    Args:
        call: Asks the server.
        world: Workload, GPU and scenario.
        policy: The job's.
        prefix: Its prefix; None: one that no other job has.
    """

    power_limit_w: float | None = None

    def __init__(
        self,
        call: Call,
        world: SimulatedWorkload,
        policy: Literal["zeus", "surrogate"],
        prefix: str | None = None,
    ) -> None:
        self._call = call
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
        answer = call("POST", "/jobs", spec.model_dump(mode="json"))
        assert answer.status_code == 201
        self.began_with_another = "begins with what job" in (answer.json()["message"] or "")
        told = past_runs_of(world, self._job_id, SEED)
        if told is not None:
            call("POST", "/api/v1/observations", told.model_dump(mode="json")).raise_for_status()

    def ask(self) -> GivenTrial:
        offer = self._call("GET", "/jobs/batch_size", job_id=self._job_id).raise_for_status().json()
        return GivenTrial(offer["trial_number"], offer["batch_size"])

    def report(self, trial: GivenTrial, report: EpochReport) -> ReportAnswer:
        result = self._id(trial) | {
            "time": report.time_s,
            "energy": report.energy_j,
            "metric": report.metric,
            "current_epoch": report.epoch,
        }
        answer = self._call("POST", "/report", result).raise_for_status().json()
        outcome = Outcome(answer["outcome"]) if answer["outcome"] else None
        return ReportAnswer(outcome, answer["target_reached"])

    def fail(self, trial: GivenTrial, reason: FailReason) -> None:
        self._call("PATCH", "/trials", self._id(trial) | {"reason": reason.value}).raise_for_status()

    def _id(self, trial: GivenTrial) -> dict[str, object]:
        return {"job_id": self._job_id, "batch_size": trial.batch_size, "trial_number": trial.number}


@pytest.fixture(scope="module")
def server() -> Iterator[Call]:
    """A server in this process, on a database in memory: its decisions depend on neither."""
    found = Server("sqlite://")
    found.start()
    yield found.call
    found.close()


def pair_of(name: str, folder: Path) -> Pair:
    """The recorded demo job; one with a size that never reaches its target; or one that goes through generations."""
    if name == "hard":
        return tiny_pair(folder, workloads=WORKLOADS.replace(",10,64", ",3,64"))
    if name == "tiny":
        return tiny_pair(folder)
    (found,) = read_traces(DIGITS).pairs()
    return found


def decides_as_simulated(call: Call, world: SimulatedWorkload, policy: Literal["zeus", "surrogate"]) -> None:
    simulated = simulate(world, PolicyJob(world, policy, SEED), SEED)
    served = simulate(world, ServedJob(call, world, policy), SEED)

    assert served == simulated
    assert len({attempt.batch_size for recurrence in served for attempt in recurrence.attempts}) > 1


@pytest.mark.parametrize(("traces", "scenario"), CASES)
@pytest.mark.parametrize("policy", ["zeus", "surrogate"])
def test_the_server_decides_as_the_simulator(
    server: Call, tmp_path: Path, policy: Literal["zeus", "surrogate"], traces: str, scenario: str
) -> None:
    decides_as_simulated(server, SimulatedWorkload(pair_of(traces, tmp_path), SCENARIOS[scenario]), policy)


@pytest.mark.parametrize("policy", ["zeus", "surrogate"])
def test_a_server_process_does_so_over_http(
    shared_url: str, tmp_path: Path, policy: Literal["zeus", "surrogate"]
) -> None:
    with httpx.Client(base_url=shared_url, timeout=240) as client:

        def call(method: str, url: str, body: object = None, **params: str) -> httpx.Response:
            return client.request(method, url, json=body, params=params or None)

        world = SimulatedWorkload(pair_of("tiny", tmp_path), SCENARIOS["overlapping, some crash"])
        decides_as_simulated(call, world, policy)


@pytest.mark.parametrize(
    ("traces", "scenario"), [("digits", "one after the other"), ("tiny", "overlapping, some crash")]
)
def test_it_does_so_for_a_job_that_begins_with_what_another_has_learnt(
    server: Call, tmp_path: Path, traces: str, scenario: str
) -> None:
    pair, prefix = pair_of(traces, tmp_path), uuid.uuid4().hex
    earlier = SimulatedWorkload(pair, Scenario(recurrences=10))
    world = SimulatedWorkload(pair, SCENARIOS[scenario])
    source = PolicyJob(earlier, "surrogate", SEED)
    simulate(earlier, source, SEED)
    simulate(earlier, ServedJob(server, earlier, "surrogate", prefix), SEED)
    served_job = ServedJob(server, world, "surrogate", prefix)
    simulated = simulate(world, PolicyJob(world, "surrogate", SEED, source.hand_on(world)), SEED)
    served = simulate(world, served_job, SEED)

    assert served_job.began_with_another
    assert served == simulated
    assert served != simulate(world, PolicyJob(world, "surrogate", SEED), SEED)
