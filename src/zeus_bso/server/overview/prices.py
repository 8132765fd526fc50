"""What energy costs, and what it emits."""

from __future__ import annotations

from dataclasses import dataclass

from zeus_bso.savings import JOULES_PER_KWH, Saving
from zeus_bso.views import SavedAmount


@dataclass(frozen=True, slots=True)
class Prices:
    """What one kilowatt-hour costs and emits.

    Attributes:
        per_kwh: Its price; None: unknown.
        currency: The currency of the price.
        co2e_g_per_kwh: Its emissions [g CO2e]; None: unknown.
    """

    per_kwh: float | None = None
    currency: str = "USD"
    co2e_g_per_kwh: float | None = None

    def kwh(self, energy: Saving | None) -> SavedAmount | None:
        """Saved energy [kWh]."""
        return scaled(energy, 1 / JOULES_PER_KWH)

    def money(self, energy: Saving | None) -> SavedAmount | None:
        """What the saved energy would have cost."""
        return None if self.per_kwh is None else scaled(energy, self.per_kwh / JOULES_PER_KWH)

    def co2e_kg(self, energy: Saving | None) -> SavedAmount | None:
        """What the saved energy would have emitted [kg]."""
        return None if self.co2e_g_per_kwh is None else scaled(energy, self.co2e_g_per_kwh / 1000 / JOULES_PER_KWH)


def scaled(saving: Saving | None, factor: float) -> SavedAmount | None:
    """A saving in another unit."""
    if saving is None:
        return None
    return SavedAmount(saved=saving.saved * factor, low=saving.low * factor, high=saving.high * factor)
