"""Dice, IoU, volume and confusion of all pairs of raters and all labels, item after item, on a device of torch.

Equal to ``numerics.all_pairs``: voxels are counted in whole numbers. Not here: finding the patterns (``patterns``),
distances between surfaces (``surfaces``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import tee

import torch

from labelhub.inference.accelerated.devices import computing_device
from labelhub.inference.accelerated.laid import LaidMaps, Maps, in_batches, lay
from labelhub.inference.accelerated.patterns import pattern_counts
from labelhub.numerics.all_pairs import AllPairs, overlaps_of_patterns
from labelhub.numerics.decision_patterns import PatternCounts
from labelhub.numerics.mask_pair import checked_spacing


def compare_all(
    maps: Maps,
    *,
    labels: Sequence[int] | None = None,
    spacing_mm: Sequence[float] | None = None,
    device: torch.device | None = None,
) -> AllPairs:
    """As ``numerics.all_pairs.compare_all``, of maps ``[reader][z, y, x]`` or masks.

    Raises ``ValueError`` where there is no map, grids differ, labels are not whole numbers, or the spacing is impossible.
    """
    laid = lay([maps], device or computing_device())
    (patterns,) = pattern_counts(laid, labels=labels)
    return _overlaps(patterns, spacing_mm, len(laid.shape))


def compare_project(
    items: Iterable[tuple[Maps, Sequence[float] | None]],
    *,
    labels: Sequence[int] | None = None,
    device: torch.device | None = None,
) -> Iterator[AllPairs]:
    """The overlaps of every item of a project, in their order: (maps, spacing) in, :class:`AllPairs` out.

    Items are taken as they come, and as many lie on the device at a time as its room holds.
    """
    left, right = tee(items)
    spacings = (spacing_mm for _, spacing_mm in right)
    for laid in in_batches((maps for maps, _ in left), device or computing_device()):
        yield from compare_laid(laid, [next(spacings) for _ in range(laid.n_items)], labels=labels)


def compare_laid(
    laid: LaidMaps, spacings_mm: Sequence[Sequence[float] | None], *, labels: Sequence[int] | None = None
) -> Iterator[AllPairs]:
    """As :func:`compare_project`, of a batch that lies on the device already."""
    for patterns, spacing_mm in zip(pattern_counts(laid, labels=labels), spacings_mm, strict=True):
        yield _overlaps(patterns, spacing_mm, len(laid.shape))


def _overlaps(patterns: PatternCounts, spacing_mm: Sequence[float] | None, n_dimensions: int) -> AllPairs:
    spacing = checked_spacing(spacing_mm, n_dimensions)
    return overlaps_of_patterns(patterns, math.prod(spacing), "px" if spacing_mm is None else "mm")
