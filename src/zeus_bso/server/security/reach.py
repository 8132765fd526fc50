"""Which jobs a request reaches."""

from __future__ import annotations

from dataclasses import dataclass

from zeus_bso.exceptions import ForbiddenError


@dataclass(frozen=True, slots=True)
class Reach:
    """The jobs whose id begins with one of these; none of them: no job at all.

    Attributes:
        prefixes: What an id may begin with; the empty text lets every id in.
    """

    prefixes: tuple[str, ...]

    @classmethod
    def of(cls, prefix: str | None) -> Reach:
        """The reach of a token with this prefix; None: every job."""
        return EVERYTHING if prefix is None else cls((prefix,))

    @property
    def is_everything(self) -> bool:
        """Whether every job is within."""
        return "" in self.prefixes

    def covers(self, job_id: str) -> bool:
        """Whether a job is within; ids compare case-sensitively."""
        return job_id.startswith(self.prefixes)

    def require(self, job_id: str) -> None:
        """See that a job is within.

        Raises:
            ForbiddenError: It is not; whether it exists is not said.
        """
        if not self.covers(job_id):
            prefixes = " or ".join(repr(prefix) for prefix in self.prefixes)
            raise ForbiddenError(f"Your token reaches jobs whose id begins with {prefixes} only.")


EVERYTHING = Reach(("",))
NOTHING = Reach(())
