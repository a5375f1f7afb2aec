"""Two readings of one item compared: class by class, object by object, answer by answer, and one similarity from 0 to 1.

The similarity of two readings is the mean over the asked classes and questions that at least one of the two used:

- a class where each reader has at most one shape, or whose shapes are parts of one region (``pooled``): Dice;
- a class of several objects: matched overlap, ``2 * sum(Dice of matched objects) / (objects of both)``, which is the F1 of
  detection weighted by how well the found objects overlap;
- a question: 1 where the answers are equal, else 0; a question on shapes: the share of equal answers on matched objects.

A class that both leave empty is a true negative and enters no mean; where everything is empty on both sides the readings
agree (similarity 1, edge case "both-empty"). A class or question that was not asked of both is not compared.

Pure: plain shapes in, frozen results out. Not here: which readings are compared, and keeping the numbers (``services``).

References
----------
Maier-Hein L et al. (2024) Metrics reloaded. Nature Methods 21:195-212 (overlap, boundary and detection kept apart).
Kirillov A et al. (2019) Panoptic segmentation. CVPR (matched overlap times detection F1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.shapes import Grid, QuestionSpec, Reading, Shape, Value
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.matching import match_pair
from labelhub.numerics.overlap import MaskComparison, compare_placed
from labelhub.numerics.rasterise import union_of
from labelhub.scoring.accelerators import ComparesMasks
from labelhub.scoring.extent_overlap import compare_extents, distance_in_plane, spans_planes
from labelhub.scoring.extents import Extent, Extents, Reach, draws_area, grid_at, grid_size_of, similarity_table

METHOD = "reading comparison"
VERSION = "2"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is compared and how: classes, questions, and the policy's fixed tolerances.

    ``pooled`` names classes whose shapes are parts of one region (brushed tissue) rather than objects to be counted.
    The tolerances are those of borders; ``reach`` is how far apart marks without area may lie and be one object.
    ``ontology`` is the number of the version that these are the classes and questions of, ``since`` the first from which on
    they are the same: numbers under another one are others.
    """

    labels: tuple[str, ...]
    questions: tuple[QuestionSpec, ...] = ()
    pooled: frozenset[str] = frozenset()
    match_iou: float = 0.3
    tolerance_mm: float = 2.0
    tolerance_px: float = 2.0
    reach: Reach = field(default_factory=Reach)
    ontology: int = 0
    since: int = 1


@dataclass(frozen=True, slots=True)
class MatchedShapes:
    """An object that both readings have: its shape in each, and their overlap as IoU."""

    first: str
    second: str
    iou: float


