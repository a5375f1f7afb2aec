"""The pixel values of one DICOM file: frames in Hounsfield units, intensities or RGB, whatever the transfer syntax.

Rescale slope and intercept (or the modality LUT) are applied a frame; MONOCHROME1 is turned so that large is bright;
palettes and YBR become RGB (pydicom, pylibjpeg). Windowing is not applied: it is told beside. Not here: geometry.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from labelhub.formats.pixels.deidentify import numbers_of, text_of
from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.pixels.medium import ValueMeaning, check_pixel_count

# Values are checked here, by the rules of each element; pydicom's own warnings would quote them.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

_PLAIN = frozenset((ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian))
_LARGE_BYTES = 64 << 20
_REMEDY = "Export or copy the file again from the archive (PACS)."
# What pydicom and the codecs raise on damaged input. Memory errors and everything about this program pass through.
DAMAGE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RuntimeError,
    OSError,
    EOFError,
    struct.error,
    OverflowError,
    NotImplementedError,
    AssertionError,
    ZeroDivisionError,
    InvalidDicomError,
    BytesLengthException,
)


def open_header(path: Path, place: str) -> Any:
    """The data set without pixels. Raises :class:`PixelError`."""
    try:
        return pydicom.dcmread(path, force=True, stop_before_pixels=True)
    except (*DAMAGE, RecursionError) as error:
        raise PixelError("The DICOM file is damaged or cut short.", place=place, remedy=_REMEDY) from error


def frame_count(dataset: Any, place: str) -> int:
    """The number of frames that the header announces."""
    numbers = numbers_of(dataset, "NumberOfFrames")
    count = int(numbers[0]) if numbers else 1
    if not 1 <= count <= 1_000_000:
        raise PixelError(f"The file announces {count} frames.", place=place, remedy=_REMEDY)
    return count


def frame_shape(dataset: Any, place: str) -> tuple[int, ...]:
    """``(y, x)`` or ``(y, x, 3)`` of each frame as it will be decoded."""
    rows, columns = numbers_of(dataset, "Rows"), numbers_of(dataset, "Columns")
    if len(rows) != 1 or len(columns) != 1 or min(*rows, *columns) < 1:
        raise PixelError("The file holds no image: rows and columns are missing.", place=place, remedy=_REMEDY)
    samples = numbers_of(dataset, "SamplesPerPixel")
    is_colour = bool(samples and samples[0] == 3) or text_of(dataset, "PhotometricInterpretation") == "PALETTE COLOR"
    size = (int(rows[0]), int(columns[0]))
    return (*size, 3) if is_colour else size


def value_meaning(dataset: Any) -> ValueMeaning:
    """What a pixel value means after decoding."""
    if len(frame_shape(dataset, "")) == 3:
        return "RGB"
    is_rescaled = "RescaleSlope" in dataset or "SharedFunctionalGroupsSequence" in dataset
    if text_of(dataset, "Modality") == "CT" and is_rescaled and text_of(dataset, "RescaleType") in {None, "HU"}:
        return "HU"
    return "intensity"


def default_window(dataset: Any, meaning: ValueMeaning) -> tuple[float, float] | None:
    """The first window ``(center, width)`` that the file names, in decoded values; ``None`` where there is none."""
    source = functional_group(dataset, 0, "FrameVOILUTSequence") or dataset
    centers, widths = numbers_of(source, "WindowCenter"), numbers_of(source, "WindowWidth")
    if meaning == "RGB" or not centers or not widths or widths[0] <= 0:
        return None
    if text_of(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        return _turn_about(dataset, 0) - centers[0], widths[0]
    return centers[0], widths[0]


def functional_group(dataset: Any, frame: int, keyword: str) -> Any:
    """The first item of a functional group of an enhanced file: the frame's own, else the shared one, else ``None``."""
    for groups, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        sequence = dataset.get(groups)
        if sequence is not None and index < len(sequence):
            found = sequence[index].get(keyword)
            if found:
                return found[0]
    return None


