"""The demo is built through the same services as everything else; here a small one, with items at every stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import transaction

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.assignments.batches import batch_rows
from labelhub.assignments.models import Assignment
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import media_of, read_pixels
from labelhub.config.demo import building, learning, plan, volumes
from labelhub.consensus import audits
from labelhub.consensus.models import AuditReading
from labelhub.consensus.selectors import current_settlement, readings_of_settlements
from labelhub.exports.models import Release
from labelhub.exports.selectors import labels_in, release_numbered
from labelhub.formats.shapes import MaskRegion
from labelhub.jobs.worker import run_pending
from labelhub.numerics.geometry import mask_iou
from labelhub.predictions.selectors import trainings_of
from labelhub.projects.models import Project
from labelhub.projects.selectors import current_guideline, labeler_of
from labelhub.projects.services import acknowledge_guideline
from labelhub.reviews.models import Dispute, Question, UnreadableClaim
from labelhub.reviews.selectors import inbox
from labelhub.scoring.exams import exam_standing
from labelhub.scoring.models import GoldReference
from labelhub.workflow import lifecycle

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def built(django_db_setup, django_db_blocker) -> Iterator[Project]:
    """Built once, in a transaction around those of the tests: each test finds it as it was built."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch, transaction.atomic():
        patch.setattr(plan, "ITEMS", 60)
        patch.setattr(plan, "GOLD_ITEMS", 12)
        patch.setattr(plan, "UNREAD_ITEMS", 14)
        patch.setattr(plan, "DISPUTED_ITEMS", 10)
        # Of so few labels a secret draw might leave out all.
        patch.setattr(plan, "POLICY", replace(plan.POLICY, audit_share=1.0))
        yield building.build_demo(lambda done, total, what: None)
        transaction.set_rollback(True)


@pytest.fixture
def small(built, db) -> Project:
    return built


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


def test_work_of_every_kind_waits_for_somebody(small):
    states = Assignment.objects.filter(item__project=small).values_list("labeler__user__username", "state")
    assert {("ann", "parked"), ("ann", "open"), ("sam", "asked"), ("mira", "unreadable")} <= set(states)
    by_hand = Assignment.objects.get(item__project=small, labeler__user__username="ann", due_at__isnull=False)
    assert by_hand.state == Assignment.State.OPEN
    assert batch_rows(small)[0].batch.due_at is not None
    assert Question.objects.filter(item__project=small).count() == UnreadableClaim.objects.count() == 1
    assert audits.open_lots(small).exists()
    assert AuditReading.objects.exists()


def test_items_in_dispute_wait_for_the_reviewer_and_none_of_them_is_gold(small):
    waiting = [row.item for row in inbox(User.objects.get(username="rita"), small).rows]
    assert len(waiting) == plan.DISPUTED_ITEMS
    disputed = Dispute.objects.filter(item__in=waiting)
    assert 0 < disputed.count() < len(waiting), "some come without a dispute of an author"
    assert set(disputed.values_list("reason", flat=True)) == set(plan.STANDING_BY)
    assert not GoldReference.objects.filter(item__in=waiting).exists()
    assert not Item.objects.filter(state=Item.State.REVIEW).exclude(pk__in=[item.pk for item in waiting]).exists()


def test_a_newcomer_sits_the_exam_and_the_others_are_admitted(small):
    kinds = GoldReference.objects.filter(retired_at=None).values_list("kind", flat=True)
    assert {kind: list(kinds).count(kind) for kind in set(kinds)} == {"exam": 6, "hidden": 4, "training": 2}
    noa = labeler_of(User.objects.get(username="noa"), small)
    assert exam_standing(noa, plan.POLICY).standing == "open"
    assert exam_standing(labeler_of(User.objects.get(username="ann"), small), plan.POLICY).standing == "passed"
    acknowledge_guideline(labeler=noa, guideline=current_guideline(small))
    given = lifecycle.hand_out(labeler=noa)
    assert given is not None
    assert GoldReference.objects.get(item=given.item).kind == "training"


def test_the_copying_pair_is_kept_apart(small, client):
    client.force_login(User.objects.get(username="ada"))
    page = client.get(f"/manage/{small.slug}/teams/")
    apart = [({pair.first.name, pair.second.name}, pair.decided_by) for pair, _ in page.context["pairs"]]
    assert apart == [({"Mira Okafor", "Kofi Brandt"}, "system")]


def test_nobody_reads_an_item_twice_and_expert_readings_vote_on_nothing(small):
    pairs = list(Submission.objects.values_list("assignment__item", "assignment__labeler"))
    assert len(pairs) == len(set(pairs))
    experts = Submission.objects.filter(assignment__labeler__source_key="expert-panel")
    assert set(experts.values_list("read_kind", flat=True)) == {"adjudication"}


def test_the_volumes_are_read_by_two_one_waits_and_two_people_share_one(small):
    project = volumes.build_volumes(lambda done, total, what: None)
    items = Item.objects.filter(project=project).order_by("pk")
    assert items.count() == 3 + len(learning.LEARNED) + 1
    work = Assignment.objects.get(item=items[2])
    assert [seat.labeler.name for seat in work.companions.all()] == ["Elena Marsh"]
    assert volumes.shared_page() == f"/label/{work.pk}/"
    assert Submission.objects.filter(assignment__item=items[0]).count() == 2
    assert items[1].state == Item.State.WAITING
    assert items[0].subject_id == items[1].subject_id

    a_network_is_to_learn_from_what_was_settled_before_a_label_that_is_wrong(project)


def a_network_is_to_learn_from_what_was_settled_before_a_label_that_is_wrong(project: Project) -> None:
    settled = Item.objects.filter(project=project, state=Item.State.SETTLED).order_by("pk")
    assert settled.count() >= len(learning.LEARNED) + 1
    (run,) = trainings_of(project)
    release = release_numbered(project, run.release_number)
    learned = {item.source_id for item, _ in labels_in(release)}
    assert {f"made-{n}" for n in range(1, len(learning.LEARNED) + 1)} <= learned
    wrong = f"made-{len(learning.LEARNED) + 1}"
    assert wrong not in learned
    # Nobody but a model objects to it: both readers left the same half out.
    item = Item.objects.get(project=project, source_id=wrong)
    settlement = current_settlement(item)
    assert settlement is not None
    (shape,) = readings_of_settlements([settlement])[0].shapes
    assert shape.mask is not None
    brain = learning.brain_mask(read_pixels(media_of(item)[0]))
    assert mask_iou([shape.mask], [MaskRegion(brain)])[0, 0] < 0.75
