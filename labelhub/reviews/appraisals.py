"""How good a reviewer who settles an item region by region finds each reading: a score, a comment, or both.

Not here: accepting or returning a reading (``services``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.reviews.error_models import Appraisal
from labelhub.reviews.selectors import screen_of
from labelhub.reviews.services import MAX_COMMENT, ReviewRefused


@dataclass(frozen=True, slots=True)
class Given:
    """What a reviewer says of one reading."""

    score: int | None = None
    comment: str = ""


def keep_appraisals(
    *, item: Item, by: User, given: Mapping[int, Given], readings: Sequence[Submission]
) -> tuple[Appraisal, ...]:
    """Keep what is said of readings, by their id; who says nothing of one keeps none. Writes ``reading.appraised`` for each.

    Runs in the caller's transaction. Raises ``ReviewRefused`` with code ``score-out-of-range``, ``comment-too-long`` or
    ``other-reading``.
    """
    known = {entry.pk: entry for entry in readings}
    said = {key: entry for key, entry in given.items() if entry.score is not None or entry.comment.strip()}
    for key, entry in said.items():
        _check(entry, is_known=key in known)
    rows = []
    for key, entry in said.items():
        row = Appraisal.objects.create(
            item=item, submission=known[key], reviewer=by, score=entry.score, comment=entry.comment.strip()
        )
        audit.append(
            project_id=item.project_id, kind="reading.appraised", actor=f"user:{by.pk}", subject=f"submission:{key}",
            facts={"appraisal": row.pk, "score": entry.score},
        )  # fmt: skip
        rows.append(row)
    return tuple(rows)


def appraisals_of(item: Item, user: User | None = None) -> Mapping[int, Appraisal]:
    """Return the newest appraisal of each of the item's readings that ``user`` may see, by reading; None: all."""
    rows = Appraisal.objects.filter(item=item).select_related("reviewer").order_by("pk")
    screen = None if user is None else screen_of(user, item)
    return {row.submission_id: row for row in rows if screen is None or screen.shows(row.reviewer_id, row.at)}


def appraised_by(user: User) -> QuerySet[Appraisal]:
    """Return what ``user`` said of readings, newest first."""
    return Appraisal.objects.filter(reviewer=user).order_by("-pk")


def _check(entry: Given, *, is_known: bool) -> None:
    if not is_known:
        raise ReviewRefused(
            "This reading no longer speaks for the item. Nothing was stored. Load the page again.", code="other-reading"
        )
    if entry.score is not None and not 0 <= entry.score <= 10:
        raise ReviewRefused(
            f"The score {entry.score} is outside 0 to 10. Nothing was stored.", code="score-out-of-range", status=422
        )
    if len(entry.comment) > MAX_COMMENT:
        raise ReviewRefused(
            f"The comment is longer than {MAX_COMMENT} characters.", code="comment-too-long", status=422
        )
