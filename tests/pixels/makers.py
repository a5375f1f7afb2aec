"""Images made for tests: volumes that know where each voxel is, written as DICOM and NIfTI; and a bomb."""

from __future__ import annotations

import itertools
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    generate_uid,
)

ORIENTATIONS = [
    (axes, flips) for axes in itertools.permutations(range(3)) for flips in itertools.product((1, -1), repeat=3)
]


@dataclass(frozen=True)
class Truth:
    """A volume ``[z, y, x]`` of distinct values and the affine (RAS+) that it was made with."""

    values: np.ndarray
    affine: np.ndarray

    def position_of_values(self) -> dict[int, np.ndarray]:
        """The world position of each value, the value being its voxel's name."""
        positions = {}
        for (z, y, x), value in np.ndenumerate(self.values):
            positions[int(value)] = (self.affine @ (x, y, z, 1))[:3]
        return positions


def make_truth(
    axes: tuple[int, ...], flips: tuple[int, ...], *, rng: np.random.Generator, tilt_deg: float = 0.0
) -> Truth:
    """A small anisotropic volume whose axes run along the given world axes, slightly rotated, at a random place."""
    size = (4, 5, 6)
    spacing = np.array([0.7, 1.1, 3.0])
    directions = np.zeros((3, 3))
    for k, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        directions[axis, k] = flip
    angles = rng.uniform(-0.15, 0.15, 3)
    for (i, j), angle in zip(((0, 1), (0, 2), (1, 2)), angles, strict=True):
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        directions = turn @ directions
    if tilt_deg:
        directions[:, 2] += np.tan(np.radians(tilt_deg)) * directions[:, 1]
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = rng.uniform(-200, 200, 3)
    return Truth(rng.permutation(int(np.prod(size))).reshape(size).astype(np.int16), affine)


def write_series(
    truth: Truth, folder: Path, *, big_endian: bool = False, slopes: Any = None, **changes: Any
) -> list[Path]:
    """The volume as one DICOM file a slice, in shuffled file order. ``slopes`` gives a rescale slope a slice."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ truth.affine
    columns = lps[:3, :3] / np.linalg.norm(lps[:3, :3], axis=0)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    slopes = slopes or [1] * len(truth.values)
    paths = []
    for z, plane in enumerate(truth.values):
        dataset = _blank(ExplicitVRBigEndian if big_endian else ExplicitVRLittleEndian, CTImageStorage)
        dataset.PatientID, dataset.PatientName = "HOSPITAL-4711", "Secret^Person"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, frame
        dataset.Modality = "CT"
        dataset.ImageOrientationPatient = [f"{v:.12f}"[:16] for v in (*columns[:, 0], *columns[:, 1])]
        dataset.ImagePositionPatient = [f"{v:.10f}"[:16] for v in (lps @ (0, 0, z, 1))[:3]]
        dataset.PixelSpacing = [f"{spacing[1]:.10f}", f"{spacing[0]:.10f}"]
        dataset.SliceThickness = 3
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = slopes[z], -1024, "HU"
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
        _set_pixels(dataset, plane, big_endian)
        path = folder / f"{(z * 7) % len(truth.values):03d}-{z}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return sorted(paths)


def write_enhanced(truth: Truth, path: Path) -> Path:
    """The volume as one enhanced multi-frame file with a position a frame."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ truth.affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    columns = lps[:3, :3] / spacing
    dataset = _blank(ExplicitVRLittleEndian, EnhancedMRImageStorage)
    dataset.Modality, dataset.NumberOfFrames = "MR", len(truth.values)
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [f"{v:.12f}"[:16] for v in (*columns[:, 0], *columns[:, 1])]
    measures.PixelSpacing = [f"{spacing[1]:.10f}", f"{spacing[0]:.10f}"]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([orientation]), Sequence([measures])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for z in range(len(truth.values)):
        frame, position = Dataset(), Dataset()
        position.ImagePositionPatient = [f"{v:.10f}"[:16] for v in (lps @ (0, 0, z, 1))[:3]]
        frame.PlanePositionSequence = Sequence([position])
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    _set_pixels(dataset, truth.values, False)
    dataset.Rows, dataset.Columns = truth.values.shape[1:]
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_nifti(truth: Truth, path: Path, *, big_endian: bool = False) -> Path:
    """The volume as NIfTI with an exact (float32) sform."""
    header = nibabel.Nifti1Header(endianness=">" if big_endian else "<")
    image = nibabel.Nifti1Image(truth.values.transpose(2, 1, 0), truth.affine, header)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path


def png_bomb(side: int) -> bytes:
    """A small PNG that expands to side x side grey pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(side + 1)) for _ in range(200)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _blank(syntax: Any, sop_class: Any) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = syntax, sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset(
        "",
        {},
        file_meta=meta,
        preamble=b"\0" * 128,
        is_implicit_VR=False,
        is_little_endian=syntax != ExplicitVRBigEndian,
    )
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    return dataset


def _set_pixels(dataset: Any, values: np.ndarray, big_endian: bool) -> None:
    dataset.Rows, dataset.Columns = values.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.PixelData = values.astype(">i2" if big_endian else "<i2").tobytes()
    dataset["PixelData"].VR = "OW"
