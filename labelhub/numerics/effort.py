"""How long it takes to outline an object by hand and to correct a draft of it, and how much faster drafts can make anybody.

The model: by hand an item costs opening it and drawing its contour; with a draft it costs opening it, looking the draft over,
drawing the contour that the draft lacks, and turning to each place that has to be corrected:

    by hand      T_m = open + draw * L                          L: contour pixels of the truth
    with a draft T_a = open + review + edit * A + turn * C       A: added path, C: places to correct

However good the draft, T_m / T_a never exceeds the ceiling T_m / (open + review). Times of real people follow the added path
(rank correlation .69 in 329 scans of Kiser) and hardly Dice (.25), so that effort is never told from Dice here.
Not here: how good the result is, who misses what (``config.study``), and times of people, which are to be measured.

References
----------
Vaassen F et al. (2020) Evaluation of measures for assessing time-saving of automatic organ-at-risk segmentation in
radiotherapy. Phys Imaging Radiat Oncol 13:1-6 (added path length).
Kiser KJ, Barman A, Stieb S, Fuller CD, Giancardo L (2021) Novel autosegmentation spatial similarity metrics capture the time
required to correct segmentations better than traditional metrics. J Digit Imaging 34:541-553 (false negative path length).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, ratio_estimate
from labelhub.numerics.mask_pair import checked_tolerance, mask_pair
from labelhub.numerics.nearest import nearest_distances
from labelhub.numerics.results import NAN, BoolArray, Estimate
from labelhub.numerics.surfaces import surface

METHOD = "effort model of added path"
VERSION = "1"

_ROUNDING = 1e-9
_TOUCHING = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True)
class EffortCosts:
    """What the parts of the work cost, in seconds; all at least 0.

    ``open_s`` an item and ``review_s`` a draft (``review_plane_s`` more for each plane of a volume on which anything is),
    ``draw_s_per_px`` and ``edit_s_per_px`` a contour pixel, ``turn_s`` each place to correct. ``tolerance_px`` is how far a
    draft's contour may lie from the true one without being corrected; pieces to correct no farther apart than ``reach_px``
    are one place, because one stroke does both.
    """

    open_s: float = 2.0
    review_s: float = 2.0
    draw_s_per_px: float = 0.12
    edit_s_per_px: float = 0.12
    turn_s: float = 0.5
    review_plane_s: float = 0.0
    tolerance_px: float = 1.0
    reach_px: float = 12.0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not (isinstance(value, int | float) and math.isfinite(value) and value >= 0):
                message = f"{name} is {value!r}; a cost is a finite number of at least 0"
                raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Effort:
    """What one item costs by hand and with a draft, in seconds, and from what.

    ``n_contour`` pixels of true contour on ``n_planes`` planes, of which ``n_added`` the draft lacks; ``n_missed`` of these
    lie outside the draft (the false negative path). ``n_places`` are to be corrected. ``floor_s`` is what a perfect draft
    costs; ``ceiling`` is ``manual_s / floor_s``. Ratios are NaN where the denominator is 0.
    """

    manual_s: float
    assisted_s: float
    floor_s: float
    n_contour: int
    n_added: int
    n_missed: int
    n_places: int
    n_planes: int
    method: str = METHOD
    version: str = VERSION

    @property
    def speed_up(self) -> float:
        """How many times longer the work takes by hand; below 1 the draft costs more than it saves."""
        return self.manual_s / self.assisted_s if self.assisted_s > 0 else NAN

    @property
    def ceiling(self) -> float:
        """The speed-up of a perfect draft."""
        return self.manual_s / self.floor_s if self.floor_s > 0 else NAN


@dataclass(frozen=True, slots=True)
class _Work:
    """Counts of one plane or of several."""

    n_contour: int = 0
    n_added: int = 0
    n_missed: int = 0
    n_places: int = 0
    n_planes: int = 0


@checked
def item_effort(draft: BoolArray, truth: BoolArray, costs: EffortCosts | None = None, *, plane_axis: int = 0) -> Effort:
    """What outlining an item costs by hand and what correcting this draft into it costs.

    A place to correct is contour that has to be added, in pieces no farther apart than the reach, or a piece of the draft that
    touches no part of the truth and is deleted as a whole. What a draft has too much is taken off by drawing the contour
    that lies inside it. An empty truth costs opening by hand, and opening, looking and deleting with a draft.

    Parameters
    ----------
    draft, truth : array of bool, shape (y, x) or (z, y, x)
        On one grid. An axis of length 1 is no dimension.
    costs : EffortCosts, optional
        The defaults of the class without it.
    plane_axis : int
        The axis across the planes of a volume (without effect in 2-D).

    Raises
    ------
    ValueError
        Where the grids differ, a mask is not boolean, or plane_axis is not 0, 1 or 2.

    Examples
    --------
    A square of 36 contour pixels and a draft two columns to the right, of which 16 have to be drawn anew (at the tolerance of
    one pixel), in one piece:

    >>> square, draft = np.zeros((32, 32), dtype=bool), np.zeros((32, 32), dtype=bool)
    >>> square[10:20, 10:20], draft[10:20, 12:22] = True, True
    >>> found = item_effort(draft, square)
    >>> found.n_contour, found.n_added, found.n_missed, found.n_places
    (36, 16, 10, 1)
    >>> round(found.manual_s, 2), round(found.assisted_s, 2), round(found.speed_up, 2), round(found.ceiling, 2)
    (6.32, 6.42, 0.98, 1.58)
    """
    prices = EffortCosts() if costs is None else costs
    work = _work(draft, truth, prices.tolerance_px, prices.reach_px, plane_axis)
    floor = prices.open_s + prices.review_s + prices.review_plane_s * work.n_planes
    return Effort(
        prices.open_s + prices.draw_s_per_px * work.n_contour,
        floor + prices.edit_s_per_px * work.n_added + prices.turn_s * work.n_places,
        floor, work.n_contour, work.n_added, work.n_missed, work.n_places, work.n_planes,
    )  # fmt: skip


@checked
def false_negative_path_length(
    draft: BoolArray, truth: BoolArray, *, tolerance: float = 0.0, plane_axis: int = 0
) -> int:
    """The part of the added path that lies outside the draft: contour pixels to draw where the draft leaves something out.

    Parameters
    ----------
    draft, truth : array of bool, shape (y, x) or (z, y, x)
    tolerance : float
        In pixels, as for the added path.
    plane_axis : int

    Examples
    --------
    A draft that is only too large has an added path and no false negative one.

    >>> large, small = np.ones((20, 20), dtype=bool), np.zeros((20, 20), dtype=bool)
    >>> small[5:15, 5:15] = True
    >>> false_negative_path_length(large, small), false_negative_path_length(small, large)
    (0, 76)
    """
    return _work(draft, truth, tolerance, 0.0, plane_axis).n_missed


@checked
def speed_up(efforts: Sequence[Effort], resampling: Resampling | None = None) -> Estimate:
    """How many times longer all these items take by hand than with their drafts: total time over total time.

    The ratio of totals, not the mean of ratios: it is what a project saves.

    Parameters
    ----------
    efforts : sequence of Effort
    resampling : Resampling, optional
        Groups are those of the efforts (patients, pictures).

    Examples
    --------
    >>> speed_up([Effort(20.0, 5.0, 4.0, 0, 0, 0, 0, 1), Effort(10.0, 10.0, 4.0, 0, 0, 0, 0, 1)]).value
    2.0
    """
    manual, assisted = [one.manual_s for one in efforts], [one.assisted_s for one in efforts]
    return ratio_estimate(manual, assisted, resampling, method="speed-up by total time", version=VERSION)


@checked
def speed_up_ceiling(efforts: Sequence[Effort], resampling: Resampling | None = None) -> Estimate:
    """The speed-up that perfect drafts of all these items would give, which no model can exceed.

    Parameters
    ----------
    efforts : sequence of Effort
    resampling : Resampling, optional

    Examples
    --------
    >>> speed_up_ceiling([Effort(20.0, 5.0, 4.0, 0, 0, 0, 0, 1), Effort(10.0, 10.0, 4.0, 0, 0, 0, 0, 1)]).value
    3.75
    """
    manual, floor = [one.manual_s for one in efforts], [one.floor_s for one in efforts]
    return ratio_estimate(manual, floor, resampling, method="ceiling of the speed-up", version=VERSION)


@checked
def least_contour_for(wanted: float, costs: EffortCosts | None = None) -> float:
    """How many contour pixels an item needs for this speed-up to be possible at all, with a perfect draft on one plane.

    Infinite where drawing is free and opening alone is not dear enough.

    Parameters
    ----------
    wanted : float
        The speed-up, above 0.
    costs : EffortCosts, optional

    Examples
    --------
    Ten times: (10 * (2 + 2) - 2) / .12.

    >>> round(least_contour_for(10.0), 1)
    316.7
    """
    if not (wanted > 0 and math.isfinite(wanted)):
        message = f"wanted is {wanted!r}; a speed-up is above 0"
        raise ValueError(message)
    prices = EffortCosts() if costs is None else costs
    needed = wanted * (prices.open_s + prices.review_s + prices.review_plane_s) - prices.open_s
    if needed <= 0:
        return 0.0
    return needed / prices.draw_s_per_px if prices.draw_s_per_px > 0 else math.inf


def _work(draft: BoolArray, truth: BoolArray, tolerance: float, reach: float, plane_axis: int) -> _Work:
    checked_tolerance(tolerance)
    if not 0 <= plane_axis < 3:
        message = f"plane_axis is {plane_axis}; allowed are 0, 1 and 2"
        raise ValueError(message)
    pair = mask_pair(draft, truth)
    if pair.n_dimensions == 3:
        planes = zip(np.moveaxis(pair.first, plane_axis, 0), np.moveaxis(pair.second, plane_axis, 0), strict=True)
        counts = [_plane_work(first, second, tolerance, reach) for first, second in planes]
    else:
        counts = [_plane_work(np.atleast_2d(pair.first), np.atleast_2d(pair.second), tolerance, reach)]
    names = _Work.__dataclass_fields__
    return _Work(**{name: sum(getattr(one, name) for one in counts) for name in names})


def _plane_work(draft: BoolArray, truth: BoolArray, tolerance: float, reach: float) -> _Work:
    if not (draft.any() or truth.any()):
        return _Work()
    pieces, n_pieces = ndimage.label(draft, _TOUCHING)
    n_spurious = n_pieces - len(np.unique(pieces[truth & draft]))
    if not truth.any():
        return _Work(n_places=n_spurious, n_planes=1)
    wanted = surface(np.ascontiguousarray(truth))
    lacking = wanted.copy()
    if draft.any():
        distances = nearest_distances(wanted, surface(np.ascontiguousarray(draft)), (1.0, 1.0))
        lacking[wanted] = distances > tolerance * (1 + _ROUNDING)
    return _Work(
        int(np.count_nonzero(wanted)), int(np.count_nonzero(lacking)), int(np.count_nonzero(lacking & ~draft)),
        _n_places(lacking, reach) + n_spurious, 1,
    )  # fmt: skip


def _n_places(lacking: BoolArray, reach: float) -> int:
    """How many groups of pixels there are if those no farther apart than the reach (neighbours at least) belong together."""
    points = np.argwhere(lacking)
    if not len(points):
        return 0
    pairs = KDTree(points).query_pairs(max(reach, math.sqrt(2)) + _ROUNDING, output_type="ndarray")
    links = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(points),) * 2)
    return int(connected_components(links.tocsr(), directed=False)[0])
