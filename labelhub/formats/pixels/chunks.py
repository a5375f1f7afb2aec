"""The container that masks and canonical pixels share: a header, one zstd chunk a slice, and an index at the end.

Layout, little-endian: magic (6 bytes), version (u16), type code (u8), channels (u8, 0 means no channel axis), zero
(u16), z, y, x (u32 each), number of chunks (u32, equal to z), then the chunks, then one u32 a chunk with its length. A
chunk of length 0 is a slice of zeros. The index stands last so that a writer never goes back and a hash can be taken on
the way. Every length is checked against the size of the file and a cap before memory is taken. Not here: meaning,
geometry.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import zstandard
from numpy.typing import NDArray

from labelhub.formats.pixels.errors import PixelError

VERSION = 1
MAX_RAW_BYTES = 1 << 30

_HEADER = struct.Struct("<6sHBBHIIII")
_LENGTH = np.dtype("<u4")
_MAX_CHUNK_BYTES = (1 << 31) - 1
_REMEDY = "Restore the file from a backup, or ingest the original again."


@dataclass(frozen=True, slots=True)
class ChunkLayout:
    """What a container holds: ``size`` is ``(z, y, x)``; ``channels`` is 0 where there is no channel axis."""

    magic: bytes
    size: tuple[int, int, int]
    channels: int
    dtype: np.dtype[Any]

    @property
    def plane_shape(self) -> tuple[int, ...]:
        """The shape of one slice, ``(y, x)`` or ``(y, x, c)``."""
        return (*self.size[1:], self.channels) if self.channels else self.size[1:]

    @property
    def plane_bytes(self) -> int:
        """Bytes of one slice before compression."""
        count = self.dtype.itemsize
        for n in self.plane_shape:
            count *= n
        return count

    @property
    def raw_bytes(self) -> int:
        """Bytes of the whole array before compression."""
        return self.plane_bytes * self.size[0]


class ChunkWriter:
    """Appends slices to a stream in order; :meth:`finish` writes the index. Equal input gives equal bytes."""

    def __init__(self, stream: BinaryIO, layout: ChunkLayout, codes: Mapping[str, int]) -> None:
        check_size(layout, place="new blob", max_bytes=_MAX_CHUNK_BYTES * layout.size[0])
        self._stream, self._layout = stream, layout
        self._lengths: list[int] = []
        self._compressor = zstandard.ZstdCompressor(level=3, write_checksum=True, write_content_size=True)
        code = codes[layout.dtype.name]
        stream.write(_HEADER.pack(layout.magic, VERSION, code, layout.channels, 0, *layout.size, layout.size[0]))

    def append(self, plane: NDArray[Any]) -> None:
        """Write the next slice; its shape and type must be the layout's."""
        if plane.shape != self._layout.plane_shape or plane.dtype != self._layout.dtype:
            raise ValueError(f"slice {plane.shape} {plane.dtype} does not fit {self._layout}")
        raw = np.ascontiguousarray(plane, dtype=self._layout.dtype.newbyteorder("<"))
        chunk = self._compressor.compress(raw.data.cast("B")) if raw.view(np.uint8).any() else b""
        self._stream.write(chunk)
        self._lengths.append(len(chunk))

    def finish(self) -> None:
        """Write the index. Raises ``ValueError`` where slices are missing or too many."""
        if len(self._lengths) != self._layout.size[0]:
            raise ValueError(f"{len(self._lengths)} slices were given, {self._layout.size[0]} were announced")
        self._stream.write(np.array(self._lengths, dtype=_LENGTH).tobytes())


