"""What the current readings of one item say, unit by unit: the input of truth inference.

A *unit* has one true category. There are three kinds (``topic``):

- ``question:KEY``: the item's answer to a closed question; its categories are the answers.
- ``objects``: one object that at least one reader marked, matched across readers and classes ("localisation first"), or
  one pooled class (brushed tissue) on one medium; its categories are the classes and :data:`NOTHING`.
- ``finding``: whether anything is to be marked on the item at all: what readers who all left it empty rest on.

Who was not asked has said nothing: no category, which is not :data:`NOTHING`. Of an object with an area that two or
more readers marked, ``spread`` is the standard deviation of one reader's outline, from how much their areas differ: the
symmetric difference over the length of the outline is the mean distance of two outlines, E|e1 - e2| = 2 sigma / sqrt(pi)
for normal errors. Where readers share an error it is too small; gold shows by how much (``truth_fit``).

Pure: plain readings in, frozen results out. Not here: which category is true (``truth_fit``), keeping it (``posteriors``).

References
----------
Tschirschwitz D, Rodehorst V (2026) KaLOS. CVPR (localisation first; "not annotated" is a category).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from scipy.special import erfinv

from labelhub.formats.shapes import Grid, QuestionSpec, Reading, Shape, Value
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.matching import cluster_objects, match_pair
from labelhub.numerics.object_merge import merge_masks
from labelhub.numerics.overlap import compare_placed
from labelhub.numerics.rasterise import union_of
from labelhub.scoring.compare import Terms
from labelhub.scoring.extents import Extent, Extents, draws_area, grid_at, grid_size_of, similarity_table

VERSION = "1"

NOTHING = ""
OBJECTS, FINDING = "objects", "finding"
SOME, NONE = "some", "none"
# Faces of voxels are longer than the border that they follow: by 4 / pi in the plane, by 3 / 2 in space, on average.
_FACES_2D, _FACES_3D = math.pi / 4, 2 / 3

ShapeKey: TypeAlias = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing of which each reader said one category. ``given`` goes by position of the reading, None: said nothing.

    ``shapes`` are those of the object, by (position of the reading, shape id). ``truth`` is what gold says, None where there
    is none; ``seen`` the surface Dice of the readers' majority with gold. ``spread`` is in ``tolerance``'s unit.
    """

    topic: str
    name: str
    given: tuple[str | None, ...]
    shapes: tuple[ShapeKey, ...] = ()
    spread: float | None = None
    n_drawn: int = 0
    tolerance: float = 0.0
    truth: str | None = None
    seen: float | None = None

    def to_document(self, raters: Sequence[int]) -> dict[str, Any]:
        """As a JSON-ready dictionary, readers named by ``raters``."""
        given = {str(rater): said for rater, said in zip(raters, self.given, strict=True) if said is not None}
        return {
            "topic": self.topic, "name": self.name, "given": given, "spread": self.spread, "n": self.n_drawn,
            "tolerance": self.tolerance, "truth": self.truth, "seen": self.seen,
        }  # fmt: skip


def question_topic(key: str) -> str:
    """The topic of a question's units."""
    return f"question:{key}"


def is_closed(question: QuestionSpec) -> bool:
    """Whether the question has one answer out of few about the item: numbers take the median, and shapes are compared."""
    return not question.on_shapes and question.measure in ("nominal", "ordinal")


def category_of(value: Value) -> str:
    """The category of an answer; several choices in any order are one."""
    return "|".join(sorted(value)) if isinstance(value, tuple) else f"{type(value).__name__}:{value}"


def units_of(
    readings: Sequence[Reading],
    *,
    terms: Terms,
    grids: Sequence[Grid] = (),
    extents: Extents | None = None,
    gold: Reading | None = None,
    surface_dice: Mapping[str, float] | None = None,
    measures_spread: bool = True,
) -> tuple[Unit, ...]:
    """Return the units of one item.

    ``surface_dice`` is the mean over pairs of readings for each pooled class, as comparisons of pairs have measured it. How
    far outlines spread decides nothing about what stands: who only merges need not have it measured.
    """
    ground = _Ground(
        readings, terms, grids, Extents() if extents is None else extents, gold, surface_dice or {}, measures_spread
    )
    units = [_question_unit(question, ground) for question in terms.questions if is_closed(question)]
    if terms.labels:
        units.append(_finding_unit(ground))
        for medium in sorted({shape.medium for reading in readings for shape in reading.shapes}):
            units += _object_units(medium, ground)
    return tuple(unit for unit in units if any(said is not None for said in unit.given))


