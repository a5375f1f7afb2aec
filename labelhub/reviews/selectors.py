"""Reading for reviewers: the inbox by expected value of a look, and the readers of an item side by side.

For authors there is :func:`own_comments` alone: what was said of their own work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, FloatField, OuterRef, QuerySet, Subquery
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import readings_of
from labelhub.assignments.models import HELD, Assignment
from labelhub.catalog.models import Item
from labelhub.formats.shapes import Reading
from labelhub.predictions.models import Prediction
from labelhub.predictions.plain import reading_of as reading_of_prediction
from labelhub.predictions.selectors import newest_prediction
from labelhub.projects.models import Labeler, Project, Role
from labelhub.projects.permissions import Action, require, role_in, visible_to
from labelhub.projects.selectors import current_policy
from labelhub.reviews.models import Decision, PanelVote
from labelhub.routing.models import Route
from labelhub.routing.selectors import current_route
from labelhub.routing.services import PANEL_TIE
from labelhub.scoring.models import Score
from labelhub.scoring.reads import Reads, reads_of
from labelhub.scoring.rows import CURRENT_AGREEMENT, SIMILARITY

# States of an assignment whose labeler reads the item, or has judged it.
READING = (*HELD, Assignment.State.SUBMITTED, Assignment.State.UNREADABLE)
# A day of waiting weighs as much as this much disagreement, a step of priority as much as that.
WEIGHT_OF_A_DAY, WEIGHT_OF_PRIORITY = 0.02, 0.5
# Where readers cannot be compared a look is worth as much as an even dispute.
UNKNOWN_DISAGREEMENT = 0.5


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One item that waits for a reviewer, why, and what a look is worth (disagreement plus age plus priority)."""

    item: Item
    rule: str
    reason: str
    disagreement: float | None
    age_days: float
    value: float


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Everything a reviewer sees of an item: each current reading, how alike they are, the model, what was decided."""

    item: Item
    reads: Reads
    readings: tuple[tuple[Submission, Reading], ...]
    similarity: dict[tuple[int, int], float | None]
    prediction: Prediction | None
    model_reading: Reading | None
    route: Route | None
    decisions: tuple[Decision, ...]
    is_own: bool


@dataclass(frozen=True, slots=True)
class OwnComment:
    """What a reviewer said of one's own work: the words, the judgement and score, but not who, nor any other reading."""

    verdict: str
    score: int | None
    comment: str
    at: datetime


def inbox(user: User, project: Project, *, now: datetime | None = None, limit: int = 200) -> list[InboxRow]:
    """Return the items that wait for a reviewer, the most valuable look first; items that ``user`` read are left out."""
    items = _waiting(user, project)
    newest = Route.objects.filter(item=OuterRef("pk")).order_by("-pk")
    agreement = Score.objects.filter(
        item=OuterRef("pk"), about=Score.About.ITEM, metric=CURRENT_AGREEMENT, replaced_at=None
    )
    rows = items.annotate(
        rule=Subquery(newest.values("rule")[:1]),
        why=Subquery(newest.values("reason")[:1]),
        similarity=Subquery(agreement.values("value")[:1], output_field=FloatField()),
    ).order_by("-priority", F("similarity").asc(nulls_last=True), "state_changed_at")
    at = now or timezone.now()
    # The database's order is near enough to cut at; the exact value is a sum that is cheaper here.
    listed = [_inbox_row(item, at) for item in rows[: limit * 4]]
    return sorted(listed, key=lambda row: (-row.value, row.item.pk))[:limit]


def n_waiting(user: User, project: Project) -> int:
    """Return how many items wait for this reviewer."""
    return _waiting(user, project).count()


def side_by_side(user: User, item: Item) -> SideBySide:
    """Return the readers of an item side by side. Raises ``NotFound`` for those who do not review here."""
    require(user, Action.REVIEW, item)
    reads = reads_of(item)
    plain = readings_of(reads.current)
    pairs = Score.objects.filter(item=item, about=Score.About.PAIR, metric=SIMILARITY, label="", replaced_at=None)
    prediction = newest_prediction(item)
    return SideBySide(
        item=item,
        reads=reads,
        readings=tuple(zip(reads.current, plain, strict=True)),
        similarity={(row.first_id or 0, row.second_id or 0): row.value for row in pairs},
        prediction=prediction,
        model_reading=None if prediction is None else reading_of_prediction(prediction),
        route=current_route(item),
        decisions=_decisions_shown(user, item),
        is_own=has_read(user, item),
    )


