"""The client's face: asks for a batch size, reports each evaluation, and says when to stop."""

from __future__ import annotations

import logging
import os
import uuid
from types import TracebackType
from typing import Literal, SupportsFloat

from zeus_bso.client.api import Api, RunIsAliveError
from zeus_bso.client.arguments import check_options, given_job, given_run_id
from zeus_bso.client.connect import transport_for
from zeus_bso.client.guard import Guard
from zeus_bso.client.lifecycle import EXIT_S, Endings, is_imported_by_child, reason_of
from zeus_bso.client.meter import Meter
from zeus_bso.client.run import Run
from zeus_bso.client.transport import Transport
from zeus_bso.common import (
    AskForTrial,
    FailReason,
    JobSpec,
    JobSpecFromClient,
    ReportResponse,
    TrialId,
    TrialOffer,
    derive_job_id,
)
from zeus_bso.exceptions import (
    ZeusBSOOrderError,
    ZeusBSOServerUnreachableError,
    ZeusBSOTrainFailError,
)
from zeus_bso.monitor.devices import devices_of
from zeus_bso.monitor.protocol import Monitor

logger = logging.getLogger("zeus_bso")


class BatchSizeOptimizer:
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
        monitor: Measures energy: our :class:`zeus_bso.EnergyMonitor`, or the ``zeus`` package's ``ZeusMonitor``.
        server_url: ``http(s)://host:port`` of a server, or ``sqlite:///path`` for one in this process; left out, the
            environment's ``ZEUS_BSO_SERVER_URL``.
        job: What recurs. Required.
        rank: This process's rank. Rank 0 registers the job and asks; the others are told, by setting
            ``current_batch_size`` and ``trial_number``.
        run_id: Names this recurrence, so that asking again gives the same trial; left out, the environment's
            ``ZEUS_BSO_RUN_ID``, else a fresh one.
        heartbeat_s: Time between two signs of life [s]; None: none are sent.
        on_unreachable: What to do when no server answers before training: raise, or train with the default batch
            size, unreported.
        on_fail: What to do when the run failed to converge: raise, or only set ``training_finished``.
        transport: Used in place of ``server_url``; for tests.

    Attributes:
        job_id: The job, as the server names it.
        current_batch_size: The batch size to train with; None before it is known.
        trial_number: The trial's number in its job; None before it is known, and in an unreported run.
        training_finished: Whether training is over: the target was reached, or the run was stopped.

    Raises:
        ZeusBSOServerUnreachableError: No server answers; the message says how to start one.
        ZeusBSOSpecConflictError: The job id is taken by another spec.
        ZeusBSORequestError: The server refuses the spec.
        ZeusBSOMonitorError: The monitor's devices cannot be found out.
        ZeusBSOConfigError: An argument is missing or wrong.
    """

    def __init__(
        self,
        monitor: Monitor,
        server_url: str | None = None,
        job: JobSpec | None = None,
        rank: int = 0,
        *,
        run_id: str | None = None,
        heartbeat_s: float | None = 30.0,
        on_unreachable: Literal["raise", "default"] = "raise",
        on_fail: Literal["raise", "stop"] = "raise",
        transport: Transport | None = None,
    ) -> None:
        check_options(heartbeat_s, on_unreachable, on_fail)
        self.job = given_job(job)
        self.rank = rank
        self.run_id = given_run_id(run_id)
        self.instance = uuid.uuid4().hex
        self.job_id: str | None = self.job.job_id
        self.current_batch_size: int | None = None
        self.trial_number: int | None = None
        self.training_finished = False
        self._pid = os.getpid()
        self._imported_by_child = is_imported_by_child()
        self._heartbeat_s = heartbeat_s
        self._falls_back = on_unreachable == "default"
        self._raises_on_fail = on_fail == "raise"
        self._unreported = False
        self._began = False
        self._over = False
        self._epoch = 0
        self._run: Run | None = None
        self._guard = Guard()
        self._meter = Meter(monitor, f"zeus-bso-{self.instance}")
        if self._imported_by_child:
            return
        self._owns_transport = transport is None
        self._api = Api(transport if transport is not None else transport_for(server_url))
        self._endings = Endings(self._end)
        self._register(monitor)

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
            self._end(reason_of(error), EXIT_S)

    def get_batch_size(self) -> int:
        """Ask the server which batch size to train with; asking again gives the same.

        Raises:
            ZeusBSOServerUnreachableError: No server answers; the message says how to start one.
            ZeusBSORequestError: The server refuses the question.
            ZeusBSOOrderError: This process is none that may ask.
        """
        if self._imported_by_child:
            return self.job.default_batch_size
        if self.current_batch_size is not None:
            return self.current_batch_size
        if os.getpid() != self._pid:
            raise ZeusBSOOrderError("A forked process does not ask: build the BatchSizeOptimizer where you train.")
        if self.rank != 0:
            raise ZeusBSOOrderError(
                "Only rank 0 asks for a batch size; broadcast it, and set current_batch_size and trial_number."
            )
        try:
            return self._ask()
        except ZeusBSOServerUnreachableError as error:
            self._train_unreported(error)
            return self.job.default_batch_size

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
        if self._run is None and not self._unreported:
            self._run = self._join()
        self._began = True
        self._measure()

    def on_evaluate(self, metric: SupportsFloat) -> None:
        """Report an evaluation, and learn whether to go on; ``training_finished`` tells.

        Args:
            metric: The validation metric: a number, or an array or tensor of one element.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge: launch the script again.
            ZeusBSOOrderError: Training has not begun.
        """
        if self._is_silent or self._over:
            return
        if not self._began:
            raise ZeusBSOOrderError("on_evaluate was called before on_train_begin.")
        self._endings.still_running()
        with self._guard("report the evaluation"):
            # Read first: what a device has not finished computing belongs to the window.
            value = self._number(metric)
            self._close_window()
            if value is not None:
                self._epoch += 1
                self._evaluate(value)
        if not self._over:
            self._measure()

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
        self._end(FailReason.CANCELLED, EXIT_S)

    @property
    def _is_silent(self) -> bool:
        """Forked children, and spawned ones that import the script, neither ask nor report nor end anything."""
        return self._imported_by_child or os.getpid() != self._pid

    def _register(self, monitor: Monitor) -> None:
        if self.rank != 0 and self.job_id is not None:
            return
        devices = devices_of(monitor)
        spec = JobSpecFromClient(
            **self.job.model_dump(),
            max_power=devices.max_power_w,
            number_of_gpus=devices.number_of_gpus,
            gpu_model=devices.gpu_model,
        )
        if self.rank != 0:
            self.job_id = derive_job_id(spec)
            return
        try:
            registered = self._api.register(spec)
        except ZeusBSOServerUnreachableError as error:
            self._train_unreported(error)
            return
        self.job_id = registered.job_id
        if registered.message:
            logger.warning("%s", registered.message)

    def _ask(self) -> int:
        offer = self._offer()
        self.current_batch_size, self.trial_number = offer.batch_size, offer.trial_number
        if offer.message and not offer.resumed:
            logger.warning("%s", offer.message)
        if offer.finished:
            self.training_finished = self._over = True
            logger.warning(
                "The run %s has converged already, with batch size %d: nothing is left to train.",
                self.run_id,
                offer.batch_size,
            )
            return offer.batch_size
        self._run = self._join()
        if self._heartbeat_s is not None:
            self._run.beat(self._heartbeat_s)
        return offer.batch_size

    def _offer(self) -> TrialOffer:
        try:
            return self._api.ask(self._question())
        except RunIsAliveError:
            taken, self.run_id = self.run_id, uuid.uuid4().hex
            logger.warning("The run %s is trained by another process; this one goes on as %s.", taken, self.run_id)
            return self._api.ask(self._question())

    def _question(self) -> AskForTrial:
        assert self.job_id is not None
        return AskForTrial(
            job_id=self.job_id, run_id=self.run_id, heartbeat_s=self._heartbeat_s, instance=self.instance
        )

    def _join(self) -> Run:
        """Take part in the trial that the attributes name: asked for here, or set by the script on other ranks."""
        if self.job_id is None or self.current_batch_size is None or self.trial_number is None:
            raise ZeusBSOOrderError(
                "on_train_begin was called before the batch size is known: call get_batch_size on rank 0, and set "
                "current_batch_size and trial_number on the other ranks."
            )
        trial = TrialId(
            job_id=self.job_id, batch_size=int(self.current_batch_size), trial_number=int(self.trial_number)
        )
        self._endings.watch()
        return Run(self._api, trial, self._meter, self.instance if self.rank == 0 else None, self._guard)

    def _train_unreported(self, error: ZeusBSOServerUnreachableError) -> None:
        if not self._falls_back:
            raise error
        self._unreported = True
        self.current_batch_size = self.job.default_batch_size
        logger.warning("%s This run goes unreported, with the default batch size.", error)

    def _evaluate(self, metric: float) -> None:
        run = self._run
        if run is None:
            self._judge(metric)
            return
        said = run.report(metric, self._epoch)
        if run.superseded:
            self._forget()
        self._obey(said)

    def _judge(self, metric: float) -> None:
        """Stop an unreported run at its target or its last epoch, so that it does not go on for ever."""
        target = self.job.target_metric
        reached = metric >= target if self.job.higher_is_better_metric else metric <= target
        if reached or self._epoch >= self.job.max_epochs:
            self.training_finished = self._over = True
            logger.warning("The unreported run is over: the target was %sreached.", "" if reached else "not ")

    def _obey(self, said: ReportResponse | None) -> None:
        if said is None or not said.stop_train:
            return
        self.training_finished = True
        self._forget()
        self._over = True
        if self._owns_transport:
            self._api.transport.close()
        if said.converged:
            logger.info("%s", said.message)
        elif said.target_reached or not self._raises_on_fail:
            logger.warning("%s", said.message)
        else:
            raise ZeusBSOTrainFailError(said.message)

    def _forget(self) -> None:
        """Have nothing more to do with the trial."""
        self._endings.unwatch()
        run, self._run = self._run, None
        if run is not None:
            run.hush()

    def _leave(self) -> None:
        """End the run by itself.

        Raises:
            ZeusBSOTrainFailError: It had failed to converge.
        """
        with self._guard("end the run"):
            self._obey(self._close(None, EXIT_S))

    def _end(self, reason: FailReason | None, budget_s: float) -> None:
        """End the run and raise nothing."""
        with self._guard("end the run"):
            said = self._close(reason, budget_s)
            if said is not None and said.stop_train and not said.converged:
                logger.warning("%s", said.message)

    def _close(self, reason: FailReason | None, budget_s: float) -> ReportResponse | None:
        if self._is_silent or self._over:
            return None
        self._over = True
        self._endings.unwatch()
        run, self._run = self._run, None
        return run.close(reason, budget_s) if run is not None else None

    def _measure(self) -> None:
        with self._guard("measure"):
            self._meter.open()

    def _close_window(self) -> None:
        """Close the window; a run that cannot be measured is given up, and its training goes on unreported."""
        try:
            self._meter.close()
        except Exception as error:  # noqa: BLE001 - whatever a foreign monitor raises must not end a training
            self._guard.say_once(f"Energy could not be measured ({error}): the run is given up, unreported.")
            run, self._run = self._run, None
            self._endings.unwatch()
            if run is not None:
                run.close(FailReason.CANCELLED, EXIT_S)

    def _number(self, metric: SupportsFloat) -> float | None:
        try:
            return float(metric)
        except (TypeError, ValueError) as error:
            self._guard.say_once(f"The metric is not a number ({error}): this evaluation is not reported.")
            return None
