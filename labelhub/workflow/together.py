"""Labeling one image together: who may join, joining and leaving. Only in a shared batch; steps of ``lifecycle``.

A shared image is given to one labeler and drawn by all who join them, in one working copy; any of them submits it, for all.
What comes of it is a *co-edited* read: it never counts as anybody's independent one, and who sat there never reads the image
alone. Not here: drawing (``annotations.log``) and what passes between windows (``live``).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.assignments.batches import qualification_of
from labelhub.assignments.models import Assignment, BatchItem, Companion
from labelhub.assignments.onlookers import open_together
from labelhub.projects.models import Labeler, Project
from labelhub.projects.permissions import Action, NotFound, require
from labelhub.projects.selectors import labeler_of
from labelhub.projects.teams import holds, qualifications_of
from labelhub.reviews.sightings import knows_others
from labelhub.scoring import exams
from labelhub.workflow import desk, steps
from labelhub.workflow.errors import NotALabelerNow, StepRefused

# More people than this in one image hinder each other.
MOST_AT_ONE_IMAGE = 8


@dataclass(frozen=True, slots=True)
class SharedWork:
    """An image that others label together now: its code and the names of who sits there, the first first."""

    id: uuid.UUID
    item_code: str
    names: tuple[str, ...]
    is_mine: bool


def shared_work(labeler: Labeler, *, most: int = 20) -> tuple[SharedWork, ...]:
    """Return the images of shared batches that people label now and that this labeler sits at or may join."""
    found = []
    held = {"", *qualifications_of([labeler]).get(labeler.pk, ())}
    rows = _open(held).filter(item__project=labeler.project_id).order_by("created_at")
    for row in rows.exclude(labeler=labeler)[:most]:
        seats = [seat.labeler for seat in row.companions.all() if seat.left_at is None]
        names = tuple(one.name for one in (row.labeler, *seats))
        found.append(SharedWork(row.pk, row.item.code, names, any(one.pk == labeler.pk for one in seats)))
    return tuple(found)


def shared_work_of(project: Project) -> QuerySet[Assignment]:
    """Return the images of the project that people label together now, the first begun first."""
    return _open().filter(item__project=project).order_by("created_at")


def work_to_join(user: User, assignment_id: uuid.UUID) -> Assignment:
    """Return the open work of a shared batch that ``user`` may join as a member of its project. Raises ``NotFound``."""
    row = _open().filter(pk=assignment_id).first()
    if row is None:
        raise NotFound("There is no such work, or it is not yours.")
    require(user, Action.LABEL, row.item.project)
    return row


def join(*, assignment: Assignment, by: User) -> Companion:
    """Take a seat at work that somebody else began; joining twice is joining once. Writes ``companion.joined``.

    Raises ``NotFound`` where the work is not shared or not open, as ``lifecycle.hand_out`` for who may not label now, and
    ``StepRefused`` (``exam-first``, ``seats-taken``, ``not-qualified``, ``knows-others``).
    """
    work = work_to_join(by, assignment.pk)
    labeler = labeler_of(by, work.item.project)
    seat_of = desk.desk_of(labeler)
    if seat_of.reads_blind and not exams.may_work(labeler, seat_of.policy):
        raise StepRefused(
            "The entry exam comes before shared work. You did not join. Get your next image.", code="exam-first"
        )
    with transaction.atomic():
        item = steps.locked(work.item_id)
        work = work_to_join(by, work.pk)
        known = Companion.objects.filter(assignment=work, labeler=labeler, left_at=None).first()
        if known is not None or work.labeler_id == labeler.pk:
            return known or Companion(assignment=work, labeler=labeler)
        needed = qualification_of(item)
        if not holds(labeler, needed):
            raise StepRefused(
                f"This image asks for the qualification “{needed}”. You did not join. Ask an admin.",
                code="not-qualified",
            )
        if knows_others(by, item):
            raise StepRefused("You reviewed this image, so you do not label it. You did not join.", code="knows-others")
        if Companion.objects.filter(assignment=work, left_at=None).count() + 1 >= MOST_AT_ONE_IMAGE:
            raise StepRefused(
                f"{MOST_AT_ONE_IMAGE} people sit at this image already. You did not join. Take another.",
                code="seats-taken",
            )
        seat = Companion.objects.create(assignment=work, labeler=labeler)
        steps.event(item, "companion.joined", f"labeler:{labeler.pk}", assignment=str(work.pk))
    return seat


def leave(*, assignment: Assignment, by: User) -> None:
    """Give a seat back; what was drawn stays. Leaving twice is leaving once. Writes ``companion.left``."""
    with transaction.atomic():
        seats = Companion.objects.filter(assignment=assignment, labeler__user=by, left_at=None)
        for seat in seats.select_for_update():
            Companion.objects.filter(pk=seat.pk).update(left_at=timezone.now())
            actor = f"labeler:{seat.labeler_id}"
            steps.event(assignment.item, "companion.left", actor, assignment=str(assignment.pk))


def bring_back(*, former: Assignment, again: Assignment) -> list[Labeler]:
    """Give who sat at ``former`` when it was submitted a seat at the work that goes on with it; return whom.

    Within the step that takes it back, which writes the event. Who may not label now is left out, and may join by themselves.
    """
    brought = []
    for seat in (
        Companion.objects.filter(assignment=former, left_at=None).select_related("labeler__user").order_by("pk")
    ):
        with suppress(StepRefused, NotALabelerNow):
            desk.desk_of(seat.labeler)
            Companion.objects.create(assignment=again, labeler=seat.labeler)
            brought.append(seat.labeler)
    return brought


def seat_of(user: User, assignment_id: uuid.UUID) -> Assignment:
    """Return the work of another at which ``user`` sits. Raises ``NotFound``."""
    seats = Companion.objects.filter(assignment=assignment_id, labeler__user=user, left_at=None)
    seat = seats.select_related("assignment__item__project").first()
    if seat is None:
        raise NotFound("There is no such work, or it is not yours.")
    return seat.assignment


def sits_at(user: User, assignment: Assignment) -> bool:
    """Whether ``user`` joined the work of another and still sits there."""
    return Companion.objects.filter(assignment=assignment, labeler__user=user, left_at=None).exists()


def _open(held: Collection[str] | None = None) -> QuerySet[Assignment]:
    """Return the open work of shared batches; where ``held`` is given, of those that ask for none but these qualifications."""
    rows = open_together().prefetch_related("companions__labeler")
    if held is None:
        return rows
    return rows.filter(Exists(BatchItem.objects.filter(item=OuterRef("item"), batch__qualification__in=held)))
