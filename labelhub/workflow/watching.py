"""A reviewer at an image while people label it together: coming to watch, going, and drawing too. Where the policy says so.

Who watches has seen what others drew, and never reads the image alone afterwards; who draws too is one of those who read it,
and never reviews it. Labels made together are co-edited whoever was there. Decision 0003. Not here: who may
(``assignments.onlookers``).
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Prefetch, Q
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.assignments.models import Assignment, Companion, Onlooker
from labelhub.assignments.onlookers import lets_watch, open_together, work_to_watch
from labelhub.catalog.models import Item
from labelhub.projects.models import Project, Team
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import current_policy, labeler_of
from labelhub.projects.teams import labelers_in
from labelhub.reviews.models import Decision
from labelhub.reviews.sightings import keep_sighting
from labelhub.workflow import steps
from labelhub.workflow.errors import StepRefused
from labelhub.workflow.together import MOST_AT_ONE_IMAGE

# More who watch than this are a crowd.
MOST_ONLOOKERS = 4


@dataclass(frozen=True, slots=True)
class LiveWork:
    """An image that people label together now, for who may watch: its code and their names, the first first."""

    id: UUID
    item_code: str
    names: tuple[str, ...]


def live_work(
    user: User, project: Project, *, item: Item | None = None, most: int = 20, is_reviewer: bool = False,
    team: Team | None = None,
) -> tuple[LiveWork, ...]:  # fmt: skip
    """Return what ``user``, who reviews in the project, may watch now; nothing that they label themselves.

    ``is_reviewer``: the caller knows that they do, so it is not asked again. With a ``team`` only where one of it labels.
    """
    if not lets_watch(project):
        return ()
    if not is_reviewer:
        require(user, Action.REVIEW, project)
    here = Companion.objects.filter(left_at=None).select_related("labeler").order_by("pk")
    rows = open_together().filter(item__project=project).exclude(labeler__user=user).order_by("created_at")
    rows = rows.prefetch_related(Prefetch("companions", here, to_attr="seats"))
    if item is not None:
        rows = rows.filter(item=item)
    if team is not None:
        inside = labelers_in(team)
        seated = Companion.objects.filter(left_at=None, labeler__in=inside).values("assignment")
        rows = rows.filter(Q(labeler__in=inside) | Q(pk__in=seated))
    found = []
    for row in rows[:most]:
        seats = [seat.labeler for seat in row.seats]
        if all(labeler.user_id != user.pk for labeler in seats):
            found.append(LiveWork(row.pk, row.item.code, tuple(one.name for one in (row.labeler, *seats))))
    return tuple(found)


def may_draw_too(work: Assignment) -> bool:
    """Whether the policy lets reviewers draw along here."""
    return current_policy(work.item.project)[1].reviewers_join == "draw"


def come(*, assignment: Assignment, by: User) -> Onlooker:
    """Watch work; coming twice is coming once. Writes ``onlooker.came``, and ``item.seen`` for who had seen nothing of others.

    Raises ``NotFound`` as ``work_to_watch``, and ``StepRefused`` (``onlookers-many``).
    """
    with transaction.atomic():
        item = steps.locked(assignment.item_id)
        work = work_to_watch(by, assignment.pk)
        known = Onlooker.objects.filter(assignment=work, user=by, left_at=None).first()
        if known is not None:
            return known
        if Onlooker.objects.filter(assignment=work, left_at=None).count() >= MOST_ONLOOKERS:
            raise StepRefused(
                f"{MOST_ONLOOKERS} people watch this image already. You did not come. Try again later.",
                code="onlookers-many",
            )
        onlooker = Onlooker.objects.create(assignment=work, user=by)
        keep_sighting(item=item, by=by)
        steps.event(item, "onlooker.came", f"user:{by.pk}", assignment=str(work.pk))
    return onlooker


def go(*, assignment: Assignment, by: User) -> None:
    """Watch no more; going twice is going once. Writes ``onlooker.left``."""
    with transaction.atomic():
        rows = Onlooker.objects.filter(assignment=assignment, user=by, left_at=None)
        for row in rows.select_for_update():
            Onlooker.objects.filter(pk=row.pk).update(left_at=timezone.now())
            steps.event(assignment.item, "onlooker.left", f"user:{by.pk}", assignment=str(assignment.pk))


def draw_too(*, assignment: Assignment, by: User) -> Companion:
    """Take a seat among those who label it: from now on ``by`` is one of its readers, and never reviews it.

    Writes ``companion.joined``. Raises ``NotFound`` as ``work_to_watch``, and ``StepRefused`` (``only-watching``,
    ``judged-it``, ``seats-taken``).
    """
    with transaction.atomic():
        item = steps.locked(assignment.item_id)
        work = work_to_watch(by, assignment.pk)
        labeler = labeler_of(by, item.project)
        known = Companion.objects.filter(assignment=work, labeler=labeler, left_at=None).first()
        if known is not None:
            return known
        if not may_draw_too(work):
            raise StepRefused("Reviewers only watch in this project. Nothing was changed.", code="only-watching")
        if Decision.objects.filter(item=item, reviewer=by).exists():
            raise StepRefused("You judged this image already, so you do not label it.", code="judged-it")
        if Companion.objects.filter(assignment=work, left_at=None).count() + 1 >= MOST_AT_ONE_IMAGE:
            raise StepRefused(
                f"{MOST_AT_ONE_IMAGE} people sit at this image already. Nothing was changed.", code="seats-taken"
            )
        seat = Companion.objects.create(assignment=work, labeler=labeler)
        go(assignment=work, by=by)
        steps.event(item, "companion.joined", f"labeler:{labeler.pk}", assignment=str(work.pk))
    return seat
