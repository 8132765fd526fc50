"""Where the spool lies, and what of it may be sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeus_bso.client.spool import SPOOL_DIR_VARIABLE, left_over, spool_folder


def test_a_script_that_changes_its_directory_keeps_its_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SPOOL_DIR_VARIABLE, "spool")
    monkeypatch.chdir(tmp_path)
    assert spool_folder() == tmp_path / "spool"


def test_a_letter_that_is_not_ours_to_lock_is_passed_over(tmp_path: Path) -> None:
    letter = tmp_path / "letter.json"
    letter.touch()
    letter.with_suffix(".lock").mkdir()
    with left_over(letter) as file:
        assert file is None