class ChunkReader:
    """Reads single slices of a container. Raises :class:`PixelError` for anything that contradicts itself."""

    def __init__(
        self, stream: BinaryIO, *, magic: bytes, codes: Mapping[str, int], max_bytes: int, place: str = "blob"
    ) -> None:
        self._stream, self._place = stream, place
        total = stream.seek(0, 2)
        stream.seek(0)
        self.layout = self._read_layout(stream.read(_HEADER.size), magic, codes)
        check_size(self.layout, place=place, max_bytes=max_bytes)
        self._starts = self._read_index(total)
        self._decompressor = zstandard.ZstdDecompressor()

    def plane(self, z: int) -> NDArray[Any]:
        """Slice ``z`` as a new array of the layout's plane shape. Raises ``IndexError`` outside the grid."""
        if not 0 <= z < self.layout.size[0]:
            raise IndexError(f"slice {z} is outside 0..{self.layout.size[0] - 1}")
        start, end = int(self._starts[z]), int(self._starts[z + 1])
        if start == end:
            return np.zeros(self.layout.plane_shape, dtype=self.layout.dtype)
        self._stream.seek(start)
        raw = self._decompress(self._stream.read(end - start), z)
        little = np.frombuffer(raw, dtype=self.layout.dtype.newbyteorder("<")).reshape(self.layout.plane_shape)
        if self.layout.dtype == np.bool_ and little.view(np.uint8).max(initial=0) > 1:
            raise self._damaged(f"slice {z} holds values other than 0 and 1")
        return little.astype(self.layout.dtype)

    def _read_layout(self, head: bytes, magic: bytes, codes: Mapping[str, int]) -> ChunkLayout:
        if len(head) < _HEADER.size or not head.startswith(magic):
            raise self._damaged("the file is not what it should be (wrong first bytes)")
        _, version, code, channels, zero, z, y, x, chunks = _HEADER.unpack(head)
        names = [name for name, known in codes.items() if known == code]
        if version != VERSION:
            raise PixelError(
                f"The stored array has format version {version}; this LabelHub reads version {VERSION}.",
                place=self._place,
                remedy="Upgrade LabelHub, or ingest the original again.",
            )
        if not names or zero or chunks != z or channels > 4:
            raise self._damaged("its header contradicts itself")
        return ChunkLayout(magic=magic, size=(z, y, x), channels=channels, dtype=np.dtype(names[0]))

    def _read_index(self, total: int) -> NDArray[np.int64]:
        chunks = self.layout.size[0]
        index_start = total - chunks * _LENGTH.itemsize
        if index_start < _HEADER.size:
            raise self._damaged("it is shorter than its header says")
        self._stream.seek(index_start)
        lengths = np.frombuffer(self._stream.read(chunks * _LENGTH.itemsize), dtype=_LENGTH).astype(np.int64)
        starts = np.concatenate(([_HEADER.size], _HEADER.size + np.cumsum(lengths)))
        if len(lengths) != chunks or starts[-1] != index_start:
            raise self._damaged("its index does not fit its length")
        return starts

    def _decompress(self, chunk: bytes, z: int) -> bytes:
        try:
            if zstandard.frame_content_size(chunk) != self.layout.plane_bytes:
                raise self._damaged(f"slice {z} has another size than the header says")
            raw: bytes = self._decompressor.decompress(
                chunk, max_output_size=self.layout.plane_bytes, allow_extra_data=False
            )
        except zstandard.ZstdError as error:
            raise self._damaged(f"slice {z} cannot be decompressed") from error
        if len(raw) != self.layout.plane_bytes:
            raise self._damaged(f"slice {z} has another size than the header says")
        return raw

    def _damaged(self, why: str) -> PixelError:
        return PixelError(f"The stored array is damaged: {why}.", place=self._place, remedy=_REMEDY)


def check_size(layout: ChunkLayout, *, place: str, max_bytes: int) -> None:
    """Refuse an empty array, a slice too large to index, and anything above ``max_bytes``, before memory is taken."""
    if min(layout.size) < 1:
        raise PixelError("An array without a single pixel cannot be stored.", place=place, remedy=_REMEDY)
    if layout.plane_bytes > _MAX_CHUNK_BYTES or layout.raw_bytes > max_bytes:
        raise PixelError(
            f"The array of {' x '.join(map(str, layout.size))} needs {layout.raw_bytes} bytes of {max_bytes} allowed.",
            place=place,
            remedy="Crop or downsample it, or ask the administrator to raise the limit.",
        )
