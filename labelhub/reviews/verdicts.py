"""A reviewer's word on single objects of a reading: named errors, kept as they are given, the last on an object counts.

What the comparison with the label proposes is nobody's word until a reviewer confirms it. Authors read :func:`own_errors`
alone. Not here: what is proposed (``consensus.object_errors``), and when it may be said (``workflow.naming_errors``).
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.assignments.models import Assignment
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Project
from labelhub.projects.permissions import Action, require
from labelhub.projects.policy import Policy
from labelhub.reviews.error_models import ObjectVerdict
from labelhub.reviews.selectors import has_read, screen_of, sitting_items
from labelhub.reviews.services import ReviewRefused
from labelhub.reviews.tickets import ticket_of

Kind = ObjectVerdict.Kind
MOST_AT_ONCE = 400
# What an author is told of where they may not see the others' answers: no class, no place, no side.
COARSE: Mapping[str, str] = {
    Kind.MISSING: "which objects there are", Kind.EXTRA: "which objects there are", Kind.SPLIT: "which objects there are",
    Kind.MERGE: "which objects there are", Kind.WRONG_CLASS: "what an object is called",
    Kind.BOUNDARY: "where an object ends", Kind.SLICE_RANGE: "where an object ends",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """What a reviewer says of one object, and the facts about it as they stand now."""

    key: str
    kind: str
    proposed: str
    label_given: str
    label_accepted: str
    medium: int
    size: float
    unit: str
    first_slice: int
    last_slice: int
    place: Sequence[float]
    offset: float | None
    length_unit: str
    method: str
    method_version: str


def keep_verdicts(
    *, item: Item, submission: Submission, reviewer: User, judged: Sequence[Judged], request_id: uuid.UUID
) -> tuple[ObjectVerdict, ...]:
    """Keep what a reviewer says of objects of one reading; a retried request meets its first. Writes ``objects.judged``.

    Raises ``NotFound``/``NotAllowed`` for those who do not review here, and ``ReviewRefused`` with code ``own-read``,
    ``kind-unknown``, ``too-many`` or ``request-reused``.
    """
    require(reviewer, Action.REVIEW, submission)
    earlier = _earlier(request_id, submission, reviewer)
    if earlier:
        return earlier
    if has_read(reviewer, item):
        raise ReviewRefused(
            "You read this item yourself, so somebody else names errors in it. Nothing was stored.", code="own-read"
        )
    _check(judged)
    try:
        with transaction.atomic():
            rows = [
                ObjectVerdict(
                    item=item, submission=submission, reviewer=reviewer, request_id=request_id, **asdict(entry)
                )
                for entry in judged
            ]
            for row in rows:
                row.save(force_insert=True)
            audit.append(
                project_id=item.project_id, kind="objects.judged", actor=f"user:{reviewer.pk}",
                subject=f"submission:{submission.pk}",
                facts={"verdicts": [row.pk for row in rows], "kinds": dict(Counter(entry.kind for entry in judged))},
            )  # fmt: skip
    except IntegrityError:
        first = _earlier(request_id, submission, reviewer)
        if not first:
            raise
        return first
    return tuple(rows)


def standing_verdicts(item: Item, user: User | None = None) -> Mapping[tuple[int, str], ObjectVerdict]:
    """Return the last word on each object, by reading and key, as ``user`` may see it; None: all."""
    rows = ObjectVerdict.objects.filter(item=item).select_related("reviewer").order_by("pk")
    screen = None if user is None else screen_of(user, item)
    return {
        (row.submission_id, row.key): row for row in rows if screen is None or screen.shows(row.reviewer_id, row.at)
    }


def verdicts_in(project: Project, policy: Policy) -> QuerySet[ObjectVerdict]:
    """Return all that was said of objects in the project, oldest first, without what a panel says while it votes."""
    rows = ObjectVerdict.objects.filter(item__project=project)
    return rows.exclude(item__in=sitting_items(project, policy), at__gte=F("item__state_changed_at")).order_by("pk")


def own_errors(labeler: Labeler, submission: Submission, *, is_exact: bool) -> tuple[str, ...]:
    """Return in words which errors a reviewer named in this labeler's own reading. A declared disclosure.

    ``is_exact``: with class, size and slices; else only how many of which of three sorts, from which no place, side or class
    of anybody else's answer follows.
    """
    if submission.assignment.labeler_id != labeler.pk:
        return ()
    last = {row.key: row for row in ObjectVerdict.objects.filter(submission=submission).order_by("pk")}
    named = [row for row in last.values() if row.kind != Kind.NONE]
    if is_exact:
        return tuple(words_of(row) for row in sorted(named, key=lambda row: (row.medium, row.first_slice, row.pk)))
    counts = Counter(COARSE[row.kind] for row in named)
    return tuple(f"{what}, {n} time{'' if n == 1 else 's'}" for what, n in sorted(counts.items()))


def errors_returned(assignment: Assignment, policy: Policy) -> tuple[str, ...]:
    """Return in words which errors a reviewer named in the reading that came back with this work. A declared disclosure."""
    ticket = ticket_of(assignment)
    if ticket is None:
        return ()
    return own_errors(assignment.labeler, ticket.submission, is_exact=policy.show_other_answers_on_rework)


def words_of(row: ObjectVerdict) -> str:
    """An error in a sentence: its kind, classes, size, and on which slices."""
    classes = row.label_given or row.label_accepted
    if row.kind == Kind.WRONG_CLASS and row.label_accepted:
        classes = f"{row.label_given} in place of {row.label_accepted}"
    return f"{row.kind.capitalize()}: {classes}, {size_words(row.size, row.unit)}{slice_words(row.first_slice, row.last_slice)}"


def size_words(size: float, unit: str) -> str:
    """A size as a person reads it."""
    return f"{size:,.0f} {unit}" if size >= 10 else f"{size:.2g} {unit}"


def slice_words(first: int, last: int) -> str:
    """On which slices, counted from one; empty for a single picture."""
    if last > first:
        return f", slices {first + 1}–{last + 1}"
    return f", slice {first + 1}" if first else ""


def _earlier(request_id: uuid.UUID, submission: Submission, reviewer: User) -> tuple[ObjectVerdict, ...]:
    rows = tuple(ObjectVerdict.objects.filter(request_id=request_id).order_by("pk"))
    if rows and (rows[0].submission_id, rows[0].reviewer_id) != (submission.pk, reviewer.pk):
        raise ReviewRefused(
            "This request was used for another judgement. Nothing was stored. Send it again.", code="request-reused"
        )
    return rows


def _check(judged: Sequence[Judged]) -> None:
    unknown = next((entry.kind for entry in judged if entry.kind not in Kind.values), None)
    if unknown is not None:
        raise ReviewRefused(
            f"{unknown[:20]!r} is no kind of error. Choose one of {', '.join(Kind.values)}. Nothing was stored.",
            code="kind-unknown", status=422,
        )  # fmt: skip
    if not 0 < len(judged) <= MOST_AT_ONCE:
        raise ReviewRefused(
            f"Name from 1 to {MOST_AT_ONCE} objects at once. Nothing was stored.", code="too-many", status=422
        )
