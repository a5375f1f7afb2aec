"""STAPLE: the mask (or label map) behind several raters' masks, with each rater's errors, estimated together.

The truth of a voxel is hidden; every rater has a confusion matrix (in the binary case sensitivity and specificity). Both
are estimated in turn until neither changes. The estimate is a function of the answers at a voxel, so it is computed once
for each different pattern of answers. By default only voxels within two steps of what any rater marked take part: over
the whole image easy background makes everyone look perfect, and the result then changes with how much air was imaged.

Which of two conventions: the share of the truth (the prior) is the raters' mean share and stays fixed, as in the paper's
software; it is not estimated again. Two masks of equal weight leave voxels at exactly one half: these belong, as in a
majority vote. Not here: shapes moved as a whole (``fusion_calibration``), which no vote can correct.

References
----------
Warfield SK, Zou KH, Wells WM (2004) STAPLE. IEEE Trans Med Imaging 23:903-921.
Rohlfing T, Russakoff DB, Maurer CR (2004) Performance-based classifier combination. IEEE Trans Med Imaging 23:983-994.
Asman AJ, Landman BA (2011) Robust statistical label fusion (degenerate solutions). IEEE Trans Med Imaging 30:1779-1794.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from labelhub.numerics.arguments import checked
from labelhub.numerics.decision_patterns import DecisionPatterns, decision_patterns, one_hot
from labelhub.numerics.region_of_interest import Region, RegionOfInterest, region_of_interest
from labelhub.numerics.results import BoolArray, FloatArray, IntArray
from labelhub.numerics.staple_spatial import SpatialPosterior, spatial_posterior

METHOD = "STAPLE"
VERSION = "1"

LEAST_SENSITIVITY = 0.05

Start: TypeAlias = Literal["vote", "itk"]


@dataclass(frozen=True, slots=True, eq=False)
class Staple:
    """What the raters' masks say together, and how good each rater is by that.

    ``confusion[rater, truth, given]`` over ``labels``; ``prior[label]``; ``posterior[pattern, label]`` of the different
    answers ``patterns`` (with a spatial term ``spatial`` holds one a voxel instead). ``n_region`` voxels took part
    (``region``). Where ``is_fallback`` the posterior is the share of votes and ``warnings`` says why; ``confusion`` is
    then what was found wanting.
    """

    labels: IntArray
    confusion: FloatArray
    prior: FloatArray
    posterior: FloatArray
    patterns: DecisionPatterns
    spatial: SpatialPosterior | None
    region: Region
    n_region: int
    n_iterations: int
    is_converged: bool
    is_fallback: bool
    warnings: tuple[str, ...] = ()
    method: str = METHOD
    version: str = VERSION

    @property
    def sensitivity(self) -> FloatArray:
        """Of each rater the share of the (last) label's voxels that the rater marked: for masks."""
        return np.asarray(self.confusion[:, -1, -1])

    @property
    def specificity(self) -> FloatArray:
        """Of each rater the share of the first label's voxels (background) that the rater left: for masks."""
        return np.asarray(self.confusion[:, 0, 0])

    @property
    def undecided(self) -> int:
        """The number that stands in :meth:`label_map` where no label is more probable than every other."""
        return int(self.labels[-1]) + 1

    def probability(self, label: int | None = None) -> FloatArray:
        """The posterior of a label at every voxel of the grid; of the last label (foreground) by default."""
        place = len(self.labels) - 1 if label is None else int(np.searchsorted(self.labels, label))
        if place >= len(self.labels) or (label is not None and self.labels[place] != label):
            message = f"label is {label}; known are {self.labels.tolist()}"
            raise ValueError(message)
        result = np.asarray(self.patterns.spread(np.ascontiguousarray(self.posterior[:, place])), dtype=np.float64)
        if self.spatial is not None:
            result[self.spatial.box] = self.spatial.posterior[..., place]
        return result

    def mask(self) -> BoolArray:
        """The voxels whose posterior of the last label (foreground) is at least one half."""
        result = np.asarray(self.patterns.spread(self.posterior[:, -1] >= 0.5), dtype=np.bool_)
        if self.spatial is not None:
            result[self.spatial.box] = self.spatial.posterior[..., -1] >= 0.5
        return result

    def label_map(self) -> NDArray[np.integer]:
        """The most probable label at every voxel, ``undecided`` where there is no single one."""
        small = np.result_type(np.min_scalar_type(self.undecided), np.min_scalar_type(int(self.labels[0])))
        kind = self.patterns.first.dtype if np.can_cast(small, self.patterns.first.dtype) else small
        result = np.asarray(self.patterns.spread(self._winner(self.posterior).astype(kind)))
        if self.spatial is not None:
            result[self.spatial.box] = self._winner(self.spatial.posterior)
        return result

    def confidence(self) -> FloatArray:
        """The posterior of the most probable label at every voxel."""
        result = np.asarray(self.patterns.spread(self.posterior.max(axis=1)), dtype=np.float64)
        if self.spatial is not None:
            result[self.spatial.box] = self.spatial.posterior.max(axis=-1)
        return result

    def _winner(self, posterior: FloatArray) -> IntArray:
        most = posterior.max(axis=-1, keepdims=True)
        is_single = (posterior == most).sum(axis=-1) == 1
        return np.where(is_single, self.labels[posterior.argmax(axis=-1)], self.undecided).astype(np.int64)


