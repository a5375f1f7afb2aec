"""Pixels made ready for a network, and its maps brought back to the pixels: axes, spacing, brightness, colour.

Nothing is guessed: a picture whose channels do not fit the network is refused. Not here: running the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelhub.formats.shapes import Grid
from labelhub.predictions.predictor import PictureDoesNotFit
from labelhub.predictions.preparation import Preparation

# Spacings that differ by less are taken to be the same.
SAME_SPACING = 0.01
_LOW, _HIGH = 0.5, 99.5
_COLOURS = 3
_GREY_AND_OPACITY = 2


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """``image[c, a, b, c]`` in the network's axes and spacing, and how to come back from there.

    ``order`` says which stored axis each of the network's axes is, ``mirrored`` which of them run backwards, ``size`` how large
    the picture is in the network's axes before it was resampled.
    """

    image: NDArray[np.float32]
    order: tuple[int, int, int]
    mirrored: tuple[int, ...]
    size: tuple[int, int, int]

    @property
    def is_resampled(self) -> bool:
        """Whether the network sees other pixels than are stored."""
        return self.image.shape[1:] != self.size

    def to_network(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Turn ``volume[..., z, y, x]`` of the stored pixels into the network's axes; nothing is resampled."""
        lead = volume.ndim - 3
        turned = volume.transpose(*range(lead), *(axis + lead for axis in self.order))
        return np.flip(turned, tuple(axis + lead for axis in self.mirrored)) if self.mirrored else turned

    def back(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Turn ``volume[..., a, b, c]`` in the network's axes into stored ones; nothing is resampled."""
        lead = volume.ndim - 3
        turned = np.flip(volume, tuple(axis + lead for axis in self.mirrored)) if self.mirrored else volume
        inverse = [self.order.index(axis) + lead for axis in range(3)]
        return np.ascontiguousarray(turned.transpose(*range(lead), *inverse))


def prepare(
    pixels: NDArray[Any], grid: Grid, preparation: Preparation, *, channels: int, is_flat: bool = False
) -> Prepared:
    """Return ``pixels[z, y, x(, c)]`` as the network wants them; ``is_flat`` leaves the planes of a volume apart.

    Raises :class:`PictureDoesNotFit`.
    """
    image = _channels(pixels, channels)
    order, mirrored = _axes(grid, preparation)
    placed = Prepared(image, order, mirrored, (0, 0, 0))
    turned = np.ascontiguousarray(placed.to_network(image))
    size = (turned.shape[1], turned.shape[2], turned.shape[3])
    turned = normalised(turned, preparation)
    spacing = _in_order(grid.spacing_mm, order)
    wanted = _in_order(preparation.spacing_mm, order)
    if spacing is not None and wanted is not None:
        turned = resampled(turned, new_size(size, spacing, wanted, is_flat=is_flat))
    return Prepared(turned, order, mirrored, size)


def new_size(
    size: tuple[int, int, int], spacing: tuple[float, ...], wanted: tuple[float, ...], *, is_flat: bool = False
) -> tuple[int, int, int]:
    """Return how many pixels each axis has at the wanted spacing; an axis that is nearly so is left alone."""
    sides = []
    for axis, (count, own, step) in enumerate(zip(size, spacing, wanted, strict=True)):
        is_left = abs(own / step - 1) < SAME_SPACING or (is_flat and axis == 0)
        sides.append(count if is_left else max(1, round(count * own / step)))
    return sides[0], sides[1], sides[2]


def resampled(image: NDArray[np.float32], size: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return ``image[c, z, y, x]`` with other numbers of pixels, by linear interpolation between pixel centres."""
    if image.shape[1:] == size:
        return image
    with torch.inference_mode():
        out = torch.nn.functional.interpolate(
            torch.from_numpy(image)[None], size=size, mode="trilinear", align_corners=False
        )
    return np.asarray(out[0].numpy(), dtype=np.float32)


def normalised(image: NDArray[np.float32], preparation: Preparation) -> NDArray[np.float32]:
    """Return ``image[c, ...]`` with its brightness as the network knows it, channel by channel."""
    return np.stack([_one_channel(channel, preparation) for channel in image]).astype(np.float32, copy=False)


def _one_channel(channel: NDArray[np.float32], how: Preparation) -> NDArray[np.float32]:
    if how.normalisation == "none":
        return channel
    if how.normalisation in {"z-score", "z-score-nonzero"}:
        is_counted = channel != 0 if how.normalisation == "z-score-nonzero" else np.ones(channel.shape, dtype=bool)
        counted = channel[is_counted]
        if not counted.size:
            return channel
        spread = float(counted.std()) or 1.0
        return np.where(is_counted, (channel - float(counted.mean())) / spread, channel).astype(np.float32)
    low, high = (how.low, how.high) if how.normalisation == "range" else np.percentile(channel, (_LOW, _HIGH))
    share = np.clip((channel - low) / max(float(high - low), 1e-6), 0, 1)
    return (how.to_low + share * (how.to_high - how.to_low)).astype(np.float32)


def _channels(pixels: NDArray[Any], wanted: int) -> NDArray[np.float32]:
    """``image[c, z, y, x]``: colour becomes grey and grey becomes colour, without opacity; anything else does not fit."""
    image = pixels[None] if pixels.ndim == 3 else np.moveaxis(pixels, 3, 0)
    if len(image) == _GREY_AND_OPACITY and wanted in (1, _COLOURS):
        image = image[:1]
    given = image.shape[0]
    if given >= _COLOURS and wanted == 1:
        return np.asarray(image[:_COLOURS].mean(axis=0, dtype=np.float32)[None])
    if given == 1 and wanted == _COLOURS:
        image = np.repeat(image, wanted, axis=0)
    elif given > wanted == _COLOURS:
        # What follows colour is opacity.
        image = image[:_COLOURS]
    elif given != wanted:
        raise PictureDoesNotFit(f"the network takes {wanted} channels and the picture has {given}")
    return np.where(np.isfinite(image), image, 0).astype(np.float32)


def _axes(grid: Grid, preparation: Preparation) -> tuple[tuple[int, int, int], tuple[int, ...]]:
    if preparation.axes == "zyx":
        return (0, 1, 2), ()
    if grid.affine is None:
        return (2, 1, 0), ()
    # Columns are the stored axes x, y, z in the world; each goes to the world's axis that it runs along most.
    steps = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    left, order, mirrored = [0, 1, 2], [0, 0, 0], []
    for world in sorted(range(3), key=lambda axis: -float(np.abs(steps[axis]).max())):
        stored = max(left, key=lambda axis: abs(float(steps[world, axis])))
        left.remove(stored)
        order[world] = 2 - stored
        if steps[world, stored] < 0:
            mirrored.append(world)
    return (order[0], order[1], order[2]), tuple(sorted(mirrored))


def _in_order(spacing: tuple[float, float, float] | None, order: tuple[int, int, int]) -> tuple[float, ...] | None:
    return None if spacing is None else tuple(spacing[axis] for axis in order)
