"""Proposals from clicks, on real images: how many clicks a simulated person needs, and how long one takes.

    python -m tests.benchmarks.bench_assist [--all]

The person clicks into the middle of the largest error, misses by 3 px (standard deviation) and says the opposite in 5 % of
clicks; at most 20. Geodesic distances beside the random walker of scikit-image (Grady 2006, IEEE TPAMI 28:1768; conjugate
gradients), with the same seeds, the border as background, and its best level. Truths: readers' contours for the liver (DICOM
SEG) and the lesions; thresholds, cleaned, for coins and brain, which flatter both. The random walker gets the small tasks only
(256 px), as long as --all is not given. Then the times of one click, on the clock and of the processors, medians of seven.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")

from labelhub.config.demo.pictures import brain_volumes
from labelhub.numerics.clicks import MOST_CLICKS, Click, clicks_to, next_click
from labelhub.predictions import geodesic
from labelhub.predictions.marks import Hints, border, seeds_of
from tests.realdata import SHARED

Mask = NDArray[np.bool_]
Method = Callable[[NDArray[Any], Hints, tuple[float, float, float]], Mask]
REGION = {2: (1, 512, 512), 3: (96, 96, 96)}


@dataclass(frozen=True, slots=True)
class Task:
    """An image and what somebody wants in it."""

    kind: str
    pixels: NDArray[Any]
    truth: Mask
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)


def coins() -> Iterator[Task]:
    from skimage import data, filters

    grey = data.coins()
    mask = ndimage.binary_opening(ndimage.binary_fill_holes(grey > filters.threshold_otsu(grey)), iterations=2)
    parts, n = ndimage.label(mask)
    for number in range(1, n + 1, 3):
        if 600 < (parts == number).sum() < 6000:
            yield Task("coin", grey[None], (parts == number)[None])


def brain() -> Iterator[Task]:
    from skimage import filters

    pixels, grid = next(iter(brain_volumes()))
    smooth = ndimage.gaussian_filter(pixels.astype(float), 1.0)
    mask = ndimage.binary_fill_holes(
        largest(ndimage.binary_opening(smooth > filters.threshold_otsu(smooth), iterations=2))
    )
    spacing = grid.spacing_mm or (1.0, 1.0, 1.0)
    for z in range(4, len(pixels) - 3, 3):
        yield Task("brain slice", pixels[z][None], largest(mask[z])[None])
    yield Task("brain", pixels, mask, spacing)


def liver() -> Iterator[Task]:
    import pydicom

    folder = SHARED / "dicom" / "dcmqi"
    if not folder.exists():
        return
    slices = {}
    for path in sorted((folder / "ct-3slice").glob("*.dcm")):
        entry = pydicom.dcmread(path)
        slices[round(float(entry.ImagePositionPatient[2]), 1)] = entry.pixel_array * float(entry.RescaleSlope) + float(
            entry.RescaleIntercept
        )
    found = pydicom.dcmread(folder / "liver.dcm")
    for frame, place in zip(found.pixel_array, found.PerFrameFunctionalGroupsSequence, strict=True):
        z = round(float(place.PlanePositionSequence[0].ImagePositionPatient[2]), 1)
        if z in slices and frame.any():
            yield Task("liver in CT", np.clip(slices[z], -160, 240)[None], largest(frame > 0)[None])


def lesions() -> Iterator[Task]:
    import nibabel

    folder = SHARED / "volumes" / "niivue"
    if not folder.exists():
        return
    pixels = np.asarray(nibabel.load(folder / "FLAIR.nii.gz").dataobj).T.astype(float)
    mask = largest(np.asarray(nibabel.load(folder / "lesion.nii.gz").dataobj).T == 1)
    for z in range(58, 78, 4):
        if mask[z].sum() > 60:
            yield Task("lesion slice", pixels[z][None], largest(mask[z])[None])
    yield Task("lesion", pixels, mask)


def largest(mask: Mask) -> Mask:
    parts, _ = ndimage.label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())


def cropped(task: Task, most: tuple[int, ...]) -> Task:
    middle = [round(float(at)) for at in ndimage.center_of_mass(task.truth)]
    starts = [max(0, min(at - side // 2, n - side)) for at, side, n in zip(middle, most, task.truth.shape, strict=True)]
    cut = tuple(slice(start, start + side) for start, side in zip(starts, most, strict=True))
    return Task(task.kind, task.pixels[cut], task.truth[cut], task.spacing_mm)


def by_geodesic(pixels: NDArray[Any], hints: Hints, spacing_mm: tuple[float, float, float]) -> Mask:
    return geodesic.propose(pixels, hints, spacing_mm=spacing_mm).mask


def by_random_walker(pixels: NDArray[Any], hints: Hints, spacing_mm: tuple[float, float, float]) -> Mask:
    from skimage.segmentation import random_walker

    values = geodesic.prepared(pixels, spacing_mm)
    shape = (values.shape[0], values.shape[1], values.shape[2])
    seeds = seeds_of(hints, shape, spacing_mm)
    labels = np.zeros(shape, int)
    labels[border(shape)] = 2
    labels[seeds.outside] = 2
    labels[seeds.inside] = 1
    flat = shape[0] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = random_walker(
            values[0, ..., 0] if flat else values[..., 0], labels[0] if flat else labels, beta=1000, mode="cg_j",
            return_full_prob=True, spacing=tuple(np.asarray(spacing_mm) / min(spacing_mm))[1 if flat else 0 :],
        )[0]  # fmt: skip
    near = np.asarray(1.0 - (found[None] if flat else found), dtype=np.float32)
    level = 0.5 if hints.negative else geodesic.edge_level(near, values, 0.98)
    parts, _ = ndimage.label((near <= level) | seeds.inside)
    held = np.unique(parts[seeds.inside])
    return np.isin(parts, held[held > 0])


def session(method: Method, task: Task, rng: np.random.Generator) -> list[float]:
    """The Dice after each click, until .9 or the last."""
    given = np.zeros_like(task.truth)
    said: dict[tuple[int, int, int], bool] = {}
    dices: list[float] = []
    while len(dices) < MOST_CLICKS and (not dices or dices[-1] < 0.9):
        wrong = 0.05 if said else 0.0
        click = next_click(task.truth, given, rng=rng, spacing_mm=task.spacing_mm, wrong_share=wrong)
        if click is None:
            break
        said[click.place] = click.is_inside
        if not any(said.values()):
            said[click.place] = True
            click = Click(click.place, True)
        sides = [tuple(place for place, is_inside in said.items() if is_inside is side) for side in (True, False)]
        given = method(task.pixels, Hints(sides[0], sides[1]), task.spacing_mm)
        dices.append(2.0 * float((given & task.truth).sum()) / float(given.sum() + task.truth.sum()))
    return dices


def race(name: str, method: Method, tasks: list[Task]) -> None:
    kinds: dict[str, list[list[float]]] = {}
    began, clicks = time.perf_counter(), 0
    for number, task in enumerate(tasks):
        found = session(method, task, np.random.default_rng([1, number]))
        clicks += len(found)
        kinds.setdefault(task.kind, []).append(found)
    print(f"\n{name}: {(time.perf_counter() - began) / clicks:.2f} s a click")
    for kind, sessions in kinds.items():
        words = []
        for wanted in (0.85, 0.9):
            needed = [clicks_to(np.array(one), wanted) for one in sessions]
            mean = np.mean([entry or MOST_CLICKS for entry in needed])
            words.append(f"NoC@{wanted:g} {mean:4.1f}, {np.mean([entry is None for entry in needed]):4.0%} failed")
        first, best = (np.mean([pick(one) for one in sessions]) for pick in (lambda one: one[0], max))
        print(f"  {kind:<13} n={len(sessions):<3} {'; '.join(words)}; Dice after one {first:.2f}, best {best:.2f}")


def speed() -> None:
    rng = np.random.default_rng(0)
    for name, shape in (("512 x 512", (1, 512, 512)), ("128 x 128 x 128", (128, 128, 128))):
        grids = np.ogrid[tuple(slice(-1, 1, complex(0, max(side, 2))) for side in shape)]
        ball = sum(grid[:side] ** 2 for grid, side in zip(grids, shape, strict=True)) < (1.3 if shape[0] == 1 else 0.25)
        pixels = (100 + 60 * np.broadcast_to(ball, shape) + rng.normal(0, 12, shape)).astype(np.int16)
        middle = tuple(side // 2 for side in shape)
        edge = (middle[0], 8, 8)
        for hints, words in ((Hints((middle,)), "one click"), (Hints((middle,), (edge,)), "a second, outside")):
            took, worked = [], []
            for _ in range(7):
                began, busy = time.perf_counter(), time.process_time()
                geodesic.propose(pixels, hints)
                took.append(time.perf_counter() - began)
                worked.append(time.process_time() - busy)
            median, processors = statistics.median(took), statistics.median(worked)
            print(f"{name}, {words}: {median:.2f} s [{max(took):.2f}], {processors:.2f} s of processors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="the random walker gets every task, also volumes")
    options = parser.parse_args()
    found = [*coins(), *brain(), *liver(), *lesions()]
    tasks = [cropped(task, REGION[2 if task.truth.shape[0] == 1 else 3]) for task in found]
    race("geodesic", by_geodesic, tasks)
    small = [cropped(task, (1, 256, 256)) for task in found if task.truth.shape[0] == 1][::2]
    walked = tasks if options.all else small
    if not options.all:
        race("geodesic, the small tasks", by_geodesic, walked)
    race("random walker" + ("" if options.all else ", the small tasks"), by_random_walker, walked)
    print()
    speed()


if __name__ == "__main__":
    main()
