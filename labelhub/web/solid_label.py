"""One label of a volume as the 3-D view takes it: a number a class for each voxel of the volume's reduced copy.

A class holds a voxel of the copy where it holds any voxel of the block that this stands for, so that what is thin does not
vanish; outlines count as what they enclose. Hidden from annotators as a whole. Not here: the copy itself
(``catalog.overviews``), which label is whose to see (``web.review_item``, ``web.adjudicate``).
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence

import numpy as np
from django.http import HttpResponse
from numpy.typing import NDArray

from labelhub.catalog.models import Medium
from labelhub.catalog.overviews import steps_of
from labelhub.formats.shapes import Shape
from labelhub.numerics.geometry import PlacedMask
from labelhub.projects.ontology import Ontology
from labelhub.scoring.extents import Extents
from labelhub.web.overlays import FALLBACK_COLOUR

# More classes than a byte counts are not told apart.
MOST_CLASSES = 255
Size = tuple[int, int, int]


def solid_answer(medium: Medium, shapes: Sequence[Shape], ontology: Ontology) -> HttpResponse:
    """Return the label as one byte a voxel, packed: 0 is nothing, 1 the first of the colours in ``X-Colours``.

    Raises ``NotFound`` for what is no volume.
    """
    steps = steps_of(medium)
    here = [shape for shape in shapes if shape.medium == medium.ordinal]
    labels = _in_order({shape.label for shape in here}, ontology)[:MOST_CLASSES]
    found = label_map(here, labels, (medium.size_z, medium.size_y, medium.size_x), steps)
    response = HttpResponse(gzip.compress(found.tobytes(), 1), content_type="application/octet-stream")
    response["Content-Encoding"] = "gzip"
    response["Cache-Control"] = "private, no-cache"
    response["X-Size"] = ",".join(map(str, found.shape))
    response["X-Colours"] = ",".join(_colour(label, ontology) for label in labels)
    return response


def label_map(shapes: Sequence[Shape], labels: Sequence[str], size: Size, steps: Size) -> NDArray[np.uint8]:
    """Return the number of the class at each voxel ``[z, y, x]`` of the copy; later ``labels`` lie over earlier ones."""
    result = np.zeros([-(-n // step) for n, step in zip(size, steps, strict=True)], dtype=np.uint8)
    extents = Extents()
    for number, label in enumerate(labels, start=1):
        for shape in shapes:
            if shape.label == label:
                _mark(result, extents.voxels_of(shape, size), steps, number)
    return result


def _mark(result: NDArray[np.uint8], mask: PlacedMask, steps: Size, number: int) -> None:
    voxels = mask.voxels
    if not voxels.size:
        return
    window = []
    for axis, (start, step) in enumerate(zip(mask.origin, steps, strict=True)):
        first, last = start // step, (start + voxels.shape[axis] - 1) // step
        window.append(slice(first, last + 1))
        edges = [max(block * step - start, 0) for block in range(first, last + 1)]
        voxels = np.logical_or.reduceat(voxels, edges, axis=axis) if step > 1 else voxels
    np.copyto(result[tuple(window)], number, where=voxels)


def _in_order(labels: set[str], ontology: Ontology) -> list[str]:
    known = [entry.key for entry in ontology.classes if entry.key in labels]
    return [*known, *sorted(labels.difference(known))]


def _colour(label: str, ontology: Ontology) -> str:
    entry = ontology.label_class(label)
    return entry.colour if entry is not None else FALLBACK_COLOUR
