"""The messages of the API about what jobs save.

Units: time in seconds, energy in joules; timestamps are ISO 8601 in UTC.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from zeus_bso.protocol.words import EnergySource


class SavedView(BaseModel):
    """The saving of one quantity against the default batch size. See :mod:`zeus_bso.savings` for the formula.

    Attributes:
        saved: The saved amount. A negative amount is a loss so far.
        low: Lower end of the 95 % interval.
        high: Upper end of the interval.
        spent: Everything that was used.
        lost: The part of ``spent`` that delivered no model: stopped and failed runs, and discarded work.
        per_default_run: Mean of the default size's converged runs.
        fraction: ``saved`` as a fraction of what the default size would have used.
        by_sizes: The part of ``saved`` that is due to the batch sizes.
        by_limits: The part that is due to power limits, less the cost of measuring them.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    saved: float
    low: float
    high: float
    spent: float
    lost: float
    per_default_run: float
    fraction: float
    by_sizes: float = 0.0
    by_limits: float = 0.0

    @property
    def is_zero(self) -> bool:
        """Whether nothing but the default size was used, up to rounding."""
        return max(map(abs, (self.saved, self.low, self.high, self.by_limits))) <= 1e-9 * self.spent


class SavedAmount(BaseModel):
    """A saved amount with its 95 % interval.

    Attributes:
        saved: The saved amount. A negative amount is a loss so far.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    saved: float
    low: float
    high: float

    @property
    def is_zero(self) -> bool:
        """Whether nothing is saved or lost, and that is certain."""
        return self.saved == self.low == self.high == 0


class RunCounts(BaseModel):
    """Numbers of the ended runs behind a saving.

    Attributes:
        converged: Runs that delivered a model.
        unconverged: Runs that were decided without converging. They count as pure cost.
        failed: Runs that ended without a decision. They count as pure cost.
        left_out: Runs with another energy source than the job's. They are not compared.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    converged: int
    unconverged: int
    failed: int
    left_out: int


class Savings(BaseModel):
    """Savings. Every figure is null until there is enough data.

    Attributes:
        energy: Saved energy [J].
        time: Saved time [s].
        energy_kwh: Saved energy [kWh].
        money: Price of the saved energy in ``currency``. It is also null if no price is set.
        co2e_kg: Emissions of the saved energy [kg CO2e]. They are also null if no carbon intensity is set.
        currency: Currency of ``money``.
        runs: The runs behind the figures.
        estimated: Whether some of the energy was estimated instead of measured.
        message: One sentence with the figure and its baseline, or with the reason why there is none.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    energy: SavedView | None
    time: SavedView | None
    energy_kwh: SavedAmount | None
    money: SavedAmount | None
    co2e_kg: SavedAmount | None
    currency: str
    runs: RunCounts
    estimated: bool
    message: str


class JobSavings(Savings):
    """The savings of a job.

    Attributes:
        job_id: The job.
        energy_source: Source of the job's energy readings. Null before the first.
        cost: Saved cost [J].
        baseline_batch_size: The default batch size, with which all runs are compared.
        baseline_runs: Number of its converged runs, past runs among them.
        baseline_past_runs: Number of past runs among those.
        baseline_last_at: Time when the latest of them ended. Null before the first, and where it is not known.
        alarm: A sentence that says that none of the latest runs converged. Null if there is no alarm.
    """

    job_id: str
    cost: SavedView | None
    baseline_batch_size: int
    baseline_runs: int
    baseline_past_runs: int = 0
    baseline_last_at: str | None
    energy_source: EnergySource | None
    alarm: str | None


class FleetSavings(Savings):
    """The savings of all jobs together.

    Attributes:
        jobs: Number of all jobs.
        compared_jobs: Number of jobs with a figure. The totals cover these jobs.
        estimated_jobs: Number of jobs whose energy is an estimate.
        alarmed_jobs: Number of jobs with an alarm.
        spent_energy: Energy that the runs of all jobs used, compared or not [J].
        spent_time: Time that these runs took [s].
    """

    jobs: int
    compared_jobs: int
    estimated_jobs: int
    alarmed_jobs: int
    spent_energy: float
    spent_time: float


class SavingsPoint(BaseModel):
    """The savings at the end of a run, against the current baseline.

    Attributes:
        trial_number: Trial number of the run.
        batch_size: Batch size of the run.
        ended_at: Time when the run ended.
        energy_kwh: Saved energy up to then [kWh].
        time: Saved time up to then [s].
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    trial_number: int
    batch_size: int
    ended_at: str
    energy_kwh: SavedAmount
    time: SavedAmount
