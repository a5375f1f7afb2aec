"""The demo is built through the same services as everything else; here a small one, with items at every stage."""

from __future__ import annotations

import pytest

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.assignments.models import Assignment
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.config.demo import building, plan, volumes
from labelhub.exports.models import Release
from labelhub.jobs.worker import run_pending
from labelhub.projects.models import Project
from labelhub.scoring.models import GoldReference


@pytest.fixture
def small(db, monkeypatch) -> Project:
    monkeypatch.setattr(plan, "ITEMS", 60)
    monkeypatch.setattr(plan, "GOLD_ITEMS", 12)
    monkeypatch.setattr(plan, "UNREAD_ITEMS", 14)
    return building.build_demo(lambda done, total, what: None)


def test_the_demo_has_items_at_every_stage_and_a_release(small):
    states = set(Item.objects.filter(project=small).values_list("state", flat=True))
    assert {Item.State.WAITING, Item.State.REWORK, Item.State.REVIEW, Item.State.SETTLED} <= states
    assert GoldReference.objects.count() == 12
    run_pending(queues=["cpu"])
    release = Release.objects.get()
    assert release.finished_at is not None
    assert release.files.count() >= 3
    assert audit.verify(audit.chain_of(small.pk)).broken_at is None


def test_the_annotator_finds_two_items_that_came_back(small):
    ann = User.objects.get(username="ann")
    returned = Assignment.objects.filter(labeler__user=ann, read_kind="rework", state=Assignment.State.OPEN)
    assert returned.count() == 2


def test_nobody_reads_an_item_twice_and_expert_readings_vote_on_nothing(small):
    pairs = list(Submission.objects.values_list("assignment__item", "assignment__labeler"))
    assert len(pairs) == len(set(pairs))
    experts = Submission.objects.filter(assignment__labeler__source_key="expert-panel")
    assert set(experts.values_list("read_kind", flat=True)) == {"adjudication"}


def test_the_volumes_are_read_by_two_and_one_waits(small):
    project = volumes.build_volumes(lambda done, total, what: None)
    items = Item.objects.filter(project=project).order_by("pk")
    assert items.count() == 2
    assert Submission.objects.filter(assignment__item=items[0]).count() == 2
    assert items[1].state == Item.State.WAITING
    assert items[0].subject_id == items[1].subject_id
