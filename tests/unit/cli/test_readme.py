"""Every setting, job field and command is documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeus_bso.cli.main import main
from zeus_bso.common import JobSpec
from zeus_bso.server.config import Settings

README = (Path(__file__).resolve().parents[3] / "README.md").read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_readme_has_every_setting(name: str) -> None:
    assert f"| `ZEUS_BSO_{name.upper()}` |" in README


@pytest.mark.parametrize("name", JobSpec.model_fields)
def test_the_readme_has_every_field_of_a_job(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize(
    "name", ["target_metric", "max_epochs", "eta_knob", "beta_knob", "num_pruning_rounds", "mab_num_explorations"]
)
def test_the_readme_states_the_default_of_a_field(name: str) -> None:
    assert f"| `{name}` | {JobSpec.model_fields[name].default} |" in README


def test_the_readme_has_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = [
        line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ") and line[4] != " "
    ]

    assert listed
    for command in listed:
        assert command == "version" or f"zeus-bso {command}" in README or f"make {command}" in README
