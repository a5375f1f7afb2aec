"""How unsure a model is: of a unit or of each pixel of an image, and what of that more labels could cure.

Probabilities come in from anywhere (a network, an ensemble, dropout, augmented copies). Entropy is in nats. The entropy of
the mean of several members splits into what they agree is unsure (aleatoric: the image shows no more) and what they disagree
about (epistemic, BALD: labels would settle it). Not here: which units to label next (``acquisition``, ``diversity``), and
whether the given label is right (``label_quality``).

References
----------
Shannon CE (1948) A mathematical theory of communication. Bell Syst Tech J 27:379-423.
Scheffer T, Decomain C, Wrobel S (2001) Active hidden Markov models for information extraction. IDA, 309-318 (margin).
Houlsby N, Huszar F, Ghahramani Z, Lengyel M (2011) Bayesian active learning for classification and preference learning.
arXiv 1112.5745, eq. 2 (mutual information).
Gal Y, Islam R, Ghahramani Z (2017) Deep Bayesian active learning with image data. ICML, 1183-1192.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import NAN, FloatArray

METHOD = "uncertainty of a model"
VERSION = "1"

Reduction: TypeAlias = Literal["mean", "top", "largest"]

_TOLERANCE = 1e-3


@checked
def predictive_entropy(probabilities: ArrayLike, *, category_axis: int = -1) -> FloatArray:
    """How far a prediction is from certain, in nats: 0 is certain, ln(categories) is none the wiser.

    H = -sum of p ln p.

    Parameters
    ----------
    probabilities : array of float, any shape with an axis of categories
        At least 0, adding up to 1 along that axis. Where an entry is NaN (outside the image) the entropy is NaN.
    category_axis : int
        Which axis holds the categories; the last by default, 0 or 1 for maps of networks.

    Examples
    --------
    >>> predictive_entropy([[0.5, 0.5], [1.0, 0.0]]).round(3).tolist()
    [0.693, 0.0]
    """
    table = _distributions(probabilities, category_axis)
    return np.asarray(np.abs(-(table * np.log(np.where(table > 0, table, 1.0))).sum(axis=-1)), dtype=np.float64)


@checked
def margin_uncertainty(probabilities: ArrayLike, *, category_axis: int = -1) -> FloatArray:
    """One minus the lead of the likeliest category over the next: 1 where two are equal, 0 where one is certain.

    Parameters
    ----------
    probabilities : array of float
        As in :func:`predictive_entropy`.
    category_axis : int

    Examples
    --------
    >>> margin_uncertainty([[0.4, 0.4, 0.2], [0.9, 0.1, 0.0]]).round(2).tolist()
    [1.0, 0.2]
    """
    table = _distributions(probabilities, category_axis)
    first_two = np.partition(table, table.shape[-1] - 2, axis=-1)[..., -2:]
    return np.asarray(1 - (first_two[..., 1] - first_two[..., 0]), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class SplitEntropy:
    """The entropy of the members' mean, ``total``, as ``aleatoric`` (mean of their entropies) plus ``epistemic`` (the rest)."""

    total: FloatArray
    aleatoric: FloatArray
    epistemic: FloatArray
    n_members: int
    method: str = METHOD
    version: str = VERSION


@checked
def split_entropy(members: ArrayLike, *, category_axis: int = -1) -> SplitEntropy:
    """What several predictions of the same thing are unsure of together, and what they disagree about.

    Parameters
    ----------
    members : array of float, shape (member, ..., category) in the order of ``category_axis``
        Predictions of an ensemble, of dropout or of augmented copies. The first axis is that of members.
    category_axis : int
        The axis of categories in ``members``; not 0.

    Raises
    ------
    ValueError
        Where there is no member, the axis is that of members, or an entry is no distribution.

    Examples
    --------
    Two members that are sure of different things, and two that are unsure alike:

    >>> found = split_entropy([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]])
    >>> found.epistemic.round(3).tolist(), found.aleatoric.round(3).tolist()
    ([0.693, 0.0], [0.0, 0.693])
    """
    given = np.asarray(members, dtype=np.float64)
    if given.ndim < 2 or category_axis % max(given.ndim, 1) == 0:
        message = (
            f"members has shape {given.shape} and category_axis is {category_axis}; (member, ..., category) is needed"
        )
        raise ValueError(message)
    tables = _distributions(given, category_axis)
    total = predictive_entropy(tables.mean(axis=0))
    aleatoric = predictive_entropy(tables).mean(axis=0)
    # By Jensen's inequality never below 0; rounding may say otherwise.
    return SplitEntropy(total, np.asarray(aleatoric), np.asarray(np.maximum(total - aleatoric, 0.0)), len(tables))


