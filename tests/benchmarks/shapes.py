"""Generated outlines of three raters: the input of the benchmarks of matching."""

from __future__ import annotations

import numpy as np

SIDE = 1024


def outlines(n_images: int, n_objects: int = 50, n_raters: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """All points ``(point, 2)`` one ring after the other, and their number ``[image, rater, object]``.

    An object has 12 to 32 points at 10 to 60 pixels around its centre, within the image; raters differ by 8 % of the radius.
    """
    rng = np.random.default_rng(seed)
    shape = (n_images, n_raters, n_objects)
    counts = np.broadcast_to(rng.integers(12, 33, (n_images, 1, n_objects)), shape)
    centre = rng.uniform(90, SIDE - 90, (n_images, 1, n_objects, 2))
    radius = np.broadcast_to(rng.uniform(10, 60, (n_images, 1, n_objects)), shape).ravel()
    centre = np.broadcast_to(centre, (*shape, 2)).reshape(-1, 2) + 0.05 * radius[:, None] * rng.standard_normal(
        (radius.size, 2)
    )
    ring = np.repeat(np.arange(radius.size), counts.ravel())
    place = np.arange(ring.size) - np.repeat(np.cumsum(counts.ravel()) - counts.ravel(), counts.ravel())
    angle = 2 * np.pi * place / counts.ravel()[ring]
    away = radius[ring] * (1 + 0.08 * rng.standard_normal(ring.size))
    points = centre[ring] + away[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.clip(points, 0, SIDE), np.ascontiguousarray(counts)


def boxes(n_images: int, n_objects: int = 50, seed: int = 0) -> np.ndarray:
    """``[image, rater, object, (x, y, width, height)]`` of two raters."""
    rng = np.random.default_rng(seed)
    place = rng.random((n_images, 1, n_objects, 2)) * SIDE + 3 * rng.standard_normal((n_images, 2, n_objects, 2))
    size = rng.uniform(20, 120, (n_images, 1, n_objects, 2)) + 3 * rng.standard_normal((n_images, 2, n_objects, 2))
    return np.concatenate([place, size], axis=3)
