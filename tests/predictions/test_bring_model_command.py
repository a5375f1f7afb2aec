"""`manage.py bring_model`: a bundle's folder or ZIP goes to a worker of networks, and what is none is told."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labelhub.catalog.blobs import write_named
from labelhub.jobs.models import Job
from labelhub.workflow.bringing_models import pack_folder
from tests.cast import Cast

NAMES = {"configs/inference.json", "models/model.pt"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / "bundle" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bundle" / name).write_text("{}")
    return tmp_path / "bundle"


def test_a_folder_and_a_zip_go_to_a_worker_of_networks(cast: Cast, folder: Path, tmp_path: Path):
    call_command("bring_model", cast.project.slug, str(folder), "--name", "Ours", "--class", "", "--class", "nucleus")
    job = Job.objects.get()
    assert (job.kind, job.queue, job.project_id) == ("inference.import_bundle", "gpu", cast.project.pk)
    assert (job.arguments["name"], job.arguments["classes"]) == ("Ours", ["", "nucleus"])
    write_named(job.arguments["blob"], tmp_path / "kept.zip")
    with zipfile.ZipFile(tmp_path / "kept.zip") as archive:
        assert set(archive.namelist()) == NAMES
    Job.objects.all().delete()
    call_command("bring_model", cast.project.slug, str(pack_folder(folder, tmp_path / "own.zip")))
    assert Job.objects.get().arguments["classes"] == []


def test_what_is_no_bundle_is_told_and_nothing_is_kept(cast: Cast, folder: Path, tmp_path: Path):
    (folder / "models" / "link.pt").symlink_to("/etc/hostname")
    for bundle, words in ((folder, "a link"), (tmp_path / "nowhere", "no ZIP"), (folder / "models/model.pt", "no ZIP")):
        with pytest.raises(CommandError, match=words):
            call_command("bring_model", cast.project.slug, str(bundle))
    with pytest.raises(CommandError, match="no project"):
        call_command("bring_model", "nowhere", str(folder))
    assert not Job.objects.exists()
