"""Where past runs come from: one interface over files and trackers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from zeus_bso.cli.importing import csv_source, mlflow_source, wandb_source
from zeus_bso.cli.importing.csv_source import RowError
from zeus_bso.cli.importing.rows import SourceRun


class Source(Protocol):
    """Runs as they were recorded."""

    @property
    def kind(self) -> str:
        """Its kind, such as ``csv``, under which the server knows the runs."""

    @property
    def where(self) -> str:
        """The source, for a message."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the figures that runs have."""

    @property
    def guessed(self) -> Sequence[str]:
        """The fields that are found by their names; any other must be told."""

    @property
    def decimal_comma(self) -> bool:
        """Whether numbers may have a decimal comma."""

    def runs(self) -> Iterator[SourceRun | RowError]:
        """The runs; of one that cannot be read, what is wrong with it."""

    def notes(self) -> list[str]:
        """What a person should know, when all runs are read."""


def opened(source: str, told: Mapping[str, str], max_epochs: int) -> AbstractContextManager[Source]:
    """Open a source.

    Args:
        source: How the user names it.
        told: The names of figures that the user has told, by field.
        max_epochs: That of the job.

    Raises:
        CommandError: It cannot be read.
    """
    if source.startswith(mlflow_source.PREFIX):
        return mlflow_source.opened(source, told, max_epochs)
    if source.startswith(wandb_source.PREFIX):
        return wandb_source.opened(source, told, max_epochs)
    return csv_source.opened(Path(source))
