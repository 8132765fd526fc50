"""Defines what happens if an object that holds an optimizer is copied or saved."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from functools import cache
from typing import NoReturn

from zeus_bso.exceptions import ZeusBSOOrderError

logger = logging.getLogger("zeus_bso")

_SENTENCE = (
    "A saved BatchSizeOptimizer is no more than its state: save state_dict() in your checkpoint, and build a new one "
    "with resume=state."
)


class SharedByCopies(ABC):
    """An object that copies share, because a run has one optimizer. A file gets only its state."""

    def __copy__(self) -> SharedByCopies:
        """Return the same object."""
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> SharedByCopies:
        """Return the same object."""
        return self

    def __reduce__(self) -> tuple[type[SavedOptimizer], tuple[dict[str, object]]]:
        """Save only the state of the run, and log what to do instead."""
        _say_once()
        return SavedOptimizer, (self.state_dict(),)

    @abstractmethod
    def state_dict(self) -> dict[str, object]:
        """The state to save in a checkpoint."""


@cache
def _say_once() -> None:
    logger.warning("%s", _SENTENCE)


class SavedOptimizer:
    """Stands in for an optimizer that was saved together with a model or callback.

    Args:
        state: The state of the run.
    """

    def __init__(self, state: dict[str, object]) -> None:
        self._state = state

    def state_dict(self) -> dict[str, object]:
        """The saved state of the run, for the argument ``resume``."""
        return dict(self._state)

    def __reduce__(self) -> tuple[type[SavedOptimizer], tuple[dict[str, object]]]:
        """Save the state again."""
        return SavedOptimizer, (self._state,)

    def __getattr__(self, name: str) -> NoReturn:
        """Raise an error that says what to do.

        Raises:
            ZeusBSOOrderError: The script uses this object like an optimizer.
        """
        if name.startswith("_"):
            raise AttributeError(name)
        raise ZeusBSOOrderError(f"{name} was called on a BatchSizeOptimizer that was loaded from a file. {_SENTENCE}")
