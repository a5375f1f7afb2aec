"""A rough mark of a disputed region for an author who must not see another answer: a circle and a rounded distance.

The author shall look again at the right place and learn how far apart the outlines lie, and nothing from which the other
outline could be drawn. So the circle (in a volume: the ball)

- stands around a point of the author's *own* outline, not around the region, whose middle lies towards the other outline;
- is moved at random by up to three tenths of the region's reach, and then snapped to a coarse grid;
- has a radius from a coarse row of numbers, large enough for the region wherever the point was moved.

The distance has no sign, is that from the author's own outline, and is rounded to 1, 2, 5, 10, 20, 50 and so on. What is
random is drawn from the project's secret, the item and the coarse cell: the same region looked at again, or one that differs
by a few voxels, gives the same mark, so that nothing can be averaged out. Not here: who may see more (the policy).

References
----------
Andres ME et al. (2013) Geo-indistinguishability: differential privacy for location-based systems. ACM CCS (noise by place).
Krawczyk H et al. (1997) HMAC: keyed-hashing for message authentication. RFC 2104.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.numerics.arguments import checked
from labelhub.numerics.geometry import Placed
from labelhub.numerics.mask_pair import LengthUnit, checked_spacing
from labelhub.numerics.results import BoolArray, FloatArray

METHOD = "coarse mark of a region"
VERSION = "1"

_RADII = (1.0, 1.5, 2.0, 3.0, 5.0, 7.5)
_DISTANCES = (1.0, 2.0, 5.0)
# Shares of the region's (rounded) reach: how far the middle may be moved, and the step of the coarse grid.
_MOVED, _CELL = 0.3, 0.4
# No mark is smaller than so many times the rounded distance, else its size would tell on which side the region lies.
_AT_LEAST = 2.0


@dataclass(frozen=True, slots=True)
class CoarseMark:
    """What the author of a blind item sees of a disputed region.

    ``centre`` is an index along each axis of the grid (not whole), ``radius`` and ``distance`` are in ``unit``; ``planes`` the
    first and last plane that the mark touches (0 in 2-D).
    """

    centre: tuple[float, ...]
    radius: float
    distance: float
    planes: tuple[int, int]
    unit: LengthUnit
    method: str = METHOD
    version: str = VERSION


@checked
def coarse_mark(
    region: Placed,
    own: NDArray[np.integer],
    *,
    item: str,
    secret: bytes,
    spacing_mm: Sequence[float] | None = None,
) -> CoarseMark:
    """The mark of one disputed region, for the author of the label map ``own``.

    Parameters
    ----------
    region : Placed
        The voxels of the region; at least one.
    own : array of int, shape (y, x) or (z, y, x)
        What the author drew, on the whole grid; nothing else is looked at.
    item : str
        Names the item for good.
    secret : bytes
        The project's secret; at least 16 bytes.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis.

    Raises
    ------
    ValueError
        Where the region is empty or off the grid, the secret is short, or the spacing is impossible.

    Examples
    --------
    >>> from labelhub.numerics.geometry import PlacedMask
    >>> own = np.zeros((100, 100), dtype=np.uint8)
    >>> own[30:60, 30:60] = 1
    >>> region = PlacedMask(np.ones((12, 6), dtype=bool), (40, 60))
    >>> mark = coarse_mark(region, own, item="7", secret=b"sixteen bytes or")
    >>> mark.distance, mark.radius >= 12, mark == coarse_mark(region, own, item="7", secret=b"sixteen bytes or")
    (5.0, True, True)
    """
    spacing = np.asarray(checked_spacing(spacing_mm, own.ndim))
    if len(secret) < 16:
        message = f"secret has {len(secret)} bytes; at least 16 are needed"
        raise ValueError(message)
    if not region.voxels.any() or any(
        start < 0 or start + n > length
        for start, n, length in zip(region.origin, region.voxels.shape, own.shape, strict=True)
    ):
        message = (
            f"region has shape {region.voxels.shape} at {region.origin}; it needs a voxel, on the grid {own.shape}"
        )
        raise ValueError(message)
    is_axis = np.asarray(own.shape) > 1
    at = (np.argwhere(region.voxels) + region.origin) * spacing
    edge = _own_outline(region, own) * spacing
    middle = at.mean(axis=0)
    anchor = edge[((edge - middle) ** 2).sum(axis=1).argmin()] if len(edge) else middle
    deepest = _deepest(region, own, spacing)
    reach = float(np.sqrt(((at - anchor) ** 2).sum(axis=1)).max()) + float(spacing[is_axis].max(initial=0.0))
    distance = rounded(min(deepest, reach), _DISTANCES)
    size = rounded_up(max(reach, _AT_LEAST * distance))
    centre = np.where(is_axis, _moved(anchor, size, item, secret, is_axis), anchor)
    radius = rounded_up(size * (1 + _MOVED + math.sqrt(int(is_axis.sum())) * _CELL / 2))
    in_planes = centre[0] / spacing[0], radius / spacing[0]
    planes = (
        (max(math.floor(in_planes[0] - in_planes[1]), 0), min(math.ceil(sum(in_planes)), own.shape[0] - 1))
        if own.ndim > 2
        else (0, 0)
    )
    index = tuple(round(float(value), 3) for value in centre / spacing)
    return CoarseMark(index, radius, distance, planes, "px" if spacing_mm is None else "mm")


def rounded_up(length: float) -> float:
    """The next of 1, 1.5, 2, 3, 5, 7.5, 10, 15 and so on that is not below.

    Examples
    --------
    >>> rounded_up(3.2), rounded_up(8), rounded_up(0.3)
    (5.0, 10.0, 0.3)
    """
    power = 10.0 ** math.floor(math.log10(length))
    row = [step * factor for factor in (power, 10 * power) for step in _RADII]
    return float(f"{next(step for step in row if step >= length * (1 - 1e-9)):.12g}")


def rounded(length: float, row: Sequence[float] = _DISTANCES) -> float:
    """The nearest (by ratio) of 1, 2, 5, 10, 20, 50 and so on.

    Examples
    --------
    >>> rounded(3.1), rounded(3.3), rounded(84)
    (2.0, 5.0, 100.0)
    """
    power = 10.0 ** math.floor(math.log10(length))
    steps = [step * factor for factor in (power, 10 * power) for step in row]
    return float(f"{min(steps, key=lambda step: abs(math.log(step / length))):.12g}")


def _own_outline(region: Placed, own: NDArray[np.integer]) -> FloatArray:
    """Where the author's labels change in and around the region: the middles of voxel faces, so that neither side is nearer."""
    window, start = _around(region, own.shape)
    part = own[window]
    middles = []
    for axis in range(own.ndim):
        line = np.moveaxis(part, axis, 0)
        at = np.argwhere(np.moveaxis(line[1:] != line[:-1], 0, axis)).astype(np.float64)
        at[:, axis] += 0.5
        middles.append(at + start)
    return np.concatenate(middles)


