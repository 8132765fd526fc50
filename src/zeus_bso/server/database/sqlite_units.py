"""Units of work that wait for a thread of an SQLite database."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NoReturn

from zeus_bso.server.database.transactions import WorkTogether


@dataclass(frozen=True, slots=True)
class Shared:
    """What a unit of work about one job can do together with those about other jobs.

    Attributes:
        job_id: The job.
        item: What to write.
        together: Writes several items.
    """

    job_id: str
    item: Any
    together: WorkTogether[Any, Any]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of work that waits for its thread.

    Attributes:
        work: The work.
        deadline: The point in time after which it does not begin any more (``time.monotonic``).
        shared: What it can do together with others, if it can.
        done: What it has come to.
    """

    work: Callable[..., Any]
    deadline: float = math.inf
    shared: Shared | None = None
    done: Future[Any] = field(default_factory=Future)

    def settle(self, answer: Callable[[], Any]) -> None:
        """Tell whoever waits for the unit what it has come to."""
        try:
            result = answer()
        except Exception as error:  # noqa: BLE001 - the caller who requested the work gets the error
            self.done.set_exception(error)
        else:
            self.done.set_result(result)


def fail(error: Exception) -> NoReturn:
    """Raise an error, where a function is wanted that does."""
    raise error


def give(result: Any) -> Any:
    """Return a result, or raise it if it is an error."""
    if isinstance(result, Exception):
        raise result
    return result
