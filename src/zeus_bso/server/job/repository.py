"""Jobs in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from zeus_bso.common import EnergySource, JobSpecFromClient, PolicyOptions, Stage
from zeus_bso.policy.values import Progress, SurrogateState
from zeus_bso.server.database.schema import job, job_tombstone
from zeus_bso.server.database.types import database_now
from zeus_bso.server.database.values import from_document, to_document
from zeus_bso.server.job.commands import CreateJob, SaveProgress, UpdateSettings
from zeus_bso.server.job.models import JobState, Tombstone
from zeus_bso.server.security.reach import EVERYTHING, Reach

_SPEC_COLUMNS = [column.name for column in job.columns if column.name in JobSpecFromClient.model_fields]
_PROGRESS_COLUMNS = [column.name for column in job.columns if column.name in Progress.__dataclass_fields__]

_GET = select(job, database_now().label("read_at")).where(job.c.job_id == bindparam("id"))
_GET_FOR_UPDATE = _GET.with_for_update()
_LIST = select(job, database_now().label("read_at"))
_SAVE = (
    update(job)
    .where(job.c.job_id == bindparam("id"))
    .values(
        {name: bindparam(name) for name in _PROGRESS_COLUMNS}
        | {
            name: bindparam(name)
            for name in (
                "min_cost_since",
                "rng_state",
                "last_trial_number",
                "last_decision",
                "longest_epoch_s",
                "energy_source",
                "foreign_source_in_row",
            )
        }
        | {"updated_at": database_now()}
    )
)


class JobStateRepository:
    """Jobs in the database; every method is part of the caller's transaction.

    Args:
        connection: The transaction.
        reach: Jobs beyond it are not found, as if they did not exist, and none can be made there.
    """

    def __init__(self, connection: Connection, reach: Reach = EVERYTHING) -> None:
        self._connection = connection
        self._reach = reach

    def get(self, job_id: str, *, for_update: bool = False) -> JobState | None:
        """Read a job; ``for_update`` also locks it until the transaction ends.

        The lock is the only one that a writing request takes: whoever holds it has the job's trials and batch size
        states to itself.
        """
        if not self._reach.covers(job_id):
            return None
        row = self._connection.execute(_GET_FOR_UPDATE if for_update else _GET, {"id": job_id}).mappings().first()
        return None if row is None else _job_state(row)

    @staticmethod
    def job_of(row: Mapping[str, Any]) -> JobState:
        """Read a job from a row that comes from elsewhere."""
        return _job_state(row)

    def all(self, job_ids: Sequence[str] | None = None) -> list[JobState]:
        """Read these jobs, or all, by job id."""
        statement = _LIST if job_ids is None else _LIST.where(job.c.job_id.in_(job_ids))
        rows = self._connection.execute(statement).mappings()
        found = [_job_state(row) for row in rows if self._reach.covers(row["job_id"])]
        return sorted(found, key=lambda state: state.job_id)

    def create(self, command: CreateJob) -> None:
        """Store a new job.

        Raises:
            ForbiddenError: Its id is out of reach.
        """
        spec = command.spec
        self._reach.require(spec.job_id or "")
        self._connection.execute(
            insert(job).values(
                spec.model_dump(include=set(_SPEC_COLUMNS))
                | _progress_values(command.progress)
                | {
                    "derived_id": command.derived_id,
                    "min_cost_since": 0,
                    "rng_state": None,
                    "last_trial_number": command.last_trial_number,
                    "last_decision": 0,
                    "longest_epoch_s": 0.0,
                    "energy_source": None,
                    "foreign_source_in_row": 0,
                    "created_at": database_now(),
                    "updated_at": database_now(),
                }
            )
        )

    def update_settings(self, command: UpdateSettings) -> None:
        """Replace a job's settings."""
        values = command.settings.model_dump() | {"updated_at": database_now()}
        self._connection.execute(update(job).where(job.c.job_id == command.job_id).values(values))

    def save_progress(self, command: SaveProgress) -> None:
        """Replace what changes in a job from request to request."""
        values = {name: getattr(command, name) for name in SaveProgress.model_fields if name != "progress"}
        values["id"] = values.pop("job_id")
        values["energy_source"] = command.energy_source.value if command.energy_source else None
        self._connection.execute(_SAVE, values | _progress_values(command.progress))

    def delete(self, job_id: str) -> None:
        """Delete a job with all its trials."""
        self._connection.execute(delete(job).where(job.c.job_id == job_id))

    def tombstone(self, job_id: str) -> Tombstone | None:
        """Read what a deleted namesake left behind.

        Raises:
            ForbiddenError: The id is out of reach.
        """
        self._reach.require(job_id)
        row = self._connection.execute(
            select(job_tombstone.c.last_trial_number, job_tombstone.c.generation).where(
                job_tombstone.c.job_id == job_id
            )
        ).first()
        return None if row is None else Tombstone(row.last_trial_number, row.generation)

    def bury(self, job_id: str, tombstone: Tombstone) -> None:
        """Leave a tombstone behind; it replaces an older one."""
        self.clear_tombstone(job_id)
        self._connection.execute(
            insert(job_tombstone).values(
                job_id=job_id,
                last_trial_number=tombstone.last_trial_number,
                generation=tombstone.generation,
                deleted_at=database_now(),
            )
        )

    def clear_tombstone(self, job_id: str) -> None:
        """Remove the tombstone, if there is one.

        Raises:
            ForbiddenError: The id is out of reach.
        """
        self._reach.require(job_id)
        self._connection.execute(delete(job_tombstone).where(job_tombstone.c.job_id == job_id))


def _progress_values(progress: Progress) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(progress, name) for name in _PROGRESS_COLUMNS}
    return values | {
        "stage": progress.stage.value,
        "round_sizes": list(progress.round_sizes),
        "surrogate": to_document(progress.surrogate),
    }


def _job_state(row: Mapping[Any, Any]) -> JobState:
    progress: dict[str, Any] = {name: row[name] for name in _PROGRESS_COLUMNS}
    progress |= {
        "stage": Stage(row["stage"]),
        "round_sizes": tuple(row["round_sizes"]),
        "surrogate": from_document(SurrogateState, row["surrogate"]),
    }
    spec = {name: row[name] for name in _SPEC_COLUMNS}
    spec["policy_options"] = PolicyOptions.model_construct(**(row["policy_options"] or {}))
    source = row["energy_source"]
    return JobState(
        spec=JobSpecFromClient.model_construct(**spec),
        derived_id=row["derived_id"],
        progress=Progress(**progress),
        min_cost_since=row["min_cost_since"],
        rng_state=row["rng_state"],
        last_trial_number=row["last_trial_number"],
        last_decision=row["last_decision"],
        longest_epoch_s=row["longest_epoch_s"],
        energy_source=EnergySource(source) if source else None,
        foreign_source_in_row=row["foreign_source_in_row"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        read_at=row["read_at"],
    )
