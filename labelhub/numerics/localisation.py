"""Agreement of marked objects at every strictness of matching: the alpha(tau) curve, and where to match.

Objects are matched first, then alpha is taken over the matched objects with "not annotated" as an answer of its own; tau
is the least similarity of a match. Alpha needs at least two classes: what nobody saw is not counted, so detection alone
is given as positive specific agreement. Not here: the matching (``matching``), alpha of outlines (``structured``).

References
----------
Tschirschwitz D, Rodehorst V (2026) KaLOS, arXiv 2603.27197 (localisation first, then agreement; alpha over tau).
Hripcsak G, Rothschild AS (2005) Agreement, the F-measure, and reliability in information retrieval. JAMIA 12:296-298.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from labelhub.numerics.alpha import krippendorff_alpha
from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.matching import cluster_objects, stack_found
from labelhub.numerics.results import NAN, Estimate, FloatArray, IntArray, undefined
from labelhub.numerics.specific import specific_agreement

METHOD = "agreement of marked objects"
VERSION = "1"

THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 10))
NOT_ANNOTATED = -1.0

_TOUCHING = 1e-6
_MIN_PAIRS = 5
# A density estimate no finer than this: fewer pairs cannot tell more, and equal pairs would have no width.
_MIN_WIDTH = 0.02
_GRID = np.linspace(0.0, 1.0, 501)


@dataclass(frozen=True, slots=True, eq=False)
class ItemObjects:
    """The objects of one item: ``similarity[object, object]``, who marked each, its class, and how many read the item."""

    similarity: FloatArray
    raters: IntArray
    classes: FloatArray
    n_raters: int


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Agreement where a match needs at least ``threshold``: on classes and presence, on presence alone."""

    threshold: float
    alpha: Estimate
    detection: Estimate
    n_clusters: int


def object_table(items: Sequence[ItemObjects], threshold: float) -> FloatArray:
    """``ratings[cluster, rater]`` of the classes of matched objects of all items, -1 where a reader marked nothing.

    Parameters
    ----------
    items : sequence of ItemObjects
    threshold : float
        Least similarity of a match, above 0.
    """
    return stack_found(_tables(items, threshold))


@checked
def alpha_curve(
    items: Sequence[ItemObjects],
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    resampling: Resampling | None = None,
) -> tuple[CurvePoint, ...]:
    """Alpha and detection agreement at each strictness of matching: flat is well localised, falling is badly outlined.

    Parameters
    ----------
    items : sequence of ItemObjects
        Every item that at least two people read, those without objects too. Classes are numbers of at least 0.
    thresholds : sequence of float
        Least similarities of a match, each above 0.
    resampling : Resampling, optional
        How to make the intervals; its ``groups`` have one entry an item, and by default each item is a group.

    Returns
    -------
    tuple of CurvePoint
        Alpha is NaN with a reason where fewer than two classes occur.

    Raises
    ------
    ValueError
        Where an object has no class of at least 0, or groups do not have one entry an item.

    Examples
    --------
    Two readers, three objects each in two classes; one pair overlaps by .4 only.

    >>> alike = np.zeros((6, 6))
    >>> for a, b, value in ((0, 3, 0.9), (1, 4, 0.8), (2, 5, 0.4)):
    ...     alike[a, b] = alike[b, a] = value
    >>> item = ItemObjects(alike, np.array([0, 0, 0, 1, 1, 1]), np.array([0.0, 1, 1, 0, 1, 1]), 2)
    >>> [(point.n_clusters, round(point.alpha.value, 2)) for point in alpha_curve([item], [0.3, 0.5])]
    [(3, 1.0), (4, 0.3)]
    """
    for number, item in enumerate(items):
        if (np.asarray(item.classes) < 0).any() or np.isnan(item.classes).any():
            message = f"classes of item {number} are {list(item.classes)}; each object needs a number of at least 0"
            raise ValueError(message)
    found = {float(value) for item in items for value in item.classes}
    return tuple(_point(items, threshold, len(found), resampling) for threshold in thresholds)


def _point(items: Sequence[ItemObjects], threshold: float, n_classes: int, resampling: Resampling | None) -> CurvePoint:
    tables = _tables(items, threshold)
    table = stack_found(tables)
    again = resampling and _by_item(tables, resampling)
    detected = np.where(np.isnan(table), NAN, table != NOT_ANNOTATED)
    detection = specific_agreement(detected, resampling=again, unit="objects")
    if n_classes < 2:
        reason = f"{n_classes} classes occur; alpha of objects needs at least 2, detection is judged without it"
        alpha = undefined(reason, n=len(table), unit="objects", method=METHOD, version=VERSION)
    else:
        alpha = krippendorff_alpha(table, resampling=again, unit="objects").estimate
    return CurvePoint(threshold, alpha, detection, len(table))