def read_frames(dataset: Any, path: Path, place: str, *, max_bytes: int) -> Iterator[NDArray[Any]]:
    """Each frame, decoded and rescaled, in the file's order. Raises before it takes too much memory."""
    count, shape = frame_count(dataset, place), frame_shape(dataset, place)
    bits = numbers_of(dataset, "BitsAllocated")
    check_pixel_count((count, *shape), max(1, int(bits[0]) // 8 if bits else 1), max_bytes=max_bytes, place=place)
    done = 0
    try:
        for frame in iter_pixels(_pixel_source(dataset, path)):
            yield _decoded(dataset, np.asarray(frame), done, shape)
            done += 1
    except DAMAGE as error:
        if isinstance(error, PixelError):
            raise
        raise PixelError(
            "The pixels are damaged, cut short, or compressed in a way that cannot be read.",
            place=place if count == 1 else f"{place}, frame {done + 1}",
            remedy=_REMEDY,
        ) from error
    if done != count:
        raise PixelError(f"{count} frames are announced, {done} are there.", place=place, remedy=_REMEDY)


def _pixel_source(dataset: Any, path: Path) -> Any:
    """The whole data set; for large uncompressed files the path, from which frames are then read one by one."""
    if _transfer_syntax(dataset) in _PLAIN and path.stat().st_size > _LARGE_BYTES:
        return path
    whole = pydicom.dcmread(path, force=True)
    if _transfer_syntax(whole) is None:
        is_implicit, is_little = whole.original_encoding
        little = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
        whole.file_meta = FileMetaDataset()
        whole.file_meta.TransferSyntaxUID = little if is_little else ExplicitVRBigEndian
    return whole


def _transfer_syntax(dataset: Any) -> Any:
    return getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")


def _decoded(dataset: Any, frame: NDArray[Any], number: int, shape: tuple[int, ...]) -> NDArray[Any]:
    photometric = text_of(dataset, "PhotometricInterpretation")
    if photometric == "PALETTE COLOR" and frame.ndim == 2:
        frame = apply_color_lut(frame, dataset)[..., :3]
    if frame.shape != shape:
        raise ValueError("a frame has another size than the header says")
    if frame.ndim == 3:
        return frame if frame.dtype == np.uint8 else _eight_bits(frame, dataset)
    values = _rescaled(dataset, frame, number)
    if photometric == "MONOCHROME1":
        return _narrow(_turn_about(dataset, number) - values.astype(np.float64))
    return values


def _eight_bits(frame: NDArray[Any], dataset: Any) -> NDArray[Any]:
    """Colours at 8 bits: palettes hold 16-bit entries, other colour files say how many bits they use."""
    bits = 16 if text_of(dataset, "PhotometricInterpretation") == "PALETTE COLOR" else int(dataset.BitsStored)
    return (frame.astype(np.uint32) >> max(0, bits - 8)).clip(0, 255).astype(np.uint8)


def _rescaled(dataset: Any, frame: NDArray[Any], number: int) -> NDArray[Any]:
    if dataset.get("ModalityLUTSequence"):
        return np.asarray(apply_modality_lut(frame, dataset))
    slope, intercept = _rescale(dataset, number)
    if slope == 1 and intercept == 0:
        return frame
    return _narrow(frame.astype(np.float64) * slope + intercept)


def _rescale(dataset: Any, number: int) -> tuple[float, float]:
    source = functional_group(dataset, number, "PixelValueTransformationSequence") or dataset
    slope, intercept = numbers_of(source, "RescaleSlope"), numbers_of(source, "RescaleIntercept")
    return (slope[0] if slope and slope[0] else 1.0), (intercept[0] if intercept else 0.0)


def _narrow(values: NDArray[np.float64]) -> NDArray[Any]:
    """Whole numbers as integers, so that HU stay exact and small; others stay floating point."""
    return values.astype(np.int32) if (values == np.rint(values)).all() and np.abs(values).max() < 1 << 31 else values


def _turn_about(dataset: Any, number: int) -> float:
    """Lowest plus highest value that the stored bits allow, rescaled: what MONOCHROME1 values are subtracted from."""
    bits = int(dataset.get("BitsStored", 8))
    is_signed = int(dataset.get("PixelRepresentation", 0)) == 1
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if is_signed else (0, (1 << bits) - 1)
    slope, intercept = _rescale(dataset, number)
    return (low + high) * slope + 2 * intercept