@checked
def staple(
    masks: Sequence[BoolArray],
    *,
    region: Region = "union",
    smoothing: float = 0.0,
    tolerance: float = 1e-7,
    max_iterations: int = 2000,
) -> Staple:
    """The mask behind several raters' masks of one structure on one grid.

    Parameters
    ----------
    masks : sequence of array of bool, shape (y, x) or (z, y, x)
    region : {"union", "full"}
        "union": voxels within two steps (across faces) of any rater's mask; "full": all voxels of the grid, as other
        software does, whose update and stop rule are the same.
    smoothing : float
        Weight of the six (in 2-D four) neighbours' posteriors in favour of a voxel's label (Ising model); 0 is none.
    tolerance : float
        Stop when no sensitivity or specificity changed by more.
    max_iterations : int
        Stop, with a warning, after so many rounds.

    Raises
    ------
    ValueError
        Where there is no mask, grids differ, a mask is not boolean, the region is unknown, or smoothing is below 0.

    Examples
    --------
    >>> a, b, c = (np.zeros((20, 20), dtype=bool) for _ in range(3))
    >>> a[5:15, 5:15] = b[5:15, 5:15] = c[5:15, 5:18] = True
    >>> found = staple([a, b, c])
    >>> int(found.mask().sum()), found.sensitivity.round(2).tolist(), round(float(found.specificity[2]), 2)
    (100, [1.0, 1.0, 1.0], 0.76)
    """
    for number, mask in enumerate(masks):
        if mask.dtype != np.bool_:
            message = f"rater {number} has dtype {mask.dtype}; masks are boolean (label_staple takes label maps)"
            raise ValueError(message)
    patterns = decision_patterns(masks)
    interest = region_of_interest(patterns, region, background=0)
    return _settled(patterns, interest, start_of_masks(patterns, interest), smoothing, tolerance, max_iterations)


@checked
def label_staple(
    maps: Sequence[NDArray[np.integer]],
    *,
    labels: Sequence[int] | None = None,
    background: int = 0,
    region: Region = "union",
    start: Start = "vote",
    smoothing: float = 0.0,
    tolerance: float = 1e-5,
    max_iterations: int = 2000,
) -> Staple:
    """The label map behind several raters' label maps on one grid; it starts from their majority vote.

    Parameters
    ----------
    maps : sequence of array of int, shape (y, x) or (z, y, x)
    labels : sequence of int, optional
        Possible labels besides those that occur.
    background : int
        The label that is no structure; the region is around all others together.
    region, smoothing, max_iterations
        As for :func:`staple`, the Ising model becoming Potts's.
    start : {"vote", "itk"}
        "vote": confusion matrices by the majority vote, tied voxels left out. "itk", for comparison with that software:
        its filter counts a tied voxel as background under the next higher label, and may settle elsewhere.
    tolerance : float
        Stop when no entry of a confusion matrix changed by more.

    Raises
    ------
    ValueError
        Where there is no map, grids differ, labels are not whole numbers, or region, start or smoothing is none.

    Examples
    --------
    >>> a = np.array([[0, 1, 1, 1, 2, 2, 0]] * 3)
    >>> b = np.array([[0, 1, 1, 1, 1, 2, 0]] * 3)
    >>> label_staple([a, a, b]).label_map()[0].tolist()
    [0, 1, 1, 1, 2, 2, 0]
    """
    patterns = decision_patterns(maps, labels=labels)
    interest = region_of_interest(patterns, region, background=place_of(background, patterns.labels))
    return _settled(patterns, interest, start_of_maps(patterns, interest, start), smoothing, tolerance, max_iterations)


