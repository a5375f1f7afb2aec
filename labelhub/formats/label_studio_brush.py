"""The run lengths of Label Studio's brush: a bit stream of runs over the red, green, blue and alpha bytes of a picture.

The stream opens with the number of bytes (32 bits), the word size (5 bits) and four field widths (4 bits each); then
come runs (a 1, a choice of width, a length, one word) and literals (a 0, a choice of width, a length, that many
words). The layout is that of the rle-pack package. Only alpha matters: a pixel of half or more is marked. Not here:
any other field of the export.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.limits import MAX_MASK_VOXELS
from labelhub.formats.rle import LyingRunLengthsError

_WIDTHS: Final = (3, 4, 8, 16)
_WORD: Final = 8
MAX_BRUSH_BYTES: Final = 1 << 26


def brush_mask(stream: object, height: int, width: int) -> tuple[NDArray[np.bool_], int]:
    """``mask[y, x]`` and how many pixels were only partly covered. Raises :class:`LyingRunLengthsError`."""
    if not isinstance(stream, list) or len(stream) > MAX_BRUSH_BYTES:
        raise LyingRunLengthsError("the brush holds no list of bytes, or far too many")
    if not all(type(byte) is int and 0 <= byte <= 255 for byte in stream):
        raise LyingRunLengthsError("the brush holds something that is not a byte")
    if height * width * 4 > MAX_MASK_VOXELS:
        raise LyingRunLengthsError(f"a brush of {width} x {height} pixels is too large")
    values = _unpack(np.array(stream, dtype=np.uint8), height * width * 4)
    alpha = values.reshape(height, width, 4)[:, :, 3]
    return alpha > 127, int(np.count_nonzero((alpha > 0) & (alpha < 255)))


def _unpack(stream: NDArray[np.uint8], expected: int) -> NDArray[np.uint8]:
    bits = np.unpackbits(stream)
    text = (bits + 48).tobytes().decode("ascii")
    if len(text) < 53 or int(text[:32], 2) != expected:
        stated = int(text[:32], 2) if len(text) >= 32 else 0
        raise LyingRunLengthsError(f"the brush says {stated} bytes, its picture has {expected}")
    if int(text[32:37], 2) + 1 != _WORD:
        raise LyingRunLengthsError("the brush does not hold bytes")
    widths = [int(text[at : at + 4], 2) + 1 for at in range(37, 53, 4)]
    out = np.zeros(expected, dtype=np.uint8)
    at, filled = 53, 0
    while filled < expected:
        if at + 3 > len(text):
            raise LyingRunLengthsError("the brush ends too early")
        is_run = text[at] == "1"
        width = widths[int(text[at + 1 : at + 3], 2)]
        at += 3
        words = int(text[at : at + width] or "0", 2) + 1
        at += width
        end = at + _WORD * (1 if is_run else words)
        if filled + words > expected or end > len(text):
            raise LyingRunLengthsError("a run of the brush is longer than its picture")
        out[filled : filled + words] = np.packbits(bits[at:end])
        filled += words
        at = end
    return out


def packed_brush(mask: NDArray[np.bool_]) -> list[int]:
    """The bytes of such a stream for ``mask[y, x]``: marked pixels are white and opaque, all others empty."""
    flat = np.repeat(mask.ravel(), 4)
    edges = np.flatnonzero(np.diff(flat)) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(np.concatenate([starts, [flat.size]]))
    parts = [format(flat.size, "032b"), format(_WORD - 1, "05b"), *(format(width - 1, "04b") for width in _WIDTHS)]
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        word = "11111111" if flat[start] else "00000000"
        while length > 0:
            piece = min(length, 1 << _WIDTHS[-1])
            choice = next(n for n, width in enumerate(_WIDTHS) if piece <= 1 << width)
            parts += ["1", format(choice, "02b"), format(piece - 1, f"0{_WIDTHS[choice]}b"), word]
            length -= piece
    text = "".join(parts)
    bits = np.frombuffer(text.encode("ascii"), dtype=np.uint8) - 48
    return [int(byte) for byte in np.packbits(bits)]
