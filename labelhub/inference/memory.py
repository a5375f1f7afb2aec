"""Memory that is asked for and given back by the window is kept in between, where the C library is glibc.

A network over a window takes and frees dozens of blocks of tens of megabytes. glibc asks the kernel for each anew, which fills
its pages with zeros: a quarter of the time of a volume. While :func:`kept_memory` holds, freed blocks stay with the process;
at its end they are given back. Elsewhere nothing is changed. Not here: how much memory is needed.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

# Parameters of mallopt(3). Setting one ends glibc's own adjusting, so what stands afterwards is what it would have come to.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_MMAP_MAX: Final = -4
_NEVER: Final = 2**31 - 1
_DEFAULT_TRIM, _DEFAULT_THRESHOLD, _DEFAULT_MMAPS = 64 << 20, 32 << 20, 65_536


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory until the end of the block; a block within a block changes nothing."""
    libc = _glibc()
    if libc is None or _Depth.now:
        yield
        return
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    _Depth.now += 1
    try:
        yield
    finally:
        _Depth.now -= 1
        libc.mallopt(_MMAP_MAX, _DEFAULT_MMAPS)
        libc.mallopt(_MMAP_THRESHOLD, _DEFAULT_THRESHOLD)
        libc.mallopt(_TRIM_THRESHOLD, _DEFAULT_TRIM)
        libc.malloc_trim(0)


class _Depth:
    """Whether a block holds in this process."""

    now = 0


@cache
def _glibc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
