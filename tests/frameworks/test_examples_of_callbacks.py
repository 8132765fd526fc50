"""The examples in the reference of the callbacks run as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.examples import failures_of, public_names

CALLBACKS = [names for names in public_names() if names[0].startswith("zeus_bso.integrations.")]


@pytest.mark.parametrize(("module", "name"), CALLBACKS, ids=[f"{module}.{name}" for module, name in CALLBACKS])
def test_an_example_runs(module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert failures_of(module, name) == ""


def test_each_framework_has_its_two_names() -> None:
    assert len(CALLBACKS) == 6
