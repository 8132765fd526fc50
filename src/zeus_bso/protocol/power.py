"""What is known about a batch size at each power limit. Runs measure it, and the server keeps it.

Units: power in watts, time in seconds, energy in joules. A limit is per device. A power is of all devices.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zeus_bso.protocol.words import Count, Number, PositiveCount

MAX_POINTS = 64
"""Most power limits that a profile may have."""

Watts = Annotated[Number, Field(gt=0, le=1e6, allow_inf_nan=False)]
Rate = Annotated[Number, Field(ge=1e-12, le=1e12, allow_inf_nan=False)]

SignedTotal = Annotated[Number, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
"""A difference of two totals [s or J]."""

PowerUnit = Literal["step", "epoch"]
"""The unit of work by which a profile counts. Scripts with step hooks count steps, others count epochs."""


class PowerPoint(BaseModel):
    """The pace of a batch size at one power limit.

    Attributes:
        limit: The power limit of each device [W].
        power: The mean power of all devices of the job [W].
        rate: Units of work per second.
        windows: Number of measured windows. The power and the rate are their means.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    limit: Watts
    power: Annotated[Number, Field(gt=0, le=1e9, allow_inf_nan=False)]
    rate: Rate
    windows: PositiveCount = 1


class PowerProfile(BaseModel):
    """What is known about a batch size at each power limit.

    Attributes:
        unit: The unit of work by which the rates count.
        lowest: The lowest power limit that may be set [W].
        highest: The highest one, which is full power [W].
        revision: How often the batch size was measured anew, because its pace had changed.
        points: The measured limits, each once.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    unit: PowerUnit
    lowest: Watts
    highest: Watts
    revision: Count = 0
    points: Annotated[tuple[PowerPoint, ...], Field(max_length=MAX_POINTS)] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> PowerProfile:
        if self.lowest > self.highest:
            raise ValueError("lowest must not exceed highest")
        limits = [point.limit for point in self.points]
        if len(set(limits)) != len(limits):
            raise ValueError("each limit may occur only once in points")
        outside = [limit for limit in limits if not self.lowest <= limit <= self.highest]
        if outside:
            raise ValueError(f"the limit {outside[0]:g} lies outside lowest to highest")
        return self

    def at(self, limit: float) -> PowerPoint | None:
        """What was measured at a limit. None if nothing was."""
        return next((point for point in self.points if point.limit == limit), None)


class PowerUse(BaseModel):
    """What a run tells about power limits.

    The run's time and energy are those that it would have needed at the chosen limit throughout. The differences that
    measuring other limits has made are told apart, so that no decision is taken because of them.

    Attributes:
        power_limit: The power limit of each device at which the run trains now [W]. Null at full power.
        power_profile: The whole profile of the batch size, as far as this run knows it. Null if it has measured none.
        profiling_time: Time beyond ``time`` that the run has spent to measure other limits [s]. It may be negative.
        profiling_energy: Energy beyond ``energy`` that it has used for that [J]. It may be negative.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    power_limit: Watts | None = None
    power_profile: PowerProfile | None = None
    profiling_time: SignedTotal = 0.0
    profiling_energy: SignedTotal = 0.0
