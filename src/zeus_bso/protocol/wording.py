"""Words for people, on pages, in tables and in sentences. The API and JSON keep the terms of the protocol."""

from __future__ import annotations

from collections.abc import Mapping

from zeus_bso.protocol.words import EnergySource, FailReason, Outcome, TrialType
from zeus_bso.units import counted, plain

SOURCES = {
    EnergySource.COUNTER: "energy counters",
    EnergySource.POWER: "power readings",
    EnergySource.RAPL: "RAPL counters",
    EnergySource.ESTIMATE: "an estimate",
    EnergySource.PARTIAL: "partial readings",
}
"""What an energy comes from."""

OUTCOMES = {
    Outcome.CONVERGED: "converged",
    Outcome.TARGET_MISSED: "missed the target",
    Outcome.COST_BOUND: "stopped: too dear",
    Outcome.CURVE_STOP: "stopped: learning too slowly",
    Outcome.DIVERGED: "diverged",
}
REASONS = {
    FailReason.EXPIRED: "given up",
    FailReason.PREEMPTED: "preempted",
    FailReason.CANCELLED: "cancelled",
    FailReason.ERROR: "crashed",
    FailReason.OOM: "out of memory",
}
TYPES = {
    TrialType.EXPLORATION: "exploring",
    TrialType.CONCURRENT: "concurrent",
    TrialType.MAB: "by belief",
}

_SOURCES_NAMED = 2
RETIREMENTS = {"unconverged": "it did not converge", "failures": "it kept failing", "oom": "out of memory"}
"""Why a batch size is not given any more."""

NOT_LEARNT = "Not learnt from:"
"""Begins the reason in the message of a run that the job has not learnt from."""


def why_left_out(source: EnergySource | None, of_job: EnergySource | None) -> str | None:
    """Why an ended run is compared with no other run of its job. None if it is compared.

    Args:
        source: Source of the energy of the run.
        of_job: Source of the energy of the job's runs.
    """
    if source is EnergySource.PARTIAL:
        return "too much of its energy could not be measured; the training's log says why"
    if source is None or of_job is None or source is of_job:
        return None
    return f"its energy comes from {SOURCES[source]}, the job's from {SOURCES[of_job]}"


def left_out_runs(runs: Mapping[EnergySource, int], of_job: EnergySource | None) -> str | None:
    """A sentence on the runs of a job that were not learnt from. None if there are none.

    Args:
        runs: Number of these runs by the source of their energy.
        of_job: Source of the energy of the job's other runs.
    """
    total = sum(runs.values())
    if not total:
        return None
    parts = [f"{SOURCES[source]} ({number})" for source, number in sorted(runs.items(), key=lambda each: -each[1])]
    those = f"{counted(total, 'run')} {'is' if total == 1 else 'are'} not learnt from and not compared"
    ours = f", the job's from {SOURCES[of_job]}" if of_job else ""
    return f"{those}: the energy comes from {', '.join(parts)}{ours}."


def began_with(job_id: str | None, runs: int, *, identical: bool, in_use: bool) -> str:
    """A sentence on the job with whose results another job began.

    Args:
        job_id: Id of the former job, or None if it is not to be told.
        runs: Number of its runs.
        identical: Whether both have the same task.
        in_use: Whether the settings of the new job still let it believe them.
    """
    task = "the same task" if identical else "a similar task"
    whose = f"job {job_id}" if job_id else "another job"
    begun = f"It began with the results of {whose}, {counted(runs, 'run')} of {task}"
    doubt = "it believes them less and less, the more its own runs differ"
    return f"{begun}; {doubt if in_use else 'its policy option transfer=false leaves them out'}."


def past_runs(sources: Mapping[str, int]) -> str | None:
    """A sentence on the past runs that a job was told of. None if there are none.

    Args:
        sources: Number of these runs by their source.
    """
    total = sum(sources.values())
    if not total:
        return None
    named = list(sources)[:_SOURCES_NAMED]
    more = len(sources) - len(named)
    where = f"{', '.join(named)} and {counted(more, 'other source')}" if more else " and ".join(named)
    return plain(f"{counted(total, 'past run')} from {where} {'is' if total == 1 else 'are'} known.")


def state_of(outcome: Outcome | None, reason: FailReason | None) -> str:
    """The state of a trial, from its outcome or from the reason why it has none."""
    if outcome is not None:
        return OUTCOMES[outcome]
    return "running" if reason is None else REASONS[reason]


def end_of(outcome_or_reason: str) -> str:
    """How a trial has ended, from the term of the protocol."""
    outcomes = {outcome.value: words for outcome, words in OUTCOMES.items()}
    reasons = {reason.value: words for reason, words in REASONS.items()}
    return (outcomes | reasons)[outcome_or_reason]


def stage_of(*, exploring: bool) -> str:
    """The stage of a job."""
    return "exploring" if exploring else "settled"


def not_given_because(retirement: str, converged: int = 0) -> str:
    """That a batch size is not given any more, and why. The server may be newer and know more reasons.

    Args:
        retirement: The reason.
        converged: How many of its runs have converged.
    """
    why = "it no longer converges" if converged and retirement == "unconverged" else RETIREMENTS.get(retirement)
    return f"not given again: {why or retirement}"
