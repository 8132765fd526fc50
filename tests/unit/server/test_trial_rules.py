"""One table is the life of a trial, and its rules keep to it: on a job in memory, which the simulator uses too."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.support.jobs import spec
from tests.support.trial_diagram import drawn, picture

import zeus_bso
from zeus_bso.exceptions import SupersededError
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.messages import AskForTrial, Checkpoint, Heartbeat, TrainingResult, TrialEnd
from zeus_bso.protocol.words import FailReason
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.services import trial_rules
from zeus_bso.server.services.job_rules import run_of
from zeus_bso.server.services.trial_rules import (
    TRANSITIONS,
    Decision,
    Event,
    Step,
    TrialState,
    state_of,
    transition_of,
)
from zeus_bso.simulator.job_in_memory import JobInMemory

RNG = np.random.default_rng(0)
CASES = pytest.mark.parametrize(
    ("state", "event"), [(state, event) for state in TrialState for event in Event], ids=lambda case: case.name
)

Act = Callable[[JobInMemory], Decision]


class Job:
    """A job with one trial, which a process of a run has asked for."""

    def __init__(self) -> None:
        self.rows = JobInMemory(JobSpecFromClient.model_validate(spec()))
        self.do(lambda rows: trial_rules.ask(rows.load(), ask(), RNG))

    @property
    def trial(self) -> Trial:
        return self.rows.trials[1]

    def do(self, act: Act) -> Decision:
        """Let an event happen, and save what it decides."""
        decision = act(self.rows)
        self.rows.save(decision.job)
        return decision


def ask(instance: str = "first", checkpoint: Checkpoint | None = None) -> AskForTrial:
    return AskForTrial(job_id="job", run_id="run", instance=instance, checkpoint=checkpoint)


def report(instance: str = "first", **told: object) -> Act:
    def act(rows: JobInMemory) -> Decision:
        given = {"time": 10.0, "energy": 100.0, "metric": 0.1, "current_epoch": 7, "instance": instance}
        trial = rows.trials[1]
        result = TrainingResult.model_validate(name_of(trial) | given | told)
        return trial_rules.report(rows.load(), trial, result)

    return act


def beat(instance: str = "first") -> Act:
    return lambda rows: trial_rules.heartbeat(
        rows.load(), rows.trials[1], Heartbeat.model_validate(name_of(rows.trials[1]) | {"instance": instance})
    )


def end(reason: FailReason, instance: str = "first") -> Act:
    return lambda rows: trial_rules.end(
        rows.load(),
        rows.trials[1],
        TrialEnd.model_validate(name_of(rows.trials[1]) | {"reason": reason, "instance": instance}),
    )


def asks(instance: str = "first", checkpoint: Checkpoint | None = None) -> Act:
    return lambda rows: trial_rules.ask(rows.load(), ask(instance, checkpoint), RNG)


def happened(job: Job, act: Act) -> Step:
    """What was done about an event."""
    try:
        return job.do(act).step
    except SupersededError:
        return Step.REFUSE


def lease_ends(rows: JobInMemory) -> Decision:
    """Another run asks, long after."""
    rows.state = replace(rows.state, read_at=rows.state.read_at + timedelta(days=1000))
    decision = trial_rules.ask(rows.load(), AskForTrial(job_id="job"), RNG)
    rows.save(decision.job)
    return Decision(decision.job, rows.trials[1], Step.KEEP)


def name_of(trial: Trial) -> dict[str, object]:
    return {"job_id": "job", "batch_size": trial.batch_size, "trial_number": trial.trial_number}


BECOMES: dict[TrialState, list[Act]] = {
    TrialState.OPEN: [lambda rows: trial_rules.ask(rows.load(), ask(), RNG)],
    TrialState.CONVERGED: [report(metric=1.0)],
    TrialState.UNCONVERGED: [report(final=True)],
    TrialState.LOST: [lease_ends, end(FailReason.CANCELLED)],
    TrialState.PREEMPTED: [end(FailReason.PREEMPTED)],
    TrialState.CRASHED: [end(FailReason.ERROR)],
    TrialState.OUT_OF_MEMORY: [end(FailReason.OOM)],
}
"""What brings a trial that runs into each state."""

ENDS = (FailReason.CANCELLED, FailReason.PREEMPTED, FailReason.ERROR, FailReason.OOM)
HAPPENS: dict[Event, list[Act]] = {
    Event.ASK: [asks(), asks("second"), asks("second", Checkpoint(trial_number=1))],
    Event.REPORT: [report(), report(metric=1.0, current_epoch=8), report(final=True)],
    Event.HEARTBEAT: [beat()],
    Event.END: [end(reason) for reason in ENDS],
    Event.LEASE_END: [lease_ends],
    Event.SUPERSEDED: [report("former"), beat("former"), *(end(reason, "former") for reason in ENDS)],
}


def lives(state: TrialState, event: Event) -> Iterator[tuple[Job, Act]]:
    """Trials in a state, each with an event that happens to it; the third silent end of a size is among them."""
    for become in BECOMES[state]:
        for act in HAPPENS[event]:
            for silent_ends in (0, 2):
                job = Job()
                job.do(become)
                size = job.rows.states[job.trial.batch_size]
                job.rows.states = {**job.rows.states, size.batch_size: replace(size, no_result_in_row=silent_ends)}
                yield job, act


@CASES
def test_every_state_and_event_has_one_entry(state: TrialState, event: Event) -> None:
    assert len([each for each in TRANSITIONS if each.event is event and state in each.states]) == 1


@CASES
def test_an_event_makes_of_a_trial_what_the_table_says_and_all_of_it(state: TrialState, event: Event) -> None:
    (entry,) = [each for each in TRANSITIONS if each.event is event and state in each.states]
    reached = set()
    for job, act in lives(state, event):
        assert state_of(job.trial) is state
        assert transition_of(job.trial, event) is entry
        step = happened(job, act)
        assert (step is Step.REFUSE) == (entry.step is Step.REFUSE)
        # The ask of another run ends a lease; a report may be no news; a reason may be too weak; a size may be retired.
        assert event is Event.LEASE_END or step in (entry.step, Step.RENEW, Step.KEEP, Step.BEGIN)
        reached.add(state_of(job.trial))

    assert reached | {state} == {state, *entry.to}


@pytest.mark.parametrize("state", list(TrialState))
def test_what_the_table_leaves_is_left_to_the_last_field(state: TrialState) -> None:
    for event in Event:
        for job, act in lives(state, event):
            before = job.trial
            if transition_of(before, event).step is Step.KEEP:
                job.do(act)
                assert job.trial == before


@pytest.mark.parametrize("step", list(Step))
def test_every_step_is_taken_somewhere(step: Step) -> None:
    assert [each for each in TRANSITIONS if each.step is step]


def test_a_failed_trial_is_heard_of_again_unless_memory_ran_out() -> None:
    for state in (TrialState.LOST, TrialState.PREEMPTED, TrialState.CRASHED):
        job = Job()
        job.do(BECOMES[state][0])
        job.do(report())
        assert job.trial.open
    job = Job()
    job.do(end(FailReason.OOM))
    job.do(report())
    assert not job.trial.open


def test_out_of_memory_counts_in_whatever_generation_the_trial_was_begun() -> None:
    job = Job()
    job.rows.state = replace(job.rows.state, progress=replace(job.rows.state.progress, generation=2))
    job.do(end(FailReason.OOM))

    assert [size for size, state in job.rows.states.items() if state.retired] == [16, 32, 64]


@pytest.mark.parametrize(("limit_w", "share"), [(None, 0.25), (50.0, 0.5), (400.0, 0.25)])
def test_a_run_at_a_power_limit_is_compared_with_that_limit(limit_w: float | None, share: float) -> None:
    """A low limit is no sign that the batch leaves the GPU idle."""
    job = Job()
    rows = JobInMemory(JobSpecFromClient.model_validate(spec() | {"max_power": 100.0, "number_of_gpus": 1}))
    told = {"time": 10.0, "energy": 250.0, "metric": 0.1, "current_epoch": 7, "power_limit": limit_w}
    result = TrainingResult.model_validate(name_of(job.trial) | told)
    run = run_of(rows.load(), job.trial, result, time=10.0, energy=250.0)

    assert run.power_share == pytest.approx(share)


def test_the_picture_in_the_docs_is_the_table() -> None:
    assert drawn() == picture(), "run: python -m tests.support.trial_diagram"


SOURCE = Path(zeus_bso.__file__).parent
RULES = SOURCE / "server" / "services" / "trial_rules.py"
ROWS = SOURCE / "server" / "batch_size_state" / "trial_rows.py"
PAST = SOURCE / "server" / "services" / "past_run_rules.py"
"""A past run has an outcome too, though it never was a trial."""
SHOWN = {
    SOURCE / "server" / "batch_size_state" / "models.py",
    SOURCE / "server" / "database" / "trial_status.py",
}
"""Where a trial whose lease has ended is shown as the rules will write it in the next ask."""
STATES = {"TrialStatus", "Outcome", "FailReason"}
ACCIDENT = "self._decider.fail(trial, FailReason.ERROR)"
"""What the simulator lets happen to a run."""


def modules() -> list[Path]:
    found = [path for part in ("server", "simulator") for path in sorted((SOURCE / part).rglob("*.py"))]
    return [path for path in found if path not in SHOWN]


def assigned(tree: ast.Module) -> set[str]:
    """Fields of a trial's state that a call of ``replace`` or ``Trial`` sets."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if ast.unparse(call.func) in ("replace", "Trial")]
    return {str(word.arg) for call in made for word in call.keywords} & {"status", "outcome", "reason", "ended_at"}


def named(tree: ast.Module) -> set[str]:
    """Names of states, outcomes and reasons that stand anywhere but in a comparison or a key to look up."""
    keys = [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys if key is not None]
    comparisons = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    compared = {id(part) for node in (*comparisons, *keys) for part in ast.walk(node)} | {
        id(part) for node in ast.walk(tree) if ast.unparse(node) == ACCIDENT for part in ast.walk(node)
    }
    return {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in STATES
        and id(node) not in compared
    }


def test_transitions_stand_in_the_rules_alone() -> None:
    assert assigned(ast.parse(RULES.read_text())) == {"status", "outcome", "reason", "ended_at"}
    elsewhere = {
        str(path): assigned(ast.parse(path.read_text())) for path in modules() if path not in (RULES, ROWS, PAST)
    }
    assert {name: found for name, found in elsewhere.items() if found} == {}


def test_what_a_trial_has_come_to_is_only_compared_elsewhere() -> None:
    assert len(named(ast.parse(RULES.read_text()))) > 3
    elsewhere = {str(path): named(ast.parse(path.read_text())) for path in modules() if path not in (RULES, PAST)}
    assert {name: found for name, found in elsewhere.items() if found} == {}
