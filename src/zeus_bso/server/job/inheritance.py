"""What a job has taken over from its ancestor: a snapshot in the job's row, so that no lock spans two jobs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from zeus_bso.cost import zeus_cost
from zeus_bso.policy.ancestor import Ancestor, AncestorSize, Kinship
from zeus_bso.protocol.words import PositiveCount, Text

_Logarithm = Annotated[float, Field(ge=-100, le=100)]
_Variance = Annotated[float, Field(gt=0, le=1e40)]
_Amount = Annotated[float, Field(ge=0, le=1e40)]


@dataclass(frozen=True, slots=True)
class InheritedSize:
    """What the ancestor knew about one batch size.

    Attributes:
        batch_size: The size.
        runs: Runs that the figures rest on, at least 1.
        log_epochs: Log epochs to the target. None: it is not known.
        energy: Energy of an epoch, as far as the ancestor's cost of an epoch tells [J].
        time: Time of an epoch, likewise [s].
    """

    batch_size: PositiveCount
    runs: PositiveCount
    log_epochs: _Logarithm | None
    energy: _Amount
    time: _Amount


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a job has taken over from its ancestor when it was created.

    Energy and time are kept apart, because the job may weigh them otherwise, and may change its mind.

    Attributes:
        job_id: The ancestor's id.
        kinship: How the tasks are related.
        default_batch_size: The ancestor's default size.
        noise_variance: Variance of log epochs-to-target from run to run.
        pace_variance: Variance of the log cost per epoch from run to run.
        sizes: The sizes that it had tried, ascending; at least one.
        generation: The generation in which the job began.
    """

    job_id: Text
    kinship: Kinship
    default_batch_size: PositiveCount
    noise_variance: _Variance
    pace_variance: _Variance
    sizes: Annotated[tuple[InheritedSize, ...], Field(min_length=1)]
    generation: PositiveCount = 1

    @property
    def runs(self) -> int:
        """Runs that it rests on."""
        return sum(size.runs for size in self.sizes)

    def priced(self, eta_knob: float, max_power_w: float, *, advises: bool) -> Ancestor:
        """The beliefs under the settings of the new job.

        Args:
            eta_knob: Its weight of energy against time.
            max_power_w: Its ``max_power`` [W].
            advises: Whether its first run is still to come.
        """
        return Ancestor(
            job_id=self.job_id,
            kinship=self.kinship,
            default_batch_size=self.default_batch_size,
            noise_variance=self.noise_variance,
            pace_variance=self.pace_variance,
            sizes=tuple(
                AncestorSize(size.batch_size, size.runs, _log(_cost(size, eta_knob, max_power_w)), size.log_epochs)
                for size in self.sizes
            ),
            advises=advises,
        )


_READER = TypeAdapter(Inheritance)


def to_document(inheritance: Inheritance | None) -> dict[str, Any] | None:
    """The JSON document of an inheritance."""
    return None if inheritance is None else asdict(inheritance) | {"kinship": inheritance.kinship.value}


def from_document(document: Mapping[str, Any] | None) -> Inheritance | None:
    """Read an inheritance from its document.

    Raises:
        ValueError: The document is invalid.
    """
    return None if document is None else _READER.validate_python(document)


def _cost(size: InheritedSize, eta_knob: float, max_power_w: float) -> float:
    return zeus_cost(size.energy, size.time, eta_knob, max_power_w)


def _log(cost: float) -> float | None:
    return math.log(cost) if cost > 0.0 else None
