"""The settled labels of a release as training cases: prepared pixels and a label map each, on disk and read in cuts.

A label map holds 0 for what is none of the classes, their numbers from 1, and 255 where nothing is to be learned: what was
declared ambiguous, and the ground of an item that was not asked about every class (not asked is not absent).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from labelhub.catalog.models import Item, Medium
from labelhub.catalog.selectors import grid_of, media_of, read_pixels
from labelhub.formats.shape_masks import shape_mask
from labelhub.formats.shapes import Grid, Reading
from labelhub.inference.preparing import prepare, resampled
from labelhub.predictions.preparation import Preparation

IGNORED: Final = 255
# The class of what is ambiguous, in settled labels.
IGNORE: Final = "ignore"


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """What is known of one picture or volume: its grid, and the label map ``[z, y, x]`` on it, which lies in a file."""

    item: int
    group: str
    medium: Medium
    grid: Grid
    map: NDArray[np.uint8]
    present: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One picture or volume to learn from. The arrays lie in files and are read where they are cut.

    ``image[c, z, y, x]`` and ``labels[z, y, x]`` are in the network's spacing; ``inside`` are up to a thousand places of each
    class ``(z, y, x)``, by class number.
    """

    item: int
    group: str
    image: NDArray[np.float16]
    labels: NDArray[np.uint8]
    inside: dict[int, NDArray[np.int64]]


def labels_of(item: Item, reading: Reading, classes: Sequence[str], folder: Path) -> list[Label]:
    """Return the label maps of an item's media that have pixels and were drawn on, or that stand alone, kept in ``folder``."""
    media = [medium for medium in media_of(item) if medium.pixels_id is not None]
    drawn = {shape.medium for shape in reading.shapes}
    found = []
    for medium in media:
        if medium.ordinal in drawn or len(media) == 1:
            grid = grid_of(medium)
            drawn_map = label_map(reading, medium.ordinal, grid, classes)
            kept = _kept(folder / f"map-{medium.pk}.npy", drawn_map)
            present = frozenset(int(value) for value in np.unique(drawn_map))
            found.append(Label(item.pk, item.group_key or f"item {item.pk}", medium, grid, kept, present))
    return found


def label_map(reading: Reading, medium: int, grid: Grid, classes: Sequence[str]) -> NDArray[np.uint8]:
    """Return what a settled label says of each pixel; where classes overlap, the later one of ``classes`` stands."""
    asked = reading.asked_labels
    is_partial = asked is not None and bool(asked) and not set(classes) <= set(asked)
    out = np.full(grid.size, IGNORED if is_partial else 0, dtype=np.uint8)
    own = [shape for shape in reading.shapes if shape.medium == medium]
    for number, key in [*enumerate(classes, start=1), (IGNORED, IGNORE)]:
        for shape in (shape for shape in own if shape.label == key):
            mask = shape_mask(shape, grid)
            z, y, x = (slice(low, low + n) for low, n in zip(mask.origin, mask.voxels.shape, strict=True))
            out[z, y, x][mask.voxels] = number
    return out


def make_cases(
    labels: Iterable[Label], preparation: Preparation, folder: Path, *, numbers: NDArray[np.uint8], channels: int,
    is_flat: bool, between: Callable[[], None],
) -> list[Case]:  # fmt: skip
    """Prepare pixels and label maps as the network will see them and keep them in ``folder``; ``numbers`` renames values."""
    cases = []
    for place, label in enumerate(labels):
        between()
        cases.append(_case(label, preparation, folder / f"{place:06d}", numbers, channels, is_flat=is_flat))
    return cases


def _case(
    label: Label, preparation: Preparation, stem: Path, numbers: NDArray[np.uint8], channels: int, *, is_flat: bool
) -> Case:
    prepared = prepare(read_pixels(label.medium), label.grid, preparation, channels=channels, is_flat=is_flat)
    turned = np.ascontiguousarray(prepared.to_network(numbers[label.map]))
    size = (prepared.image.shape[1], prepared.image.shape[2], prepared.image.shape[3])
    labels = turned if turned.shape == size else _resampled_labels(turned, size)
    image = _kept(stem.with_suffix(".image.npy"), prepared.image.astype(np.float16))
    kept = _kept(stem.with_suffix(".labels.npy"), labels)
    return Case(label.item, label.group, image, kept, _places(labels))


def _resampled_labels(labels: NDArray[np.uint8], size: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Each class by linear interpolation, the largest share wins: outlines stay smooth."""
    best = np.zeros(size, dtype=np.float32)
    out = np.zeros(size, dtype=np.uint8)
    for value in np.unique(labels):
        share = resampled((labels == value).astype(np.float32)[None], size)[0]
        is_more = share > best
        out[is_more], best[is_more] = value, share[is_more]
    return out


def _kept(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    np.save(path, array, allow_pickle=False)
    kept: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return kept


def _places(labels: NDArray[np.uint8], most: int = 1000) -> dict[int, NDArray[np.int64]]:
    """Evenly chosen places of each class, so that a cut with a rare class is found without searching."""
    found = {}
    for value in np.unique(labels):
        if value not in (0, IGNORED):
            places = np.argwhere(labels == value)
            found[int(value)] = places[:: max(1, len(places) // most)][:most]
    return found
