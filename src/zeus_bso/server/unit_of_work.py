"""What the work of one request gets: one transaction, and the service over it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from zeus_bso.server.batch_size_state.repository import BatchSizeStateRepository
from zeus_bso.server.config import Settings
from zeus_bso.server.job.repository import JobStateRepository
from zeus_bso.server.observations.repository import ObservationRepository
from zeus_bso.server.security.job_access import JobAccess
from zeus_bso.server.services.service import ZeusService


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """One transaction of a request.

    Attributes:
        connection: The connection, within the transaction.
        settings: The server's settings.
        access: The jobs that the caller can reach.
    """

    connection: Connection
    settings: Settings
    access: JobAccess

    @property
    def service(self) -> ZeusService:
        """Access to jobs, batch sizes and trials."""
        return ZeusService(
            JobStateRepository(self.connection, self.access),
            BatchSizeStateRepository(self.connection),
            ObservationRepository(self.connection),
            trial_lease_s=self.settings.trial_lease_s,
        )
