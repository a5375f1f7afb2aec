"""A model's prediction as a draft: shapes in the form in which their class is drawn, kept as what a labeler was shown.

Not here: who is shown what (``workflow.drafting``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from labelhub.assignments.models import Assignment
from labelhub.formats.shapes import MaskRegion, Reading, Region, Shape
from labelhub.numerics.borders import borders_of
from labelhub.predictions.models import Draft, Prediction
from labelhub.predictions.plain import document_of, reading_of, shapes_of
from labelhub.predictions.planting import Planted
from labelhub.projects.ontology import LabelClass, Ontology

REGION_OF_TOOL: Mapping[str, str] = {
    "polygon": "polygon",
    "box": "box",
    "point": "points",
    "polyline": "polyline",
    "ellipse": "ellipse",
}


@dataclass(frozen=True, slots=True)
class Drawable:
    """A model's shapes as a person could have drawn them, and how sure the model is of each, by shape id."""

    shapes: tuple[Shape, ...] = ()
    confidences: Mapping[str, float] = field(default_factory=dict)


def drawable(prediction: Prediction, ontology: Ontology) -> Drawable:
    """Return the prediction's shapes of classes that exist, each in the form of its class's tool.

    Pieces of a painted class on one medium are one mask, as sure as its pieces are on average. A mask of a class that is
    drawn as polygons becomes one outline a part and slice; what has no form with its tool is left out.
    """
    sure = {entry["id"]: float(entry["confidence"]) for entry in prediction.shapes if "confidence" in entry}
    painted: dict[tuple[int, str], list[Shape]] = {}
    found: list[tuple[Shape, list[float]]] = []
    for shape in reading_of(prediction).shapes:
        entry = ontology.label_class(shape.label)
        own = [sure[shape.shape_id]] if shape.shape_id in sure else []
        if entry is not None and entry.tool == "brush" and shape.mask is not None:
            painted.setdefault((shape.medium, shape.label), []).append(shape)
        elif entry is not None:
            found += [(outlined, own) for outlined in _outlined(shape, entry)]
    merged = [(_united(own), [sure[one.shape_id] for one in own if one.shape_id in sure]) for own in painted.values()]
    named = [(f"draft-{at}", shape, own) for at, (shape, own) in enumerate([*merged, *found], start=1)]
    return Drawable(
        tuple(replace(shape, shape_id=name, source="model") for name, shape, _ in named),
        {name: sum(own) / len(own) for name, _, own in named if own},
    )


@dataclass(frozen=True, slots=True)
class Given:
    """What an assignment gets: an arm, and what is shown in it."""

    arm: str
    why: str = ""
    shown: Drawable = Drawable()
    planted: Planted | None = None


def keep_draft(*, assignment: Assignment, prediction: Prediction | None, given: Given) -> Draft:
    """Write down what the labeler is shown. The caller holds the item and writes the event."""
    planted = given.planted
    return Draft.objects.create(
        assignment=assignment, prediction=prediction, arm=given.arm, why=given.why,
        shapes=[document_of(shape, given.shown.confidences.get(shape.shape_id)) for shape in given.shown.shapes],
        planted={} if planted is None else {
            "kind": planted.kind, "right": document_of(planted.right),
            "wrong": None if planted.wrong is None else document_of(planted.wrong),
        },
    )  # fmt: skip


def draft_of(assignment: Assignment) -> Draft | None:
    """Return what the assignment's labeler was shown, or that they were shown nothing; None where they never asked."""
    return Draft.objects.filter(assignment=assignment).first()


def draft_behind(assignment: Assignment) -> Draft | None:
    """Return the draft from which the work began: its own, or that of the work which it mends, takes back or continues."""
    seen: set[object] = set()
    work: Assignment | None = assignment
    while work is not None and work.pk not in seen:
        seen.add(work.pk)
        if (draft := draft_of(work)) is not None:
            return draft
        work = work.follows or work.continues
    return None


def mask_names(draft: Draft) -> list[str]:
    """Return the names of the mask blobs that the draft shows."""
    return [entry["mask"] for entry in draft.shapes if "mask" in entry]


def shown_reading(draft: Draft) -> Reading:
    """Return what the labeler was shown as a reading, so that theirs is compared with it. It is never counted as one."""
    shapes = shapes_of(draft.shapes)
    return Reading(item="", rater="draft", shapes=shapes, is_empty_read=not shapes, asked_questions=())


def planted_shapes(draft: Draft) -> tuple[str, Shape, Shape | None]:
    """Return the kind of the planted error, the shape as the model drew it, and what stood in its place."""
    wrong = draft.planted["wrong"]
    right, *others = shapes_of([draft.planted["right"], *([] if wrong is None else [wrong])])
    return draft.planted["kind"], right, others[0] if others else None


def _united(shapes: Sequence[Shape]) -> Shape:
    masks = [shape.mask for shape in shapes if shape.mask is not None]
    low = np.min([mask.origin for mask in masks], axis=0)
    high = np.max([np.add(mask.origin, mask.voxels.shape) for mask in masks], axis=0)
    voxels = np.zeros(high - low, dtype=np.bool_)
    for mask in masks:
        place = tuple(slice(a - b, a - b + n) for a, b, n in zip(mask.origin, low, mask.voxels.shape, strict=True))
        voxels[place] |= mask.voxels
    origin = (int(low[0]), int(low[1]), int(low[2]))
    return replace(shapes[0], regions=(), mask=MaskRegion(voxels, origin))


def _outlined(shape: Shape, entry: LabelClass) -> list[Shape]:
    wanted = REGION_OF_TOOL.get(entry.tool)
    if shape.mask is None:
        return [shape] if shape.regions and {region.kind for region in shape.regions} == {wanted} else []
    if wanted != "polygon":
        return []
    found = []
    for depth, plane in enumerate(shape.mask.voxels):
        for points, is_hole in borders_of(plane):
            if not is_hole:
                moved = points + np.array([shape.mask.origin[2], shape.mask.origin[1]], dtype=np.float64)
                found.append(
                    replace(shape, mask=None, regions=(Region("polygon", moved, z=shape.mask.origin[0] + depth),))
                )
    return found
