"""The method of the optimizer that logs a run to experiment trackers."""

from __future__ import annotations

from zeus_bso.client.connection.api import Api
from zeus_bso.client.interruption import Interruptible
from zeus_bso.client.meter import Meter
from zeus_bso.client.stop_rules import JobRules
from zeus_bso.client.tracking.trackers import Trackers
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.cost import zeus_cost
from zeus_bso.protocol.job_spec import JobSpec
from zeus_bso.protocol.messages import ReportResponse


class LogsToTrackers(Interruptible):
    """A run that can be logged to experiment trackers."""

    job: JobSpec
    job_id: str | None
    current_batch_size: int | None
    trial_number: int | None
    rank: int
    run_id: str
    _api: Api
    _rules: JobRules
    _trackers: Trackers
    _meter: Meter
    _guard: TrainingGuard
    training_finished: bool

    def log_to(self, target: object) -> None:
        """Log the run to an experiment tracker: its batch size as config, each evaluation, and its end as summary.

        Call it once per tracker, at best before :meth:`get_batch_size`, because only then it can log why the batch size
        was chosen. Only rank 0 logs. A tracker neither ends nor delays the training. Its first error is logged.

        Args:
            target: A run of W&B (``wandb.run``), the module ``mlflow``, a ``SummaryWriter`` of TensorBoard, or a
                function. A function is called in another thread, with what happened (``"config"``, ``"evaluation"`` or
                ``"summary"``) and a dict of values.
        """
        if self.rank == 0 and not self._is_silent:
            self._trackers.transport = self._api.transport
            self._log_trial()
            self._trackers.add(target)

    def __repr__(self) -> str:
        """The job, the trial and its batch size, as far as they are known."""
        size = "no batch size yet" if self.current_batch_size is None else f"batch size {self.current_batch_size}"
        trial = "" if self.trial_number is None else f", trial {self.trial_number}"
        return f"<{type(self).__name__} of {self.job_id or self.job.job_id_prefix}{trial}, {size}, {self._stage()}>"

    def _stage(self) -> str:
        if self.training_finished:
            return "finished"
        return f"{self._live.epoch} epochs trained" if self._live.epoch else "not trained yet"

    def _told(self, said: ReportResponse | None) -> ReportResponse | None:
        """Tell the person who launched the script how the run has ended."""
        if said is None or not said.stop_train:
            return said
        run, rules, meter = self._live.run, self._rules, self._meter
        cost_j = zeus_cost(meter.energy_j, meter.time_s, rules.eta_knob, rules.max_power_w)
        with self._guard("say how the run ended"):
            return self._trackers.note_end(said, cost_j, away=not self._live.reported or (run is not None and run.away))
        return said

    def _log_trial(self) -> None:
        """Log the trial, if it is known."""
        if self.current_batch_size is None:
            return
        trial = {
            "job_id": self.job_id,
            "run_id": self.run_id,
            "trial_number": self.trial_number,
            "batch_size": self.current_batch_size,
            "default_batch_size": self.job.default_batch_size,
        }
        self._trackers.asked(trial, self._rules)