@dataclass(frozen=True, slots=True)
class _Ground:
    """What the units of one item stand on."""

    readings: Sequence[Reading]
    terms: Terms
    grids: Sequence[Grid]
    extents: Extents
    gold: Reading | None
    surface_dice: Mapping[str, float]
    measures_spread: bool

    def asked(self, position: int, labels: set[str]) -> bool:
        scope = self.readings[position].asked_labels
        return scope is None or labels <= set(scope)


def _question_unit(question: QuestionSpec, ground: _Ground) -> Unit:
    given = [entry.answers.get(question.key) for entry in ground.readings]
    truth = None if ground.gold is None else ground.gold.answers.get(question.key)
    return Unit(
        question_topic(question.key), question.key,
        tuple(None if value is None else category_of(value) for value in given),
        truth=None if truth is None else category_of(truth),
    )  # fmt: skip


def _finding_unit(ground: _Ground) -> Unit:
    every = set(ground.terms.labels)
    given = [
        (SOME if reading.shapes else NONE) if reading.shapes or ground.asked(place, every) else None
        for place, reading in enumerate(ground.readings)
    ]
    truth = None if ground.gold is None else (SOME if ground.gold.shapes else NONE)
    return Unit(FINDING, "anything to mark", tuple(given), truth=truth)


def _object_units(medium: int, ground: _Ground) -> list[Unit]:
    terms = ground.terms
    found = [
        (place, shape)
        for place, reading in enumerate(ground.readings)
        for shape in reading.shapes
        if shape.medium == medium and shape.label in terms.labels
    ]
    size, _ = grid_size_of(medium, [shape for _, shape in found], ground.grids)
    units = []
    for label in terms.labels:
        pooled = [entry for entry in found if entry[1].label == label and _is_pooled(entry[1], terms)]
        if pooled:
            units.append(_pooled_unit(label, medium, pooled, ground))
    single = [entry for entry in found if not _is_pooled(entry[1], terms)]
    if not single:
        return units
    lying = [ground.extents.of(shape, size) for _, shape in single]
    table = similarity_table(lying, lying, ground.grids, terms.match_iou, terms.reach, ground.extents.shared)
    clusters = cluster_objects(table, [place for place, _ in single], terms.match_iou, n_raters=len(ground.readings))
    truths = _gold_labels(medium, lying, clusters.members, ground)
    for number, row in enumerate(clusters.members):
        members = [int(member) for member in row if member >= 0]
        here = [single[member] for member in members]
        spread = None
        if ground.measures_spread:
            spread = _spread_of([lying[m] for m in members], table[np.ix_(members, members)], ground, medium)
        truth, seen = truths[number]
        units.append(_object_unit(f"{here[0][1].label} {number + 1}", medium, here, spread, truth, seen, ground))
    return units


def _is_pooled(shape: Shape, terms: Terms) -> bool:
    return shape.label in terms.pooled and draws_area(shape)


def _object_unit(
    name: str, medium: int, here: Sequence[tuple[int, Shape]], spread: float | None, truth: str | None,
    seen: float | None, ground: _Ground,
) -> Unit:  # fmt: skip
    said: dict[int, str] = {place: shape.label for place, shape in here}
    labels = set(said.values())
    given = [said.get(place, NOTHING if ground.asked(place, labels) else None) for place in range(len(ground.readings))]
    grid = grid_at(medium, ground.grids)
    has_spacing = grid is not None and grid.spacing_mm is not None
    tolerance = ground.terms.tolerance_mm if has_spacing else ground.terms.tolerance_px
    return Unit(
        OBJECTS, name, tuple(given), tuple((place, shape.shape_id) for place, shape in here), spread, len(said), tolerance,
        truth, seen,
    )  # fmt: skip


def _pooled_unit(label: str, medium: int, here: Sequence[tuple[int, Shape]], ground: _Ground) -> Unit:
    share = ground.surface_dice.get(label, math.nan)
    unit = _object_unit(label, medium, here, None, None, None, ground)
    spread = None
    if len({place for place, _ in here}) > 1 and not math.isnan(share):
        # P(|e1 - e2| <= tau) = erf(tau / (2 sigma)); where all of the surface is within reach, or none, it is not told apart.
        spread = unit.tolerance / (2 * float(erfinv(min(max(share, 1e-3), 0.9999))))
    truth = seen = None
    if ground.gold is not None:
        parts = [shape for shape in ground.gold.shapes if shape.label == label and shape.medium == medium]
        truth = label if parts else NOTHING
        size, _ = grid_size_of(medium, [shape for _, shape in here], ground.grids)
        if parts:
            seen = _seen(
                [ground.extents.of(shape, size) for shape in parts], _by_reader(here, size, ground), medium, ground
            )
    return Unit(unit.topic, unit.name, unit.given, unit.shapes, spread, unit.n_drawn, unit.tolerance, truth, seen)


