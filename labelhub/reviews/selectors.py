"""Reading for reviewers: the inbox by expected value of a look, and the readers of an item side by side.

For authors there is :func:`own_comments` alone: what was said of their own work.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    FloatField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import readings_of
from labelhub.assignments.models import HELD, Assignment, Companion
from labelhub.assignments.selectors import is_gone_on
from labelhub.catalog.models import Item, Medium
from labelhub.formats.shapes import Reading
from labelhub.predictions.models import Prediction
from labelhub.predictions.plain import reading_of as reading_of_prediction
from labelhub.predictions.selectors import newest_prediction
from labelhub.projects.models import Labeler, Membership, Project, Role, Team
from labelhub.projects.permissions import Action, require, visible_to
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy
from labelhub.reviews.calibration_models import ReviewTest
from labelhub.reviews.error_models import Appraisal
from labelhub.reviews.models import Comment, Decision, PanelVote
from labelhub.reviews.of_team import read_in, tests_in
from labelhub.reviews.reviewer_tests import as_it_waits, decided_otherwise_by, open_test, open_tests
from labelhub.reviews.tickets import disputed_against, upheld_decisions
from labelhub.reviews.workload import day_of
from labelhub.routing.models import Route
from labelhub.routing.selectors import current_route
from labelhub.routing.services import PANEL_TIE
from labelhub.scoring.models import Score
from labelhub.scoring.reads import VOTING, Reads, reads_of
from labelhub.scoring.rows import CURRENT_AGREEMENT, SIMILARITY

# States of an assignment whose labeler reads the item, or has judged it.
_READING = (*HELD, Assignment.State.SUBMITTED, Assignment.State.UNREADABLE)
# A day of waiting weighs as much as this much disagreement, a step of priority as much as that.
WEIGHT_OF_A_DAY, WEIGHT_OF_PRIORITY = 0.02, 0.5
# Where readers cannot be compared a look is worth as much as an even dispute.
UNKNOWN_DISAGREEMENT = 0.5


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One item that waits for a reviewer, why, and what a look is worth (disagreement plus age plus priority).

    ``n_media`` it has, the deepest of ``depth`` planes; ``n_readers`` have a voice in it.
    """

    item: Item
    rule: str
    reason: str
    disagreement: float | None
    age_days: float
    value: float
    n_media: int = 1
    depth: int = 1
    n_readers: int = 0


@dataclass(frozen=True, slots=True)
class Inbox:
    """The items shown, and how many wait in all: no more than the reviewer is offered today.

    ``tests`` are those that are open for them, shown or not: what else a page tells of the items goes by the same ones.
    """

    rows: tuple[InboxRow, ...]
    n_waiting: int
    tests: tuple[ReviewTest, ...] = ()


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
    """What a reviewer said of one's own work: the words, the judgement and score, but not who, nor any other reading.

    ``verdict`` is empty where a reviewer said how good it is without accepting or returning it.
    """

    verdict: str
    score: int | None
    comment: str
    at: datetime


def inbox(
    user: User, project: Project, *, now: datetime | None = None, limit: int = 200, team: Team | None = None
) -> Inbox:
    """Return the items that wait for a reviewer, the most valuable look first; items that ``user`` read are left out.

    With a ``team`` only items that somebody of it read.
    """
    at = now or timezone.now()
    _, policy = current_policy(project)
    day = day_of(user, project, policy=policy, now=at)
    # The database's order is near enough to cut at; the exact value is a sum that is cheaper here. What a card says is asked
    # of those alone that come so far: of all that wait it would be most of the work.
    order = ("-priority", F("similarity").asc(nulls_last=True), "state_changed_at")
    waiting = _waiting(user, project).annotate(similarity=_similarity()).order_by(*order)
    if team is not None:
        waiting = waiting.filter(pk__in=read_in(team))
    if day.begun:
        # Theirs to finish, and so before all others, however these are ordered.
        is_begun = Case(When(pk__in=day.begun, then=Value(1)), default=Value(0))
        waiting = waiting.annotate(is_begun=is_begun).order_by("-is_begun", *order)
    most = len(day.begun) + min(limit, day.left) * 4
    counted_first = list(waiting.values_list("pk", Window(Count("pk")))[:most])
    begun = day.begun.intersection(pk for pk, _ in counted_first)
    tests = tuple(open_tests(user, project, policy=policy, now=at))
    placed = tests if team is None else tests_in(team, tests)
    rows = [_inbox_row(item, at) for item in _with_facts(project, [pk for pk, _ in counted_first], placed)]
    offered = sorted((row for row in rows if row.item.pk not in begun), key=_by_value)[: day.left]
    shown = sorted([*offered, *(row for row in rows if row.item.pk in begun)], key=_by_value)[:limit]
    n_fresh = (counted_first[0][1] if counted_first else 0) - len(begun) + len(placed)
    return Inbox(tuple(shown), len(begun) + min(n_fresh, day.left), tests)


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
    """Return the ids of submissions whose newest judgement is a rejection that no dispute overturned."""
    newest = {row.submission_id: row for row in Decision.objects.filter(item=item).order_by("pk")}
    found = {pk: row for pk, row in newest.items() if row.verdict == Decision.Verdict.REJECT}
    overturned = upheld_decisions(item) if found else frozenset()
    return frozenset(pk for pk, row in found.items() if row.pk not in overturned)


