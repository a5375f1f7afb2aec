"""Keeping and reading labelers' questions, reviewers' answers, and claims that an item cannot be read.

For annotators there is :func:`own_questions` alone: what they asked themselves. Not here: what follows (``workflow``).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from labelhub.accounts.models import User
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.projects.models import GuidelineVersion, Project
from labelhub.projects.permissions import NotFound, visible_to
from labelhub.reviews.models import ClaimVerdict, Question, QuestionReply, TakenIntoGuideline, UnreadableClaim
from labelhub.reviews.selectors import took_part

Reach = QuestionReply.Reach
HEADING = "*Questions and answers*"


@dataclass(frozen=True, slots=True)
class OwnQuestion:
    """What somebody asked about an item, and what a reviewer answered; empty where nobody did yet. Never who."""

    text: str
    at: datetime
    answer: str
    answered_at: datetime | None


def own_questions(assignment: Assignment) -> tuple[OwnQuestion, ...]:
    """Return what the labeler of ``assignment`` asked about its item, oldest first. A declared disclosure."""
    rows = Question.objects.filter(item=assignment.item_id, assignment__labeler=assignment.labeler_id)
    return tuple(_own(row) for row in rows.select_related("reply").order_by("pk"))


def answered(assignment_ids: Sequence[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Return those of the assignments whose labeler asked something that was answered."""
    rows = Question.objects.filter(assignment__in=assignment_ids, reply__isnull=False)
    return frozenset(rows.values_list("assignment_id", flat=True))


def open_questions(user: User, project: Project) -> QuerySet[Question]:
    """Return the questions that wait for an answer of ``user``, the oldest first; their own are left out."""
    # Few of any project's wait: these first, then whose they are.
    waiting = Question.objects.filter(reply=None).values("pk")
    rows = Question.objects.filter(pk__in=waiting, item__project=project).exclude(assignment__labeler__user=user)
    return visible_to(user, rows).select_related("item__project", "assignment__labeler").order_by("pk")


def open_claims(user: User, project: Project) -> QuerySet[UnreadableClaim]:
    """Return the claims that nobody confirmed or refuted, the oldest first; on items that ``user`` reads they are left out."""
    mine = Assignment.objects.filter(took_part(), item=OuterRef("item"), labeler__user_id=user.pk)
    waiting = UnreadableClaim.objects.filter(verdict=None).values("pk")
    rows = UnreadableClaim.objects.filter(pk__in=waiting, item__project=project).exclude(Exists(mine))
    rows = rows.exclude(item__state=Item.State.EXCLUDED)
    return visible_to(user, rows).select_related("item__project", "assignment__labeler").order_by("pk")


def question_for(user: User, project: Project, pk: int) -> Question:
    """Return a question of the project. Raises ``NotFound``."""
    row = (
        visible_to(user, Question.objects.filter(item__project=project, pk=pk)).select_related("item__project").first()
    )
    if row is None:
        raise NotFound("There is no such question.")
    return row


def claim_for(user: User, project: Project, pk: int) -> UnreadableClaim:
    """Return a claim of the project. Raises ``NotFound``."""
    rows = visible_to(user, UnreadableClaim.objects.filter(item__project=project, pk=pk))
    row = rows.select_related("item__project").first()
    if row is None:
        raise NotFound("There is no such claim.")
    return row


def questions_about(item: Item) -> QuerySet[Question]:
    """Return all questions about the item with their answers. For reviewers and admins."""
    return Question.objects.filter(item=item).select_related("reply__by", "assignment__labeler").order_by("pk")


def claims_about(item: Item) -> QuerySet[UnreadableClaim]:
    """Return all claims about the item with what became of them. For reviewers and admins."""
    rows = UnreadableClaim.objects.filter(item=item)
    return rows.select_related("verdict__by", "assignment__labeler").order_by("pk")


def same_question(assignment: Assignment, text: str) -> Question | None:
    """Return the question that was asked in these words already and is not answered yet."""
    return Question.objects.filter(assignment=assignment, text=text, reply=None).first()


def keep_question(*, assignment: Assignment, text: str) -> Question:
    """Keep a question."""
    return Question.objects.create(assignment=assignment, item_id=assignment.item_id, text=text)


def reply_to(question: Question) -> QuestionReply | None:
    """Return the answer to a question, if it has one."""
    return QuestionReply.objects.filter(question=question).select_related("by").first()


def keep_reply(*, question: Question, by: User, text: str, is_general: bool) -> QuestionReply:
    """Keep an answer."""
    reach = Reach.GENERAL if is_general else Reach.ASKER
    return QuestionReply.objects.create(question=question, by=by, text=text, reach=reach)


def general_answers(project: Project) -> Sequence[QuestionReply]:
    """Return the general answers that no guideline version holds yet, oldest first."""
    rows = QuestionReply.objects.filter(question__item__project=project, reach=Reach.GENERAL, taken=None)
    return tuple(rows.select_related("question").order_by("pk"))


def with_answers(text: str, answers: Sequence[QuestionReply]) -> str:
    """Return instructions with these questions and answers under their heading; never the item or who asked."""
    if not answers:
        return text
    parts = [text.rstrip()] if text.strip() else []
    if HEADING not in text:
        parts.append(HEADING)
    parts += [f"*{_one_line(entry.question.text)}*\n{entry.text.strip()}" for entry in answers]
    return "\n\n".join(parts)


def mark_taken(answers: Sequence[QuestionReply], version: GuidelineVersion) -> None:
    """Write down that the answers stand in this version."""
    TakenIntoGuideline.objects.bulk_create(TakenIntoGuideline(reply=entry, guideline=version) for entry in answers)


def keep_claim(*, assignment: Assignment, reason: str) -> UnreadableClaim:
    """Keep a claim that the item cannot be read."""
    return UnreadableClaim.objects.create(assignment=assignment, item_id=assignment.item_id, reason=reason)


def undecided_claims(item: Item) -> QuerySet[UnreadableClaim]:
    """Return the item's claims that nobody confirmed or refuted, oldest first."""
    rows = UnreadableClaim.objects.filter(item=item, verdict=None)
    return rows.select_related("assignment__labeler").order_by("pk")


def keep_verdict(
    claim: UnreadableClaim,
    *,
    is_confirmed: bool,
    by: User | None = None,
    second: Assignment | None = None,
    comment: str = "",
) -> ClaimVerdict:
    """Keep what became of a claim: by a reviewer, or by the read of a second labeler."""
    outcome = ClaimVerdict.Outcome.CONFIRMED if is_confirmed else ClaimVerdict.Outcome.REFUTED
    return ClaimVerdict.objects.create(claim=claim, outcome=outcome, by=by, second=second, comment=comment[:300])


def _own(row: Question) -> OwnQuestion:
    reply = getattr(row, "reply", None)
    return OwnQuestion(row.text, row.at, "" if reply is None else reply.text, None if reply is None else reply.at)


def _one_line(text: str) -> str:
    return " ".join(text.split())
