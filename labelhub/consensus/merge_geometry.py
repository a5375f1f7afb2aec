"""One shape out of several readers' shapes of the same object, in the form in which they drew it.

Boxes take the median of their sides, points the geometric median, lines the one nearest to all others, areas a vote voxel by
voxel. A voxel that exactly half of the readers marked lies inside where the mean signed distance to their outlines is
negative (shape-based averaging), so that two readers give the shape between theirs, neither the union nor the overlap.
Pure. Not here: whether the object stands at all (``merge``).

References
----------
Rohlfing T, Maurer CR (2007) Shape-based averaging. IEEE Trans Image Processing 16:153-161.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.formats.shapes import MaskRegion, Region, Shape
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.object_merge import merge_boxes, merge_keypoints, vote_map
from labelhub.numerics.rasterise import shape_mask, union_of
from labelhub.scoring.compare import Terms
from labelhub.scoring.extents import Extents, Size, draws_area, similarity_table

Spacing = tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Place:
    """The grid on which shapes are merged, and what was filled on it already."""

    size: Size
    spacing_mm: Spacing
    extents: Extents


def merged_shape(shapes: Sequence[Shape], owners: Sequence[int], place: Place, terms: Terms) -> Shape | None:
    """Return one shape of an object that several readers drew; as drawn where one did. None where nothing is left.

    ``owners[i]`` is the reader of ``shapes[i]``; a reader's several shapes of one region count as one.
    """
    if len(shapes) == 1:
        return shapes[0]
    if all(draws_area(shape) for shape in shapes):
        if all(_is_upright_box(shape) for shape in shapes) and len(set(owners)) == len(owners):
            return _median_box(shapes)
        return _mask_between(shapes, owners, place)
    if all(_is_keypoints(shape, len(shapes[0].regions[0].points)) for shape in shapes if shape.regions):
        return _median_points(shapes) if shapes[0].regions else shapes[0]
    # Lines have no mean: the one nearest to all others stands for them.
    extents = [place.extents.of(shape, place.size) for shape in shapes]
    table = similarity_table(extents, extents, (), terms.match_iou, terms.reach)
    return shapes[int(table.sum(axis=1).argmax())]


def _is_upright_box(shape: Shape) -> bool:
    return (
        shape.mask is None
        and len(shape.regions) == 1
        and shape.regions[0].kind == "box"
        and not shape.regions[0].rotation_deg
    )


def _is_keypoints(shape: Shape, count: int) -> bool:
    return len(shape.regions) == 1 and shape.regions[0].kind == "points" and len(shape.regions[0].points) == count


def _median_box(shapes: Sequence[Shape]) -> Shape:
    sides = [np.concatenate([s.regions[0].points.min(axis=0), s.regions[0].points.max(axis=0)]) for s in shapes]
    box = merge_boxes(sides).reshape(2, 2)
    return replace(shapes[0], regions=(Region("box", box, z=shapes[0].regions[0].z),))


def _median_points(shapes: Sequence[Shape]) -> Shape:
    merged = merge_keypoints(np.stack([shape.regions[0].points for shape in shapes]), quorum=1)
    first = shapes[0].regions[0]
    plane = math.floor(float(np.median([shape.regions[0].z for shape in shapes])))
    return replace(shapes[0], regions=(replace(first, points=merged.points, z=plane),))


def _mask_between(shapes: Sequence[Shape], owners: Sequence[int], place: Place) -> Shape | None:
    """The voxels most of the readers marked, with half votes decided by the mean signed distance."""
    by_owner = {
        owner: union_of(
            [place.extents.voxels_of(s, place.size) for s, o in zip(shapes, owners, strict=True) if o == owner]
        )
        for owner in owners
    }
    masks = list(by_owner.values())
    votes, origin = vote_map(masks)
    inside = 2 * votes > len(masks)
    split = 2 * votes == len(masks)
    if split.any():
        inside |= split & (
            _mean_signed_distance(masks, votes.shape, origin, place.spacing_mm, is_flat=place.size[0] == 1) < 0
        )
    if not inside.any():
        return None
    box = ndimage.find_objects(inside.astype(np.int8))[0]
    placed_at = (origin[0] + box[0].start, origin[1] + box[1].start, origin[2] + box[2].start)
    merged = MaskRegion(np.ascontiguousarray(inside[box]), placed_at)
    outlines = outlines_of(merged) if all(shape.mask is None for shape in shapes) else None
    if outlines is not None:
        return replace(shapes[0], regions=outlines)
    return replace(shapes[0], regions=(), mask=merged)


def outlines_of(mask: MaskRegion) -> tuple[Region, ...] | None:
    """Return polygons along the borders of the voxels, holes after their outlines: filling them gives the mask again.

    None where no outlines do: an island inside a hole has none, because a shape's holes are cut out last.
    """
    regions: list[Region] = []
    for depth, plane in enumerate(mask.voxels):
        steps = np.diff(np.pad(plane, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        rows, starts = np.nonzero(steps == 1)
        _, ends = np.nonzero(steps == -1)
        x, y = mask.origin[2], mask.origin[1]
        runs = shapely.box(starts + x, rows + y, ends + x, rows + y + 1)
        surface = shapely.unary_union(runs)
        for part in getattr(surface, "geoms", [surface]):
            if part.is_empty:
                continue
            for number, ring in enumerate((part.exterior, *part.interiors)):
                points = shapely.get_coordinates(shapely.simplify(ring, 0))[:-1]
                regions.append(Region("polygon", points, z=mask.origin[0] + depth, is_hole=number > 0))
    if any(region.is_hole for region in regions):
        filled = shape_mask(regions)
        if int(filled.voxels.sum()) != int(mask.voxels.sum()):
            return None
    return tuple(regions)


def _mean_signed_distance(
    masks: Sequence[PlacedMask], shape: tuple[int, ...], origin: Sequence[int], spacing: Spacing, *, is_flat: bool
) -> NDArray[np.float64]:
    """Negative inside, positive outside, to the nearest voxel of the other side, averaged over the masks."""
    # One ring of background, so that a mask that fills the box has an outside too; a single plane has none above it.
    ring = ((0, 0) if is_flat else (1, 1), (1, 1), (1, 1))
    within = tuple(slice(before, before + length) for (before, _), length in zip(ring, shape, strict=True))
    total = np.zeros(shape)
    for mask in masks:
        own = np.zeros(shape, dtype=bool)
        window = tuple(slice(a - b, a - b + n) for a, b, n in zip(mask.origin, origin, mask.voxels.shape, strict=True))
        own[window] = mask.voxels
        padded = np.pad(own, ring)
        inner = ndimage.distance_transform_edt(padded, sampling=spacing)
        outer = ndimage.distance_transform_edt(~padded, sampling=spacing)
        total += (outer - inner)[within]
    return total / len(masks)
