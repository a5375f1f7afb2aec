"""What a document says: one pure function from its base and its operations, in the server's order, to its state.
 The same function exists in JavaScript (``static/js/lib/fold.js``); ``fixtures/fold/`` holds both to one result,
masks by SHA-256. It is total: an operation that does not fit (an unknown shape, somebody else's stroke) changes
nothing, on both sides alike.
 Geometry is last-writer-wins as a whole; a write over a newer version is kept, and what it replaced is marked as a
conflict. Undo is an operation: ``stroke.undo`` hides a stroke of the same author, the inverse of any other act is an
act of the same kinds. Strokes and patches of one class are painted in order onto one layer a medium. Not here: which
operations are allowed (``operations``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

LayerKey: TypeAlias = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Act:
    """An operation as the fold sees it. ``author`` is opaque; the base's author is the empty text."""

    seq: int
    op_id: str
    author: str
    kind: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A geometry that somebody's later write replaced without having seen it; it can be restored as a copy."""

    version: int
    author: str
    regions: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ShapeState:
    """One shape as it stands. ``version`` counts its geometries from 1; ``author`` drew the current one."""

    shape_id: str
    medium: int
    label: str
    regions: tuple[Mapping[str, Any], ...]
    attributes: Mapping[str, Any]
    source: str
    author: str
    version: int = 1
    is_deleted: bool = False
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A stroke or a patch, in order. One that was undone is kept and not painted."""

    mark_id: str
    author: str
    payload: Mapping[str, Any]
    is_undone: bool = False


@dataclass(frozen=True, slots=True)
class DocumentState:
    """Everything a document says after ``head_seq`` operations."""

    head_seq: int = 0
    shapes: Mapping[str, ShapeState] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    base_layers: tuple[Mapping[str, Any], ...] = ()
    layer_attributes: Mapping[LayerKey, Mapping[str, Any]] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)

    def standing_shapes(self) -> list[ShapeState]:
        """Return the shapes that are not deleted, in the order in which they were added."""
        return [shape for shape in self.shapes.values() if not shape.is_deleted]


def fold(base: Mapping[str, Any], acts: Iterable[Act]) -> DocumentState:
    """Return what ``base`` and then ``acts`` say. Equal input gives an equal state, in Python and in JavaScript."""
    folding = Folding(base)
    for act in acts:
        folding.apply(act)
    return folding.state()


class Folding:
    """A fold under way: for those who need the state between operations, as the check of a batch does.

    A state written by :func:`state_to_document` is a base too, so that a fold goes on where another stopped.
    """

    def __init__(self, base: Mapping[str, Any]) -> None:
        self.head_seq: int = base.get("head_seq", 0)
        # Attributes are read into the state below: left here, one that was taken back would return with the next fold.
        self.base_layers = tuple(
            {name: value for name, value in entry.items() if name != "attributes"} for entry in base.get("layers", ())
        )
        self.shapes = {entry["shape_id"]: _shape_from_document(entry) for entry in base.get("shapes", ())}
        self.marks = {entry["mark_id"]: Mark(**entry) for entry in base.get("marks", ())}
        self.layer_attributes: dict[LayerKey, Mapping[str, Any]] = {
            (entry["medium"], entry["label"]): dict(entry["attributes"])
            for entry in (*base.get("layers", ()), *base.get("layer_attributes", ()))
            if entry.get("attributes")
        }
        self.answers: dict[str, Any] = dict(base.get("answers", {}))

    def apply(self, act: Act) -> None:
        """Take the next operation."""
        step = _STEPS.get(act.kind)
        if step is not None:
            step(self, act)
        self.head_seq = act.seq

    def state(self) -> DocumentState:
        """Return what was said so far; the fold must not go on while it is read."""
        return DocumentState(
            self.head_seq, self.shapes, self.marks, self.base_layers, self.layer_attributes, self.answers
        )


def state_to_document(state: DocumentState) -> dict[str, Any]:
    """Return the state as JSON-ready dictionaries: what a client starts from, and what the shared vectors hold."""
    return {
        "head_seq": state.head_seq,
        "shapes": [_shape_to_document(shape) for shape in state.shapes.values()],
        "marks": [
            {"mark_id": mark.mark_id, "author": mark.author, "payload": dict(mark.payload), "is_undone": mark.is_undone}
            for mark in state.marks.values()
        ],
        "layers": [dict(layer) for layer in state.base_layers],
        "layer_attributes": [
            {"medium": medium, "label": label, "attributes": dict(attributes)}
            for (medium, label), attributes in state.layer_attributes.items()
            if attributes
        ],
        "answers": dict(state.answers),
    }


def _shape_to_document(shape: ShapeState) -> dict[str, Any]:
    return {
        "shape_id": shape.shape_id,
        "medium": shape.medium,
        "label": shape.label,
        "regions": [dict(region) for region in shape.regions],
        "attributes": dict(shape.attributes),
        "source": shape.source,
        "author": shape.author,
        "version": shape.version,
        "is_deleted": shape.is_deleted,
        "conflicts": [
            {"version": lost.version, "author": lost.author, "regions": [dict(region) for region in lost.regions]}
            for lost in shape.conflicts
        ],
    }


def _shape_from_document(entry: Mapping[str, Any]) -> ShapeState:
    return ShapeState(
        shape_id=entry["shape_id"],
        medium=entry.get("medium", 0),
        label=entry["label"],
        regions=tuple(entry["regions"]),
        attributes=dict(entry.get("attributes", {})),
        source=entry.get("source", "drawn"),
        author=entry.get("author", ""),
        version=entry.get("version", 1),
        is_deleted=entry.get("is_deleted", False),
        conflicts=tuple(
            Conflict(lost["version"], lost["author"], tuple(lost["regions"])) for lost in entry.get("conflicts", ())
        ),
    )


def _add_shape(draft: Folding, act: Act) -> None:
    entry = act.payload
    if entry["shape_id"] not in draft.shapes:
        draft.shapes[entry["shape_id"]] = replace(_shape_from_document(entry), author=act.author)


def _set_geometry(draft: Folding, act: Act) -> None:
    shape = draft.shapes.get(act.payload["shape_id"])
    if shape is None:
        return
    conflicts = shape.conflicts
    if act.payload["base_version"] < shape.version:
        conflicts = (*conflicts, Conflict(shape.version, shape.author, shape.regions))
    # A model's outline that somebody corrected is no longer the model's alone.
    source = "model-edited" if shape.source == "model" else shape.source
    draft.shapes[shape.shape_id] = replace(
        shape, regions=tuple(act.payload["regions"]), version=shape.version + 1, author=act.author, conflicts=conflicts,
        source=source,
    )  # fmt: skip


def _set_label(draft: Folding, act: Act) -> None:
    shape = draft.shapes.get(act.payload["shape_id"])
    if shape is not None:
        draft.shapes[shape.shape_id] = replace(shape, label=act.payload["label"])


def _set_attribute(draft: Folding, act: Act) -> None:
    name, value = act.payload["attribute"], act.payload["value"]
    if "layer" in act.payload:
        key = (act.payload["layer"]["medium"], act.payload["layer"]["label"])
        draft.layer_attributes[key] = _with_value(draft.layer_attributes.get(key, {}), name, value)
        return
    shape = draft.shapes.get(act.payload["shape_id"])
    if shape is not None:
        draft.shapes[shape.shape_id] = replace(shape, attributes=_with_value(shape.attributes, name, value))


def _delete_shape(draft: Folding, act: Act) -> None:
    _set_deleted(draft, act, is_deleted=True)


def _restore_shape(draft: Folding, act: Act) -> None:
    _set_deleted(draft, act, is_deleted=False)


def _set_deleted(draft: Folding, act: Act, *, is_deleted: bool) -> None:
    shape = draft.shapes.get(act.payload["shape_id"])
    if shape is not None:
        draft.shapes[shape.shape_id] = replace(shape, is_deleted=is_deleted)


def _add_mark(draft: Folding, act: Act) -> None:
    mark_id = act.payload["stroke_id"]
    if mark_id not in draft.marks:
        draft.marks[mark_id] = Mark(mark_id, act.author, act.payload)


def _undo_mark(draft: Folding, act: Act) -> None:
    _set_undone(draft, act, is_undone=True)


def _redo_mark(draft: Folding, act: Act) -> None:
    _set_undone(draft, act, is_undone=False)


def _set_undone(draft: Folding, act: Act, *, is_undone: bool) -> None:
    mark = draft.marks.get(act.payload["stroke_id"])
    if mark is not None and mark.author == act.author:
        draft.marks[mark.mark_id] = replace(mark, is_undone=is_undone)


def _set_answer(draft: Folding, act: Act) -> None:
    draft.answers = dict(_with_value(draft.answers, act.payload["question"], act.payload["value"]))


def _with_value(values: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Return ``values`` with one changed; null takes an answer back."""
    changed = {**values, name: value}
    return changed if value is not None else {key: kept for key, kept in changed.items() if key != name}


_STEPS = {
    "shape.add": _add_shape,
    "shape.geometry": _set_geometry,
    "shape.label": _set_label,
    "shape.attribute": _set_attribute,
    "shape.delete": _delete_shape,
    "shape.restore": _restore_shape,
    "stroke.add": _add_mark,
    "patch.add": _add_mark,
    "stroke.undo": _undo_mark,
    "stroke.redo": _redo_mark,
    "answer.set": _set_answer,
}
