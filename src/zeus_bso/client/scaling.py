"""Values that depend on the batch size: the learning rate, and the share of each device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSOOrderError

LearningRateRule = Literal["linear", "square-root"]


def linear_learning_rate(learning_rate: float, tuned_for: int, batch_size: int) -> float:
    """Scale a learning rate in proportion to the batch size.

    The usual rule for stochastic gradient descent with momentum. Large batches also need a warm-up.

    Args:
        learning_rate: The learning rate that suits the batch size ``tuned_for``.
        tuned_for: That batch size.
        batch_size: The batch size to train with.

    Raises:
        ZeusBSOConfigError: A batch size is not positive.

    Source:
        Goyal et al., Accurate, large minibatch SGD (2017), section 2.1.

    Examples:
        >>> from zeus_bso.client.scaling import linear_learning_rate
        >>> linear_learning_rate(0.1, tuned_for=256, batch_size=1024)
        0.4
    """
    return learning_rate * _ratio(tuned_for, batch_size)


def square_root_learning_rate(learning_rate: float, tuned_for: int, batch_size: int) -> float:
    """Scale a learning rate by the square root of the batch size's ratio.

    The usual rule for Adam and other adaptive optimizers.

    Args:
        learning_rate: The learning rate that suits the batch size ``tuned_for``.
        tuned_for: That batch size.
        batch_size: The batch size to train with.

    Raises:
        ZeusBSOConfigError: A batch size is not positive.

    Source:
        Malladi et al., On the SDEs and scaling rules for adaptive gradient algorithms (NeurIPS 2022).

    Examples:
        >>> from zeus_bso.client.scaling import square_root_learning_rate
        >>> square_root_learning_rate(0.1, tuned_for=256, batch_size=1024)
        0.2
    """
    return learning_rate * math.sqrt(_ratio(tuned_for, batch_size))


def scaled_learning_rate(learning_rate: float, tuned_for: int, batch_size: int, rule: LearningRateRule) -> float:
    """Scale a learning rate by the named rule.

    Raises:
        ZeusBSOConfigError: There is no such rule, or a batch size is not positive.
    """
    if rule == "linear":
        return linear_learning_rate(learning_rate, tuned_for, batch_size)
    if rule == "square-root":
        return square_root_learning_rate(learning_rate, tuned_for, batch_size)
    raise ZeusBSOConfigError(f"The rule for the learning rate is 'linear' or 'square-root', not {rule!r}.")


@dataclass(frozen=True)
class Split:
    """A global batch size, divided among devices and accumulation steps without a remainder.

    Attributes:
        per_device: Batch size of the data loader of each device.
        accumulation_steps: Number of such batches before the optimizer takes a step.
        world_size: Number of devices.

    Examples:
        >>> from zeus_bso.client.scaling import split
        >>> split(1024, world_size=8, max_per_device=64)
        Split(per_device=64, accumulation_steps=2, world_size=8)
    """

    per_device: int
    accumulation_steps: int
    world_size: int

    @property
    def batch_size(self) -> int:
        """The global batch size."""
        return self.per_device * self.accumulation_steps * self.world_size


def split(batch_size: int, world_size: int, max_per_device: int | None = None) -> Split:
    """Divide a global batch size among devices, in the fewest accumulation steps.

    The product is exact, never rounded, because the server learns about exactly this batch size. A size that is not
    divisible by the number of devices is therefore an error. Every other size can be divided, in the worst case in
    steps of one sample per device.

    Args:
        batch_size: The global batch size.
        world_size: Number of devices that train.
        max_per_device: Largest batch that fits into the memory of a device. None for no limit.

    Raises:
        ZeusBSOConfigError: The batch size is not divisible by ``world_size``, or an argument is not positive.
    """
    for name, value in (("batch_size", batch_size), ("world_size", world_size), ("max_per_device", max_per_device)):
        if value is not None and value < 1:
            raise ZeusBSOConfigError(f"{name} must be at least 1, not {value}.")
    share, remainder = divmod(batch_size, world_size)
    if remainder:
        raise ZeusBSOConfigError(
            f"The batch size {batch_size} does not divide by {world_size} devices. The sizes in batch_sizes are "
            f"global: choose multiples of {world_size}."
        )
    steps = -(-share // max_per_device) if max_per_device is not None else 1
    while share % steps:
        steps += 1
    return Split(per_device=share // steps, accumulation_steps=steps, world_size=world_size)


class ScalesWithBatchSize:
    """Methods of an object that knows the batch size.

    Attributes:
        current_batch_size: The global batch size. None before it is known.
    """

    current_batch_size: int | None

    def split(self, world_size: int, max_per_device: int | None = None) -> Split:
        """Divide the global batch size among devices, see :func:`split`.

        Args:
            world_size: Number of devices that train.
            max_per_device: Largest batch that fits into the memory of a device. None for no limit.

        Raises:
            ZeusBSOConfigError: The batch size is not divisible by ``world_size``, or an argument is not positive.
            ZeusBSOOrderError: The batch size is not known yet.
        """
        return split(self._known_batch_size(), world_size, max_per_device)

    def scale_learning_rate(self, learning_rate: float, *, tuned_for: int, rule: LearningRateRule) -> float:
        """Scale a learning rate to the batch size.

        Args:
            learning_rate: The learning rate that suits the batch size ``tuned_for``.
            tuned_for: That batch size.
            rule: ``"linear"`` for stochastic gradient descent, or ``"square-root"`` for Adam.

        Raises:
            ZeusBSOConfigError: There is no such rule, or ``tuned_for`` is not positive.
            ZeusBSOOrderError: The batch size is not known yet.
        """
        return scaled_learning_rate(learning_rate, tuned_for, self._known_batch_size(), rule)

    def _known_batch_size(self) -> int:
        if self.current_batch_size is None:
            raise ZeusBSOOrderError("The batch size is not known yet: call get_batch_size first.")
        return int(self.current_batch_size)


def _ratio(tuned_for: int, batch_size: int) -> float:
    if tuned_for < 1 or batch_size < 1:
        raise ZeusBSOConfigError(f"Batch sizes must be at least 1, not {min(tuned_for, batch_size)}.")
    return batch_size / tuned_for
