"""What a release carries beside its labels: where each region comes from, what is ignored, and on request every read.

Planted once and seen to fail: a release whose manifest does not fix its reads (a read that came later was in the rebuilt
file), PNG masks that draw a class over what is ignored, reads under the raters' names.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import datetime

import nibabel
import numpy as np
import pytest
from PIL import Image

from labelhub.audit.models import Event
from labelhub.catalog.models import Item
from labelhub.exports import services
from labelhub.exports.files import class_values
from labelhub.exports.models import Release
from labelhub.exports.services import ReleaseRefused
from labelhub.formats.shapes import Reading
from labelhub.jobs.worker import run_pending
from labelhub.projects.services import imported_labeler
from labelhub.scoring.reads import reads_of
from labelhub.workflow import distribution, lifecycle
from tests.cast import Cast
from tests.exports.test_release import ALIKE, SQUARE, content, released, settled_item
from tests.workflow.walking import add_item, draw, labeler, set_policy, square_reading, store, submit, take

pytestmark = pytest.mark.django_db


def with_reads(cast: Cast, formats=("coco", "csv", "nifti", "png")) -> Release:
    release = lifecycle.release(project=cast.project, formats=formats, note="", by=cast.ada, with_reads=True)
    run_pending(queues=["cpu"])
    return Release.objects.get(pk=release.pk)


def provenance(cast: Cast) -> list[dict]:
    return json.loads(content(cast, "provenance.json"))["settlements"]


def test_a_label_says_of_each_region_who_or_what_decided_it(cast: Cast):
    set_policy(cast)
    voted, chosen, partly = (settled_item(cast, seed=number) for number in range(3))
    reading = reads_of(chosen).current[0]
    lifecycle.settle(item=chosen, by=cast.rita, reason="The edge is right.", submission=reading)
    theirs = reads_of(partly).current[1]
    shape = theirs.annotations.get()
    lifecycle.declare_ambiguous(
        item=partly, by=cast.rita, reason="Nobody can tell.", submission=theirs, shapes=[shape.shape_id]
    )
    released(cast)
    by_item = {entry["item"]: entry for entry in provenance(cast)}
    [row] = by_item[voted.code]["regions"]
    assert (row["region"], row["how"], row["decided_by"], row["submission"]) == ("item", "method", None, None)
    [row] = by_item[chosen.code]["regions"]
    assert (row["how"], row["decided_by"], row["submission"]) == ("reading", f"reviewer-{cast.rita.pk}", reading.pk)
    assert (row["labeler"], row["why"]) == (f"labeler-{reading.assignment.labeler_id}", "The edge is right.")
    assert datetime.fromisoformat(row["at"]).tzinfo is not None
    whole, ignored = by_item[partly.code]["regions"]
    assert (whole["region"], whole["how"]) == ("item", "reading")
    assert (ignored["region"], ignored["how"], ignored["label"]) == (f"shape:{shape.shape_id}", "ambiguous", "nucleus")
    assert by_item[voted.code]["confidence"] == 1.0
    assert by_item[voted.code]["shapes"][0]["votes"] == 2


def test_what_is_ambiguous_is_an_ignore_region_in_every_format(cast: Cast):
    set_policy(cast)
    item = add_item(cast.project)
    # Two squares that overlap: the second one is nobody's to call.
    for user in (cast.ann, cast.ben):
        store(cast, item, user, SQUARE, (20, 20, 20))
    theirs = reads_of(item).current[0]
    ignored = theirs.annotations.order_by("pk")[1]
    lifecycle.declare_ambiguous(
        item=item, by=cast.rita, reason="Unclear.", submission=theirs, shapes=[ignored.shape_id]
    )
    release = released(cast)
    manifest = json.loads(content(cast, "manifest.json"))
    assert set(manifest["ignore"]) == {"class", "coco", "nifti", "png"}
    coco = json.loads(content(cast, "coco.json"))
    names = {entry["id"]: entry["name"] for entry in coco["categories"]}
    assert {(names[a["category_id"]], a["iscrowd"]) for a in coco["annotations"]} == {("nucleus", 0), ("ignore", 1)}
    nifti, labels = _nifti(cast)
    assert labels["255"] == "ignore"
    number = next(int(key) for key, label in labels.items() if label == "nucleus")
    assert (nifti[0, 30, 30], nifti[0, 12, 12]) == (255, number), "ignored lies over the class"
    picture, indices = _png(cast)
    assert indices["255"] == "ignore"
    assert (picture[25, 25], picture[12, 12]) == (255, number)
    assert services.rebuild(release) == {entry["name"]: entry["sha256"] for entry in manifest["files"]}


def test_very_many_classes_leave_the_ignore_value_free():
    """The value of what is ignored is never a class's: 255 up to 254 classes, 65535 beyond."""
    for n in (1, 254, 255, 300):
        values = class_values([*(f"c{k}" for k in range(n)), "ignore"])
        assert values["ignore"] == (255 if n <= 254 else 65_535)
        assert len(set(values.values())) == n + 1


