"""Reading assignments: a labeler's own queue, and what hand-out needs to know.

What an annotator may receive is :class:`OwnAssignment` and :class:`OwnQueue`: never the reason of a hand-out, a score, a
gold mark, or a number that depends on other people's labels.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, When, Window

from labelhub.assignments.models import HELD, PAUSED, Assignment, Companion
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Project
from labelhub.projects.permissions import NotFound, Person, members_of, visible_to
from labelhub.projects.policy import Policy

State = Assignment.State
# Kinds of reading that fill one of an item's wanted reads.
FILLING = ("independent", "assisted", "unblinded", "co-edited", "unknown")

# Parked work is offered to its author before anything new once it waited this long.
COMES_BACK_AFTER_S = 12 * 3600
# Work that waits longer than this goes to others; its draft is kept.
LONGEST_WAIT_S = 14 * 24 * 3600


@dataclass(frozen=True, slots=True)
class OwnAssignment:
    """What a labeler may know of an assignment of theirs.

    Declared disclosures: ``is_rework``, their work came back, or they took it back themselves (``is_recalled``); ``due_at``,
    an admin gave it to them by hand with a date; ``is_training``, feedback follows.
    """

    id: uuid.UUID
    item_code: str
    state: str
    is_rework: bool
    is_recalled: bool
    is_training: bool
    due_at: datetime | None
    fence: int
    lease_until: datetime | None
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class OwnQueue:
    """A labeler's open work, what waits (parked, or for an answer), and the last of what they closed."""

    open: tuple[OwnAssignment, ...]
    paused: tuple[OwnAssignment, ...]
    closed: tuple[OwnAssignment, ...]
    n_submitted: int


def own_queue(labeler: Labeler, *, recent: int = 20) -> OwnQueue:
    """Return the labeler's queue in two queries; nothing in it depends on what others did or on scores."""
    rows = Assignment.objects.filter(labeler=labeler).select_related("item", "recall_of")
    held = list(rows.filter(state__in=HELD).order_by("waiting_since", "created_at"))
    n_submitted = Window(Count("pk", filter=Q(state=State.SUBMITTED)))
    closed = list(
        rows.filter(state__in=[State.SUBMITTED, State.SKIPPED, State.UNREADABLE, State.DISPUTED])
        .annotate(n_submitted=n_submitted)
        .order_by("-closed_at")[:recent]
    )
    return OwnQueue(
        tuple(own_view(row) for row in held if row.state == State.OPEN),
        tuple(own_view(row) for row in held if row.state in PAUSED),
        tuple(own_view(row) for row in closed),
        closed[0].n_submitted if closed else 0,
    )


def own_view(assignment: Assignment) -> OwnAssignment:
    """Return what its labeler may know of ``assignment``."""
    return OwnAssignment(
        id=assignment.pk, item_code=assignment.item.code, state=assignment.state,
        is_rework=assignment.read_kind == "rework", is_recalled=is_recalled(assignment),
        is_training=assignment.read_kind == "training", due_at=assignment.due_at,
        fence=assignment.fence, lease_until=assignment.lease_until,
        created_at=assignment.created_at, closed_at=assignment.closed_at,
    )  # fmt: skip


def own_assignment(user: Person, assignment_id: uuid.UUID) -> Assignment:
    """Return the assignment if ``user`` is its labeler and still a member. Raises ``NotFound`` for anybody else."""
    rows = Assignment.objects.filter(pk=assignment_id, labeler__user_id=user.pk or 0)
    row = visible_to(user, rows).select_related("item__project", "labeler__user", "follows").first()
    if row is None:
        raise NotFound("There is no such work, or it is not yours.")
    return row


def drawn_by(user: Person, assignment_id: uuid.UUID) -> Assignment:
    """Return the assignment if ``user`` is its labeler or labels it together with them. Raises ``NotFound``."""
    seats = Companion.objects.filter(assignment=OuterRef("pk"), labeler__user_id=user.pk or 0, left_at=None)
    rows = Assignment.objects.filter(Q(labeler__user_id=user.pk or 0) | Exists(seats), pk=assignment_id)
    row = visible_to(user, rows).select_related("item__project", "labeler__user", "follows").first()
    if row is None:
        raise NotFound("There is no such work, or it is not yours.")
    return row


def drawers_of(assignment_ids: set[uuid.UUID]) -> dict[uuid.UUID, set[int]]:
    """Return, for each assignment, the people who may draw in it now: its labeler and who joined, while members."""
    rows = Assignment.objects.filter(pk__in=assignment_ids).values_list("pk", "item__project", "labeler__user")
    seats = Companion.objects.filter(assignment__in=assignment_ids, left_at=None)
    here = [*rows, *seats.values_list("assignment", "assignment__item__project", "labeler__user")]
    members = members_of({project for _, project, _ in here})
    found: dict[uuid.UUID, set[int]] = {}
    for pk, project, user in here:
        if user in members.get(project, ()):
            found.setdefault(pk, set()).add(user)
    return found


def open_of(labeler: Labeler) -> QuerySet[Assignment]:
    """Return the labeler's open assignments in the order in which they are taken up.

    Begun ones first (the last begun before others), then work given by hand (the first due before others), then what came
    back, oldest first.
    """
    rows = Assignment.objects.filter(labeler=labeler, state=State.OPEN).select_related("item__project", "labeler")
    by_hand = Case(When(assigned_by__isnull=False, then=0), default=1)
    return rows.order_by(F("begun_at").desc(nulls_last=True), by_hand, F("due_at").asc(nulls_last=True), "created_at")


