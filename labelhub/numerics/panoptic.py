"""Panoptic quality: were the same objects found, and how well does each matched pair overlap.

Two objects match where their IoU is above one half; objects of one image do not overlap, so no object can have two such
partners and no assignment has to be solved. PQ = (sum of IoU of matched pairs) / (TP + FP/2 + FN/2) = SQ x RQ, for each
class alone, then the mean over classes that occur. Not here: lesions cut out of one mask (``lesions``).

References
----------
Kirillov A et al. (2019) Panoptic segmentation. CVPR, eq. 1-2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked
from labelhub.numerics.instances import InstanceOverlaps, instance_overlaps
from labelhub.numerics.results import NAN, BoolArray, FloatArray, IntArray

METHOD = "panoptic quality"
VERSION = "1"


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """Panoptic quality of one class: ``value`` = ``segmentation`` (mean IoU of matches) x ``recognition`` (F1).

    NaN where neither image has an object of the class (``edge_case`` "both-empty"); 0 where only one has, and then
    ``segmentation`` is NaN, as in every class without a match.
    """

    label: int
    value: float
    segmentation: float
    recognition: float
    n_matched: int
    n_only_first: int
    n_only_second: int


@dataclass(frozen=True, slots=True)
class PanopticQuality:
    """The mean of ``classes`` with an object in either image; NaN where there is none. ``n_classes`` were averaged."""

    value: float
    segmentation: float
    recognition: float
    n_classes: int
    classes: tuple[ClassQuality, ...]
    method: str = METHOD
    version: str = VERSION


@checked
def panoptic_quality(
    first: ArrayLike,
    second: ArrayLike,
    *,
    classes_first: Mapping[int, int] | None = None,
    classes_second: Mapping[int, int] | None = None,
    void: BoolArray | None = None,
) -> PanopticQuality:
    """Panoptic quality of an image of objects (first) against a truth or another reader's (second).

    Parameters
    ----------
    first, second : array of int, any shape
        The number of the object at each pixel, 0 where there is none.
    classes_first, classes_second : mapping of int to int, optional
        The class of each object number; one class (0) for all by default.
    void : array of bool, optional
        Pixels that the truth leaves open: they do not count in any union, and an object of the first image that lies
        for more than half in them is not held against it.

    Raises
    ------
    ValueError
        Where the grids differ, an object number is not whole or below 0, or an object has no class.

    Examples
    --------
    Of two objects one is found with an IoU of .8, and one is made up.

    >>> truth = [[1, 1, 1, 1, 0, 0, 2, 2, 2, 2]]
    >>> found = panoptic_quality([[5, 5, 5, 5, 5, 0, 0, 0, 0, 6]], truth)
    >>> round(found.value, 4), found.classes[0].n_only_first, found.classes[0].n_only_second
    (0.4, 1, 1)
    """
    given, truth = np.asarray(first), np.asarray(second)
    open_pixels = np.zeros(truth.shape, dtype=bool) if void is None else np.asarray(void)
    if open_pixels.shape != truth.shape or open_pixels.dtype != np.bool_:
        message = f"void has shape {open_pixels.shape} and dtype {open_pixels.dtype}; booleans on the grid are needed"
        raise ValueError(message)
    truth = np.where(open_pixels, 0, truth) if open_pixels.any() else truth
    overlaps = instance_overlaps(given, truth)
    in_void = _sizes_in(given, open_pixels, overlaps.ids_first)
    class_of_first = _classes(overlaps.ids_first, classes_first, "classes_first")
    class_of_second = _classes(overlaps.ids_second, classes_second, "classes_second")
    matched, iou = _matches(overlaps, in_void, class_of_first, class_of_second)
    is_left_first = np.ones(len(overlaps.ids_first), dtype=bool)
    is_left_first[overlaps.first[matched]] = False
    is_left_first &= 2 * in_void <= overlaps.size_first
    matched_class = class_of_second[overlaps.second[matched]]
    labels = np.union1d(class_of_first, class_of_second)
    classes = tuple(
        _class_quality(
            int(label),
            iou[matched_class == label],
            int(np.count_nonzero(is_left_first & (class_of_first == label))),
            int(np.count_nonzero(class_of_second == label) - np.count_nonzero(matched_class == label)),
        )
        for label in labels
    )
    defined = [one for one in classes if one.value == one.value]
    return PanopticQuality(
        _mean([one.value for one in defined]),
        _mean([one.segmentation for one in defined if one.n_matched]),
        _mean([one.recognition for one in defined]),
        len(defined),
        classes,
    )


def _sizes_in(image: IntArray, region: BoolArray, ids: IntArray) -> IntArray:
    inside = image[region & (image > 0)]
    return np.bincount(np.searchsorted(ids, inside), minlength=len(ids)).astype(np.int64)


def _classes(ids: IntArray, classes: Mapping[int, int] | None, name: str) -> IntArray:
    if classes is None:
        return np.zeros(len(ids), dtype=np.int64)
    missing = [int(number) for number in ids if int(number) not in classes]
    if missing:
        message = f"{name} has no class for object {missing[0]}; every object of the image needs one"
        raise ValueError(message)
    return np.array([classes[int(number)] for number in ids], dtype=np.int64)


def _matches(
    overlaps: InstanceOverlaps, in_void: IntArray, class_of_first: IntArray, class_of_second: IntArray
) -> tuple[IntArray, FloatArray]:
    first, second, shared = overlaps.first, overlaps.second, overlaps.shared
    union = overlaps.size_first[first] - in_void[first] + overlaps.size_second[second] - shared
    # In whole numbers, so that exactly one half is not above one half.
    is_match = (2 * shared > union) & (class_of_first[first] == class_of_second[second])
    places = np.flatnonzero(is_match).astype(np.int64)
    return places, np.asarray(shared[places] / union[places], dtype=np.float64)


def _class_quality(label: int, iou: FloatArray, n_only_first: int, n_only_second: int) -> ClassQuality:
    n = len(iou)
    weight = n + n_only_first / 2 + n_only_second / 2
    if weight == 0:
        return ClassQuality(label, NAN, NAN, NAN, 0, 0, 0)
    segmentation = float(iou.mean()) if n else NAN
    return ClassQuality(label, float(iou.sum() / weight), segmentation, n / weight, n, n_only_first, n_only_second)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else NAN
