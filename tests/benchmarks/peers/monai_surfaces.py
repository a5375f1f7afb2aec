# mypy: ignore-errors
"""HD, HD95, ASSD and surface Dice of two masks with MONAI, one call each, as it has them; or HD95 alone."""

from __future__ import annotations

import sys

import numpy as np
import torch
from answering import answer
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice

first, second = (torch.from_numpy(np.load(name)[None, None].astype(np.float32)) for name in sys.argv[1:3])
spacing = np.load(sys.argv[3]).tolist()
tolerance = float(np.load(sys.argv[4]))
is_alone = len(sys.argv) > 5 and bool(np.load(sys.argv[5]))


def work():
    options = {"include_background": True, "spacing": spacing}
    hd95 = compute_hausdorff_distance(first, second, percentile=95, **options)
    if is_alone:
        return {"hd95": float(hd95)}
    found = {
        "hd": compute_hausdorff_distance(first, second, **options),
        "hd95": hd95,
        "assd": compute_average_surface_distance(first, second, symmetric=True, **options),
        "nsd": compute_surface_dice(first, second, [tolerance], **options),
    }
    return {name: float(value) for name, value in found.items()}


answer(work)