def _tables(items: Sequence[ItemObjects], threshold: float) -> list[FloatArray]:
    clusters = [cluster_objects(item.similarity, item.raters, threshold, n_raters=item.n_raters) for item in items]
    return [found.table(item.classes, NOT_ANNOTATED) for found, item in zip(clusters, items, strict=True)]


def _by_item(tables: Sequence[FloatArray], resampling: Resampling) -> Resampling:
    """The same resampling with one entry an object: all objects of an item are drawn together."""
    groups = np.arange(len(tables)) if resampling.groups is None else np.asarray(resampling.groups)
    if groups.shape != (len(tables),):
        message = f"groups has shape {groups.shape}; one entry for each of the {len(tables)} items is needed"
        raise ValueError(message)
    return replace(resampling, groups=np.repeat(groups, [len(table) for table in tables]))


@dataclass(frozen=True, slots=True)
class LocalisationThreshold:
    """Where to match: ``value`` is the similarity at which "the same object" becomes likelier than "another object".

    ``misplaced`` is the share of pairs of readers' marks of one object that lie below it. NaN with a ``reason`` where
    pairs are too few or the two densities do not cross.
    """

    value: float
    n_within: int
    n_between: int
    misplaced: float
    method: str = "crossing of the densities of similarity within and between objects"
    version: str = VERSION
    reason: str | None = None


@checked
def localisation_threshold(items: Sequence[ItemObjects]) -> LocalisationThreshold:
    """The threshold at which to match, from the data in place of a fixed .5.

    Marks of different readers are paired one to one at any overlap; similarities of these pairs are "within", those of
    all other pairs of marks of different readers in the same item that touch are "between". Both densities (Gaussian
    kernels, reflected at 0 and 1) count alike; the answer is their first crossing above the mode of "between". Where no
    other objects touch, any low threshold separates and the reason says so.

    Parameters
    ----------
    items : sequence of ItemObjects
        Every item that at least two people read.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def item():
    ...     alike = np.zeros((8, 8))
    ...     for a in range(4):
    ...         for b in range(4):
    ...             alike[a, 4 + b] = alike[4 + b, a] = rng.normal(0.8, 0.05) if a == b else rng.normal(0.2, 0.05)
    ...     return ItemObjects(alike, np.repeat([0, 1], 4), np.zeros(8), 2)
    >>> 0.35 < localisation_threshold([item() for _ in range(10)]).value < 0.65
    True
    """
    within, between = _split(items)
    sizes = len(within), len(between)
    if min(sizes) < _MIN_PAIRS:
        reason = (
            f"{sizes[0]} pairs of the same and {sizes[1]} of different objects that touch; {_MIN_PAIRS} of each are "
            "needed (where different objects never touch, any low threshold separates them)"
        )
        return LocalisationThreshold(NAN, *sizes, NAN, reason=reason)
    same, other = _density(within), _density(between)
    after = np.arange(len(_GRID)) >= int(np.argmax(other))
    crossing = np.nonzero(after & (same >= other))[0]
    if len(crossing) == 0 or crossing[0] == int(np.argmax(other)):
        reason = "the same object is never told from another by its similarity: the two densities do not cross"
        return LocalisationThreshold(NAN, *sizes, NAN, reason=reason)
    value = float(_GRID[crossing[0]])
    return LocalisationThreshold(value, *sizes, float((within < value).mean()))


def _split(items: Sequence[ItemObjects]) -> tuple[FloatArray, FloatArray]:
    within, between = [], []
    for item in items:
        owner = np.asarray(item.raters)
        clusters = cluster_objects(item.similarity, owner, _TOUCHING, n_raters=item.n_raters)
        table = np.nan_to_num(np.asarray(item.similarity, dtype=np.float64)).reshape(len(owner), len(owner))
        first, second = np.triu_indices(len(owner), 1)
        touching = (owner[first] != owner[second]) & (table[first, second] >= _TOUCHING)
        first, second = first[touching], second[touching]
        same = clusters.cluster[first] == clusters.cluster[second]
        within.append(table[first, second][same])
        between.append(table[first, second][~same])
    empty = [np.empty(0)]
    return np.concatenate(within or empty), np.concatenate(between or empty)


def _density(values: FloatArray) -> FloatArray:
    """Kernel density on 0 to 1; what would fall outside is reflected, so that it still integrates to 1."""
    spread = min(float(values.std(ddof=1)), float(stats.iqr(values)) / 1.34 or np.inf)
    width = max(_MIN_WIDTH, 0.9 * spread * len(values) ** -0.2)
    # Values are counted on the grid first, so that many pairs cost no more than few.
    counts = np.bincount(np.rint(values * (len(_GRID) - 1)).astype(np.int64), minlength=len(_GRID))
    mirrored = np.concatenate([_GRID, -_GRID, 2 - _GRID])
    near = np.exp(-(((_GRID[:, None] - mirrored[None, :]) / width) ** 2) / 2) @ np.tile(counts, 3)
    return np.asarray(near / (len(values) * width * np.sqrt(2 * np.pi)), dtype=np.float64)
