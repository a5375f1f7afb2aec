"""What a person points at for a proposal: places inside and outside, strokes, a box, extreme points; as seeds on a grid.

Places are whole voxels ``[z, y, x]`` of the region that is looked at. Not here: what follows from them (``geodesic``), and
whether somebody may ask (``api.propose``).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from labelhub.projects.errors import DomainError

Place: TypeAlias = tuple[int, int, int]
Mask: TypeAlias = NDArray[np.bool_]

# A press means the voxels around it too: about one pixel of the finest axis.
SEED_RADIUS = 1.0
# Extreme points lie on the border of what is meant: the box around them is wider by this share of its sides.
EXTREME_MARGIN = 0.1


class HintsRefused(DomainError):
    """What was pointed at cannot be worked with: outside, contradicting itself, or nothing."""

    code = "hints-refused"
    status = 400


@dataclass(frozen=True, slots=True)
class Hints:
    """Everything that somebody pointed at. Strokes are paths of places; ``box`` is its first voxel and its end (excluded)."""

    positive: tuple[Place, ...] = ()
    negative: tuple[Place, ...] = ()
    positive_strokes: tuple[tuple[Place, ...], ...] = ()
    negative_strokes: tuple[tuple[Place, ...], ...] = ()
    box: tuple[Place, Place] | None = None
    extreme: tuple[Place, ...] = ()

    def places(self) -> list[Place]:
        """Return every place that is named."""
        paths = [place for path in (*self.positive_strokes, *self.negative_strokes) for place in path]
        return [*self.positive, *self.negative, *paths, *self.extreme]


@dataclass(frozen=True, slots=True, eq=False)
class Seeds:
    """The hints on the grid of the region ``[z, y, x]``: surely inside, surely outside, and where the answer may lie at all."""

    inside: Mask
    outside: Mask
    allowed: Mask


def seeds_of(hints: Hints, shape: Place, spacing_mm: tuple[float, float, float]) -> Seeds:
    """Return the hints as masks. What was pointed at exactly wins over the surroundings of another place.

    Raises :class:`HintsRefused` for places outside ``shape``, one that is both inside and outside, and for hints that name
    nothing which is inside (a box or extreme points do).
    """
    _require_sound(hints, shape)
    inner = [*hints.positive, *(place for path in hints.positive_strokes for place in _path(path))]
    outer = [*hints.negative, *(place for path in hints.negative_strokes for place in _path(path))]
    box = hints.box
    if hints.extreme:
        box = _around(hints.extreme, shape) if box is None else box
        inner += _spokes(hints.extreme)
    allowed = np.ones(shape, dtype=np.bool_)
    outside = _balls(outer, shape, spacing_mm)
    if box is not None:
        allowed = _boxed(box, shape)
        outside |= ~allowed
    inside = _balls(inner, shape, spacing_mm) & ~outside
    _set(outside, inner, value=False)
    _set(inside, inner, value=True)
    _set(inside, outer, value=False)
    _set(outside, outer, value=True)
    # A press beside the box is meant, whatever the box says.
    allowed |= inside
    return Seeds(inside, outside, allowed)


def border(shape: Place) -> Mask:
    """Return the outermost voxels of a region, along every axis that has more than one."""
    rim = np.zeros(shape, dtype=np.bool_)
    for axis, side in enumerate(shape):
        if side > 1:
            ends = np.moveaxis(rim, axis, 0)
            ends[0] = ends[-1] = True
    return rim


def _require_sound(hints: Hints, shape: Place) -> None:
    if any(not all(0 <= at < side for at, side in zip(place, shape, strict=True)) for place in hints.places()):
        raise HintsRefused("A place that you pointed at lies outside the region. Nothing was proposed. Point again.")
    exact = set(hints.positive) & set(hints.negative)
    if exact:
        raise HintsRefused("One place is both inside and outside. Nothing was proposed. Take one of the two away.")
    if hints.box is not None:
        low, high = hints.box
        if any(not 0 <= start < end <= side for start, end, side in zip(low, high, shape, strict=True)):
            raise HintsRefused("The box is empty or leaves the region. Nothing was proposed. Drag it again.")
    if not (hints.positive or hints.positive_strokes or hints.box or hints.extreme):
        raise HintsRefused("Nothing says what is inside. Point at what you mean first.")
    if hints.extreme and len(hints.extreme) < 3:
        raise HintsRefused("Extreme points are three or more, on the border of what you mean.")


def _path(path: tuple[Place, ...]) -> list[Place]:
    """The voxels of a path, without a gap."""
    out = [path[0]] if path else []
    for start, end in pairwise(path):
        steps = max(abs(b - a) for a, b in zip(start, end, strict=True))
        line = np.rint(np.linspace(start, end, steps + 1)).astype(int)[1:]
        out += [(int(z), int(y), int(x)) for z, y, x in line]
    return out


def _spokes(extreme: tuple[Place, ...]) -> list[Place]:
    """From the middle of the extreme points towards each of them, more than half of the way: inside what is not too hollow."""
    middle = np.mean(extreme, axis=0)
    spokes = []
    for place in extreme:
        start, end = (np.rint(middle + share * (np.asarray(place) - middle)).astype(int) for share in (0.0, 0.6))
        spokes += _path(((int(start[0]), int(start[1]), int(start[2])), (int(end[0]), int(end[1]), int(end[2]))))
    return spokes


def _around(extreme: tuple[Place, ...], shape: Place) -> tuple[Place, Place]:
    places = np.asarray(extreme)
    low, high = places.min(axis=0), places.max(axis=0) + 1
    # A flat extent stays flat: in a slice the box has the slice's own depth.
    margin = np.where(high - low > 1, np.ceil(EXTREME_MARGIN * (high - low)), 0).astype(int)
    low, high = np.maximum(low - margin, 0), np.minimum(high + margin, shape)
    return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))


def _boxed(box: tuple[Place, Place], shape: Place) -> Mask:
    mask = np.zeros(shape, dtype=np.bool_)
    mask[tuple(slice(low, high) for low, high in zip(*box, strict=True))] = True
    return mask


def _balls(places: list[Place], shape: Place, spacing_mm: tuple[float, float, float]) -> Mask:
    """The voxels within SEED_RADIUS of the finest spacing around each place, in millimetres."""
    mask = np.zeros(shape, dtype=np.bool_)
    steps = np.asarray(spacing_mm) / min(spacing_mm)
    reach = np.floor(SEED_RADIUS / steps).astype(int)
    offsets = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), -1).reshape(-1, 3)
    offsets = offsets[np.linalg.norm(offsets * steps, axis=1) <= SEED_RADIUS]
    if places:
        at = (np.asarray(places)[:, None, :] + offsets[None]).reshape(-1, 3)
        at = at[((at >= 0) & (at < np.asarray(shape))).all(axis=1)]
        mask[tuple(at.T)] = True
    return mask


def _set(mask: Mask, places: list[Place], *, value: bool) -> None:
    if places:
        mask[tuple(np.asarray(places).T)] = value
