"""A simulated person who mends a mask by clicks: the next click, and how many it takes.

The click goes to the middle of the largest part that is wrong (the place farthest from its border), as in DeepGrow and DeepEdit
(Sakinis et al. 2019, arXiv 1903.08205; Diaz-Pinto et al. 2022, MICCAI workshop DALI). People miss: the place is jittered and a
share of clicks has the wrong sign, because robots that never err overestimate a method (Marinov et al. 2024, arXiv 2404.01816).
Not here: what answers the clicks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from labelhub.numerics.arguments import checked

JITTER_PX = 3.0
WRONG_SHARE = 0.05
MOST_CLICKS = 20


@dataclass(frozen=True, slots=True)
class Click:
    """A place ``(z, y, x)`` and whether it is said to be inside."""

    place: tuple[int, int, int]
    is_inside: bool


@checked
def next_click(
    truth: ArrayLike,
    given: ArrayLike,
    *,
    rng: np.random.Generator,
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    jitter_px: float = JITTER_PX,
    wrong_share: float = WRONG_SHARE,
) -> Click | None:
    """Return where a person who wants ``truth[z, y, x]`` and sees ``given`` clicks next; None where nothing is wrong.

    Parameters
    ----------
    truth, given : (z, y, x) bool
        What is wanted and what is there. A slice has one side of 1.
    rng : np.random.Generator
        Draws the jitter and the wrong signs.
    spacing_mm : (float, float, float)
        The middle of a part is its middle in millimetres; jitter is in pixels of the finest axis.
    jitter_px : float
        Standard deviation of the miss along each axis with more than one voxel.
    wrong_share : float
        Share of clicks that say the opposite of what is meant, from 0 to 1.

    Raises
    ------
    ValueError
        The masks are no booleans of one shape with three axes, or a number is out of its range.

    Examples
    --------
    The middle of what is missing:

    >>> wanted = np.zeros((1, 9, 9), dtype=bool)
    >>> wanted[0, 2:7, 2:7] = True
    >>> next_click(wanted, np.zeros_like(wanted), rng=np.random.default_rng(0), jitter_px=0.0, wrong_share=0.0)
    Click(place=(0, 4, 4), is_inside=True)
    """
    wanted, seen = np.asarray(truth), np.asarray(given)
    if wanted.shape != seen.shape or wanted.ndim != 3 or wanted.dtype != np.bool_ or seen.dtype != np.bool_:
        message = (
            f"truth is {wanted.dtype} of shape {wanted.shape}, given {seen.dtype} of {seen.shape}; masks [z, y, x] of one "
            "shape are needed"
        )
        raise ValueError(message)
    if len(spacing_mm) != 3 or not all(0 < step < np.inf for step in spacing_mm):
        message = f"spacing_mm is {spacing_mm}; three sizes above 0 are needed"
        raise ValueError(message)
    if not (0 <= jitter_px < np.inf and 0 <= wrong_share <= 1):
        message = f"jitter_px is {jitter_px} and wrong_share {wrong_share}; from 0, and from 0 to 1"
        raise ValueError(message)
    parts = [(part, is_inside) for part, is_inside in ((wanted & ~seen, True), (seen & ~wanted, False)) if part.any()]
    if not parts:
        return None
    largest = [(_largest(part), is_inside) for part, is_inside in parts]
    part, is_inside = max(largest, key=lambda entry: int(entry[0].sum()))
    flat = [side == 1 for side in wanted.shape]
    # Beyond the image a part goes on along an axis of one voxel, and ends along all others.
    padded = np.pad(part, [(0, 0) if is_flat else (1, 1) for is_flat in flat])
    wide = tuple(1e9 if is_flat else step for is_flat, step in zip(flat, spacing_mm, strict=True))
    depth = ndimage.distance_transform_edt(padded, sampling=wide)
    middle = np.array(np.unravel_index(int(np.argmax(depth)), depth.shape)) - [0 if is_flat else 1 for is_flat in flat]
    steps = np.asarray(spacing_mm) / min(spacing_mm)
    miss = rng.normal(0.0, 1.0, 3) * jitter_px / steps
    place = np.clip(np.rint(middle + miss), 0, np.array(wanted.shape) - 1).astype(int)
    is_wrong = rng.random() < wrong_share
    return Click((int(place[0]), int(place[1]), int(place[2])), is_inside != is_wrong)


@checked
def clicks_to(dices: ArrayLike, wanted: float) -> int | None:
    """After how many clicks the Dice first reached ``wanted`` (NoC); None where it never did.

    Parameters
    ----------
    dices : array of float, shape (click,)
        NaN reaches nothing.
    wanted : float

    Examples
    --------
    >>> clicks_to([0.4, 0.8, 0.9], 0.85)
    3
    """
    values = np.asarray(dices, dtype=np.float64)
    if values.ndim != 1:
        message = f"dices has shape {values.shape}; one number a click is needed"
        raise ValueError(message)
    reached = np.flatnonzero(values >= wanted)
    return int(reached[0]) + 1 if reached.size else None


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    parts, _ = ndimage.label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == int(sizes.argmax()))
