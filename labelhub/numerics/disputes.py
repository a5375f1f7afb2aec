"""The disputed regions of an item: where readers' label maps differ by more than a wobble of the outline, largest first.

Readers never draw the same outline twice. What lies within the policy's tolerance of the consensus's surface is therefore one
thin band, settled by the consensus. The rest is disputed, region by region, for a reviewer to decide:

- A voxel is *deep* where a reader gives it a label whose voxels in the consensus all lie farther than the tolerance: the
  outline would have to be moved by more than that. The distance is to the label itself, so that a small wrong structure beside
  a border is not taken for a wobble of that border.
- A whole piece of the consensus that some reader has nothing of is deep however thin it is: a small structure was missed.
- Deep voxels are joined across faces; parts below the least size fall back into the band. A region is such a part with the
  disagreement around it up to the tolerance, so that it stands on the consensus's surface.

Costs grow with the voxels on which readers differ. Not here: objects that are compared as such (``object_disputes``), and
depth against one reference (``disagreement``).

References
----------
Nikolov S et al. (2021) Clinically applicable segmentation. J Med Internet Res 23:e26151 (tolerance of a surface).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from labelhub.numerics.arguments import checked
from labelhub.numerics.decision_patterns import DecisionPatterns, decision_patterns, values_in
from labelhub.numerics.dispute_search import Ground, beyond_tolerance, ground_of, missed_pieces, with_surroundings
from labelhub.numerics.mask_pair import checked_spacing, checked_tolerance
from labelhub.numerics.pieces import connected_pieces
from labelhub.numerics.results import BoolArray, FloatArray, IntArray
from labelhub.numerics.settled_maps import voted_map

METHOD = "disputed regions"
VERSION = "1"

Tolerance: TypeAlias = float | Mapping[int, float]


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One disputed region: ``voxels`` placed at ``origin``, ``n_voxels`` of them, ``size`` in ``Disputes.unit``.

    ``number`` counts from 1, the largest first. ``centre`` is the voxel of the region nearest to its middle, ``plane`` the
    index along the first axis on which most of it lies, ``planes`` the first and last (0 in 2-D). ``given[reader, label]`` and
    ``consensus[label]`` count its voxels by label, over ``Disputes.labels``; ``is_silent[reader]``: was not asked of anything
    that is in dispute here. ``key`` names the voxels: the same region found again has the same key.
    """

    number: int
    voxels: BoolArray
    origin: tuple[int, ...]
    n_voxels: int
    size: float
    centre: tuple[int, ...]
    plane: int
    planes: tuple[int, int]
    given: IntArray
    consensus: IntArray
    is_silent: BoolArray

    @property
    def key(self) -> str:
        """A name that is made of the voxels and where they lie."""
        told = f"{self.origin}{self.voxels.shape}".encode()
        return hashlib.sha256(told + np.packbits(self.voxels).tobytes()).hexdigest()[:32]

    @property
    def box(self) -> tuple[slice, ...]:
        """The window of the grid in which it lies."""
        return tuple(slice(start, start + n) for start, n in zip(self.origin, self.voxels.shape, strict=True))


@dataclass(frozen=True, slots=True)
class Band:
    """What readers differ on within the tolerance: one row. ``share`` is of all voxels on which they differ.

    ``n_small`` deep parts below the least size are in it.
    """

    n_voxels: int
    size: float
    share: float
    n_small: int


@dataclass(frozen=True, slots=True, eq=False)
class Disputes:
    """The disputed regions of an item and the thin band beside them.

    ``unit`` of sizes is "mm²" or "mm³" where the spacing is known, else "px". ``labels`` are those that occur;
    ``consensus`` is the map that holds outside all regions; ``n_differing`` voxels are not the same for all readers.
    """

    regions: tuple[Region, ...]
    band: Band
    labels: IntArray
    consensus: NDArray[np.integer]
    n_differing: int
    n_readers: int
    unit: str
    method: str = METHOD
    version: str = VERSION

    def region_map(self) -> NDArray[np.integer]:
        """The number of the region at every voxel of the grid, 0 outside."""
        result = np.zeros(self.consensus.shape, dtype=np.min_scalar_type(len(self.regions)))
        for region in self.regions:
            np.copyto(result[region.box], result.dtype.type(region.number), where=region.voxels)
        return result


