"""Every public name has an entry in the reference, with an example that runs as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.examples import failures_of, public_names

import zeus_bso
from zeus_bso import monitor, testing

FRAMEWORKS = "zeus_bso.integrations."
"""Modules whose examples need a framework: tests/frameworks runs them."""

HERE = [names for names in public_names() if not names[0].startswith(FRAMEWORKS)]


@pytest.fixture(autouse=True)
def _a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZEUS_BSO_WAIT_S", "0")


@pytest.mark.parametrize(("module", "name"), HERE, ids=[f"{module}.{name}" for module, name in HERE])
def test_an_example_runs(module: str, name: str) -> None:
    assert failures_of(module, name) == ""


@pytest.mark.parametrize("module", [zeus_bso, monitor, testing], ids=["zeus_bso", "monitor", "testing"])
def test_every_public_name_has_an_entry(module: object) -> None:
    entries = {name for _, name in public_names()}
    assert set(getattr(module, "__all__")) - entries == set()  # noqa: B009


def test_a_name_without_an_example_is_noticed() -> None:
    assert failures_of("zeus_bso.client.scaling", "scaled_learning_rate").endswith("has no example")


def test_a_wrong_example_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.examples.docstring_of", lambda module, name: ">>> 1 + 1\n3\n")
    assert "Expected" in failures_of("zeus_bso", "JobSpec")
