# mypy: ignore-errors
"""LabelOverlapMeasuresImageFilter of SimpleITK over all pairs of raters, Dice of every label."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import SimpleITK
from answering import answer

maps = np.load(sys.argv[1])
images = [SimpleITK.GetImageFromArray(one.astype(np.uint8)) for one in maps]
labels = [int(label) for label in np.unique(maps) if label]


def work():
    dice = []
    for first, second in itertools.combinations(images, 2):
        found = SimpleITK.LabelOverlapMeasuresImageFilter()
        found.Execute(first, second)
        dice.append([found.GetDiceCoefficient(label) for label in labels])
    return {"dice": dice}


answer(work)
