# mypy: ignore-errors
"""HD, HD95 (pooled) and ASSD of two masks with MedPy."""

from __future__ import annotations

import sys

import numpy as np
from answering import answer
from medpy.metric import assd, hd, hd95

first, second = (np.load(name) for name in sys.argv[1:3])
spacing = np.load(sys.argv[3]).tolist()


def work():
    return {name: float(call(first, second, spacing)) for name, call in (("hd", hd), ("hd95", hd95), ("assd", assd))}


answer(work)
