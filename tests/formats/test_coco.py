"""COCO in and out: real samples, who drew what, refusals, and a round trip that keeps everything COCO can carry."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from labelhub.formats.coco import read_coco
from labelhub.formats.coco_writing import coco_losses, iter_coco, write_coco
from labelhub.formats.rle import LyingRunLengthsError, mask_from_counts, unpack_counts
from labelhub.formats.shapes import AnnotationSet, FormatError, Grid, ItemRecord, MaskRegion, Reading, Region, Shape
from tests.formats.comparing import assert_same_readings
from tests.realdata import real


def coco(annotations: list[dict], **more) -> bytes:
    base = {
        "images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 30}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": annotations,
    }
    return json.dumps({**base, **more}).encode()


def one(**fields) -> dict:
    return {"id": 1, "image_id": 1, "category_id": 1, "annotator": "ann", **fields}


BOX = one(bbox=[1, 2, 3, 4])


def real_file(name: str) -> bytes:
    return real("formats", "datumaro", "coco_dataset", "coco", "annotations", name).read_bytes()


def test_real_instances_hold_polygon_mask_and_attributes():
    read = read_coco({"v.json": real_file("instances_val.json")}, raters={"v.json": "ann"})
    polygon, mask = read.readings[0].shapes
    assert polygon.attributes == {"x": 1, "y": "hello"}
    assert polygon.regions[0].points.tolist() == [[0, 0], [1, 0], [1, 2], [0, 2]]
    assert mask.mask is not None
    assert (mask.mask.voxels.shape, mask.mask.origin, int(mask.mask.voxels.sum())) == ((1, 10, 2), (0, 0, 0), 20)
    assert mask.attributes["iscrowd"] == 1
    assert read.labels == ("a", "b", "c")
    assert read.items[0].grids[0].size == (1, 10, 5)


def test_real_keypoints_keep_their_visibility():
    read = read_coco({"k.json": real_file("person_keypoints_train.json")}, raters={"k.json": "ann"})
    points = [region for region in read.readings[0].shapes[0].regions if region.kind == "points"]
    assert points[0].visibility == (0, 1, 2)
    assert points[0].points.tolist() == [[0, 0], [0, 2], [4, 1]]


@pytest.mark.parametrize(
    ("name", "what"), [("panoptic_val.json", "panoptic segments"), ("captions_val.json", "captions")]
)
def test_real_panoptic_and_captions_are_counted_as_lost(name, what):
    read = read_coco({name: real_file(name)}, raters={name: "ann"})
    assert what in {loss.what for loss in read.losses}


def test_every_real_coco_sample_reads_without_a_crash():
    for path in sorted(real("formats", "datumaro", "coco_dataset").rglob("*.json")):
        read = read_coco({path.name: path.read_bytes()}, raters={path.name: "ann"})
        assert read.items


@pytest.mark.parametrize(
    "fields",
    [
        {"annotator": "ann"},
        {"annotator": None, "rater": "ann"},
        {"annotator": None, "attributes": {"annotator": "ann"}},
    ],
)
def test_the_rater_comes_from_the_annotation_or_its_attributes(fields):
    read = read_coco({"a.json": coco([{**BOX, **fields}])})
    assert read.readings[0].rater == "ann"
    assert read.readings[0].shapes[0].attributes == {}


def test_nobody_is_guessed():
    with_nobody = {**BOX, "id": 2, "annotator": None}
    read = read_coco({"a.json": coco([BOX, with_nobody])})
    assert len(read.readings[0].shapes) == 1
    assert "Who drew this" in read.problems[0].message
    assert "raters" in read.problems[0].remedy


def test_an_unknown_category_is_refused_by_name_and_the_rest_goes_on():
    read = read_coco({"a.json": coco([BOX, {**BOX, "id": 77, "category_id": 9}])})
    assert len(read.readings[0].shapes) == 1
    problem = read.problems[0]
    assert problem.place == "a.json, annotation 77"
    assert "category id 9" in problem.message
    assert "Add the category" in problem.remedy


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [20, 30], "counts": [10, 10]},
        {"size": [20, 30], "counts": [-1, 601]},
        {"size": [20, 30], "counts": [600.0]},
        {"size": [10**9, 10**9], "counts": [10**18]},
        {"size": [30, 20], "counts": [600]},
        {"size": [20, 30], "counts": "~~~~"},
        {"size": [20, 30], "counts": "l"},
        {"size": [20, 30], "counts": "oooooooooooooooooooooooooo"},
        {"size": "20x30", "counts": [600]},
        {"size": [20, 30]},
    ],
)
def test_a_mask_that_lies_about_its_size_is_refused(segmentation):
    read = read_coco({"a.json": coco([one(segmentation=segmentation), {**BOX, "id": 2}])})
    assert len(read.readings[0].shapes) == 1
    assert "run-length mask was refused" in read.problems[0].message


@pytest.mark.parametrize(
    "bad",
    [
        one(segmentation=[[1, 2, 3]]),
        one(segmentation=[[1, 2, 3, 4, 5, 1e300]]),
        one(segmentation=[["a", 2, 3, 4, 5, 6]]),
        one(bbox=[1, 2, 3]),
        one(bbox=[1, 2, -3, 4]),
        one(keypoints=[1, 2]),
        one(keypoints=[1, 2, 7]),
        one(bbox=[1, 2, 3, 4], image_id=5),
        one(bbox=[1, 2, 3, 4], image_id=[1]),
        one(bbox=[1, 2, 3, 4], category_id={"a": 1}),
        "text",
        None,
    ],
)
def test_a_damaged_annotation_is_listed_and_the_rest_is_read(bad):
    read = read_coco({"a.json": coco([bad, {**BOX, "id": 2}])})
    assert [shape.shape_id for shape in read.readings[0].shapes] == ["2"]
    assert len(read.problems) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"images": 3}',
        b'{"images": [',
        b'{"images": [{"id": NaN}]}',
        b'{"images": [{"id": 1e999}]}',
        b"[" * 100_000,
        b'{"images": [' + b"[" * 500 + b"]" * 500 + b"]}",
        b"\xff\xfe",
    ],
)
def test_a_file_that_is_no_coco_is_refused_with_its_name(data):
    with pytest.raises(FormatError) as refused:
        read_coco({"bad.json": data})
    assert refused.value.problem.place.startswith("bad.json")
    read = read_coco({"bad.json": data, "good.json": coco([BOX])})
    assert len(read.readings) == 1


def test_a_crossed_outline_is_kept_and_reported():
    read = read_coco({"a.json": coco([one(segmentation=[[0, 0, 4, 4, 4, 0, 0, 4]])])})
    assert len(read.readings[0].shapes) == 1
    assert "crosses itself" in read.problems[0].message


def test_an_image_without_annotations_is_an_empty_read_only_in_a_file_of_one_rater():
    images = [{"id": n, "file_name": f"{n}.png", "height": 20, "width": 30} for n in (1, 2)]
    drawn = {key: value for key, value in BOX.items() if key != "annotator"}
    by_file = read_coco({"ann.json": coco([drawn], images=images)}, raters={"ann.json": "ann"})
    assert [(r.item, r.is_empty_read) for r in by_file.readings] == [("1.png", False), ("2.png", True)]
    assert by_file.empty_means == "read-empty"
    by_field = read_coco({"all.json": coco([BOX], images=images)})
    assert [r.item for r in by_field.readings] == ["1.png"]
    assert by_field.empty_means == "not-read"
    told = read_coco({"a.json": coco([drawn], images=images)}, raters={"a.json": "ann"}, empty_means="not-read")
    assert [r.item for r in told.readings] == ["1.png"]


def test_two_sizes_of_one_image_cannot_be_laid_over_each_other():
    other = [{"id": 1, "file_name": "a.png", "height": 21, "width": 30}]
    read = read_coco({"a.json": coco([BOX]), "b.json": coco([{**BOX, "annotator": "ben"}], images=other)})
    assert [r.rater for r in read.readings] == ["ann"]
    assert "another size" in read.problems[0].message


masks_2d = st.integers(1, 12).flatmap(
    lambda h: st.integers(1, 12).flatmap(
        lambda w: st.lists(st.booleans(), min_size=h * w, max_size=h * w).map(lambda v: np.array(v).reshape(h, w))
    )
)


@given(masks_2d)
def test_packed_run_lengths_mean_what_pycocotools_means(mask):
    counts = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"].decode()
    assert np.array_equal(mask_from_counts(unpack_counts(counts), *mask.shape), mask)


@given(st.text(max_size=40))
def test_any_text_as_run_lengths_is_a_mask_or_a_refusal(text):
    try:
        mask_from_counts(unpack_counts(text), 7, 9)
    except LyingRunLengthsError:
        return


coordinates = st.floats(0, 30, allow_nan=False, width=32)
points = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=6).map(
    lambda p: np.array(p, dtype=np.float64)
)
polygons = points.map(lambda p: (Region("polygon", p),))
boxes = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9)).map(
    lambda b: (Region("box", np.array([[b[0], b[1]], [b[0] + b[2], b[1] + b[3]]], dtype=np.float64)),)
)
keypoints = points.map(lambda p: (Region("points", p, visibility=(2,) * len(p)),))
attributes = st.dictionaries(
    st.sampled_from(["grade", "sure", "note"]), st.one_of(st.integers(0, 5), st.booleans(), st.text(max_size=5))
)
shapes = st.lists(st.tuples(st.sampled_from("ab"), st.one_of(polygons, boxes, keypoints), attributes), max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.tuples(st.sampled_from(["i", "j"]), st.sampled_from(["ann", "ben"])), shapes, min_size=1))
def test_what_is_written_comes_back(drawn):
    readings = tuple(
        Reading(
            item,
            rater,
            tuple(Shape(str(n), label, regions, attributes=given) for n, (label, regions, given) in enumerate(marks)),
            is_empty_read=not marks,
        )
        for (item, rater), marks in drawn.items()
    )
    items = tuple(ItemRecord(key, key, grids=(Grid((1, 40, 40)),)) for key in ("i", "j"))
    original = AnnotationSet("made", items, readings, labels=("a", "b"))
    back = read_coco({"x.json": write_coco(original).content})
    assert_same_readings(original, back)


def volume_set() -> AnnotationSet:
    voxels = np.zeros((2, 3, 4), dtype=bool)
    voxels[0, 1, 1:3] = voxels[1, 0, 0] = voxels[1, 2, 3] = True
    ring = np.array([[0, 0], [6, 0], [6, 6], [0, 6]], dtype=np.float64)
    shapes = (
        Shape("m", "lesion", mask=MaskRegion(voxels, (3, 2, 1))),
        Shape(
            "p",
            "lesion",
            (Region("polygon", ring, z=2, edge_excluded=True), Region("polygon", ring + 1, z=3, edge_excluded=True)),
        ),
        Shape("l", "vessel", (Region("polyline", ring, z=1),)),
    )
    grid = Grid((6, 10, 12), spacing_mm=(3.0, 1.0, 1.0), affine=np.eye(4))
    item = ItemRecord("v", "v", group="p1", group_kind="patient", grids=(grid,))
    empty = Reading(
        "v", "ben", is_empty_read=True, read_kind="independent", planned_blind=True, answers={"q": ("a", "b")}
    )
    return AnnotationSet("made", (item,), (Reading("v", "ann", shapes), empty), labels=("lesion", "vessel"))


def test_a_volume_comes_back_whole_but_for_what_is_listed_as_lost():
    original = volume_set()
    written = write_coco(original)
    back = read_coco({"x.json": written.content})
    without_line = AnnotationSet(
        "made",
        original.items,
        (Reading("v", "ann", original.readings[0].shapes[:2]), original.readings[1]),
    )
    kept = [shape for shape in back.readings[0].shapes if shape.regions or shape.mask is not None]
    assert_same_readings(
        without_line, AnnotationSet("coco", back.items, (Reading("v", "ann", tuple(kept)), back.readings[1]))
    )
    assert back.items[0].grids[0].size == (6, 10, 12)
    assert back.items[0].grids[0].affine is None
    assert (back.items[0].group, back.items[0].group_kind) == ("p1", "patient")
    assert {loss.what for loss in written.losses} == {
        "open lines",
        "that an outline lies outside its object",
        "spacing and position in the patient",
        "planes of volumes in one piece",
        "answers, empty reads and read kinds",
    }


def test_writing_twice_gives_the_same_bytes_in_pieces_or_whole():
    original = volume_set()
    assert write_coco(original).content == b"".join(iter_coco(original)) == write_coco(volume_set()).content
    assert coco_losses(original) == write_coco(original).losses


def test_what_is_written_opens_in_pycocotools(tmp_path):
    from pycocotools.coco import COCO

    path = tmp_path / "x.json"
    path.write_bytes(write_coco(volume_set()).content)
    opened = COCO(str(path))
    areas = [
        int(opened.annToMask(annotation).sum())
        for annotation in opened.loadAnns(opened.getAnnIds())
        if annotation.get("segmentation")
    ]
    assert areas[:2] == [2, 2]


def test_a_hole_is_written_as_run_lengths_of_whole_pixels():
    ring = np.array([[0, 0], [6, 0], [6, 6], [0, 6]], dtype=np.float64)
    hole = np.array([[2, 2], [4, 2], [4, 4], [2, 4]], dtype=np.float64)
    shape = Shape("1", "a", (Region("polygon", ring), Region("polygon", hole, is_hole=True)))
    original = AnnotationSet(
        "made", (ItemRecord("i", "i", grids=(Grid((1, 8, 8)),)),), (Reading("i", "ann", (shape,)),)
    )
    written = write_coco(original)
    back = read_coco({"x.json": written.content}).readings[0].shapes[0]
    assert back.mask is not None
    assert int(back.mask.voxels.sum()) == 36 - 4
    assert "outlines with holes or beside a mask" in {loss.what for loss in written.losses}
