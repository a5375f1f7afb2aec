"""From a mask to shapes as the project's tool draws them: one region for a brush, else one object a connected component.

What is a component and how sure a model is of it is the predictor's business. Not here: finding the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.formats.shapes import MaskRegion, Region, Shape
from labelhub.projects.ontology import LabelClass

MAX_OBJECTS = 2000
# How sure a model is of the pixels ``own`` within a box of the image.
Sureness = Callable[[tuple[slice, ...], NDArray[np.bool_]], float]
Found = tuple[Shape, float, tuple[slice, ...], NDArray[np.bool_]]


def shapes_in(
    mask: NDArray[np.bool_], entry: LabelClass, sureness: Sureness, *, min_size: int = 1, max_size: int = 0
) -> Iterator[Found]:
    """Yield each object of ``mask[z, y, x]``: the shape without a name, how sure, its box and its pixels there.

    Objects smaller than ``min_size`` pixels or larger than ``max_size`` (0: no bound) are left out; of more than
    ``MAX_OBJECTS`` the largest are kept.
    """
    components, count = ndimage.label(mask, structure=np.ones((3, 3, 3), dtype=bool))
    if count == 0:
        return
    sizes = np.bincount(components.ravel())[1:]
    fits = (sizes >= min_size) & ((max_size <= 0) | (sizes <= max_size))
    kept = np.argsort(-sizes, kind="stable")[:MAX_OBJECTS]
    kept = np.sort(kept[fits[kept]]) + 1
    if not len(kept):
        return
    if entry.tool == "brush":
        whole = np.isin(components, kept)
        box = ndimage.find_objects(whole.astype(np.int8))[0]
        own = np.ascontiguousarray(whole[box])
        yield _masked(entry, own, box), sureness(box, own), box, own
        return
    boxes = ndimage.find_objects(components)
    for number in kept:
        box = boxes[number - 1]
        own = components[box] == number
        yield _drawn(entry, own, box), sureness(box, own), box, own


def _drawn(entry: LabelClass, own: NDArray[Any], box: tuple[slice, ...]) -> Shape:
    z, y, x = box
    if entry.tool == "box":
        widest = int(own.sum(axis=(1, 2)).argmax())
        rows, columns = np.flatnonzero(own[widest].any(axis=1)), np.flatnonzero(own[widest].any(axis=0))
        corners = [
            [x.start + int(columns[0]), y.start + int(rows[0])],
            [x.start + int(columns[-1]) + 1, y.start + int(rows[-1]) + 1],
        ]
        return Shape("", entry.key, (Region("box", np.array(corners, dtype=np.float64), z=z.start + widest),))
    if entry.tool == "point":
        middle = np.array(ndimage.center_of_mass(own))
        point = np.array([[x.start + middle[2] + 0.5, y.start + middle[1] + 0.5]])
        return Shape("", entry.key, (Region("points", point, z=int(z.start + round(middle[0]))),))
    return _masked(entry, own, box)


def _masked(entry: LabelClass, own: NDArray[np.bool_], box: tuple[slice, ...]) -> Shape:
    return Shape("", entry.key, (), MaskRegion(own, (int(box[0].start), int(box[1].start), int(box[2].start))))