def _deepest(region: Placed, own: NDArray[np.integer], spacing: FloatArray) -> float:
    """How far the region's deepest voxel lies from the author's outline; infinite where none is near.

    It is the same on both sides of the outline: a step from one voxel to the next across it is one.
    """
    window, start = _around(region, own.shape)
    part = own[window]
    inside = _placed(region, start, part.shape)
    deepest = 0.0
    for label in np.unique(part[inside]):
        elsewhere = part == label
        if elsewhere.all():
            return math.inf
        distance = ndimage.distance_transform_edt(elsewhere, sampling=spacing)
        deepest = max(deepest, float(distance[inside & elsewhere].max()))
    return deepest


def _around(region: Placed, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], NDArray[np.int64]]:
    low = np.maximum(np.asarray(region.origin) - 2, 0)
    high = np.minimum(np.add(region.origin, region.voxels.shape) + 2, shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True)), low.astype(np.int64)


def _placed(region: Placed, start: NDArray[np.int64], shape: tuple[int, ...]) -> BoolArray:
    inside = np.zeros(shape, dtype=bool)
    at = np.subtract(region.origin, start)
    inside[tuple(slice(int(a), int(a) + n) for a, n in zip(at, region.voxels.shape, strict=True))] = region.voxels
    return inside


def _moved(anchor: FloatArray, size: float, item: str, secret: bytes, is_axis: BoolArray) -> FloatArray:
    """The anchor moved at random within ``_MOVED`` of the size, on the coarse grid."""
    step = _CELL * size
    cell = np.floor(anchor / step)
    told = f"{item}|{size:g}|{','.join(f'{one:g}' for one in cell[is_axis])}".encode()
    seed = int.from_bytes(hmac.new(secret, told, hashlib.sha256).digest(), "big")
    rng = np.random.default_rng(seed)
    way = rng.standard_normal(len(anchor)) * is_axis
    length = _MOVED * size * rng.random() ** (1 / max(int(is_axis.sum()), 1))
    moved = (cell + 0.5) * step + way / max(float(np.linalg.norm(way)), 1e-12) * length
    return np.asarray(moved)
