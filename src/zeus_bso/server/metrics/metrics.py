"""The content of ``/metrics``."""

from __future__ import annotations

from contextlib import suppress

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from zeus_bso.exceptions import DatabaseUnavailableError
from zeus_bso.server.instruments import Instruments
from zeus_bso.server.metrics import exposition
from zeus_bso.server.metrics.job_totals import AllJobsTotals, JobTotalsCache

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    """The metrics of one application.

    Args:
        instruments: The counters of the processes behind the port.
        job_totals: The totals from the database.
    """

    def __init__(self, instruments: Instruments, job_totals: JobTotalsCache) -> None:
        self._instruments = instruments
        self._job_totals = job_totals

    async def text(self) -> bytes:
        """All metrics in Prometheus' text format. Without a database, only those of the processes."""
        totals: AllJobsTotals | None = None
        with suppress(DatabaseUnavailableError):
            totals = await self._job_totals.totals()
        return self._instruments.text() + exposition.text(totals)
