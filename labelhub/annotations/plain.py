"""Stored annotations as plain shapes (``formats.shapes``), and back: the one form that scores, exports and reports
read.
 Regions are stored as JSON documents that name only what differs from the default. Masks are read from their blobs.
Bulk reading takes a fixed number of queries, however many submissions. Not here: files of any exchange format, and
who may see what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from django.db.models import F

from labelhub.annotations.models import Annotation, Submission
from labelhub.catalog.blobs import read_blob
from labelhub.formats.mask_blob import decode_mask
from labelhub.formats.shapes import MaskRegion, Reading, ReadKind, Region, Shape, Value
from labelhub.projects.models import Labeler


def reading_of(submission: Submission) -> Reading:
    """Return one submission as a plain reading."""
    return readings_of([submission])[0]


def readings_of(submissions: Iterable[Submission]) -> list[Reading]:
    """Return submissions as plain readings, in their order, in a fixed number of queries (masks below 64 KiB
    included).
    """
    wanted = [submission.pk for submission in submissions]
    rows = (
        Submission.objects.filter(pk__in=wanted)
        .select_related("assignment__item", "assignment__labeler")
        .annotate(ontology_number=F("ontology__number"), guideline_number=F("guideline__number"))
        .prefetch_related("annotations__medium", "annotations__mask", "answers")
    )
    by_key = {row.pk: _reading(row) for row in rows}
    return [by_key[key] for key in wanted]


def rater_key(labeler: Labeler) -> str:
    """Return the name under which a labeler's readings stand in a set: unique in the project, and no person's name."""
    return labeler.source_key or f"labeler-{labeler.pk}"


def regions_to_document(regions: Sequence[Region]) -> list[dict[str, Any]]:
    """Return regions as JSON-ready dictionaries, without the fields that hold their default."""
    return [_region_to_document(region) for region in regions]


def regions_from_document(document: Iterable[Mapping[str, Any]]) -> tuple[Region, ...]:
    """Return the regions that :func:`regions_to_document` wrote."""
    return tuple(
        Region(
            kind=entry["kind"],
            points=np.asarray(entry["points"], dtype=np.float64).reshape(-1, 2),
            z=int(entry.get("z", 0)),
            is_hole=bool(entry.get("is_hole", False)),
            visibility=tuple(entry.get("visibility", ())),
            rotation_deg=float(entry.get("rotation_deg", 0.0)),
            edge_excluded=bool(entry.get("edge_excluded", False)),
        )
        for entry in document
    )


def values_to_document(values: Mapping[str, Value]) -> dict[str, Any]:
    """Return answers as JSON-ready values; several choices become a list."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def values_from_document(document: Mapping[str, Any]) -> dict[str, Value]:
    """Return answers as plain values; a list becomes a tuple."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def _region_to_document(region: Region) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": region.kind, "points": region.points.tolist()}
    optional = {
        "z": region.z,
        "is_hole": region.is_hole,
        "visibility": list(region.visibility),
        "rotation_deg": region.rotation_deg,
        "edge_excluded": region.edge_excluded,
    }
    return document | {name: value for name, value in optional.items() if value}


def _reading(submission: Submission) -> Reading:
    assignment = submission.assignment
    annotations = sorted(submission.annotations.all(), key=lambda annotation: annotation.pk)
    answers = sorted(submission.answers.all(), key=lambda answer: answer.pk)
    return Reading(
        item=assignment.item.code,
        rater=rater_key(assignment.labeler),
        shapes=tuple(_shape(annotation) for annotation in annotations),
        answers=values_from_document({answer.question: answer.value for answer in answers}),
        is_empty_read=submission.no_finding,
        read_kind=cast("ReadKind", submission.read_kind),
        planned_blind=submission.planned_blind,
        version=submission.version,
        asked_labels=tuple(submission.asked_labels),
        asked_questions=tuple(submission.asked_questions),
        locator=f"submission:{submission.pk}",
        submitted_at=submission.submitted_at,
        ontology=submission.ontology_number,  # type: ignore[attr-defined]
        guideline=submission.guideline_number,  # type: ignore[attr-defined]
    )


def _shape(annotation: Annotation) -> Shape:
    mask = None
    if annotation.mask is not None:
        voxels = decode_mask(read_blob(annotation.mask)).astype(np.bool_)
        z, y, x = annotation.mask_origin or (0, 0, 0)
        mask = MaskRegion(voxels, (z, y, x))
    return Shape(
        shape_id=annotation.shape_id,
        label=annotation.label,
        regions=regions_from_document(annotation.regions),
        mask=mask,
        attributes=values_from_document(annotation.attributes),
        medium=annotation.medium.ordinal,
        source=annotation.source,
    )
