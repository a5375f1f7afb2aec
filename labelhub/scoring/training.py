"""Feedback on training gold for its labeler: of one image, and over all that they trained on, in the order of the training.

A declared disclosure, to the labeler alone. Everything else about gold stays hidden.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from labelhub.assignments.models import Assignment
from labelhub.numerics.means import clustered_mean
from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import Estimate
from labelhub.projects.models import Labeler
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


@dataclass(frozen=True, slots=True)
class Trained:
    """One training image: how alike the first answer and the reference are, and whether that was near enough."""

    number: int
    assignment_id: uuid.UUID
    item_code: str
    group: str
    at: datetime
    similarity: float | None
    is_right: bool | None


@dataclass(frozen=True, slots=True)
class TrainingStretch:
    """Training images in a row, ``first`` to ``last`` in the labeler's own order, and what they come to."""

    first: int
    last: int
    right: Estimate
    similarity: Estimate


@dataclass(frozen=True, slots=True)
class OwnTraining:
    """A labeler's training: every image, all together, and in stretches of :data:`STRETCH`, oldest first."""

    images: tuple[Trained, ...]
    whole: TrainingStretch | None
    stretches: tuple[TrainingStretch, ...]


# So many training images make a stretch of the trend.
STRETCH = 10


def own_training(labeler: Labeler) -> OwnTraining:
    """Return how the labeler's first answers on training gold compare with it; one query.

    Only training work on training gold: nothing here follows from hidden or exam gold, other people, or consensus. What was
    taken out of use since is left out.
    """
    rows = Score.objects.filter(
        about=Score.About.GOLD, replaced_at=None, label="", metric__in=[SIMILARITY, RIGHT], first__version=1,
        gold__kind=GoldReference.Kind.TRAINING, first__assignment__labeler=labeler,
        first__assignment__read_kind="training", first__assignment__state=Assignment.State.SUBMITTED,
    ).order_by("first__submitted_at", "first_id")  # fmt: skip
    found: dict[uuid.UUID, dict[str, float | None]] = {}
    about: dict[uuid.UUID, tuple[str, str, datetime]] = {}
    for key, code, group, at, metric, value in rows.values_list(
        "first__assignment_id", "item__code", "item__group_key", "first__submitted_at", "metric", "value"
    ):
        found.setdefault(key, {})[metric] = value
        about[key] = (code, group or code, at)
    images = tuple(
        Trained(number, key, *about[key], values.get(SIMILARITY), _right(values.get(RIGHT)))
        for number, (key, values) in enumerate(found.items(), start=1)
    )
    stretches = tuple(_stretch(images[start : start + STRETCH]) for start in range(0, len(images), STRETCH))
    return OwnTraining(images, _stretch(images) if images else None, stretches)


def _right(value: float | None) -> bool | None:
    return None if value is None else value == 1.0


def _stretch(images: Sequence[Trained]) -> TrainingStretch:
    judged = [image.is_right for image in images if image.is_right is not None]
    alike = [(image.similarity, image.group) for image in images if image.similarity is not None]
    right = proportion(sum(judged), len(judged), unit="training images", method="near enough to the reference")
    similarity = clustered_mean(
        [value for value, _ in alike], [group for _, group in alike], unit="training images", group_unit="patients",
        method="similarity with the reference, mean",
    )  # fmt: skip
    # A mean of similarities lies where they lie, and so does its interval.
    similarity = replace(similarity, low=max(similarity.low, 0.0), high=min(similarity.high, 1.0))
    return TrainingStretch(images[0].number, images[-1].number, right, similarity)


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
