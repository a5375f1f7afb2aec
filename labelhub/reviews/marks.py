"""Where a returned reading differs from the others, as far as its author may see it.

``exact``: the regions themselves with both outlines, only where the policy shows authors the others' answers. ``coarse``: a
circle around each region and a rounded distance, from which the other outline cannot be drawn (``numerics.coarse_marks``).
Pure: plain readings in, a JSON-ready document out. Not here: keeping it (``tickets``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labelhub.annotations.plain import regions_to_document
from labelhub.formats.outlines import outline_of
from labelhub.formats.shapes import Grid, Reading, Region, Shape
from labelhub.numerics.borders import borders_of
from labelhub.numerics.coarse_marks import coarse_mark
from labelhub.numerics.disagreement import DisputedRegion, disputed_regions
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.object_merge import default_quorum, vote_map
from labelhub.numerics.rasterise import union_of
from labelhub.scoring.extents import AREA_KINDS, Extents, draws_area, grid_size_of

VERSION = "1"


@dataclass(frozen=True, slots=True)
class Seal:
    """What coarse marks are drawn with: a name of the item, and the project's secret."""

    item: str
    secret: bytes


MOST_REGIONS, MOST_OUTLINES = 12, 60
# Outlines of masks follow the sides of voxels; with so many corners a ticket stays below half a megabyte.
MOST_CORNERS = 30_000
# Regions smaller than this share of a plane are no more than a boundary.
LEAST_SHARE = 0.0005


def marks_of(
    own: Reading, others: Sequence[Reading], *, grids: Sequence[Grid], tolerance_mm: float, tolerance_px: float,
    is_exact: bool, seal: Seal,
) -> dict[str, Any]:  # fmt: skip
    """Return the marks of a reading that comes back: the regions in which it differs from what the others drew together.

    Without others, or where only answers differ, there are none.
    """
    kind = "exact" if is_exact else "coarse"
    marks: dict[str, Any] = {"version": VERSION, "kind": kind, "regions": []}
    if not others:
        return marks
    every = [shape for reading in (own, *others) for shape in reading.shapes if draws_area(shape)]
    extents = Extents()
    found: list[tuple[float, dict[str, Any], tuple[int, int]]] = []
    for medium in sorted({shape.medium for shape in every}):
        size, spacing = grid_size_of(medium, every, grids)
        tolerance = tolerance_px if spacing is None else tolerance_mm
        for label in sorted({shape.label for shape in every if shape.medium == medium}):
            mine = _area(own, label, medium, extents, size)
            votes, origin = vote_map([_area(reading, label, medium, extents, size) for reading in others])
            settled = PlacedMask(votes >= default_quorum(len(others)), origin)
            for region in _regions(mine, settled, tolerance, size, spacing):
                if region.size >= max(4.0, LEAST_SHARE * size[1] * size[2]):
                    # A class would tell what others called it, so coarse marks name none.
                    mark = (
                        _exact(region, spacing) | {"label": label}
                        if is_exact
                        else _coarse(region, mine, size, spacing, seal)
                    )
                    span = (region.origin[0], region.origin[0] + len(region.voxels))
                    found.append((region.volume, mark | {"medium": medium}, span))
    found.sort(key=lambda entry: -entry[0])
    marks["regions"] = _once([document for _, document, _ in found])[:MOST_REGIONS]
    if is_exact:
        marks |= _outlines(own, others, [(mark, span) for _, mark, span in found[:MOST_REGIONS]])
    return marks


def _area(reading: Reading, label: str, medium: int, extents: Extents, size: tuple[int, int, int]) -> PlacedMask:
    shapes = [one for one in reading.shapes if (one.medium, one.label) == (medium, label) and draws_area(one)]
    if not shapes:
        return PlacedMask(np.zeros((1, 1, 1), dtype=np.bool_), (0, 0, 0))
    return union_of([extents.voxels_of(shape, size) for shape in shapes])


def _regions(
    mine: PlacedMask, settled: PlacedMask, tolerance: float, size: tuple[int, int, int],
    spacing: tuple[float, float, float] | None,
) -> list[DisputedRegion]:  # fmt: skip
    """The regions in which two areas differ. A single plane has no depth: it is compared as the plane that it is."""
    if size[0] > 1:
        return list(disputed_regions(mine, settled, tolerance=tolerance, spacing=spacing))
    flat = [PlacedMask(mask.voxels[0], mask.origin[1:]) for mask in (mine, settled)]
    step = None if spacing is None else spacing[1:]
    found = disputed_regions(flat[0], flat[1], tolerance=tolerance, spacing=step)
    return [replace(region, voxels=region.voxels[None], origin=(0, *region.origin)) for region in found]


