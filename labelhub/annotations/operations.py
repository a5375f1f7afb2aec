"""The kinds of operation, and what each may say: checked against the ontology, the media's bounds and the document as
it stands.
 Sizes are looked at before anything is parsed. What passes is written anew from the fields that the kind has, so that
nothing else enters the log. Each refusal has a code and a sentence. Not here: numbering and storing (``documents``),
and what operations mean (``fold``).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labelhub.annotations.errors import OperationRefused, told
from labelhub.annotations.fold import Folding, Mark, ShapeState
from labelhub.annotations.geometry import Size, checked_regions
from labelhub.numerics.strokes import MAX_RADIUS, MIN_RADIUS
from labelhub.projects.ontology import LabelClass, Ontology, Question

MAX_OPERATIONS = 500
MAX_STROKE_POINTS = 20_000
# Which regions a class's tool draws. A brush paints strokes and patches, no regions.
REGION_KIND = {"polygon": "polygon", "box": "box", "point": "points", "polyline": "polyline", "ellipse": "ellipse"}
# Who made a piece: a hand, a tool that follows the pixels under a hand, a trained model. What became of it the fold says.
SHAPE_SOURCES = ("drawn", "model")
PATCH_SOURCES = ("drawn", "tool", "model")
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """An operation as it arrives, before its payload is looked at."""

    op_id: str
    client_seq: int
    kind: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation is checked against: the rules, the grids ``(z, y, x)``, the state before it, the masks it may
    name.
    """

    author: str
    ontology: Ontology
    sizes: Mapping[int, Size]
    folding: Folding
    masks: Mapping[str, Size]


def read_envelope(entry: Any) -> Envelope:
    """Return the operation in ``entry``. Raises ``OperationRefused`` (``malformed``) for anything else."""
    if not isinstance(entry, Mapping):
        raise _malformed("it is no object")
    op_id, client_seq, kind, payload = (entry.get(name) for name in ("op_id", "client_seq", "kind", "payload"))
    try:
        op_id = str(uuid.UUID(op_id)) if isinstance(op_id, str) and len(op_id) <= 36 else None
    except ValueError:
        op_id = None
    if op_id is None:
        raise _malformed("op_id is no UUID")
    if type(client_seq) is not int or not 1 <= client_seq < 2**53:
        raise _malformed("client_seq is no whole number from 1")
    if not isinstance(payload, Mapping):
        raise _malformed("payload is no object")
    if not isinstance(kind, str) or kind not in _CHECKS:
        raise OperationRefused("kind-unknown", f"There is no operation of kind {told(kind, 40)!r}. It was not stored.")
    return Envelope(op_id, client_seq, kind, payload)


def checked_payload(envelope: Envelope, context: Context) -> dict[str, Any]:
    """Return the payload in its plain form. Raises ``OperationRefused`` where this document cannot take it."""
    return _CHECKS[envelope.kind](envelope.payload, context)


def _shape_add(payload: Mapping[str, Any], context: Context) -> dict[str, Any]:
    shape_id = _new_id(payload.get("shape_id"), context.folding.shapes, "shape")
    medium, label = _medium(payload, context), _label_class(payload, context)
    regions = checked_regions(payload.get("regions"), context.sizes[medium], {_region_kind(label)})
    attributes = payload.get("attributes", {})
    if not isinstance(attributes, Mapping) or len(attributes) > len(label.attributes):
        raise OperationRefused(
            "attribute-unknown", f"“{label.name}” does not have these attributes. The shape was not stored."
        )
    for name, value in attributes.items():
        _require_answer(_attribute(label, name), value)
    given = {name: value for name, value in attributes.items() if value is not None}
    return {
        "shape_id": shape_id, "medium": medium, "label": label.key, "regions": regions, "attributes": given,
        **_source(payload, SHAPE_SOURCES),
    }  # fmt: skip


def _shape_geometry(payload: Mapping[str, Any], context: Context) -> dict[str, Any]:
    shape = _shape(payload, context)
    base_version = payload.get("base_version")
    if type(base_version) is not int or not 1 <= base_version <= shape.version:
        raise OperationRefused(
            "version-unknown",
            f"This shape is at version {shape.version}; the change claims another. It was not stored. Reload the page.",
        )
    label = context.ontology.label_class(shape.label)
    allowed = {region["kind"] for region in shape.regions}
    if label is not None and label.tool in REGION_KIND:
        allowed.add(REGION_KIND[label.tool])
    regions = checked_regions(payload.get("regions"), context.sizes[shape.medium], allowed)
    return {"shape_id": shape.shape_id, "base_version": base_version, "regions": regions}