def decisions_of(item: Item) -> QuerySet[Decision]:
    """Return the judgements about the item, oldest first."""
    return (
        Decision.objects.filter(item=item).select_related("reviewer", "submission__assignment__labeler").order_by("pk")
    )


def rejected(item: Item) -> frozenset[int]:
    """Return the ids of submissions whose newest judgement is a rejection."""
    newest = {row.submission_id: row.verdict for row in Decision.objects.filter(item=item).order_by("pk")}
    return frozenset(pk for pk, verdict in newest.items() if verdict == Decision.Verdict.REJECT)


def own_comments(labeler: Labeler, item: Item) -> Sequence[OwnComment]:
    """Return what reviewers said of this labeler's readings of the item, oldest first. A declared disclosure."""
    rows = Decision.objects.filter(item=item, submission__assignment__labeler=labeler).order_by("pk")
    return tuple(OwnComment(row.verdict, row.score, row.comment, row.at) for row in rows)


def has_read(user: User, item: Item) -> bool:
    """Whether ``user`` labels or labeled the item."""
    rows = Assignment.objects.filter(item=item, labeler__user_id=user.pk)
    return rows.filter(state__in=READING).exists()


def has_judged(user: User, item: Item) -> bool:
    """Whether ``user`` judged a reading of the item, and so has seen it."""
    return Decision.objects.filter(item=item, reviewer_id=user.pk).exists()


def judged_by(user: User) -> QuerySet[Decision]:
    """Return the judgements that ``user`` made, newest first."""
    return Decision.objects.filter(reviewer=user).select_related("item__project", "submission").order_by("-pk")


def _decisions_shown(user: User, item: Item) -> tuple[Decision, ...]:
    """Return the judgements about the item; while a panel votes, those of others only after one's own vote."""
    rows = decisions_of(item)
    _, policy = current_policy(item.project)
    if policy.panel_reviewers == 1 or item.state != Item.State.REVIEW or is_panel_tied(item):
        return tuple(rows)
    own = PanelVote.objects.filter(item=item, reviewer_id=user.pk, sat_since=item.state_changed_at)
    if own.exists():
        return tuple(rows)
    return tuple(row for row in rows if row.reviewer_id == user.pk or row.at < item.state_changed_at)


def is_panel_tied(item: Item) -> bool:
    """Whether a panel found no majority, so that an admin decides."""
    route = current_route(item)
    return route is not None and route.rule == PANEL_TIE


def _waiting(user: User, project: Project) -> QuerySet[Item]:
    own = Assignment.objects.filter(item=OuterRef("pk"), labeler__user_id=user.pk)
    mine = own.filter(state__in=READING)
    voted = PanelVote.objects.filter(item=OuterRef("pk"), reviewer_id=user.pk, sat_since=OuterRef("state_changed_at"))
    items = Item.objects.filter(project=project, state=Item.State.REVIEW).exclude(Exists(mine)).exclude(Exists(voted))
    if role_in(user, project) != Role.ADMIN:
        newest = Route.objects.filter(item=OuterRef("pk")).order_by("-pk").values("rule")[:1]
        items = items.annotate(newest_rule=Subquery(newest)).exclude(newest_rule=PANEL_TIE)
    return visible_to(user, items)


def _inbox_row(item: Item, now: datetime) -> InboxRow:
    similarity: float | None = getattr(item, "similarity", None)
    age = max(0.0, (now - item.state_changed_at).total_seconds() / 86_400)
    disagreement = None if similarity is None or math.isnan(similarity) else 1 - similarity
    value = UNKNOWN_DISAGREEMENT if disagreement is None else disagreement
    value += WEIGHT_OF_A_DAY * age + WEIGHT_OF_PRIORITY * item.priority
    return InboxRow(item, getattr(item, "rule", "") or "", getattr(item, "why", "") or "", disagreement, age, value)
