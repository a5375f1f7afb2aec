"""Agreement of shapes beyond the mean Dice: alpha with its chance baseline D_e, sigma, KS, and the human ceiling.

The mean Dice is not corrected for chance and hides one biased reader among three; alpha and sigma show it. Chance is the
distance between objects of different items as they lie, and D_e is always given, because where objects lie at different
places it is near 1 and alpha is about the mean Dice. The ceiling is what one reader scores against the others of the same
item, the number a model's score may be compared with. Not here: distances of outlines (``panel_objects``).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.shape_distances import dice_distance
from labelhub.numerics.shape_raters import overall_human_ceiling
from labelhub.numerics.structured import structured_alpha
from labelhub.scoring.extents import extent_of, grid_at
from labelhub.scoring.gather_objects import LabelObjects, Objects
from labelhub.scoring.panel_rows import Bench, ShapeRow

# Objects drawn by two or more; further ones are left out by a fixed draw, which the row says.
MOST_OBJECTS = 400
# Pairs of different items for D_e: the draw is seeded.
MOST_CHANCE_PAIRS = 2_000


def shape_rows(bench: Bench, objects: Objects) -> tuple[ShapeRow, ...]:
    """One row a label of which there is enough to tell."""
    found = (shape_row(bench, label) for label in objects.by_label.values())
    return tuple(row for row in found if row is not None)


def shape_row(bench: Bench, objects: LabelObjects) -> ShapeRow | None:
    """Alpha, sigma and ceiling of one label; None where fewer than two objects were drawn by two readers."""
    drawn = np.flatnonzero((objects.found == 1).sum(axis=1) >= 2).tolist()
    if not objects.has_area or len({int(objects.item[unit]) for unit in drawn}) < 2:
        return None
    key = f"shapes.{objects.label}"
    n_all = len(drawn)
    if n_all > MOST_OBJECTS:
        drawn = _chosen(bench, objects, drawn)
    masks = _masks(bench, objects, drawn)
    places = np.array([objects.item[unit] for unit in drawn], dtype=np.int64)
    rng = np.random.default_rng(bench.settings.seed)

    def apart(one: PlacedMask, other: PlacedMask) -> float:
        return bench.memory.part("distance", (one, other), None, lambda: dice_distance(one, other))

    def likeness(one: PlacedMask, others: Sequence[PlacedMask]) -> float:
        return fmean(1 - apart(one, other) for other in others)

    alpha = structured_alpha(
        masks, apart, rng, resampling=bench.resampling(f"{key}.alpha", places), unit="objects",
        max_chance_pairs=MOST_CHANCE_PAIRS,
    )  # fmt: skip
    ceiling = overall_human_ceiling(
        masks, likeness, resampling=bench.resampling(f"{key}.ceiling", places), unit="objects"
    )
    name = objects.label
    return ShapeRow(
        label=name,
        alpha=bench.measured(f"{key}.alpha", f"{name}: alpha of shapes (1 − Dice)", alpha.estimate, places),
        observed=alpha.observed, expected=alpha.expected, baseline=alpha.baseline, n_chance_pairs=alpha.n_chance_pairs,
        sigma=alpha.sigma, ks=alpha.ks, n_pairs=alpha.n_pairs,
        ceiling=bench.measured(f"{key}.ceiling", f"{name}: one reader against the others, mean Dice", ceiling, places),
        n_left_out=n_all - len(drawn),
    )  # fmt: skip


def _chosen(bench: Bench, objects: LabelObjects, drawn: Sequence[int]) -> list[int]:
    """The objects that are looked at: by a seeded draw for each, so that a further object changes few of them."""

    def lot(unit: int) -> int:
        item = bench.gathered.items[int(objects.item[unit])].key
        return zlib.crc32(f"{bench.settings.seed} {item} {objects.names[unit]}".encode())

    return sorted(sorted(drawn, key=lot)[:MOST_OBJECTS])


def _masks(bench: Bench, objects: LabelObjects, drawn: Sequence[int]) -> list[list[PlacedMask]]:
    """The masks of each object, its readers in order."""
    masks: list[list[PlacedMask]] = []
    for unit in drawn:
        grids = bench.gathered.items[int(objects.item[unit])].grids
        own: list[PlacedMask] = []
        for _, shape in sorted(objects.shapes[unit].items()):
            grid = grid_at(shape.medium, grids)
            size = None if grid is None else grid.size
            mask = bench.memory.part("extent", [shape], size, lambda: extent_of(shape, size)).mask  # noqa: B023
            if mask is not None:
                own.append(mask)
        masks.append(own)
    return masks
