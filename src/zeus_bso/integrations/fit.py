"""The common part of the callbacks for all frameworks."""

from __future__ import annotations

import functools
import inspect
import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, SupportsFloat, TypeVar

from zeus_bso.client.batch_size_optimizer import BatchSizeOptimizer
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSOTrainFailError
from zeus_bso.files import written_whole

logger = logging.getLogger("zeus_bso")


class Fit:
    """One fit of a framework, reported to a :class:`BatchSizeOptimizer`.

    Two errors end the script: a run that failed, and a metric that is never logged. They are held back until the
    framework has saved its files. Then :meth:`go_on` and :meth:`end` raise them.

    Args:
        bso: The optimizer that gave the batch size.
        metric: Name of the validation metric, as the framework logs it.

    Attributes:
        running: Whether the fit has begun and not ended.
    """

    def __init__(self, bso: BatchSizeOptimizer, metric: str) -> None:
        self.running = False
        self._bso = bso
        self._metric = metric
        self._failure: ZeusBSOTrainFailError | None = None
        self._found = False
        self._logged: set[str] = set()

    @property
    def is_over(self) -> bool:
        """Whether the framework should stop."""
        return self._bso.training_finished or self._failure is not None

    def begin(self) -> None:
        """Start to measure.

        Raises:
            ZeusBSOOrderError: The batch size is not known yet, or this run has been trained already.
        """
        self._bso.on_train_begin()
        self.running = True
        if (call := fit_call()) is not None:
            call.fits.append(self)

    def evaluate(self, logged: Mapping[str, SupportsFloat], epoch: int) -> None:
        """Report an evaluation. Afterwards :attr:`is_over` says whether the framework should stop.

        Args:
            logged: The metrics by name. An evaluation without the metric, for example of another data set, is skipped.
            epoch: Number of complete epochs.
        """
        if not self.running or self.is_over:
            return
        self._logged |= set(logged)
        if self._metric not in logged:
            return
        self._found = True
        try:
            self._bso.on_evaluate(logged[self._metric], epoch=epoch)
        except ZeusBSOTrainFailError as failure:
            self._failure = failure

    def go_on(self) -> None:
        """Note that training goes on, perhaps after an evaluation.

        Raises:
            ZeusBSOConfigError: There was an evaluation, and it did not log the metric.
        """
        if self.running and self._logged and not self._found:
            self._bso.cancel()
            self.running = False
            raise ZeusBSOConfigError(
                f"No metric {self._metric!r} was logged; what was logged: {_listed(self._logged)}. "
                "Give the callback one of these names."
            )

    def begin_step(self) -> None:
        """Note that a training step begins.

        Raises:
            ZeusBSOConfigError: There was an evaluation, and it did not log the metric.
        """
        self.go_on()
        if self.running:
            self._bso.on_step_begin()

    def end_step(self) -> None:
        """Note that a training step has ended."""
        if self.running:
            self._bso.on_step_end()

    def break_off(self, error: BaseException) -> None:
        """Note an exception that has left the fit. The script may still catch it."""
        if not self.running:
            return
        self.running = False
        self._bso.__exit__(type(error), error, None)

    def end(self, *, cut_short: bool = False) -> None:
        """End the fit, after the framework has saved.

        Args:
            cut_short: Whether a time limit, a step limit or a signal ended it, which says nothing about the batch size.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge. Launch the script again.
            ZeusBSOConfigError: The metric was never logged.
        """
        self.go_on()
        if not self.running:
            return
        self.running = False
        if self._failure is not None:
            raise self._failure
        if not self._found and not self.is_over:
            logger.warning("The fit ended without an evaluation: there is nothing to learn from this run.")
        if cut_short:
            self._bso.pause()
        else:
            self._bso.on_train_end()

    def check_batch_size(self, trained: int, made_of: str, remedy: str) -> None:
        """Make sure that the framework trains with the given batch size, so that the server learns about that size.

        Args:
            trained: The global batch size of the framework.
            made_of: The factors of that size.
            remedy: A sentence that says how to correct it.

        Raises:
            ZeusBSOConfigError: The framework would train with another size.
        """
        given = self._bso.current_batch_size
        if given is None or trained == given:
            return
        self._bso.cancel()
        raise ZeusBSOConfigError(
            f"The fit would train with a batch size of {trained} ({made_of}), but {given} was given. {remedy}"
        )


_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Calls(threading.local):
    """The calls of fits that are under way in a thread, the innermost last."""

    def __init__(self) -> None:
        self.under_way: list[FitCall] = []


_calls = _Calls()


@dataclass
class FitCall:
    """One call of a framework's fit.

    Attributes:
        arguments: The arguments of the call, by name.
        fits: The fits that started in this call.
    """

    arguments: Mapping[str, object]
    fits: list[Fit] = field(default_factory=list)


def fit_call() -> FitCall | None:
    """The innermost call of a watched fit that is under way in this thread."""
    return _calls.under_way[-1] if _calls.under_way else None


def watch_fit(fit: Callable[_P, _R]) -> Callable[_P, _R]:
    """Wrap a framework's fit, so that its callbacks learn of exceptions. Some frameworks do not tell them.

    Args:
        fit: The method of the framework.
    """
    signature = inspect.signature(fit)

    @functools.wraps(fit)
    def watched(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            call = FitCall(signature.bind(*args, **kwargs).arguments)
        except TypeError:
            return fit(*args, **kwargs)
        _calls.under_way.append(call)
        try:
            return fit(*args, **kwargs)
        except BaseException as error:
            for begun in call.fits:
                begun.break_off(error)
            raise
        finally:
            _calls.under_way.pop()

    return watched


def save_state(bso: BatchSizeOptimizer, path: Path) -> None:
    """Write the state of the run to a file in one step. If that fails, log it and let the training go on."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            file.write(json.dumps(bso.state_dict()).encode())
    except OSError as error:
        logger.warning("The run's state cannot be kept in %s (%s).", path, error.strerror)


def state_in(path: Path) -> Mapping[str, object] | None:
    """The state of the run in a file. None if there is no such file.

    Raises:
        ZeusBSOConfigError: The file contains something else.
    """
    if not path.is_file():
        return None
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(path, error) from None
    if not isinstance(state, dict):
        raise unreadable(path, ValueError("it is no JSON object"))
    return state


def unreadable(path: Path, error: Exception) -> ZeusBSOConfigError:
    """The error for a file without a readable state."""
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return ZeusBSOConfigError(
        f"The run's state cannot be read from {path} ({reason}): the file is broken; go on from an older checkpoint, "
        "or remove this one."
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