@dataclass(frozen=True, slots=True, eq=False)
class Estimation:
    """Where the estimation stands: ``posterior[pattern, label]``, ``confusion[rater, truth, given]``, ``prior[label]``."""

    posterior: FloatArray
    confusion: FloatArray | None
    prior: FloatArray
    n_iterations: int
    is_converged: bool = False


def place_of(background: int, labels: IntArray) -> int:
    """The place of the background in the sorted labels, -1 where it is none of them."""
    found = np.flatnonzero(labels == background)
    return int(found[0]) if len(found) else -1


def start_of_masks(patterns: DecisionPatterns, interest: RegionOfInterest) -> Estimation:
    """Where :func:`staple` starts: from the shares of votes."""
    shares = vote_shares(patterns)
    return Estimation(shares, None, _prior(shares, interest.counts), 0)


def start_of_maps(patterns: DecisionPatterns, interest: RegionOfInterest, start: Start = "vote") -> Estimation:
    """Where :func:`label_staple` starts: from the confusion matrices by the majority vote."""
    shares = vote_shares(patterns)
    prior = _prior(shares, interest.counts)
    confusion = _confusion_by_vote(patterns, shares, interest.counts, start)
    return Estimation(_expect(patterns, confusion, prior, shares), confusion, prior, 0)


def _settled(
    patterns: DecisionPatterns,
    interest: RegionOfInterest,
    start: Estimation,
    smoothing: float,
    tolerance: float,
    max_iterations: int,
) -> Staple:
    if not (math.isfinite(smoothing) and smoothing >= 0):
        message = f"smoothing is {smoothing!r}; a finite number of at least 0 is needed"
        raise ValueError(message)
    shares = vote_shares(patterns)
    found = _iterated(patterns, interest.counts, start, shares, tolerance, max_iterations)
    spatial = None
    if smoothing > 0 and interest.n_voxels:
        spatial = spatial_posterior(
            patterns, found.posterior, found.prior, interest, smoothing, tolerance, max_iterations
        )
        n_rounds = found.n_iterations + spatial.n_iterations
        found = Estimation(found.posterior, spatial.confusion, found.prior, n_rounds, spatial.is_converged)
    return concluded(patterns, interest, found, spatial, max_iterations)


def concluded(
    patterns: DecisionPatterns,
    interest: RegionOfInterest,
    found: Estimation,
    spatial: SpatialPosterior | None,
    max_iterations: int,
) -> Staple:
    """The result of an estimation that ended, or the vote where it is degenerate."""
    assert found.confusion is not None
    warnings = [] if found.is_converged else [f"not converged after {max_iterations} rounds"]
    warnings += _overlooked(patterns, interest.counts, found)
    doubts = _degeneracy(patterns, interest.counts, found)
    posterior = found.posterior
    if doubts:
        posterior, spatial = vote_shares(patterns), None
        warnings += [f"{doubt}: the majority vote is given instead" for doubt in doubts]
    return Staple(
        labels=patterns.labels,
        confusion=found.confusion,
        prior=found.prior,
        posterior=posterior,
        patterns=patterns,
        spatial=spatial,
        region=interest.kind,
        n_region=interest.n_voxels,
        n_iterations=found.n_iterations,
        is_converged=found.is_converged,
        is_fallback=bool(doubts),
        warnings=tuple(warnings),
    )


def _iterated(
    patterns: DecisionPatterns,
    counts: FloatArray,
    start: Estimation,
    shares: FloatArray,
    tolerance: float,
    max_iterations: int,
) -> Estimation:
    answers = one_hot(patterns)
    posterior, previous = start.posterior, start.confusion
    confusion, n_iterations, is_converged = previous, 0, False
    while n_iterations < max(max_iterations, 1) and not is_converged:
        n_iterations += 1
        confusion = _maximise(answers, posterior * counts[:, None], patterns.n_raters)
        posterior = _expect(patterns, confusion, start.prior, shares)
        is_converged = previous is not None and float(np.abs(confusion - previous).max()) <= tolerance
        previous = confusion
    return Estimation(posterior, confusion, start.prior, n_iterations, is_converged)


