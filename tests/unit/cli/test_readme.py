"""The configuration page has every field of a job, and the README the commands that a reader begins with."""

from __future__ import annotations

from pathlib import Path

from zeus_bso.protocol.job_spec import JobSpec

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()


STATED_DEFAULTS = ("target_metric", "max_epochs", "eta_knob", "beta_knob", "num_pruning_rounds", "mab_num_explorations")
COMMANDS = ("serve", "demo", "jobs", "trials", "doctor", "simulate")


def test_the_configuration_page_has_every_field_of_a_job() -> None:
    assert [name for name in JobSpec.model_fields if f"`{name}`" not in CONFIGURATION] == []


def test_the_configuration_page_states_the_defaults_of_fields() -> None:
    rows = [f"| `{name}` | {JobSpec.model_fields[name].default} |" for name in STATED_DEFAULTS]

    assert [row for row in rows if row not in CONFIGURATION] == []


def test_the_readme_has_the_commands() -> None:
    assert [name for name in COMMANDS if f"zeus-bso {name}" not in README and f"make {name}" not in README] == []


def test_the_readme_fits_on_two_screens() -> None:
    assert len(README.splitlines()) <= 130
