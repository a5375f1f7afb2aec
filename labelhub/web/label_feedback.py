"""What a labeler is told of training work: how like the gold it was, of one image, and over all of them on *my work*.

The only part of the annotators' pages that depends on gold. A declared disclosure: training gold exists to teach, its reads
vote on nothing, and no other kind of gold is ever shown.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labelhub.assignments.selectors import own_assignment
from labelhub.projects.models import Labeler
from labelhub.scoring.training import STRETCH, OwnTraining, feedback_on, own_training
from labelhub.web.access import page

# The picture of the trend: its size, and the band in which similarities from 0 to 1 lie.
WIDTH, HEIGHT, LEFT, TOP, FOOT = 640, 120, 30, 10, 100


@page("annotator")
def feedback(request: HttpRequest, assignment: uuid.UUID) -> HttpResponse:
    """Show how one's submitted training work compares with its gold."""
    own = own_assignment(request.user, assignment)
    request.project = own.labeler.project  # type: ignore[attr-defined]
    return render(request, "label/feedback.html", {"assignment": own, "rows": feedback_on(own)})


def training_of(labeler: Labeler) -> Mapping[str, Any]:
    """What the page of one's own work shows of one's own training; ``training`` is None where there was none."""
    found = own_training(labeler)
    if not found.images:
        return {"training": None}
    return {"training": found, "training_dots": _dots(found), "training_size": (WIDTH, HEIGHT), "stretch": STRETCH}


def _dots(found: OwnTraining) -> list[dict[str, Any]]:
    """One dot an image, in the order of the training: the higher, the more alike."""
    step = (WIDTH - LEFT - 10) / max(len(found.images), 12)
    return [
        {
            "x": round(LEFT + step * (image.number - 0.5), 1), "y": round(FOOT - (FOOT - TOP) * image.similarity, 1),
            "image": image,
        }
        for image in found.images
        if image.similarity is not None
    ]  # fmt: skip
