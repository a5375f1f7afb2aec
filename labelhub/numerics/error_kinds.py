"""What is wrong with each object of a reading, by name, against the objects that were accepted.

- *split*: several given objects lie mostly inside one accepted object of their class; *merge*: the other way round;
- *wrong class*: at the same place under another name; *missing*, *extra*: nothing at that place on the other side;
- *slice range*: the outlines agree on the planes that both have, but the object begins or ends elsewhere;
- *boundary*: less than the least share of both surfaces lies within the tolerance; ``offset`` says by how much it was drawn
  too large (positive) or too small.

Split and merge are looked for first, then objects are matched one to one by IoU, within the class before across classes; what
hardly overlaps but lies mostly inside a partner is matched last. Each object is named once. Marks without area have to be given
as discs as large as two marks of one thing may lie apart. Not here: who is right (the accepted objects say so).

References
----------
Kirillov A et al. (2019) Panoptic segmentation. CVPR (objects matched by IoU).
Nikolov S et al. (2021) Clinically applicable segmentation. J Med Internet Res 23:e26151 (share of a surface in tolerance).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import ndimage

from labelhub.numerics.arguments import checked
from labelhub.numerics.geometry import Placed
from labelhub.numerics.mask_pair import MaskPair, checked_tolerance, placed_pair
from labelhub.numerics.matching import match_pair
from labelhub.numerics.results import NAN, BoolArray, FloatArray, IntArray, check_level
from labelhub.numerics.surface_offset import surface_offsets

METHOD = "kinds of errors"
VERSION = "1"

Kind: TypeAlias = Literal["missing", "extra", "wrong class", "boundary", "split", "merge", "slice range"]
KINDS: tuple[Kind, ...] = ("missing", "extra", "wrong class", "boundary", "split", "merge", "slice range")

LEAST_IOU = 0.1
# Of an object that lies mostly inside another, and how much of the whole a part must be.
_MOSTLY, _PART = 0.5, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class MarkedObject:
    """An object of a reading: its class and its voxels, placed on the grid."""

    label: str
    mask: Placed


@dataclass(frozen=True, slots=True)
class ObjectError:
    """One thing that is wrong: places in the lists of given and accepted objects (several of a split or merge).

    ``offset`` is by how much the outline lies outside the accepted one (in ``unit``), ``within`` the share of both surfaces
    inside the tolerance; NaN where nothing was compared. ``first_planes`` and ``last_planes`` count the planes by which a 3-D
    object begins too early and ends too late (negative: too late, too early).
    """

    kind: Kind
    given: tuple[int, ...]
    accepted: tuple[int, ...]
    label_given: str = ""
    label_accepted: str = ""
    offset: float = NAN
    within: float = NAN
    first_planes: int = 0
    last_planes: int = 0
    unit: str = "px"


@dataclass(frozen=True, slots=True)
class ErrorKinds:
    """The errors of a reading, and the pairs (given, accepted) in which nothing is wrong."""

    errors: tuple[ObjectError, ...]
    right: tuple[tuple[int, int], ...]
    method: str = METHOD
    version: str = VERSION


@checked
def error_kinds(
    given: Sequence[MarkedObject],
    accepted: Sequence[MarkedObject],
    *,
    grid_size: Sequence[int],
    tolerance: float,
    spacing_mm: Sequence[float] | None = None,
    least_within: float = 0.9,
) -> ErrorKinds:
    """Name the error of every object of a reading against the accepted objects of the item.

    Parameters
    ----------
    given, accepted : sequence of MarkedObject
        On one grid, of 2 or 3 dimensions; objects without a voxel are left out.
    grid_size : sequence of int
    tolerance : float
        How far outlines may lie apart, in mm with spacing, else in px.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis.
    least_within : float
        Least share of both surfaces within the tolerance of an outline that is right.

    Raises
    ------
    ValueError
        Where the tolerance, spacing, share or an object's place on the grid is impossible.

    Examples
    --------
    >>> from labelhub.numerics.geometry import PlacedMask
    >>> def square(label, size, at):
    ...     return MarkedObject(label, PlacedMask(np.ones((size, size), dtype=bool), at))
    >>> accepted = [square("cyst", 10, (5, 5)), square("cyst", 10, (30, 30)), square("cyst", 10, (50, 5))]
    >>> given = [square("cyst", 18, (1, 1)), square("tumour", 10, (30, 30))]
    >>> found = error_kinds(given, accepted, grid_size=(64, 64), tolerance=2)
    >>> [(one.kind, one.given, one.accepted) for one in found.errors], round(found.errors[1].offset, 1)
    ([('missing', (), (2,)), ('boundary', (0,), (0,)), ('wrong class', (1,), (1,))], 4.2)
    """
    checked_tolerance(tolerance)
    check_level(least_within)
    table = _Overlaps.of(given, accepted)
    errors = _parts(table, "split")
    named = {place for one in errors for place in one.given}
    errors += [one for one in _parts(table, "merge") if not named & set(one.given)]
    open_given = np.setdiff1d(table.filled[0], [place for one in errors for place in one.given])
    open_accepted = np.setdiff1d(table.filled[1], [place for one in errors for place in one.accepted])
    right: list[tuple[int, int]] = []
    for values, least in table.stages():
        found = match_pair(values[np.ix_(open_given, open_accepted)], least)
        pairs = list(zip(open_given[found.first].tolist(), open_accepted[found.second].tolist(), strict=True))
        for pair in pairs:
            error = _error_of(pair, given, accepted, tuple(grid_size), tolerance, spacing_mm, least_within)
            if error is None:
                right.append(pair)
            else:
                errors.append(error)
        open_given = np.setdiff1d(open_given, [pair[0] for pair in pairs])
        open_accepted = np.setdiff1d(open_accepted, [pair[1] for pair in pairs])
    errors += [ObjectError("extra", (i,), (), label_given=given[i].label) for i in open_given.tolist()]
    errors += [ObjectError("missing", (), (j,), label_accepted=accepted[j].label) for j in open_accepted.tolist()]
    errors.sort(key=lambda one: (one.given[:1], one.accepted[:1]))
    return ErrorKinds(tuple(errors), tuple(sorted(right)))


@dataclass(frozen=True, slots=True, eq=False)
class _Overlaps:
    """Voxels shared by every given with every accepted object, their sizes, and whether the classes are the same."""

    shared: FloatArray
    size_given: FloatArray
    size_accepted: FloatArray
    is_same: BoolArray

    @classmethod
    def of(cls, given: Sequence[MarkedObject], accepted: Sequence[MarkedObject]) -> _Overlaps:
        shared = np.array([[_n_shared(one.mask, two.mask) for two in accepted] for one in given], dtype=np.float64)
        is_same = np.array([[one.label == two.label for two in accepted] for one in given], dtype=bool)
        sizes = [np.array([np.count_nonzero(one.mask.voxels) for one in side], float) for side in (given, accepted)]
        form = (len(given), len(accepted))
        return cls(shared.reshape(form), sizes[0], sizes[1], is_same.reshape(form))

    @property
    def filled(self) -> tuple[IntArray, IntArray]:
        """The objects that have a voxel."""
        return np.flatnonzero(self.size_given), np.flatnonzero(self.size_accepted)

    @property
    def iou(self) -> FloatArray:
        union = self.size_given[:, None] + self.size_accepted[None, :] - self.shared
        return np.asarray(self.shared / np.maximum(union, 1.0))

    def stages(self) -> list[tuple[FloatArray, float]]:
        """The tables by which objects are matched one after the other, and the least value of a pair."""
        inside = self.shared / np.maximum(np.minimum(self.size_given[:, None], self.size_accepted[None, :]), 1.0)
        tables = [(self.iou, LEAST_IOU), (inside, _MOSTLY)]
        return [(np.where(same, values, 0.0), least) for values, least in tables for same in (self.is_same, True)]


def _parts(table: _Overlaps, kind: Literal["split", "merge"]) -> list[ObjectError]:
    """One object on one side that is several on the other: two or more parts of its class, mostly inside it, best with it."""
    is_split = kind == "split"
    shared, iou = (table.shared, table.iou) if is_split else (table.shared.T, table.iou.T)
    parts, wholes = (table.size_given, table.size_accepted) if is_split else (table.size_accepted, table.size_given)
    is_same = table.is_same if is_split else table.is_same.T
    if not shared.size:
        return []
    inside = shared / np.maximum(parts, 1.0)[:, None]
    covers = shared / np.maximum(wholes, 1.0)[None, :]
    is_part = is_same & (inside >= _MOSTLY) & (covers >= _PART) & (iou == iou.max(axis=1, keepdims=True))
    found = []
    for whole in np.flatnonzero(is_part.sum(axis=0) >= 2).tolist():
        own = tuple(np.flatnonzero(is_part[:, whole]).tolist())
        if covers[list(own), whole].sum() >= _MOSTLY:
            sides = (own, (whole,)) if is_split else ((whole,), own)
            found.append(ObjectError(kind, *sides))
    return found


def _error_of(
    pair: tuple[int, int],
    given: Sequence[MarkedObject],
    accepted: Sequence[MarkedObject],
    grid_size: tuple[int, ...],
    tolerance: float,
    spacing_mm: Sequence[float] | None,
    least_within: float,
) -> ObjectError | None:
    """What is wrong with a matched object; None where nothing is."""
    one, two = given[pair[0]], accepted[pair[1]]
    masks = placed_pair(one.mask, two.mask, grid_size, spacing_mm)
    offsets = surface_offsets(masks)
    offset, within = float(offsets.mean()), _share(np.abs(offsets), tolerance)
    first, last = _planes_beyond(masks)
    is_longer = max(abs(first), abs(last)) * masks.spacing[0] > tolerance
    kind: Kind = "boundary"
    if one.label != two.label:
        kind = "wrong class"
    elif masks.n_dimensions == 3 and is_longer and _within_in_plane(masks, tolerance) >= least_within:
        kind = "slice range"
    elif within >= least_within:
        return None
    return ObjectError(
        kind, (pair[0],), (pair[1],), one.label, two.label, offset, within, first, last, masks.unit
    )  # fmt: skip


def _planes_beyond(masks: MaskPair) -> tuple[int, int]:
    if masks.n_dimensions < 3:
        return 0, 0
    first, second = (np.flatnonzero(mask.any(axis=(1, 2))) for mask in (masks.first, masks.second))
    return int(second[0] - first[0]), int(first[-1] - second[-1])


def _within_in_plane(masks: MaskPair, tolerance: float) -> float:
    """The share of both outlines within the tolerance in the plane, over the planes that both objects have."""
    both = np.flatnonzero(masks.first.any(axis=(1, 2)) & masks.second.any(axis=(1, 2)))
    first, second = masks.first[both], masks.second[both]
    # Planes so far apart that the nearest point always lies in the same one.
    apart = 1e3 * (1 + masks.diagonal)
    steps = (apart, *masks.spacing[1:])
    edges = [_outline(mask) for mask in (first, second)]
    to_second, to_first = (ndimage.distance_transform_edt(~edge, sampling=steps) for edge in edges[::-1])
    return _share(np.concatenate([to_second[edges[0]], to_first[edges[1]]]), tolerance)


def _outline(mask: BoolArray) -> BoolArray:
    """The voxels with a neighbour outside in their plane."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    inner = padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    return np.asarray(mask & ~inner)


def _share(distances: FloatArray, tolerance: float) -> float:
    return float((distances <= tolerance * (1 + 1e-9)).mean())


def _n_shared(first: Placed, second: Placed) -> int:
    own, other = [], []
    for a, n, b, m in zip(first.origin, first.voxels.shape, second.origin, second.voxels.shape, strict=True):
        low, high = max(a, b), min(a + n, b + m)
        if low >= high:
            return 0
        own.append(slice(low - a, high - a))
        other.append(slice(low - b, high - b))
    return int(np.count_nonzero(first.voxels[tuple(own)] & second.voxels[tuple(other)]))
