"""Tiles of large pictures: a pyramid beside the blob, made on first use, so that a page loads only what is seen.

Level 0 is the picture itself, each further level has half of its sides (the mean of 2 x 2 pixels, rounded; at odd borders
of what is there). The levels lie uncompressed in a folder named by the blob's hash and are mapped into memory: a tile
reads its own rows and nothing else, and processes share the pages. The folder is derived: it may be deleted at any time.
Not here: who may see a tile (``projects.permissions``), the routes (``api.media``), volumes (their slices are small).
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from django.core.files.storage import FileSystemStorage, storages
from numpy.typing import NDArray

from labelhub.catalog.models import Medium
from labelhub.catalog.selectors import TILE_VERSION, SliceTile, pixels_of, read_slice_rows
from labelhub.projects.permissions import NotFound

TILE = 512
# Above this a picture is not sent whole: 2048 x 2048 in colour are 12 MB.
LARGE_PIXELS = 1 << 22
BAND_ROWS = 1024
_FOLDER = "pyramids"
_building = threading.Lock()


def level_count(medium: Medium) -> int:
    """Return how many levels the medium's pyramid has; 0 for a volume or a picture that is sent whole."""
    if medium.size_z != 1 or medium.size_x * medium.size_y <= LARGE_PIXELS or medium.pixels_id is None:
        return 0
    return math.ceil(math.log2(max(medium.size_x, medium.size_y) / TILE)) + 1


def tile_etag(medium: Medium, level: int, column: int, row: int) -> str:
    """Return the ETag (without quotes) of a tile; needs no pixels. Raises :class:`NoPixels`, ``NotFound``."""
    blob = pixels_of(medium)
    width, height = level_size(medium, level)
    if not (0 <= column * TILE < width and 0 <= row * TILE < height):
        raise NotFound(f"Level {level} of this picture has no tile at column {column}, row {row}.")
    return hashlib.sha256(f"{TILE_VERSION}:{blob.sha256}:tile:{level}:{column}:{row}".encode()).hexdigest()


def level_size(medium: Medium, level: int) -> tuple[int, int]:
    """Return width and height of a level in pixels. Raises ``NotFound`` where there is none."""
    if not 0 <= level < level_count(medium):
        raise NotFound("This picture has no such level of tiles.")
    return -(-medium.size_x >> level), -(-medium.size_y >> level)


def read_tile(medium: Medium, level: int, column: int, row: int) -> SliceTile:
    """Return at most 512 x 512 pixels of a level as raw rows. Raises :class:`NoPixels`, ``NotFound``."""
    etag = tile_etag(medium, level, column, row)
    pixels = np.load(_pyramid(medium) / f"{level}.npy", mmap_mode="r")
    piece = pixels[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
    return SliceTile(
        content=np.ascontiguousarray(piece, dtype=piece.dtype.newbyteorder("<")).tobytes(),
        width=piece.shape[1],
        height=piece.shape[0],
        dtype=piece.dtype.name,
        channels=piece.shape[2] if piece.ndim == 3 else 1,
        etag=etag,
    )


def read_piece(medium: Medium, level: int, box: tuple[int, int, int, int]) -> NDArray[Any]:
    """Return the pixels of a level in ``box`` (left, top, right, bottom in its pixels), cut off at its borders.

    Raises :class:`NoPixels`, ``NotFound``.
    """
    width, height = level_size(medium, level)
    left, top, right, bottom = box
    pixels = np.load(_pyramid(medium) / f"{level}.npy", mmap_mode="r")
    return np.array(pixels[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)])


def halved(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return ``[y, x(, c)]`` with half of its sides, rounded up: the mean of up to 2 x 2 pixels, in the same type.

    Works through bands of rows, so that little more than the result is in memory.
    """
    height, width = pixels.shape[:2]
    out = np.empty((-(-height // 2), -(-width // 2), *pixels.shape[2:]), dtype=pixels.dtype)
    kind = np.float64 if pixels.dtype.kind == "f" else np.int64
    for top in range(0, height, BAND_ROWS):
        band = np.asarray(pixels[top : top + BAND_ROWS])
        pad = [(0, band.shape[0] % 2), (0, width % 2)] + [(0, 0)] * (band.ndim - 2)
        # At an odd border the last row or column stands twice: the mean is that of what is there.
        band = np.pad(band, pad, mode="edge").astype(kind)
        total = band[0::2, 0::2] + band[1::2, 0::2] + band[0::2, 1::2] + band[1::2, 1::2]
        mean = total / 4 if kind is np.float64 else (total + 2) // 4
        out[top // 2 : top // 2 + mean.shape[0]] = mean
    return out


def _pyramid(medium: Medium) -> Path:
    """Return the folder of a medium's levels, made where it is not there yet: once, and never half."""
    sha256 = pixels_of(medium).sha256
    place = _root() / sha256[:2] / sha256
    if not place.is_dir():
        with _building:
            if not place.is_dir():
                _build(medium, place)
    return place


def _build(medium: Medium, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=place.parent))
    try:
        pixels = read_slice_rows(medium)
        for level in range(level_count(medium)):
            if level:
                pixels = halved(pixels)
            np.save(partial / f"{level}.npy", pixels)
        os.replace(partial, place)
    except OSError:
        # Another process was first: its levels are the same.
        if not place.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _root() -> Path:
    """Return where pyramids lie: beside the blobs, or with the temporary files where blobs lie on another machine."""
    storage = storages["default"]
    if isinstance(storage, FileSystemStorage):
        return Path(storage.path(_FOLDER))
    return Path(tempfile.gettempdir()) / "labelhub-pyramids"
