"""One file names the version, and whatever else shows it agrees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zeus_bso import __version__
from zeus_bso.server.app import create_app
from zeus_bso.server.config import Settings

ROOT = Path(__file__).resolve().parents[2]


def test_the_build_and_the_package_take_the_version_from_one_file() -> None:
    assert 'path = "src/zeus_bso/_version.py"' in (ROOT / "pyproject.toml").read_text()
    assert not re.search(r'^version = "', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)

    named = [path.name for path in (ROOT / "src").rglob("*.py") if f'"{__version__}"' in path.read_text()]
    assert named == ["_version.py"]


def test_the_api_shows_the_version() -> None:
    assert create_app(Settings(database_url="sqlite://")).version == __version__


@pytest.mark.parametrize("database", ["mysql", "postgres"])
def test_the_manifests_name_the_images_of_this_version(database: str) -> None:
    overlay = (ROOT / "deploy" / "kubernetes" / "overlays" / database / "kustomization.yaml").read_text()

    assert set(re.findall(r"newTag: (\S+)", overlay)) == {__version__}
