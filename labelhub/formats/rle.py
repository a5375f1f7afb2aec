"""COCO's run-length masks: lists of run lengths down the columns, plain or packed into text.

A packed text is unpacked and checked here before anything is allocated, because a text that lies about its size must be
refused. Packing goes through pycocotools. Not here: the row-wise runs of CVAT and the bit stream of Label Studio.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from labelhub.formats.limits import MAX_MASK_VOXELS
from labelhub.formats.shapes import MaskRegion


class LyingRunLengthsError(ValueError):
    """Run lengths that do not describe a mask of the stated size."""


def unpack_counts(text: str) -> list[int]:
    """The run lengths inside COCO's packed text (six bits a character, five of them payload, differences from the
    third).
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 60:
            raise LyingRunLengthsError("the packed run lengths hold a character that cannot occur")
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise LyingRunLengthsError("the packed run lengths end in the middle of a number")
    return counts


def mask_from_counts(counts: list[int], height: int, width: int) -> NDArray[np.bool_]:
    """``mask[y, x]`` from run lengths down the columns, background first. Raises :class:`LyingRunLengthsError`."""
    if height < 1 or width < 1 or height * width > MAX_MASK_VOXELS:
        raise LyingRunLengthsError(f"a mask of {width} x {height} pixels is impossible or too large")
    if not all(type(count) is int and count >= 0 for count in counts):
        raise LyingRunLengthsError("the run lengths are not all whole numbers from 0 up")
    total = sum(counts)
    if total != height * width:
        raise LyingRunLengthsError(
            f"the run lengths add up to {total} pixels, but {width} x {height} has {height * width}"
        )
    values = np.arange(len(counts)) % 2 == 1
    flat: NDArray[np.bool_] = np.repeat(values, np.array(counts, dtype=np.int64))
    return flat.reshape(width, height).T


def packed(mask: NDArray[np.bool_]) -> str:
    """COCO's packed text of ``mask[y, x]``."""
    return str(coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"].decode("ascii"))


def cropped(mask: NDArray[np.bool_], origin: tuple[int, int, int] = (0, 0, 0)) -> MaskRegion:
    """The smallest placed piece of ``mask[z, y, x]`` that holds every true voxel; an empty mask keeps one false
    voxel.
    """
    if not mask.any():
        return MaskRegion(np.zeros((1, 1, 1), dtype=np.bool_), origin)
    spans = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    z, y, x = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    placed = (origin[0] + z.start, origin[1] + y.start, origin[2] + x.start)
    return MaskRegion(np.ascontiguousarray(mask[z, y, x]), placed)


def joined(pieces: list[MaskRegion]) -> MaskRegion:
    """One placed mask from several pieces of it. Raises :class:`LyingRunLengthsError` where their span is too large."""
    if len(pieces) == 1:
        return pieces[0]
    low = np.min([piece.origin for piece in pieces], axis=0)
    high = np.max([np.add(piece.origin, piece.voxels.shape) for piece in pieces], axis=0)
    if int(np.prod(high - low)) > MAX_MASK_VOXELS:
        raise LyingRunLengthsError("the pieces of the mask lie too far apart")
    whole = np.zeros(tuple(high - low), dtype=np.bool_)
    for piece in pieces:
        start = np.subtract(piece.origin, low)
        z, y, x = (slice(int(s), int(s) + n) for s, n in zip(start, piece.voxels.shape, strict=True))
        whole[z, y, x] |= piece.voxels
    return MaskRegion(whole, (int(low[0]), int(low[1]), int(low[2])))


def plane_of(mask: MaskRegion, z: int, height: int, width: int) -> NDArray[np.bool_]:
    """Plane ``z`` of a placed mask on the whole plane ``[y, x]``; what lies outside is cut off."""
    whole = np.zeros((height, width), dtype=np.bool_)
    dz, y, x = z - mask.origin[0], mask.origin[1], mask.origin[2]
    if 0 <= dz < mask.voxels.shape[0]:
        rows = min(mask.voxels.shape[1], height - y)
        columns = min(mask.voxels.shape[2], width - x)
        if rows > 0 and columns > 0:
            whole[y : y + rows, x : x + columns] = mask.voxels[dz, :rows, :columns]
    return whole
