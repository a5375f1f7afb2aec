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


def nifti(path: Path, *, spacing_z_mm: float = 2.0) -> Path:
    """A small NIfTI volume; its header may hold a spacing that nibabel itself would refuse to write."""
    values = np.random.default_rng(1).integers(0, 1000, (4, 5, 6)).astype(np.int16)
    image = nibabel.Nifti1Image(values, None)
    image.header["sform_code"] = 1
    image.header["srow_x"], image.header["srow_y"] = (1, 0, 0, 0), (0, 1, 0, 0)
    image.header["srow_z"] = (0, 0, spacing_z_mm, 0)
    nibabel.save(image, path)
    return path


def packaged_dicom(name: str) -> Path:
    """A DICOM file that pydicom ships."""
    found = get_testdata_file(name, download=False)
    assert isinstance(found, str), name
    return Path(found)


def dicom(path: Path, **tags: Any) -> Path:
    """The small CT slice of pydicom, with tags changed."""
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
