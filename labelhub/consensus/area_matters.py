"""The disputed regions of one medium: its readers' painted and outlined classes laid over each other as sets of classes.

Everything is found in the box around all that anybody marked. Not here: boxes, points and lines, answers (``matters``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.shapes import Reading, Shape
from labelhub.numerics.class_sets import MOST_CLASSES, class_counts, class_set_map
from labelhub.numerics.decision_patterns import DecisionPatterns, decision_patterns
from labelhub.numerics.disputes import Disputes, Region, disputes_of
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.results import FloatArray
from labelhub.projects.errors import DomainError
from labelhub.scoring.compare import Terms
from labelhub.scoring.extents import Extents, Size

Spacing = tuple[float, float, float] | None
# A share of a region below this is not worth a word.
WORTH_NAMING = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What the readers marked on one medium, in the window ``low`` … ``low + shape`` (2-D where the medium is one plane)."""

    medium: int
    labels: tuple[str, ...]
    low: tuple[int, int, int]
    shape: tuple[int, int, int]
    is_flat: bool
    disputes: Disputes
    patterns: DecisionPatterns

    def placed(self, region: Region) -> PlacedMask:
        """The voxels of a region on the grid of the medium."""
        voxels = region.voxels[None] if self.is_flat else region.voxels
        origin = (0, *region.origin) if self.is_flat else region.origin
        return PlacedMask(voxels, tuple(int(a + b) for a, b in zip(origin, self.low, strict=True)))

    def place_of(self, region: Region) -> tuple[float, float, float]:
        """The middle of a region on the grid of the medium, ``(z, y, x)``."""
        centre = (0, *region.centre) if self.is_flat else region.centre
        z, y, x = (float(a + b) for a, b in zip(centre, self.low, strict=True))
        return z, y, x

    def shares(self) -> list[list[tuple[tuple[str, float], ...]]]:
        """The classes in each region with their share of it, the greatest first: of every reader, then of all together."""
        regions = self.disputes.regions
        if not regions:
            return []
        counts = np.stack([np.vstack([region.given, region.consensus]) for region in regions])
        sizes = np.array([region.n_voxels for region in regions])
        share = class_counts(counts, self.disputes.labels, len(self.labels)) / sizes[:, None, None]
        order = np.argsort(-share, axis=2, kind="stable")
        ranked = np.take_along_axis(share, order, axis=2)
        # Most classes have no share of a region: only those that do are walked.
        region, row, rank = np.nonzero(ranked >= WORTH_NAMING)
        named: list[list[list[tuple[str, float]]]] = [[[] for _ in range(share.shape[1])] for _ in regions]
        places, parts = order[region, row, rank].tolist(), ranked[region, row, rank].tolist()
        for r, who, place, part in zip(region.tolist(), row.tolist(), places, parts, strict=True):
            named[r][who].append((self.labels[place], part))
        return [[tuple(own) for own in of_region] for of_region in named]

    def heat(self, z: int, step: int = 1) -> tuple[FloatArray, tuple[int, int]] | None:
        """How divided the readers are on plane ``z`` (0 to 1; the most divided class counts), and its first row and column.

        With a ``step`` one number stands for so many rows and columns, the greatest in them.
        """
        depth = z - self.low[0]
        if not 0 <= depth < self.shape[0]:
            return None
        plane, places = self.shape[1] * self.shape[2], self.patterns.places
        inside = (places >= depth * plane) & (places < (depth + 1) * plane)
        row, column = np.divmod(places[inside] - depth * plane, self.shape[2])
        divided = self._divided()[self.patterns.pattern_of_place[inside]]
        heat = np.zeros((-(-self.shape[1] // step), -(-self.shape[2] // step)))
        if step == 1:
            heat[row, column] = divided
        else:
            np.maximum.at(heat, (row // step, column // step), divided)
        return heat, (self.low[1], self.low[2])

    def most_divided_plane(self) -> int:
        """The plane of the medium on which the readers differ most."""
        if not len(self.patterns.places):
            return self.low[0] + self.shape[0] // 2
        plane = self.patterns.places // (self.shape[1] * self.shape[2])
        weights = self._divided()[self.patterns.pattern_of_place]
        return self.low[0] + int(np.bincount(plane, weights).argmax())

    def _divided(self) -> FloatArray:
        """4 p (1 - p) of the most divided class, pattern by pattern."""
        sets = self.patterns.labels[self.patterns.table]
        share = ((sets[:, :, None] >> np.arange(len(self.labels))) & 1).mean(axis=1)
        return np.asarray((4 * share * (1 - share)).max(axis=1, initial=0.0), dtype=np.float64)


def is_painted(shape: Shape) -> bool:
    """Whether a shape is compared voxel by voxel: a mask or outlines, not an upright box."""
    return shape.mask is not None or any(
        region.kind in ("polygon", "ellipse") or (region.kind == "box" and region.rotation_deg)
        for region in shape.regions
    )


def ground_of(
    medium: int,
    readings: Sequence[Reading],
    settled: Sequence[Shape],
    *,
    size: Size,
    spacing_mm: Spacing,
    terms: Terms,
    extents: Extents,
) -> Ground | None:
    """Lay the readers' painted classes of a medium over each other and find where they differ; None without any.

    ``settled`` is what they say together. Raises ``DomainError`` where there are more classes than can be laid over each other.
    """
    here = [[shape for shape in entry.shapes if shape.medium == medium] for entry in readings]
    labels = tuple(
        label for label in terms.labels if any(is_painted(s) for own in here for s in own if s.label == label)
    )
    if not labels:
        return None
    if len(labels) > MOST_CLASSES:
        raise DomainError(
            f"{len(labels)} classes are painted on this picture; up to {MOST_CLASSES} can be compared region by region. "
            "Nothing was changed. Accept one reading, or take the vote.",
            code="too-many-classes",
        )
    label_place = {label: place for place, label in enumerate(labels)}
    masks = [
        [(label_place[s.label], extents.voxels_of(s, size)) for s in own if s.label in label_place] for own in here
    ]
    together = [
        (label_place[s.label], extents.voxels_of(s, size))
        for s in settled
        if s.medium == medium and s.label in label_place
    ]
    low, shape = _window([mask for own in [*masks, together] for _, mask in own], size)
    is_flat = size[0] == 1

    def painted(objects: Sequence[tuple[int, PlacedMask]]) -> NDArray[np.unsignedinteger]:
        moved = [
            (k, PlacedMask(m.voxels, tuple(np.subtract(m.origin, low).tolist()))) for k, m in objects if m.voxels.size
        ]
        found = class_set_map(moved, shape, len(labels))
        return np.asarray(found[0] if is_flat else found)

    patterns, label = decision_patterns([painted(own) for own in masks]), painted(together)
    reach = terms.tolerance_px if spacing_mm is None else terms.tolerance_mm
    disputes = disputes_of(
        patterns, tolerance=reach, consensus=label, least_size=least_size(reach, is_flat=is_flat),
        spacing_mm=None if spacing_mm is None else spacing_mm[1:] if is_flat else spacing_mm,
        asked=[_asked(entry, labels, patterns, label) for entry in readings],
    )  # fmt: skip
    return Ground(medium, labels, low, shape, is_flat, disputes, patterns)


def least_size(tolerance: float, *, is_flat: bool) -> float:
    """The least size of a disputed region: a disc (a ball) as wide as the tolerance, below which nothing can be told."""
    return math.pi / 4 * tolerance**2 if is_flat else math.pi / 6 * tolerance**3


def _asked(
    reading: Reading, labels: tuple[str, ...], patterns: DecisionPatterns, together: NDArray[np.unsignedinteger]
) -> frozenset[int] | None:
    """The sets of classes that a reader could have given, None for all."""
    if reading.asked_labels is None or set(labels) <= set(reading.asked_labels):
        return None
    own = sum(1 << place for place, label in enumerate(labels) if label in reading.asked_labels)
    every = {int(code) for code in [*patterns.labels, *np.unique(together)]}
    return frozenset(code for code in every if code & own)


def _window(masks: Sequence[PlacedMask], size: Size) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    filled = [mask for mask in masks if mask.voxels.size]
    if not filled:
        return (0, 0, 0), (1, 1, 1)
    low = np.maximum(np.min([mask.origin for mask in filled], axis=0), 0)
    high = np.minimum(np.max([np.add(mask.origin, mask.voxels.shape) for mask in filled], axis=0), size)
    high = np.maximum(high, low + 1)
    z, y, x = (int(at) for at in low)
    depth, height, width = (int(n) for n in high - low)
    return (z, y, x), (depth, height, width)
