"""Bringing files in: every form, every fault, and going on after an interruption."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from labelhub.catalog import ingest, ingest_items, selectors, uploads
from labelhub.catalog.errors import CatalogProblem, PlaceRefused
from labelhub.catalog.models import Blob, IngestEntry, IngestRun, Item, Medium, Original, Subject
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from tests.catalog.arriving import bring, dicom, nifti, outcome, packaged_dicom, picture, series
from tests.realdata import real


@pytest.fixture
def folder(tmp_path) -> Path:
    place = tmp_path / "arriving"
    place.mkdir()
    return place


def _message(run: IngestRun, path: str) -> str:
    entry = IngestEntry.objects.get(run=run, path=path)
    assert entry.remedy, "a refusal names its remedy"
    return entry.message


def test_photographs_of_each_form_become_items(cast, folder):
    for form in ("PNG", "JPEG", "BMP", "TIFF"):
        (folder / f"a.{form.lower()}").write_bytes(picture(form))
    run = bring(cast, folder)
    assert set(outcome(run).values()) == {"stored"}
    media = Medium.objects.all()
    assert {(m.kind, m.size_x, m.size_y, m.channels) for m in media} == {("photograph", 24, 16, 3)}
    assert Job.objects.get().result == selectors.ingest_counts(run)
    assert run.finished_at is not None


def test_a_dicom_series_is_one_volume_whatever_its_file_names(cast, folder):
    series(folder / "ct", n=5)
    run = bring(cast, folder)
    assert set(outcome(run).values()) == {"stored"}
    item = Item.objects.get()
    medium = item.media.get()
    assert (medium.kind, medium.size_z, medium.spacing_z, medium.value_meaning) == ("volume", 5, 2.5, "HU")
    assert (medium.window_center, medium.window_width) == (40.0, 400.0)
    assert Original.objects.count() == 5
    assert item.group_kind == "patient"


def test_real_dicom_of_one_slice_many_frames_and_compressed_syntaxes(cast, folder):
    names = (
        "CT_small.dcm",
        "MR_small.dcm",
        "examples_ybr_color.dcm",
        "JPEG2000.dcm",
        "MR_small_RLE.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
    )
    for name in names:
        (folder / name).write_bytes(packaged_dicom(name).read_bytes())
    run = bring(cast, folder)
    found = outcome(run)
    # The RLE file is the same slice of the same series once more: one of the two is left out, and says so.
    assert sorted([found.pop("MR_small.dcm"), found.pop("MR_small_RLE.dcm")]) == ["ignored", "stored"]
    assert set(found.values()) == {"stored"}
    assert "copy of another slice" in IngestEntry.objects.get(run=run, status="ignored").message
    frames = Medium.objects.get(kind="frames")
    assert frames.size_z > 1
    assert frames.channels == 3


def test_real_volumes_keep_their_grid(cast):
    import nibabel

    run = bring(cast, real("volumes", "niivue"))
    assert outcome(run)["FLAIR.nii.gz"] == outcome(run)["FLAIR.nrrd"] == "stored"
    entry = IngestEntry.objects.get(run=run, path="FLAIR.nii.gz")
    assert entry.item is not None
    medium = entry.item.media.get()
    image = nibabel.load(real("volumes", "niivue", "FLAIR.nii.gz"))
    # The same voxel lies at the same place, whatever the order of the axes: compare the centre of mass in millimetres.
    source = np.asarray(image.dataobj, dtype=np.float64)
    ours = selectors.read_pixels(medium).astype(np.float64)
    assert np.isclose(source.sum(), ours.sum())
    centre = [np.average(np.indices(source.shape)[axis], weights=source) for axis in range(3)]
    centre_ours = [np.average(np.indices(ours.shape)[axis], weights=ours) for axis in (2, 1, 0)]
    affine = selectors.grid_of(medium).affine
    assert affine is not None
    assert np.allclose(image.affine @ [*centre, 1.0], affine @ [*centre_ours, 1.0], atol=1e-3)


def test_real_series_and_what_is_no_image(cast):
    run = bring(cast, real("dicom"))
    found = outcome(run)
    assert found["dcmqi/ct-3slice/01.dcm"] == found["highdicom/ct_image.dcm"] == "stored"
    assert "labels, not an image" in _message(run, "dcmqi/liver.dcm")
    assert Item.objects.count() == 13


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_an_archive_is_opened_and_its_files_stand_for_themselves(cast, folder, form):
    files = {"one/a.png": picture("PNG", 1), "two/b.png": picture("PNG", 2), "notes.txt": b"nothing to see"}
    path = folder / f"all.{form}"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if form == "tar.gz" else "w") as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    run = bring(cast, folder)
    top = path.name
    assert outcome(run) == {
        top: "ignored", f"{top}/one/a.png": "stored", f"{top}/two/b.png": "stored", f"{top}/notes.txt": "refused",
    }  # fmt: skip
    # Members are kept: the archive may go away.
    assert Original.objects.exclude(blob=None).count() == 2


def test_a_single_file_may_be_named(cast, folder):
    (folder / "a.png").write_bytes(picture("PNG"))
    (folder / "b.png").write_bytes(picture("PNG", 2))
    assert outcome(bring(cast, folder / "a.png")) == {"a.png": "stored"}


def test_in_place_files_stay_and_copied_ones_are_kept(cast, folder):
    (folder / "a.png").write_bytes(picture("PNG"))
    bring(cast, folder)
    original = Original.objects.get()
    assert (original.in_place_path, original.blob) == (str(folder / "a.png"), None)
    (folder / "a.png").write_bytes(picture("PNG", 2))
    bring(cast, folder, source="upload")
    copied = Original.objects.latest("pk")
    assert copied.in_place_path == ""
    assert copied.blob is not None


def test_bad_files_are_refused_alone_each_with_a_sentence(cast, folder):
    whole = packaged_dicom("CT_small.dcm").read_bytes()
    (folder / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    (folder / "stub.dcm").write_bytes(whole[:200])
    (folder / "text.png").write_bytes(b"this is no picture at all")
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes(picture("PNG")[:200])
    nifti(folder / "flat.nii", spacing_z_mm=0.0)
    (folder / "good.png").write_bytes(picture("PNG"))
    run = bring(cast, folder)
    found = outcome(run)
    assert found.pop("good.png") == "stored"
    assert set(found.values()) == {"refused"}
    assert all(_message(run, path) for path in found)
    assert "spacing" in _message(run, "flat.nii")
    assert Item.objects.count() == 1
    # Nothing of a refused file is left: the picture's row, its pixels, and no more.
    assert Blob.objects.count() == 1


def test_a_wrong_extension_is_told_and_the_content_believed(cast, folder):
    (folder / "photo.dcm").write_bytes(picture("PNG"))
    run = bring(cast, folder)
    entry = IngestEntry.objects.get(run=run)
    assert entry.status == "stored"
    assert "the content is a PNG" in entry.message


def test_a_zip_bomb_gives_nothing_and_the_rest_goes_on(cast, folder):
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.png", bytes(40 << 20))
    (folder / "good.png").write_bytes(picture("PNG"))
    run = bring(cast, folder)
    assert outcome(run) == {"bomb.zip": "refused", "good.png": "stored"}
    assert "200 times" in _message(run, "bomb.zip")


def test_names_in_an_archive_that_point_elsewhere_are_refused_and_write_nothing(cast, folder):
    with zipfile.ZipFile(folder / "evil.zip", "w") as archive:
        archive.writestr("../../escaped.png", picture("PNG"))
        archive.writestr("fine.png", picture("PNG"))
    run = bring(cast, folder)
    assert sorted(outcome(run).values()) == ["ignored", "refused", "stored"]
    assert not list(folder.parent.rglob("escaped.png"))


def test_the_same_file_twice_is_one_item_and_another_project_knows_nothing_of_it(cast, folder):
    (folder / "a.png").write_bytes(picture("PNG"))
    (folder / "b.png").write_bytes(picture("PNG"))
    run = bring(cast, folder)
    assert outcome(run) == {"a.png": "stored", "b.png": "duplicate"}
    first, second = IngestEntry.objects.filter(run=run).order_by("path")
    assert first.item == second.item
    assert outcome(bring(cast, folder)) == dict.fromkeys(("a.png", "b.png"), "duplicate")
    elsewhere = ingest.start_ingest(
        project=cast.other_project, source="folder", location=str(folder), asked_by="user:2", is_trusted=True
    )
    run_pending(queues=["cpu"])
    assert outcome(elsewhere)["a.png"] == "stored"


def test_a_series_met_again_is_a_duplicate_and_one_that_grew_says_so(cast, folder):
    series(folder / "ct", n=3)
    bring(cast, folder)
    again = bring(cast, folder)
    assert set(outcome(again).values()) == {"duplicate"}
    one = next((folder / "ct").iterdir())
    import pydicom

    data = pydicom.dcmread(one)
    dicom(
        folder / "ct" / "new.dcm", StudyInstanceUID=data.StudyInstanceUID, SeriesInstanceUID=data.SeriesInstanceUID,
        ImagePositionPatient=[-158.1, -179.0, 17.5], PatientID="P1",
    )  # fmt: skip
    grown = bring(cast, folder)
    assert set(outcome(grown).values()) == {"stored"}
    assert "3 of its 4 files are part of another item too" in IngestEntry.objects.filter(run=grown)[0].message


def test_the_same_pixels_in_another_file_are_pointed_out(cast, folder):
    (folder / "a.png").write_bytes(picture("PNG"))
    (folder / "a.bmp").write_bytes(picture("BMP"))
    run = bring(cast, folder)
    messages = sorted(IngestEntry.objects.filter(run=run).values_list("message", flat=True))
    assert messages == ["", "Another item of this project has exactly these pixels."]


def test_a_run_whose_worker_died_goes_on_and_nothing_is_there_twice_or_by_halves(cast, folder, monkeypatch):
    for number in range(6):
        (folder / f"{number}.png").write_bytes(picture("PNG", number))
    run = ingest.start_ingest(
        project=cast.project, source="folder", location=str(folder), asked_by="user:1", is_trusted=True
    )
    make, made = ingest_items.create_item, []

    def dies_in_the_middle_of_the_third(**values):
        item = make(**values)
        made.append(item)
        if len(made) == 3:
            raise SystemExit("killed")
        return item

    monkeypatch.setattr(ingest_items, "create_item", dies_in_the_middle_of_the_third)
    with pytest.raises(SystemExit):
        run_pending(queues=["cpu"])
    assert Item.objects.count() == 2
    assert sorted(outcome(run).values()) == ["stored"] * 2 + ["waiting"] * 4
    assert Medium.objects.count() == Original.objects.count() == 2
    monkeypatch.undo()
    Job.objects.update(lease_until=timezone.now() - jobs.LEASE)
    assert run_pending(queues=["cpu"]) == 1
    assert set(outcome(run).values()) == {"stored"}
    assert Item.objects.count() == 6


def test_an_interrupted_archive_goes_on_inside(cast, folder, monkeypatch):
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"{number}.png", picture("PNG", number))
    run = ingest.start_ingest(
        project=cast.project, source="folder", location=str(folder), asked_by="user:1", is_trusted=True
    )
    store = ingest_items.store_blob_file
    calls = []

    def dies(**values):
        calls.append(values)
        if len(calls) == 4:
            raise SystemExit("killed")
        return store(**values)

    monkeypatch.setattr(ingest_items, "store_blob_file", dies)
    with pytest.raises(SystemExit):
        run_pending(queues=["cpu"])
    assert 0 < Item.objects.count() < 4
    monkeypatch.undo()
    Job.objects.update(lease_until=timezone.now() - jobs.LEASE)
    run_pending(queues=["cpu"])
    assert Item.objects.count() == 4
    assert sorted(outcome(run).values()) == ["ignored", "stored", "stored", "stored", "stored"]


def test_a_run_can_be_cancelled_between_two_files_and_resumed(cast, folder, monkeypatch):
    for number in range(5):
        (folder / f"{number}.png").write_bytes(picture("PNG", number))
    monkeypatch.setattr("labelhub.jobs.registry.WRITE_EVERY_S", 0)
    run = ingest.start_ingest(
        project=cast.project, source="folder", location=str(folder), asked_by="user:1", is_trusted=True
    )
    make = ingest_items.create_item

    def somebody_cancels(**values):
        ingest.cancel_ingest(run=IngestRun.objects.get(pk=run.pk), asked_by="user:1")
        return make(**values)

    monkeypatch.setattr(ingest_items, "create_item", somebody_cancels)
    run_pending(queues=["cpu"])
    monkeypatch.setattr(ingest_items, "create_item", make)
    assert Job.objects.get().state == "cancelled"
    assert Item.objects.count() == 1
    run.refresh_from_db()
    assert run.finished_at is None
    ingest.resume_ingest(run=run, asked_by="user:1")
    run_pending(queues=["cpu"])
    assert Item.objects.count() == 5
    run.refresh_from_db()
    with pytest.raises(CatalogProblem, match="finished"):
        ingest.resume_ingest(run=run, asked_by="user:1")
    with pytest.raises(CatalogProblem, match="not running"):
        ingest.cancel_ingest(run=run, asked_by="user:1")


def test_starting_twice_is_one_job(cast, folder):
    (folder / "a.png").write_bytes(picture("PNG"))
    run = ingest.start_ingest(
        project=cast.project, source="folder", location=str(folder), asked_by="user:1", is_trusted=True
    )
    ingest.resume_ingest(run=run, asked_by="user:1")
    assert Job.objects.count() == 1


def test_an_empty_folder_is_no_error(cast, folder):
    run = bring(cast, folder)
    assert outcome(run) == {}
    assert Job.objects.get().state == "done"


def test_a_folder_that_went_away_is_said_once_and_not_tried_again(cast, folder):
    run = ingest.start_ingest(
        project=cast.project, source="folder", location=str(folder), asked_by="user:1", is_trusted=True
    )
    folder.rmdir()
    run_pending(queues=["cpu"])
    job = Job.objects.get(pk=run.job_id)
    assert (job.state, job.attempt) == ("failed", 1)
    assert "not there any more" in job.error


def test_over_the_web_only_allowed_folders_may_be_read_in_place(cast, folder, settings, tmp_path):
    import dataclasses

    def start(place):
        return ingest.start_ingest(project=cast.project, source="folder", location=str(place), asked_by="user:1")

    for place in (folder, "relative/path", "/etc", "\x00"):
        with pytest.raises(PlaceRefused):
            start(place)
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, in_place_roots=(folder,))
    assert start(folder).location == str(folder)
    (folder / "link").symlink_to(tmp_path)
    for place in (folder / "..", folder / "link", folder / "missing"):
        with pytest.raises(PlaceRefused):
            start(place)


def test_links_that_lead_out_of_the_folder_are_passed_over(cast, folder, tmp_path):
    (tmp_path / "secret.png").write_bytes(picture("PNG"))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "a.png").write_bytes(picture("PNG", 2))
    assert outcome(bring(cast, folder)) == {"a.png": "stored"}


def test_nothing_is_left_in_the_work_folder(cast, folder, settings):
    (folder / "a.png").write_bytes(picture("PNG"))
    bring(cast, folder)
    assert not any((settings.ENVIRONMENT.var / "work").iterdir())


def _send(run: IngestRun, name: str, content: bytes) -> None:
    for offset in range(0, max(len(content), 1), 100):
        uploads.receive_piece(
            run=run, name=name, offset=offset, total=len(content), piece=content[offset : offset + 100]
        )


def test_an_upload_arrives_in_pieces_and_its_files_are_ingested(cast):
    run = uploads.open_upload(project=cast.project, options={"subject_from": "folder"}, asked_by="user:1")
    _send(run, "patient 1/a.png", picture("PNG", 1))
    _send(run, "patient 2/b.png", picture("PNG", 2))
    ingest.start_upload(run=run, asked_by="user:1")
    run_pending(queues=["cpu"])
    assert outcome(run) == {"patient 1/a.png": "stored", "patient 2/b.png": "stored"}
    assert Subject.objects.count() == 2
    assert not uploads.upload_folder(run).exists()
    with pytest.raises(CatalogProblem, match="closed"):
        _send(run, "late.png", b"x")


def test_a_sender_that_lost_its_place_is_told_where_to_go_on(cast):
    run = uploads.open_upload(project=cast.project, options={}, asked_by="user:1")
    assert uploads.receive_piece(run=run, name="a", offset=0, total=10, piece=b"12345") == 5
    with pytest.raises(uploads.UploadOutOfStep) as told:
        uploads.receive_piece(run=run, name="a", offset=0, total=10, piece=b"12345")
    assert told.value.held == 5
    assert uploads.receive_piece(run=run, name="a", offset=5, total=10, piece=b"67890") == 10
    with pytest.raises(CatalogProblem, match="More bytes"):
        uploads.receive_piece(run=run, name="b", offset=0, total=3, piece=b"1234")
    with pytest.raises(CatalogProblem, match="same path"):
        uploads.receive_piece(run=run, name="b", offset=0, total=4, piece=b"1234")


@pytest.mark.parametrize(
    "name", ["../a.png", "/etc/passwd", "a\x00b", "", "..\\..\\a", "a/../../b", "con.png", "x" * 2000]
)
def test_a_name_from_outside_is_never_a_path(cast, name):
    run = uploads.open_upload(project=cast.project, options={}, asked_by="user:1")
    with pytest.raises(CatalogProblem, match="name of this file"):
        uploads.receive_piece(run=run, name=name, offset=0, total=1, piece=b"x")
    assert not list(uploads.upload_folder(run).iterdir())


def test_a_file_that_arrived_in_part_is_refused_and_the_rest_goes_on(cast):
    run = uploads.open_upload(project=cast.project, options={}, asked_by="user:1")
    _send(run, "a.png", picture("PNG"))
    uploads.receive_piece(run=run, name="b.png", offset=0, total=1000, piece=b"12345")
    ingest.start_upload(run=run, asked_by="user:1")
    run_pending(queues=["cpu"])
    assert outcome(run) == {"a.png": "stored", "b.png": "refused"}
    assert "5 of 1000 bytes" in _message(run, "b.png")


def test_an_upload_without_files_is_not_started(cast):
    run = uploads.open_upload(project=cast.project, options={}, asked_by="user:1")
    with pytest.raises(CatalogProblem, match="Nothing was uploaded"):
        ingest.start_upload(run=run, asked_by="user:1")


def test_a_full_disk_is_said_before_it_is_full(cast, monkeypatch):
    import shutil
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(100, 99, 1))
    run = uploads.open_upload(project=cast.project, options={}, asked_by="user:1")
    with pytest.raises(CatalogProblem, match="almost full"):
        uploads.receive_piece(run=run, name="a", offset=0, total=1, piece=b"x")


def test_the_command_reads_any_folder_of_its_machine_and_lists_failures(cast, folder, capsys):
    from django.core.management import call_command

    (folder / "a.png").write_bytes(picture("PNG"))
    (folder / "b.png").write_bytes(b"no picture")
    call_command("ingest", cast.project.slug, str(folder))
    told = capsys.readouterr().out
    assert "1 items from 1 files" in told
    assert "b.png" in told
    assert Job.objects.get().state == "done"


def test_the_command_goes_on_where_it_was_stopped(cast, folder, monkeypatch):
    from django.core.management import CommandError, call_command

    for number in range(3):
        (folder / f"{number}.png").write_bytes(picture("PNG", number))
    make = ingest_items.create_item

    def interrupted(**values):
        monkeypatch.setattr(ingest_items, "create_item", make)
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest_items, "create_item", interrupted)
    with pytest.raises(CommandError, match="goes on from there"):
        call_command("ingest", cast.project.slug, str(folder))
    assert Job.objects.get().state == "cancelled"
    call_command("ingest", cast.project.slug, str(folder))
    assert IngestRun.objects.count() == 1
    assert Item.objects.count() == 3


def test_the_command_says_what_is_wrong(cast, folder):
    from django.core.management import CommandError, call_command

    with pytest.raises(CommandError, match="There are: cells, elsewhere"):
        call_command("ingest", "nothing", str(folder))
    with pytest.raises(CommandError, match="nothing at this place"):
        call_command("ingest", cast.project.slug, str(folder / "missing"))


@pytest.mark.parametrize("together", [5000, 1])
def test_a_series_may_be_spread_over_folders_unless_there_are_too_many_files(cast, folder, monkeypatch, together):
    from labelhub.catalog import ingest_walk

    monkeypatch.setattr(ingest_walk, "SORTED_TOGETHER", together)
    series(folder / "all", n=4)
    for number, path in enumerate(sorted((folder / "all").iterdir())):
        (folder / f"part{number % 2}").mkdir(exist_ok=True)
        path.rename(folder / f"part{number % 2}" / path.name)
    run = bring(cast, folder)
    assert set(outcome(run).values()) == {"stored"}
    assert [medium.size_z for medium in Medium.objects.all()] == ([4] if together == 5000 else [2, 2])


def test_a_picture_too_large_to_be_sent_whole_is_refused(cast, folder, monkeypatch):
    from labelhub.catalog import ingest_walk

    monkeypatch.setattr(ingest_walk, "LARGEST_SLICE_BYTES", 1000)
    (folder / "a.png").write_bytes(picture("PNG"))
    run = bring(cast, folder)
    assert "larger than" in _message(run, "a.png")
    assert not Blob.objects.exists()


def test_a_finished_upload_started_again_is_the_same_upload_and_an_abandoned_one_stays_so(cast):
    run = uploads.open_upload(project=cast.project, options={}, asked_by="user:1")
    _send(run, "a.png", picture("PNG"))
    ingest.start_upload(run=run, asked_by="user:1")
    run_pending(queues=["cpu"])
    run.refresh_from_db()
    assert ingest.start_upload(run=run, asked_by="user:1").job_id == run.job_id
    assert Job.objects.count() == 1
    other = uploads.open_upload(project=cast.project, options={}, asked_by="user:1")
    _send(other, "a.png", picture("PNG"))
    uploads.abandon_upload(run=other, asked_by="user:1")
    other.refresh_from_db()
    with pytest.raises(CatalogProblem, match="given up"):
        ingest.start_upload(run=other, asked_by="user:1")
