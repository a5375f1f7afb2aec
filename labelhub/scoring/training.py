"""Feedback on training gold for its labeler. Everything else about gold stays hidden."""

from __future__ import annotations

from dataclasses import dataclass

from labelhub.assignments.models import Assignment
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import current_ontology
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.rows import RIGHT, SIMILARITY

# What a labeler is told -> what it says.
TOLD = {
    SIMILARITY: "How alike your answer and the reference are as a whole (1 is the same)",
    "dice": "Overlap with the reference (Dice, 1 is the same)",
    "equal": "Same answer as the reference (1 yes, 0 no)",
    RIGHT: "Near enough to the reference (1 yes, 0 no)",
}


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """One number of the comparison with the reference: about which class or question, what it says, and how it was made."""

    about: str
    says: str
    score: Score


def feedback_on(assignment: Assignment) -> tuple[FeedbackRow, ...]:
    """Return the comparison of submitted training work with its gold; empty where the gold was taken out of use since.

    Raises ``NotFound`` for every other kind of work, whether its item is gold or not, and before it is submitted.
    """
    if assignment.read_kind != "training" or assignment.state != Assignment.State.SUBMITTED:
        raise NotFound("There is no feedback on this image.")
    _, ontology = current_ontology(assignment.item.project)
    names = {entry.key: entry.name for entry in ontology.classes} | {
        entry.key: entry.text for entry in ontology.questions
    }
    rows = Score.objects.filter(
        about=Score.About.GOLD, replaced_at=None, first__assignment=assignment, metric__in=list(TOLD),
        gold__kind=GoldReference.Kind.TRAINING,
    ).order_by("pk")  # fmt: skip
    return tuple(FeedbackRow(names.get(row.label, "The whole image"), TOLD[row.metric], row) for row in rows)
