"""A changed policy is tried on the past; what is predicted is what it then does on the same history.

The proof: a project's readings, made by a seeded crowd, are recorded once under the present policy. The trial predicts every
decision of another policy; then a copy of the project under that policy gets the same readings in the same order through the
steps of the life of an item, and its stored routes are compared one by one.

Planted once and seen to fail: readings replayed in another order than they came.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelhub.annotations.plain import reading_of
from labelhub.catalog.models import Item
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.projects.models import Project
from labelhub.projects.policy import Policy
from labelhub.projects.presets import with_preset
from labelhub.projects.selectors import current_policy, labeler_of
from labelhub.projects.services import add_member, create_project
from labelhub.routing.dry_run import history_of, replay
from labelhub.routing.models import Route
from labelhub.scoring.reads import reads_of
from labelhub.workflow import lifecycle, trying
from tests.cast import Cast
from tests.workflow.walking import add_item, new_annotator, set_policy, square_reading

pytestmark = pytest.mark.django_db
N_ITEMS = 9
PRESENT = Policy(readers=4, max_readers=4, gold_share=0.0, audit_share=0.0, audit_least=0)
ASKED = {name: replace(with_preset(PRESENT, name), audit_share=0.0) for name in ("dynamic", "single", "panel")} | {
    "stricter": replace(PRESENT, readers=2, max_readers=4, accept_agreement=0.93),
    "no-rework": replace(PRESENT, readers=3, max_rework_rounds=0),
}


@pytest.fixture
def past(cast: Cast) -> Project:
    """Readings of a small crowd: mostly alike, some off, one labeler often elsewhere."""
    set_policy(
        cast, **{name: value for name, value in PRESENT.to_document().items() if name in ("readers", "max_readers")}
    )
    people = [cast.ann, cast.ben, cast.rita, new_annotator(cast, "Cleo")]
    rng = np.random.default_rng(20261129)
    for _ in range(N_ITEMS):
        item = add_item(cast.project)
        for place, user in enumerate(people):
            offset = 25.0 if rng.random() < (0.1, 0.1, 0.15, 0.45)[place] else float(rng.integers(0, 4))
            reading = square_reading(item, user.username, (10 + offset, 10, 20))
            lifecycle.record_reading(item=item, labeler=labeler_of(user, cast.project), reading=reading)
    return cast.project


@pytest.mark.parametrize("name", ASKED)
def test_a_trial_predicts_what_the_policy_then_does(cast: Cast, past: Project, name: str):
    asked = ASKED[name]
    copy = create_project(name=f"Copy {name}", ontology=cast.ontology, policy=asked, created_by=cast.ada)
    differs = 0
    for item in Item.objects.filter(project=past).order_by("pk"):
        history = history_of(item)
        predicted = replay(history, asked, trying._tie_of(item))
        assert predicted is not None
        twin = add_item(copy)
        for submission in reads_of(item).every:
            user = submission.assignment.labeler.user
            assert user is not None
            add_member(project=copy, user=user, role="annotator", actor="test")
            lifecycle.record_reading(item=twin, labeler=labeler_of(user, copy), reading=reading_of(submission))
        done = tuple(Route.objects.filter(item=twin).order_by("pk").values_list("rule", "outcome"))
        assert predicted.routes == done
        twin.refresh_from_db()
        state = {
            "accept": "settled",
            "reviewer": "review",
            "maybe-ambiguous": "review",
            "returned": "rework",
            "asks": "reading",
        }
        assert state[predicted.ending] == twin.state
        present = replay(history, PRESENT, trying._tie_of(item))
        differs += present is not None and present.routes != predicted.routes
    assert differs, "a policy that changes nothing proves nothing"


def test_the_present_policy_replayed_is_what_happened(past: Project):
    _, policy = current_policy(past)
    for item in Item.objects.filter(project=past):
        predicted = replay(history_of(item), policy, trying._tie_of(item))
        assert predicted is not None
        assert predicted.routes == tuple(Route.objects.filter(item=item).order_by("pk").values_list("rule", "outcome"))


def test_a_trial_counts_lists_and_changes_nothing(past: Project):
    before = (Route.objects.count(), list(Item.objects.values_list("state", flat=True).order_by("pk")))
    same = trying.try_policy(past, current_policy(past)[1])
    assert (same["n_changed"], same["now"]) == (0, same["then"])
    single = trying.try_policy(past, ASKED["single"])
    assert single["then"]["accept"] == single["items"] == N_ITEMS
    assert single["then"]["reads"] == N_ITEMS < single["now"]["reads"]
    assert single["n_changed"] == len(single["changed"])
    more = trying.try_policy(past, replace(PRESENT, readers=6, max_readers=7))
    assert more["then"]["asks"] == N_ITEMS, "reads that nobody made have no known outcome"
    assert before == (Route.objects.count(), list(Item.objects.values_list("state", flat=True).order_by("pk")))


def test_numbers_that_would_be_measured_otherwise_are_said(past: Project):
    found = trying.try_policy(past, replace(current_policy(past)[1], match_iou=0.6))
    assert "match iou" in found["caveats"][0]


def test_a_large_project_is_tried_by_a_job_that_finds_the_same(past: Project):
    job = trying.start_trial(project=past, asked=ASKED["stricter"], asked_by="user:1")
    assert trying.start_trial(project=past, asked=ASKED["stricter"], asked_by="user:1").pk == job.pk
    run_pending(queues=["cpu"])
    done = Job.objects.get(pk=job.pk)
    assert (done.state, done.total_units) == ("done", N_ITEMS)
    assert done.result == trying.try_policy(past, ASKED["stricter"])
