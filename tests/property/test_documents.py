"""What the surrogate knows, as it stands in the database: the same to the last bit, and nothing that is no number."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

import pytest
from hypothesis import given
from tests.property.test_policy_properties import PROPERTY, jobs, live, stories
from tests.support.jobs import Json
from tests.unit.policy.policy_job import fresh

from zeus_bso.policy.state import Knobs, SurrogateArmState, SurrogateState
from zeus_bso.server.database.documents import SurrogateArmDocument, SurrogateDocument, from_document, to_document


def stored(state: SurrogateState | SurrogateArmState) -> Json | None:
    """What a database gives back, which keeps texts."""
    document: Json | None = json.loads(json.dumps(to_document(state), allow_nan=False))
    return document


@PROPERTY
@given(jobs(), stories)
def test_what_a_job_has_learnt_reads_back_as_it_was_written(knobs: Knobs, story: list[object]) -> None:
    job = live(fresh(knobs, policy="surrogate"), story)

    assert from_document(SurrogateState, stored(job.progress.surrogate)) == job.progress.surrogate
    for size in job.sizes.values():
        assert from_document(SurrogateArmState, stored(size.surrogate)) == size.surrogate


@PROPERTY
@given(jobs(), stories)
def test_what_a_job_has_learnt_is_what_an_import_takes(knobs: Knobs, story: list[object]) -> None:
    job = live(fresh(knobs, policy="surrogate"), story)

    assert SurrogateDocument(**asdict(job.progress.surrogate)).model_dump() == asdict(job.progress.surrogate)
    for size in job.sizes.values():
        assert SurrogateArmDocument(**asdict(size.surrogate)).model_dump() == asdict(size.surrogate)


def test_nothing_known_is_no_document() -> None:
    assert to_document(SurrogateState()) is None
    assert to_document(SurrogateArmState()) is None
    assert from_document(SurrogateArmState, None) == SurrogateArmState()


def test_a_field_of_another_release_is_passed_over_and_a_missing_one_has_its_default() -> None:
    assert from_document(SurrogateState, {"started": 3, "of_the_next_release": [1]}) == SurrogateState(started=3)


@pytest.mark.parametrize(
    ("document", "state"), [(SurrogateDocument, SurrogateState), (SurrogateArmDocument, SurrogateArmState)]
)
def test_an_import_knows_every_field(
    document: type[SurrogateDocument | SurrogateArmDocument], state: type[SurrogateState | SurrogateArmState]
) -> None:
    assert set(document.model_fields) == {field.name for field in fields(state)}
    assert document().model_dump() == asdict(state())


@pytest.mark.parametrize("moved", [250.0, -3.0])
def test_an_import_takes_a_level_that_has_moved_to_and_fro_for_long(moved: float) -> None:
    """The releases before counted every step as one up, so that the sum could grow without end."""
    assert SurrogateDocument(epochs_moved=moved).epochs_moved == moved
    assert SurrogateArmDocument(moved=moved).moved == moved
