"""Shapes whose measures are known, and masks that hit every kind of neighbourhood, for the tests of masks."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays


def square(rows=(10, 20), columns=(10, 20)):
    """The 10 x 10 square of the printed values, or another rectangle on its grid of 32 x 32."""
    mask = np.zeros((32, 32), dtype=bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


SHIFTED = square(columns=(12, 22))
NOTHING = np.zeros((32, 32), dtype=bool)


def cross_dilated():
    """The square grown by one pixel along rows and columns."""
    return square((9, 21)) | square((10, 20), (9, 21))


def arithmetic_noise(shape, k, modulus):
    """A mask that looks like noise and is the same everywhere: squares modulo a prime."""
    axes = np.indices(shape)
    total = axes[0] * 7 + axes[1] * 13 + (axes[2] * 29 if len(shape) == 3 else 0)
    return ((total * total + k * total) % modulus) < modulus // 2


@st.composite
def mask_pairs(draw, max_side=6):
    """Two masks on one grid of 2 or 3 dimensions, any of them possibly empty."""
    shape = draw(array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=max_side))
    first, second = draw(arrays(np.bool_, shape)), draw(arrays(np.bool_, shape))
    return first, second


def disc(radius, centre=(32, 32), side=64):
    """A disc by the pixel centres."""
    rows, columns = np.ogrid[:side, :side]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


RIM = disc(14, (20, 20), 40) & ~disc(8, (20, 20), 40)


def five_discs(side=40):
    """Five raters' discs that differ in place and size and in single pixels; the same everywhere."""
    sizes = ((11, 0, 0), (10, 1, 0), (12, 0, -1), (13, -2, 1), (9, 1, 2))
    return [
        disc(radius, (side // 2 + down, side // 2 + right), side)
        ^ (arithmetic_noise((side, side), 3 + k, 101 - 10 * k) & arithmetic_noise((side, side), 2, 37) & RIM)
        for k, (radius, down, right) in enumerate(sizes)
    ]


def five_label_maps(side=40):
    """The discs with a core and a quarter of their own label each."""
    maps = []
    for k, outer in enumerate(five_discs(side)):
        core = disc(4 + k % 3, (side // 2, side // 2 + k % 2), side)
        quarter = np.zeros_like(outer)
        quarter[: side // 2 + k % 3 - 1, side // 2 :] = True
        maps.append(outer.astype(np.uint8) + (outer & quarter) + 2 * (outer & core & ~quarter).astype(np.uint8))
    return maps
