# mypy: ignore-errors
"""IoU of boxes of two raters with pycocotools, image after image: boxes [image, rater, object, (x, y, width, height)]."""

from __future__ import annotations

import sys

import numpy as np
import pycocotools.mask as coco
from answering import answer

boxes = np.load(sys.argv[1])


def work():
    total = 0.0
    none = [0] * boxes.shape[2]
    for first, second in boxes:
        total += float(coco.iou(first, second, none).sum())
    return {"total": total}


answer(work)
