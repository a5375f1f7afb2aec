"""How believable a given label is beside a model's prediction: for a class, for each pixel, and for whole data sets.

The model's probabilities must be out of sample. A low score asks for a look; it proves nothing. Not here: the model, and
agreement of people.

References
----------
Northcutt CG, Jiang L, Chuang IL (2021) Confident learning. JAIR 70:1373-1411, eqs 1-3.
Lad V, Mueller J (2023) Estimating label quality and errors in semantic segmentation data via any model. ICML DMLR
Workshop, arXiv 2307.05080 (softmin).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import NAN, BoolArray, FloatArray, IntArray

METHOD = "label quality"
VERSION = "1"

TEMPERATURE = 0.1


@checked
def softmin_score(given_probability: ArrayLike, *, temperature: float = TEMPERATURE) -> float:
    """The quality of a labeled image or region: close to the worst pixels' quality, however many good ones there are.

    s = sum of x * softmax((1 - x) / temperature), where x is a pixel's probability of the label that it was given.

    Parameters
    ----------
    given_probability : array of float, any shape
        0 to 1; NaN (outside the region) is left out. Without pixels the score is NaN.
    temperature : float
        Above 0; towards 0 the minimum, towards infinity the mean.

    Raises
    ------
    ValueError
        Where a value lies outside 0 to 1, or temperature is not above 0.

    Examples
    --------
    990 pixels at .95 and 10 at .05, whose mean is .941:

    >>> x = [0.95] * 990 + [0.05] * 10
    >>> [round(softmin_score(x, temperature=t), 4) for t in (0.05, 0.1, 0.5)]
    [0.05, 0.0609, 0.8982]
    """
    values = np.asarray(given_probability, dtype=np.float64).ravel()
    values = values[~np.isnan(values)]
    if not temperature > 0:
        message = f"temperature is {temperature!r}; it must be above 0"
        raise ValueError(message)
    if ((values < 0) | (values > 1)).any():
        message = f"given_probability runs from {values.min()} to {values.max()}; allowed is 0 to 1, and NaN"
        raise ValueError(message)
    if not len(values):
        return NAN
    weight = np.exp((values.min() - values) / temperature)
    return float(values @ weight / weight.sum())


@dataclass(frozen=True, slots=True, eq=False)
class SuspectRegion:
    """A connected piece that the model doubts: its number in ``map``, voxels, summed doubt, and bounding box slices."""

    number: int
    n_voxels: int
    doubt: float
    box: tuple[slice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SuspectRegions:
    """Regions from most to least doubt, and ``map``, which holds each one's number (0 elsewhere)."""

    regions: tuple[SuspectRegion, ...]
    map: IntArray
    version: str = VERSION


@checked
def suspect_regions(given_probability: ArrayLike, *, below: float = 0.1, min_voxels: int = 10) -> SuspectRegions:
    """Connected regions where the given label is improbable, for a reviewer to look at: most summed doubt (1 - x) first.

    Parameters
    ----------
    given_probability : array of float, shape (y, x) or (z, y, x)
        Probability of the label that each voxel was given; NaN is never suspect.
    below : float
        Voxels under this are suspect.
    min_voxels : int
        Smaller regions are left out. Neighbours share a face.

    Raises
    ------
    ValueError
        Where the array is not 2-D or 3-D, or ``below`` or ``min_voxels`` is out of range.

    Examples
    --------
    >>> x = np.ones((20, 20))
    >>> x[2:6, 2:6], x[10:15, 10:15] = 0.05, 0.01
    >>> [region.n_voxels for region in suspect_regions(x).regions]
    [25, 16]
    """
    values = np.asarray(given_probability, dtype=np.float64)
    if values.ndim not in (2, 3) or not 0 < below <= 1 or min_voxels < 1:
        message = (
            f"given_probability has shape {values.shape}, below is {below}, min_voxels {min_voxels}; "
            "2-D or 3-D, above 0 and at most 1, and 1 or more are needed"
        )
        raise ValueError(message)
    numbered, n = ndimage.label(np.nan_to_num(values, nan=1.0) < below)
    sizes = np.bincount(numbered.ravel(), minlength=n + 1)
    doubts = np.bincount(numbered.ravel(), 1 - np.nan_to_num(values, nan=1.0).ravel(), minlength=n + 1)
    boxes = ndimage.find_objects(numbered)
    kept = [number for number in range(1, n + 1) if sizes[number] >= min_voxels]
    kept.sort(key=lambda number: -doubts[number])
    renumber = np.zeros(n + 1, dtype=np.int64)
    renumber[kept] = np.arange(1, len(kept) + 1)
    regions = tuple(
        SuspectRegion(place, int(sizes[number]), float(doubts[number]), boxes[number - 1])
        for place, number in enumerate(kept, start=1)
    )
    return SuspectRegions(regions, renumber[numbered])


def self_confidence(given: ArrayLike, probabilities: ArrayLike) -> FloatArray:
    """The model's probability of each unit's given class, 0 to 1; low is suspect. Shape (unit,).

    Parameters
    ----------
    given : array of int, shape (unit,)
        The given class, a column of ``probabilities``.
    probabilities : array of float, shape (unit, category)
        Out of sample; rows add up to 1 (else a ValueError).

    Examples
    --------
    >>> self_confidence([0, 1], [[0.9, 0.1], [0.8, 0.2]]).tolist()
    [0.9, 0.2]
    """
    codes, table = _checked(given, probabilities)
    return np.asarray(table[np.arange(len(codes)), codes], dtype=np.float64)


