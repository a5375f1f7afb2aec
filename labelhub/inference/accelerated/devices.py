"""Which device computes, how arrays get there, and how much is looked at in one go. Not here: any number."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

# Bytes of working memory that one step may take where memory is the machine's own.
_ROOM: Final = 256 << 20
# Of an accelerator's memory one step may take this part; networks live there too.
_PART: Final = 8


def computing_device(name: str | None = None) -> torch.device:
    """Return the device of that name; without one the accelerator where there is one, else the CPU of torch."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def room_of(device: torch.device) -> int:
    """Return how many bytes of working memory one step may take on the device."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // _PART
    return _ROOM


def there(array: NDArray[np.generic], device: torch.device) -> torch.Tensor:
    """Return the array on the device: one contiguous block, masks as bytes of 0 and 1, unsigned words as signed ones.

    Nothing is copied where it lies there already. Callers only read it. Raises ``ValueError`` for whole numbers that no
    signed word of 64 bits holds.
    """
    block = np.ascontiguousarray(array)
    if block.dtype == np.bool_:
        block = block.view(np.uint8)
    elif block.dtype.kind == "u" and block.dtype.itemsize > 1:
        if block.dtype.itemsize == 8 and block.max(initial=0) > np.iinfo(np.int64).max:
            message = f"labels reach {block.max()}; the largest possible is {np.iinfo(np.int64).max}"
            raise ValueError(message)
        block = block.astype(np.dtype(f"i{min(2 * block.dtype.itemsize, 8)}"))
    if not block.flags.writeable:
        # torch warns of memory that it may not write; nothing here writes, but a warning would be an error elsewhere.
        block = block.copy()
    return torch.from_numpy(block).to(device)
