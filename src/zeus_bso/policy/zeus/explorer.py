"""Pruning: walk the batch sizes outward from a start and keep those that converge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zeus_bso.policy.state import Retirement, RoundSlot, SlotState, nearest


@dataclass(frozen=True, slots=True)
class Explore:
    """Run an Exploration trial of this size."""

    batch_size: int


@dataclass(frozen=True, slots=True)
class Wait:
    """An Exploration trial of this size is open; its result decides how the walk goes on."""

    under_exploration: int


@dataclass(frozen=True, slots=True)
class RoundOver:
    """The walk has ended.

    Attributes:
        survivors: Live sizes that converged in this round, ascending.
        cheapest: The one of least cost; None when there is no survivor.
    """

    survivors: tuple[int, ...]
    cheapest: int | None


ExplorerDecision = Explore | Wait | RoundOver


@dataclass(frozen=True, slots=True)
class Explorer:
    """One round of pruning.

    From the start the walk goes down through smaller sizes, then up through larger ones; a size that does not converge
    ends its direction. Retired sizes are passed over, so that a retired start is replaced by the nearest live size,
    smaller first. Running out of memory or failing repeatedly says nothing against smaller sizes, so it does not end
    the way down. A round may try all sizes instead, nearest to the start first, and then nothing ends a direction.

    Attributes:
        sizes: Sizes of the round, ascending.
        start: Where the walk starts; the first step of the way down.
        try_all_sizes: Try every size.
    """

    sizes: tuple[int, ...]
    start: int
    try_all_sizes: bool = False

    def decide(self, places: Iterable[RoundSlot], retired: Mapping[int, Retirement]) -> ExplorerDecision:
        """Find the next step of the walk.

        Args:
            places: The places of this round that are held or filled, at most one per size.
            retired: The retired sizes, and why.

        Source:
            Zeus (NSDI'23), algorithm 1, with the rules for failed and concurrent runs added.
        """
        by_size = {place.batch_size: place for place in places}
        held = next((place.batch_size for place in by_size.values() if place.state is SlotState.OPEN), None)
        if held is not None:
            return Wait(held)
        if self.try_all_sizes:
            step = self._step(nearest(list(self.sizes), self.start), by_size, retired)
        else:
            start = self._start(by_size, retired)
            step = self._step([size for size in reversed(self.sizes) if size <= start], by_size, retired)
            if step is None:
                step = self._step([size for size in self.sizes if size > start], by_size, retired, upward=True)
        return self._over(by_size, retired) if step is None else Explore(step)

    def _start(self, places: Mapping[int, RoundSlot], retired: Mapping[int, Retirement]) -> int:
        """With nothing left to try at the start and below it, the way down begins at the next larger size."""
        standing = [size for size in self.sizes if size in places or size not in retired]
        return max(self.start, min(standing, default=self.start))

    def _step(
        self,
        path: list[int],
        places: Mapping[int, RoundSlot],
        retired: Mapping[int, Retirement],
        *,
        upward: bool = False,
    ) -> int | None:
        for size in path:
            place = places.get(size)
            if place is None:
                if size not in retired:
                    return size
                ends = upward and retired[size] is not Retirement.MISSED
            else:
                ends = place.state is SlotState.UNCONVERGED
            if ends and not self.try_all_sizes:
                return None
        return None

    def _over(self, places: Mapping[int, RoundSlot], retired: Mapping[int, Retirement]) -> RoundOver:
        costs = {
            size: place.cost
            for size, place in sorted(places.items())
            if place.state is SlotState.CONVERGED and place.cost is not None and size not in retired
        }
        return RoundOver(tuple(costs), min(costs, key=lambda size: costs[size]) if costs else None)