@checked
def mutual_information(members: ArrayLike, *, category_axis: int = -1) -> FloatArray:
    """BALD: what labels could settle, in nats; 0 where all members say the same, however unsure.

    Parameters
    ----------
    members : array of float, shape (member, ..., category)
    category_axis : int

    Examples
    --------
    >>> mutual_information([[[0.9, 0.1]], [[0.9, 0.1]]]).round(6).tolist()
    [0.0]
    """
    return split_entropy(members, category_axis=category_axis).epistemic


@checked
def image_score(pixel_scores: ArrayLike, how: Reduction = "mean", *, share: float = 0.05) -> float:
    """One number for an image from a map of its pixels: the mean, the mean of the highest share, or the largest.

    A mean over a large image drowns a small structure; the highest share does not, and is not one noisy pixel either.

    Parameters
    ----------
    pixel_scores : array of float, any shape
        NaN (outside the image) is left out. Without pixels the score is NaN.
    how : "mean", "top" or "largest"
    share : float
        Of the pixels that "top" looks at, above 0 and up to 1; at least one pixel.

    Examples
    --------
    >>> scores = [[0.0] * 10] * 9 + [[1.0] * 10]
    >>> [image_score(scores, how) for how in ("mean", "top", "largest")]
    [0.1, 1.0, 1.0]
    """
    if not 0 < share <= 1:
        message = f"share is {share!r}; it lies above 0 and is at most 1"
        raise ValueError(message)
    values = np.asarray(pixel_scores, dtype=np.float64).ravel()
    values = values[~np.isnan(values)]
    if not len(values):
        return NAN
    if how == "mean":
        return float(values.mean())
    n_top = 1 if how == "largest" else max(1, round(share * len(values)))
    return float(np.partition(values, len(values) - n_top)[-n_top:].mean())


@checked
def scores_by_class(pixel_scores: ArrayLike, predicted: ArrayLike, n_classes: int) -> FloatArray:
    """The mean score of an image's pixels class by predicted class, shape (class,); NaN where a class is predicted nowhere.

    What is rare has a number of its own here, which the mean of the image would hide.

    Parameters
    ----------
    pixel_scores : array of float
        NaN is left out.
    predicted : array of int, same shape
        The predicted class of each pixel, 0 to ``n_classes`` - 1.
    n_classes : int
        1 or more.

    Examples
    --------
    >>> scores_by_class([0.1, 0.3, 0.8], [0, 0, 1], 3).round(2).tolist()
    [0.2, 0.8, nan]
    """
    values, classes = np.asarray(pixel_scores, dtype=np.float64), np.asarray(predicted)
    if values.shape != classes.shape or n_classes < 1:
        message = (
            f"pixel_scores has shape {values.shape}, predicted {classes.shape}, n_classes is {n_classes}; "
            "equal shapes and 1 or more are needed"
        )
        raise ValueError(message)
    codes = classes.astype(np.int64)
    if (codes != classes).any() or ((codes < 0) | (codes >= n_classes)).any():
        message = (
            f"predicted holds {np.unique(classes)[:5].tolist()}; allowed are the whole numbers 0 to {n_classes - 1}"
        )
        raise ValueError(message)
    is_known = ~np.isnan(values)
    sums = np.bincount(codes[is_known], values[is_known], minlength=n_classes)
    counts = np.bincount(codes[is_known], minlength=n_classes)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), NAN), dtype=np.float64)


def _distributions(probabilities: ArrayLike, category_axis: int) -> FloatArray:
    """The probabilities with their categories along the last axis."""
    given = np.asarray(probabilities, dtype=np.float64)
    if given.ndim < 1 or not -given.ndim <= category_axis < given.ndim or given.shape[category_axis] < 2:
        message = f"probabilities has shape {given.shape} and category_axis is {category_axis}; an axis of 2 or more is needed"
        raise ValueError(message)
    table = np.moveaxis(given, category_axis, -1)
    sums = table.sum(axis=-1)
    wrong = ~np.isnan(sums) & ((np.abs(sums - 1) > _TOLERANCE) | (table < 0).any(axis=-1))
    if wrong.any():
        message = (
            f"probabilities holds {table[wrong][0].tolist()}, which is no distribution: at least 0, adding up to 1"
        )
        raise ValueError(message)
    return table
