"""A reviewer's answers to the matters of an item: kept as they are given, the last to a matter counts.

Not here: which matters there are and what label follows (``consensus``), and when an item is settled (``workflow``).
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.projects.permissions import Action, require
from labelhub.reviews.models import MatterAnswer
from labelhub.reviews.reviewer_tests import open_test
from labelhub.reviews.selectors import has_read
from labelhub.reviews.services import ReviewRefused

Choice = MatterAnswer.Choice
MOST_STROKES, MOST_POINTS, MOST_COMMENT = 200, 4000, 400
MODES = ("add", "erase")


@dataclass(frozen=True, slots=True)
class Given:
    """What a reviewer sends: which matter, what holds, and what was drawn."""

    key: str
    choice: str
    submission: Submission | None = None
    strokes: Sequence[Mapping[str, Any]] = ()
    comment: str = ""


def keep_answer(*, item: Item, reviewer: User, given: Given, request_id: uuid.UUID) -> MatterAnswer:
    """Keep an answer; a retried request meets its first one. Writes ``matter.answered``.

    Raises ``NotFound``/``NotAllowed`` for those who do not review here, and ``ReviewRefused`` with code ``own-read``,
    ``choice-unknown``, ``reading-missing``, ``nothing-drawn``, ``strokes-refused`` or ``request-reused``.
    """
    require(reviewer, Action.REVIEW, item)
    earlier = _earlier(request_id, item, reviewer, given)
    if earlier is not None:
        return earlier
    if has_read(reviewer, item):
        raise ReviewRefused(
            "You read this item yourself, so somebody else decides about it. Nothing was stored. Take the next one.",
            code="own-read",
        )
    strokes = _checked(given)
    try:
        with transaction.atomic():
            answer = MatterAnswer.objects.create(
                item=item, key=given.key, choice=given.choice, submission=given.submission, strokes=strokes,
                comment=given.comment.strip()[:MOST_COMMENT], reviewer=reviewer, request_id=request_id,
            )  # fmt: skip
            audit.append(
                project_id=item.project_id, kind="matter.answered", actor=f"user:{reviewer.pk}", subject=f"item:{item.pk}",
                facts={"answer": answer.pk, "matter": given.key, "choice": given.choice},
            )  # fmt: skip
    except IntegrityError:
        first = _earlier(request_id, item, reviewer, given)
        if first is None:
            raise
        return first
    return answer


def answers_of(item: Item, reviewer: User) -> tuple[MatterAnswer, ...]:
    """Return the reviewer's standing answers, one a matter, in the order in which they were last given.

    Who is tested on the item begins anew: what they answered before is not before them.
    """
    last: dict[str, MatterAnswer] = {}
    test = open_test(reviewer, item)
    rows = MatterAnswer.objects.filter(item=item, reviewer_id=reviewer.pk).select_related("submission").order_by("pk")
    rows = rows if test is None else rows.filter(at__gte=test.due_from)
    for row in rows:
        last.pop(row.key, None)
        if row.choice != Choice.OPEN:
            last[row.key] = row
    return tuple(last.values())


def others_at_work(item: Item, reviewer: User) -> tuple[str, ...]:
    """Return the names of other reviewers who answered matters of the item since it came into review."""
    rows = MatterAnswer.objects.filter(item=item, at__gte=item.state_changed_at).exclude(reviewer_id=reviewer.pk)
    return tuple(str(user) for user in User.objects.filter(pk__in=rows.values("reviewer")).order_by("pk"))


def _earlier(request_id: uuid.UUID, item: Item, reviewer: User, given: Given) -> MatterAnswer | None:
    earlier = MatterAnswer.objects.filter(request_id=request_id).first()
    if earlier is not None and (earlier.item_id, earlier.reviewer_id, earlier.key) != (item.pk, reviewer.pk, given.key):
        raise ReviewRefused(
            "This request was used for another answer. Nothing was stored. Send it again.", code="request-reused"
        )
    return earlier


def _checked(given: Given) -> list[dict[str, Any]]:
    if given.choice not in Choice.values:
        raise ReviewRefused(
            f"{given.choice[:20]!r} is no choice. Choose a reader, the consensus, a drawing, or ambiguous.",
            code="choice-unknown", status=422,
        )  # fmt: skip
    if given.choice == Choice.READER and given.submission is None:
        raise ReviewRefused("Say which reading holds. Nothing was stored.", code="reading-missing", status=422)
    if given.choice != Choice.DRAWN:
        return []
    if not given.strokes:
        raise ReviewRefused(
            "Draw something in the region, or choose a reader. Nothing was stored.", code="nothing-drawn", status=422
        )
    if len(given.strokes) > MOST_STROKES or sum(map(_n_points, given.strokes)) > MOST_POINTS:
        raise _refused(f"Up to {MOST_STROKES} outlines with {MOST_POINTS} points together fit into one correction.")
    return [_stroke(stroke) for stroke in given.strokes]


def _n_points(stroke: Mapping[str, Any]) -> int:
    points = stroke.get("points")
    return len(points) if isinstance(points, list) else 0


def _stroke(stroke: Mapping[str, Any]) -> dict[str, Any]:
    mode, label, z, points = (stroke.get(name) for name in ("mode", "label", "z", "points"))
    if mode not in MODES or not isinstance(label, str) or (mode == "add" and not label):
        raise _refused("Each outline adds to a class, or erases.")
    if not isinstance(z, int) or isinstance(z, bool) or not 0 <= z < 2**31:
        raise _refused("Each outline lies on a slice.")
    if not isinstance(points, list) or len(points) < 3:
        raise _refused("An outline has at least three points.")
    for point in points:
        is_pair = isinstance(point, list) and len(point) == 2
        if not is_pair or not all(_is_place(value) for value in point):
            raise _refused("A point is a pair of numbers on the picture.")
    return {"mode": mode, "label": label[:80], "z": z, "points": [[float(x), float(y)] for x, y in points]}


def _is_place(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e7


def _refused(why: str) -> ReviewRefused:
    return ReviewRefused(
        f"{why} Nothing was stored; what you drew is still on the page.", code="strokes-refused", status=422
    )
