# mypy: ignore-errors
"""Surfel-weighted HD, HD95, mean distances and surface Dice of two masks with surface-distance."""

from __future__ import annotations

import sys

import numpy as np
import surface_distance
from answering import answer

first, second = (np.load(name) for name in sys.argv[1:3])
spacing = np.load(sys.argv[3]).tolist()
tolerance = float(np.load(sys.argv[4]))


def work():
    found = surface_distance.compute_surface_distances(first, second, spacing)
    means = surface_distance.compute_average_surface_distance(found)
    values = {
        "hd": surface_distance.compute_robust_hausdorff(found, 100),
        "hd95": surface_distance.compute_robust_hausdorff(found, 95),
        "mean_first": means[0],
        "mean_second": means[1],
        "nsd": surface_distance.compute_surface_dice_at_tolerance(found, tolerance),
    }
    return {name: float(value) for name, value in values.items()}


answer(work)
