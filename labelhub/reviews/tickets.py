"""Rework tickets and disputes: what an author gets with work that came back, and what became of their objection.

For authors there are :func:`own_ticket` and :func:`own_disputes` alone: their reviewer's words, the marks that the policy
allows, and whether their reading stands; never who read the item, or how. Not here: what follows (``workflow.disputing``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import CharField, Exists, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.assignments.models import HELD, Assignment
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Membership, Project, Role
from labelhub.projects.permissions import NotFound, visible_to
from labelhub.projects.policy import Policy
from labelhub.projects.telling import REVIEWING, seated
from labelhub.reviews.models import Decision, Dispute, DisputeOutcome, ReworkTicket

Kind = DisputeOutcome.Kind
# Outcomes after which nothing is left to decide.
DECIDED = (Kind.UPHELD, Kind.REFUTED, Kind.MOOT)
# How the author is told of each; what still waits for a third reader and what waits for a reviewer read alike.
TOLD: Mapping[str, str] = {
    Kind.UPHELD: "Your reading stands.",
    Kind.REFUTED: "The return stands; your reading does not count.",
    Kind.MOOT: "Nothing is left to decide on this image.",
}
WAITS = "Somebody else looks. You need do nothing more."


@dataclass(frozen=True, slots=True)
class OwnTicket:
    """What an author gets with work that came back: words, marks, which time it is, and whether they may dispute it."""

    words: str
    score: int | None
    marks: Mapping[str, Any]
    round: int
    most_rounds: int
    disputes_left: int
    at: datetime


@dataclass(frozen=True, slots=True)
class OwnDispute:
    """What somebody objected, and what became of it in words; ``is_decided`` is false while somebody still looks."""

    item_code: str
    reason: str
    at: datetime
    told: str
    is_decided: bool


def keep_ticket(
    *, assignment: Assignment, submission: Submission, decision: Decision | None, marks: Mapping[str, Any], n_round: int
) -> ReworkTicket:
    """Keep a ticket. Runs in the transaction that returns the work."""
    words = decision.comment if decision is not None else ""
    return ReworkTicket.objects.create(
        assignment=assignment, item_id=assignment.item_id, submission=submission, decision=decision, words=words,
        marks=dict(marks), round=max(1, n_round),
    )  # fmt: skip


def ticket_of(assignment: Assignment) -> ReworkTicket | None:
    """Return the newest ticket of work that came back; None for work that its author took back themselves."""
    rows = ReworkTicket.objects.filter(assignment=assignment).select_related("decision", "submission")
    return rows.order_by("-pk").first()


def own_ticket(assignment: Assignment, policy: Policy) -> OwnTicket | None:
    """Return what its author may see of the ticket of ``assignment``. A declared disclosure."""
    row = ticket_of(assignment)
    if row is None:
        return None
    left = max(0, policy.max_disputes - n_disputes(row.item_id, assignment.labeler_id))
    score = row.decision.score if row.decision is not None else None
    return OwnTicket(row.words, score, row.marks, row.round, policy.max_rework_rounds, left, row.at)


def own_disputes(labeler: Labeler, *, recent: int = 20) -> tuple[OwnDispute, ...]:
    """Return what this labeler disputed, newest first, and what became of it. A declared disclosure."""
    rows = _with_outcome(Dispute.objects.filter(ticket__assignment__labeler=labeler)).select_related("item")
    return tuple(_own(row) for row in rows.order_by("-pk")[:recent])


def dispute_on(assignment: Assignment) -> Dispute | None:
    """Return the dispute with which ``assignment`` was closed."""
    return Dispute.objects.filter(ticket__assignment=assignment).order_by("-pk").first()


def keep_dispute(ticket: ReworkTicket, reason: str) -> Dispute:
    """Keep a dispute."""
    return Dispute.objects.create(ticket=ticket, item_id=ticket.item_id, reason=reason)


def n_disputes(item_id: int, labeler_id: int) -> int:
    """Return how often this labeler disputed a return of the item."""
    return Dispute.objects.filter(item=item_id, ticket__assignment__labeler=labeler_id).count()


def undecided(item: Item) -> Sequence[Dispute]:
    """Return the disputes of the item that nothing decided yet, oldest first."""
    rows = _with_outcome(Dispute.objects.filter(item=item))
    return tuple(
        rows.exclude(newest__in=DECIDED).select_related("ticket__submission", "ticket__assignment").order_by("pk")
    )


def waits_for_reader(item: Item) -> Dispute | None:
    """Return the oldest dispute of the item that waits for its third reader."""
    rows = Dispute.objects.filter(item=item, outcomes=None)
    return rows.select_related("ticket__submission__assignment", "ticket__assignment").order_by("pk").first()


def waiting_since(before: datetime) -> QuerySet[Dispute]:
    """Return the disputes that have waited for their third reader since before then, the oldest first."""
    return Dispute.objects.filter(outcomes=None, at__lte=before).select_related("item__project").order_by("pk")


def third_read(dispute: Dispute) -> Submission | None:
    """Return the first blind reading that came in after the dispute, of somebody who had none before."""
    author = dispute.ticket.assignment.labeler_id
    rows = Submission.objects.filter(assignment__item=dispute.item_id, read_kind="independent", version=1)
    later = rows.filter(submitted_at__gte=dispute.at).exclude(assignment__labeler=author)
    found = later.select_related("assignment__labeler__user").order_by("pk")
    return next((entry for entry in found if may_read_blind(entry.assignment.labeler)), None)


def is_with_third_reader(dispute: Dispute) -> bool:
    """Whether somebody who saw no other reading reads the item now."""
    author = dispute.ticket.assignment.labeler_id
    rows = Assignment.objects.filter(item=dispute.item_id, read_kind="independent", state__in=HELD)
    held = rows.exclude(labeler=author).select_related("labeler__user")
    return any(may_read_blind(entry.labeler) for entry in held)


def is_being_read(dispute: Dispute, *, now: datetime) -> bool:
    """Whether a third reader has the item before them now, under a lease; what is parked may never be taken up again."""
    author = dispute.ticket.assignment.labeler_id
    rows = Assignment.objects.filter(item=dispute.item_id, read_kind="independent", state=Assignment.State.OPEN)
    held = rows.filter(lease_until__gt=now).exclude(labeler=author).select_related("labeler__user")
    return any(may_read_blind(entry.labeler) for entry in held)


def has_third_reader(item: Item) -> bool:
    """Whether a labeler is there who never had the item and never saw other people's reads in the project."""
    seats = Membership.objects.filter(project=item.project_id)
    others = seats.exclude(role=Role.ANNOTATOR).values("user")
    met = Assignment.objects.filter(item=item, labeler__user__isnull=False).exclude(state=Assignment.State.EXPIRED)
    here = seats.filter(role=Role.ANNOTATOR, removed_at=None, user__is_active=True, user__site_role="")
    return here.exclude(user__in=others).exclude(user__in=met.values("labeler__user")).exists()


