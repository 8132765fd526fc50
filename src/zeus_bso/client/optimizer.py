"""The client's face: asks for a batch size, reports each evaluation, and says when to stop."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Literal, SupportsFloat

from zeus_bso.client.api import Api
from zeus_bso.client.arguments import Options, given_job
from zeus_bso.client.connect import transport_for
from zeus_bso.client.distributed import TIMEOUT_S, Alone, Ranks
from zeus_bso.client.guard import Guard
from zeus_bso.client.judge import Judge, Rules
from zeus_bso.client.lifecycle import Endings, is_imported_by_child, reason_of
from zeus_bso.client.meter import Meter, number
from zeus_bso.client.recurrence import Recurrence
from zeus_bso.client.registration import known_job, rules_of
from zeus_bso.client.resume import SavedRun
from zeus_bso.client.run import Run, UnreportedRun
from zeus_bso.client.run_id import fresh_run_id, named_run_id
from zeus_bso.client.scaling import ScalesWithBatchSize
from zeus_bso.client.transport import Transport
from zeus_bso.common import FailReason, JobSpec, ReportResponse, TrialId
from zeus_bso.exceptions import (
    ZeusBSOMonitorError,
    ZeusBSOOrderError,
    ZeusBSOServerUnreachableError,
    ZeusBSOTrainFailError,
)
from zeus_bso.monitor.codecarbon import TaskTracker
from zeus_bso.monitor.protocol import Monitor

logger = logging.getLogger("zeus_bso")


class BatchSizeOptimizer(ScalesWithBatchSize):
    """Gives a recurring training job its batch size, and learns from how the run went.

    ::

        bso = BatchSizeOptimizer(monitor, "http://127.0.0.1:8000", JobSpec(...))
        batch_size = bso.get_batch_size()
        bso.on_train_begin()
        while not bso.training_finished:
            ...                          # train and evaluate
            bso.on_evaluate(metric)

    What is set up wrongly is an error here and in :meth:`get_batch_size`. Once training has begun, the only errors
    are :class:`ZeusBSOTrainFailError`, for a run that failed to converge, and :class:`ZeusBSOOrderError`; whatever
    happens to the server costs the training nothing but a line in the log.

    The end of the run is noticed by itself: at the interpreter's exit, at an exception, and at SIGTERM or SIGHUP.
    ``with BatchSizeOptimizer(...) as bso:`` ends it where the block does.

    Args:
        monitor: Measures energy: our :class:`zeus_bso.EnergyMonitor`, the ``zeus`` package's ``ZeusMonitor``, or a
            CodeCarbon tracker.
        server_url: ``http(s)://host:port`` of a server, or ``sqlite:///path`` for one in this process; left out, the
            environment's ``ZEUS_BSO_SERVER_URL``.
        job: What recurs. Required.
        rank: This process's rank. Rank 0 registers the job and asks; the others are told, by setting
            ``current_batch_size`` and ``trial_number``.
        token: The server's token; left out, user info in the URL, else the environment's ``ZEUS_BSO_TOKEN`` or the file
            that ``ZEUS_BSO_TOKEN_FILE`` names.
        run_id: Names this recurrence, so that asking again gives the same trial; ``"slurm"``, ``"torchelastic"`` and
            ``"kubernetes"`` take the scheduler's name of it. Left out, the environment's ``ZEUS_BSO_RUN_ID``, else the
            one in ``resume``, else a fresh one.
        resume: What :meth:`state_dict` gave: the run goes on from there. A state of a finished trial or of another job
            is ignored, which is said.
        heartbeat_s: Time between two signs of life [s]; None: none are sent.
        on_unreachable: What to do when no server answers before training: raise, or train with the default batch
            size, unreported.
        on_fail: What to do when the run failed to converge: raise, or only set ``training_finished``.
        on_spec_change: What to do when ``job_id`` names a job with other settings: raise, or update them.
        distributed: Every rank makes one of these and calls every method of it; rank 0 talks to the server, and all get
            the same size, decisions and errors. Needs PyTorch and ``torchrun``, or an initialised process group.
        distributed_timeout_s: Ranks wait for each other at most so long [s].
        transport: Used in place of ``server_url``; for tests.

    Attributes:
        job_id: The job, as the server names it.
        current_batch_size: The batch size to train with; None before it is known.
        trial_number: The trial's number in its job; None before it is known, and in an unreported run.
        training_finished: Whether training is over: the target was reached, or the run was stopped.
        resumed: Whether the run goes on from ``resume``; known once the batch size is.

    Raises:
        ZeusBSOServerUnreachableError: No server answers; the message says how to start one.
        ZeusBSOSpecConflictError: The job id is taken by another spec.
        ZeusBSORequestError: The server refuses the spec.
        ZeusBSOMonitorError: The monitor's devices cannot be found out.
        ZeusBSOConfigError: An argument is missing or wrong.
        ZeusBSODistributedError: The ranks lost each other: one died, hangs, or left. Any method may raise it.
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
        self._ranks = Ranks(distributed_timeout_s) if distributed and not self._imported_by_child else Alone(rank)
        self.rank = self._ranks.rank
        self.instance = uuid.uuid4().hex
        self.job_id: str | None = self.job.job_id
        self.current_batch_size: int | None = None
        self.trial_number: int | None = None
        self.training_finished = False
        self.resumed = False
        self._pid = os.getpid()
        self._began = False
        self._over = False
        self._epoch = 0
        self._run: Run | UnreportedRun | None = None
        self._rules: Rules = rules_of(self.job)
        self._guard = Guard()
        shared = self._ranks.monitor(monitor)
        self._meter = Meter(shared, f"zeus-bso-{self.instance}")
        self.run_id = named or (saved.run_id if saved is not None else fresh_run_id())
        if self._imported_by_child:
            return
        self._owns_transport = transport is None
        self._api = Api(transport or self._ranks.transport(lambda: transport_for(server_url, token)))
        self._recurrence = Recurrence(
            self._api,
            instance=self.instance if self.rank == 0 else None,
            heartbeat_s=heartbeat_s,
            run_id=self.run_id,
            named=named is not None,
            saved=saved,
            keeps=self._owns_transport,
        )
        self._endings = Endings(self._end)
        self._register(shared)

    def __enter__(self) -> BatchSizeOptimizer:
        """End the run where the block ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run: by itself, or for the reason that the exception gives.

        Raises:
            ZeusBSOTrainFailError: The block ended without the target.
        """
        if error is None:
            self._leave()
        else:
            self._end(reason_of(error))

    def get_batch_size(self, *, explore: bool = True) -> int:
        """Ask the server which batch size to train with; asking again gives the same.

        Args:
            explore: Whether the run may try what is not known yet; else it gets the best known size, and the default
                while none is known.

        Raises:
            ZeusBSOServerUnreachableError: No server answers; the message says how to start one.
            ZeusBSORequestError: The server refuses the question.
            ZeusBSOOrderError: This process is none that may ask.
        """
        if self._imported_by_child:
            return self.job.default_batch_size
        if self.current_batch_size is None:
            if os.getpid() != self._pid:
                raise ZeusBSOOrderError("A forked process does not ask: build the BatchSizeOptimizer where you train.")
            self._ranks.check_asking()
            self._ask(explore=explore)
        assert self.current_batch_size is not None
        return self.current_batch_size

    def on_train_begin(self) -> None:
        """Begin to measure.

        Raises:
            ZeusBSOOrderError: The batch size is not known yet, or training has begun already.
        """
        if self._is_silent:
            return
        if self._began:
            raise ZeusBSOOrderError("on_train_begin was called twice; each run needs its own BatchSizeOptimizer.")
        if self._over:
            return
        if self._run is None:
            self._run = self._join()
        self._began = True
        self._meter.open(self._guard)

    def on_evaluate(self, metric: SupportsFloat, epoch: int | None = None) -> None:
        """Report an evaluation, and learn whether to go on; ``training_finished`` tells.

        Args:
            metric: The validation metric: a number, or an array or tensor of one element.
            epoch: How many epochs are complete, where epochs are not evaluated once each; left out, evaluations are
                counted.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge: launch the script again.
            ZeusBSOOrderError: Training has not begun.
        """
        if self._is_silent or self._over:
            return
        if not self._began:
            raise ZeusBSOOrderError("on_evaluate was called before on_train_begin.")
        self._endings.still_running()
        try:
            with self._guard("report the evaluation"):
                # Read first: what a device has not finished computing belongs to the window.
                own = number(metric, self._guard)
                value = self._ranks.share(lambda: own)
                self._close_window()
                if value is not None:
                    self._epoch = max(self._epoch, self._epoch + 1 if epoch is None else int(epoch))
                    self._obey(self._told(value))
        finally:
            if not self._over:
                self._meter.open(self._guard)

    def on_train_end(self) -> None:
        """End the run: without the target it has missed it. A run without an evaluation is cancelled.

        Raises:
            ZeusBSOTrainFailError: The target was not reached.
            ZeusBSOOrderError: Training has not begun.
        """
        if self._is_silent or self._over:
            return
        if not self._began:
            raise ZeusBSOOrderError("on_train_end was called before on_train_begin.")
        self._leave()

    def cancel(self) -> None:
        """Give the run up; it says nothing about its batch size."""
        self._end(FailReason.CANCELLED)

    def state_dict(self) -> dict[str, object]:
        """What a checkpoint keeps of the run, in plain numbers and strings; see the argument ``resume``."""
        return SavedRun(
            job_id=self.job_id,
            run_id=self.run_id,
            trial_number=self.trial_number,
            time=self._meter.time_s,
            energy=self._meter.energy_j,
            current_epoch=self._epoch,
            finished=self.training_finished,
        ).model_dump()

    @property
    def _is_silent(self) -> bool:
        """Forked children, and spawned ones that import the script, neither ask nor report nor end anything."""
        return self._imported_by_child or os.getpid() != self._pid

    def _register(self, monitor: Monitor | TaskTracker) -> None:
        update = self._options.on_spec_change == "update"
        try:
            self.job_id, self._rules = self._ranks.share(
                lambda: known_job(self._api, self.job, monitor, rank=self.rank, update=update)
            )
        except ZeusBSOServerUnreachableError as error:
            self._train_unreported(error)

    def _ask(self, *, explore: bool) -> None:
        """Rank 0 asks the server, and every rank takes part in the trial; if it is away, the run goes unreported."""
        job_id = self.job_id
        assert job_id is not None
        try:
            asked = self._ranks.share(lambda: self._recurrence.ask(job_id, self._guard, explore=explore))
        except ZeusBSOServerUnreachableError as error:
            self._train_unreported(error)
            return
        offer = asked.offer
        self.run_id, self.resumed, self._epoch = asked.run_id, asked.resumed, asked.start.current_epoch
        self.current_batch_size, self.trial_number = offer.batch_size, offer.trial_number
        self._meter.start_from(asked.start)
        self._rules = replace(self._rules, cost_bound_j=offer.cost_bound)
        self.training_finished = self._over = offer.finished
        self._run = None if offer.finished else self._join()

    def _join(self) -> Run:
        """Take part in the trial that the attributes name: asked for here, or set by the script on other ranks."""
        if self.job_id is None or self.current_batch_size is None or self.trial_number is None:
            raise ZeusBSOOrderError(
                "on_train_begin was called before the batch size is known: call get_batch_size on rank 0, and set "
                "current_batch_size and trial_number on the other ranks."
            )
        size, of_job = int(self.current_batch_size), int(self.trial_number)
        trial = TrialId(job_id=self.job_id, batch_size=size, trial_number=of_job)
        self._endings.watch()
        return self._recurrence.join(trial, self._meter, self._rules, self._guard, epoch=self._epoch)

    def _train_unreported(self, error: ZeusBSOServerUnreachableError) -> None:
        if self._options.on_unreachable == "raise":
            raise error
        self.current_batch_size = self.job.default_batch_size
        self._run = UnreportedRun(Judge(self._rules), self._meter)
        logger.warning("%s This run goes unreported, with the default batch size.", error)

    def _told(self, metric: float) -> ReportResponse | None:
        """Rank 0 reports an evaluation, and every rank learns what was decided."""
        return self._ranks.share(lambda: None if self._run is None else self._run.report(metric, self._epoch))

    def _obey(self, said: ReportResponse | None) -> None:
        """Every rank does what was decided.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge.
        """
        if said is None or not said.stop_train:
            return
        self.training_finished = self._over = True
        raises = self._options.on_fail == "raise" and self._run is not None and self._run.reported
        self._let_go()
        if said.converged:
            logger.info("%s", said.message)
        elif said.target_reached or not raises:
            logger.warning("%s", said.message)
        else:
            raise ZeusBSOTrainFailError(said.message)

    def _let_go(self, *, at_once: bool = False) -> None:
        """Have nothing more to do with the trial; not before the process ends, if something is left to tell."""
        run = self._run
        if run is not None and run.unfinished and not at_once:
            return
        self._run = None
        self._endings.unwatch()
        if run is not None:
            run.hush()
        if self._owns_transport:
            self._api.transport.close()

    def _leave(self) -> None:
        """End the run by itself.

        Raises:
            ZeusBSOTrainFailError: It had failed to converge.
        """
        if self._is_silent:
            return
        with self._guard("end the run"):
            said = self._ranks.share(lambda: self._close(None))
            self._obey(said)
            if not self._ranks.leads:
                self._close(None)

    def _end(self, reason: FailReason | None, insist_s: float | None = None) -> None:
        """End the run and raise nothing; ``insist_s`` is given where the process ends with it."""
        with self._guard("end the run"):
            said = self._close(reason, insist_s)
            if said is not None and said.stop_train and not said.converged:
                logger.warning("%s", said.message)

    def _close(self, reason: FailReason | None, insist_s: float | None = None) -> ReportResponse | None:
        """Rank 0 tells how the run ended."""
        if self._is_silent:
            return None
        self._over = True
        if self._run is None:
            return None
        said = self._run.close(reason, insist_s)
        if said is None or insist_s is not None:
            self._let_go(at_once=insist_s is not None)
        return said

    def _close_window(self) -> None:
        """Close the window; a run that cannot be measured is given up, and its training goes on unreported."""
        try:
            self._meter.close()
        except ZeusBSOMonitorError as error:
            self._guard.say_once(f"Energy could not be measured ({error}): the run is given up, unreported.")
            if self._run is not None and self._run.reported:
                self._run.close(FailReason.CANCELLED)
                self._endings.unwatch()
                self._run = UnreportedRun(Judge(self._rules), self._meter)
