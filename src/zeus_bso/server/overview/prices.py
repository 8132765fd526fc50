"""Price and emissions of energy."""

from __future__ import annotations

from dataclasses import dataclass

from zeus_bso.protocol.savings_views import SavedAmount
from zeus_bso.savings import JOULES_PER_KWH, Saving
from zeus_bso.server.config import Settings


@dataclass(frozen=True, slots=True)
class EnergyPrices:
    """Price and emissions of one kilowatt-hour.

    Attributes:
        per_kwh: The price, or None if it is unknown.
        currency: The currency of the price.
        co2e_g_per_kwh: The emissions [g CO2e], or None if they are unknown.
    """

    per_kwh: float | None = None
    currency: str = "USD"
    co2e_g_per_kwh: float | None = None

    @classmethod
    def of(cls, settings: Settings) -> EnergyPrices:
        """What the server's settings say."""
        return cls(settings.electricity_price, settings.currency, settings.carbon_intensity)

    def kwh(self, energy: Saving | None) -> SavedAmount | None:
        """Saved energy [kWh]."""
        return scaled(energy, 1 / JOULES_PER_KWH)

    def money(self, energy: Saving | None) -> SavedAmount | None:
        """The price of the saved energy."""
        return None if self.per_kwh is None else scaled(energy, self.per_kwh / JOULES_PER_KWH)

    def co2e_kg(self, energy: Saving | None) -> SavedAmount | None:
        """The emissions of the saved energy [kg CO2e]."""
        return None if self.co2e_g_per_kwh is None else scaled(energy, self.co2e_g_per_kwh / 1000 / JOULES_PER_KWH)


def scaled(saving: Saving | None, factor: float) -> SavedAmount | None:
    """A saving, converted to another unit by a factor."""
    if saving is None:
        return None
    return SavedAmount(saved=saving.saved * factor, low=saving.low * factor, high=saving.high * factor)