@checked
def disputes_of(
    maps: Sequence[NDArray[np.integer]] | DecisionPatterns,
    *,
    tolerance: Tolerance,
    consensus: NDArray[np.integer] | None = None,
    least_size: float = 0.0,
    spacing_mm: Sequence[float] | None = None,
    background: int = 0,
    asked: Sequence[Collection[int] | None] | None = None,
) -> Disputes:
    """The disputed regions of several readers' label maps on one grid, largest first, and the thin band.

    Parameters
    ----------
    maps : sequence of array of int, shape (y, x) or (z, y, x)
        One a reader; or their patterns, where these are known already.
    tolerance : float or mapping of label to float
        How far from the consensus's surface an outline may lie, in mm with spacing, else in px. Between two structures the
        larger of their tolerances counts; a mapping must name every label but the background.
    consensus : array of int, optional
        A label for every voxel; the vote by default, ties as in ``settled_maps``.
    least_size : float
        Least size of the deep part of a region, in mm² or mm³ with spacing, else in px. One voxel always suffices at 0.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis. An axis of length 1 is no dimension.
    background : int
        The label that is no structure.
    asked : sequence of (collection of int or None), optional
        The labels each reader was asked for, None for all. Outside them background is no answer.

    Raises
    ------
    ValueError
        Where grids differ, the tolerance, least size or spacing is impossible, or a label has no tolerance.

    Examples
    --------
    >>> plain, spur = np.zeros((20, 20), dtype=np.uint8), np.zeros((20, 20), dtype=np.uint8)
    >>> plain[5:15, 5:15] = spur[5:15, 5:16] = 1
    >>> spur[9:12, 15:20] = 1
    >>> found = disputes_of([plain, plain, spur], tolerance=2)
    >>> [(region.size, region.given[:, 1].tolist(), region.centre) for region in found.regions], found.band.size
    ([(15.0, [0, 0, 15], (10, 17))], 7.0)
    """
    patterns = maps if isinstance(maps, DecisionPatterns) else decision_patterns(maps)
    shape = patterns.first.shape
    settled = voted_map(patterns) if consensus is None else consensus
    if settled.shape != shape:
        message = f"consensus has shape {settled.shape} and the readers' maps {shape}; one grid is needed"
        raise ValueError(message)
    spacing = checked_spacing(spacing_mm, len(shape))
    if not least_size >= 0:
        message = f"least_size is {least_size!r}; a number of at least 0 is needed"
        raise ValueError(message)
    labels = np.union1d(patterns.labels, values_in(settled)).astype(np.int64)
    reach = _tolerances(tolerance, labels, background)
    speaks = _who_speaks(patterns, labels, background, asked)
    said = _labels_said(patterns, labels, speaks)
    is_disputed = said.sum(axis=1) > 1
    kept = is_disputed[patterns.pattern_of_place]
    order = np.argsort(patterns.places[kept], kind="stable")
    places = patterns.places[kept][order].astype(np.int64)
    pattern = patterns.pattern_of_place[kept][order].astype(np.int64)
    ground = ground_of(settled, labels, places, spacing, background=background, reach=float(reach.max(initial=0.0)))
    unit_size, unit = _unit(shape, spacing, is_known=spacing_mm is not None)
    is_deep = beyond_tolerance(ground, said, pattern, reach)
    is_deep |= missed_pieces(ground, _codes(patterns, labels), pattern, speaks)
    number, n_small = _numbered(ground, is_deep, least_size / unit_size)
    regions = _described(patterns, labels, speaks, ground, pattern, number, unit_size)
    n_band = int(np.count_nonzero(number < 0))
    band = Band(n_band, n_band * unit_size, n_band / len(places) if len(places) else 0.0, n_small)
    return Disputes(regions, band, labels, settled, len(places), patterns.n_raters, unit)


def _numbered(ground: Ground, is_deep: BoolArray, least: float) -> tuple[IntArray, int]:
    """The number of each voxel's region, -1 in the band; how many deep parts had fewer than ``least`` voxels."""
    part = connected_pieces(ground.flat[is_deep], ground.strides[:-1])
    counts = np.bincount(part)
    is_large = counts >= least * (1 - 1e-9)
    is_kept = is_deep.copy()
    is_kept[is_deep] = is_large[part]
    grown = with_surroundings(ground, is_kept)
    number = np.full(len(grown), -1, dtype=np.int64)
    number[grown] = connected_pieces(ground.flat[grown], ground.strides[:-1])
    # What lies near a deep part without touching it belongs to the band.
    has_deep = np.zeros(int(number.max(initial=-1)) + 1, dtype=bool)
    has_deep[number[is_kept]] = True
    number[grown] = np.where(has_deep[number[grown]], number[grown], -1)
    return number, int(np.count_nonzero(~is_large))


def _tolerances(tolerance: Tolerance, labels: IntArray, background: int) -> FloatArray:
    """The tolerance between every two labels: that of the structure, of two structures the larger."""
    if isinstance(tolerance, Mapping):
        unknown = [int(label) for label in labels if label != background and int(label) not in tolerance]
        if unknown:
            message = (
                f"tolerance has none for label {', '.join(map(str, unknown))}; each label but background needs one"
            )
            raise ValueError(message)
        own = np.array([0.0 if label == background else checked_tolerance(tolerance[int(label)]) for label in labels])
    else:
        own = np.where(labels == background, 0.0, checked_tolerance(tolerance))
    return np.asarray(np.maximum(own[:, None], own[None, :]), dtype=np.float64)


