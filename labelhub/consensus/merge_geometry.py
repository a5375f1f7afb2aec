"""One shape out of several readers' shapes of the same object, in the form in which they drew it.

Boxes take the median of their sides, points the geometric median, lines the one nearest to all others, areas what
``merge_areas`` says. Pure. Not here: whether the object stands at all (``merge``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from labelhub.consensus.merge_areas import merged_area
from labelhub.formats.shapes import MaskRegion, Region, Shape
from labelhub.numerics.borders import borders_of
from labelhub.numerics.fusion_calibration import RaterOffset
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.object_merge import merge_boxes, merge_keypoints
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


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One shape out of several (None where nothing is left), how it was merged, and Dice with the vote where that differs.

    ``mask`` are the voxels that its outlines were drawn around, where they were.
    """

    shape: Shape | None
    method: str = "as drawn"
    why: str = ""
    vote_dice: float | None = None
    mask: PlacedMask | None = None


def merged_shape(
    shapes: Sequence[Shape], owners: Sequence[int], place: Place, terms: Terms,
    offsets: Mapping[int, RaterOffset] | None = None,
) -> Drawn:  # fmt: skip
    """Return one shape of an object that several readers drew; as drawn where one did.

    ``owners[i]`` is the reader of ``shapes[i]``; a reader's several shapes of one region count as one. ``offsets`` are those
    of readers whose outlines are corrected by gold.
    """
    if len(shapes) == 1:
        return Drawn(shapes[0])
    if all(draws_area(shape) for shape in shapes):
        if all(_is_upright_box(shape) for shape in shapes) and len(set(owners)) == len(owners):
            return Drawn(_median_box(shapes), "median of sides")
        return _area_of(shapes, owners, place, offsets)
    if all(_is_keypoints(shape, len(shapes[0].regions[0].points)) for shape in shapes if shape.regions):
        return Drawn(_median_points(shapes) if shapes[0].regions else shapes[0], "geometric median")
    # Lines have no mean: the one nearest to all others stands for them.
    extents = [place.extents.of(shape, place.size) for shape in shapes]
    table = similarity_table(extents, extents, (), terms.match_iou, terms.reach)
    return Drawn(shapes[int(table.sum(axis=1).argmax())], "nearest to all others")


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


def _area_of(
    shapes: Sequence[Shape], owners: Sequence[int], place: Place, offsets: Mapping[int, RaterOffset] | None
) -> Drawn:
    """The area that the readers enclose together, as outlines where all drew outlines."""
    drawn: dict[int, list[PlacedMask]] = {}
    for shape, owner in zip(shapes, owners, strict=True):
        drawn.setdefault(owner, []).append(place.extents.voxels_of(shape, place.size))
    by_owner = {owner: own[0] if len(own) == 1 else union_of(own) for owner, own in drawn.items()}
    area = merged_area(
        by_owner, size=place.size, spacing_mm=place.spacing_mm, offsets=offsets,
        is_painted=all(shape.mask is not None for shape in shapes),
    )  # fmt: skip
    inside = area.mask.voxels
    if not inside.any():
        return Drawn(None, area.method, area.why, area.vote_dice)
    box = ndimage.find_objects(inside.astype(np.int8))[0]
    z, y, x = (origin + part.start for origin, part in zip(area.mask.origin, box, strict=True))
    merged = MaskRegion(np.ascontiguousarray(inside[box]), (z, y, x))
    outlines = outlines_of(merged) if all(shape.mask is None for shape in shapes) else None
    if outlines is not None:
        filled = PlacedMask(merged.voxels, merged.origin)
        return Drawn(replace(shapes[0], regions=outlines), area.method, area.why, area.vote_dice, filled)
    return Drawn(replace(shapes[0], regions=(), mask=merged), area.method, area.why, area.vote_dice)


def outlines_of(mask: MaskRegion) -> tuple[Region, ...] | None:
    """Return polygons along the borders of the voxels, holes after their outlines: filling them gives the mask again.

    None where no outlines do: an island inside a hole has none, because a shape's holes are cut out last.
    """
    regions: list[Region] = []
    for depth, plane in enumerate(mask.voxels):
        for points, is_hole in borders_of(plane):
            moved = points + np.array([mask.origin[2], mask.origin[1]], dtype=np.float64)
            regions.append(Region("polygon", moved, z=mask.origin[0] + depth, is_hole=is_hole))
    if any(region.is_hole for region in regions):
        filled = shape_mask(regions)
        if int(filled.voxels.sum()) != int(mask.voxels.sum()):
            return None
    return tuple(regions)
