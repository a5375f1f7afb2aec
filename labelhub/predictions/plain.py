"""Predictions as plain readings, and back: shapes as JSON documents, masks as blobs. Not here: comparing them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from labelhub.catalog.blobs import read_blob, store_blob
from labelhub.catalog.models import Blob
from labelhub.formats.mask_blob import decode_mask, encode_mask
from labelhub.formats.shapes import MaskRegion, Reading, Region, Shape
from labelhub.predictions.models import Prediction
from labelhub.predictions.predictor import Doubt, PixelMap, Seen

# Under this key of ``Prediction.answers`` the classes stand that the model knows.
SCOPE = "asked_labels"


def shape_documents(seen: Seen, medium: int) -> list[dict[str, Any]]:
    """Return a medium's shapes as stored: regions in place, masks by the name of their blob."""
    return [
        document_of(
            replace(shape, shape_id=f"{medium}-{shape.shape_id}", medium=medium),
            seen.confidences.get(shape.shape_id),
            seen.doubts.get(shape.shape_id),
        )
        for shape in seen.shapes
    ]


def map_documents(seen: Seen, medium: int) -> list[dict[str, Any]]:
    """Return what a model said of each pixel of a medium as stored: a blob a map."""
    return [
        {
            "medium": medium, "kind": entry.kind, "label": entry.label, "most": entry.most,
            "blob": store_blob(content=encode_mask(entry.values), kind="map").pk,
        }
        for entry in seen.maps
    ]  # fmt: skip


def pixel_maps(prediction: Prediction, *, medium: int) -> tuple[PixelMap, ...]:
    """Return what the model said of each pixel of a medium: probabilities and doubts; nothing where none was kept."""
    wanted = [entry for entry in prediction.maps if entry["medium"] == medium]
    blobs = Blob.objects.in_bulk([entry["blob"] for entry in wanted])
    return tuple(
        PixelMap(entry["kind"], decode_mask(read_blob(blobs[entry["blob"]])), entry["label"], float(entry["most"]))
        for entry in wanted
    )


def reading_of(prediction: Prediction) -> Reading:
    """Return what the model said as a reading, so that it is compared like one. It is never counted as one."""
    shapes = shapes_of(prediction.shapes)
    answers = {key: value for key, value in prediction.answers.items() if key != SCOPE}
    return Reading(
        item=prediction.item.code,
        rater=f"model {prediction.model.name} {prediction.model.number}",
        shapes=shapes,
        answers=answers,
        is_empty_read=not shapes and not answers,
        asked_labels=tuple(prediction.answers.get(SCOPE, ())),
        asked_questions=tuple(answers),
        locator=f"prediction:{prediction.pk}",
    )


def mean_confidence(documents: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the mean confidence of the shapes that have one."""
    given = [entry["confidence"] for entry in documents if entry.get("confidence") is not None]
    return float(np.mean(given)) if given else None


def document_of(shape: Shape, confidence: float | None = None, doubt: Doubt | None = None) -> dict[str, Any]:
    """Return a shape as stored, its mask put away as a blob."""
    document: dict[str, Any] = {"id": shape.shape_id, "label": shape.label, "medium": shape.medium}
    if doubt is not None:
        document |= {"epistemic": round(doubt.epistemic, 4), "aleatoric": round(doubt.aleatoric, 4)}
    if confidence is not None:
        document["confidence"] = round(confidence, 4)
    if shape.mask is not None:
        document["mask"] = store_blob(content=encode_mask(shape.mask.voxels), kind="mask").pk
        document["origin"], document["size"] = list(shape.mask.origin), list(shape.mask.voxels.shape)
    if shape.regions:
        document["regions"] = [_region(region) for region in shape.regions]
    return document


def shapes_of(documents: Sequence[Mapping[str, Any]]) -> tuple[Shape, ...]:
    """Return the shapes that :func:`document_of` wrote."""
    blobs = Blob.objects.in_bulk([entry["mask"] for entry in documents if entry.get("mask")])
    return tuple(_shape(entry, blobs) for entry in documents)


def _region(region: Region) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": region.kind, "points": region.points.tolist(), "z": region.z}
    return document | ({"rotation_deg": region.rotation_deg} if region.rotation_deg else {})


def _shape(entry: Mapping[str, Any], blobs: Mapping[str, Blob]) -> Shape:
    mask = None
    if entry.get("mask"):
        z, y, x = entry["origin"]
        mask = MaskRegion(decode_mask(read_blob(blobs[entry["mask"]])).astype(np.bool_), (z, y, x))
    regions = tuple(
        Region(
            kind=region["kind"],
            points=np.asarray(region["points"], dtype=np.float64).reshape(-1, 2),
            z=int(region["z"]),
            rotation_deg=float(region.get("rotation_deg", 0.0)),
        )
        for region in entry.get("regions", ())
    )
    return Shape(str(entry["id"]), entry["label"], regions, mask, medium=int(entry["medium"]), source="model")
