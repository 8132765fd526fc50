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

from zeus_bso.client.optimizer import BatchSizeOptimizer
from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.integrations.fit import Fit, save_state, state_in

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
    from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
except ImportError as error:
    raise ImportError(
        "zeus_bso.integrations.transformers needs transformers: pip install 'zeus-bso[transformers]'"
    ) from error

_STATE_FILE = "zeus_bso.json"


class ZeusBSOCallback(TrainerCallback):
    """Reports every evaluation of a training, and stops the trainer when the run is over.

    Evaluations outside ``train``, and the one before its first step, are not reported. What the optimizer raises is
    raised at the end of ``train``, when the trainer has saved. Each checkpoint carries the run's state, see
    :func:`saved_state`.

    On several devices every process needs the callback, with a ``BatchSizeOptimizer(..., distributed=True)``.

    Args:
        bso: Gave the batch size.
        metric: Name of the metric, as the trainer logs it, with its prefix: ``eval_accuracy``.
    """

    def __init__(self, bso: BatchSizeOptimizer, metric: str) -> None:
        self._bso = bso
        self._fit = Fit(bso, metric)
        self._first_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Begin to measure.

        Raises:
            ZeusBSOConfigError: The trainer trains with another batch size than was given.
        """
        _check_batch_size(self._bso, args)
        self._first_step = state.global_step
        self._fit.begin()
        self._stop_if_over(control)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Find out a metric that is never logged as soon as training goes on, not at its end."""
        self._fit.go_on()

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, float],
        **kwargs: object,
    ) -> None:
        """Report."""
        if state.global_step == self._first_step:
            return
        self._fit.evaluate(metrics, int((state.epoch or 0.0) + 1e-6))
        self._stop_if_over(control)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Put the run's state beside what the trainer saved."""
        folder = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        if self._fit.running and state.is_world_process_zero and folder.is_dir():
            save_state(self._bso, folder / _STATE_FILE)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """End the run.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge: launch the script again.
        """
        self._fit.end()

    def _stop_if_over(self, control: TrainerControl) -> None:
        if self._fit.is_over:
            control.should_training_stop = True


def saved_state(checkpoint: str | os.PathLike[str] | None) -> Mapping[str, object] | None:
    """The run's state in a checkpoint folder, for ``BatchSizeOptimizer(..., resume=...)``.

    Returns:
        The state; None where there is no such folder, or none was saved in it.
    """
    return None if checkpoint is None else state_in(Path(checkpoint) / _STATE_FILE)


def _check_batch_size(bso: BatchSizeOptimizer, args: TrainingArguments) -> None:
    """Make sure that what is learnt is learnt about the size that was given."""
    if args.auto_find_batch_size:
        raise ZeusBSOConfigError("auto_find_batch_size changes the batch size that was given; turn it off.")
    trained = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    if bso.current_batch_size is not None and trained != bso.current_batch_size:
        raise ZeusBSOConfigError(
            f"The trainer would train with a batch size of {trained} ({args.train_batch_size} per process, "
            f"{args.gradient_accumulation_steps} accumulation steps, {args.world_size} processes), but "
            f"{bso.current_batch_size} was given. Set per_device_train_batch_size and gradient_accumulation_steps to "
            "what split() says."
        )
