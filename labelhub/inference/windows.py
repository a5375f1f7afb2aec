"""Where the windows over an image lie and how much each pixel of a window counts. Not here: running them (``sliding``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The standard deviation of a window's weights, as a share of its side, and the least weight: what MONAI's inferer takes too.
SIGMA_SHARE = 0.125
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True)
class Window:
    """The first pixel ``(z, y, x)`` of a window."""

    z: int
    y: int
    x: int


def starts(extent: int, side: int, overlap: float) -> list[int]:
    """Return where windows of ``side`` begin along an axis of ``extent`` pixels; the last one ends with the axis."""
    if side >= extent:
        return [0]
    step = max(1, int(side * (1 - overlap)))
    found = list(range(0, extent - side, step))
    return [*found, extent - side]


def layers(size: Sequence[int], window: Sequence[int], overlap: float) -> Iterator[tuple[int, list[Window]]]:
    """Yield, from the first plane to the last, each depth at which windows begin, with all windows there."""
    depth, height, width = (
        starts(extent, side, overlap) for extent, side in zip(size, window, strict=True)
    )  # fmt: skip
    for z in depth:
        yield z, [Window(z, y, x) for y in height for x in width]


def weights(window: Sequence[int]) -> NDArray[np.float32]:
    """Return how much each pixel of a window counts: a Gaussian around its middle, never nothing."""
    whole = np.ones(tuple(window), dtype=np.float32)
    for axis, side in enumerate(window):
        offset = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
        line = np.exp(-(offset**2) / np.float32(2 * (SIGMA_SHARE * side) ** 2), dtype=np.float32)
        whole *= line.reshape([-1 if place == axis else 1 for place in range(len(window))])
    return np.maximum(whole, max(float(whole.min()), LEAST_WEIGHT), dtype=np.float32)


def padding(size: Sequence[int], window: Sequence[int]) -> list[tuple[int, int]]:
    """Return how many pixels are put before and after each axis so that a window fits."""
    missing = [max(side - extent, 0) for extent, side in zip(size, window, strict=True)]
    return [(count // 2, count - count // 2) for count in missing]


def smaller(window: Sequence[int], step: Sequence[int]) -> tuple[int, ...] | None:
    """Return a window of about half the size, its sides still multiples of ``step``; None where it is as small as it can be."""
    sides = list(window)
    widest = max(range(len(sides)), key=lambda axis: sides[axis] / max(step[axis], 1))
    halved = max(step[widest], sides[widest] // 2 // step[widest] * step[widest])
    if halved >= sides[widest]:
        return None
    sides[widest] = halved
    return tuple(sides)