def _maximise(answers: FloatArray, weights: FloatArray, n_raters: int) -> FloatArray:
    n_labels = weights.shape[1]
    counts = (weights.T @ answers).reshape(n_labels, n_raters, n_labels).swapaxes(0, 1)
    total = counts.sum(axis=2, keepdims=True)
    # A label that no voxel has says nothing of the rater.
    return np.asarray(np.divide(counts, total, out=np.full_like(counts, 1 / n_labels), where=total > 0))


def _expect(patterns: DecisionPatterns, confusion: FloatArray, prior: FloatArray, shares: FloatArray) -> FloatArray:
    joint = np.repeat(prior[None], len(patterns.table), axis=0)
    for rater in range(patterns.n_raters):
        joint *= confusion[rater][:, patterns.table[:, rater]].T
    total = joint.sum(axis=1, keepdims=True)
    # Where no label can explain the answers the votes are all there is.
    return np.where(total > 0, joint / np.where(total > 0, total, 1.0), shares)


def vote_shares(patterns: DecisionPatterns) -> FloatArray:
    """Of each pattern the share of raters who chose each label: shape (pattern, label)."""
    answers = one_hot(patterns).reshape(len(patterns.table), patterns.n_raters, len(patterns.labels))
    return np.asarray(answers.mean(axis=1))


def _prior(shares: FloatArray, counts: FloatArray) -> FloatArray:
    total = float(counts.sum())
    return np.asarray(counts @ shares / total if total else shares.mean(axis=0), dtype=np.float64)


def _confusion_by_vote(patterns: DecisionPatterns, shares: FloatArray, counts: FloatArray, start: Start) -> FloatArray:
    """What the majority has where a rater gave a label, as shares of the rater's label: shape (rater, truth, given)."""
    leads = shares == shares.max(axis=1, keepdims=True)
    is_tied = leads.sum(axis=1) > 1
    answers, n_labels = one_hot(patterns), len(patterns.labels)
    voted = np.where(is_tied[:, None], 0.0, leads) * counts[:, None]
    by_rater = (voted.T @ answers).reshape(n_labels, patterns.n_raters, n_labels).swapaxes(0, 1)
    if start == "itk":
        tied = ((is_tied * counts) @ answers).reshape(patterns.n_raters, n_labels)
        has_next = np.flatnonzero(np.diff(patterns.labels) == 1)
        by_rater[:, 0, has_next + 1] += tied[:, has_next]
    total = by_rater.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(by_rater, total, out=np.zeros_like(by_rater), where=total > 0))


def _overlooked(patterns: DecisionPatterns, counts: FloatArray, found: Estimation) -> list[str]:
    """Which rater of label maps misses which label (almost) altogether: in a mask that is a degenerate result."""
    assert found.confusion is not None
    if len(patterns.labels) == 2:
        return []
    is_there = counts @ found.posterior >= 0.5
    right = np.diagonal(found.confusion, axis1=1, axis2=2)
    return [
        f"rater {rater} would have a sensitivity below {LEAST_SENSITIVITY} for label {patterns.labels[place]}"
        for rater, place in np.argwhere((right < LEAST_SENSITIVITY) & is_there)
    ]


def _degeneracy(patterns: DecisionPatterns, counts: FloatArray, found: Estimation) -> tuple[str, ...]:
    assert found.confusion is not None
    n_labels = len(patterns.labels)
    occurs = np.array([bool((counts[patterns.chosen(place).any(axis=1)] > 0).any()) for place in range(n_labels)])
    if occurs.sum() < 2:
        return ("all raters give one label everywhere, there is nothing to estimate",)
    doubts = []
    right = np.diagonal(found.confusion, axis1=1, axis2=2)
    if n_labels == 2:
        poor = np.flatnonzero(right[:, -1] < LEAST_SENSITIVITY)
    else:
        weight = np.where(occurs, counts @ found.posterior, 0.0)
        weight[weight.argmax()] = 0.0
        poor = np.flatnonzero(right @ weight < LEAST_SENSITIVITY * weight.sum())
    if len(poor):
        doubts.append(f"rater {', '.join(map(str, poor))} would have a sensitivity below {LEAST_SENSITIVITY}")
    unanimous = found.posterior[np.arange(n_labels), np.arange(n_labels)]
    if ((unanimous < 0.5) & (counts[:n_labels] > 0)).any():
        doubts.append("labels are flipped: voxels on which all raters agree would be given another label")
    return tuple(doubts)
