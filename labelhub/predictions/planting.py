"""Planting one known error in a model's draft: outlines grown or moved, an object left out, a class exchanged.

Who is shown such a draft and hands it in unchanged did not look. Each error is large enough to be seen at a glance and is
kept with both versions of the shape it was made of, so that a reading can be held against them later. Pure: shapes in,
shapes out, randomness from ``rng``. Not here: who gets such a draft (``workflow.drafting``), whether it was caught
(``scoring.planted``).

References
----------
Dratsch T et al. (2023) Automation bias in mammography. Radiology 307(4):e222176: readers follow wrong suggestions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.formats.shapes import Grid, MaskRegion, Region, Shape
from labelhub.projects.ontology import Ontology

GROWN: Final = "grown"
MOVED: Final = "moved"
MISSING: Final = "missing"
CLASS: Final = "class"
KINDS: Final = (GROWN, MOVED, MISSING, CLASS)
# An outline grows by this share of the radius of a disc of its area, at least by these pixels; so far is one moved, too.
GROWTH: Final = 0.35
LEAST_PX: Final = 3
# A component of a painted class that is smaller than this share of the class is too small to be missed by looking.
LEAST_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """A draft with one error. ``right`` is the shape as the model drew it, ``wrong`` what stands in its place (or nothing)."""

    kind: str
    shapes: tuple[Shape, ...]
    right: Shape
    wrong: Shape | None


def plant(
    shapes: Sequence[Shape], ontology: Ontology, grids: Mapping[int, Grid], rng: np.random.Generator
) -> Planted | None:
    """Return the draft with one planted error, of a kind drawn among those that are possible; None where none is.

    ``grids`` are by medium: what is planted stays on the picture. A shape that is only a tag cannot be altered.
    """
    shapes = tuple(shapes)
    for at in rng.permutation(len(shapes)):
        for kind in rng.permutation(KINDS):
            planted = _altered(shapes, int(at), str(kind), ontology, grids, rng)
            if planted is not None:
                return planted
    return None


def _altered(
    shapes: tuple[Shape, ...],
    at: int,
    kind: str,
    ontology: Ontology,
    grids: Mapping[int, Grid],
    rng: np.random.Generator,
) -> Planted | None:
    shape = shapes[at]
    grid = grids.get(shape.medium)
    if grid is None or not (shape.regions if shape.mask is None else shape.mask.voxels.any()):
        return None
    if kind == CLASS:
        wrong = _relabelled(shape, ontology, rng)
        return None if wrong is None else Planted(kind, (*shapes[:at], wrong, *shapes[at + 1 :]), shape, wrong)
    if kind == MISSING:
        rest, lost = _without_one(shape, rng)
        return Planted(kind, (*shapes[:at], *([] if rest is None else [rest]), *shapes[at + 1 :]), lost, None)
    changed = _grown(shape, grid) if kind == GROWN else _moved(shape, grid, rng)
    return None if changed is None else Planted(kind, (*shapes[:at], changed, *shapes[at + 1 :]), shape, changed)


def _relabelled(shape: Shape, ontology: Ontology, rng: np.random.Generator) -> Shape | None:
    """Give the shape another class that is drawn with the same tool."""
    own = ontology.label_class(shape.label)
    others = [entry.key for entry in ontology.classes if own and entry.tool == own.tool and entry.key != own.key]
    return replace(shape, label=str(rng.choice(others)), attributes={}) if others else None


def _without_one(shape: Shape, rng: np.random.Generator) -> tuple[Shape | None, Shape]:
    """Split the shape into what is kept (None: nothing) and what is left out: one component of a mask, else all of it."""
    if shape.mask is None:
        return None, shape
    components, count = ndimage.label(shape.mask.voxels, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(components.ravel(), minlength=count + 1)[1:]
    large = np.flatnonzero(sizes >= LEAST_SHARE * sizes.sum()) + 1
    lost = components == int(rng.choice(large))
    kept = shape.mask.voxels & ~lost
    rest = replace(shape, mask=MaskRegion(kept, shape.mask.origin)) if kept.any() else None
    return rest, replace(shape, mask=MaskRegion(lost, shape.mask.origin))


def _grown(shape: Shape, grid: Grid) -> Shape | None:
    if shape.mask is not None:
        placed = _spread(shape.mask, grid)
        return None if placed is None else replace(shape, mask=placed)
    if not all(region.kind in ("box", "polygon", "ellipse") for region in shape.regions):
        return None
    return replace(shape, regions=tuple(_scaled(region, grid) for region in shape.regions))


def _spread(mask: MaskRegion, grid: Grid) -> MaskRegion | None:
    """Grow the mask in each plane by a share of its radius, cut off at the picture; None where nothing came of it."""
    widest = int(mask.voxels.sum(axis=(1, 2)).max())
    step = max(LEAST_PX, round(GROWTH * float(np.sqrt(widest / np.pi))))
    z, y, x = mask.origin
    _, height, width = grid.size
    around = np.pad(mask.voxels, ((0, 0), (step, step), (step, step)))
    near = np.stack([ndimage.distance_transform_edt(~plane) <= step if plane.any() else plane for plane in around])
    top, left = max(0, step - y), max(0, step - x)
    bottom = min(near.shape[1], height - (y - step))
    right = min(near.shape[2], width - (x - step))
    grown = near[:, top:bottom, left:right]
    if int(grown.sum()) <= int(mask.voxels.sum()):
        return None
    return MaskRegion(np.ascontiguousarray(grown), (z, y - step + top, x - step + left))


def _scaled(region: Region, grid: Grid) -> Region:
    if region.kind == "ellipse":
        # The second point holds the radii.
        points = region.points * [[1.0, 1.0], [1 + GROWTH, 1 + GROWTH]]
        return replace(region, points=points)
    centre = region.points.mean(axis=0)
    reach = np.abs(region.points - centre).max()
    factor = 1 + max(GROWTH, LEAST_PX / max(float(reach), 1.0))
    return replace(region, points=_on_picture(centre + (region.points - centre) * factor, grid))


def _moved(shape: Shape, grid: Grid, rng: np.random.Generator) -> Shape | None:
    low, high = _bounds(shape)
    steps = np.maximum(LEAST_PX, np.ceil((high - low) * 0.6))
    room = np.array([grid.size[2], grid.size[1]], dtype=np.float64)
    ways = [(axis, sign) for axis in (0, 1) for sign in (-1, 1)]
    for axis, sign in (ways[int(way)] for way in rng.permutation(len(ways))):
        step = np.zeros(2)
        step[axis] = sign * steps[axis]
        if (low + step >= 0).all() and (high + step <= room).all():
            return _shifted(shape, step)
    return None


def _shifted(shape: Shape, step: NDArray[np.float64]) -> Shape:
    across, down = (int(value) for value in step)
    if shape.mask is not None:
        own = _cropped(shape.mask)
        z, y, x = own.origin
        return replace(shape, mask=MaskRegion(own.voxels, (z, y + down, x + across)))
    return replace(
        shape, regions=tuple(replace(region, points=_moved_points(region, step)) for region in shape.regions)
    )


def _moved_points(region: Region, step: NDArray[np.float64]) -> NDArray[np.float64]:
    if region.kind == "ellipse":
        return region.points + np.stack([step, np.zeros(2)])
    return region.points + step


def _bounds(shape: Shape) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The corners ``(x, y)`` of the box around everything that is drawn."""
    if shape.mask is not None:
        rows, columns = (np.flatnonzero(shape.mask.voxels.any(axis=axes)) for axes in ((0, 2), (0, 1)))
        _, y, x = shape.mask.origin
        return np.array([x + columns[0], y + rows[0]], float), np.array([x + columns[-1] + 1, y + rows[-1] + 1], float)
    corners = [_corners(region) for region in shape.regions]
    return np.min([low for low, _ in corners], axis=0), np.max([high for _, high in corners], axis=0)


def _cropped(mask: MaskRegion) -> MaskRegion:
    """The mask without empty margins, which may not hang over the picture's edge."""
    box = ndimage.find_objects(mask.voxels.astype(np.int8))[0]
    z, y, x = (int(start + part.start) for start, part in zip(mask.origin, box, strict=True))
    return MaskRegion(mask.voxels[box], (z, y, x))


def _corners(region: Region) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if region.kind == "ellipse":
        centre, radii = region.points
        return centre - radii.max(), centre + radii.max()
    return region.points.min(axis=0), region.points.max(axis=0)


def _on_picture(points: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    return np.clip(points, 0.0, [float(grid.size[2]), float(grid.size[1])])
