"""Scenarios by name: made-up workloads, each of which makes one thing hard that is hard about real jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.simulator.made_up import SmoothWorkload, made_up_pair
from zeus_bso.simulator.scenario import Cliff, Dip, Drift, Scenario, Tail
from zeus_bso.simulator.traces import Pair
from zeus_bso.simulator.world import SimulatedWorkload

RECURRENCES = 100

WARM_UPS = tuple(range(11))
WARM_UP_EPOCHS = ((5, 3), (10, 7), (20, 14), (40, 28))
"""Epochs of the default and of the better size."""


@dataclass(frozen=True, slots=True)
class NamedScenario:
    """A scenario by its name, in one or more variants.

    Attributes:
        name: Its name.
        description: What it is, in plain words.
        variants: By name: a made-up workload in a scenario.
    """

    name: str
    description: str
    variants: dict[str, SimulatedWorkload]


def _powers(low: int, high: int) -> tuple[int, ...]:
    return tuple(2**power for power in range(low, high + 1))


SMOOTH = SmoothWorkload()
MANY = _powers(0, 13)
UNEVEN = (16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512)
FEW = (32, 64, 128, 256)


@lru_cache(maxsize=1)
def named_scenarios() -> tuple[NamedScenario, ...]:
    """All of them."""
    return (
        _named(
            "smooth",
            "Nothing is hard: eight sizes, costs smooth in the batch size, some noise. What the others are "
            "compared with.",
            {
                "default-large": (SMOOTH, Scenario()),
                "default-small": (replace(SMOOTH, default_batch_size=16), Scenario()),
            },
        ),
        _named(
            "steep",
            "Fourteen sizes over 13 octaves, the default at one end, and costs that fall steeply away from it: to "
            "the other end, or to a least cost four octaves before it.",
            _steep(),
        ),
        _named(
            "warm-up",
            "Two sizes whose epochs cost alike; the default needs more of them (5, 10, 20 or 40 against 3, 7, 14 "
            "or 28). The first epoch of every run costs 0 to 10 normal ones more: a compiler, cold caches, "
            "workers starting.",
            {
                f"{slow}-{fast}-plus-{warm_up}": (
                    made_up_pair("", epochs={128: fast, 256: slow}, default_batch_size=256),
                    Scenario(warm_up=warm_up),
                )
                for slow, fast in WARM_UP_EPOCHS
                for warm_up in WARM_UPS
            },
        ),
        _named(
            "warm-up-many",
            "Eight sizes with some noise; the first epoch costs 3 normal ones more at every size, or from 1 more "
            "at the smallest size to 8 more at the largest.",
            {
                "alike": (SMOOTH, Scenario(warm_up=3.0)),
                "by-size": (
                    SMOOTH,
                    Scenario(warm_ups={size: 1.0 + rank for rank, size in enumerate(SMOOTH.batch_sizes)}),
                ),
            },
        ),
        _named(
            "cliffs",
            "Many sizes, of which some do not suit the hardware: an epoch costs 1.6 times (or 3 times) as much "
            "unless the size is a multiple of 32.",
            {
                "default-on": (_uneven(256), Scenario(cliff=Cliff(1.6))),
                "default-off": (_uneven(112), Scenario(cliff=Cliff(1.6))),
                "high": (_uneven(48), Scenario(cliff=Cliff(3.0))),
            },
        ),
        _named(
            "two-minima",
            "Two sizes are better than all around them: one near the default, and five or six octaves away one "
            "that costs an eighth to a quarter less, behind sizes that cost more than either.",
            _two_minima(),
        ),
        _named(
            "drift-down",
            "The data change, and larger batches suffer more from it, so that the best size moves three octaves "
            "down: at half time, or little by little between the recurrences 30 and 70.",
            {
                "at-once": (_drifting(64, 512), Scenario(drift=Drift(RECURRENCES // 2, 2.0, tilt=0.7))),
                "slowly": (_drifting(64, 512), Scenario(drift=Drift(30, 2.0, tilt=0.7, over=40))),
            },
        ),
        _named(
            "drift-up",
            "The data change, and larger batches gain from it, so that the best size moves two octaves up at half "
            "time.",
            {"at-once": (_drifting(64, 32), Scenario(drift=Drift(RECURRENCES // 2, tilt=-0.5)))},
        ),
        _named(
            "noise",
            "The epochs of a run vary far: the standard deviation of their logarithm is 0.5, so that one run in "
            "six needs 1.65 times the usual, and one in six less than 0.6 times.",
            {
                "default-large": (replace(SMOOTH, noise=0.0, max_epochs=400), Scenario(noise=0.5)),
                "default-small": (
                    replace(SMOOTH, noise=0.0, max_epochs=400, default_batch_size=16),
                    Scenario(noise=0.5),
                ),
            },
        ),
        _named(
            "tails",
            "Most runs are alike, but one in ten needs three times the epochs; or one in five needs 1.5 times and "
            "more, up to any number; or only one size has such runs, and it is the best one.",
            {
                "tenth": (replace(SMOOTH, max_epochs=400), Scenario(tail=Tail(0.1, 3.0))),
                "power-law": (replace(SMOOTH, max_epochs=400), Scenario(tail=Tail(0.2, 1.5, index=2.0))),
                "best-size": (
                    replace(SMOOTH, critical_size=128.0, steepness=2.0, max_epochs=400),
                    Scenario(tail=Tail(0.15, 2.0, batch_sizes=(64,))),
                ),
            },
        ),
        _named(
            "growth",
            "The data grow: each recurrence costs 2 % more than the one before, because each epoch does, or "
            "because it needs more epochs.",
            {
                "pace": (SMOOTH, Scenario(growth=0.02)),
                "epochs": (
                    replace(SMOOTH, max_epochs=200),
                    Scenario(drift=Drift(0, 1.02**RECURRENCES, over=RECURRENCES)),
                ),
            },
        ),
        _named(
            "overlap",
            "Four sizes, one of which never reaches the target; 5 or 9 recurrences run at once, so that a result "
            "comes 4 or 8 recurrences late.",
            {
                f"{place}-never-{late}-late": (
                    replace(SMOOTH, batch_sizes=FEW, default_batch_size=128),
                    Scenario(overlap=late, never=(size,)),
                )
                for place, size in (("smallest", 32), ("largest", 256), ("default", 128))
                for late in (4, 8)
            },
        ),
        _named(
            "never",
            "The default never reaches the target, nor do the sizes on one side of it: the better ones are "
            "larger, or smaller.",
            {
                "larger-is-better": (
                    replace(SMOOTH, default_batch_size=64, overhead_size=256.0, critical_size=1024.0),
                    Scenario(never=(8, 16, 32, 64)),
                ),
                "smaller-is-better": (SMOOTH, Scenario(never=(256, 512, 1024))),
                "default-alone": (SMOOTH, Scenario(never=(256,))),
            },
        ),
        _named(
            "shared-machine",
            "Others use the machine too: what an epoch costs varies from run to run, with a standard deviation of "
            "its logarithm of 0.3.",
            {"default-large": (SMOOTH, Scenario(pace_noise=0.3))},
        ),
    )


def worlds_of(names: Sequence[str], pairs: Sequence[Pair] | None = None) -> list[SimulatedWorkload]:
    """The worlds of named scenarios.

    Args:
        names: Names of scenarios, or of one variant of a scenario: ``cliffs`` or ``cliffs/high``.
        pairs: Lay them over these workloads instead of their own.

    Raises:
        ZeusBSOConfigError: There is no scenario of this name, or none of it can be laid over another workload.
    """
    chosen = [world for name in names for world in _variants_of(name)]
    if pairs is None:
        return list({world.scenario.name: world for world in chosen}.values())
    carried: list[Scenario] = []
    for world in chosen:
        scenario = world.scenario.on_another_workload()
        if scenario is None:
            raise ZeusBSOConfigError(
                f"The scenario {world.scenario.name!r} lives by its made-up workload; it cannot be laid over traces."
            )
        if not any(replace(scenario, name=known.name) == known for known in carried):
            carried.append(scenario)
    return [SimulatedWorkload(pair, scenario) for scenario in carried for pair in pairs]


def _variants_of(name: str) -> list[SimulatedWorkload]:
    for scenario in named_scenarios():
        if name == scenario.name:
            return list(scenario.variants.values())
        for variant, world in scenario.variants.items():
            if name == f"{scenario.name}/{variant}":
                return [world]
    there = ", ".join(scenario.name for scenario in named_scenarios())
    raise ZeusBSOConfigError(f"There is no scenario {name!r}; there are: {there}.")


def _named(name: str, description: str, variants: dict[str, tuple[SmoothWorkload | Pair, Scenario]]) -> NamedScenario:
    worlds = {}
    for variant, (workload, scenario) in variants.items():
        full = f"{name}/{variant}"
        pair = workload if isinstance(workload, Pair) else workload.pair()
        pair = replace(pair, workload=replace(pair.workload, name=full))
        worlds[variant] = SimulatedWorkload(pair, replace(scenario, name=full, recurrences=RECURRENCES))
    return NamedScenario(name, description, worlds)


def _steep() -> dict[str, tuple[SmoothWorkload | Pair, Scenario]]:
    steep = SmoothWorkload(batch_sizes=MANY, epochs=4.0, steepness=0.6, noise=0.1, max_epochs=3000)
    up, down = 1.0e6, 0.05
    return {
        "smallest-to-the-end": (
            replace(steep, default_batch_size=MANY[0], overhead_size=up, critical_size=up),
            Scenario(),
        ),
        "smallest-to-512": (
            replace(steep, default_batch_size=MANY[0], overhead_size=512.0, critical_size=512.0),
            Scenario(),
        ),
        "largest-to-the-end": (
            replace(steep, default_batch_size=MANY[-1], epochs=0.5, overhead_size=down, critical_size=down),
            Scenario(),
        ),
        "largest-to-16": (
            replace(steep, default_batch_size=MANY[-1], overhead_size=16.0, critical_size=16.0),
            Scenario(),
        ),
    }


def _uneven(default: int) -> SmoothWorkload:
    return SmoothWorkload(batch_sizes=UNEVEN, default_batch_size=default, critical_size=200.0, overhead_size=60.0)


def _two_minima() -> dict[str, tuple[SmoothWorkload | Pair, Scenario]]:
    sizes = _powers(3, 12)
    low = SmoothWorkload(sizes, 32, critical_size=128.0, overhead_size=16.0, steepness=0.6, max_epochs=200)
    high = SmoothWorkload(sizes, 1024, critical_size=2048.0, overhead_size=256.0, steepness=0.6, max_epochs=200)
    return {
        "deep-above": (low, Scenario(dip=Dip(2048, 0.25, 0.8))),
        "deep-below": (high, Scenario(dip=Dip(16, 0.3, 0.8))),
        "less-deep-above": (low, Scenario(dip=Dip(2048, 0.28, 0.8))),
    }


def _drifting(overhead: float, critical: float) -> SmoothWorkload:
    return SmoothWorkload(overhead_size=overhead, critical_size=critical)
