"""The spatial term of STAPLE: neighbouring voxels favour each other's label (a Markov random field, in mean field).

The log odds of a label at a voxel are those of the raters' answers plus ``smoothing`` times the sum of the neighbours'
posteriors of that label; neighbours share a face. Posteriors then belong to voxels and no longer to patterns of answers,
so this is done in the region's box only and costs a pass over it a round. Not here: STAPLE without it (``staple``).

References
----------
Warfield SK, Zou KH, Wells WM (2004) STAPLE. IEEE Trans Med Imaging 23:903-921, section III-C.
Zhang J (1992) The mean field theory in EM procedures for Markov random fields. IEEE Trans Signal Process 40:2570-2583.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelhub.numerics.decision_patterns import DecisionPatterns
from labelhub.numerics.region_of_interest import RegionOfInterest
from labelhub.numerics.results import FloatArray

METHOD = "STAPLE with a Markov random field"
VERSION = "2"

_LEAST = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class SpatialPosterior:
    """``posterior[..., label]`` of the voxels in ``box`` of the grid, and the raters' ``confusion`` that belongs to it."""

    posterior: FloatArray
    box: tuple[slice, ...]
    confusion: FloatArray
    n_iterations: int
    is_converged: bool


def spatial_posterior(
    patterns: DecisionPatterns,
    posterior: FloatArray,
    prior: FloatArray,
    interest: RegionOfInterest,
    smoothing: float,
    tolerance: float,
    max_iterations: int,
) -> SpatialPosterior:
    """Posteriors and confusion matrices with the spatial term, from the posteriors of the patterns without it.

    The confusion matrices come from the voxels of the region; around it the raters' answers are all background's. It has
    converged where neither a confusion matrix nor a posterior changed by more than ``tolerance``: the first round's
    matrices are those without the term, so that they alone would end it before it began.
    """
    numbers = np.asarray(patterns.spread(np.arange(len(patterns.table))), dtype=np.int64)[interest.box]
    field: FloatArray = np.asarray(posterior[numbers], dtype=np.float64)
    inside = interest.inside
    used = numbers[inside]
    n_labels = len(patterns.labels)
    n_iterations, is_converged = 0, False
    current = np.zeros((patterns.n_raters, n_labels, n_labels))
    while n_iterations < max_iterations and not is_converged:
        n_iterations += 1
        weights = np.stack(
            [np.bincount(used, field[inside, label], len(patterns.table)) for label in range(n_labels)], axis=1
        )
        previous, current = current, _confusion(patterns, weights.astype(np.float64))
        evidence = np.log(np.maximum(prior, _LEAST)) + _log_likelihood(patterns, current)
        before, field = field, _normalised(evidence[numbers] + smoothing * neighbour_sums(field))
        change = max(np.abs(current - previous).max(initial=0.0), np.abs(field - before).max(initial=0.0))
        is_converged = bool(change <= tolerance)
    return SpatialPosterior(field, interest.box, current, n_iterations, is_converged)


def neighbour_sums(field: FloatArray) -> FloatArray:
    """The sum over the neighbours across faces of each voxel; the last axis is no direction, beyond the edge is 0.

    Examples
    --------
    >>> neighbour_sums(np.array([[[1.0], [0.5], [0.0]]])).ravel().tolist()
    [0.5, 1.0, 0.5]
    """
    result = np.zeros_like(field)
    for axis in range(field.ndim - 1):
        line, total = np.moveaxis(field, axis, 0), np.moveaxis(result, axis, 0)
        total[1:] += line[:-1]
        total[:-1] += line[1:]
    return result


def _confusion(patterns: DecisionPatterns, weights: FloatArray) -> FloatArray:
    n_labels = weights.shape[1]
    counts = np.zeros((patterns.n_raters, n_labels, n_labels))
    for rater in range(patterns.n_raters):
        for given in range(n_labels):
            counts[rater, :, given] = weights[patterns.table[:, rater] == given].sum(axis=0)
    total = counts.sum(axis=2, keepdims=True)
    return np.asarray(np.divide(counts, total, out=np.full_like(counts, 1 / n_labels), where=total > 0))


def _log_likelihood(patterns: DecisionPatterns, confusion: FloatArray) -> FloatArray:
    logs = np.log(np.maximum(confusion, _LEAST))
    result = np.zeros((len(patterns.table), len(patterns.labels)))
    for rater in range(patterns.n_raters):
        result += logs[rater][:, patterns.table[:, rater]].T
    return result


def _normalised(evidence: FloatArray) -> FloatArray:
    scaled = np.exp(evidence - evidence.max(axis=-1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=-1, keepdims=True), dtype=np.float64)
