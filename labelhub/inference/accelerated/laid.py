"""The label maps of items of one size, laid out on a device so that eight voxels can be compared as one word.

Not here: what is found in them (``patterns``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from labelhub.inference.accelerated.devices import room_of, there

_WORD: Final = 8
# An item's maps may take this share of the room, so that what is made of them fits as well.
_SHARE: Final = 8

Maps: TypeAlias = Sequence[NDArray[np.generic]]


@dataclass(frozen=True, slots=True, eq=False)
class LaidMaps:
    """``stack[rater, item, voxel]`` of whole numbers; ``n_voxels`` of each item are real, the rest fills its last word with 0.

    Masks are bytes of 0 and 1. ``firsts`` are the first rater's maps as they came, one an item.
    """

    stack: torch.Tensor
    shape: tuple[int, ...]
    is_mask: bool
    firsts: tuple[NDArray[np.generic], ...]

    @property
    def device(self) -> torch.device:
        """Where they lie."""
        found: torch.device = self.stack.device
        return found

    @property
    def n_raters(self) -> int:
        """How many raters each item has."""
        return int(self.stack.shape[0])

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return int(self.stack.shape[1])

    @property
    def n_voxels(self) -> int:
        """How many voxels an item has."""
        return math.prod(self.shape)

    @property
    def in_word(self) -> int:
        """How many voxels are one word."""
        return _WORD // int(self.stack.element_size())

    @property
    def n_filled(self) -> int:
        """How many places at the end of an item are no voxels."""
        return int(self.stack.shape[2]) - self.n_voxels

    @property
    def n_bytes(self) -> int:
        """How many bytes the voxels take."""
        return self.n_raters * self.n_items * self.n_voxels * int(self.stack.element_size())

    def grids(self, item: int) -> torch.Tensor:
        """The maps of one item on their grid: shape (rater, ...)."""
        return self.stack[:, item, : self.n_voxels].reshape(self.n_raters, *self.shape)


def lay(items: Sequence[Maps], device: torch.device) -> LaidMaps:
    """Copy the maps of items of one size and as many raters to the device.

    Raises ``ValueError`` where there is no map, grids or kinds differ, or answers are not whole numbers.
    """
    checked = [_checked(maps) for maps in items]
    first = checked[0][0]
    n_raters, n = len(checked[0]), first.size
    sample = there(first.reshape(-1)[:0], device)
    in_word = _WORD // sample.element_size()
    # At least one word, so that a grid without a voxel is laid out like any other.
    length = max(-(-n // in_word), 1) * in_word
    stack = torch.zeros((n_raters, len(checked), length), dtype=sample.dtype, device=device)
    for place, arrays in enumerate(checked):
        for rater, array in enumerate(arrays):
            stack[rater, place, :n] = there(array.reshape(-1), device)
    return LaidMaps(stack, first.shape, first.dtype == np.bool_, tuple(arrays[0] for arrays in checked))


def in_batches(items: Iterable[Maps], device: torch.device) -> Iterator[LaidMaps]:
    """Neighbouring items of one size, kind and number of raters together, as many as the room of the device holds."""
    most = room_of(device) // _SHARE
    batch: list[list[NDArray[np.generic]]] = []
    for maps in items:
        arrays = _checked(maps)
        size = len(arrays) * arrays[0].nbytes
        if batch and (_kind(batch[0]) != _kind(arrays) or (len(batch) + 1) * size > most):
            yield lay(batch, device)
            batch = []
        batch.append(arrays)
    if batch:
        yield lay(batch, device)


def _kind(arrays: list[NDArray[np.generic]]) -> tuple[object, ...]:
    return len(arrays), arrays[0].shape, arrays[0].dtype


def _checked(maps: Maps) -> list[NDArray[np.generic]]:
    if len(maps) == 0:
        message = "maps is empty; at least one rater's mask is needed"
        raise ValueError(message)
    arrays = [np.asarray(one) for one in maps]
    for number, one in enumerate(arrays):
        if one.shape != arrays[0].shape:
            message = (
                f"rater {number} has a mask of shape {one.shape} and rater 0 {arrays[0].shape}; one grid is needed"
            )
            raise ValueError(message)
        if one.dtype.kind not in "biu":
            message = f"rater {number} has dtype {one.dtype}; masks are boolean and label maps whole numbers"
            raise ValueError(message)
    kind = np.result_type(*(one.dtype for one in arrays))
    if kind.kind == "f":
        message = f"label maps are of {sorted({str(one.dtype) for one in arrays})}, which no whole number type holds"
        raise ValueError(message)
    return [np.ascontiguousarray(one, dtype=kind) for one in arrays]
