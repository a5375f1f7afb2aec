"""A reviewer's judgement of one submission, kept once and for good. What follows from it is ``workflow``'s.

A retried request meets its first answer. Nobody judges an item that they read themselves.
"""

from __future__ import annotations

import uuid

from django.db import IntegrityError, transaction

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.audit import services as audit
from labelhub.projects.errors import DomainError
from labelhub.projects.permissions import Action, require
from labelhub.reviews.models import Decision
from labelhub.reviews.selectors import has_read
from labelhub.reviews.tickets import is_party

Verdict = Decision.Verdict
MAX_COMMENT = 10_000
DISPUTED = (
    "You returned a reading of this item and its author disputes that, so another reviewer decides. Nothing was stored. Take "
    "the next one."
)


class ReviewRefused(DomainError):
    """The judgement cannot be taken; nothing was stored."""

    code = "review-refused"


def decide(
    *, submission: Submission, reviewer: User, verdict: str, score: int | None, comment: str, request_id: uuid.UUID
) -> tuple[Decision, bool]:
    """Keep a judgement; return it and whether it is new (false: a retry, nothing was done). Writes ``submission.reviewed``.

    Raises ``NotFound``/``NotAllowed`` for those who do not review here, and :class:`ReviewRefused` with code
    ``own-read``, ``own-return``, ``comment-missing``, ``score-out-of-range`` or ``verdict-unknown``.
    """
    require(reviewer, Action.REVIEW, submission)
    earlier = _earlier(request_id, submission, reviewer)
    if earlier is not None:
        return earlier, False
    item = submission.assignment.item
    check_judgement(verdict, score, comment)
    if has_read(reviewer, item):
        raise ReviewRefused(
            "You read this item yourself, so somebody else reviews it. Nothing was stored. Take the next one.",
            code="own-read",
        )
    if is_party(reviewer, item):
        raise ReviewRefused(DISPUTED, code="own-return")
    try:
        with transaction.atomic():
            decision = Decision.objects.create(
                item=item, submission=submission, reviewer=reviewer, verdict=verdict, score=score,
                comment=comment.strip(), request_id=request_id,
            )  # fmt: skip
            audit.append(
                project_id=item.project_id, kind="submission.reviewed", actor=f"user:{reviewer.pk}",
                subject=f"submission:{submission.pk}",
                facts={"decision": decision.pk, "verdict": verdict, "score": score},
            )  # fmt: skip
    except IntegrityError:
        first = _earlier(request_id, submission, reviewer)
        if first is None:
            raise
        return first, False
    return decision, True


def _earlier(request_id: uuid.UUID, submission: Submission, reviewer: User) -> Decision | None:
    earlier = Decision.objects.filter(request_id=request_id).first()
    if earlier is not None and (earlier.submission_id, earlier.reviewer_id) != (submission.pk, reviewer.pk):
        raise ReviewRefused(
            "This request was used for another judgement. Nothing was stored. Send it again.", code="request-reused"
        )
    return earlier


def check_judgement(verdict: str, score: int | None, comment: str) -> None:
    """Raise :class:`ReviewRefused` where this is no judgement: unknown, a score off the scale, or a return without why."""
    if verdict not in Verdict.values:
        raise ReviewRefused(f"{verdict!r} is no judgement. Accept or reject.", code="verdict-unknown", status=422)
    if score is not None and not 0 <= score <= 10:
        raise ReviewRefused(
            f"The score {score} is outside 0 to 10. Nothing was stored.", code="score-out-of-range", status=422
        )
    if verdict == Verdict.REJECT and not comment.strip():
        raise ReviewRefused(
            "Say what is wrong: the author gets your words. Nothing was stored.", code="comment-missing", status=422
        )
    if len(comment) > MAX_COMMENT:
        raise ReviewRefused(
            f"The comment is longer than {MAX_COMMENT} characters.", code="comment-too-long", status=422
        )