def _by_reader(here: Sequence[tuple[int, Shape]], size: tuple[int, int, int], ground: _Ground) -> list[PlacedMask]:
    return [
        union_of([ground.extents.voxels_of(shape, size) for owner, shape in here if owner == place])
        for place in dict.fromkeys(place for place, _ in here)
    ]


def _gold_labels(
    medium: int, lying: Sequence[Extent], members: np.ndarray, ground: _Ground
) -> list[tuple[str | None, float | None]]:
    """What gold has where each object lies (:data:`NOTHING` where it has nothing), and how well the majority fits it."""
    if ground.gold is None:
        return [(None, None)] * len(members)
    size, _ = grid_size_of(medium, [entry.shape for entry in lying], ground.grids)
    parts = [ground.extents.of(shape, size) for shape in ground.gold.shapes if shape.medium == medium]
    if not parts:
        return [(NOTHING, None)] * len(members)
    terms = ground.terms
    table = similarity_table(lying, parts, ground.grids, terms.match_iou, terms.reach)
    groups = [[int(member) for member in row if member >= 0] for row in members]
    matched = match_pair(np.stack([table[group].mean(axis=0) for group in groups]), terms.match_iou)
    found: list[tuple[str | None, float | None]] = [(NOTHING, None)] * len(groups)
    for number, other in zip(matched.first, matched.second, strict=True):
        masks = [lying[member].mask for member in groups[number]]
        drawn = [mask for mask in masks if mask is not None]
        found[number] = (parts[other].shape.label, _seen([parts[other]], drawn, medium, ground) if drawn else None)
    return found


def _seen(parts: Sequence[Extent], drawn: Sequence[PlacedMask], medium: int, ground: _Ground) -> float | None:
    """Surface Dice of the readers' majority with gold; None where a distance has no unit, or one of them is empty."""
    truth = [part.mask for part in parts if part.mask is not None]
    filled = [mask for mask in drawn if mask.voxels.size]
    if not truth or len(filled) < 2:
        return None
    grid = grid_at(medium, ground.grids)
    size, spacing = grid_size_of(medium, [part.shape for part in parts], ground.grids)
    if grid is None or (spacing is None and size[0] > 1):
        return None
    tolerance = ground.terms.tolerance_px if spacing is None else ground.terms.tolerance_mm
    merged = merge_masks(filled).mask
    value = compare_placed(
        merged, union_of(truth), size, spacing_mm=spacing, tolerance=tolerance, second_is_truth=True
    ).surface_dice
    return None if math.isnan(value) else value


def _spread_of(members: Sequence[Extent], alike: np.ndarray, ground: _Ground, medium: int) -> float | None:
    """One reader's standard deviation along the outline; None where fewer than two drew an area."""
    drawn = [i for i, entry in enumerate(members) if entry.mask is not None]
    if len(drawn) < 2:
        return None
    grid = grid_at(medium, ground.grids)
    spacing = None if grid is None else grid.spacing_mm
    borders = {i: _border(members[i], spacing) for i in drawn}
    apart = []
    for i, j in combinations(drawn, 2):
        (area_i, length_i), (area_j, length_j) = borders[i], borders[j]
        iou = float(alike[i, j])
        # What only one of them has: (1 - IoU) of the union, and the union is the sum over 1 + IoU.
        apart.append((area_i + area_j) * (1 - iou) / (1 + iou) / ((length_i + length_j) / 2))
    return float(np.mean(apart)) * math.sqrt(math.pi) / 2


def _border(extent: Extent, spacing: tuple[float, float, float] | None) -> tuple[float, float]:
    """Area and length of outline; of a shape on several planes of known distance, volume and surface."""
    assert extent.mask is not None
    voxels = np.pad(extent.mask.voxels, 1)
    dz, dy, dx = spacing or (1.0, 1.0, 1.0)
    in_rows = float(np.count_nonzero(voxels[:, :, 1:] != voxels[:, :, :-1])) * dy
    in_columns = float(np.count_nonzero(voxels[:, 1:] != voxels[:, :-1])) * dx
    area = extent.n_voxels * dy * dx
    if extent.mask.voxels.shape[0] == 1 or spacing is None:
        return area, max((in_rows + in_columns) * _FACES_2D, 1e-9)
    across = float(np.count_nonzero(voxels[1:] != voxels[:-1])) * dy * dx
    return area * dz, max(((in_rows + in_columns) * dz + across) * _FACES_3D, 1e-9)
