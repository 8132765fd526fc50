"""Keeps errors of the client away from the training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from zeus_bso.exceptions import ZeusBSODistributedError, ZeusBSOOrderError, ZeusBSOTrainFailError
from zeus_bso.protocol.transport import TransportError

logger = logging.getLogger("zeus_bso")


class TrainingGuard:
    """Logs errors instead of raising them, each message once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Log all errors, except those that the client may raise during training.

        Args:
            what: The guarded action, as a verb and its object.

        Raises:
            ZeusBSOTrainFailError: The guarded action has raised it.
            ZeusBSOOrderError: The guarded action has raised it.
            ZeusBSODistributedError: The guarded action has raised it.
        """
        try:
            yield
        except (ZeusBSOTrainFailError, ZeusBSOOrderError, ZeusBSODistributedError):
            raise
        except TransportError as error:
            self.log_once(f"Could not {what}: {error}")
        except Exception as error:  # noqa: BLE001 - the one place that may catch everything
            self.log_once(f"Could not {what}: {type(error).__name__}: {error}")

    def log_once(self, sentence: str) -> None:
        """Log a warning, unless the same one has been logged before."""
        if sentence not in self._said:
            self._said.add(sentence)
            logger.warning("%s", sentence)