def held_by(labeler: Labeler) -> QuerySet[Assignment]:
    """Return all that is still the labeler's, oldest first: at work, parked, waiting for an answer."""
    rows = Assignment.objects.filter(labeler=labeler, state__in=HELD).select_related("item__project", "labeler")
    return rows.order_by("created_at", "pk")


def of_item(item: Item) -> QuerySet[Assignment]:
    """Return all assignments of an item, oldest first. For reviewers and admins."""
    return (
        Assignment.objects.filter(item=item)
        .select_related("labeler", "labeler__user", "follows")
        .order_by("created_at", "pk")
    )


def paused_of(labeler: Labeler) -> QuerySet[Assignment]:
    """Return the labeler's work that waits, the longest wait first."""
    rows = Assignment.objects.filter(labeler=labeler, state__in=PAUSED).select_related("item", "labeler")
    return rows.order_by("waiting_since", "pk")


def comes_back(labeler: Labeler, *, now: datetime) -> Assignment | None:
    """Return parked work that is offered to its author now, before anything new; None where none waited long enough."""
    ripe = now - timedelta(seconds=COMES_BACK_AFTER_S)
    return paused_of(labeler).filter(state=State.PARKED, waiting_since__lt=ripe).first()


def is_recalled(assignment: Assignment) -> bool:
    """Whether the assignment goes on with a submission that its labeler took back."""
    return hasattr(assignment, "recall_of")


def overdue_now(rows: QuerySet[Assignment], now: datetime) -> QuerySet[Assignment]:
    """Return the part of ``rows`` that is past its lease, or waited as long as work may."""
    waited = now - timedelta(seconds=LONGEST_WAIT_S)
    return rows.filter(Q(state=State.OPEN, lease_until__lt=now) | Q(state__in=PAUSED, waiting_since__lt=waited))


def overdue(*, project: Project | None = None, now: datetime) -> QuerySet[Assignment]:
    """Return held work that is past its time, in a fixed order, so that two sweeps never wait for each other."""
    rows = overdue_now(Assignment.objects.all(), now).select_related("item", "labeler")
    return (rows if project is None else rows.filter(item__project=project)).order_by("item_id", "pk")


def n_filled(item: Item) -> int:
    """Return how many of the item's wanted reads are in or being made, counted now. ``Item.reads_taken`` keeps it."""
    return filling().filter(item=item).values("labeler").distinct().count()


def has_open(item: Item, *, read_kind: str | None = None) -> bool:
    """Whether somebody holds the item now (in a reading of this kind): at work on it, parked, or waiting for an answer."""
    rows = Assignment.objects.filter(item=item, state__in=HELD)
    return rows.filter(read_kind=read_kind).exists() if read_kind else rows.exists()


def rework_rounds(item: Item) -> dict[int, int]:
    """Return how often the item was sent back to each author, not counting what they took back: ``{labeler id: rounds}``."""
    rows = (
        Assignment.objects.filter(item=item, read_kind="rework", recall_of=None)
        .values("labeler")
        .annotate(n=Count("pk"))
    )
    return {row["labeler"]: row["n"] for row in rows}


def met_by(labeler: int, *, is_skipped_forgiven: bool = False) -> QuerySet[Assignment]:
    """Return the assignments for which an item (``OuterRef("pk")``) does not go to the labeler with this id again.

    Work whose time ended may be taken again, unless somebody goes on with its draft, and skipped work that an admin opened
    again; with ``is_skipped_forgiven`` all skipped work.
    """
    own = Assignment.objects.filter(item=OuterRef("pk"), labeler=labeler)
    rows = own.exclude(Q(state=State.EXPIRED) & ~is_gone_on())
    again = Q(state=State.SKIPPED) if is_skipped_forgiven else Q(state=State.SKIPPED, requeued_at__isnull=False)
    return rows.exclude(again)


def is_gone_on() -> Q:
    """Return the condition that somebody else goes or went on with the draft of an assignment: then it is a part of theirs."""
    return Q(Exists(Assignment.objects.filter(continues=OuterRef("pk"))))


def authors_of(assignment: Assignment) -> list[Labeler]:
    """Return who worked on the assignment's draft, who began it first: those whose draft was handed over, then its labeler."""
    found = [assignment.labeler]
    row = assignment.continues
    while row is not None:
        found.append(row.labeler)
        row = row.continues
    return found[::-1]


def accompanied_by(labeler: int) -> QuerySet[Companion]:
    """Return the seats that the labeler with this id has or had at an item (``OuterRef("pk")``): they saw what others drew."""
    return Companion.objects.filter(assignment__item=OuterRef("pk"), labeler=labeler)


def never_met(labeler: Labeler, items: QuerySet[Item]) -> QuerySet[Item]:
    """Return the part of ``items`` that this labeler never had, alone or with others."""
    had = Exists(Assignment.objects.filter(item=OuterRef("pk"), labeler=labeler))
    return items.exclude(had).exclude(Exists(accompanied_by(labeler.pk)))


def wanted_reads(item: Item, policy: Policy) -> int:
    """Return how many reads the item shall have: the policy's for its part of the items, or more where routing asked."""
    return max(item.wanted_reads, planned_reads(item, policy))


def planned_reads(item: Item, policy: Policy) -> int:
    """Return how many readers the policy plans for the item, before any label is seen.

    ``overlap_share`` of the items, by a secret draw that stays, get all readers, the others one; changing the share changes
    it for items at once.
    """
    return policy.readers if item.overlap_draw < policy.overlap_share else 1


def filling() -> QuerySet[Assignment]:
    """Return the assignments that fill one of their item's wanted reads."""
    return Assignment.objects.filter(state__in=[*HELD, State.SUBMITTED], read_kind__in=FILLING)
