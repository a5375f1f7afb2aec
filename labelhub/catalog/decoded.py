"""The last few volumes that somebody scrolls through, decompressed, so that coronal and sagittal slices come at once.

Such a slice passes through every chunk of its blob: 0.12 s for 384 x 384 x 160 voxels, too slow to scroll. Whole arrays are
kept by their blob's hash, up to a fixed number of bytes in this process; a larger volume is read slice by slice as before.
Nothing here can be stale: a blob never changes. Not here: who may see what.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

KEEP_BYTES = 256 << 20
LARGEST_BYTES = 128 << 20


class DecodedVolumes:
    """A bounded store of arrays by name; the one that was not asked for longest leaves first. Safe between threads."""

    def __init__(self, keep_bytes: int = KEEP_BYTES) -> None:
        self._keep_bytes = keep_bytes
        self._arrays: OrderedDict[str, NDArray[Any]] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def get(self, name: str, read: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return the array of that name, read-only; ``read`` is called where it is not here."""
        with self._lock:
            if name in self._arrays:
                self._arrays.move_to_end(name)
                return self._arrays[name]
        array = read()
        array.setflags(write=False)
        with self._lock:
            if name not in self._arrays and array.nbytes <= self._keep_bytes:
                self._arrays[name] = array
                self._held += array.nbytes
            while self._held > self._keep_bytes:
                _, gone = self._arrays.popitem(last=False)
                self._held -= gone.nbytes
        return array


volumes = DecodedVolumes()