def test_every_read_is_carried_on_request_and_under_numbers_alone(cast: Cast):
    set_policy(cast)
    item = settled_item(cast, subject="Jane Doe")
    outside = imported_labeler(project=cast.project, source_key="Dr Brown", name="Dr Brown")
    lifecycle.record_reading(item=item, labeler=outside, reading=square_reading(item, "Dr Brown", ALIKE))
    store(cast, item, cast.ann, (40, 40, 10), read_kind="repeat", planned_blind=False)
    release = with_reads(cast)
    manifest = json.loads(content(cast, "manifest.json"))
    assert [(entry["read_kind"], entry["as"]) for entry in manifest["reads"]] == [
        ("independent", 1), ("independent", 1), ("independent", 1), ("repeat", 2),
    ]  # fmt: skip
    names = {entry["name"] for entry in manifest["files"]}
    assert {"reads-coco.json", "reads-nifti.zip", "reads-png.zip"} <= names
    assert "reads-scores.csv" not in names
    coco = json.loads(content(cast, "reads-coco.json"))
    readings = {(entry["rater"], entry.get("version", 1)) for entry in coco["labelhub"]["readings"]}
    assert readings == {(entry["labeler"], entry["as"]) for entry in manifest["reads"]}
    with zipfile.ZipFile(io.BytesIO(content(cast, "reads-nifti.zip"))) as archive:
        assert sum(name.endswith(".nii.gz") for name in archive.namelist()) == 4
    for name in names - {"scores.csv"}:
        data = content(cast, name)
        parts = [data]
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                parts = [*(archive.read(one) for one in archive.namelist()), "\n".join(archive.namelist()).encode()]
        assert not any(word in part for part in parts for word in (b"Brown", b"Jane", b"Ann", b"Ben")), name
    assert services.rebuild(release) == {entry["name"]: entry["sha256"] for entry in manifest["files"]}


def test_a_release_with_all_reads_never_changes_though_more_are_made(cast: Cast):
    set_policy(cast)
    item = settled_item(cast)
    release = with_reads(cast)
    manifest = json.loads(content(cast, "manifest.json"))
    store(cast, item, cast.rita, ALIKE, planned_blind=False)
    lifecycle.settle(item=item, by=cast.ada, reason="again", submission=reads_of(item).current[0])
    assert services.rebuild(release) == {entry["name"]: entry["sha256"] for entry in manifest["files"]}
    assert Event.objects.get(kind="release.started").facts["reads"] == 2


def test_a_release_of_the_first_manifest_version_comes_out_as_it_did(cast: Cast):
    """Its manifest says nothing of ignore regions or provenance, so its files have neither; the class keeps its number."""
    set_policy(cast)
    item = settled_item(cast)
    lifecycle.declare_ambiguous(item=item, by=cast.rita, reason="Unclear.")
    release = released(cast)
    first = {key: value for key, value in release.manifest.items() if key not in ("ignore", "reads", "files")}
    old = Release(project=cast.project, number=9, formats=["coco", "nifti"], manifest=first | {"manifest_version": "1"})
    assert set(services.rebuild(old)) == {"coco.json", "nifti.zip"}
    assert class_values(["nucleus", "ignore"], is_first_version=True) == {"nucleus": 1, "ignore": 2}


