"""Where people differ: how much on each unit, and in which region of an image.

Not here: agreement over many units (``agreement``, ``alpha``) and what to do about a dispute (routing).

References
----------
Krippendorff K (2011) Computing Krippendorff's alpha-reliability (a unit's part in D_o).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage
from scipy.special import xlogy

from labelhub.numerics.arguments import checked
from labelhub.numerics.geometry import Placed, PlacedMask
from labelhub.numerics.object_merge import default_quorum, vote_map
from labelhub.numerics.rasterise import union_of
from labelhub.numerics.ratings import category_codes, category_counts, category_values, rating_matrix
from labelhub.numerics.results import NAN, BoolArray, FloatArray
from labelhub.numerics.surfaces import surface

METHOD = "disagreement"
VERSION = "1"

Side: TypeAlias = Literal["extra", "missing"]


@checked
def vote_entropy(ratings: ArrayLike, categories: Sequence[float] | None = None) -> FloatArray:
    """The entropy of each unit's answers, 0 (all alike) to 1 (spread evenly over all possible categories).

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        NaN where a rater did not rate. A unit with fewer than two ratings gives NaN.
    categories : sequence of float, optional
        The possible categories; those that occur by default. One possible category gives 0.

    Examples
    --------
    >>> vote_entropy([[1, 2], [1, 1]], categories=[1, 2]).tolist()
    [1.0, 0.0]
    """
    matrix = rating_matrix(ratings)
    values = category_values(matrix, categories)
    counts = category_counts(category_codes(matrix, values), len(values))
    total = counts.sum(axis=1)
    share = counts / np.maximum(total, 1)[:, None]
    entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1) / np.log(max(len(values), 2))
    return np.where(total >= 2, np.abs(entropy), NAN)


@dataclass(frozen=True, slots=True, eq=False)
class DisagreementMap:
    """``share[voxel]`` of raters who marked it, ``disagreement`` 4 p (1 - p) from 0 to 1, placed at ``origin``."""

    share: FloatArray
    disagreement: FloatArray
    origin: tuple[int, ...]
    n_raters: int

    @property
    def entropy(self) -> FloatArray:
        """The entropy of the votes at each voxel in bits, 0 (all alike) to 1 (half against half)."""
        p = self.share
        return np.asarray(-(xlogy(p, p) + xlogy(1 - p, 1 - p)) / np.log(2) + 0.0, dtype=np.float64)


@checked
def disagreement_map(masks: Sequence[Placed], *, n_raters: int | None = None) -> DisagreementMap:
    """How divided the raters are at each voxel, in the bounding box of all masks (beyond it they agree).

    Parameters
    ----------
    masks : sequence of Placed
        One a rater, all 2-D or all 3-D.
    n_raters : int, optional
        How many read the item, with those who marked nothing; the number of masks by default.

    Raises
    ------
    ValueError
        Where ``n_raters`` is below the number of masks or below 1, or masks mix 2 and 3 dimensions.

    Examples
    --------
    >>> from labelhub.numerics.geometry import PlacedMask
    >>> both = [PlacedMask(np.ones((1, 2), dtype=bool), (0, 0)), PlacedMask(np.ones((1, 2), dtype=bool), (0, 1))]
    >>> disagreement_map(both).disagreement.tolist(), disagreement_map(both, n_raters=8).entropy.round(3).tolist()
    ([[1.0, 0.0, 1.0]], [[0.544, 0.811, 0.544]])
    """
    count = len(masks) if n_raters is None else n_raters
    if count < max(len(masks), 1):
        message = f"n_raters is {count}; it must be at least 1 and not below the {len(masks)} masks"
        raise ValueError(message)
    votes, origin = vote_map(masks)
    share = votes / count
    return DisagreementMap(share, 4 * share * (1 - share), origin, count)


@dataclass(frozen=True, slots=True, eq=False)
class SignedMap:
    """``deviation[rater, voxel]``: 1 where a rater alone marked the voxel, -1 where alone they left it out, 0 with all.

    It is the rater's vote less the share of the others who marked the voxel; ``origin`` places it.
    """

    deviation: FloatArray
    origin: tuple[int, ...]


@checked
def signed_map(masks: Sequence[Placed]) -> SignedMap:
    """Who adds and who leaves out what, at each voxel of the bounding box of all masks (beyond it nobody marked any).

    Parameters
    ----------
    masks : sequence of Placed
        One a rater, at least two, all 2-D or all 3-D; an empty mask is that of a rater who marked nothing.

    Raises
    ------
    ValueError
        Where there are fewer than two masks, or they mix 2 and 3 dimensions.

    Examples
    --------
    >>> from labelhub.numerics.geometry import PlacedMask
    >>> one, wide = PlacedMask(np.ones((1, 1), dtype=bool), (0, 0)), PlacedMask(np.ones((1, 2), dtype=bool), (0, 0))
    >>> signed_map([one, one, wide]).deviation[:, 0].tolist()
    [[0.0, -0.5], [0.0, -0.5], [0.0, 1.0]]
    """
    if len(masks) < 2:
        message = f"masks holds {len(masks)} masks; at least two are needed to tell who stands apart"
        raise ValueError(message)
    votes, origin = vote_map(masks)
    frame = PlacedMask(votes > 0, origin)
    own = np.stack([_in_frame(mask, frame) for mask in masks]).astype(np.float64)
    return SignedMap(own - (votes - own) / (len(masks) - 1), origin)


@dataclass(frozen=True, slots=True, eq=False)
class DisputedRegion:
    """A connected region where a mask and a reference differ.

    ``side`` is "extra" (in the mask only) or "missing" (in the reference only); ``voxels`` placed at ``origin``;
    ``size`` in voxels and ``volume`` in the unit of the spacing; ``depth`` is how far its deepest voxel lies from the
    reference's surface (infinite where the reference is empty).
    """

    side: Side
    voxels: BoolArray
    origin: tuple[int, ...]
    size: int
    volume: float
    depth: float


@checked
def disputed_regions(
    mask: Placed, reference: Placed, *, tolerance: float = 0.0, spacing: Sequence[float] | None = None
) -> tuple[DisputedRegion, ...]:
    """The regions where a mask differs from a reference by more than ``tolerance`` in depth, largest first.

    Parameters
    ----------
    mask, reference : Placed
        Such as one rater's mask and the consensus; on the same grid.
    tolerance : float
        Differences no deeper than this from the reference's surface are not reported, in the unit of the spacing.
    spacing : sequence of float, optional
        Size of a voxel along each axis; 1 by default.

    Returns
    -------
    tuple of DisputedRegion
        Regions are face-connected; each is shown whole, not only its deep part.

    Raises
    ------
    ValueError
        Where the masks differ in dimensions, or tolerance or spacing is impossible.

    Examples
    --------
    >>> from labelhub.numerics.geometry import PlacedMask
    >>> square = np.zeros((20, 20), dtype=bool)
    >>> square[5:15, 5:15] = True
    >>> spur = square.copy()
    >>> spur[10, 15:19] = True
    >>> [(r.side, r.size, r.depth) for r in disputed_regions(PlacedMask(spur, (0, 0)), PlacedMask(square, (0, 0)))]
    [('extra', 4, 4.0)]
    """
    if not tolerance >= 0:
        message = f"tolerance is {tolerance!r}; it must be at least 0"
        raise ValueError(message)
    step = np.ones(mask.voxels.ndim) if spacing is None else np.asarray(spacing, dtype=np.float64)
    if step.shape != (mask.voxels.ndim,) or not (step > 0).all():
        message = f"spacing is {spacing}; {mask.voxels.ndim} numbers above 0 are needed"
        raise ValueError(message)
    frame = union_of([mask, reference])
    given, settled = _in_frame(mask, frame), _in_frame(reference, frame)
    depth = _depth(settled, step)
    found = []
    sides: tuple[tuple[Side, BoolArray], ...] = (("extra", given & ~settled), ("missing", settled & ~given))
    for side, region in sides:
        labels, _ = ndimage.label(region)
        for number, window in enumerate(ndimage.find_objects(labels), start=1):
            inside = labels[window] == number
            deepest = float(depth[window][inside].max())
            if deepest > tolerance:
                start = tuple(int(piece.start + low) for piece, low in zip(window, frame.origin, strict=True))
                size = int(inside.sum())
                found.append(DisputedRegion(side, inside, start, size, size * float(step.prod()), deepest))
    return tuple(sorted(found, key=lambda one: (-one.size, one.origin, one.side)))


@checked
def disputed_regions_among(
    masks: Sequence[Placed], *, tolerance: float = 0.0, spacing: Sequence[float] | None = None
) -> tuple[DisputedRegion, ...]:
    """The regions where raters differ among themselves, largest first: some marked them, some did not.

    They are measured from the surface of the voxel vote: "extra" lies outside it, "missing" inside.

    Parameters
    ----------
    masks : sequence of Placed
        One a rater; without any there are no regions.
    tolerance, spacing
        As in :func:`disputed_regions`.
    """
    votes, origin = vote_map(masks)
    if not masks or not votes.size:
        return ()
    settled = PlacedMask(votes >= default_quorum(len(masks)), origin)
    anyone, everyone = PlacedMask(votes > 0, origin), PlacedMask(votes == len(masks), origin)
    extra = disputed_regions(anyone, settled, tolerance=tolerance, spacing=spacing)
    missing = disputed_regions(everyone, settled, tolerance=tolerance, spacing=spacing)
    return tuple(sorted(extra + missing, key=lambda one: (-one.size, one.origin, one.side)))


def _in_frame(mask: Placed, frame: Placed) -> BoolArray:
    full = np.zeros(frame.voxels.shape, dtype=bool)
    if mask.voxels.size:
        window = tuple(
            slice(a - low, a - low + n) for a, low, n in zip(mask.origin, frame.origin, mask.voxels.shape, strict=True)
        )
        full[window] = mask.voxels
    return full


def _depth(reference: BoolArray, spacing: FloatArray) -> FloatArray:
    """How far each voxel must be moved across the reference's surface: to the nearest voxel on the other side of it."""
    if not reference.any():
        return np.full(reference.shape, np.inf)
    outside = ndimage.distance_transform_edt(~reference, sampling=spacing)
    edge = surface(reference)
    inside = ndimage.distance_transform_edt(~edge, sampling=spacing) + float(spacing.min())
    return np.asarray(np.where(reference, inside, outside), dtype=np.float64)
