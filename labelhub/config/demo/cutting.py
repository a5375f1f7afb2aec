"""Cuts small items out of a picture, each around one structure that is darker or brighter than what surrounds it.

The true outline of an item is the structure that local thresholding finds; items whose structure is faint, ragged, tiny or
touches the edge are not taken, so that a person who looks at an item would draw the same. The simulated readers then err
around that truth in known ways. Not here: the pictures (`pictures`), the errors (`readings`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.config.demo.pictures import Picture

SIDE_PX = 64
MIN_SHARE, MAX_SHARE = 0.035, 0.34
MIN_CONTRAST = 16.0
MARGIN_PX = 5
SHARPNESS_STEPS = (0.17, 0.22)
MIN_SOLIDITY = 0.83
SMOOTHING_PX = 1.2
MOST_CUTS_A_PARENT = 30


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One item: ``pixels`` of SIDE_PX x SIDE_PX, the true ``mask[y, x]``, its class, and how sharp its edge is (0–2)."""

    parent: str
    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    label: str
    sharpness: int
    contrast: float


def chosen_cuts(pictures: Iterable[Picture], count: int, rng: np.random.Generator) -> list[Cut]:
    """Return ``count`` cuts, taken from every parent in turn, the clearest first: one of each parent, then the others.

    Both parts are in random order, so that the first items, which become gold, come from all parents.
    """
    by_parent = [cuts_of(picture, most=MOST_CUTS_A_PARENT) for picture in pictures]
    rounds = max(map(len, by_parent), default=0)
    in_turn = [cuts[place] for place in range(rounds) for cuts in by_parent if place < len(cuts)]
    chosen = in_turn[:count]
    firsts = min(sum(map(bool, by_parent)), len(chosen))
    order = [*rng.permutation(firsts), *(firsts + rng.permutation(len(chosen) - firsts))]
    return [chosen[index] for index in order]


def cuts_of(picture: Picture, *, most: int) -> list[Cut]:
    """Return up to ``most`` cuts with structures of their own of ``picture``, the clearest first."""
    grey = _one_channel(picture.pixels)
    smooth = ndimage.gaussian_filter(grey, SMOOTHING_PX)
    taken = np.zeros(grey.shape, dtype=bool)
    cuts: list[Cut] = []
    for peak in sorted(_peaks(grey), key=lambda peak: -peak.strength):
        window = _window(peak.y, peak.x, grey.shape)
        if window is None or taken[_core(window)].any():
            continue
        cut = _cut(picture, smooth[window], window, peak)
        if cut is not None:
            taken[_core(window)] = True
            cuts.append(cut)
        if len(cuts) == most:
            break
    return cuts


def _core(window: tuple[slice, slice]) -> tuple[slice, slice]:
    """The middle of a window: the surroundings of two items may overlap, what is outlined in them may not."""
    rows, columns = window
    inset = SIDE_PX // 5
    return slice(rows.start + inset, rows.stop - inset), slice(columns.start + inset, columns.stop - inset)


@dataclass(frozen=True, slots=True)
class _Peak:
    """Where a blob of about ``size`` (standard deviation in px) stands out."""

    strength: float
    y: int
    x: int
    size: int
    label: str


def _one_channel(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the grey values; of a colour picture the green channel, where stains and vessels stand out most."""
    return (pixels if pixels.ndim == 2 else pixels[..., 1]).astype(np.float64)


def _peaks(grey: NDArray[np.float64]) -> list[_Peak]:
    """Return the extremes of the scale-normalised Laplacian of Gaussians (Lindeberg 1998)."""
    found = []
    for size in (5, 7, 10):
        fine, coarse = (ndimage.gaussian_filter(grey, size * factor) for factor in (0.9, 1.5))
        response = coarse - fine
        for label, strength in (("dark", response), ("bright", -response)):
            peaks = (strength == ndimage.maximum_filter(strength, 21)) & (strength > MIN_CONTRAST / 5)
            found += [_Peak(float(strength[y, x]), int(y), int(x), size, label) for y, x in np.argwhere(peaks)]
    return found


def _window(y: int, x: int, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    top, left = y - SIDE_PX // 2, x - SIDE_PX // 2
    if top < 0 or left < 0 or top + SIDE_PX > shape[0] or left + SIDE_PX > shape[1]:
        return None
    return slice(top, top + SIDE_PX), slice(left, left + SIDE_PX)


def _cut(picture: Picture, smooth: NDArray[np.float64], window: tuple[slice, slice], peak: _Peak) -> Cut | None:
    values = -smooth if peak.label == "dark" else smooth
    rows, columns = np.ogrid[:SIDE_PX, :SIDE_PX]
    away = np.hypot(rows - SIDE_PX // 2, columns - SIDE_PX // 2)
    inner = float(values[away <= peak.size * 0.7].mean())
    outer = float(np.median(values[(away > 2.0 * peak.size) & (away < 3.0 * peak.size)]))
    inside = ndimage.binary_opening(values > (inner + outer) / 2, iterations=2)
    components, _ = ndimage.label(inside)
    name = components[SIDE_PX // 2, SIDE_PX // 2]
    # Most peaks end here: rounding and the convex hull are dear, and can only make a bad outline look better.
    if name == 0 or not _is_placed(components == name):
        return None
    mask = _rounded(np.asarray(ndimage.binary_fill_holes(components == name)))
    if not _is_clear(mask, values):
        return None
    gradient = ndimage.gaussian_gradient_magnitude(values, 1.0)
    edge = mask & ~ndimage.binary_erosion(mask)
    contrast = _contrast(mask, values)
    sharpness = int(np.digitize(float(gradient[edge].mean()) / contrast, SHARPNESS_STEPS))
    return Cut(picture.name, np.ascontiguousarray(picture.pixels[window]), mask, peak.label, sharpness, contrast)


def _is_placed(mask: NDArray[np.bool_]) -> bool:
    """Whether the structure is of a fair size and keeps away from the edge."""
    inner = mask[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    total = np.count_nonzero(mask)
    return bool(np.count_nonzero(inner) == total and MIN_SHARE <= total / mask.size <= MAX_SHARE)


def _is_clear(mask: NDArray[np.bool_], values: NDArray[np.float64]) -> bool:
    return _is_placed(mask) and _contrast(mask, values) >= MIN_CONTRAST and _solidity(mask) >= MIN_SOLIDITY


def _contrast(mask: NDArray[np.bool_], values: NDArray[np.float64]) -> float:
    ring = ndimage.binary_dilation(mask, iterations=7) & ~ndimage.binary_dilation(mask, iterations=1)
    return float(values[mask].mean() - values[ring].mean()) if ring.any() else 0.0


def _solidity(mask: NDArray[np.bool_]) -> float:
    """Share of the convex hull that the mask fills: ragged structures have no outline that readers would agree on."""
    import shapely

    points = shapely.MultiPoint(np.argwhere(mask).astype(float))
    hull = points.convex_hull.buffer(0.5)
    return float(mask.sum() / max(hull.area, 1.0))


def _rounded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    distance = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    return np.asarray(ndimage.gaussian_filter(distance, 1.5) > 0)