@dataclass(frozen=True, slots=True)
class ClassComparison:
    """One class in two readings. Undefined numbers are NaN, and ``edge_case`` says which rule applied.

    ``dice`` … ``surface_dice`` compare the union of the class's areas; NaN for classes that are points or lines.
    ``only_first``/``only_second`` are objects without a partner: missing on the other side, or extra on this one.
    ``attributes_equal`` maps a question on shapes to (equal, compared) over matched objects.
    """

    label: str
    n_first: int
    n_second: int
    matched: tuple[MatchedShapes, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    dice: float
    iou: float
    hausdorff_95: float
    volume_difference: float
    surface_dice: float
    unit: str
    edge_case: str
    similarity: float
    attributes_equal: Mapping[str, tuple[int, int]]

    @property
    def detection_f1(self) -> float:
        """The F1 of finding the same objects; NaN where neither has one."""
        total = self.n_first + self.n_second
        return 2 * len(self.matched) / total if total else math.nan


@dataclass(frozen=True, slots=True)
class AnswerComparison:
    """One question about the item in two readings. ``is_equal`` is None where one of them did not answer."""

    question: str
    first: Value | None
    second: Value | None
    is_equal: bool | None


@dataclass(frozen=True, slots=True)
class WrongClass:
    """One object that the two readings call different things."""

    first: str
    second: str
    first_label: str
    second_label: str
    iou: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything two readings of one item say of each other. ``n_parts`` counts the classes and questions in the mean."""

    classes: tuple[ClassComparison, ...]
    answers: tuple[AnswerComparison, ...]
    wrong_class: tuple[WrongClass, ...]
    similarity: float
    n_parts: int
    edge_case: str
    reason: str
    method: str = METHOD
    version: str = VERSION


def compare(
    first: Reading,
    second: Reading,
    *,
    terms: Terms,
    grids: Sequence[Grid] = (),
    second_is_truth: bool = False,
    extents: Extents | None = None,
    comparing: ComparesMasks = compare_placed,
) -> Comparison:
    """Compare two readings of one item on its grids (one a medium; unknown grids are taken from the shapes).

    Readings that are compared more than once share their ``extents``. ``comparing`` measures the areas of a class.
    """
    ground = _Ground(terms, grids, extents if extents is not None else Extents(), second_is_truth, comparing)
    labels = [
        label
        for label in terms.labels
        if _is_asked(label, first.asked_labels) and _is_asked(label, second.asked_labels)
    ]
    classes = tuple(_compare_class(label, first, second, ground) for label in labels)
    answers = tuple(
        _compare_answer(question, first, second)
        for question in terms.questions
        if not question.on_shapes
        and _is_asked(question.key, first.asked_questions)
        and _is_asked(question.key, second.asked_questions)
    )
    wrong = _wrong_classes(first, second, classes, ground)
    similarity, n_parts, edge_case, reason = _overall(classes, answers, labels)
    return Comparison(classes, answers, wrong, similarity, n_parts, edge_case, reason)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a comparison stands on."""

    terms: Terms
    grids: Sequence[Grid]
    extents: Extents
    second_is_truth: bool
    comparing: ComparesMasks

    def extent(self, shape: Shape) -> Extent:
        grid = grid_at(shape.medium, self.grids)
        return self.extents.of(shape, None if grid is None else grid.size)

    def similarity(self, first: Sequence[Shape], second: Sequence[Shape]) -> NDArray[np.float64]:
        sides = [[self.extent(shape) for shape in side] for side in (first, second)]
        return similarity_table(sides[0], sides[1], self.grids, self.terms.match_iou, self.terms.reach)


def _is_asked(key: str, scope: tuple[str, ...] | None) -> bool:
    return scope is None or key in scope


def _compare_class(label: str, first: Reading, second: Reading, ground: _Ground) -> ClassComparison:
    terms = ground.terms
    a = [shape for shape in first.shapes if shape.label == label]
    b = [shape for shape in second.shapes if shape.label == label]
    table = ground.similarity(a, b)
    pairs = match_pair(table, ground.terms.match_iou)
    matched = tuple(
        MatchedShapes(a[i].shape_id, b[j].shape_id, float(table[i, j]))
        for i, j in zip(pairs.first, pairs.second, strict=True)
    )
    area = _compare_areas(a, b, ground)
    if area is not None and (label in terms.pooled or max(len(a), len(b)) <= 1):
        similarity = area.dice
    elif max(len(a), len(b)) <= 1:
        similarity = float(table[0, 0]) if table.size else math.nan
    else:
        similarity = sum(2 * pair.iou / (1 + pair.iou) for pair in matched) * 2 / (len(a) + len(b))
    if len(a) + len(b) and not (len(a) and len(b)):
        similarity = 0.0
    return ClassComparison(
        label=label, n_first=len(a), n_second=len(b), matched=matched,
        only_first=tuple(a[i].shape_id for i in pairs.unmatched_first),
        only_second=tuple(b[j].shape_id for j in pairs.unmatched_second),
        dice=area.dice if area else math.nan, iou=area.iou if area else math.nan,
        hausdorff_95=area.hausdorff_95 if area else math.nan,
        volume_difference=area.volume_difference if area else math.nan,
        surface_dice=area.surface_dice if area else math.nan, unit=area.unit if area else "",
        edge_case=_edge_case(len(a), len(b)), similarity=similarity,
        attributes_equal=_attributes_equal(a, b, matched, terms),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Areas:
    """The areas of one class over all media of the item, compared."""

    dice: float
    iou: float
    hausdorff_95: float
    volume_difference: float
    surface_dice: float
    unit: str


def _compare_areas(a: Sequence[Shape], b: Sequence[Shape], ground: _Ground) -> _Areas | None:
    """The union of areas on each medium, then over media: volumes added, the largest distance, surfaces averaged."""
    terms, second_is_truth = ground.terms, ground.second_is_truth
    if any(not draws_area(shape) for shape in (*a, *b)) or not (a or b):
        return None
    parts: list[MaskComparison] = []
    for medium in sorted({shape.medium for shape in (*a, *b)}):
        size, spacing = grid_size_of(medium, (*a, *b), ground.grids)
        unions = [
            union_of(
                [*(m for s in side if s.medium == medium and (m := ground.extent(s).mask) is not None), _nothing()]
            )
            for side in (a, b)
        ]
        tolerance = terms.tolerance_px if spacing is None else terms.tolerance_mm
        part = ground.comparing(
            unions[0], unions[1], size, spacing_mm=spacing, tolerance=tolerance, second_is_truth=second_is_truth
        )
        if spacing is None and part.edge_case == "none" and spans_planes(unions[0], unions[1]):
            # How far apart the slices lie is not known, so no distance is taken across them.
            part = replace(part, hausdorff_95=distance_in_plane(unions[0], unions[1]), surface_dice=math.nan)
        parts.append(part)
    if len(parts) == 1:
        one = parts[0]
        areas = _Areas(one.dice, one.iou, one.hausdorff_95, one.volume_difference, one.surface_dice, one.unit)
        return _with_exact_boxes(areas, a, b, ground)
    v1, v2 = sum(part.volume_first for part in parts), sum(part.volume_second for part in parts)
    both = sum(part.dice * (part.volume_first + part.volume_second) / 2 for part in parts if not math.isnan(part.dice))
    dice = 2 * both / (v1 + v2) if v1 + v2 else math.nan
    below = v2 if second_is_truth else (v1 + v2) / 2
    return _Areas(
        dice=dice,
        iou=dice / (2 - dice),
        hausdorff_95=max((part.hausdorff_95 for part in parts), default=math.nan),
        volume_difference=(v1 - v2) / below if below else math.nan,
        surface_dice=float(np.mean([part.surface_dice for part in parts])),
        unit=parts[0].unit,
    )


def _with_exact_boxes(areas: _Areas, a: Sequence[Shape], b: Sequence[Shape], ground: _Ground) -> _Areas:
    """Of one upright box on each side the exact overlap is known; whole voxels would blur it."""
    if not len(a) == len(b) == 1 or any(ground.extent(shape).box is None for shape in (*a, *b)):
        return areas
    first, second = ground.extent(a[0]), ground.extent(b[0])
    pair = compare_extents(first, second, grid_at(first.medium, ground.grids), with_distance=False)
    if pair is None:
        return areas
    below = second.n_voxels if ground.second_is_truth else (first.n_voxels + second.n_voxels) / 2
    difference = (first.n_voxels - second.n_voxels) / below if below else math.nan
    return replace(areas, dice=pair.dice, iou=pair.iou, volume_difference=difference)


def _nothing() -> PlacedMask:
    return PlacedMask(np.zeros((0, 0, 0), dtype=np.bool_), (0, 0, 0))


def _edge_case(n_first: int, n_second: int) -> str:
    if n_first and n_second:
        return ""
    if n_first:
        return "second-empty"
    return "first-empty" if n_second else "both-empty"


def _attributes_equal(
    a: Sequence[Shape], b: Sequence[Shape], matched: Sequence[MatchedShapes], terms: Terms
) -> dict[str, tuple[int, int]]:
    left, right = {shape.shape_id: shape for shape in a}, {shape.shape_id: shape for shape in b}
    result: dict[str, tuple[int, int]] = {}
    for question in (question for question in terms.questions if question.on_shapes):
        given = [
            (left[pair.first].attributes[question.key], right[pair.second].attributes[question.key])
            for pair in matched
            if question.key in left[pair.first].attributes and question.key in right[pair.second].attributes
        ]
        if given:
            result[question.key] = (sum(is_same_answer(x, y) for x, y in given), len(given))
    return result


def is_same_answer(first: Value, second: Value) -> bool:
    """Whether two answers say the same: several choices in any order, numbers by value, everything else exactly."""
    if isinstance(first, tuple) and isinstance(second, tuple):
        return sorted(first) == sorted(second)
    if isinstance(first, bool) != isinstance(second, bool):
        return False
    return first == second


def _compare_answer(question: QuestionSpec, first: Reading, second: Reading) -> AnswerComparison:
    a, b = first.answers.get(question.key), second.answers.get(question.key)
    equal = None if a is None or b is None else is_same_answer(a, b)
    return AnswerComparison(question.key, a, b, equal)


def _wrong_classes(
    first: Reading, second: Reading, classes: Sequence[ClassComparison], ground: _Ground
) -> tuple[WrongClass, ...]:
    """Objects without a partner of their own class that lie where the other reading has an object of another class."""
    alone_first = {shape_id for entry in classes for shape_id in entry.only_first}
    alone_second = {shape_id for entry in classes for shape_id in entry.only_second}
    a = [shape for shape in first.shapes if shape.shape_id in alone_first]
    b = [shape for shape in second.shapes if shape.shape_id in alone_second]
    table = ground.similarity(a, b)
    pairs = match_pair(table, ground.terms.match_iou)
    return tuple(
        WrongClass(a[i].shape_id, b[j].shape_id, a[i].label, b[j].label, float(table[i, j]))
        for i, j in zip(pairs.first, pairs.second, strict=True)
        if a[i].label != b[j].label
    )


def _overall(
    classes: Sequence[ClassComparison], answers: Sequence[AnswerComparison], labels: Sequence[str]
) -> tuple[float, int, str, str]:
    parts = [entry.similarity for entry in classes if not math.isnan(entry.similarity)]
    parts += [float(answer.is_equal) for answer in answers if answer.is_equal is not None]
    for entry in classes:
        parts += [equal / compared for equal, compared in entry.attributes_equal.values()]
    if parts:
        return float(np.mean(parts)), len(parts), "", ""
    if any((answer.first is None) != (answer.second is None) for answer in answers):
        return math.nan, 0, "", "one of the two readings answers nothing that the other does"
    if labels and all(entry.edge_case == "both-empty" for entry in classes):
        return 1.0, 0, "both-empty", ""
    return math.nan, 0, "", "nothing was asked of both readings"
