"""What waits for the people whose links the demo prints: work at every stage of the loop that is not settled by itself.

The annotator finds work by hand, returned and parked; the reviewer items in dispute, a question and a claim that an item
cannot be read; the admin audits under way, a batch with a due date, a first release. Not here: the readings of the crowd
(`building`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.analytics.services import measure_project
from labelhub.assignments import selectors as assigned
from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.config.demo import plan
from labelhub.config.demo.entries import ACTOR, DemoItem, Progress
from labelhub.config.demo.readings import SECONDS_AN_ITEM, simulated_reading
from labelhub.consensus import audits
from labelhub.projects.models import Project
from labelhub.projects.selectors import labeler_of
from labelhub.scoring.models import GoldReference
from labelhub.workflow import distribution, lifecycle

AUDITOR = "elena"


def set_visitors_work(
    project: Project, people: Mapping[str, User], entries: Sequence[DemoItem], progress: Progress
) -> None:
    """Make what waits for annotator, reviewer and admin, of items that nobody reads."""
    unread = [entry for entry in entries if not entry.readers]
    for entry in unread[:2]:
        _return_to_ann(project, people, entry)
    now = timezone.now()
    _give(project, people, unread[2], "ann", days=2)
    lifecycle.park(assignment=_give(project, people, unread[3], "ann"), by=people["ann"], now=now - timedelta(hours=1))
    lifecycle.ask(
        assignment=_give(project, people, unread[4], "sam"), by=people["sam"], is_waiting=True,
        text="Two structures touch in the middle. Do I outline both as one, or only the clearer one?",
    )  # fmt: skip
    lifecycle.cannot_read(
        assignment=_give(project, people, unread[5], "mira"), by=people["mira"],
        reason="Too blurred: nothing in the middle has an edge.",
    )  # fmt: skip
    make_batch(
        project=project, name="For the first delivery", items=[entry.item for entry in unread[6 : 6 + plan.BATCH_ITEMS]],
        by=ACTOR, priority=5, due_at=now + timedelta(days=5),
    )  # fmt: skip
    _audit_half(project, people, entries)
    _dispute_some(project, people)
    lifecycle.release(
        project=project, formats=["coco", "png", "csv"], note="First release of the demo", by=people["ada"]
    )
    measure_project(project)
    progress(1, 1, "work for the visitors set out, first release started, project measured")


def _return_to_ann(project: Project, people: Mapping[str, User], entry: DemoItem) -> None:
    sloppy = plan.Simulated("ann", "Ann Doyle", "outlines of two items are far too wide", offset_px=5.0)
    rng = np.random.default_rng([plan.SEED, entry.item.pk])
    reading = simulated_reading(entry.cut, sloppy, item=entry.item.code, place_in_session=0.0, rng=rng)
    submission = lifecycle.record_reading(
        item=entry.item,
        labeler=labeler_of(people["ann"], project),
        reading=reading,
        at=timezone.now() - timedelta(hours=3),
    )
    lifecycle.review(
        submission=submission, reviewer=people["rita"], verdict="reject", score=4, request_id=uuid.uuid4(),
        comment="The outline lies well outside the edge all around. Please follow the half-way brightness.",
    )  # fmt: skip


def _dispute_some(project: Project, people: Mapping[str, User]) -> None:
    """Let authors stand by readings that came back, until enough items wait for the reviewer, who took these disputes up.

    Gold is left out: its label stands whatever its readers say.
    """
    waiting = Item.objects.filter(project=project, state=Item.State.REVIEW).count()
    gold = GoldReference.objects.filter(item__project=project).values("item")
    returned = Assignment.objects.filter(item__project=project, read_kind="rework", state=Assignment.State.OPEN)
    own_slips = returned.exclude(labeler__user=people["ann"]).exclude(item__in=gold).select_related("labeler__user")
    for number, work in enumerate(own_slips.order_by("pk")[: max(plan.DISPUTED_ITEMS - waiting, 0)]):
        assert work.labeler.user is not None
        reason = plan.STANDING_BY[number % len(plan.STANDING_BY)]
        disputed = lifecycle.dispute(assignment=work, by=work.labeler.user, reason=reason)
        lifecycle.close_dispute(dispute=disputed, by=people["rita"])


def _give(
    project: Project, people: Mapping[str, User], entry: DemoItem, username: str, *, days: int | None = None
) -> Assignment:
    labeler = labeler_of(people[username], project)
    due_at = None if days is None else timezone.now() + timedelta(days=days)
    distribution.assign_by_hand(items=[entry.item], labeler=labeler, by=people["ada"], due_at=due_at)
    return assigned.of_item(entry.item).get(labeler=labeler)


def _audit_half(project: Project, people: Mapping[str, User], entries: Sequence[DemoItem]) -> None:
    """Let the best labeler read half of what was drawn for audit and is new to them; the rest waits for whoever comes."""
    labeler = labeler_of(people[AUDITOR], project)
    simulated = next(one for one in plan.LABELERS if one.username == AUDITOR)
    cuts = {entry.item.pk: entry.cut for entry in entries}
    rng = np.random.default_rng(plan.SEED + 2)
    drawn = [lot.item for lot in audits.open_lots(project).select_related("item")]
    fresh = [item for item in drawn if not assigned.of_item(item).filter(labeler=labeler).exists()]
    for item in fresh[: (len(fresh) + 1) // 2]:
        reading = simulated_reading(cuts[item.pk], simulated, item=item.code, place_in_session=0.0, rng=rng)
        lifecycle.record_reading(item=item, labeler=labeler, reading=reading, active_s=SECONDS_AN_ITEM)
