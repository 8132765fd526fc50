"""What ``/metrics`` answers."""

from __future__ import annotations

from contextlib import suppress

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from zeus_bso.exceptions import DatabaseUnavailableError
from zeus_bso.server.metrics import exposition
from zeus_bso.server.metrics.instruments import Instruments
from zeus_bso.server.metrics.ledger import Ledger, Totals

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    """The metrics of one application.

    Args:
        instruments: What the processes behind the port count.
        ledger: What the database knows.
    """

    def __init__(self, instruments: Instruments, ledger: Ledger) -> None:
        self._instruments = instruments
        self._ledger = ledger

    async def text(self) -> bytes:
        """All metrics in Prometheus' text format; without a database, those of the processes alone."""
        totals: Totals | None = None
        with suppress(DatabaseUnavailableError):
            totals = await self._ledger.totals()
        return self._instruments.text() + exposition.text(totals)
