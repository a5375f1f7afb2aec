"""What was refused is never taken for 'read, nothing found': a false negative that nobody would see."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest

from labelhub.formats.coco import read_coco
from labelhub.formats.cvat import read_cvat
from labelhub.formats.dicom_seg import read_dicom_seg
from labelhub.formats.label_maps import read_label_maps
from labelhub.formats.label_studio import read_label_studio
from labelhub.formats.lidc import read_lidc
from labelhub.formats.png_masks import read_png_masks
from labelhub.formats.raters_map import FileRaters
from labelhub.formats.shapes import AnnotationSet
from tests.formats.test_coco import coco, one
from tests.formats.test_cvat import BOX, images, video
from tests.formats.test_dicom_seg import sample, saved
from tests.formats.test_label_maps import label_map, moved, png
from tests.formats.test_label_studio import by, export, result
from tests.formats.test_lidc import SQUARE, message, nodule, outline, session

UNDECLARED = BOX.replace("car", "tram")


def read_items(found: AnnotationSet) -> list[tuple[str, str]]:
    """The items that count as read, and by whom."""
    return [(reading.item, reading.rater) for reading in found.readings]


def test_a_cvat_image_whose_only_box_has_an_undeclared_label_is_not_read():
    found = read_cvat({"a.xml": images(UNDECLARED)})
    assert read_items(found) == []
    assert [item.key for item in found.items] == ["a.png"]
    problem = found.problems[0]
    assert "a.xml" in problem.place
    assert "a.png" in problem.place
    assert "'tram'" in problem.message
    assert "not count as read" in "".join(loss.why for loss in found.losses)


def test_what_could_be_read_beside_it_stays():
    found = read_cvat({"a.xml": images(UNDECLARED + BOX)})
    assert [shape.label for shape in found.readings[0].shapes] == ["car"]
    assert not found.readings[0].is_empty_read
    assert found.losses == ()


@pytest.mark.parametrize(
    "mark",
    [
        '<box label="car" xtl="one" ytl="2" xbr="4" ybr="6"/>',
        '<skeleton label="car"><points label="car" points="1,2"/></skeleton>',
        '<tag label="tram"/>',
        '<polygon label="car" points=""/>',
    ],
)
def test_no_other_refused_mark_of_cvat_leaves_an_empty_read(mark):
    assert read_items(read_cvat({"a.xml": images(mark)})) == []


def test_an_image_of_cvat_without_any_mark_is_still_an_empty_read():
    assert read_cvat({"a.xml": images("")}).readings[0].is_empty_read


@pytest.mark.parametrize("label", ["car", "tram"])
def test_a_video_whose_only_track_was_refused_is_not_read(label):
    track = f'<track id="0" label="{label}"><box frame="1" xtl="x" ytl="1" xbr="3" ybr="3"/></track>'
    assert read_items(read_cvat({"v.xml": video(track)})) == []


@pytest.mark.parametrize(
    "annotation",
    [
        one(category_id=9, bbox=[1, 2, 3, 4], annotator=None),
        one(bbox=[1, 2, -3, 4], annotator=None),
        one(segmentation={"size": [20, 30], "counts": [1, 2]}, annotator=None),
        {"image_id": 1, "caption": "two cells"},
        {"image_id": 1, "segments_info": [{"id": 1, "category_id": 1}]},
    ],
)
def test_a_coco_image_whose_only_annotation_was_refused_is_not_read(annotation):
    found = read_coco({"a.json": coco([annotation])}, raters={"a.json": "ann"})
    assert read_items(found) == []
    assert len(found.items) == 1


def test_a_coco_annotation_refused_under_a_stated_empty_read_takes_it_back():
    stated = {"readings": [{"item": "a.png", "rater": "ann", "is_empty_read": True, "version": 1}]}
    found = read_coco({"a.json": coco([one(category_id=9, bbox=[1, 2, 3, 4])], labelhub=stated)})
    assert read_items(found) == []


def test_a_coco_file_that_is_cut_off_at_its_limit_makes_no_empty_reads(monkeypatch):
    monkeypatch.setattr("labelhub.formats.coco.MAX_SHAPES", 1)
    pictures = [{"id": n, "file_name": f"{n}.png", "height": 20, "width": 30} for n in (1, 2)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 3, 4]} for n in (1, 2)]
    found = read_coco({"a.json": coco(boxes, images=pictures)}, raters={"a.json": "ann"})
    assert read_items(found) == [("1.png", "ann")]


@pytest.mark.parametrize(
    "bad",
    [
        result(value={"x": "left", "y": 1, "width": 2, "height": 2, "rectanglelabels": ["cell"]}),
        {"id": "r", "type": "videorectangle", "from_name": "box", "value": {}},
    ],
)
def test_an_annotation_of_label_studio_of_which_nothing_could_be_used_is_no_read(bad):
    found = read_label_studio({"e.json": export(by("ann", bad))})
    assert read_items(found) == []
    assert "nothing" in " ".join(problem.message.lower() for problem in found.problems)


def test_a_lidc_session_whose_only_mark_was_refused_is_not_read_and_the_others_keep_their_numbers():
    refused = session(nodule(outline(1.0, [])))
    found = read_lidc({"s.xml": message(refused + session() + session(nodule(outline(1.0, SQUARE))))})
    assert [(reading.rater, reading.is_empty_read) for reading in found.readings] == [("2", True), ("3", False)]


def test_a_label_map_with_a_refused_layer_is_not_an_empty_read():
    told = FileRaters({}, {})
    files = {
        "ann/a.nii.gz": label_map(*[0] * 24), "ann/a.layer2.nii.gz": b"damaged",
        "ben/a.nii.gz": label_map(1, *[0] * 23), "ben/b.nii.gz": label_map(*[0] * 24), "ann/b.nii.gz": b"damaged",
        "cyd/b.nii.gz": label_map(1, *[0] * 23, grid=moved(5)),
    }  # fmt: skip
    found = read_label_maps(files, told=told, layout="rater/item")
    assert sorted(read_items(found)) == [("a", "ben"), ("b", "ben")]


def test_a_picture_with_a_refused_layer_is_not_an_empty_read():
    files = {
        "ann/a.png": png(np.zeros((4, 4), dtype=np.uint8)), "ann/a.layer2.png": b"damaged",
        "ben/a.png": png(np.eye(4, dtype=np.uint8)),
    }  # fmt: skip
    found = read_png_masks(files, layout="rater/item")
    assert read_items(found) == [("a", "ben")]


def test_a_segmentation_whose_only_segment_is_undeclared_is_not_read():
    name, data = next(iter(sample("dcmjs", "tumor_User1_Manual_Trial1.dcm").items()))
    dataset = pydicom.dcmread(io.BytesIO(data))
    for segment in dataset.SegmentSequence:
        segment.SegmentNumber = int(segment.SegmentNumber) + 40
    found = read_dicom_seg({name: saved(dataset)}, raters={name: "ann"})
    assert read_items(found) == []
    assert any("segment" in problem.message for problem in found.problems)
