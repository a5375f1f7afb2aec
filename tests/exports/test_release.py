"""Releases: what is in them, that they come out again byte by byte, and what never is in them."""

from __future__ import annotations

import csv
import gc
import io
import json
import tracemalloc
import zipfile

import nibabel
import numpy as np
import pytest
from django.utils import timezone

from labelhub.audit.models import Event
from labelhub.catalog.blobs import read_blob
from labelhub.catalog.services import ItemIdentity, NewMedium, add_volume, create_item
from labelhub.exports import contents, files, services
from labelhub.exports.models import Release
from labelhub.exports.selectors import release_file, releases_of
from labelhub.formats.coco import read_coco
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Shape
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.workflow import lifecycle
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, read, set_policy, store

SQUARE, ALIKE = (10, 10, 20), (11, 10, 20)
ALL = ["coco", "csv", "nifti", "png"]


def settled_item(cast: Cast, **rest):
    item = add_item(cast.project, **rest)
    for user in (cast.ann, cast.ben):
        store(cast, item, user, SQUARE, answers={"quality": "good"})
    return item


def released(cast: Cast, formats=ALL, note: str = "") -> Release:
    release = lifecycle.release(project=cast.project, formats=formats, note=note, by=cast.ada)
    run_pending(queues=["cpu"])
    return Release.objects.get(pk=release.pk)


def content(cast: Cast, name: str, number: int = 1) -> bytes:
    return read_blob(release_file(cast.project, number, name).blob)


def test_a_release_names_each_settlement_and_the_hash_of_each_file(cast: Cast):
    set_policy(cast)
    items = [settled_item(cast, seed=number, subject="Jane Doe") for number in range(3)]
    release = released(cast, note="for the paper")
    assert Job.objects.get(pk=release.job_id).state == "done"
    manifest = json.loads(content(cast, "manifest.json"))
    assert [entry["item"] for entry in manifest["settlements"]] == [item.code for item in items]
    assert {entry["method"] for entry in manifest["settlements"]} == {"majority vote and object merge"}
    assert {entry["name"] for entry in manifest["files"]} == {
        "coco.json", "scores.csv", "nifti.zip", "png.zip", "provenance.json",
    }  # fmt: skip
    assert services.rebuild(release) == {entry["name"]: entry["sha256"] for entry in manifest["files"]}
    assert releases_of(cast.project).get() == release
    assert list(Event.objects.filter(kind__startswith="release.").values_list("kind", flat=True)) == [
        "release.started", "release.finished",
    ]  # fmt: skip


def test_a_finished_release_never_changes_though_the_project_goes_on(cast: Cast):
    set_policy(cast)
    item = settled_item(cast)
    first = released(cast)
    lifecycle.settle(item=item, by=cast.rita, reason="again", submission=_any_reading(item))
    settled_item(cast, seed=7)
    store(cast, item, cast.ada, SQUARE, planned_blind=False)
    assert services.build_release(release=first).sha256 == first.sha256
    manifest = json.loads(content(cast, "manifest.json"))
    assert services.rebuild(first) == {entry["name"]: entry["sha256"] for entry in manifest["files"]}
    second = released(cast)
    assert (second.number, len(second.manifest["settlements"])) == (2, 2)
    assert second.manifest["settlements"][0]["number"] == 2


def _any_reading(item):
    from labelhub.scoring.reads import reads_of

    return reads_of(item).current[0]


def test_coco_reads_back_as_what_was_settled(cast: Cast):
    set_policy(cast)
    item = settled_item(cast)
    released(cast)
    back = read_coco({"coco.json": content(cast, "coco.json")})
    assert not back.problems
    reading = back.readings[0]
    assert (reading.item, reading.rater, reading.answers) == (item.code, "settled", {"quality": "good"})
    assert [shape.label for shape in reading.shapes] == ["nucleus"]


def test_a_volume_comes_back_voxel_by_voxel_on_its_grid(cast: Cast):
    set_policy(cast)
    grid = Grid((3, 20, 24), (4.0, 0.5, 0.5), np.diag([0.5, 0.5, 4.0, 1.0]))
    item = add_volume(
        project=cast.project,
        pixels=np.zeros(grid.size, dtype=np.int16),
        grid=grid,
        identity=ItemIdentity(),
        value_meaning="hu",
    )
    voxels = np.zeros(grid.size, dtype=bool)
    voxels[1:, 4:12, 6:15] = True
    for user in (cast.ann, cast.ben):
        reading = Reading(
            item.code,
            user.username,
            (Shape("m", "lesion", (), MaskRegion(voxels)),),
            read_kind="independent",
            planned_blind=True,
        )
        lifecycle.record_reading(item=item, labeler=labeler(cast, user), reading=reading)
    released(cast)
    with zipfile.ZipFile(io.BytesIO(content(cast, "nifti.zip"))) as archive:
        name = next(entry for entry in archive.namelist() if entry.endswith(".nii.gz"))
        import gzip

        image = nibabel.Nifti1Image.from_bytes(gzip.decompress(archive.read(name)))
        labels = json.loads(archive.read("labels.json"))
    values = np.asarray(image.dataobj).T
    number = next(int(key) for key, label in labels.items() if label == "lesion")
    assert np.array_equal(values == number, voxels)
    assert np.allclose(image.affine, grid.affine)