def _shape_label(payload: Mapping[str, Any], context: Context) -> dict[str, Any]:
    shape, label = _shape(payload, context), _label_class(payload, context)
    kinds = {region["kind"] for region in shape.regions}
    if kinds and kinds != {_region_kind(label)}:
        raise OperationRefused(
            "tool-mismatch", f"“{label.name}” is drawn with another tool ({label.tool}). The class was not changed."
        )
    return {"shape_id": shape.shape_id, "label": label.key}


def _shape_attribute(payload: Mapping[str, Any], context: Context) -> dict[str, Any]:
    target: dict[str, Any]
    if "layer" in payload:
        layer = payload["layer"]
        if not isinstance(layer, Mapping):
            raise _malformed("layer is no object")
        label: LabelClass | None = _label_class(layer, context)
        target = {"layer": {"medium": _medium(layer, context), "label": layer["label"]}}
    else:
        shape = _shape(payload, context)
        label = context.ontology.label_class(shape.label)
        target = {"shape_id": shape.shape_id}
    if label is None:
        raise OperationRefused(
            "class-unknown", "This shape's class is no longer part of the project. Give it a class first."
        )
    name, value = payload.get("attribute"), payload.get("value")
    _require_answer(_attribute(label, name), value)
    return {**target, "attribute": name, "value": value}


def _shape_reference(payload: Mapping[str, Any], context: Context) -> dict[str, Any]:
    return {"shape_id": _shape(payload, context).shape_id}


def _stroke_add(payload: Mapping[str, Any], context: Context) -> dict[str, Any]:
    stroke_id = _new_id(payload.get("stroke_id"), context.folding.marks, "stroke")
    medium, label = _medium(payload, context), _painted_class(payload, context)
    plane, mode, tip = payload.get("plane", "axial"), payload.get("mode"), payload.get("tip")
    if plane not in ("axial", "coronal", "sagittal") or mode not in ("add", "erase") or tip not in ("round", "square"):
        raise _malformed("plane, mode or tip is not one of those that exist")
    depth, rows, columns = context.sizes[medium]
    across, down, deep = {
        "axial": (columns, rows, depth), "coronal": (columns, depth, rows), "sagittal": (rows, depth, columns),
    }[plane]  # fmt: skip
    index, radius = payload.get("index"), payload.get("radius")
    if type(index) is not int or not 0 <= index < deep:
        raise OperationRefused(
            "slice-unknown", f"The stroke is on slice {told(index)}; there are {deep}. It was not stored."
        )
    if type(radius) is not int or not MIN_RADIUS <= radius <= MAX_RADIUS:
        raise OperationRefused(
            "radius-wrong",
            f"A brush has a radius from {MIN_RADIUS / 4:g} to {MAX_RADIUS / 4:g} pixels. The stroke was not stored.",
        )
    return {
        "stroke_id": stroke_id, "medium": medium, "plane": plane, "index": index, "label": label.key, "mode": mode,
        "tip": tip, "radius": radius, "points": _stroke_points(payload.get("points"), across, down),
    }  # fmt: skip


def _stroke_points(points: Any, across: int, down: int) -> list[int]:
    if not isinstance(points, list) or len(points) < 2 or len(points) % 2:
        raise _malformed("a stroke's points are x and y in turn, at least one of each")
    if len(points) > 2 * MAX_STROKE_POINTS:
        raise OperationRefused(
            "too-many-points",
            f"A stroke has at most {MAX_STROKE_POINTS} points; this one has {len(points) // 2}. It was not stored.",
        )
    if not all(type(value) is int for value in points):
        raise _malformed("a stroke's points are whole quarter pixels")
    if min(points) < 0 or max(points[0::2]) > 4 * across or max(points[1::2]) > 4 * down:
        raise OperationRefused(
            "outside-image", f"The stroke leaves the image ({across} × {down} pixels). It was not stored."
        )
    return points


def _patch_add(payload: Mapping[str, Any], context: Context) -> dict[str, Any]:
    stroke_id = _new_id(payload.get("stroke_id"), context.folding.marks, "patch")
    medium, label = _medium(payload, context), _painted_class(payload, context)
    mask, mode, origin = payload.get("mask"), payload.get("mode"), payload.get("origin")
    if not isinstance(mask, str) or not _SHA256.fullmatch(mask) or mask not in context.masks:
        raise OperationRefused(
            "mask-unknown", "The mask of this patch was not sent before it. It was not stored. Send the mask first."
        )
    if mode not in ("add", "erase") or not isinstance(origin, list) or [type(at) for at in origin] != [int] * 3:
        raise _malformed("mode or origin is not one of those that exist")
    size = context.masks[mask]
    if any(at < 0 or at + extent > most for at, extent, most in zip(origin, size, context.sizes[medium], strict=True)):
        raise OperationRefused("outside-image", "The patch leaves the image. It was not stored.")
    return {
        "stroke_id": stroke_id, "medium": medium, "label": label.key, "mode": mode, "mask": mask, "origin": origin,
        "size": list(size), **_source(payload, PATCH_SOURCES),
    }  # fmt: skip


