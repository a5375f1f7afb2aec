"""Questions about an item: a labeler asks, a reviewer answers, and what concerns everybody goes into the instructions.

Steps of ``lifecycle``. No other annotator ever sees a question or an answer about an item; what is marked general reaches
them as instructions only, without the item. Not here: reading them (``reviews.questions``).
"""

from __future__ import annotations

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.accounts.notifications import notify
from labelhub.assignments import selectors as assigned
from labelhub.assignments import services as assignments
from labelhub.assignments.models import Assignment
from labelhub.catalog.examples import examples_of
from labelhub.catalog.published_examples import keep_published, seal_of
from labelhub.projects import services as projects
from labelhub.projects.models import GuidelineVersion, Project
from labelhub.projects.permissions import Action, require
from labelhub.reviews import questions
from labelhub.reviews.models import Question, QuestionReply
from labelhub.workflow import steps
from labelhub.workflow.errors import NothingToDecide, StepRefused
from labelhub.workflow.states import Work, require_step
from labelhub.workflow.waiting import require_room

# An answered question brings the work back to its asker; so long it waits for them before others may have it.
ANSWERED_LEASE_S = 24 * 3600
MOST_CHARACTERS = 2000


def ask(*, assignment: Assignment, by: User, text: str, is_waiting: bool) -> Question:
    """Ask reviewers about the item, and wait for the answer or go on. The same words twice are one question.

    Writes ``question.asked``. Raises ``NotFound`` or ``NotAllowed`` for anybody but its labeler, ``WorkElsewhere`` where the
    work is not open, ``TooMuchParked``, and ``StepRefused`` (``text-missing``, ``text-too-long``).
    """
    require(by, Action.LABEL, assignment)
    words = _words(text, "Write your question.")
    with transaction.atomic():
        item = steps.locked(assignment.item_id)
        work = assigned.of_item(item).get(pk=assignment.pk)
        earlier = questions.same_question(work, words)
        if earlier is not None:
            return earlier
        require_step("ask and wait", work)
        if is_waiting:
            require_room(work)
            assignments.pause(assignment=work, state=Work.ASKED)
        question = questions.keep_question(assignment=work, text=words)
        steps.event(
            item, "question.asked", f"labeler:{work.labeler_id}", question=question.pk, waits=is_waiting,
            assignment=str(work.pk),
        )  # fmt: skip
    return question


def answer(*, question: Question, by: User, text: str, is_general: bool) -> QuestionReply:
    """Answer a labeler's question; the work that waited for it is theirs to go on with. Writes ``question.answered``.

    Raises ``NotFound`` or ``NotAllowed`` for those who do not review here, and ``StepRefused`` (``own-question``,
    ``text-missing``, ``text-too-long``). Where somebody answered first, ``NothingToDecide`` is raised, their answer stands
    and this one is kept beside it.
    """
    require(by, Action.REVIEW, question)
    words = _words(text, "Write your answer.")
    with transaction.atomic():
        item = steps.locked(question.item_id)
        work = assigned.of_item(item).get(pk=question.assignment_id)
        if work.labeler.user_id == by.pk:
            raise StepRefused("You asked this yourself, so somebody else answers it.", code="own-question")
        first = questions.reply_to(question)
        if first is None:
            reply = questions.keep_reply(question=question, by=by, text=words, is_general=is_general)
            if work.state == Work.ASKED:
                require_step("answer", work)
                assignments.resume(assignment=work, lease_s=ANSWERED_LEASE_S)
            steps.event(
                item, "question.answered", f"user:{by.pk}", question=question.pk, reply=reply.pk, reach=reply.reach
            )
            if work.labeler.user is not None:
                notify(
                    users=[work.labeler.user], kind="answered", text=f"A reviewer answered your question about {item.code}.",
                    about=f"work:{work.pk}", project_id=item.project_id, key=f"answered:{reply.pk}",
                )  # fmt: skip
            return reply
        if (first.by_id, first.text) == (by.pk, words):
            return first
        projects.keep_stale_edit(
            project=item.project, what="answer", subject=f"item:{item.pk}", seen="unanswered", newest=f"reply:{first.pk}",
            content={"question": question.pk, "text": words, "general": is_general}, by=by,
        )  # fmt: skip
    raise NothingToDecide(
        f"{first.by} answered this question first. Their answer reached its asker; yours was not sent and is kept beside it."
    )


def publish_guideline(*, project: Project, text: str, by: User, seen: int | None = None) -> GuidelineVersion:
    """Publish the next instructions, with the general answers that wait to be taken in under their own heading, and the
    examples of the draft.

    Writes ``guideline.published``. Raises ``NotAllowed`` for all but admins, and ``StaleVersion``.
    """
    require(by, Action.MANAGE, project)
    refusal: projects.StaleVersion | None = None
    with transaction.atomic():
        waiting, examples = questions.general_answers(project), list(examples_of(project))
        try:
            version = projects.publish_guideline(
                project=project, text=questions.with_answers(text, waiting), by=by, seen=seen, n_examples=len(examples),
                examples_seal=seal_of(examples),
            )  # fmt: skip
        except projects.StaleVersion as stale:
            # What was kept of the refused edit is committed first.
            refusal = stale
        else:
            questions.mark_taken(waiting, version)
            keep_published(version, examples)
    if refusal is not None:
        raise refusal
    return version


def _words(text: str, missing: str) -> str:
    words = text.strip()
    if not words:
        raise StepRefused(f"{missing} Nothing was changed.", code="text-missing", status=422)
    if len(words) > MOST_CHARACTERS:
        raise StepRefused(
            f"This has {len(words)} characters; at most {MOST_CHARACTERS} are taken. Nothing was changed. Shorten it.",
            code="text-too-long", status=422,
        )  # fmt: skip
    return words
