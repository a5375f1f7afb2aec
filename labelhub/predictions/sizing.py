"""How large a network should be for what it is to learn: levels, strides, filters and patch from the data's size and spacing.

The rules are those that made one design work on many data sets: halve the finest axes first until all are as fine as each
other, go down while an axis is long enough, double the filters on the way. Data alone; the network is built by
``inference.networks``.

References
----------
Isensee F, Jaeger PF, Kohl SAA, Petersen J, Maier-Hein KH (2021) nnU-Net: a self-configuring method for deep learning-based
biomedical image segmentation. Nat Methods 18:203-211 (rules for topology and patch size; the memory budget here is smaller).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

from labelhub.predictions.architectures import Design, read_design

Effort = Literal["small", "medium", "large"]
Network = Literal["DynUNet", "SegResNet", "UNet"]

# An axis is halved while at least so many pixels are left of it.
_LEAST_PIXELS: Final = 4
_MAX_LEVELS: Final = 6
# Residual blocks of a SegResNet by level (Myronenko 2018, its last level repeated).
_BLOCKS_DOWN: Final = (1, 2, 2, 4, 4, 4)
# DynUNet takes no fewer.
_LEAST_LEVELS: Final = 3
# An axis whose step is this many times the finest is not yet halved, and its kernel is flat.
_ANISOTROPY: Final = 2.0
_FILTERS: Final = {"small": 8, "medium": 16, "large": 32}
_MAX_FILTERS: Final = {2: 512, 3: 320}
# Pixels of a training patch, by effort and dimensions: what two cores, a few, or a graphics card work through.
_PATCH_PIXELS: Final = {
    ("small", 2): 128**2, ("medium", 2): 256**2, ("large", 2): 512**2,
    ("small", 3): 48**3, ("medium", 3): 80**3, ("large", 3): 128**3,
}  # fmt: skip
_MAX_DEPTH: Final = {"small": 4, "medium": 5, "large": _MAX_LEVELS}


@dataclass(frozen=True, slots=True)
class DataShape:
    """What a network will be trained on: the median size ``(z, y, x)``, ``z`` 1 for pictures, and what the voxels measure."""

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None = None
    channels: int = 1
    classes: int = 1

    @property
    def dimensions(self) -> int:
        """2 for pictures, 3 for volumes."""
        return 3 if self.size[0] > 1 else 2


@dataclass(frozen=True, slots=True)
class Sized:
    """A network and the patch it is trained on, ``(y, x)`` or ``(z, y, x)``."""

    design: Design
    patch: tuple[int, ...]


def sized_to(
    shape: DataShape, *, effort: Effort = "small", click_channels: int = 0, max_levels: int | None = None,
    dropout: float = 0.0, network: Network = "DynUNet",
) -> Sized:  # fmt: skip
    """Return a network for this data: one map for the background and one a class; ``click_channels`` more go in.

    ``dropout`` is the share of features that it leaves out by chance while it learns.
    """
    dimensions = shape.dimensions
    steps = _steps(shape)[-dimensions:]
    extent = shape.size[-dimensions:]
    patch = _patch(extent, steps, _PATCH_PIXELS[effort, dimensions])
    most = max_levels or _MAX_DEPTH[effort]
    if network == "SegResNet":
        # It halves all axes alike, so that the shortest tells how often.
        strides = [[1] * dimensions] + [[2] * dimensions] * (_alike_levels(patch, effort, dimensions, most) - 1)
        kernels: list[list[int]] = []
    else:
        kernels, strides = _levels(patch, steps, most)
    down = [math.prod(level[axis] for level in strides) for axis in range(dimensions)]
    # An axis shorter than the network's deepest pixel is padded to it.
    patch = tuple(max(1, -(-size // by)) * by for size, by in zip(patch, down, strict=True))
    filters = [min(_FILTERS[effort] * 2**level, _MAX_FILTERS[dimensions]) for level in range(len(strides))]
    ends = {
        "spatial_dims": dimensions, "in_channels": shape.channels + click_channels, "out_channels": shape.classes + 1,
    }  # fmt: skip
    own = _OWN[network](kernels, strides, filters, dropout)
    return Sized(read_design(network, ends | own), patch)


def _dyn_unet(kernels: list[list[int]], strides: list[list[int]], filters: list[int], dropout: float) -> dict[str, Any]:
    return {
        "kernel_size": kernels, "strides": strides, "upsample_kernel_size": strides[1:], "filters": filters,
        "norm_name": ["instance", {"affine": True}], "deep_supervision": False, "res_block": False,
    } | ({"dropout": dropout} if dropout else {})  # fmt: skip


def _unet(_kernels: list[list[int]], strides: list[list[int]], filters: list[int], dropout: float) -> dict[str, Any]:
    """Its kernels are the same at every level, so that a coarse axis is left alone by its strides only."""
    return {
        "channels": filters, "strides": strides[1:], "num_res_units": 2, "norm": ["instance", {"affine": True}],
    } | ({"dropout": dropout} if dropout else {})  # fmt: skip


def _seg_res_net(
    _kernels: list[list[int]], strides: list[list[int]], filters: list[int], dropout: float
) -> dict[str, Any]:
    # Its usual way up cannot be repeated exactly on a card; learned steps can.
    return {
        "init_filters": filters[0], "blocks_down": list(_BLOCKS_DOWN[: len(strides)]), "blocks_up": [1] * (len(strides) - 1),
        "upsample_mode": "deconv",
    } | ({"dropout_prob": dropout} if dropout else {})  # fmt: skip


_OWN: Final = {"DynUNet": _dyn_unet, "SegResNet": _seg_res_net, "UNet": _unet}


def _alike_levels(patch: tuple[int, ...], effort: Effort, dimensions: int, most: int) -> int:
    """How many levels a network has that halves all axes at once and doubles its filters each time; two at the least."""
    left, filters, levels = min(patch), _FILTERS[effort], 1
    while levels < most and left >= 2 * _LEAST_PIXELS and filters * 2 <= _MAX_FILTERS[dimensions]:
        left, filters, levels = -(-left // 2), filters * 2, levels + 1
    return max(levels, 2)


def _steps(shape: DataShape) -> tuple[float, float, float]:
    return shape.spacing_mm or (1.0, 1.0, 1.0)


def _patch(extent: tuple[int, ...], steps: tuple[float, ...], most_pixels: int) -> tuple[int, ...]:
    """As much of the image as the budget allows, with sides that are alike in millimetres."""
    patch = [float(size) for size in extent]
    while math.prod(patch) > most_pixels:
        # The side that is longest in the world gives way.
        longest = max(range(len(patch)), key=lambda axis: patch[axis] * steps[axis])
        patch[longest] *= 0.95
    return tuple(max(1, int(size)) for size in patch)


def _levels(patch: tuple[int, ...], steps: tuple[float, ...], most: int) -> tuple[list[list[int]], list[list[int]]]:
    left, apart = list(patch), list(steps)
    kernels, strides = [_kernel(apart)], [[1] * len(patch)]
    while len(strides) < most:
        finest = min(apart)
        halved = [
            size >= 2 * _LEAST_PIXELS and step < _ANISOTROPY * finest for size, step in zip(left, apart, strict=True)
        ]
        if not any(halved):
            break
        strides.append([2 if half else 1 for half in halved])
        left = [-(-size // 2) if half else size for size, half in zip(left, halved, strict=True)]
        apart = [step * 2 if half else step for step, half in zip(apart, halved, strict=True)]
        kernels.append(_kernel(apart))
    while len(strides) < _LEAST_LEVELS:
        # A patch this small is not halved further.
        strides.append([1] * len(patch))
        kernels.append(_kernel(apart))
    return kernels, strides


def _kernel(steps: list[float]) -> list[int]:
    finest = min(steps)
    return [1 if step >= _ANISOTROPY * finest else 3 for step in steps]
