"""What is wrong with each object of a reading against the label as it stands: named, sized, and placed on its slices.

Pure: plain shapes in, frozen results out. A mask of several parts is as many objects. What lies mostly where the label is to
be ignored, and classes that the reading was not asked for, are left out. Each error is known by a ``key`` made of the shapes
that it is about, so that a reviewer's word on it stays with it. Not here: the rules of naming (``numerics.error_kinds``), and
who confirms a name (``reviews.verdicts``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from scipy import ndimage

from labelhub.consensus.adjudicated import IGNORE
from labelhub.consensus.placed import n_shared
from labelhub.formats.shapes import Grid, Reading, Region, Shape
from labelhub.numerics.error_kinds import METHOD, VERSION, Kind, MarkedObject, ObjectError, error_kinds
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.rasterise import shape_mask
from labelhub.scoring.compare import Terms
from labelhub.scoring.extents import Extents, Size, draws_area, grid_size_of

__all__ = ["METHOD", "VERSION", "Kind", "NamedError", "ObjectErrors", "name_errors"]

Spacing = tuple[float, float, float]
# Specks of a mask below this many voxels are no objects of their own.
LEAST_VOXELS = 4
MOST_OBJECTS = 400
_MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class NamedError:
    """One object of a reading and what is wrong with it; ``kind`` is None where nothing is, or nothing was compared.

    ``given`` and ``accepted`` are ids of shapes of the reading and of the label.
    ``size`` is that of what is wrong in ``unit`` (all parts of a split or merge together), ``slices`` its first and last plane
    counted from 0, ``place`` its middle ``(z, y, x)`` on ``medium``, ``box`` its first voxel and the one after its last.
    ``offset`` is by how much the outline lies outside (positive) or inside the accepted one, in ``length_unit``; None where
    nothing was compared. ``early`` and ``late`` count the planes by which it begins too early and ends too late.
    """

    key: str
    kind: Kind | None
    medium: int
    label_given: str
    label_accepted: str
    given: tuple[str, ...]
    accepted: tuple[str, ...]
    size: float
    unit: str
    slices: tuple[int, int]
    place: tuple[float, float, float]
    box: tuple[tuple[int, int, int], tuple[int, int, int]]
    offset: float | None = None
    length_unit: str = "px"
    early: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Object:
    """One object: the shape that it is a part of, and which part."""

    shape: Shape
    part: int
    mask: PlacedMask

    @property
    def name(self) -> str:
        return f"{self.shape.shape_id}#{self.part}"


@dataclass(frozen=True, slots=True)
class ObjectErrors:
    """The errors of a reading, the largest first, and its objects in which nothing is wrong."""

    errors: tuple[NamedError, ...]
    right: tuple[NamedError, ...]


def name_errors(
    reading: Reading, label: Sequence[Shape] | None, *, terms: Terms, grids: Sequence[Grid], extents: Extents
) -> ObjectErrors:
    """Name what is wrong with a reading against the shapes of the label.

    Parameters
    ----------
    reading : Reading
        One reader's; classes that it was not asked for are left out.
    label : sequence of Shape, optional
        The label as it stands; without one nothing is compared.
    terms, grids, extents
        As in ``scoring.compare``.
    """
    asked = None if reading.asked_labels is None else set(reading.asked_labels)
    accepted = [shape for shape in label or () if shape.label == IGNORE or asked is None or shape.label in asked]
    errors: list[NamedError] = []
    right: list[NamedError] = []
    for medium in sorted({shape.medium for shape in (*reading.shapes, *accepted)}):
        here = [[shape for shape in side if shape.medium == medium] for side in (reading.shapes, accepted)]
        size, spacing = grid_size_of(medium, [*here[0], *here[1]], grids)
        given, true = (_objects(side, size, spacing, terms, extents) for side in here)
        ignored = [entry for entry in true if entry.shape.label == IGNORE]
        true = [entry for entry in true if entry.shape.label != IGNORE]
        given, true = ([one for one in side if not _is_ignored(one, ignored)] for side in (given, true))
        where = _Where(medium, size, spacing)
        if label is None:
            right += [where.named(None, [one], []) for one in given]
            continue
        found = error_kinds(
            [MarkedObject(one.shape.label, one.mask) for one in given],
            [MarkedObject(one.shape.label, one.mask) for one in true],
            grid_size=size, tolerance=terms.tolerance_px if spacing is None else terms.tolerance_mm, spacing_mm=spacing,
        )  # fmt: skip
        errors += [
            where.named(error, [given[i] for i in error.given], [true[j] for j in error.accepted])
            for error in found.errors
        ]
        right += [where.named(None, [given[i]], [true[j]]) for i, j in found.right]
    return ObjectErrors(tuple(sorted(errors, key=_by_size)), tuple(sorted(right, key=_by_size)))


def _by_size(error: NamedError) -> tuple[int, float, str]:
    return error.medium, -error.size, error.key


def _objects(
    shapes: Sequence[Shape], size: Size, spacing: Spacing | None, terms: Terms, extents: Extents
) -> list[_Object]:
    found: list[_Object] = []
    for shape in shapes:
        mask = extents.voxels_of(shape, size) if draws_area(shape) else _around(shape, size, spacing, terms)
        found += [_Object(shape, number, part) for number, part in enumerate(_parts(mask, shape))]
    return found[:MOST_OBJECTS]


def _parts(mask: PlacedMask, shape: Shape) -> list[PlacedMask]:
    """The connected parts of a mask, the largest first; an outline is one object, however it was cut."""
    if not mask.voxels.any():
        return []
    if shape.mask is None:
        return [mask]
    labelled, n = ndimage.label(mask.voxels, structure=np.ones((3, 3, 3), dtype=bool))
    if n == 1:
        return [mask]
    sizes = np.bincount(labelled.ravel())[1:]
    windows = ndimage.find_objects(labelled)
    order = [int(place) for place in np.argsort(-sizes, kind="stable") if sizes[place] >= LEAST_VOXELS]
    parts = []
    for place in order or [int(sizes.argmax())]:
        window = windows[place]
        origin = tuple(start + cut.start for start, cut in zip(mask.origin, window, strict=True))
        parts.append(PlacedMask(labelled[window] == place + 1, origin))
    return parts


def _around(shape: Shape, size: Size, spacing: Spacing | None, terms: Terms) -> PlacedMask:
    """Marks without area as discs and bands as wide as two marks of one thing may lie apart."""
    step_y, step_x = (1.0, 1.0) if spacing is None else spacing[1:]
    reach = terms.reach.px if spacing is None else terms.reach.mm
    regions = []
    for region in shape.regions:
        points = region.points * np.array([step_x, step_y])
        is_line = region.kind == "polyline" and len(points) > 1
        marks = shapely.LineString(points) if is_line else shapely.MultiPoint(points)
        area = marks.buffer(reach)
        for piece in getattr(area, "geoms", [area]):
            outline = np.asarray(piece.exterior.coords)[:-1] / np.array([step_x, step_y])
            regions.append(Region("polygon", outline, z=region.z))
    return shape_mask(tuple(regions), size)


def _is_ignored(one: _Object, ignored: Sequence[_Object]) -> bool:
    n = np.count_nonzero(one.mask.voxels)
    return any(n_shared(one.mask, other.mask) > _MOSTLY * n for other in ignored)


@dataclass(frozen=True, slots=True)
class _Where:
    """The medium on which objects are named."""

    medium: int
    size: Size
    spacing: Spacing | None

    def named(self, error: ObjectError | None, mine: Sequence[_Object], theirs: Sequence[_Object]) -> NamedError:
        masks = [entry.mask for entry in (mine or theirs)]
        low = np.min([mask.origin for mask in masks], axis=0)
        high = np.max([np.add(mask.origin, mask.voxels.shape) for mask in masks], axis=0)
        n = sum(int(np.count_nonzero(mask.voxels)) for mask in masks)
        middle = (low + high) / 2
        # An object of the reading is named once, whatever it is compared with; what is missing by the label's own shape.
        names = [entry.name for entry in mine] or ["missing", *(entry.name for entry in theirs)]
        is_compared = error is not None and bool(np.isfinite(error.offset))
        return NamedError(
            key=hashlib.sha256("\x1f".join(map(str, (self.medium, *names))).encode()).hexdigest()[:32],
            kind=None if error is None else error.kind, medium=self.medium,
            label_given=mine[0].shape.label if mine else "", label_accepted=theirs[0].shape.label if theirs else "",
            given=tuple(entry.shape.shape_id for entry in mine), accepted=tuple(entry.shape.shape_id for entry in theirs),
            size=_size(n, self.size, self.spacing), unit=_unit(self.size, self.spacing),
            slices=(int(low[0]), int(high[0]) - 1),
            place=(float(middle[0]) - 0.5, float(middle[1]), float(middle[2])), box=(_triple(low), _triple(high)),
            offset=float(error.offset) if error is not None and is_compared else None,
            length_unit="" if error is None else error.unit, early=0 if error is None else error.first_planes,
            late=0 if error is None else error.last_planes,
        )  # fmt: skip


def _size(n: int, size: Size, spacing: Spacing | None) -> float:
    if spacing is None:
        return float(n)
    return n * float(np.prod(spacing if size[0] > 1 else spacing[1:]))


def _unit(size: Size, spacing: Spacing | None) -> str:
    if spacing is None:
        return "voxels" if size[0] > 1 else "px"
    return "mm³" if size[0] > 1 else "mm²"


def _triple(values: Sequence[int]) -> tuple[int, int, int]:
    z, y, x = (int(value) for value in values)
    return z, y, x
