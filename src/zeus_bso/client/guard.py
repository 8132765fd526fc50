"""Keeps whatever goes wrong on our side away from the training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from zeus_bso.client.transport import TransportError
from zeus_bso.exceptions import ZeusBSODistributedError, ZeusBSOOrderError, ZeusBSOTrainFailError

logger = logging.getLogger("zeus_bso")


class Guard:
    """Turns errors into lines of the log, each said once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Let through only what the client promises to raise during training.

        Args:
            what: What is being done, as a verb and its object.

        Raises:
            ZeusBSOTrainFailError: As it was raised.
            ZeusBSOOrderError: As it was raised.
            ZeusBSODistributedError: As it was raised.
        """
        try:
            yield
        except (ZeusBSOTrainFailError, ZeusBSOOrderError, ZeusBSODistributedError):
            raise
        except TransportError as error:
            self.say_once(f"Could not {what}: {error}")
        except Exception as error:  # noqa: BLE001 - this is the place that may
            self.say_once(f"Could not {what}: {type(error).__name__}: {error}")

    def say_once(self, sentence: str) -> None:
        """Log a warning, unless the same has been said before."""
        if sentence not in self._said:
            self._said.add(sentence)
            logger.warning("%s", sentence)