def keep_outcome(dispute: Dispute, kind: str, **facts: Any) -> DisputeOutcome:
    """Keep what became of a dispute; ``facts`` are the other fields of the outcome."""
    return DisputeOutcome.objects.create(dispute=dispute, kind=kind, **facts)


def upheld_decisions(item: Item) -> frozenset[int]:
    """Return the ids of judgements that were overturned on dispute: they set no reading aside any more."""
    rows = _with_outcome(Dispute.objects.filter(item=item)).filter(newest=Kind.UPHELD)
    return frozenset(key for key in rows.values_list("ticket__decision", flat=True) if key is not None)


def is_party(user: User, item: Item) -> bool:
    """Whether ``user`` returned a reading of the item whose author disputed it, so that another reviewer decides.

    Where the project has no other reviewer, the same one has to.
    """
    return disputed_against(user, item.project, Item.objects.filter(pk=item.pk)).exists()


def disputed_against(user: User, project: Project, items: QuerySet[Item]) -> QuerySet[Item]:
    """Return those of ``items`` on which a return by ``user`` is disputed or was overturned, where others may decide them."""
    rows = _with_outcome(Dispute.objects.filter(item__project=project, ticket__decision__reviewer=user.pk))
    others = seated(project, REVIEWING).exclude(pk=user.pk)
    return items.filter(Exists(others), pk__in=rows.exclude(newest__in=(Kind.REFUTED, Kind.MOOT)).values("item"))


def open_disputes(user: User, project: Project) -> QuerySet[Dispute]:
    """Return the project's disputes that are not decided, the oldest first. For reviewers and admins."""
    seen = visible_to(user, Dispute.objects.filter(item__project=project))
    rows = _with_outcome(seen).exclude(newest__in=DECIDED)
    parts = ("item__project", "ticket__submission__assignment__labeler", "ticket__decision__reviewer")
    return rows.select_related(*parts).order_by("pk")


def dispute_for(user: User, project: Project, pk: int) -> Dispute:
    """Return a dispute of the project. Raises ``NotFound``."""
    rows = _with_outcome(visible_to(user, Dispute.objects.filter(item__project=project, pk=pk)))
    row: Dispute | None = rows.select_related("item__project", "ticket__decision", "ticket__assignment").first()
    if row is None:
        raise NotFound("There is no such dispute.")
    return row


def disputes_about(item: Item) -> Sequence[Dispute]:
    """Return all disputes about the item, oldest first, with their outcomes. For reviewers and admins."""
    rows = _with_outcome(Dispute.objects.filter(item=item))
    parts = ("ticket__decision__reviewer", "ticket__submission__assignment__labeler")
    return tuple(rows.select_related(*parts).prefetch_related("outcomes__by").order_by("pk"))


def may_read_blind(labeler: Labeler) -> bool:
    """Whether this labeler never had a seat in the project from which other people's reads are seen."""
    user = labeler.user
    if user is None or user.site_role:
        return False
    seats = Membership.objects.filter(project=labeler.project_id, user=user.pk)
    return not seats.exclude(role=Role.ANNOTATOR).exists()


def _with_outcome(rows: QuerySet[Dispute]) -> QuerySet[Any]:
    """Add ``newest``, the kind of the newest outcome; empty where there is none."""
    newest = DisputeOutcome.objects.filter(dispute=OuterRef("pk")).order_by("-pk").values("kind")
    return rows.annotate(newest=Coalesce(Subquery(newest[:1]), Value(""), output_field=CharField()))


def _own(row: Dispute) -> OwnDispute:
    newest: str = getattr(row, "newest", "")
    return OwnDispute(row.item.code, row.reason, row.at, TOLD.get(newest, WAITS), newest in DECIDED)
