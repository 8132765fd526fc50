"""The client's public class. It asks for a batch size, reports each evaluation, and says when to stop."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Literal, SupportsFloat

from zeus_bso.client.arguments import Options, given_job
from zeus_bso.client.callback import ReferenceCallback
from zeus_bso.client.connection.api import Api
from zeus_bso.client.connection.connect import transport_for
from zeus_bso.client.copies import SharedByCopies
from zeus_bso.client.distributed import TIMEOUT_S, Ranks
from zeus_bso.client.end_reasons import is_imported_by_child
from zeus_bso.client.job_registration import known_job, rules_of
from zeus_bso.client.launch import AskResult, Launch
from zeus_bso.client.launcher import shorten_failures
from zeus_bso.client.live_run import RESULT_S, LiveRun, warn_of_failure
from zeus_bso.client.meter import Meter, number
from zeus_bso.client.power.control import control_of, no_control
from zeus_bso.client.power.step_hooks import StepHooks
from zeus_bso.client.resume import SavedRun, run_id_of
from zeus_bso.client.run_id import named_run_id
from zeus_bso.client.scaling import ScalesWithBatchSize
from zeus_bso.client.single_process import SingleProcess
from zeus_bso.client.stop_rules import JobRules, LocalStopRules
from zeus_bso.client.tracking.log_to import LogsToTrackers
from zeus_bso.client.tracking.trackers import Trackers
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.client.training_run import UnreportedRun
from zeus_bso.exceptions import (
    ZeusBSOOrderError,
    ZeusBSOServerUnreachableError,
    ZeusBSOTrainFailError,
)
from zeus_bso.monitor.adapters.codecarbon import TaskTracker
from zeus_bso.monitor.interface import Monitor
from zeus_bso.protocol.job_spec import JobSpec
from zeus_bso.protocol.messages import ReportResponse, TrialId
from zeus_bso.protocol.transport import Transport

logger = logging.getLogger("zeus_bso")


class BatchSizeOptimizer(LogsToTrackers, ScalesWithBatchSize, StepHooks, ReferenceCallback, SharedByCopies):
    """Gives a recurring training job its batch size, and learns from how the run went.

    The constructor and :meth:`get_batch_size` raise an error if something is set up wrongly. Once training has begun,
    only two errors can occur: :class:`ZeusBSOTrainFailError`, if the run failed to converge, and
    :class:`ZeusBSOOrderError`. A server that fails costs the training nothing but a line in the log.

    The optimizer notices the end of the run: the interpreter's exit, an exception, SIGTERM or SIGHUP. With
    ``with BatchSizeOptimizer(...) as bso:`` the run ends with the block.

    Args:
        monitor: The energy monitor: a :class:`zeus_bso.EnergyMonitor`, the ``zeus`` package's ``ZeusMonitor``, or a
            CodeCarbon tracker.
        server_url: ``http(s)://host:port`` of a server, or ``sqlite:///path`` for a server in this process. Default:
            the environment variable ``ZEUS_BSO_SERVER_URL``.
        job: The recurring job. Required.
        rank: The rank of this process. Rank 0 registers the job and asks for the batch size. On the other ranks, the
            script sets ``current_batch_size`` and ``trial_number``.
        token: The server's token. Default: user info in the URL, then the environment variable ``ZEUS_BSO_TOKEN``, then
            the file in ``ZEUS_BSO_TOKEN_FILE``.
        run_id: Name of this recurrence. Asking again with the same run id gives the same trial. ``"slurm"``,
            ``"torchelastic"`` and ``"kubernetes"`` use the scheduler's name. Default: the environment variable
            ``ZEUS_BSO_RUN_ID``, then the run id in ``resume``, then a fresh one.
        resume: The result of :meth:`state_dict`, from which the run goes on. The optimizer ignores the state of a
            finished trial or of another job, and logs that.
        heartbeat_s: Time between two heartbeats [s]. None to send no heartbeats.
        on_unreachable: What to do if no server answers before training: raise an error, or train unreported with the
            default batch size.
        on_fail: What to do if the run failed to converge: raise an error, or only set ``training_finished``.
        on_spec_change: What to do if ``job_id`` names a job with other settings: raise an error, or update them.
        distributed: Whether every rank builds an optimizer and calls all its methods. Rank 0 talks to the server, and
            all ranks get the same size, decisions and errors. Needs PyTorch and ``torchrun``, or an initialised process
            group.
        distributed_timeout_s: How long ranks wait for each other at most [s].
        transport: A transport to use in place of ``server_url``, for tests.

    Attributes:
        job_id: The job id on the server.
        current_batch_size: The batch size to train with. None before it is known.
        trial_number: The trial's number in its job. None before it is known, and in an unreported run.
        training_finished: Whether training is over, because the target was reached or the run was stopped.
        resumed: Whether the run goes on from ``resume``. Known once the batch size is known.

    Raises:
        ZeusBSOServerUnreachableError: No server answers. The message says how to start one.
        ZeusBSOSpecConflictError: Another spec already has this job id.
        ZeusBSORequestError: The server refuses the spec.
        ZeusBSOMonitorError: The monitor's devices cannot be identified.
        ZeusBSOConfigError: An argument is missing or wrong.
        ZeusBSODistributedError: A rank died, hangs, or has left the training. Any method may raise this error.

    Examples:
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor
        >>> job = JobSpec(job_id_prefix="nightly", batch_sizes=[32, 64], default_batch_size=64, target_metric=0.9)
        >>> with BatchSizeOptimizer(ReplayMonitor([(10.0, 500.0)] * 5), "sqlite:///jobs.db", job) as bso:
        ...     batch_size = bso.get_batch_size()
        ...     bso.on_train_begin()
        ...     bso.on_evaluate(0.95)  # in a training: after each epoch, until training_finished
        >>> batch_size, bso.training_finished
        (64, True)
    """

    def __init__(
        self,
        monitor: Monitor | TaskTracker,
        server_url: str | None = None,
        job: JobSpec | None = None,
        rank: int = 0,
        *,
        token: str | None = None,
        run_id: str | None = None,
        resume: Mapping[str, object] | None = None,
        heartbeat_s: float | None = 30.0,
        on_unreachable: Literal["raise", "default"] = "raise",
        on_fail: Literal["raise", "stop"] = "raise",
        on_spec_change: Literal["raise", "update"] = "raise",
        distributed: bool = False,
        distributed_timeout_s: float = TIMEOUT_S,
        transport: Transport | None = None,
    ) -> None:
        self._options = Options(heartbeat_s, on_unreachable, on_fail, on_spec_change)
        self.job = given_job(job)
        named = named_run_id(run_id) if rank == 0 else None
        saved = SavedRun.read(resume)
        self._imported_by_child = is_imported_by_child()
        self._ranks = (
            Ranks(distributed_timeout_s) if distributed and not self._imported_by_child else SingleProcess(rank)
        )
        self.rank = self._ranks.rank
        self.instance = uuid.uuid4().hex
        self.job_id: str | None = self.job.job_id
        self.current_batch_size: int | None = None
        self.trial_number: int | None = None
        self.training_finished = self.resumed = False
        self._pid = os.getpid()
        self._began = self._over = False
        self._rules: JobRules = rules_of(self.job)
        self._guard = TrainingGuard()
        shared = self._ranks.monitor(monitor)
        self._meter = Meter(shared, f"zeus-bso-{self.instance}")
        self._power = no_control(self._ranks, self._guard)
        self.run_id = run_id_of(named, saved)
        self._live = LiveRun(self._guard)
        self._trackers = Trackers(self._guard, self._live, self._meter)
        if self._imported_by_child:
            return
        self._owns_transport = transport is None
        self._api = Api(transport or self._ranks.transport(lambda: transport_for(server_url, token)))
        if self._owns_transport:
            self._live.on_release = self._api.transport.close
        self._launch = Launch(
            self._api,
            instance=self.instance if self.rank == 0 else None,
            heartbeat_s=heartbeat_s,
            run_id=self.run_id,
            named=named is not None,
            saved=saved,
            keeps=self._owns_transport,
        )
        self._register(shared, monitor)

    def __enter__(self) -> BatchSizeOptimizer:
        """Start a block. The run ends with the block."""
        self._live.in_block = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run. If an exception leaves the block, the run ends for the reason that the exception gives.

        Raises:
            ZeusBSOTrainFailError: The block ended before the run reached its target.
        """
        self._live.in_block = False
        if error is None:
            self._finish("__exit__")
        elif not self._is_silent:
            self._over = True
            warn_of_failure(self._live.finish(error))

    def get_batch_size(self, *, explore: bool = True) -> int:
        """Ask the server for the batch size to train with. Asking again gives the same size.

        Args:
            explore: Whether the run may try a size that is not known well yet. Otherwise it gets the best known size,
                or the default size while none is known.

        Raises:
            ZeusBSOServerUnreachableError: No server answers. The message says how to start one.
            ZeusBSORequestError: The server refuses the question.
            ZeusBSOOrderError: This process may not ask.
        """
        if self._imported_by_child:
            return self.job.default_batch_size
        if self.current_batch_size is None:
            if os.getpid() != self._pid:
                raise ZeusBSOOrderError("A forked process does not ask: build the BatchSizeOptimizer where you train.")
            self._ranks.call = "get_batch_size"
            self._ranks.check_asking()
            self._ask(explore=explore)
            self._log_trial()
        assert self.current_batch_size is not None
        return self.current_batch_size

    def on_train_begin(self) -> None:
        """Start to measure.

        Raises:
            ZeusBSOOrderError: The batch size is not known yet, or training has begun already.
        """
        if self._is_silent:
            return
        if self._began:
            raise ZeusBSOOrderError("on_train_begin was called twice; each run needs its own BatchSizeOptimizer.")
        if self._over:
            return
        if self._live.run is None:
            self._join()
        self._live.note_training()
        self._began = True
        self._ranks.call = "on_train_begin"
        self._power.begin()
        self._meter.open(self._guard)

    def on_evaluate(self, metric: SupportsFloat, epoch: int | None = None) -> None:
        """Report an evaluation. Afterwards ``training_finished`` says whether training is over.

        Args:
            metric: The validation metric: a number, or an array or tensor with one element.
            epoch: Number of complete epochs, for a script that does not evaluate once per epoch. Default: the number of
                evaluations.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge. Launch the script again.
            ZeusBSOOrderError: Training has not begun.
        """
        if self._is_silent or self._over:
            return
        if not self._began:
            raise ZeusBSOOrderError("on_evaluate was called before on_train_begin.")
        self._ranks.call = "on_evaluate"
        self._live.note_training()
        try:
            with self._guard("report the evaluation"):
                # Read the metric first: a device may still compute it, and that belongs to the window.
                own = number(metric, self._guard)
                self._power.begin_evaluation()
                value = self._ranks.share(lambda: own)
                self._meter.close(self._guard)
                if value is not None:
                    before = self._live.epoch
                    self._live.epoch = max(before, before + 1 if epoch is None else int(epoch))
                    self._power.end_evaluation(self._meter)
                    said = self._report(value)
                    self._trackers.evaluate(value)
                    self._apply(said)
        finally:
            if not self._over:
                self._meter.open(self._guard)

    def on_train_end(self) -> None:
        """End the run. A run that has not reached its target has missed it. A run without an evaluation is cancelled.

        If a signal has just asked the process to end, the run counts as interrupted, and its trial waits for it.

        Raises:
            ZeusBSOTrainFailError: The run did not reach its target.
            ZeusBSOOrderError: Training has not begun.
        """
        if self._is_silent or self._over:
            return
        if not self._began:
            raise ZeusBSOOrderError("on_train_end was called before on_train_begin.")
        self._finish("on_train_end")

    def state_dict(self) -> dict[str, object]:
        """The state to save in a checkpoint, in plain numbers and strings. Pass it as ``resume`` later."""
        return SavedRun(
            job_id=self.job_id,
            run_id=self.run_id,
            trial_number=self.trial_number,
            time=self._meter.time_s,
            energy=self._meter.energy_j,
            missing_s=self._meter.missing_s,
            profiling_time=self._meter.profiling.time_s,
            profiling_energy=self._meter.profiling.energy_j,
            current_epoch=self._live.epoch,
            finished=self.training_finished,
        ).model_dump()

    def _register(self, shared: Monitor | TaskTracker, own: Monitor | TaskTracker) -> None:
        update = self._options.on_spec_change == "update"
        try:
            known = self._ranks.share(lambda: known_job(self._api, self.job, shared, rank=self.rank, update=update))
        except ZeusBSOServerUnreachableError as error:
            self._train_unreported(error)
            return
        self.job_id, self._rules = known.job_id, known.rules
        self._power = control_of(known.plan, own, self._ranks, self._guard, f"zeus-bso-power-{self.instance}")
        self._live.on_end, self._live.on_final_end = self._power.restore, self._power.close

    def _ask(self, *, explore: bool) -> None:
        """Let rank 0 ask, and every rank take part in the trial. If no server answers, train unreported."""
        try:
            asked = self._ranks.share(lambda: self._ask_server(explore=explore))
        except ZeusBSOServerUnreachableError as error:
            self._train_unreported(error)
            return
        offer = asked.offer
        self.run_id, self.resumed, self._live.epoch = asked.run_id, asked.resumed, asked.start.current_epoch
        self.current_batch_size, self.trial_number = offer.batch_size, offer.trial_number
        self._meter.start_from(asked.start, asked.missing_s, asked.profiling)
        self._power.offered = offer.power_profile
        self._rules = replace(self._rules, cost_bound_j=offer.cost_bound, epoch_bound=offer.epoch_bound)
        self.training_finished = self._over = offer.finished
        if not offer.finished:
            self._join()

    def _ask_server(self, *, explore: bool) -> AskResult:
        assert self.job_id is not None
        transport = self._api.transport
        self._live.place = (transport.address if self._owns_transport else id(transport), self.job_id)
        self._live.end_others()
        self._trackers.transport = transport
        if explore:
            self._trackers.before_ask(self.job_id)
        asked = self._launch.ask(self.job_id, self._guard, explore=explore)
        self._trackers.note_offer(asked.offer)
        return asked

    def _join(self) -> None:
        """Take part in the trial that the attributes name. Rank 0 has asked for it. The script sets it on others."""
        if self.job_id is None or self.current_batch_size is None or self.trial_number is None:
            raise ZeusBSOOrderError(
                "on_train_begin was called before the batch size is known: call get_batch_size on rank 0, and set "
                "current_batch_size and trial_number on the other ranks."
            )
        size, of_job = int(self.current_batch_size), int(self.trial_number)
        trial = TrialId(job_id=self.job_id, batch_size=size, trial_number=of_job)
        run = self._launch.join(trial, self._meter, self._rules, self._power, self._guard, epoch=self._live.epoch)
        self._live.join(run, owner=self)

    def _train_unreported(self, error: ZeusBSOServerUnreachableError) -> None:
        if self._options.on_unreachable == "raise":
            raise error
        if self.current_batch_size is None:
            self.current_batch_size = self.job.default_batch_size
        self._power = no_control(self._ranks, self._guard)
        self._live.run = UnreportedRun(LocalStopRules(self._rules), self._meter)
        logger.warning("%s This run trains unreported, with the default batch size.", error)

    def _report(self, metric: float) -> ReportResponse | None:
        """Let rank 0 report an evaluation, and tell every rank the decision."""
        run, epoch = self._live.run, self._live.epoch
        return self._ranks.share(lambda: None if run is None else self._told(run.report(metric, epoch)))

    def _apply(self, said: ReportResponse | None) -> None:
        """Carry out a decision, on every rank.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge.
        """
        if said is None or not said.stop_train:
            return
        self.training_finished = self._over = True
        if said.outcome is not None:
            self._live.on_result(said.outcome, RESULT_S)
        self._live.release()
        if said.converged:
            return
        if said.target_reached or self._options.on_fail == "stop" or not self._live.reported:
            logger.warning("%s", said.message)
        else:
            shorten_failures()
            raise ZeusBSOTrainFailError(said.message)

    def _finish(self, call: str) -> None:
        """End the run, because the script says so.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge.
        """
        if self._is_silent:
            return
        self._over = True
        self._ranks.call = call
        with self._guard("end the run"):
            self._apply(self._ranks.share(lambda: self._live.finish(complete=self._told)))
            if not self._ranks.leads:
                self._live.finish()