def own_comments(labeler: Labeler, item: Item) -> Sequence[OwnComment]:
    """Return what reviewers said of this labeler's readings of the item, oldest first. A declared disclosure."""
    mine = {"item": item, "submission__assignment__labeler": labeler}
    said = [OwnComment(row.verdict, row.score, row.comment, row.at) for row in Decision.objects.filter(**mine)]
    said += [OwnComment("", row.score, row.comment, row.at) for row in Appraisal.objects.filter(**mine)]
    return tuple(sorted(said, key=lambda entry: entry.at))


def has_read(user: User, item: Item) -> bool:
    """Whether ``user`` labels or labeled the item, alone or with others."""
    rows = Assignment.objects.filter(took_part(), item=item)
    return rows.filter(Q(labeler__user_id=user.pk) | Q(companions__labeler__user_id=user.pk)).exists()


def took_part() -> Q:
    """Return the condition that an assignment's labeler reads or read the item, or that their draft went into a reading."""
    return Q(state__in=_READING) | is_gone_on()


def has_judged(user: User, item: Item) -> bool:
    """Whether ``user`` judged a reading of the item or commented on it, and so has seen others' readings."""
    if Decision.objects.filter(item=item, reviewer_id=user.pk).exists():
        return True
    written = written_on_others(user.pk).filter(thread__item=item)
    return written.exclude(thread__submission__assignment__labeler__user=user).exists()


def written_on_others(by: int | None) -> QuerySet[Comment]:
    """Return what the person with this id wrote in threads, but for what they said at pins of work that they labeled in."""
    seats = Companion.objects.filter(assignment=OuterRef("thread__assignment"), labeler__user=by)
    rows = Comment.objects.filter(by=by).exclude(thread__assignment__labeler__user=by)
    return rows.exclude(Exists(seats))


def judged_by(user: User) -> QuerySet[Decision]:
    """Return the judgements that ``user`` made, newest first."""
    return Decision.objects.filter(reviewer=user).select_related("item__project", "submission").order_by("-pk")


@dataclass(frozen=True, slots=True)
class Screen:
    """What one reviewer does not see of what was said of an item: others' words since a time, and their own before another.

    Own words are hidden where they are tested on a decision of their own: those from ``since`` until ``own_from``.
    """

    user: int
    since: datetime | None = None
    own_from: datetime | None = None

    def shows(self, by: int, at: datetime) -> bool:
        """Whether they see what ``by`` said then."""
        if self.since is None or at < self.since:
            return True
        return by == self.user and (self.own_from is None or at >= self.own_from)


def screen_of(user: User, item: Item) -> Screen:
    """Return what ``user`` does not see of what was said of the item."""
    test = open_test(user, item)
    return Screen(user.pk, hidden_since(user, item), None if test is None else test.due_from)


def hidden_since(user: User, item: Item) -> datetime | None:
    """Return since when ``user`` does not see what other reviewers said of the item; None where they see all of it.

    Where they are tested on it, that is until they judged. While a panel votes, until their own vote; for admins too, who may
    vote like anybody. Once it found no majority all votes are open.
    """
    test = open_test(user, item)
    if test is not None:
        return test.hides_from
    _, policy = current_policy(item.project)
    if policy.panel_reviewers == 1 or item.state != Item.State.REVIEW or is_panel_tied(item):
        return None
    own = PanelVote.objects.filter(item=item, reviewer_id=user.pk, sat_since=item.state_changed_at)
    return None if own.exists() else item.state_changed_at


def _decisions_shown(user: User, item: Item) -> tuple[Decision, ...]:
    screen = screen_of(user, item)
    return tuple(row for row in decisions_of(item) if screen.shows(row.reviewer_id, row.at))


def sitting_items(project: Project, policy: Policy) -> QuerySet[Item]:
    """Return the items on which a panel votes now: judgements since ``state_changed_at`` are votes that are not counted yet."""
    rows = Item.objects.filter(project=project, state=Item.State.REVIEW)
    if policy.panel_reviewers == 1:
        return rows.none()
    newest = Route.objects.filter(item=OuterRef("pk")).order_by("-pk").values("rule")[:1]
    return rows.annotate(newest_rule=Subquery(newest)).exclude(newest_rule=PANEL_TIE)


def counted(decisions: QuerySet[Decision]) -> QuerySet[Decision]:
    """Return the judgements without the votes of panels that have not decided: until then they are nobody's to count."""
    newest = Route.objects.filter(item=OuterRef("item")).order_by("-pk").values("rule")[:1]
    votes = PanelVote.objects.filter(item=OuterRef("item"), sat_since=OuterRef("item__state_changed_at"))
    is_open = Q(item__state=Item.State.REVIEW, at__gte=F("item__state_changed_at")) & Q(Exists(votes))
    return decisions.alias(newest_rule=Subquery(newest)).exclude(is_open & ~Q(newest_rule=PANEL_TIE))


