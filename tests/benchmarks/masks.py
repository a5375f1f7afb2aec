"""Generated label maps of raters who draw the same structures with outlines of their own: the input of the benchmarks."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SHAPE = (160, 256, 256)


def shrunken(shape: tuple[int, ...], by: int) -> tuple[int, ...]:
    """The grid with every length divided: for a trial of a benchmark, whose figures then say nothing."""
    return tuple(max(16, length // by) for length in shape)


def rater_maps(n_raters: int, n_labels: int, *, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    """Label maps ``[rater, z, y, x]``: balls whose boundary wobbles smoothly, otherwise for each rater."""
    rng = np.random.default_rng(seed)
    coarse = tuple(-(-length // 8) for length in shape)
    z, y, x = np.ogrid[tuple(slice(0, length) for length in shape)]
    maps = np.zeros((n_raters, *shape), dtype=np.uint8)
    radius = 0.19 * min(shape)
    for rater in range(n_raters):
        field = ndimage.zoom(rng.standard_normal(coarse).astype(np.float32), 8, order=1)
        field = 2.0 * field[tuple(slice(0, length) for length in shape)]
        for label in range(n_labels):
            centre = [length * (0.3 + 0.4 * (label >> axis & 1)) for axis, length in enumerate(shape)]
            squared = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
            maps[rater][np.sqrt(squared, dtype=np.float32) + field < radius + 0.5 * (rater % 3 - 1)] = label + 1
    return maps


def two_masks(*, shift: int = 0, shape: tuple[int, ...] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Two raters' masks of one large structure; ``shift`` moves the second along the last axis."""
    rng = np.random.default_rng(3)
    masks = []
    z, y, x = np.ogrid[tuple(slice(0, length) for length in shape)]
    squared = ((z - 0.5 * shape[0]) * 1.4) ** 2 + (y - 0.5 * shape[1]) ** 2 + (x - 0.3 * shape[2]) ** 2
    distance = np.sqrt(squared, dtype=np.float32)
    for _ in range(2):
        field = ndimage.zoom(
            rng.standard_normal(tuple(-(-length // 8) for length in shape)).astype(np.float32), 8, order=1
        )
        masks.append(distance + 2.0 * field[tuple(slice(0, length) for length in shape)] < 0.25 * shape[1])
    return masks[0], np.roll(masks[1], shift, axis=-1)