def _exact(region: DisputedRegion, spacing: tuple[float, float, float] | None) -> dict[str, Any]:
    z, y, x, radius = _circle(region)
    distance = region.depth if math.isfinite(region.depth) else None
    return {
        "z": z, "y": round(y, 1), "x": round(x, 1), "radius": round(radius, 1), "side": region.side,
        "distance": None if distance is None else round(distance, 1), "unit": "px" if spacing is None else "mm",
    }  # fmt: skip


def _coarse(
    region: DisputedRegion,
    mine: PlacedMask,
    size: tuple[int, int, int],
    spacing: tuple[float, float, float] | None,
    seal: Seal,
) -> dict[str, Any]:
    """A circle around the author's own outline, and a rounded distance without a sign."""
    own = np.zeros(size, dtype=np.uint8)
    placed = tuple(slice(start, start + n) for start, n in zip(mine.origin, mine.voxels.shape, strict=True))
    own[placed] = mine.voxels
    mark = coarse_mark(region, own, item=seal.item, secret=seal.secret, spacing_mm=spacing)
    z, y, x = mark.centre
    return {
        "z": min(size[0] - 1, max(0, round(z))), "planes": list(mark.planes), "y": round(y + 0.5, 1), "x": round(x + 0.5, 1),
        "radius": round(mark.radius / (1.0 if spacing is None else spacing[2]), 2), "distance": mark.distance,
        "unit": mark.unit,
    }  # fmt: skip


def _circle(region: DisputedRegion) -> tuple[int, float, float, float]:
    """The plane on which the region is largest, its middle there, and how far it reaches from it."""
    sizes = region.voxels.reshape(len(region.voxels), -1).sum(axis=1)
    plane = int(np.argmax(sizes))
    rows, columns = np.nonzero(region.voxels[plane])
    y, x = float(rows.mean()) + 0.5, float(columns.mean()) + 0.5
    radius = float(np.hypot(rows + 0.5 - y, columns + 0.5 - x).max()) + 0.5
    return plane + region.origin[0], y + region.origin[1], x + region.origin[2], radius


def _once(regions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Circles that coincide are one mark."""
    seen: list[dict[str, Any]] = []
    for region in regions:
        if region not in seen:
            seen.append(region)
    return seen


def _outlines(
    own: Reading, others: Sequence[Reading], marked: Sequence[tuple[dict[str, Any], tuple[int, int]]]
) -> dict[str, Any]:
    """Everybody's outlines; of masks those of the classes and on the planes that are marked, the worst planes first.

    ``is_cut`` where there were too many corners for all of these planes.
    """
    every = [("own", shape) for shape in own.shapes]
    every += [("other", shape) for other in others for shape in other.shapes]
    every = [entry for entry in every if draws_area(entry[1])][:MOST_OUTLINES]
    drawn = [[_as_polygon(region) for region in shape.regions if region.kind in AREA_KINDS] for _, shape in every]
    n_left, is_cut = MOST_CORNERS, False
    for medium, label, z in _planes(marked):
        here = [
            (place, _borders(shape, z)) for place, (_, shape) in enumerate(every)
            if (shape.medium, shape.label) == (medium, label) and shape.mask is not None
        ]  # fmt: skip
        n_left -= sum(len(region.points) for _, borders in here for region in borders)
        if n_left < 0:
            is_cut = True
            break
        for place, borders in here:
            drawn[place] += borders
    lines = [
        {"whose": whose, "medium": shape.medium, "label": shape.label, "regions": regions_to_document(regions)}
        for (whose, shape), regions in zip(every, drawn, strict=True)
        if regions
    ]
    return {"outlines": lines} | ({"is_cut": True} if is_cut else {})


def _planes(marked: Sequence[tuple[dict[str, Any], tuple[int, int]]]) -> list[tuple[int, str, int]]:
    """The planes of marks with medium and class: the one that each mark names, then the others, the nearest to it first."""
    places = [
        (abs(z - mark["z"]), order, (mark["medium"], mark["label"], z))
        for order, (mark, (first, end)) in enumerate(marked)
        for z in range(first, end)
    ]
    return list(dict.fromkeys(place for _, _, place in sorted(places)))


def _borders(shape: Shape, z: int) -> list[Region]:
    """The outlines of a mask on plane ``z``, along the sides of its voxels."""
    assert shape.mask is not None
    first, top, left = shape.mask.origin
    if not 0 <= z - first < len(shape.mask.voxels):
        return []
    rings = borders_of(np.asarray(shape.mask.voxels[z - first], dtype=np.bool_))
    return [Region("polygon", np.add(points, (left, top)), z=z, is_hole=is_hole) for points, is_hole in rings]


def _as_polygon(region: Region) -> Region:
    """A box or an ellipse by its outline, so that whoever draws it knows polygons alone."""
    return region if region.kind == "polygon" else Region("polygon", outline_of(region), z=region.z)
