"""The methods of the optimizer that a script calls at each training step."""

from __future__ import annotations

from zeus_bso.client.power.control import PowerControl


class StepHooks:
    """Hooks at training steps. They are optional: with them, power limits are measured within epochs.

    While nothing is measured, a pair of calls takes less than a microsecond.
    """

    _power: PowerControl

    def on_step_begin(self) -> None:
        """Note that a training step begins."""
        self._power.begin_step()

    def on_step_end(self) -> None:
        """Note that a training step has ended."""
        self._power.end_step()
