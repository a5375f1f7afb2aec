"""Small checks and writes that steps of ``lifecycle`` share. Each runs inside a step's transaction, with the item locked."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Subquery

from labelhub.accounts.models import User
from labelhub.annotations import submissions
from labelhub.annotations.models import Submission
from labelhub.assignments import selectors as assigned
from labelhub.assignments import services as assignments
from labelhub.assignments.models import HELD, Assignment
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import media_of
from labelhub.consensus.models import Settlement
from labelhub.consensus.selectors import current_settlement
from labelhub.formats.shapes import Reading
from labelhub.projects.models import Labeler
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_guideline, current_ontology, current_policy, rules_held
from labelhub.projects.services import keep_stale_edit
from labelhub.reviews.models import Decision
from labelhub.reviews.selectors import counted, rejected
from labelhub.routing.services import can_rework
from labelhub.scoring.gold import make_gold
from labelhub.scoring.reads import reads_of
from labelhub.workflow.errors import CannotReturn, NewerVersion, SkipForbidden, StaleJudgement
from labelhub.workflow.states import move

# What a gold reading is called where its source does not say.
GOLD_KIND = "adjudication"


@contextmanager
def step() -> Iterator[None]:
    """One step, all or nothing: under the rules that stand at its beginning, its events written at its end.

    A project's audit chain is then held for the writing alone, not while an item is scored. Nothing inside may be undone by
    itself once it has written an event.
    """
    with transaction.atomic(), audit.written_at_the_end(), rules_held():
        yield


def locked(item_id: int) -> Item:
    """Return the item, locked until the transaction ends: the first lock of every step, so that steps never cross."""
    return Item.objects.select_for_update(of=("self",)).select_related("project").get(pk=item_id)


def event(item: Item, kind: str, actor: str, **facts: Any) -> None:
    """Write an event about the item."""
    audit.append(project_id=item.project_id, kind=kind, actor=actor, subject=f"item:{item.pk}", facts=facts)


def store(
    item: Item, labeler: Labeler, reading: Reading, *, at: datetime | None, is_gold: bool, active_s: float | None
) -> Submission:
    """Store a reading made elsewhere under a closed assignment; a later version goes to the assignment of the first."""
    kind: str = reading.read_kind
    if is_gold and kind not in ("adjudication", "training"):
        kind = GOLD_KIND
    planned = False if is_gold else reading.planned_blind
    assignment = None
    if reading.version > 1:
        mine = assigned.of_item(item).filter(labeler=labeler, read_kind=kind, state=Assignment.State.SUBMITTED)
        assignment = mine.last()
    if assignment is None:
        assignment = assignments.record_closed(
            item=item, labeler=labeler, read_kind=kind, planned_blind=planned, reason="Made elsewhere.", at=at
        )
    submission = submissions.store_reading(
        assignment=assignment, reading=reading, ontology_version=current_ontology(item.project)[0],
        guideline=current_guideline(item.project), policy=current_policy(item.project)[0], media=media_of(item), at=at,
        active_s=active_s,
    )  # fmt: skip
    if is_gold:
        make_gold(item=item, submission=submission, by=f"labeler:{labeler.pk}")
    return submission


def require_skippable(item: Item) -> None:
    """Raise ``SkipForbidden`` where the project's policy allows no skipping."""
    if current_policy(item.project)[1].skip_rule == "forbidden":
        raise SkipForbidden


def require_returnable(submission: Submission, policy: Policy) -> None:
    """Raise ``CannotReturn`` where the submission cannot go back to its author, saying why."""
    labeler = submission.assignment.labeler
    item = submission.assignment.item
    if not can_rework(labeler):
        raise CannotReturn("The author was imported or has left, so nobody can mend this reading. Ask one more reader.")
    if assigned.rework_rounds(item).get(labeler.pk, 0) >= policy.max_rework_rounds:
        raise CannotReturn(
            f"This reading went back {policy.max_rework_rounds} times, as often as the policy allows. Ask one more reader."
        )
    if assigned.of_item(item).filter(labeler=labeler, state__in=HELD).exists():
        raise CannotReturn("The author is at work on this item now. Nothing was changed. Wait for what they submit.")


def require_newest(submission: Submission, request_id: uuid.UUID) -> None:
    """Raise ``NewerVersion`` where the author answered again since; a judgement that was stored already may be repeated."""
    if Decision.objects.filter(request_id=request_id).exists():
        return
    of_author = Submission.objects.filter(
        assignment__item=submission.assignment.item_id, assignment__labeler=submission.assignment.labeler_id
    )
    newest = of_author.filter(read_kind="rework", pk__gt=submission.pk).order_by("pk").last()
    if newest is not None:
        raise NewerVersion(seen=submission.version, newest=newest.version)


def versions_of(items: Iterable[Item]) -> dict[int, str]:
    """Return a mark of how far each item's life has come: it changes with each submission, judgement and settlement.

    Not with the votes of a panel that has not decided: the mark is on pages of those who are still to vote.
    """
    readings = Submission.objects.filter(assignment__item=OuterRef("pk"))
    judged = counted(Decision.objects.filter(item=OuterRef("pk")))
    settled = Settlement.objects.filter(item=OuterRef("pk"))
    newest = [Subquery(rows.order_by("-pk").values("pk")[:1]) for rows in (readings, judged, settled)]
    rows = Item.objects.filter(pk__in=[item.pk for item in items]).values_list("pk", *newest)
    return {key: _mark(key, *(pk or 0 for pk in acts)) for key, *acts in rows}


def _mark(*parts: int) -> str:
    """A mark from which nobody reads what it was made of: whether there was a settlement, for one."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()[:32]


def keep_if_stale(item: Item, by: User, seen: str | None, content: dict[str, Any]) -> StaleJudgement | None:
    """Keep a judgement that was made on what the item was before somebody else acted, and return its refusal; else None.

    The caller commits, then raises it.
    """
    newest = versions_of([item])[item.pk]
    if seen is None or seen == newest:
        return None
    keep_stale_edit(
        project=item.project, what="judgement", subject=f"item:{item.pk}", seen=seen[:80], newest=newest, content=content,
        by=by,
    )  # fmt: skip
    return StaleJudgement(code=item.code)


def withdraw_rework(item: Item) -> None:
    """Take rework back that is still out: the item is decided without it. Reads in progress may come in late."""
    for assignment in assigned.of_item(item).filter(state__in=HELD, read_kind="rework"):
        assignments.withdraw(assignment=assignment)


def take_out(item: Item, *, actor: str, reason: str) -> None:
    """Take the item out of the project's work for good, and out of the hands of who still works on it; drafts are kept."""
    move(item=item, to=Item.State.EXCLUDED)
    event(item, "item.excluded", actor, reason=reason)
    for assignment in assigned.of_item(item).filter(state__in=HELD):
        assignments.withdraw(assignment=assignment)


def current_reads(item: Item) -> Sequence[Submission]:
    """Return the readings that speak for the item now, without those that a reviewer rejected."""
    return reads_of(item, set_aside=rejected(item)).current


def settled_by_other(item: Item, reviewer: User) -> bool:
    """Whether the item's label was decided by another person than ``reviewer``."""
    settlement = current_settlement(item)
    return settlement is not None and settlement.decided_by_id not in (None, reviewer.pk)
