"""Krippendorff's alpha from coincidences that a device of torch counts: ratings with gaps, or all voxels of label maps.

Equal to ``numerics.alpha`` within 1e-6: sums are float64. Intervals are made there; here is the value alone.

References
----------
Krippendorff K (2011) Computing Krippendorff's alpha-reliability. University of Pennsylvania.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import ArrayLike

from labelhub.inference.accelerated.devices import computing_device, room_of
from labelhub.inference.accelerated.laid import Maps, lay
from labelhub.inference.accelerated.patterns import pattern_counts
from labelhub.numerics.alpha import Measure, krippendorff_alpha
from labelhub.numerics.decision_patterns import PatternCounts, one_hot
from labelhub.numerics.packed_alpha import Coincidences, alpha_of_coincidences
from labelhub.numerics.ratings import category_values, rating_matrix
from labelhub.numerics.results import Estimate, FloatArray, Interval

# With more values no table of values by values is made: the general way takes sums of another kind.
MAX_VALUES: Final = 2_000


def alpha_value(
    ratings: ArrayLike, measure: Measure = "nominal", *, unit: str = "items", device: torch.device | None = None
) -> Estimate:
    """As ``numerics.packed_alpha.alpha_value`` without an interval: ``ratings[unit, rater]``, NaN where there is none.

    Ratings of more than 2,000 different values are handed to ``numerics.alpha``. Raises ``ValueError`` where ratings are
    not a matrix or infinite, or ratio data are negative.
    """
    given = np.asarray(ratings)
    if given.dtype.kind in "iu" and given.ndim == 2 and given.size:
        # Whole numbers have no gaps: each rater's column is a map, and the few different rows are all there is to sum.
        (patterns,) = pattern_counts(lay([list(given.T)], device or computing_device()))
        return alpha_of_coincidences(coincidences_of_patterns(patterns), measure, unit)
    matrix = rating_matrix(given)
    found = coincidences(matrix, device=device)
    if found is not None:
        return alpha_of_coincidences(found, measure, unit)
    whole = krippendorff_alpha(matrix, measure, unit=unit).estimate
    return whole.with_interval(Interval(reason="no resampling was asked for"))


def alpha_of_maps(
    maps: Maps,
    measure: Measure = "nominal",
    *,
    labels: Sequence[int] | None = None,
    device: torch.device | None = None,
) -> Estimate:
    """Alpha of all voxels of several raters' label maps: voxels are the units, and nobody left one out."""
    (patterns,) = pattern_counts(lay([maps], device or computing_device()), labels=labels)
    return alpha_of_coincidences(coincidences_of_patterns(patterns), measure, "voxels")


def coincidences_of_patterns(patterns: PatternCounts) -> Coincidences:
    """The coincidences of all voxels, from the few different answers at one."""
    n_labels, n_raters = len(patterns.labels), patterns.n_raters
    values = patterns.labels.astype(np.float64)
    if n_raters < 2:
        return Coincidences(values, np.zeros((n_labels, n_labels)), np.zeros(n_labels), 0)
    chosen = one_hot(patterns).reshape(-1, n_raters, n_labels).sum(axis=1)
    weighted = chosen * patterns.counts[:, None]
    return Coincidences(values, weighted.T @ chosen / (n_raters - 1), weighted.sum(axis=0), int(patterns.counts.sum()))


def coincidences(
    ratings: FloatArray, *, device: torch.device | None = None, units_at_once: int | None = None
) -> Coincidences | None:
    """The coincidences of ``ratings[unit, rater]`` of any values; ``None`` where there are more than 2,000 of these.

    Units pass in blocks that fit the room of the device, or ``units_at_once``.
    """
    chosen = device or computing_device()
    values = torch.from_numpy(category_values(ratings, None)).to(chosen)
    q = len(values)
    if q > MAX_VALUES:
        return None
    table = torch.zeros((q, q), dtype=torch.float64, device=chosen)
    totals = torch.zeros(q, dtype=torch.float64, device=chosen)
    n_units = 0
    step = units_at_once or max(1, room_of(chosen) // (8 * (3 * q + 4 * max(ratings.shape[1], 1))))
    for start in range(0, len(ratings) if q else 0, step):
        block = torch.from_numpy(np.array(ratings[start : start + step], dtype=np.float64)).to(chosen)
        counts = _counts(block, values)
        raters = counts.sum(dim=1)
        counts, raters = counts[raters >= 2], raters[raters >= 2]
        table += (counts / (raters - 1)[:, None]).T @ counts
        totals += counts.sum(dim=0)
        n_units += len(counts)
    return Coincidences(values.cpu().numpy(), table.cpu().numpy(), totals.cpu().numpy(), n_units)


def _counts(block: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """How often each unit got each value: shape (unit, value)."""
    is_given = ~block.isnan()
    place = torch.searchsorted(values, torch.where(is_given, block, values[0]))
    counts = torch.zeros((len(block), len(values)), dtype=torch.float64, device=block.device)
    return counts.scatter_add_(1, place, is_given.to(torch.float64))
