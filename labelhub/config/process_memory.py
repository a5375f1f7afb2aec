"""How a process that runs for long treats its memory: set once, when it starts.

Python's search for cycles goes through all that a process holds, and the process stands still meanwhile. What a server loaded
when it started stays until it ends and is most of what it holds: of a hundred answers the slowest waited for that search.

A worker measures projects again and again. By default glibc hands large arrays back to the system when they are freed, and
gets them anew, page by page, a moment later; and Python looks through all that a worker keeps for cycles after every 700 new
objects. Together that is a fifth of the time of a measure of 4,000 submissions.

Not here: how much a process may take (``config.environment``).
"""

from __future__ import annotations

import ctypes
import gc

# New objects between two searches for cycles, and how many of them between two of older objects.
OBJECTS_BETWEEN_SEARCHES = (50_000, 20, 50)
# Freed memory is kept up to here, and arrays up to this size are cut from it.
KEPT_BYTES = 256 << 20
# The numbers of these options in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def set_aside_what_is_loaded() -> None:
    """Leave what stands now out of all further searches for cycles."""
    gc.collect()
    gc.freeze()


def keep_freed_memory() -> bool:
    """Keep memory for the next measure and search for cycles rarely. False where the C library has no such options."""
    gc.set_threshold(*OBJECTS_BETWEEN_SEARCHES)
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    return set_option is not None and all(
        set_option(option, KEPT_BYTES) == 1 for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD)
    )