def test_reads_without_a_format_that_holds_shapes_are_refused(cast: Cast):
    set_policy(cast)
    settled_item(cast)
    with pytest.raises(ReleaseRefused) as refusal:
        lifecycle.release(project=cast.project, formats=["csv"], note="", by=cast.ada, with_reads=True)
    assert refusal.value.code == "reads-need-shapes"
    assert not Release.objects.exists()


def test_the_page_and_the_interface_for_machines_start_a_release_with_reads(cast: Cast, client):
    set_policy(cast)
    item = settled_item(cast)
    assert Item.objects.get(pk=item.pk).state == "settled"
    client.force_login(cast.ada)
    assert client.post("/manage/cells/releases/", {"formats": ["png"], "reads": "1"}).status_code == 302
    assert "reads" in Release.objects.get(number=1).manifest
    body = {"formats": ["coco"], "note": "for tests", "reads": True}
    answer = client.post("/api/v1/projects/cells/releases/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["with_reads"]) == (201, True)
    run_pending(queues=["cpu"])
    listed = client.get("/api/v1/projects/cells/releases/").json()
    assert [row["number"] for row in listed] == [2, 1]
    assert {"reads-coco.json", "manifest.json"} <= {file["name"] for file in listed[0]["files"]}
    assert b"with 2 reads" in client.get("/manage/cells/releases/").content
    client.force_login(cast.rita)
    assert client.post("/api/v1/projects/cells/releases/", body, content_type="application/json").status_code == 403
    assert client.get("/api/v1/projects/cells/releases/").status_code == 403


def _nifti(cast: Cast) -> tuple[np.ndarray, dict]:
    with zipfile.ZipFile(io.BytesIO(content(cast, "nifti.zip"))) as archive:
        name = next(one for one in archive.namelist() if one.endswith(".nii.gz") and ".layer" not in one)
        image = nibabel.Nifti1Image.from_bytes(gzip.decompress(archive.read(name)))
        return np.asarray(image.dataobj).T, json.loads(archive.read("labels.json"))


def _png(cast: Cast) -> tuple[np.ndarray, dict]:
    with zipfile.ZipFile(io.BytesIO(content(cast, "png.zip"))) as archive:
        name = next(one for one in archive.namelist() if one.startswith("palette/") and one.endswith(".png"))
        picture = np.asarray(Image.open(io.BytesIO(archive.read(name))))
        return picture, json.loads(archive.read("palette/labels.json"))


def test_a_reading_is_a_plain_reading(cast: Cast):
    """What is written of a read is the read: nothing of the shapes is lost on the way into the file."""
    set_policy(cast)
    settled_item(cast)
    with_reads(cast, formats=["coco"])
    from labelhub.formats.coco import read_coco

    back = read_coco({"coco.json": content(cast, "reads-coco.json")})
    assert not back.problems
    assert [(type(reading), [s.label for s in reading.shapes]) for reading in back.readings] == [
        (Reading, ["nucleus"])
    ] * 2


def test_a_reading_that_went_on_with_another_s_draft_names_both_authors(cast: Cast):
    set_policy(cast, readers=1)
    add_item(cast.project)
    mine = take(cast, cast.ann)
    draw(mine, cast.ann, SQUARE)
    distribution.hand_over(chosen=[mine], to=labeler(cast, cast.ben), by=cast.ada, reason="Ann is ill")
    item = submit(take(cast, cast.ben), cast.ben).assignment.item
    lifecycle.settle(item=item, by=cast.rita, reason="Right.", submission=reads_of(item).every[0])
    alone = settled_item(cast, seed=1)
    with_reads(cast)
    reads = json.loads(content(cast, "manifest.json"))["reads"]
    ann, ben = (f"labeler-{labeler(cast, user).pk}" for user in (cast.ann, cast.ben))
    assert [(row["labeler"], row["authors"]) for row in reads if row["item"] == item.code] == [(ben, [ann, ben])]
    assert all(row["authors"] == [row["labeler"]] for row in reads if row["item"] == alone.code)
