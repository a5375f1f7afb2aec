"""Showing a labeler what a model drew, where the policy says so: as a draft, with a planted error, or not at all.

Which of these is a secret draw for labeler and item, made when the labeler asks: so those who asked and got a draft and
those who asked and got none are alike but for it, and what a draft saves is told without bias. A planted error shows who
looks; a reading that lets it stand has no vote, and the item gets another reader. Who lets too many stand works without
drafts. From the moment somebody is shown anything their reading is an assisted one. Not here: the errors
(``predictions.planting``), whether one was caught (``scoring.helped``).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from labelhub.accounts.models import User
from labelhub.annotations import documents
from labelhub.annotations.models import Submission
from labelhub.assignments import services as assignments
from labelhub.assignments.models import Assignment
from labelhub.assignments.selectors import planned_reads
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of, media_of
from labelhub.formats.shapes import Grid
from labelhub.predictions.drafts import Drawable, Given, draft_of, drawable, keep_draft, mask_names
from labelhub.predictions.models import SEEN_ARMS, Draft, Prediction
from labelhub.predictions.planting import plant
from labelhub.predictions.selectors import newest_prediction
from labelhub.projects.ontology import Ontology, read_ontology
from labelhub.projects.permissions import Action, require
from labelhub.projects.policy import Policy, read_policy
from labelhub.projects.selectors import current_policy
from labelhub.routing.services import send_past_reading
from labelhub.scoring import exams
from labelhub.scoring.helped import judge_helped, leaning_of
from labelhub.scoring.planted import HELPED
from labelhub.workflow import deciding, steps
from labelhub.workflow.draws import draw
from labelhub.workflow.errors import StepRefused
from labelhub.workflow.readers_left import new_readers
from labelhub.workflow.states import State, move

# Kinds of reading in which a draft may be shown at all; one that measures agreement with oneself, or teaches, has none.
KINDS = ("independent", "assisted", "unblinded", "co-edited")
# Why a draft is withheld: for the comparison, from who lets errors stand, in the entry exam, in work without drafts.
COMPARED, LEANS, EXAM, KIND = "compared", "leans", "exam", "kind"


class DraftsOff(StepRefused):
    """The project shows labelers no drafts."""

    code = "drafts-off"
    status = 404

    def __init__(self) -> None:
        super().__init__("This project shows no drafts of a model. Draw by hand; what you drew is kept.")


def ask_draft(*, assignment: Assignment, by: User) -> Draft:
    """Return what the labeler is shown of a model's draft; the first answer holds for good. Writes ``draft.asked``.

    An independent read becomes an assisted one where anything is shown. Raises ``NotFound`` or ``NotAllowed`` for anybody
    but its labeler, :class:`DraftsOff`, and ``AnnotationRefused`` where the work is no longer open.
    """
    require(by, Action.LABEL, assignment)
    with steps.step():
        item = steps.locked(assignment.item_id)
        document = documents.document_of(assignment=assignment)
        policy = read_policy(document.policy.content) if document.policy else Policy()
        if policy.drafts == "no":
            raise DraftsOff
        earlier = draft_of(assignment)
        if earlier is not None:
            return earlier
        if (refusal := documents.refusal_now(document)) is not None:
            raise refusal
        prediction = newest_prediction(item)
        given = _given(item, assignment, policy, prediction, read_ontology(document.ontology.content))
        draft = keep_draft(assignment=assignment, prediction=prediction, given=given)
        if draft.arm in SEEN_ARMS:
            assignments.mark_assisted(assignment=assignment)
            documents.bring_masks(document=document, names=mask_names(draft))
        steps.event(
            item, "draft.asked", f"labeler:{assignment.labeler_id}", assignment=str(assignment.pk), arm=draft.arm,
            why=draft.why,
        )  # fmt: skip
    return draft


def hear_helped(item: Item, submission: Submission) -> None:
    """Keep how near the reading stayed to the draft it began from; one that let a planted error stand is replaced.

    By one more reader, or by a reviewer where nobody is left who never had the item. Writes ``item.routed`` then.
    """
    if submission.read_kind not in HELPED:
        return
    _, policy = current_policy(item.project)
    answer = judge_helped(submission, policy)
    if answer is None or answer.is_caught is not False or item.state not in (State.READING, State.REWORK):
        return
    # What came back and was handed in with the error still there is a reviewer's; else somebody new reads it.
    is_read_again = item.state == State.READING and bool(new_readers(item))
    wanted = max(item.wanted_reads, planned_reads(item, policy)) + 1 if is_read_again else None
    send_past_reading(item, submission.assignment.labeler, share=answer.undone_share or 0.0, wanted=wanted)
    if wanted is None:
        move(item=item, to=State.REVIEW)
    else:
        deciding.want_reads(item, wanted)


def _given(
    item: Item, assignment: Assignment, policy: Policy, prediction: Prediction | None, ontology: Ontology
) -> Given:
    labeler = assignment.labeler
    if assignment.read_kind not in KINDS:
        return Given("withheld", KIND)
    if policy.exam_items and exams.exam_standing(labeler, policy).standing != "passed":
        return Given("withheld", EXAM)
    if leaning_of(labeler, policy).is_anchored:
        return Given("withheld", LEANS)
    if prediction is None:
        return Given("none")
    if draw(item.project, "draft-withheld", labeler.pk, item.pk) < policy.draft_withheld_share:
        return Given("withheld", COMPARED)
    shown = drawable(prediction, ontology)
    # Together, nobody could say whose error it was.
    if (
        assignment.read_kind != "co-edited"
        and draw(item.project, "draft-planted", labeler.pk, item.pk) < policy.draft_seed_share
    ):
        rng = np.random.default_rng(int(draw(item.project, "draft-error", labeler.pk, item.pk) * 2**53))
        planted = plant(shown.shapes, ontology, _grids(item), rng)
        if planted is not None:
            return Given("planted", shown=Drawable(planted.shapes, shown.confidences), planted=planted)
    return Given("shown", shown=shown)


def _grids(item: Item) -> Mapping[int, Grid]:
    return {medium.ordinal: grid_of(medium) for medium in media_of(item)}
