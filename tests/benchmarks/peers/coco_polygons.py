# mypy: ignore-errors
"""Polygons of three raters with pycocotools: outlines to RLE, IoU of each two raters, optimal matching."""

from __future__ import annotations

import sys

import numpy as np
import pycocotools.mask as coco
from answering import answer
from scipy.optimize import linear_sum_assignment

points, counts, size = (np.load(name) for name in sys.argv[1:4])
side, threshold = int(size[0]), float(size[1])
ends = np.cumsum(counts.ravel())
rings = [ring.ravel().tolist() for ring in np.split(points, ends[:-1])]
n_images, n_raters, n_objects = counts.shape


def work():
    matched = 0
    for image in range(n_images):
        masks = []
        for rater in range(n_raters):
            start = (image * n_raters + rater) * n_objects
            masks.append(coco.frPyObjects(rings[start : start + n_objects], side, side))
        for a in range(n_raters):
            for b in range(a + 1, n_raters):
                table = coco.iou(masks[a], masks[b], [0] * n_objects)
                rows, columns = linear_sum_assignment(np.where(table >= threshold, table, 0), maximize=True)
                matched += int((table[rows, columns] >= threshold).sum())
    return {"matched": matched}


answer(work)
