"""Outlines that two readers share to the last vertex: what no two hands draw.

Where an outline starts and which way it runs does not matter. Only marks that carry enough to be told apart count: polygons
and lines of at least six vertices, masks of at least 50 voxels; boxes and points may coincide by chance. Marks that a model
drew are left out, since two readers may accept the same one. Not here: shared wrong answers, which need a test against
chance.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from labelhub.formats.shapes import Reading, Shape
from labelhub.numerics.duplicates import contour_fingerprint
from labelhub.scoring.gather import Gathered
from labelhub.scoring.panel_plain_rows import CopyRow
from labelhub.scoring.remembered import Memory

MIN_VERTICES = 6
MIN_VOXELS = 50


def copy_rows(gathered: Gathered, memory: Memory | None = None) -> tuple[CopyRow, ...]:
    """Pairs of readers with identical marks, those with most first; unnamed where readers cannot be told apart."""
    identical: dict[tuple[str, str], int] = defaultdict(int)
    compared: dict[tuple[str, str], int] = defaultdict(int)
    where: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    memory = memory or Memory()
    for item, raters in gathered.by_item.items():
        readings = [gathered.readings[item, rater] for rater in raters]
        for first, second, n_compared, shared in memory.part(
            "copies", readings, None, lambda: _shared(readings, memory)  # noqa: B023
        ):  # fmt: skip
            key = _names(gathered, raters[first], raters[second])
            compared[key] += n_compared
            if shared:
                identical[key] += shared
                where[key][gathered.items[item].key] = None
    rows = [CopyRow(*key, count, compared[key], tuple(where[key])) for key, count in identical.items()]
    return tuple(sorted(rows, key=lambda row: -row.n_identical))


def _shared(readings: Sequence[Reading], memory: Memory) -> tuple[tuple[int, int, int, int], ...]:
    """Of every two readings of an item, by place: marks that could be equal, and those that are."""
    prints = [
        memory.part("fingerprints", [reading], None, lambda: _fingerprints(reading.shapes))  # noqa: B023
        for reading in readings
    ]
    return tuple(
        (first, second, min(len(prints[first]), len(prints[second])), len(prints[first] & prints[second]))
        for first, second in combinations(range(len(readings)), 2)
    )


def _names(gathered: Gathered, first: int, second: int) -> tuple[str, str]:
    if not gathered.are_raters_known:
        return "a reader", "another reader of the same item"
    return gathered.raters[first], gathered.raters[second]


def _fingerprints(shapes: tuple[Shape, ...]) -> set[str]:
    return {print_ for shape in shapes if (print_ := _fingerprint(shape)) is not None}


def _fingerprint(shape: Shape) -> str | None:
    # Two people who press at like places with one tool get one mask: that is no copy.
    if shape.source in ("model", "model-edited", "tool"):
        return None
    digest = hashlib.sha256(f"{shape.medium} {shape.label}".encode())
    if shape.mask is not None:
        if np.count_nonzero(shape.mask.voxels) < MIN_VOXELS:
            return None
        for start, axis in zip(shape.mask.origin, np.nonzero(shape.mask.voxels), strict=True):
            digest.update((axis.astype(np.int64) + start).tobytes())
        return digest.hexdigest()
    drawn = [region for region in shape.regions if region.kind in ("polygon", "polyline")]
    if sum(len(region.points) for region in drawn) < MIN_VERTICES:
        return None
    for z, outline, is_hole in sorted(
        (region.z, contour_fingerprint(region.points), region.is_hole) for region in drawn
    ):
        digest.update(f"{z} {is_hole} {outline} ".encode())
    return digest.hexdigest()
