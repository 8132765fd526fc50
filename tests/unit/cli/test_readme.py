"""The README has every job field, and the commands that a reader begins with."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeus_bso.common import JobSpec

README = (Path(__file__).resolve().parents[3] / "README.md").read_text()


@pytest.mark.parametrize("name", JobSpec.model_fields)
def test_the_readme_has_every_field_of_a_job(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize(
    "name", ["target_metric", "max_epochs", "eta_knob", "beta_knob", "num_pruning_rounds", "mab_num_explorations"]
)
def test_the_readme_states_the_default_of_a_field(name: str) -> None:
    assert f"| `{name}` | {JobSpec.model_fields[name].default} |" in README


@pytest.mark.parametrize("command", ["serve", "db", "demo", "jobs", "trials"])
def test_the_readme_has_the_command(command: str) -> None:
    assert f"zeus-bso {command}" in README or f"make {command}" in README
