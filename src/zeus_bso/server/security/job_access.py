"""The jobs that a request can reach."""

from __future__ import annotations

from dataclasses import dataclass

from zeus_bso.exceptions import ForbiddenError


@dataclass(frozen=True, slots=True)
class JobAccess:
    """The jobs whose id begins with one of the prefixes. Without prefixes there are none.

    Attributes:
        prefixes: The allowed beginnings of a job id. The empty prefix allows every id.
    """

    prefixes: tuple[str, ...]

    @classmethod
    def of(cls, prefix: str | None) -> JobAccess:
        """The reach of a token with this prefix. None stands for every job."""
        return EVERYTHING if prefix is None else cls((prefix,))

    @property
    def is_everything(self) -> bool:
        """Whether every job is within reach."""
        return "" in self.prefixes

    def covers(self, job_id: str) -> bool:
        """Whether a job is within reach. Ids are case-sensitive."""
        return job_id.startswith(self.prefixes)

    def require(self, job_id: str) -> None:
        """Check that a job is within reach.

        Raises:
            ForbiddenError: The job is out of reach. The message does not say whether it exists.
        """
        if not self.covers(job_id):
            prefixes = " or ".join(repr(prefix) for prefix in self.prefixes)
            raise ForbiddenError(f"Your token reaches only jobs whose id begins with {prefixes}.")


EVERYTHING = JobAccess(("",))
NOTHING = JobAccess(())
