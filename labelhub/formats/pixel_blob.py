"""Canonical pixels as an immutable file, named by its SHA-256: what slices are served from.

Axes are ``[z, y, x]`` or ``[z, y, x, c]``; the type is uint8, int16, uint16 or float32. One compressed chunk an axial
slice: an axial slice reads one chunk, a coronal or sagittal one passes through all of them, one in memory at a time.
A file is written beside its final place, flushed to disk and renamed, so a reader never meets half of one. Not here:
windowing, colour, geometry (the medium's grid is kept in the database).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from labelhub.formats.pixels.chunks import MAX_RAW_BYTES, ChunkLayout, ChunkReader, ChunkWriter

MAGIC = b"LHPIXL"
_CODES = {"uint8": 2, "uint16": 3, "int16": 4, "float32": 5}

Plane: TypeAlias = Literal["axial", "coronal", "sagittal"]
Source: TypeAlias = str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True, slots=True)
class PixelBlob:
    """What was written or found: the name (SHA-256 of the bytes), its length, and the array it holds."""

    name: str
    length: int
    shape: tuple[int, ...]
    dtype: str


def encode_pixels_to_file(
    path: str | os.PathLike[str], slices: Iterable[NDArray[Any]], *, shape: tuple[int, ...], dtype: DTypeLike
) -> PixelBlob:
    """Write slices ``[y, x]`` or ``[y, x, c]`` in order of z to ``path``, holding one in memory at a time.

    Raises ``ValueError`` where a slice does not fit ``shape`` and ``dtype`` or their number differs; nothing is left
    then.
    """
    layout = _layout_of(shape, dtype)
    target = Path(path)
    handle, partial = tempfile.mkstemp(dir=target.parent, prefix=".partial-")
    try:
        with os.fdopen(handle, "wb") as stream:
            hashing = _HashingStream(stream)
            writer = ChunkWriter(hashing, layout, _CODES)  # type: ignore[arg-type]
            for plane in slices:
                writer.append(plane)
            writer.finish()
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, target)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)
    return PixelBlob(hashing.digest.hexdigest(), hashing.length, tuple(shape), layout.dtype.name)


def read_layout(source: Source, *, max_bytes: int = MAX_RAW_BYTES) -> tuple[tuple[int, ...], str]:
    """The shape and type that a file's checked header states, without decompressing."""
    with _opened(source, max_bytes) as reader:
        return (reader.layout.size[0], *reader.layout.plane_shape), reader.layout.dtype.name


def read_slice(source: Source, plane: Plane, index: int, *, max_bytes: int = MAX_RAW_BYTES) -> NDArray[Any]:
    """One slice: axial ``[y, x]``, coronal ``[z, x]``, sagittal ``[z, y]`` (a channel axis stays last).

    Raises ``IndexError`` outside the grid and :class:`~labelhub.formats.pixels.errors.PixelError` for a damaged file.
    """
    with _opened(source, max_bytes) as reader:
        if plane == "axial":
            return reader.plane(index)
        size = reader.layout.size
        axis = 1 if plane == "coronal" else 2
        if not 0 <= index < size[axis]:
            raise IndexError(f"{plane} slice {index} is outside 0..{size[axis] - 1}")
        rows = [np.take(reader.plane(z), index, axis=axis - 1) for z in range(size[0])]
        return np.stack(rows)


def read_pixels(source: Source, *, max_bytes: int = MAX_RAW_BYTES) -> NDArray[Any]:
    """The whole array; refuses more than ``max_bytes`` before memory is taken."""
    with _opened(source, max_bytes) as reader:
        pixels = np.empty((reader.layout.size[0], *reader.layout.plane_shape), dtype=reader.layout.dtype)
        for z in range(pixels.shape[0]):
            pixels[z] = reader.plane(z)
        return pixels


def read_thinned(source: Source, steps: tuple[int, int, int], *, max_bytes: int = MAX_RAW_BYTES) -> NDArray[Any]:
    """Every ``steps``-th voxel of [z, y, x] from the middle of the first block on, with one slice in memory at a time."""
    first = [(step - 1) // 2 for step in steps]
    with _opened(source, max_bytes) as reader:
        indices = range(first[0], reader.layout.size[0], steps[0])
        planes = [reader.plane(z)[first[1] :: steps[1], first[2] :: steps[2]].copy() for z in indices]
        return np.stack(planes)


class _HashingStream:
    """Passes bytes on to a file and takes their hash and count on the way."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.length = 0

    def write(self, piece: bytes) -> int:
        self.digest.update(piece)
        self.length += len(piece)
        return self._stream.write(piece)


def _layout_of(shape: tuple[int, ...], dtype: DTypeLike) -> ChunkLayout:
    kind = np.dtype(dtype)
    if kind.name not in _CODES:
        raise ValueError(f"pixels are uint8, int16, uint16 or float32, not {kind.name}")
    if len(shape) not in {3, 4} or (len(shape) == 4 and not 1 <= shape[3] <= 4):
        raise ValueError(f"pixels have axes [z, y, x] or [z, y, x, c] with at most 4 channels, not {shape}")
    return ChunkLayout(MAGIC, (shape[0], shape[1], shape[2]), shape[3] if len(shape) == 4 else 0, np.dtype(kind.name))


@contextmanager
def _opened(source: Source, max_bytes: int) -> Iterator[ChunkReader]:
    if isinstance(source, (str, os.PathLike)):
        with Path(source).open("rb") as stream:
            yield ChunkReader(stream, magic=MAGIC, codes=_CODES, max_bytes=max_bytes, place="pixel file")
    else:
        yield ChunkReader(source, magic=MAGIC, codes=_CODES, max_bytes=max_bytes, place="pixel file")


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable; only POSIX systems can open a folder for that."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
