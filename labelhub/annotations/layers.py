"""The painted layers of a document: strokes, patches and the masks it began with, in order, one layer a medium and class.

The same painting exists in JavaScript (``static/js/lib/layers.js``), held equal by the SHA-256 of each layer. Not here: which
strokes count (``fold``), which pixels a stroke covers (``numerics.strokes``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from labelhub.annotations.fold import DocumentState, LayerKey
from labelhub.numerics.strokes import paint_stroke, stroke_bounds

Box: TypeAlias = tuple[tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What is painted of one class on one medium: ``voxels[z, y, x]``, whose first voxel is ``origin`` of the
    medium's grid.
    """

    origin: tuple[int, int, int]
    voxels: NDArray[np.bool_]


def paint_layers(
    state: DocumentState,
    sizes: Mapping[int, tuple[int, int, int]],
    masks: Mapping[str, NDArray[Any]],
) -> dict[LayerKey, Layer]:
    """Return the painted layers that are not empty, cropped to what is painted.

    ``sizes`` holds the grid ``(z, y, x)`` of each medium, ``masks`` the decoded blobs that base layers and patches
    name.
    """
    pieces: dict[LayerKey, list[Mapping[str, Any]]] = {}
    for entry in state.base_layers:
        pieces.setdefault((entry["medium"], entry["label"]), []).append(entry)
    for mark in state.marks.values():
        if not mark.is_undone:
            pieces.setdefault((mark.payload["medium"], mark.payload["label"]), []).append(mark.payload)
    layers: dict[LayerKey, Layer] = {}
    for key, parts in pieces.items():
        layer = _paint(parts, sizes[key[0]], masks)
        if layer is not None:
            layers[key] = layer
    return layers


def layer_source(state: DocumentState, medium: int, label: str) -> str:
    """Return who made a painted layer: ``drawn``, ``tool``, ``model``, ``model-edited`` or ``imported``.

    It is a model's alone as long as all that stands of it is; whatever else was done to it makes it one that was edited.
    """
    here = [entry for entry in state.base_layers if (entry["medium"], entry["label"]) == (medium, label)]
    marks = [mark.payload for mark in state.marks.values() if not mark.is_undone]
    here += [part for part in marks if (part["medium"], part["label"]) == (medium, label)]
    sources = {part.get("source", "drawn") for part in here}
    if sources & {"model", "model-edited"}:
        return "model" if sources == {"model"} else "model-edited"
    return sources.pop() if len(sources) == 1 else "drawn"


def layer_digest(layer: Layer) -> str:
    """Return the SHA-256 of a layer's slices that hold anything: place, size and one byte a pixel, each slice cropped
    tight.
    """
    digest = hashlib.sha256()
    for index in np.flatnonzero(layer.voxels.any(axis=(1, 2))):
        plane = layer.voxels[index]
        ys, xs = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
        piece = plane[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
        z, y, x = (int(origin + first) for origin, first in zip(layer.origin, (index, ys[0], xs[0]), strict=True))
        digest.update(f"{z}:{y}:{x}:{piece.shape[0]}:{piece.shape[1]}:".encode())
        digest.update(piece.astype(np.uint8).tobytes())
    return digest.hexdigest()


def _paint(
    parts: list[Mapping[str, Any]], size: tuple[int, int, int], masks: Mapping[str, NDArray[Any]]
) -> Layer | None:
    boxes = [_box(part, size) for part in parts]
    grown = [
        box for part, box in zip(parts, boxes, strict=True) if box is not None and part.get("mode", "add") == "add"
    ]
    if not grown:
        return None
    start = tuple(min(box[0][axis] for box in grown) for axis in range(3))
    end = tuple(max(box[1][axis] for box in grown) for axis in range(3))
    z, y, x = start
    layer = Layer((z, y, x), np.zeros([high - low for low, high in zip(start, end, strict=True)], dtype=np.bool_))
    for part, box in zip(parts, boxes, strict=True):
        if box is not None:
            _apply(layer, part, masks)
    return _cropped(layer)


def _box(part: Mapping[str, Any], size: tuple[int, int, int]) -> Box | None:
    """Return the voxels (start, end excluded) that a stroke or mask can touch."""
    if "mask" in part:
        z, y, x = part["origin"]
        depth, height, width = part["size"]
        return (z, y, x), (z + depth, y + height, x + width)
    depth, rows, columns = size
    plane, index = part.get("plane", "axial"), part["index"]
    across, down = {"axial": (columns, rows), "coronal": (columns, depth), "sagittal": (rows, depth)}[plane]
    bounds = stroke_bounds(part["points"], part["radius"], width=across, height=down)
    if bounds is None:
        return None
    x0, y0, x1, y1 = bounds
    if plane == "axial":
        return (index, y0, x0), (index + 1, y1, x1)
    if plane == "coronal":
        return (y0, index, x0), (y1, index + 1, x1)
    return (y0, x0, index), (y1, x1, index + 1)


def _apply(layer: Layer, part: Mapping[str, Any], masks: Mapping[str, NDArray[Any]]) -> None:
    value = part.get("mode", "add") == "add"
    oz, oy, ox = layer.origin
    if "mask" in part:
        starts = [at - origin for at, origin in zip(part["origin"], layer.origin, strict=True)]
        _apply_mask(layer.voxels, masks[part["mask"]].astype(np.bool_), starts, value=value)
        return
    index = part["index"]
    plane, place, first = {
        "axial": (0, index - oz, (oy, ox)),
        "coronal": (1, index - oy, (oz, ox)),
        "sagittal": (2, index - ox, (oz, oy)),
    }[part.get("plane", "axial")]
    if 0 <= place < layer.voxels.shape[plane]:
        view = np.moveaxis(layer.voxels, plane, 0)[place]
        paint_stroke(view, part["points"], part["radius"], part["tip"], value=value, origin=first)


def _apply_mask(voxels: NDArray[np.bool_], mask: NDArray[np.bool_], starts: list[int], *, value: bool) -> None:
    inside = [slice(max(0, s), max(0, min(n, s + m))) for s, n, m in zip(starts, voxels.shape, mask.shape, strict=True)]
    source = tuple(slice(cut.start - s, cut.stop - s) for cut, s in zip(inside, starts, strict=True))
    if all(cut.start < cut.stop for cut in inside):
        voxels[tuple(inside)][mask[source]] = value


def _cropped(layer: Layer) -> Layer | None:
    """Return the layer cropped to what is painted; None where everything was erased again."""
    spans = [np.flatnonzero(layer.voxels.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not spans[0].size:
        return None
    z, y, x = (origin + int(span[0]) for origin, span in zip(layer.origin, spans, strict=True))
    return Layer((z, y, x), layer.voxels[tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)].copy())
