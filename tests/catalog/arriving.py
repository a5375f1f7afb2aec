"""Files for the tests of ingest: small real ones from installed packages, and ways to bring them in."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from labelhub.catalog.ingest import start_ingest
from labelhub.catalog.models import IngestEntry, IngestRun
from labelhub.jobs.worker import run_pending
from tests.cast import Cast


def picture(form: str, seed: int = 1, size: tuple[int, int] = (24, 16)) -> bytes:
    """A small colour picture in PNG, JPEG, BMP or TIFF."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format=form)
    return out.getvalue()


def nifti(path: Path, shape: tuple[int, ...] = (4, 5, 6), affine: Any = None, seed: int = 1) -> Path:
    """A small NIfTI volume."""
    values = np.random.default_rng(seed).integers(0, 1000, shape).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0]) if affine is None else affine), path)
    return path


def packaged_dicom(name: str) -> Path:
    """A DICOM file that pydicom ships."""
    found = get_testdata_file(name, download=False)
    assert isinstance(found, str), name
    return Path(found)


def dicom(path: Path, **tags: Any) -> Path:
    """pydicom's small CT slice, with tags changed."""
    data = pydicom.dcmread(packaged_dicom("CT_small.dcm"))
    data.SOPInstanceUID = tags.pop("SOPInstanceUID", generate_uid())
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    for keyword, value in tags.items():
        setattr(data, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path)
    return path


def series(folder: Path, *, n: int = 4, patient: str = "P1", study: str = "", prefix: str = "slice") -> None:
    """A CT series of ``n`` slices, 2.5 mm apart, with file names out of order."""
    series_uid, study_uid = generate_uid(), study or generate_uid()
    for z in range(n):
        dicom(
            folder / f"{prefix}{(z * 7) % n:03d}.dcm", PatientID=patient, StudyInstanceUID=study_uid,
            SeriesInstanceUID=series_uid, ImagePositionPatient=[-158.1, -179.0, 10 + 2.5 * z], InstanceNumber=z,
        )  # fmt: skip


def bring(cast: Cast, location: Path, *, source: str = "folder", **options: Any) -> IngestRun:
    """Ingest a folder or file to its end."""
    run = start_ingest(
        project=cast.project, source=source, location=str(location), options=options, asked_by="user:1", is_trusted=True
    )
    run_pending(queues=["cpu"])
    run.refresh_from_db()
    return run


def outcome(run: IngestRun) -> Mapping[str, str]:
    """What became of each file: its path and status."""
    return dict(IngestEntry.objects.filter(run=run).values_list("path", "status"))
