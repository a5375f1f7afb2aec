"""A mask as immutable bytes, named by their SHA-256: the one form in which masks are stored and travel.

Axes are ``mask[z, y, x]``; the type is bool, uint8 or uint16 (label values). One compressed chunk a slice, so a plane
is read alone. COCO run lengths, NIfTI, DICOM SEG and PNG are formats of exchange only; they are written from this
one. Equal masks give equal bytes with one version of zstd; the name is of the bytes, so another version's bytes stay
valid.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.pixels.chunks import MAX_RAW_BYTES, ChunkLayout, ChunkReader, ChunkWriter

MAGIC = b"LHMASK"
_CODES = {"bool": 1, "uint8": 2, "uint16": 3}


def encode_mask(mask: NDArray[Any]) -> bytes:
    """The bytes of ``mask[z, y, x]`` (a 2-D ``mask[y, x]`` counts as one slice).

    Raises ``ValueError`` for another type than bool, uint8, uint16 or another number of axes, and
    :class:`~labelhub.formats.pixels.errors.PixelError` for a mask without pixels.
    """
    volume = mask[np.newaxis] if mask.ndim == 2 else mask
    if volume.ndim != 3:
        raise ValueError(f"a mask has axes [z, y, x] or [y, x]; this one has {mask.ndim}")
    if volume.dtype.name not in _CODES:
        raise ValueError(f"a mask is bool, uint8 or uint16, not {mask.dtype}")
    z, y, x = volume.shape
    stream = io.BytesIO()
    writer = ChunkWriter(stream, ChunkLayout(MAGIC, (z, y, x), 0, np.dtype(volume.dtype.name)), _CODES)
    for plane in volume:
        writer.append(plane.astype(volume.dtype.name, copy=False))
    writer.finish()
    return stream.getvalue()


def decode_mask(blob: bytes, *, max_bytes: int = MAX_RAW_BYTES) -> NDArray[Any]:
    """The array ``mask[z, y, x]`` of a blob; refuses damaged blobs and those above ``max_bytes`` (``PixelError``)."""
    reader = _reader(blob, max_bytes)
    mask = np.empty(reader.layout.size, dtype=reader.layout.dtype)
    for z in range(mask.shape[0]):
        mask[z] = reader.plane(z)
    return mask


def decode_slice(blob: bytes, z: int, *, max_bytes: int = MAX_RAW_BYTES) -> NDArray[Any]:
    """Plane ``mask[z]`` as ``[y, x]``, without touching the other slices. ``IndexError`` outside the grid."""
    return _reader(blob, max_bytes).plane(z)


def mask_size(blob: bytes, *, max_bytes: int = MAX_RAW_BYTES) -> tuple[int, int, int]:
    """The size ``(z, y, x)`` that a blob's checked header states, without decompressing."""
    return _reader(blob, max_bytes).layout.size


def blob_name(blob: bytes) -> str:
    """The blob's name: its SHA-256 in hexadecimal."""
    return hashlib.sha256(blob).hexdigest()


def _reader(blob: bytes, max_bytes: int) -> ChunkReader:
    return ChunkReader(io.BytesIO(blob), magic=MAGIC, codes=_CODES, max_bytes=max_bytes, place="mask blob")
