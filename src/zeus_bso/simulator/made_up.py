"""Made-up workloads: costs by formula or by table, with runs and learning curves like recorded ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.simulator.traces import Pace, Pair, RecordedRun, Workload

GPU = "made-up"
MAX_POWER_W = 300.0
_IDLE_W = 100.0
_BUSY_W = 280.0

TARGET = 0.8
_LEVELS = 20
_BEND = 3.0
"""How sharply a learning curve flattens: it rises like ``1 - exp(-_BEND * epoch / epochs_to_target)``."""

_RUNS = 24
"""Runs of each size: the quantiles of the epochs' distribution, each as likely as the others."""


@dataclass(frozen=True, slots=True)
class SmoothWorkload:
    """A workload whose costs are smooth in the batch size b.

    An epoch takes ``epoch_s * (1 + (overhead_size / b) ** steepness)``: small batches pay for each step, and use less
    power. A run takes ``epochs * (1 + (b / critical_size) ** steepness)`` epochs: large batches learn less from each
    sample. The least cost is about half way, in octaves, between the two sizes.

    Attributes:
        batch_sizes: The sizes to choose from.
        default_batch_size: The size in use before anything is optimised.
        epochs: Epochs of a small batch.
        critical_size: At this size a run takes twice as many.
        overhead_size: At this size an epoch takes twice its time.
        steepness: Exponent of both; above 1 costs rise more steeply on either side.
        epoch_s: Time of an epoch with a large batch [s].
        noise: Standard deviation of the logarithm of a run's epochs.
        max_epochs: A run that has not converged by then has missed its target.

    Raises:
        ZeusBSOConfigError: A number is out of its range; from :meth:`pair`.
    """

    batch_sizes: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512, 1024)
    default_batch_size: int = 256
    epochs: float = 10.0
    critical_size: float = 256.0
    overhead_size: float = 32.0
    steepness: float = 1.0
    epoch_s: float = 60.0
    noise: float = 0.15
    max_epochs: int = 100

    def pair(self, name: str = "smooth") -> Pair:
        """The workload as a simulation takes it."""
        for what in ("epochs", "critical_size", "overhead_size", "steepness", "epoch_s"):
            value = getattr(self, what)
            if not 0 < value <= 1e9:
                raise ZeusBSOConfigError(f"{what} of a made-up workload must be above 0, at most 1e9, not {value:g}.")
        try:
            overheads = {size: (self.overhead_size / size) ** self.steepness for size in self.batch_sizes}
            growths = {size: (size / self.critical_size) ** self.steepness for size in self.batch_sizes}
        except OverflowError:
            raise ZeusBSOConfigError(f"steepness {self.steepness:g} is more than a cost can be.") from None
        return made_up_pair(
            name,
            epochs={size: self.epochs * (1 + growth) for size, growth in growths.items()},
            paces={
                size: Pace(self.epoch_s * (1 + overhead), _IDLE_W + (_BUSY_W - _IDLE_W) / (1 + overhead))
                for size, overhead in overheads.items()
            },
            default_batch_size=self.default_batch_size,
            noise=self.noise,
            max_epochs=self.max_epochs,
        )


def made_up_pair(
    name: str,
    *,
    epochs: Mapping[int, float],
    paces: Mapping[int, Pace] | None = None,
    default_batch_size: int,
    noise: float = 0.0,
    max_epochs: int = 100,
) -> Pair:
    """A workload by its table.

    Args:
        name: Its name.
        epochs: Epochs of a run, by batch size: their median, where there is noise.
        paces: What an epoch takes, by batch size; None: the same at every size.
        default_batch_size: The size in use before anything is optimised.
        noise: Standard deviation of the logarithm of a run's epochs.
        max_epochs: A run that has not converged by then has missed its target.

    Raises:
        ZeusBSOConfigError: The default is not among the sizes, or a number is out of its range.
    """
    sizes = sorted(epochs)
    if not sizes or sizes[0] < 1:
        raise ZeusBSOConfigError("A made-up workload needs batch sizes of at least 1.")
    if default_batch_size not in epochs:
        raise ZeusBSOConfigError(
            f"The default batch size {default_batch_size} of a made-up workload is not among its sizes: "
            f"{', '.join(map(str, sizes))}."
        )
    if not 0 <= noise <= 3:
        raise ZeusBSOConfigError(f"The noise of a made-up workload must be between 0 and 3, not {noise:g}.")
    if not 1 <= max_epochs <= 100_000:
        raise ZeusBSOConfigError(f"max_epochs of a made-up workload must be between 1 and 100,000, not {max_epochs}.")
    taken = paces or {size: Pace(60.0, _BUSY_W) for size in sizes}
    return Pair(
        workload=Workload(
            name=name,
            key=(name, GPU, GPU),
            target_metric=TARGET,
            higher_is_better=True,
            max_epochs=max_epochs,
            default_batch_size=default_batch_size,
        ),
        gpu=GPU,
        runs={size: _runs(epochs[size], noise) for size in sizes},
        paces={size: {MAX_POWER_W: taken[size]} for size in sizes},
        max_power_w=MAX_POWER_W,
        default_batch_size=default_batch_size,
    )


def _runs(epochs: float, noise: float) -> tuple[RecordedRun, ...]:
    if not noise:
        return (made_up_run(epochs),)
    ranks = [(index + 0.5) / _RUNS for index in range(_RUNS)]
    return tuple(made_up_run(epochs * math.exp(noise * NormalDist().inv_cdf(rank))) for rank in ranks)


def made_up_run(epochs: float, bend: float = _BEND) -> RecordedRun:
    """A run that reaches its target after so many epochs, and the levels before on a saturating curve.

    Args:
        epochs: Its epochs.
        bend: How sharply the curve flattens; above 0.
    """
    shares = [(index + 1) / _LEVELS for index in range(_LEVELS)]
    moments = [-math.log(1 - share * (1 - math.exp(-bend))) / bend for share in shares]
    return RecordedRun(
        levels=tuple(TARGET * share for share in shares),
        epochs=tuple(epochs * moment for moment in moments),
        target_epoch=epochs,
        floor=0.0,
    )
