"""Patches cut from cases, and changed at random so that a network does not learn what does not matter.

Half of the patches lie around a place of a class, each class equally often. The changes are MONAI's: mirroring, small turns
and scales, brightness, noise. Seeded, so that a training can be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import monai.transforms as mt
import numpy as np
import torch
from numpy.typing import NDArray

from labelhub.inference.training.cases import IGNORED, Case

FOREGROUND_SHARE: Final = 0.5
_IMAGE, _LABEL = "image", "label"


def cut(
    case: Case, patch: tuple[int, int, int], rng: np.random.Generator, *, foreground: bool
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return a patch ``image[c, z, y, x]`` and its labels; beyond the picture there is nothing to learn."""
    size = case.labels.shape
    middle = [int(rng.integers(0, extent)) for extent in size]
    if foreground and case.inside:
        kinds = sorted(case.inside)
        places = case.inside[kinds[int(rng.integers(0, len(kinds)))]]
        middle = [int(value) for value in places[int(rng.integers(0, len(places)))]]
    starts = [
        int(np.clip(place - side // 2 + int(rng.integers(-(side // 4), side // 4 + 1)), 0, max(extent - side, 0)))
        for place, side, extent in zip(middle, patch, size, strict=True)
    ]
    box = tuple(slice(start, start + side) for start, side in zip(starts, patch, strict=True))
    image = np.asarray(case.image[(slice(None), *box)], dtype=np.float32)
    labels = np.asarray(case.labels[box])
    missing = [(0, side - have) for side, have in zip(patch, labels.shape, strict=True)]
    if any(after for _, after in missing):
        image = np.pad(image, [(0, 0), *missing])
        labels = np.pad(labels, missing, constant_values=IGNORED)
    return image, labels


class Cuts:
    """Batches of changed patches, the same ones each time for the same seed."""

    def __init__(self, cases: Sequence[Case], patch: tuple[int, ...], *, batch: int, seed: int) -> None:
        self.cases, self.batch = list(cases), batch
        self.is_flat = len(patch) == 2
        self.patch = (1, patch[0], patch[1]) if self.is_flat else (patch[0], patch[1], patch[2])
        self.rng = np.random.default_rng(seed)
        self.changes = _changes(len(patch)).set_random_state(seed=seed % 2**31)

    def next(self) -> tuple[Any, Any]:
        """Return ``images[n, c, ...]`` and ``labels[n, ...]`` in the network's dimensions."""
        images, labels = [], []
        for place in range(self.batch):
            case = self.cases[int(self.rng.integers(0, len(self.cases)))]
            image, label = self._flattened(*cut(case, self.patch, self.rng, foreground=place % 2 == 0))
            changed = self.changes({_IMAGE: image, _LABEL: label[None].astype(np.float32)})
            images.append(torch.as_tensor(changed[_IMAGE]))
            labels.append(torch.as_tensor(changed[_LABEL])[0].round().long())
        return torch.stack(images), torch.stack(labels)

    def fixed(self, most: int) -> list[tuple[Any, Any]]:
        """Return unchanged patches around what is labeled, at most ``most``, spread over the cases: to judge by."""
        rng = np.random.default_rng(0)
        chosen = [self.cases[number % len(self.cases)] for number in range(max(most, 1))]
        patches = [self._flattened(*cut(case, self.patch, rng, foreground=True)) for case in chosen]
        return [
            (torch.from_numpy(image)[None], torch.from_numpy(label.astype(np.int64))[None]) for image, label in patches
        ]

    def _flattened(self, image: NDArray[Any], label: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return (image[:, 0], label[0]) if self.is_flat else (image, label)


def _changes(dimensions: int) -> Any:
    turns = [0.26] if dimensions == 2 else [0.26, 0.0, 0.0]
    axes = range(dimensions)
    return mt.Compose(
        [
            *(mt.RandFlipd([_IMAGE, _LABEL], prob=0.5, spatial_axis=axis) for axis in axes),
            mt.RandAffined(
                [_IMAGE, _LABEL], prob=0.3, rotate_range=turns, scale_range=[0.1] * dimensions,
                mode=["bilinear", "nearest"], padding_mode="border",
            ),
            mt.RandScaleIntensityd([_IMAGE], factors=0.15, prob=0.3),
            mt.RandShiftIntensityd([_IMAGE], offsets=0.15, prob=0.3),
            mt.RandGaussianNoised([_IMAGE], prob=0.15, std=0.1),
        ]
    )  # fmt: skip