def _stroke_reference(payload: Mapping[str, Any], context: Context) -> dict[str, Any]:
    mark: Mark | None = context.folding.marks.get(_text(payload.get("stroke_id")))
    if mark is None:
        raise OperationRefused("stroke-unknown", "There is no such stroke on this image. Nothing was changed.")
    if mark.author != context.author:
        raise OperationRefused(
            "not-your-stroke", "Somebody else painted this stroke; only they can undo it. Nothing was changed."
        )
    return {"stroke_id": mark.mark_id}


def _answer_set(payload: Mapping[str, Any], context: Context) -> dict[str, Any]:
    key, value = _text(payload.get("question")), payload.get("value")
    question = context.ontology.question(key)
    if question is None:
        raise OperationRefused(
            "question-unknown", f"The question {key[:40]!r} is not asked here. The answer was not stored."
        )
    _require_answer(question, value)
    return {"question": key, "value": value}


_CHECKS: dict[str, Callable[[Mapping[str, Any], Context], dict[str, Any]]] = {
    "shape.add": _shape_add,
    "shape.geometry": _shape_geometry,
    "shape.label": _shape_label,
    "shape.attribute": _shape_attribute,
    "shape.delete": _shape_reference,
    "shape.restore": _shape_reference,
    "stroke.add": _stroke_add,
    "patch.add": _patch_add,
    "stroke.undo": _stroke_reference,
    "stroke.redo": _stroke_reference,
    "answer.set": _answer_set,
}


def _source(payload: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, str]:
    """The payload's source, where it is another than a hand."""
    source = payload.get("source", "drawn")
    if source not in known:
        raise _malformed(f"source is none of {', '.join(known)}")
    return {} if source == "drawn" else {"source": source}


def _new_id(value: Any, taken: Mapping[str, Any], what: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise _malformed(f"the {what}'s id is not 1 to 64 letters, digits or _ . : -")
    if value in taken:
        raise OperationRefused(f"{what}-exists", f"There is a {what} with this id already. Nothing was changed.")
    return value


def _shape(payload: Mapping[str, Any], context: Context) -> ShapeState:
    shape = context.folding.shapes.get(_text(payload.get("shape_id")))
    if shape is None:
        raise OperationRefused("shape-unknown", "There is no such shape on this image. Nothing was changed.")
    return shape


def _medium(payload: Mapping[str, Any], context: Context) -> int:
    medium = payload.get("medium", 0)
    if type(medium) is not int or medium not in context.sizes:
        raise OperationRefused("medium-unknown", f"This item has no picture {told(medium)}. Nothing was stored.")
    return medium


def _label_class(payload: Mapping[str, Any], context: Context) -> LabelClass:
    key = _text(payload.get("label"))
    label = context.ontology.label_class(key)
    if label is None:
        raise OperationRefused("class-unknown", f"There is no class {key[:40]!r} in this project. Nothing was stored.")
    return label


def _painted_class(payload: Mapping[str, Any], context: Context) -> LabelClass:
    label = _label_class(payload, context)
    if label.tool != "brush":
        raise OperationRefused(
            "tool-mismatch", f"“{label.name}” is drawn with the tool “{label.tool}”, not painted. Nothing was stored."
        )
    return label


def _region_kind(label: LabelClass) -> str:
    if label.tool not in REGION_KIND:
        raise OperationRefused("tool-mismatch", f"“{label.name}” is painted with the brush. Nothing was stored.")
    return REGION_KIND[label.tool]


def _attribute(label: LabelClass, name: Any) -> Question:
    found = next((attribute for attribute in label.attributes if attribute.key == name), None)
    if found is None:
        raise OperationRefused(
            "attribute-unknown", f"“{label.name}” has no attribute {told(name, 40)!r}. Nothing was stored."
        )
    return found


def _require_answer(question: Question, value: Any) -> None:
    refusal = None if value is None else question.refusal_of(value)
    if isinstance(value, str) and not _is_storable(value):
        refusal = f"“{question.text}” takes a text without null characters and halves of characters."
    if refusal is not None:
        raise OperationRefused("answer-wrong", f"{refusal} The answer was not stored.")


def _is_storable(text: str) -> bool:
    """Whether every database and every client can read it: one that cannot would never open the document again."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _malformed(why: str) -> OperationRefused:
    return OperationRefused("malformed", f"This operation cannot be read: {why}. It was not stored.")
