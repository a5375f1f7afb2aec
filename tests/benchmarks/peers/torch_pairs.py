# mypy: ignore-errors
"""Dice and confusion matrices of pairs of raters with MONAI (0) or torchmetrics (1), on label maps [rater, z, y, x]."""

from __future__ import annotations

import sys

import numpy as np
import torch
from answering import answer
from monai.metrics import DiceHelper, get_confusion_matrix
from monai.networks.utils import one_hot
from torchmetrics.functional.classification import multiclass_confusion_matrix
from torchmetrics.functional.segmentation import dice_score

maps = torch.from_numpy(np.load(sys.argv[1]).astype(np.int64))
which = int(np.load(sys.argv[2])[0])
pairs = np.load(sys.argv[3]).tolist()
n_classes = int(maps.max()) + 1


def monai_pair(first, second):
    a, b = (one_hot(one[None, None], n_classes, dtype=torch.float32) for one in (first, second))
    get_confusion_matrix(a, b, include_background=True)
    found, _ = DiceHelper(include_background=False, softmax=False, reduction="none", get_not_nans=True)(a, b)
    return found[0].tolist()


def torchmetrics_pair(first, second):
    multiclass_confusion_matrix(first.ravel(), second.ravel(), n_classes)
    found = dice_score(
        first[None], second[None], n_classes, include_background=False, average="none", input_format="index"
    )
    return found[0].tolist()


def work():
    pair = (monai_pair, torchmetrics_pair)[which]
    return {"dice": [pair(maps[a], maps[b]) for a, b in pairs]}


answer(work)
