"""Matching against pycocotools and Datumaro: python -m tests.benchmarks.bench_matching [--images 1000] [--rounds N].

Polygons are matched by exact areas here and rasterised there. Datumaro gets fewer images and its time is scaled.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace

import numpy as np

from labelhub.numerics.geometry import box_iou
from labelhub.numerics.matching import cluster_objects, match_pair
from labelhub.numerics.polygons import PolygonShape, polygon_iou
from tests.benchmarks.race import HEADER, race
from tests.benchmarks.shapes import SIDE, boxes, outlines

THRESHOLD = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(HEADER, flush=True)
    _polygons(options.images, options.rounds)
    _boxes(options.images, options.rounds)


def readings(points: np.ndarray, counts: np.ndarray) -> list[list[PolygonShape]]:
    """The shapes of each image, one rater after the other."""
    rings = iter(np.split(points, np.cumsum(counts.ravel())[:-1]))
    each = counts.shape[1] * counts.shape[2]
    return [[PolygonShape((next(rings),)) for _ in range(each)] for _ in range(len(counts))]


def matched_pairs(images: list[list[PolygonShape]], n_raters: int) -> int:
    matched = 0
    for shapes in images:
        n = len(shapes) // n_raters
        table = polygon_iou(shapes, raters=np.repeat(np.arange(n_raters), n), at_least=THRESHOLD)
        for a, b in itertools.combinations(range(n_raters), 2):
            matched += len(match_pair(table[a * n : a * n + n, b * n : b * n + n], THRESHOLD).first)
    return matched


def clusters(images: list[list[PolygonShape]], n_raters: int) -> int:
    owner = np.repeat(np.arange(n_raters), len(images[0]) // n_raters)
    tables = (polygon_iou(one, raters=owner, at_least=THRESHOLD, linked=True) for one in images)
    return sum(cluster_objects(table, owner, THRESHOLD).n_clusters for table in tables)


def _polygons(n_images: int, rounds: int) -> None:
    points, counts = outlines(n_images)
    images, n_raters, few = readings(points, counts), counts.shape[1], max(1, n_images // 100)
    arrays = {"points": points, "counts": counts, "size": np.array([SIDE, THRESHOLD, few])}
    work = f"polygons of {n_images:,} images × {counts.shape[2]} × {n_raters} raters"
    ran = race(
        f"{work}, pairs", lambda: matched_pairs(images, n_raters), "pycocotools",
        ["pycocotools", "numpy", "scipy"], "coco_polygons.py", arrays, rounds=rounds,
    )  # fmt: skip
    print(ran.row(f"{matched_pairs(images, n_raters):,} pairs, rasterised {ran.values['matched']:,}"), flush=True)
    ran = race(
        f"{work}, clusters", lambda: clusters(images, n_raters), "Datumaro", ["datumaro"], "datumaro_merge.py", arrays,
        rounds=rounds, peer_rounds=1,
    )  # fmt: skip
    ours = clusters(images[:few], n_raters)
    scaled = replace(
        ran,
        peer_s=ran.peer_s * n_images / few,
        cpu_ratio=ran.cpu_ratio * n_images / few,
        peer=f"Datumaro ({few} images, scaled)",
    )
    print(scaled.row(f"{ours:,} clusters in these, its chains {ran.values['clusters']:,}"), flush=True)


def _boxes(n_images: int, rounds: int) -> None:
    sized = boxes(n_images)
    corners = np.concatenate([sized[..., :2], sized[..., :2] + sized[..., 2:]], axis=3)

    def ours() -> float:
        return sum(float(box_iou(first, second).sum()) for first, second in corners)

    ran = race(
        f"boxes of {n_images:,} images × {sized.shape[2]} × 2 raters", ours, "pycocotools",
        ["pycocotools", "numpy", "scipy"], "coco_boxes.py", {"boxes": sized}, rounds=3 * rounds,
    )  # fmt: skip
    print(ran.row(f"sum of IoU {abs(ours() / ran.values['total'] - 1):.0e} apart"), flush=True)


if __name__ == "__main__":
    main()
