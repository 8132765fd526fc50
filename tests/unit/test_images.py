"""The compose file asks for four variables and no more; images are built from what is pinned."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKER = REPOSITORY / "docker"
COMPOSE = DOCKER / "docker-compose.yaml"
FOUR = {"ZEUS_BSO_DB_USER", "ZEUS_BSO_DB_PASSWORD", "ZEUS_BSO_ROOT_PASSWORD", "ZEUS_BSO_SERVER_PORT"}


def test_only_the_four_variables_are_needed() -> None:
    variables = re.findall(r"\$\{(\w+)(:?-)?", COMPOSE.read_text())

    assert {name for name, default in variables if not default} | {"ZEUS_BSO_SERVER_PORT"} == FOUR


def test_the_example_has_the_four_variables_and_the_name_of_the_stack() -> None:
    lines = [line for line in (DOCKER / ".env.example").read_text().splitlines() if line and line[0] != "#"]

    assert {line.partition("=")[0] for line in lines} == FOUR | {"COMPOSE_PROJECT_NAME"}


def required(extra: str) -> list[Requirement]:
    """What an extra of the package needs, with that of the extras that it names."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted, found, seen = [f"zeus-bso[{extra}]", *project["dependencies"]], list[Requirement](), set[str]()
    while wanted:
        requirement = Requirement(wanted.pop())
        if requirement.name == "zeus-bso":
            for name in requirement.extras - seen:
                seen.add(name)
                wanted += project["optional-dependencies"][name]
        else:
            found.append(requirement)
    return found


@pytest.mark.parametrize(("name", "extra"), [("sqlite", "server"), ("mysql", "mysql"), ("postgres", "postgres")])
def test_what_is_required_is_pinned_with_a_hash(name: str, extra: str) -> None:
    entries = (DOCKER / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    pins = {}
    for line in filter(None, entries.splitlines()):
        pin = Requirement(line.partition(" --hash")[0])
        assert "--hash=sha256:" in line
        pins[canonicalize_name(pin.name)] = next(iter(pin.specifier)).version

    requirements = required(extra)
    assert len(requirements) > 10
    for requirement in requirements:
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not pinned for {name}; run `make lock`"
        assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}; run `make lock`"


def test_no_place_but_the_public_index_stands_in_what_is_pinned() -> None:
    for path in DOCKER.glob("requirements/*.txt"):
        assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", path.read_text())


def test_both_images_are_built_in_the_same_way() -> None:
    """So that their layers are shared, and the migration is that of the server."""
    builds = [
        re.search(r"^FROM python.*?^COPY --from=build.*?$", (DOCKER / name).read_text(), re.MULTILINE | re.DOTALL)
        for name in ("Dockerfile.server", "Dockerfile.migration")
    ]

    assert builds[0]
    assert builds[1]
    assert builds[0].group() == builds[1].group()
