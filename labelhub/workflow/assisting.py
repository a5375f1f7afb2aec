"""A proposal for the image that somebody has: from its pixels and what they point at, and from nothing else.

A tool that follows pixels under a hand is a drawing tool like the brush: the reading stays what it was, an independent one too.
A trained model's proposal makes an independent reading an assisted one before anything of it is shown, kept or not.
Nothing is stored of a proposal; what is kept arrives as an operation like any other. Not here: drafts (``drafting``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings

from labelhub.accounts.models import User
from labelhub.annotations import documents
from labelhub.annotations.models import Document
from labelhub.assignments import services as assignments
from labelhub.assignments.models import Assignment
from labelhub.catalog.selectors import medium_of, pixels_of
from labelhub.predictions.assist import Answer, NoAssistant, Question, ask, socket_path
from labelhub.predictions.interactive import CLASSICAL
from labelhub.predictions.marks import HintsRefused, Place
from labelhub.predictions.selectors import click_networks
from labelhub.predictions.services import factory_parameters
from labelhub.projects.models import Project
from labelhub.projects.ontology import read_ontology
from labelhub.projects.permissions import Action, require
from labelhub.projects.policy import read_policy
from labelhub.workflow import steps

# A region of this many voxels is answered within seconds: a slice of 2048 x 2048, or 160 x 160 x 160.
MAX_VOXELS = 1 << 22


def propose(
    *, assignment: Assignment, by: User, ordinal: int, label: str, question: Question, by_model: bool = False
) -> Answer:
    """Return what the hints mean on a medium of the assignment's item. ``question`` names all but the medium and who asks.

    Who answers is the picture's own ways or, with ``by_model``, the newest network that takes clicks for the class, where the
    policy shows labelers what models draw.
    Raises ``NotFound`` or ``NotAllowed`` for anybody but those who draw, ``AnnotationRefused`` where nothing can be drawn now,
    ``NoPixels``, ``HintsRefused`` for another class than a painted one and a region that is no part of the medium, and what
    ``predictions.assist.ask`` raises. Writes ``proposal.shown`` where an independent reading becomes an assisted one by it.
    """
    require(by, Action.LABEL, assignment)
    document = documents.document_of(assignment=assignment)
    if (refusal := documents.refusal_now(document)) is not None:
        raise refusal
    entry = read_ontology(document.ontology.content).label_class(label)
    if entry is None or entry.tool != "brush":
        raise HintsRefused("Only a class that is painted takes a proposal. Nothing was proposed. Choose another class.")
    medium = medium_of(assignment.item, ordinal)
    pixels_of(medium)
    _require_part(question.origin, question.size, (medium.size_z, medium.size_y, medium.size_x))
    method, parameters = _answerer(assignment.item.project, document, label) if by_model else (CLASSICAL, {})
    who = f"{document.pk}:{by.pk}"
    answer = _asked(replace(question, medium=medium.pk, who=who, method=method, parameters=parameters))
    if answer.is_trained:
        note_shown(assignment=assignment, method=answer.method)
    return answer


def offered_labels(document: Document) -> list[str]:
    """Return the classes for which a network answers clicks here; none where the policy shows nothing of models."""
    shows = document.policy is not None and read_policy(document.policy.content).drafts != "no"
    return sorted(click_networks(document.assignment.item.project)) if shows else []


def note_shown(*, assignment: Assignment, method: str) -> None:
    """Write down that a trained model's proposal is about to be shown: an independent reading is an assisted one from now on.

    Writes ``proposal.shown`` the first time.
    """
    with steps.step():
        item = steps.locked(assignment.item_id)
        before = assignment.read_kind
        assignments.mark_assisted(assignment=assignment)
        if assignment.read_kind != before:
            steps.event(
                item, "proposal.shown", f"labeler:{assignment.labeler_id}", assignment=str(assignment.pk), method=method
            )


def _answerer(project: Project, document: Document, label: str) -> tuple[str, dict[str, Any]]:
    model = click_networks(project).get(label) if label in offered_labels(document) else None
    if model is None:
        raise NoAssistant(
            "No model answers clicks for this class here. Nothing was proposed. Let the picture alone answer."
        )
    return model.predictor, factory_parameters(model)


def _asked(question: Question) -> Answer:
    answer: Answer = async_to_sync(ask)(question, path=socket_path(settings.ENVIRONMENT.var))
    return answer


def _require_part(origin: Place, size: Place, whole: Place) -> None:
    if any(at < 0 or side < 1 or at + side > most for at, side, most in zip(origin, size, whole, strict=True)):
        raise HintsRefused("The region leaves the image. Nothing was proposed. Reload the page.")
    if size[0] * size[1] * size[2] > MAX_VOXELS:
        raise HintsRefused(
            f"The region has more than {MAX_VOXELS:,} voxels. Nothing was proposed. Zoom in, so that it looks at less."
        )
