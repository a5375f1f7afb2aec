"""Shortest ways through an image from what was pointed at: the mask that costs less to reach from inside than from outside.

A step costs its length, how much the value changes on it, and how unlike its end is to the values that were pointed at. The
cheapest way to each voxel from the places inside competes with that from the places outside (Criminisi, Sharp, Blake 2008,
ECCV, "GeoS", whose geodesic distance this is; Wang et al. 2019, IEEE TPAMI 41:1559, "DeepIGeoS", for the use with clicks). With
places inside alone the level is sought at which the border of what was reached runs along the strongest edges.

Pure: the same pixels and hints give the same answer. Not here: hints (``marks``), networks (``inference``).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.predictions.marks import Hints, Mask, Seeds, border, seeds_of

METHOD = "geodesic-1"
# What a step costs: a voxel of the finest axis, a change over all of the picture's range, and being all of that range away.
STEP, CHANGE, UNLIKE = 0.01, 1.0, 0.3
SMOOTHED_PX = 0.7
# Sweeps back and forth along every axis. What winds more often than that is reached at too high a cost, never at too low a one.
MOST_ROUNDS = 6
SETTLED = 1e-3
FAR = np.float32(1e6)
LEVELS = 128
KINDS = 9
# With places on both sides the border lies midway, or on a strong edge near it: how far in shares of the way.
NEAR_MIDWAY = 0.1
# Where a person asks for a weaker or stronger answer, the level moves by this factor a step.
STEP_OF_LEVEL = 1.15
PARALLEL_VOXELS = 200_000

Field = NDArray[np.float32]
Check = Callable[[], None]


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """A mask ``[z, y, x]`` and how surely each voxel belongs to it: from 0 to 1, a rank and no probability."""

    mask: Mask
    certainty: Field
    method: str = METHOD


def propose(
    pixels: NDArray[Any],
    hints: Hints,
    *,
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    level: int = 0,
    check: Check = lambda: None,
) -> Proposed:
    """Return what the hints mean in ``pixels[z, y, x]`` or ``[z, y, x, c]``; a slice is a region with one side of 1.

    Each place inside is in the mask, each outside is not. Above 0, ``level`` takes in more, below less. ``check`` is called
    between the parts of the work and may raise, to end it. Raises ``marks.HintsRefused``.
    """
    values = prepared(pixels, spacing_mm)
    shape = (values.shape[0], values.shape[1], values.shape[2])
    seeds = with_core(seeds_of(hints, shape, spacing_mm), values)
    check()
    if not seeds.outside.any():
        near = distance(values, seeds.inside, spacing_mm, check)
        share: Field = _alone(near, values, seeds.inside)
    else:
        with ThreadPoolExecutor(max_workers=2 if values[..., 0].size > PARALLEL_VOXELS else 1) as pool:
            sides = (seeds.inside, seeds.outside)
            near, far = pool.map(lambda side: distance(values, side, spacing_mm, check), sides)
        best = edge_level(near / (near + far + np.float32(1e-9)), values, 1.0, around=0.5)
        share = np.asarray(near / np.maximum(far, 1e-9) * ((1 - best) / best), dtype=np.float32)
        # A place outside takes away and never adds: what is far from both stays as far as it was.
        share = np.maximum(share, _alone(near, values, seeds.inside))
    check()
    share = np.asarray(share / np.float32(STEP_OF_LEVEL**level), dtype=np.float32)
    share[seeds.inside] = np.minimum(share[seeds.inside], 1.0)
    # From what is outside it is no way at all: no level takes that in.
    mask = _held((share <= 1.0) | seeds.inside, seeds.inside)
    return Proposed(mask, np.float32(1) / (1 + share))


def prepared(pixels: NDArray[Any], spacing_mm: tuple[float, float, float]) -> Field:
    """Return the values ``[z, y, x, c]`` on a scale from 0 to 1 of the region's own range, a little smoothed, without NaN."""
    values = (pixels if pixels.ndim == 4 else pixels[..., None]).astype(np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        values = np.where(finite, values, values[finite].min() if finite.any() else 0.0)
    low, high = np.percentile(values, (0.5, 99.5))
    values = np.clip((values - low) / max(float(high - low), 1e-9), 0.0, 1.0).astype(np.float32)
    steps = np.asarray(spacing_mm) / min(spacing_mm)
    sigma = [0.0 if side == 1 else SMOOTHED_PX / step for side, step in zip(values.shape[:3], steps, strict=True)]
    return np.asarray(ndimage.gaussian_filter(values, [*sigma, 0.0], truncate=3.0), dtype=np.float32)


def _alone(near: Field, values: Field, inside: Mask) -> Field:
    """How far each voxel is from what is inside, in shares of the way to the strongest edges around it."""
    rim = border((near.shape[0], near.shape[1], near.shape[2])) & ~inside
    most = float(np.median(near[rim])) if rim.any() else float(near.max())
    best = edge_level(near, values, most) if most > 0 else 1.0
    return near / np.float32(max(best, 1e-9))


def with_core(seeds: Seeds, values: Field) -> Seeds:
    """Return seeds that have something inside: of a box alone, what in its middle is most unlike its surroundings."""
    if seeds.inside.any():
        return seeds
    spans = [np.flatnonzero(seeds.allowed.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    middle = np.zeros_like(seeds.allowed)
    cuts = [slice(s[0] + len(s) // 4, max(s[-1] + 1 - len(s) // 4, s[0] + len(s) // 4 + 1)) for s in spans]
    middle[tuple(cuts)] = True
    rim = ndimage.binary_dilation(seeds.allowed, iterations=2) & ~seeds.allowed
    ground = np.median(values[rim if rim.any() else seeds.allowed], axis=0)
    unlike = np.abs(values - ground).mean(axis=-1)
    core = middle & (unlike >= np.quantile(unlike[middle], 0.7))
    return Seeds(core, seeds.outside & ~core, seeds.allowed)


def distance(values: Field, seeds: Mask, spacing_mm: tuple[float, float, float], check: Check = lambda: None) -> Field:
    """Return the cost of the cheapest way from ``seeds`` to each voxel, along the axes.

    A sweep along an axis is a running minimum of cost less the way so far, which is exact along that axis; sweeps are repeated
    until nothing changes, at most MOST_ROUNDS times.
    """
    unlike = _unlike(values, seeds)
    ways = [_way(values, unlike, axis, step) for axis, step in enumerate(np.asarray(spacing_mm) / min(spacing_mm))]
    cost = np.where(seeds, np.float32(0), FAR)
    # Memory is taken once: at a million voxels, taking it costs more than the sums.
    before, room = np.empty_like(cost), np.empty_like(cost)
    for _ in range(MOST_ROUNDS):
        np.copyto(before, cost)
        for axis, way in enumerate(ways):
            if way is not None:
                _sweep(cost, way, axis, room)
        check()
        before -= cost
        if float(before.max()) < SETTLED:
            break
    return cost


def edge_level(field: Field, values: Field, most: float, around: float | None = None) -> float:
    """Return the level below ``most`` at which the border of ``field`` crosses the greatest changes of value, on the mean.

    ``around`` names a level near which it is to be. A flat picture has no edges: then it is ``around``, or half of ``most``.
    """
    place = np.clip(field * np.float32(LEVELS / most), 0, LEVELS).astype(np.uint8)
    height = np.zeros(LEVELS + 2)
    count = np.zeros(LEVELS + 2)
    # In a large region every third line is enough to tell.
    step = 3 if place.size > PARALLEL_VOXELS else 1
    for axis in range(3):
        lines = [slice(None, None, step if side > 1 else 1) for side in place.shape]
        lines[axis] = slice(None)
        at, value = np.moveaxis(place[tuple(lines)], axis, 0), np.moveaxis(values[tuple(lines)], axis, 0)
        if len(at) < 2:
            continue
        low, high = np.minimum(at[1:], at[:-1]), np.maximum(at[1:], at[:-1])
        crosses = low < high
        change = np.abs(value[1:] - value[:-1])[crosses].mean(axis=-1)
        for bins, weight in ((height, change), (count, None)):
            bins += np.bincount(low[crosses], weight, LEVELS + 2) - np.bincount(high[crosses], weight, LEVELS + 2)
    count = np.cumsum(count)[:LEVELS]
    mean = np.where(count > 0, np.cumsum(height)[:LEVELS] / np.maximum(count, 1), 0.0)
    levels = (np.arange(LEVELS) + 1.0) / LEVELS * most
    if around is not None:
        mean = (mean + 1e-6) * np.exp(-(((levels - around) / NEAR_MIDWAY) ** 2))
    elif mean.max() <= 1e-6:
        return most / 2
    return float(min(levels[int(np.argmax(mean))], most * (1 - 0.5 / LEVELS)))


def _unlike(values: Field, seeds: Mask) -> Field:
    """How unlike each voxel is to the nearest of the values at the seeds; of many, KINDS stand for all, from dark to bright."""
    known = values[seeds]
    known = known[np.argsort(known.mean(axis=-1), kind="stable")]
    kinds = known[np.unique(np.linspace(0, len(known) - 1, KINDS).round().astype(int))]
    nearest = np.full(values.shape[:3], np.inf, np.float32)
    for kind in kinds:
        np.minimum(nearest, np.sqrt(np.mean(np.square(values - kind), axis=-1)), out=nearest)
    return nearest


def _way(values: Field, unlike: Field, axis: int, step: float) -> Field | None:
    """The cost of going from the first voxel of each line along ``axis`` to each of its others; None where there are none."""
    if values.shape[axis] == 1:
        return None
    change = np.sqrt(np.mean(np.square(np.diff(values, axis=axis)), axis=-1))
    ahead, behind = (np.moveaxis(unlike, axis, 0)[part] for part in (slice(1, None), slice(None, -1)))
    between = np.moveaxis((ahead + behind) / 2, 0, axis)
    cost = CHANGE * change + step * (STEP + UNLIKE * between)
    way = np.zeros(unlike.shape, np.float32)
    np.moveaxis(way, axis, 0)[1:] = np.moveaxis(np.cumsum(cost, axis=axis), axis, 0)
    return way


def _sweep(cost: Field, way: Field, axis: int, room: Field) -> None:
    """Lower ``cost`` in place by what is reached along one axis, forth and back; ``room`` is memory to work in."""
    np.subtract(cost, way, out=room)
    np.minimum.accumulate(room, axis=axis, out=room)
    room += way
    np.minimum(cost, room, out=cost)
    np.add(cost, way, out=room)
    back = np.flip(room, axis)
    np.minimum.accumulate(back, axis=axis, out=back)
    room -= way
    np.minimum(cost, room, out=cost)


def _held(mask: Mask, inside: Mask) -> Mask:
    """The parts of a mask that hold something which was pointed at."""
    parts, _ = ndimage.label(mask)
    held = np.unique(parts[inside])
    return np.asarray(np.isin(parts, held[held > 0]) | inside)
