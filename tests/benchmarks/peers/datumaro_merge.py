# mypy: ignore-errors
"""Polygons of three raters with the polygon matcher of Datumaro's IntersectMerge: clusters of each image."""

from __future__ import annotations

import sys

import numpy as np
from answering import answer
from datumaro.components.annotation import Polygon
from datumaro.components.annotations.matcher import PolygonMatcher

points, counts, size = (np.load(name) for name in sys.argv[1:4])
threshold, n_images = float(size[1]), int(size[2])
n_raters, n_objects = counts.shape[1:]
rings = np.split(points, np.cumsum(counts.ravel())[:-1])[: n_images * n_raters * n_objects]
shapes = [Polygon(ring.ravel().tolist(), label=0) for ring in rings]


class OneLabel(PolygonMatcher):
    def label_matcher(self, a, b):
        return True


def work():
    found = 0
    for image in range(n_images):
        start = image * n_raters * n_objects
        readings = [shapes[start + rater * n_objects : start + (rater + 1) * n_objects] for rater in range(n_raters)]
        found += len(OneLabel(pairwise_dist=threshold).match_annotations(readings))
    return {"clusters": found}


answer(work)