def sitting_without(project: Project, user: User) -> dict[int, datetime]:
    """Return the items on which a panel votes and ``user`` has not voted, with the moment from which it sits."""
    own = PanelVote.objects.filter(item=OuterRef("pk"), reviewer_id=user.pk, sat_since=OuterRef("state_changed_at"))
    _, policy = current_policy(project)
    return dict(sitting_items(project, policy).exclude(Exists(own)).values_list("pk", "state_changed_at"))


def is_panel_tied(item: Item) -> bool:
    """Whether a panel found no majority, so that an admin decides."""
    route = current_route(item)
    return route is not None and route.rule == PANEL_TIE


def _with_facts(project: Project, waiting: Collection[int], tests: Iterable[ReviewTest]) -> list[Any]:
    """Return the items that wait and those of ``tests``, as they look, with what a card says of each.

    That is ``rule`` and ``why`` of the newest route, ``similarity``, ``n_media``, ``depth`` and ``n_readers``.
    """
    newest = Route.objects.filter(item=OuterRef("pk")).order_by("-pk")
    media = Medium.objects.filter(item=OuterRef("pk")).order_by().values("item")
    voices = Assignment.objects.filter(
        item=OuterRef("pk"), state=Assignment.State.SUBMITTED, read_kind__in=VOTING
    ).order_by().values("item")  # fmt: skip
    tested = {test.item_id: test for test in tests}
    keys = [*waiting, *tested]
    rows = Item.objects.filter(pk__in=keys).annotate(
        rule=Subquery(newest.values("rule")[:1]), why=Subquery(newest.values("reason")[:1]), similarity=_similarity(),
        n_media=Subquery(media.annotate(n=Count("pk")).values("n")),
        depth=Subquery(media.annotate(n=Max("size_z")).values("n")),
        n_readers=Subquery(voices.annotate(n=Count("labeler", distinct=True)).values("n")),
    )  # fmt: skip
    found = list(rows) if keys else []
    for item in found:
        item.project = project
        if (test := tested.get(item.pk)) is not None:
            as_it_waits(item, test)
            item.rule, item.why = "", test.reason
    return found


def _similarity() -> Subquery:
    """How alike the current readings of an item are."""
    agreement = Score.objects.filter(
        item=OuterRef("pk"), about=Score.About.ITEM, metric=CURRENT_AGREEMENT, replaced_at=None
    )
    return Subquery(agreement.values("value")[:1], output_field=FloatField())


def _waiting(user: User, project: Project) -> QuerySet[Item]:
    # Lists that are made once, in place of questions to each of many thousand items.
    mine = Assignment.objects.filter(took_part(), item__project=project, labeler__user_id=user.pk)
    votes = PanelVote.objects.filter(item__project=project, item__state=Item.State.REVIEW)
    voted = votes.filter(reviewer_id=user.pk, sat_since=F("item__state_changed_at"))
    items = Item.objects.filter(project=project, state=Item.State.REVIEW)
    items = items.exclude(pk__in=mine.values("item")).exclude(pk__in=voted.values("item"))
    items = items.exclude(pk__in=disputed_against(user, project, Item.objects.filter(project=project)).values("pk"))
    items = items.exclude(pk__in=decided_otherwise_by(user, project))
    if user.site_role != Role.ADMIN:
        # Nobody found a tie without a vote. An admin of the project decides those.
        manages = Membership.objects.filter(project=project, user=user.pk, role=Role.ADMIN, removed_at=None)
        newest = Route.objects.filter(item=OuterRef("pk")).order_by("-pk").values("rule")[:1]
        tied = Item.objects.filter(pk__in=votes.values("item")).annotate(newest_rule=Subquery(newest))
        items = items.exclude(~Exists(manages), pk__in=tied.filter(newest_rule=PANEL_TIE).values("pk"))
    return visible_to(user, items)


def _by_value(row: InboxRow) -> tuple[float, int]:
    return -row.value, row.item.pk


def _inbox_row(item: Item, now: datetime) -> InboxRow:
    similarity: float | None = getattr(item, "similarity", None)
    age = max(0.0, (now - item.state_changed_at).total_seconds() / 86_400)
    disagreement = None if similarity is None or math.isnan(similarity) else 1 - similarity
    value = UNKNOWN_DISAGREEMENT if disagreement is None else disagreement
    value += WEIGHT_OF_A_DAY * age + WEIGHT_OF_PRIORITY * item.priority
    return InboxRow(
        item, getattr(item, "rule", "") or "", getattr(item, "why", "") or "", disagreement, age, value,
        getattr(item, "n_media", 1) or 1, getattr(item, "depth", 1) or 1, getattr(item, "n_readers", 0) or 0,
    )  # fmt: skip
