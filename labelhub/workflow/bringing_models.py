"""A MONAI bundle on its way in: kept as it came and given to a worker of networks, which alone opens it.

Not here: reading it (``predictions.bundles``), converting and trying its weights (``inference``).
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from django.db import transaction

from labelhub.audit import services as audit
from labelhub.catalog.blobs import store_blob_file
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.predictions.bundles import BundleRefused, folder_members
from labelhub.predictions.selectors import NETWORK_QUEUE
from labelhub.projects.models import Project

IMPORT_KIND: Final = "inference.import_bundle"
MAX_BUNDLE_BYTES: Final = 4 << 30


def import_bundle(*, project: Project, archive: Path, name: str, by: str, classes: Sequence[str] = ()) -> Job:
    """Keep a bundle's ZIP and enqueue its reading; ``classes`` says what each map means, where its names do not.

    Writes ``bundle.received``. Raises :class:`BundleRefused` where the file is no ZIP or too large; what it holds is judged by
    the job, whose result is the number of the model.
    """
    if archive.is_symlink() or not archive.is_file() or not zipfile.is_zipfile(archive):
        raise BundleRefused("The file is no ZIP. Nothing was kept. Pack the bundle's folder as a ZIP.")
    if archive.stat().st_size > MAX_BUNDLE_BYTES:
        raise BundleRefused(f"The bundle is larger than {MAX_BUNDLE_BYTES >> 30} GiB. Nothing was kept.")
    with transaction.atomic():
        blob = store_blob_file(path=archive, kind="bundle")
        job = jobs.enqueue(
            kind=IMPORT_KIND, queue=NETWORK_QUEUE, project_id=project.pk, asked_by=by,
            dedupe_key=f"bundle:{project.pk}:{blob.pk}",
            arguments={"project": project.pk, "blob": blob.pk, "name": name[:120], "classes": list(classes)}, total_units=3,
        )  # fmt: skip
        audit.append(
            project_id=project.pk, kind="bundle.received", actor=by, subject=f"job:{job.pk}", facts={"sha256": blob.pk}
        )
    return job


def pack_folder(folder: Path, into: Path) -> Path:
    """Pack a bundle's folder on this machine as a ZIP, which travels like any other. Raises :class:`BundleRefused`."""
    with zipfile.ZipFile(into, "x", zipfile.ZIP_STORED) as archive:
        for name, path in folder_members(folder).items():
            archive.write(path, name)
    return into
