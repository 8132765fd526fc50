"""What the service is asked to write; each command validates its arguments."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator

from zeus_bso.policy.state import SizeState
from zeus_bso.server.batch_size_state.commands import SavePowerProfile
from zeus_bso.server.batch_size_state.models import Trial
from zeus_bso.server.job.models import JobState


class SaveChanges(BaseModel):
    """Write what an event has changed: each row at most once.

    Attributes:
        job_id: The job.
        state: The job's row; None: it is as it was.
        sizes: States of batch sizes that have changed.
        begun: A new trial.
        trials: Trials that have changed.
        reported: A trial that has told of a new epoch.
        rewound: Number of a trial, and the epoch beyond which its reports were discarded.
        power_profile: What is known about a batch size at each power limit, if that has changed.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    state: JobState | None
    sizes: tuple[SizeState, ...]
    begun: Trial | None
    trials: tuple[Trial, ...]
    reported: Trial | None
    rewound: tuple[int, int] | None
    power_profile: SavePowerProfile | None

    @property
    def changes_sums(self) -> bool:
        """Whether sums over the job's ended trials may have changed, or what power limits have saved."""
        return self.power_profile is not None or any(not trial.open for trial in self.trials)

    @model_validator(mode="after")
    def _a_new_trial_is_counted(self) -> SaveChanges:
        if self.begun is not None and (self.state is None or self.state.last_trial_number != self.begun.trial_number):
            raise ValueError("a new trial is the job's latest")
        return self