def _unit(shape: tuple[int, ...], spacing: tuple[float, ...], *, is_known: bool) -> tuple[float, str]:
    axes = [step for step, length in zip(spacing, shape, strict=True) if length > 1]
    if not is_known:
        return 1.0, "px"
    return float(np.prod(axes)), "mm³" if len(axes) == 3 else "mm²"


def _codes(patterns: DecisionPatterns, labels: IntArray) -> IntArray:
    """Each reader's label, pattern by pattern, as a place in ``labels``."""
    return np.asarray(np.searchsorted(labels, patterns.labels)[patterns.table], dtype=np.int64)


def _who_speaks(
    patterns: DecisionPatterns, labels: IntArray, background: int, asked: Sequence[Collection[int] | None] | None
) -> BoolArray:
    """Whether each reader's answer is one, pattern by pattern: background is none from whoever was not asked for the rest."""
    codes = _codes(patterns, labels)
    speaks = np.ones(codes.shape, dtype=bool)
    if asked is None:
        return speaks
    if len(asked) != patterns.n_raters:
        message = f"asked has {len(asked)} entries for {patterns.n_raters} readers; one a reader is needed"
        raise ValueError(message)
    occurs = np.zeros((len(codes), len(labels)), dtype=bool)
    occurs[np.arange(len(codes))[:, None], codes] = True
    is_structure = labels != background
    for reader, scope in enumerate(asked):
        if scope is not None:
            foreign = occurs & (is_structure & ~np.isin(labels, list(scope)))
            own = occurs & (is_structure & np.isin(labels, list(scope)))
            is_empty = ~is_structure[codes[:, reader]]
            speaks[:, reader] = ~(is_empty & foreign.any(axis=1) & ~own.any(axis=1))
    return speaks


def _labels_said(patterns: DecisionPatterns, labels: IntArray, speaks: BoolArray) -> BoolArray:
    said = np.zeros((len(speaks), len(labels)), dtype=bool)
    row, reader = np.nonzero(speaks)
    said[row, _codes(patterns, labels)[row, reader]] = True
    return said


def _described(
    patterns: DecisionPatterns,
    labels: IntArray,
    speaks: BoolArray,
    ground: Ground,
    pattern: IntArray,
    number: IntArray,
    unit_size: float,
) -> tuple[Region, ...]:
    inside = np.flatnonzero(number >= 0)
    if not len(inside):
        return ()
    # Region after region; what is told of all of them is found in one pass over their voxels.
    # Numbers of one or two bytes are sorted in a pass or two.
    small = number[inside].astype(np.min_scalar_type(int(number.max())))
    order = inside[np.argsort(small, kind="stable")]
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    at = np.stack(np.unravel_index(ground.places[order], patterns.first.shape))
    low, high = np.minimum.reduceat(at, starts, axis=1).T, np.maximum.reduceat(at, starts, axis=1).T + 1
    centre = at[:, _nearest_to_middle(at, starts, sizes)].T
    owner = np.repeat(np.arange(len(starts)), sizes)
    codes = _codes(patterns, labels)[pattern[order]]
    given = np.stack([_counted(owner, one, len(starts), len(labels)) for one in codes.T], axis=1)
    consensus = _counted(owner, ground.own[order], len(starts), len(labels))
    is_silent = ~np.logical_or.reduceat(speaks[pattern[order]], starts, axis=0)
    regions = []
    for rank, region in enumerate(np.lexsort((order[starts], -sizes)).tolist(), start=1):
        own = at[:, starts[region] : starts[region] + sizes[region]] - low[region][:, None]
        voxels = np.zeros(tuple(high[region] - low[region]), dtype=bool)
        voxels[tuple(own)] = True
        first, last = (int(low[region][0]), int(high[region][0]) - 1) if len(own) > 2 else (0, 0)
        regions.append(
            Region(
                rank, voxels, tuple(low[region].tolist()), n_voxels=int(sizes[region]),
                size=int(sizes[region]) * unit_size, centre=tuple(centre[region].tolist()),
                plane=first + int(np.bincount(own[0]).argmax()) if len(own) > 2 else 0, planes=(first, last),
                given=given[region], consensus=consensus[region], is_silent=is_silent[region],
            )
        )  # fmt: skip
    return tuple(regions)


def _nearest_to_middle(at: IntArray, starts: IntArray, sizes: IntArray) -> IntArray:
    """The first voxel of each region among those nearest to the mean of its voxels."""
    middle = np.add.reduceat(at, starts, axis=1) / sizes
    away = ((at - np.repeat(middle, sizes, axis=1)) ** 2).sum(axis=0)
    is_nearest = away == np.repeat(np.minimum.reduceat(away, starts), sizes)
    return np.asarray(np.minimum.reduceat(np.where(is_nearest, np.arange(len(away)), len(away)), starts))


def _counted(owner: IntArray, label: IntArray, n_owners: int, n_labels: int) -> IntArray:
    """How many voxels of each region have each label."""
    counts = np.bincount(owner * n_labels + label, minlength=n_owners * n_labels)
    return counts.reshape(n_owners, n_labels).astype(np.int64)
