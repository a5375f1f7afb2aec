"""Whether an outline crosses or touches itself, in a time that its number of corners bounds.

GEOS looks at each pair of segments whose boxes overlap: few where an outline goes around a thing, and half of the square of
all segments where it goes to and fro aslant, which would hold up whoever waits behind it. So the pairs are counted first, from
above, by sorting; an outline with more of them than ``MOST_PAIRS`` is tangled, whether or not it crosses itself, and is the
edge of no thing that a hand went around. Not here: the words of a refusal (``geometry``).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray

Form: TypeAlias = Literal["simple", "crossing", "tangled"]

# At some nanoseconds a pair, a few hundredths of a second at most.
MOST_PAIRS = 2_000_000
# How many pairs of a tangle are looked at to say whether it crosses itself.
SAMPLE = 50_000


def form_of(outline: NDArray[np.float64]) -> Form:
    """Return what a closed outline ``[corner, (x, y)]`` of at least three corners is.

    A crossing or a touch is found wherever it is unless the outline is tangled; then by a fixed sample of its segments.
    """
    starts, ends = outline, np.roll(outline, -1, axis=0)
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    if min(overlapping_pairs(low[:, axis], high[:, axis]) for axis in (0, 1)) <= MOST_PAIRS:
        return "simple" if shapely.is_simple(shapely.linearrings(outline)) else "crossing"
    return "crossing" if _crosses_in_a_sample(starts, ends) else "tangled"


def overlapping_pairs(low: NDArray[np.float64], high: NDArray[np.float64]) -> int:
    """Return how many pairs of the closed intervals from ``low`` to ``high`` have a place in common."""
    begun = np.searchsorted(np.sort(low), high, side="right")
    over = np.searchsorted(np.sort(high), low, side="left")
    # Of those that have begun by the end of one and are not over at its start, one is itself.
    return int((begun - over - 1).sum()) // 2


def _crosses_in_a_sample(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> bool:
    """Whether one of some pairs of segments crosses within both."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(len(starts), size=(2, SAMPLE))
    a, b, c, d = starts[one], ends[one], starts[other], ends[other]
    splits = _side(a, b, c) * _side(a, b, d) < 0
    return bool((splits & (_side(c, d, a) * _side(c, d, b) < 0)).any())


def _side(a: NDArray[np.float64], b: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return on which side of the lines from ``a`` to ``b`` the points lie: -1, 0 or 1."""
    turn = (b[:, 0] - a[:, 0]) * (p[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (p[:, 0] - a[:, 0])
    return np.sign(turn)