def normalised_margin(given: ArrayLike, probabilities: ArrayLike) -> FloatArray:
    """(p(given) - largest other p + 1) / 2, 0 to 1; under one half the model prefers another class. Shape (unit,).

    Parameters
    ----------
    given, probabilities
        As in :func:`self_confidence`.

    Examples
    --------
    >>> normalised_margin([0, 1], [[0.9, 0.1], [0.8, 0.2]]).round(2).tolist()
    [0.9, 0.2]
    """
    codes, table = _checked(given, probabilities)
    own = table[np.arange(len(codes)), codes]
    others = table.copy()
    others[np.arange(len(codes)), codes] = -np.inf
    return np.asarray((own - others.max(axis=1, initial=-np.inf) + 1) / 2, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class ConfidentJoint:
    """Which classes are given for which.

    ``counts[given, truth]`` of units that pass the threshold of a class; ``joint[given, truth]`` the same scaled to the
    number of units of each given class and to a sum of 1; ``thresholds[class]`` (NaN for a class never given);
    ``is_suspect[unit]`` marks units counted beside the diagonal, ``counted_as[unit]`` is the class that each counts for (-1: it
    reaches none); ``n_errors`` is the estimated number of wrong labels.
    """

    counts: IntArray
    joint: FloatArray
    thresholds: FloatArray
    is_suspect: BoolArray
    counted_as: IntArray
    n_errors: float
    warnings: tuple[str, ...] = ()
    method: str = "confident joint"
    version: str = VERSION


@checked
def confident_joint(given: ArrayLike, probabilities: ArrayLike) -> ConfidentJoint:
    """How many labels of each class are probably another class: a unit counts for a class that it reaches as units of it do.

    The threshold of class k is the mean probability of k over units labeled k; a unit above several counts for the likeliest.

    Parameters
    ----------
    given : array of int, shape (unit,)
        The given class, a column of ``probabilities``.
    probabilities : array of float, shape (unit, category)
        Out of sample; rows add up to 1.

    Examples
    --------
    >>> p = [[0.9, 0.1]] * 4 + [[0.2, 0.8]] * 5
    >>> found = confident_joint([0, 0, 0, 0, 0, 1, 1, 1, 1], p)
    >>> found.counts.tolist(), found.is_suspect.nonzero()[0].tolist(), found.counted_as.tolist()
    ([[4, 1], [0, 4]], [4], [0, 0, 0, 0, 1, 1, 1, 1, 1])
    """
    codes, table = _checked(given, probabilities)
    q = table.shape[1]
    n_given = np.bincount(codes, minlength=q)
    own = np.bincount(codes, table[np.arange(len(codes)), codes], minlength=q)
    thresholds = np.where(n_given > 0, own / np.maximum(n_given, 1), NAN)
    reaches = table >= np.nan_to_num(thresholds, nan=np.inf) - 1e-12
    likeliest = np.where(reaches, table, -1.0).argmax(axis=1)
    counted = reaches.any(axis=1)
    counts = np.bincount(codes[counted] * q + likeliest[counted], minlength=q * q).reshape(q, q)
    rows = counts.sum(axis=1)
    # A class of which no unit passes any threshold is taken at its word.
    scaled = np.where(rows[:, None] > 0, counts / np.maximum(rows, 1)[:, None], np.eye(q)) * n_given[:, None]
    joint = scaled / max(len(codes), 1)
    never = np.nonzero(n_given == 0)[0]
    notes = (f"classes {never.tolist()} are never given: nothing can be counted as them",) if len(never) else ()
    n_errors = float(scaled.sum() - np.trace(scaled))
    return ConfidentJoint(
        counts.astype(np.int64), joint, thresholds, counted & (likeliest != codes), np.where(counted, likeliest, -1), n_errors,
        notes,
    )  # fmt: skip


def _checked(given: ArrayLike, probabilities: ArrayLike) -> tuple[IntArray, FloatArray]:
    codes, table = np.asarray(given), np.asarray(probabilities, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or codes.shape != (len(table),):
        message = (
            f"given has shape {codes.shape}, probabilities {table.shape}; (unit,) and (unit, 2 or more) are needed"
        )
        raise ValueError(message)
    if not (np.isfinite(table).all() and (table >= 0).all() and np.allclose(table.sum(axis=1), 1.0, atol=1e-3)):
        sums = table.sum(axis=1)
        message = (
            f"probabilities has rows that add up to {sums.min():g} up to {sums.max():g} and a least entry of "
            f"{table.min():g}; it must hold distributions: at least 0, adding up to 1"
        )
        raise ValueError(message)
    whole = codes.astype(np.int64)
    if (whole != codes).any() or ((whole < 0) | (whole >= table.shape[1])).any():
        wrong = codes[(whole != codes) | (whole < 0) | (whole >= table.shape[1])]
        message = (
            f"given holds {np.unique(wrong)[:5].tolist()}; allowed are the whole numbers 0 to {table.shape[1] - 1}"
        )
        raise ValueError(message)
    return whole, table