def test_each_picture_of_an_item_is_an_entry_of_its_own(cast: Cast):
    set_policy(cast)
    media = [NewMedium(kind="photograph", grid=Grid((1, 32, 32))) for _ in range(2)]
    item = create_item(project=cast.project, media=media, identity=ItemIdentity())
    voxels = np.ones((1, 5, 5), dtype=bool)
    for user in (cast.ann, cast.ben):
        shapes = tuple(Shape(f"m{n}", "lesion", (), MaskRegion(voxels, (0, 3, n)), medium=n) for n in range(2))
        reading = Reading(item.code, user.username, shapes, read_kind="independent", planned_blind=True)
        lifecycle.record_reading(item=item, labeler=labeler(cast, user), reading=reading)
    released(cast)
    with zipfile.ZipFile(io.BytesIO(content(cast, "png.zip"))) as archive:
        names = [name for name in archive.namelist() if name.endswith("lesion.png")]
    assert sorted(part for name in names for part in name.split("/") if item.code in part) == [
        f"{item.code}-0",
        f"{item.code}-1",
    ]


def test_every_score_is_in_the_csv_and_no_name_of_anybody_or_any_file(cast: Cast):
    set_policy(cast)
    settled_item(cast, subject="Jane Doe", name="doe_jane_ct.png")
    read_by_one = add_item(cast.project)
    read(cast, cast.ann, SQUARE)
    released(cast)
    rows = list(csv.DictReader(io.StringIO(content(cast, "scores.csv").decode())))
    assert {row["about"] for row in rows} == {"pair", "item"}
    assert any(row["item"] == read_by_one.code and row["reason"] for row in rows), "undefined, with the reason"
    for file in Release.objects.get().files.all():
        for content_of in _contents(read_blob(file.blob)):
            for name in (b"Jane", b"doe_jane", b"task-", b"Ann", b"Ben"):
                assert name not in content_of, (file.name, name)


def _contents(data: bytes):
    yield data
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
            yield "\n".join(archive.namelist()).encode()


@pytest.mark.once
def test_archives_hold_a_few_items_in_memory_however_many_are_released(cast: Cast, monkeypatch):
    """The peak of writing 24 volumes is that of writing 6: each is written, and forgotten, alone."""
    set_policy(cast)
    side, depth = 96, 8
    grid = Grid((depth, side, side), (2.0, 1.0, 1.0))
    keys = [settled_volume(cast, grid, seed=number) for number in range(24)]
    monkeypatch.setattr(contents, "MOST_VOXELS", depth * side * side)

    def peak(n: int) -> int:
        manifest = {
            "as_of": timezone.now().isoformat(),
            "settlements": [{"settlement": key, "ontology": 1} for key in keys[:n]],
        }
        gc.collect()
        tracemalloc.start()
        for made in files.made_files(manifest, cast.project, ["nifti", "png"], None):
            assert len(zipfile.ZipFile(made.path).namelist()) > n
            made.path.unlink()
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(1)  # what is imported and cached once
    few, many = peak(6), peak(24)
    assert many < few * 1.25, (few, many)


def settled_volume(cast: Cast, grid: Grid, *, seed: int) -> int:
    """Settle a volume with a noisy mask, which no compression makes small; returns its settlement."""
    rng = np.random.default_rng(seed)
    item = add_volume(
        project=cast.project, pixels=rng.integers(0, 99, grid.size, dtype=np.int16), grid=grid,
        value_meaning="hu", window=(40.0, 400.0), identity=ItemIdentity(),
    )  # fmt: skip
    mask = MaskRegion(rng.random(grid.size) < 0.5)
    submission = lifecycle.record_reading(
        item=item, labeler=labeler(cast, cast.ann), is_routed=False,
        reading=Reading(item.code, "ann", (Shape("1", "nucleus", mask=mask),), read_kind="independent", planned_blind=True),
    )  # fmt: skip
    return lifecycle.settle(item=item, reason="Chosen.", by=cast.rita, submission=submission).pk
