"""Read models for the templates: the content of each page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zeus_bso.policy.explanation import Explanation
from zeus_bso.protocol.job_spec import IDENTITY_FIELDS, SETTINGS_OF_POLICIES
from zeus_bso.protocol.savings_views import FleetSavings, JobSavings
from zeus_bso.protocol.views import JobSummary, JobView, PowerProfileView
from zeus_bso.protocol.wording import stage_of
from zeus_bso.protocol.words import INT32_MAX
from zeus_bso.server.dashboard.all_jobs import ReachableJobs
from zeus_bso.server.dashboard.palette import shades
from zeus_bso.server.dashboard.queries import TrialFilter, TrialPage, TrialRow
from zeus_bso.server.dashboard.reader import Reader
from zeus_bso.server.overview import job_savings

JOBS_ON_A_PAGE = 50
TRIALS_ON_A_PAGE = 25
RUNNING_SHOWN = 20
DEFAULT_SORT = "-energy"

_Key = Callable[[JobSummary], str | float | None]


def _saved(quantity: str) -> _Key:
    def key(job: JobSummary) -> float | None:
        amount = getattr(job.savings, quantity, None)
        return None if amount is None else amount.saved

    return key


SORT_KEYS: dict[str, _Key] = {
    "job": lambda job: job.job_id.casefold(),
    "stage": lambda job: stage_of(exploring=job.exploring),
    "policy": lambda job: job.policy,
    "gpu": lambda job: f"{job.gpu_model.casefold()}{job.number_of_gpus:10d}",
    "runs": lambda job: job.trials,
    "running": lambda job: job.open_trials,
    "size": lambda job: job.chosen_batch_size,
    "energy": _saved("energy"),
    "time": _saved("time"),
    "money": _saved("money"),
    "co2e": _saved("co2e_kg"),
    "active": lambda job: job.updated_at,
}
"""The keys by which the list of jobs can be sorted. A minus before the name reverses the order."""


@dataclass(frozen=True, slots=True)
class JobsPage:
    """One page of the list of jobs.

    Attributes:
        jobs: The jobs of this page.
        all_jobs: Number of all jobs.
        found: Number of jobs that match the search.
        running: Number of running trials of all jobs.
        search: The text that was searched for.
        sort: The key by which the list is sorted.
        number: Number of this page, from 1.
        last: Number of the last page.
        only_alarmed: Whether the list has only jobs of which no run converges lately.
        with_money: Whether a price of electricity is set.
        with_co2e: Whether a carbon intensity is set.
    """

    jobs: list[JobSummary]
    all_jobs: int
    found: int
    running: int
    search: str
    sort: str
    number: int
    last: int
    only_alarmed: bool
    with_money: bool
    with_co2e: bool


@dataclass(frozen=True, slots=True)
class TrialsTable:
    """One page of a job's trials, the newest first.

    Attributes:
        before: The page lists trials with numbers below this one. None for the newest trials.
        older: The next page lists trials with numbers below this one. None if this is the last page.
    """

    rows: list[TrialRow]
    before: int | None
    older: int | None
    batch_size: int | None
    state: TrialFilter | None


@dataclass(frozen=True, slots=True)
class JobPage:
    """One job.

    Attributes:
        next: The trial that the next ask would get now.
        running: The open trials.
        shades: The shades of the batch sizes.
        costs_j: Cost so far of each trial on the page, by trial number [J].
        limits: What is known about batch sizes at each power limit.
        with_limits: Whether a trial on the page trains at a power limit of its own.
        identity: The fields of the spec that identify the job.
        settings: The other fields, without those that only another policy reads.
    """

    job: JobView
    savings: JobSavings
    next: Explanation
    running: list[TrialRow]
    trials: TrialsTable
    shades: dict[int, int]
    costs_j: dict[int, float]
    limits: dict[int, PowerProfileView]
    with_limits: bool
    identity: dict[str, object]
    settings: dict[str, object]


@dataclass(frozen=True, slots=True)
class FleetPage:
    """All jobs together.

    Attributes:
        savings: The savings of all jobs together.
        running: Number of running trials.
        trials: Number of all trials.
        exploring: Number of jobs that have not settled on a batch size.
        by_gpu: Number of jobs, number of trials and saved energy [J] of each GPU model.
    """

    savings: FleetSavings
    running: int
    trials: int
    exploring: int
    by_gpu: list[tuple[str, int, int, float | None]]


def jobs_page(reachable: ReachableJobs, *, search: str, sort: str, number: int, only_alarmed: bool = False) -> JobsPage:
    """One page of the list of jobs. An unknown sort key gives the default order."""
    jobs = [line.summary for line in reachable.lines]
    wanted = search.strip().casefold()
    found = [
        job
        for job in jobs
        if wanted in f"{job.job_id} {job.gpu_model} {job.policy} {stage_of(exploring=job.exploring)}".casefold()
        and (not only_alarmed or (job.savings and job.savings.alarm))
    ]
    sort = sort if sort.removeprefix("-") in SORT_KEYS else DEFAULT_SORT
    last = max(1, -(-len(found) // JOBS_ON_A_PAGE))
    number = min(max(1, number), last)
    begin = (number - 1) * JOBS_ON_A_PAGE
    return JobsPage(
        jobs=sorted_jobs(found, sort)[begin : begin + JOBS_ON_A_PAGE],
        all_jobs=len(jobs),
        found=len(found),
        running=sum(job.open_trials for job in jobs),
        search=search,
        sort=sort,
        number=number,
        last=last,
        only_alarmed=only_alarmed,
        with_money=any(job.savings and job.savings.money for job in jobs),
        with_co2e=any(job.savings and job.savings.co2e_kg for job in jobs),
    )


def sorted_jobs(jobs: list[JobSummary], sort: str) -> list[JobSummary]:
    """Sort jobs. Jobs without a figure come last in either direction, and ties are sorted by job id."""
    key = SORT_KEYS[sort.removeprefix("-")]
    keyed = [(key(job), job) for job in sorted(jobs, key=lambda job: job.job_id)]
    with_figure = [(value, job) for value, job in keyed if value is not None]
    with_figure.sort(key=lambda pair: pair[0], reverse=sort.startswith("-"))
    return [job for _, job in with_figure] + [job for value, job in keyed if value is None]


def job_page(
    reader: Reader, job_id: str, *, before: int | None, batch_size: int | None, state: TrialFilter | None
) -> JobPage:
    """Read one job with a page of its trials.

    Raises:
        UnknownJobError: There is no such job.
    """
    job = reader.job(job_id)
    view = reader.overview.job(job_id)
    assert view.savings is not None
    trials = trials_table(
        reader,
        TrialPage(job_id, before=before or INT32_MAX, batch_size=batch_size, state=state, limit=TRIALS_ON_A_PAGE),
    )
    running = reader.queries.trials(TrialPage(job_id, state="running", limit=RUNNING_SHOWN))
    of_others = {name for policy, names in SETTINGS_OF_POLICIES.items() if policy != view.policy for name in names}
    spec = view.spec.model_dump(mode="json", exclude={"job_id", *of_others})
    return JobPage(
        job=view,
        savings=view.savings,
        next=reader.explain(job),
        running=running,
        trials=trials,
        shades=shades(view.spec.batch_sizes),
        costs_j={
            row.trial_number: job.cost(row.energy, row.time) if row.cost is None else row.cost
            for row in (*trials.rows, *running)
        },
        limits={profile.batch_size: profile for profile in view.power_profiles},
        with_limits=any(row.power_limit is not None for row in trials.rows),
        identity={name: value for name, value in spec.items() if name in IDENTITY_FIELDS},
        settings={name: value for name, value in spec.items() if name not in IDENTITY_FIELDS},
    )


def trials_table(reader: Reader, page: TrialPage) -> TrialsTable:
    """Read one page of a job's trials."""
    rows = reader.queries.trials(page)
    older = rows[page.limit - 1].trial_number if len(rows) > page.limit else None
    before = None if page.before == INT32_MAX else page.before
    return TrialsTable(rows[: page.limit], before, older, page.batch_size, page.state)


def fleet_page(reachable: ReachableJobs) -> FleetPage:
    """All jobs together."""
    jobs = [line.summary for line in reachable.lines]
    models: dict[str, list[JobSummary]] = {}
    for job in jobs:
        models.setdefault(job.gpu_model, []).append(job)
    by_gpu = []
    for model, of_model in sorted(models.items()):
        saved = [job.savings.energy.saved for job in of_model if job.savings and job.savings.energy]
        by_gpu.append((model, len(of_model), sum(job.trials for job in of_model), sum(saved) if saved else None))
    totals = [line.totals for line in reachable.lines]
    return FleetPage(
        savings=job_savings.fleet_savings(totals, reachable.prices),
        running=sum(job.open_trials for job in jobs),
        trials=sum(job.trials for job in jobs),
        exploring=sum(job.exploring for job in jobs),
        by_gpu=by_gpu,
    )
