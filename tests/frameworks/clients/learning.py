"""A task that a model learns within a few epochs, whatever the batch size; it drifts from slice to slice."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

Batches = Iterator[tuple[Tensor, Tensor]]


class Task:
    """Tells on which side of a line points lie; the line turns a little from slice to slice.

    Args:
        number: The slice.
    """

    def __init__(self, number: int = 0) -> None:
        generator = torch.Generator().manual_seed(number)
        self._points = torch.randn(1024, 2, generator=generator)
        turned = torch.tensor([math.cos(0.1 * number), math.sin(0.1 * number)])
        self._sides = (self._points @ turned > 0).float()

    def batches(self, batch_size: int, rank: int = 0, world_size: int = 1) -> Batches:
        """This rank's share of an epoch."""
        points, sides = self._points[rank::world_size], self._sides[rank::world_size]
        yield from zip(points.split(batch_size // world_size), sides.split(batch_size // world_size), strict=True)

    def accuracy(self, model: nn.Module) -> float:
        """The share of points that the model has right."""
        with torch.no_grad():
            return float(((model(self._points).squeeze(1) > 0).float() == self._sides).float().mean())


def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
    """An untrained model, and what trains it."""
    torch.manual_seed(1)
    model = nn.Linear(2, 1)
    return model, torch.optim.SGD(model.parameters(), lr=0.5)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, points: Tensor, sides: Tensor) -> None:
    """One step of training."""
    optimizer.zero_grad()
    nn.functional.binary_cross_entropy_with_logits(model(points).squeeze(1), sides).backward()
    optimizer.step()
