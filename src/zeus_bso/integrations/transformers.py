"""A callback for the ``Trainer`` of Hugging Face's ``transformers``.

::

    checkpoint = get_last_checkpoint(output_dir) if os.path.isdir(output_dir) else None
    bso = BatchSizeOptimizer(EnergyMonitor(), server_url, JobSpec(...), resume=saved_state(checkpoint))
    bso.get_batch_size()
    share = bso.split(world_size, max_per_device=32)
    arguments = TrainingArguments(
        output_dir,
        per_device_train_batch_size=share.per_device,
        gradient_accumulation_steps=share.accumulation_steps,
        eval_strategy="epoch",
    )
    trainer = Trainer(model, arguments, ..., callbacks=[ZeusBSOCallback(bso, "eval_accuracy")])
    trainer.train(resume_from_checkpoint=checkpoint)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from zeus_bso.client.batch_size_optimizer import BatchSizeOptimizer
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.integrations.fit import Fit, save_state, state_in, watch_fit

try:
    from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
    from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
except ImportError as error:
    raise ImportError(
        "zeus_bso.integrations.transformers needs transformers: pip install 'zeus-bso[transformers]'"
    ) from error

_STATE_FILE = "zeus_bso.json"

# Transformers does not tell callbacks that an exception leaves the training. A hyperparameter search may catch it.
setattr(Trainer, "train", watch_fit(Trainer.train))  # noqa: B010


class ZeusBSOCallback(TrainerCallback):
    """Reports every evaluation of a training, and stops the trainer when the run is over.

    Evaluations outside ``train``, and the one before its first step, are not reported. An error of the optimizer is
    raised at the end of ``train``, after the trainer has saved. Each checkpoint contains the state of the run, see
    :func:`saved_state`.

    On several devices, every process needs the callback with a ``BatchSizeOptimizer(..., distributed=True)``.

    Args:
        bso: The optimizer that gave the batch size.
        metric: Name of the metric with its prefix, as the trainer logs it: ``eval_accuracy``.

    Examples:
        >>> import torch
        >>> from itertools import repeat
        >>> from transformers import Trainer, TrainingArguments
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor
        >>> from zeus_bso.integrations.transformers import ZeusBSOCallback
        >>> class Line(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layer = torch.nn.Linear(2, 1)
        ...     def forward(self, x, labels=None):
        ...         out = self.layer(x).squeeze(1)
        ...         return {"loss": ((out - labels) ** 2).mean(), "logits": out}
        >>> data = [{"x": torch.ones(2), "labels": torch.tensor(1.0)}] * 64
        >>> job = JobSpec(job_id_prefix="t", batch_sizes=[32], default_batch_size=32, target_metric=0.0)
        >>> bso = BatchSizeOptimizer(ReplayMonitor(repeat((10.0, 500.0))), "sqlite:///jobs.db", job)
        >>> arguments = TrainingArguments(
        ...     "runs", per_device_train_batch_size=bso.get_batch_size(), eval_strategy="epoch", num_train_epochs=5,
        ...     report_to=[], disable_tqdm=True, logging_strategy="no", save_strategy="no", use_cpu=True,
        ... )
        >>> trainer = Trainer(
        ...     Line(), arguments, train_dataset=data, eval_dataset=data, callbacks=[ZeusBSOCallback(bso, "eval_loss")]
        ... )
        >>> output = trainer.train()  # doctest: +ELLIPSIS
        {'eval_loss': ...
        >>> bso.training_finished, trainer.state.epoch
        (True, 1.0)
    """

    def __init__(self, bso: BatchSizeOptimizer, metric: str) -> None:
        self._bso = bso
        self._fit = Fit(bso, metric)
        self._first_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Start to measure.

        Raises:
            ZeusBSOConfigError: The trainer trains with another batch size than the given one.
        """
        self._check_batch_size(args)
        self._first_step = state.global_step
        self._fit.begin()
        self._stop_if_over(control)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Begin a step. Raise an error for a metric that is never logged, as soon as training goes on."""
        self._fit.begin_step()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """End a step."""
        self._fit.end_step()

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, float],
        **kwargs: object,
    ) -> None:
        """Report the evaluation."""
        if state.global_step == self._first_step:
            return
        self._fit.evaluate(metrics, int((state.epoch or 0.0) + 1e-6))
        self._stop_if_over(control)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Save the state of the run in the trainer's checkpoint folder."""
        folder = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        if self._fit.running and state.is_world_process_zero and folder.is_dir():
            save_state(self._bso, folder / _STATE_FILE)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """End the run.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge. Launch the script again.
        """
        by_steps = 0 < args.max_steps <= state.global_step
        by_signal = self._bso.interrupted and (state.epoch or 0.0) < args.num_train_epochs
        self._fit.end(cut_short=by_steps or by_signal)

    def _check_batch_size(self, args: TrainingArguments) -> None:
        if args.auto_find_batch_size:
            raise ZeusBSOConfigError("auto_find_batch_size changes the batch size that was given; turn it off.")
        share, steps, processes = args.train_batch_size, args.gradient_accumulation_steps, args.world_size
        self._fit.check_batch_size(
            share * steps * processes,
            f"{share} per process, {steps} accumulation steps, {processes} processes",
            "Set per_device_train_batch_size and gradient_accumulation_steps to what split() says.",
        )

    def _stop_if_over(self, control: TrainerControl) -> None:
        if self._fit.is_over:
            control.should_training_stop = True


def saved_state(checkpoint: str | os.PathLike[str] | None) -> Mapping[str, object] | None:
    """The state of the run in a checkpoint folder, for ``BatchSizeOptimizer(..., resume=...)``.

    Returns:
        The state. None if there is no such folder, or no state in it.

    Raises:
        ZeusBSOConfigError: The file of the state is broken.

    Examples:
        >>> from zeus_bso.integrations.transformers import saved_state
        >>> saved_state(None) is None  # get_last_checkpoint() has found none: the first launch
        True
    """
    return None if checkpoint is None else state_in(Path(checkpoint) / _STATE_FILE)
