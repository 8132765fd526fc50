"""What the callbacks of all frameworks have in common."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import SupportsFloat

from zeus_bso.client.optimizer import BatchSizeOptimizer
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSOTrainFailError

logger = logging.getLogger("zeus_bso")


class Fit:
    """One fit of a framework, reported to a :class:`BatchSizeOptimizer`.

    What ends the script, a run that failed or a metric that nobody logs, is kept back until the framework has saved
    what it saves: :meth:`go_on` and :meth:`end` raise it.

    Args:
        bso: Gave the batch size.
        metric: Name of the validation metric to report, as the framework logs it.

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
        """Whether the framework is to stop."""
        return self._bso.training_finished or self._failure is not None

    def begin(self) -> None:
        """Begin to measure.

        Raises:
            ZeusBSOOrderError: The batch size is not known yet, or this run has been trained already.
        """
        self._bso.on_train_begin()
        self.running = True

    def evaluate(self, logged: Mapping[str, SupportsFloat], epoch: int) -> None:
        """Report an evaluation; :attr:`is_over` tells what came of it.

        Args:
            logged: The metrics by name. An evaluation that lacks the metric, say one of another data set, is passed
                over.
            epoch: How many epochs are complete.
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
        """Training goes on after what may have been an evaluation.

        Raises:
            ZeusBSOConfigError: It was one, and the metric has not been logged so far.
        """
        if self.running and self._logged and not self._found:
            self._bso.cancel()
            self.running = False
            raise ZeusBSOConfigError(
                f"No metric {self._metric!r} was logged; what was logged: {_listed(self._logged)}. "
                "Give the callback one of these names."
            )

    def end(self) -> None:
        """End the fit, after the framework has saved.

        Raises:
            ZeusBSOTrainFailError: The run failed to converge: launch the script again.
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
        self._bso.on_train_end()


def save_state(bso: BatchSizeOptimizer, path: Path) -> None:
    """Write the run's state to a file, as a whole; a disk that does not take it is said, and ends no training."""
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(bso.state_dict()), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        logger.warning("The run's state cannot be kept in %s (%s).", path, error.strerror)


def state_in(path: Path) -> Mapping[str, object] | None:
    """The run's state in a file; None where there is no such file."""
    if not path.is_file():
        return None
    state: Mapping[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return state


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
