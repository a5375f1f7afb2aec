"""Lesion-wise F1: how many of the separate lesions of two masks are the same ones.

Lesions are connected pieces (26 neighbours in 3-D, 8 in 2-D). They are matched one to one by IoU of at least .1, with
the greatest total IoU. What is left over is reported with its volume, since a missed speck and a missed tumour are not
the same. Not here: objects that touch (``panoptic``).

References
----------
Maier-Hein L et al. (2024) Metrics reloaded. Nature Methods 21:195-212 (detection at a low localisation threshold).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.numerics.arguments import checked
from labelhub.numerics.instances import components, instance_overlaps, match_instances
from labelhub.numerics.mask_pair import EdgeCase, LengthUnit, mask_pair
from labelhub.numerics.results import NAN, BoolArray

METHOD = "lesion-wise F1"
VERSION = "1"

DEFAULT_THRESHOLD = 0.1


@dataclass(frozen=True, slots=True)
class LesionMatch:
    """F1 over lesions, 1 where all are matched: 2 TP / (2 TP + FP + FN); NaN where both masks are empty, 0 where one is.

    ``volumes_only_first`` are the lesions of the first mask without a partner (false positives against a truth), largest
    first, and ``volumes_only_second`` those of the second (false negatives), in the cube (2-D: square) of ``unit``.
    ``ious`` belong to the matched pairs. ``precision`` is NaN without lesions in the first mask, ``recall`` without
    lesions in the second.
    """

    value: float
    precision: float
    recall: float
    n_matched: int
    n_only_first: int
    n_only_second: int
    volumes_only_first: tuple[float, ...]
    volumes_only_second: tuple[float, ...]
    ious: tuple[float, ...]
    threshold: float
    unit: LengthUnit
    edge_case: EdgeCase
    method: str = METHOD
    version: str = VERSION

    @property
    def volume_only_first(self) -> float:
        """The volume of all lesions that only the first mask has."""
        return float(sum(self.volumes_only_first))

    @property
    def volume_only_second(self) -> float:
        """The volume of all lesions that only the second mask has."""
        return float(sum(self.volumes_only_second))


@checked
def lesion_f1(
    first: BoolArray,
    second: BoolArray,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    spacing_mm: Sequence[float] | None = None,
    both_empty_is_perfect: bool = False,
) -> LesionMatch:
    """F1 over the lesions of a mask (first) and a truth or another reader's mask (second) on one grid.

    Parameters
    ----------
    first, second : array of bool, shape (y, x) or (z, y, x)
        An axis of length 1 is no dimension.
    threshold : float
        Least IoU of a matched pair, above 0.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis, for the volumes.
    both_empty_is_perfect : bool
        Two empty masks get 1 in place of NaN.

    Raises
    ------
    ValueError
        Where the grids differ, a mask is not boolean, or threshold or spacing is impossible.

    Examples
    --------
    Two lesions of which one is found, and one that is not there.

    >>> truth, drawn = np.zeros((20, 20), dtype=bool), np.zeros((20, 20), dtype=bool)
    >>> truth[2:6, 2:6] = truth[12:16, 2:6] = True
    >>> drawn[3:7, 2:6] = drawn[2:4, 15:18] = True
    >>> found = lesion_f1(drawn, truth)
    >>> found.value, found.volumes_only_first, found.volumes_only_second, found.ious
    (0.5, (6.0,), (16.0,), (0.6,))
    """
    pair = mask_pair(first, second, spacing_mm)
    overlaps = instance_overlaps(components(pair.first), components(pair.second))
    matched = match_instances(overlaps, threshold)
    left = [
        np.sort(np.delete(size, place))[::-1] * pair.voxel_volume
        for size, place in ((overlaps.size_first, matched.first), (overlaps.size_second, matched.second))
    ]
    n_matched, n_first, n_second = len(matched.iou), len(overlaps.ids_first), len(overlaps.ids_second)
    value = 2 * n_matched / max(n_first + n_second, 1)
    return LesionMatch(
        value=pair.share_or_edge(value, both_empty_is_perfect=both_empty_is_perfect),
        precision=n_matched / n_first if n_first else NAN,
        recall=n_matched / n_second if n_second else NAN,
        n_matched=n_matched,
        n_only_first=n_first - n_matched,
        n_only_second=n_second - n_matched,
        volumes_only_first=tuple(left[0].astype(float).tolist()),
        volumes_only_second=tuple(left[1].astype(float).tolist()),
        ious=tuple(matched.iou.tolist()),
        threshold=threshold,
        unit=pair.unit,
        edge_case=pair.edge_case,
    )
