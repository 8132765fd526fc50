"""The callback methods of the ``zeus`` package that the optimizer does not use."""

from __future__ import annotations


class ReferenceCallback:
    """Empty callback methods, so that a script can pass the optimizer to a set of callbacks."""

    def on_epoch_begin(self) -> None:
        """Do nothing: ``on_evaluate`` counts the epochs."""

    def on_epoch_end(self) -> None:
        """Do nothing."""

    def on_instruction_begin(self, name: str) -> None:
        """Do nothing."""

    def on_instruction_end(self, name: str) -> None:
        """Do nothing."""
