"""Reading an announced number of bytes from a plain or compressed stream, slice by slice, and believing nothing else.

What NIfTI and NRRD share below their headers. A stream that ends early, or fails its checksum, is refused.
"""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.pixels.medium import SliceStack, check_pixel_count

_PIECE = 1 << 20
_REMEDY = "Copy or export the file again."


class VoxelStream:
    """A stream of voxels that names its file in every refusal. Use as a context manager."""

    def __init__(self, path: Path, place: str, *, encoding: str = "raw", start: int = 0) -> None:
        self._place = place
        self._file = path.open("rb")
        self._file.seek(start)
        self._stream: BinaryIO | gzip.GzipFile | bz2.BZ2File = self._file
        if encoding == "gzip":
            self._stream = gzip.GzipFile(fileobj=self._file, mode="rb")
        elif encoding == "bzip2":
            self._stream = bz2.BZ2File(self._file, mode="rb")

    def __enter__(self) -> VoxelStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, count: int) -> bytes:
        """Exactly ``count`` bytes, taken in pieces so that memory grows only with what is really there."""
        pieces = io.BytesIO()
        left = count
        try:
            while left:
                piece = self._stream.read(min(left, _PIECE))
                if not piece:
                    break
                pieces.write(piece)
                left -= len(piece)
        except (OSError, EOFError, zlib.error) as error:
            raise PixelError("The compressed data are damaged.", place=self._place, remedy=_REMEDY) from error
        if left:
            raise PixelError(
                f"The file ends early: {left} of {count} announced bytes are missing here.",
                place=self._place,
                remedy=_REMEDY,
            )
        return pieces.getvalue()

    def finish(self) -> tuple[str, ...]:
        """Read on to the end so that a checksum is verified; warns where more follows than was announced."""
        try:
            rest = self._stream.read(_PIECE)
        except (OSError, EOFError, zlib.error) as error:
            raise PixelError("The compressed data fail their checksum.", place=self._place, remedy=_REMEDY) from error
        return ("The file holds more bytes than its header announces; the rest was left out.",) if rest else ()


def read_volume(
    stream: VoxelStream,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    convert: Callable[[NDArray[Any]], NDArray[Any]],
    max_bytes: int,
    place: str,
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """``[z, y, x]`` or ``[z, y, x, c]`` read slice by slice, each through ``convert``; with what must be told."""
    check_pixel_count(shape, 1, max_bytes=max_bytes, place=place)
    plane_bytes = dtype.itemsize * int(np.prod(shape[1:], dtype=object))
    stack: SliceStack | None = None
    for z in range(shape[0]):
        plane = np.frombuffer(stream.read(plane_bytes), dtype=dtype).reshape(shape[1:])
        plane = convert(plane.astype(dtype.newbyteorder("="), copy=False))
        if stack is None:
            stack = SliceStack(shape, plane.dtype, max_bytes=max_bytes, place=place)
        stack.put(z, plane)
    assert stack is not None
    return stack.finish()


def as_stored(plane: NDArray[Any]) -> NDArray[Any]:
    """No conversion."""
    return plane
