"""CVAT in and out: real files, tracks, masks, who drew what, refusals, and what comes back from written files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.formats.cvat import read_cvat
from labelhub.formats.cvat_writing import cvat_losses, write_cvat
from labelhub.formats.shapes import (
    AnnotationSet,
    FormatError,
    Grid,
    ItemRecord,
    MaskRegion,
    QuestionSpec,
    Reading,
    Region,
    Shape,
)
from tests.formats.comparing import assert_same_readings
from tests.realdata import real

LABELS = (
    "<labels><label><name>car</name><attributes><attribute><name>sure</name><input_type>checkbox</input_type></attribute>"
    "<attribute><name>wheels</name><input_type>number</input_type></attribute>"
    "<attribute><name>paint</name><input_type>select</input_type><values>red\nblue</values></attribute></attributes></label></labels>"
)
ASSIGNEE = "<assignee><username>ann</username></assignee>"


def images(marks: str, *, more: str = "", assignee: str = ASSIGNEE) -> bytes:
    return (
        f"<annotations><version>1.1</version><meta><task><id>1</id>{LABELS}{assignee}</task></meta>"
        f'<image id="0" name="a.png" width="30" height="20">{marks}</image>{more}</annotations>'
    ).encode()


def video(tracks: str) -> bytes:
    return (
        "<annotations><version>1.1</version><meta><task><id>1</id><name>v</name><start_frame>0</start_frame><stop_frame>9</stop_frame>"
        f"{LABELS}{ASSIGNEE}<original_size><width>30</width><height>20</height></original_size></task></meta>{tracks}</annotations>"
    ).encode()


BOX = '<box label="car" xtl="1" ytl="2" xbr="4" ybr="6"/>'


def read(data: bytes, **options) -> AnnotationSet:
    return read_cvat({"a.xml": data}, **options)


def shapes(data: bytes) -> tuple[Shape, ...]:
    return read(data).readings[0].shapes


def test_real_images_of_a_project_are_kept_apart_by_subset():
    path = real("formats", "datumaro", "cvat_dataset", "for_images", "export_project", "annotations.xml")
    got = read_cvat({"p.xml": path.read_bytes()}, raters={"p.xml": "ann"})
    assert [item.key for item in got.items] == [
        f"{s}/img{n}.jpg" for s in ("Test", "Train", "Validation") for n in (0, 1)
    ]
    box, line = got.readings[0].shapes
    assert box.attributes == {"occluded": True, "a1": True, "a2": "v3", "a3": "0003", "a4": 2.4}
    assert box.regions[0].points.tolist() == [[0, 2], [4, 4]]
    assert line.regions[0].kind == "polyline"
    assert QuestionSpec("a4", "interval", (), on_shapes=True) in got.questions
    assert {"drawing order"} == {loss.what for loss in got.losses}


def test_an_owner_is_no_rater():
    path = real("formats", "datumaro", "cvat_dataset", "for_images", "export_project", "annotations.xml")
    got = read_cvat({"p.xml": path.read_bytes()})
    assert not got.readings
    assert "Who drew this" in got.problems[0].message


def test_a_real_mark_without_a_declared_label_is_refused():
    path = real("formats", "datumaro", "cvat_dataset", "for_images", "export_task", "train.xml")
    got = read_cvat({"t.xml": path.read_bytes()}, raters={"t.xml": "ann"})
    assert [len(reading.shapes) for reading in got.readings] == [1, 1]
    assert len(got.problems) == 2


def test_a_real_video_is_one_item_with_frames_as_planes():
    path = real("formats", "datumaro", "cvat_dataset", "for_video", "annotations.xml")
    got = read_cvat({"v.xml": path.read_bytes()}, raters={"v.xml": "ann"})
    assert [item.key for item in got.items] == ["t.mp4"]
    assert got.items[0].grids[0].size == (20, 20, 25)
    box, points, line = got.readings[0].shapes
    assert [region.z for region in box.regions] == [10]
    assert points.attributes == {"hgl": "hgkf"}
    assert [region.z for region in line.regions] == [13]


def test_missing_frames_of_a_track_lie_on_straight_lines():
    track = (
        '<track id="0" label="car"><box frame="0" outside="0" keyframe="1" xtl="0" ytl="0" xbr="4" ybr="4"/>'
        '<box frame="4" outside="0" keyframe="1" xtl="8" ytl="0" xbr="12" ybr="4" rotation="20"/>'
        '<box frame="6" outside="1" keyframe="1" xtl="8" ytl="0" xbr="12" ybr="4"/></track>'
    )
    regions = shapes(video(track))[0].regions
    assert [region.z for region in regions] == [0, 1, 2, 3, 4, 5]
    assert [region.points[0, 0] for region in regions] == [0, 2, 4, 6, 8, 8]
    assert [region.rotation_deg for region in regions] == [0, 5, 10, 15, 20, 20]


def test_a_track_stays_to_the_end_of_the_task():
    track = '<track id="0" label="car"><points frame="7" outside="0" keyframe="1" points="1,2"/></track>'
    assert [region.z for region in shapes(video(track))[0].regions] == [7, 8, 9]


def test_each_kind_of_mark_is_read():
    marks = (
        '<box label="car" xtl="1" ytl="2" xbr="4" ybr="6" rotation="30"/><polygon label="car" points="0,0;4,0;4,4"/>'
        '<polyline label="car" points="0,0;4,0"/><points label="car" points="1.5,2.5"/>'
        '<ellipse label="car" cx="5" cy="6" rx="2" ry="1"/>'
        '<mask label="car" rle="1, 2, 3" left="4" top="5" width="3" height="2"/><tag label="car"/>'
    )
    got = read(images(marks)).readings[0]
    assert [s.regions[0].kind for s in got.shapes[:5]] == ["box", "polygon", "polyline", "points", "ellipse"]
    assert got.shapes[0].regions[0].rotation_deg == 30
    mask = got.shapes[5].mask
    assert mask is not None
    assert (mask.origin, mask.voxels.tolist()) == ((0, 5, 5), [[[True, True]]])
    assert got.answers == {"tag": "car"}


def test_attributes_have_the_types_that_their_label_declares():
    mark = (
        '<box label="car" xtl="1" ytl="2" xbr="4" ybr="6"><attribute name="sure">true</attribute>'
        '<attribute name="wheels">4</attribute><attribute name="paint">red</attribute></box>'
    )
    got = read(images(mark))
    assert got.readings[0].shapes[0].attributes == {"sure": True, "wheels": 4.0, "paint": "red"}
    assert QuestionSpec("paint", "nominal", ("red", "blue"), on_shapes=True) in got.questions
    wrong = read(images(mark.replace(">4<", ">nan<").replace('"paint"', '"colour"')))
    assert wrong.readings[0].shapes[0].attributes == {"sure": True}
    assert len(wrong.problems) == 2


def test_an_image_without_marks_is_an_empty_read_unless_told_otherwise():
    assert [reading.is_empty_read for reading in read(images("")).readings] == [True]
    assert not read(images(""), empty_means="not-read").readings


def test_the_rater_is_the_assignee_else_the_owner_of_the_file():
    assert read(images(BOX)).readings[0].rater == "ann"
    assert read(images(BOX, assignee=""), raters={"a.xml": "ben"}).readings[0].rater == "ben"
    assert not read(images(BOX, assignee="")).readings


@pytest.mark.parametrize(
    "bad",
    [
        '<box label="car" xtl="1" ytl="2" xbr="0" ybr="6"/>',
        '<box label="car" xtl="nan" ytl="2" xbr="4" ybr="6"/>',
        '<box label="car" xtl="1e99" ytl="2" xbr="1e99" ybr="6"/>',
        '<box label="car" xtl="1"/>',
        '<box label="boat" xtl="1" ytl="2" xbr="4" ybr="6"/>',
        '<polygon label="car" points="0,0;4,0"/>',
        '<polygon label="car" points="0,0;4,0;x,1"/>',
        '<polygon label="car" points=""/>',
        '<ellipse label="car" cx="5" cy="6" rx="-2" ry="1"/>',
        '<mask label="car" rle="1, 2" left="4" top="5" width="3" height="2"/>',
        '<mask label="car" rle="6" left="4" top="5" width="99999999" height="99999999"/>',
        '<mask label="car" rle="-1, 7" left="4" top="5" width="3" height="2"/>',
    ],
)
def test_a_damaged_mark_is_listed_and_the_rest_is_read(bad):
    got = read(images(bad + BOX))
    assert len(got.readings[0].shapes) == 1
    assert len(got.problems) == 1
    assert got.problems[0].place.startswith("a.xml, image 0")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<annotations>",
        b"<annotations><version>2.0</version></annotations>",
        b"<html/>",
        b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;">]><annotations>&c;</annotations>',
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotations>&b;</annotations>',
        b"<annotations>" + b"<g>" * 10_000 + b"</g>" * 10_000 + b"</annotations>",
    ],
)
def test_a_broken_or_hostile_file_is_refused_and_the_others_are_read(data):
    with pytest.raises(FormatError, match=r"bad\.xml"):
        read_cvat({"bad.xml": data})
    assert len(read_cvat({"bad.xml": data, "good.xml": images(BOX)}).readings) == 1


def test_two_sizes_of_one_image_cannot_be_laid_over_each_other():
    other = images(BOX, assignee="<assignee>ben</assignee>").replace(b'width="30"', b'width="31"')
    got = read_cvat({"a.xml": images(BOX), "b.xml": other})
    assert [reading.rater for reading in got.readings] == ["ann"]
    assert "another size" in got.problems[0].message


numbers = st.floats(0, 50, allow_nan=False, width=32)
pairs = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=5).map(lambda p: np.array(p, dtype=np.float64))
turns = st.integers(0, 359).map(float)
regions = st.one_of(
    pairs.map(lambda p: (Region("polygon", p),)),
    pairs.map(lambda p: (Region("polyline", p),)),
    pairs.map(lambda p: (Region("points", p),)),
    st.tuples(numbers, numbers, turns).map(
        lambda b: (Region("box", np.array([b[:2], (b[0] + 3, b[1] + 4)]), rotation_deg=b[2]),)
    ),
    st.tuples(numbers, numbers, turns).map(
        lambda e: (Region("ellipse", np.array([e[:2], (3.0, 4.0)]), rotation_deg=e[2]),)
    ),
)
words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp", "Cn", "Co"]), min_size=1, max_size=5
)
attributes = st.fixed_dictionaries({}, optional={"sure": st.booleans(), "wheels": numbers, "note <&>": words})
marks = st.lists(st.tuples(words, regions, attributes), max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.tuples(st.sampled_from(["i&.png", "j"]), st.sampled_from(["ann", "b/e<n"])), marks, min_size=1)
)
def test_what_is_written_comes_back(drawn):
    readings = tuple(
        Reading(
            item,
            rater,
            tuple(
                Shape(str(n), label, where, attributes=given)
                for n, (label, where, given) in enumerate(given_marks, start=1)
            ),
            is_empty_read=not given_marks,
        )
        for (item, rater), given_marks in drawn.items()
    )
    items = tuple(ItemRecord(key, key, grids=(Grid((1, 60, 80)),)) for key in ("i&.png", "j"))
    original = AnnotationSet("made", items, readings)
    back = read_cvat(write_cvat(original).files)
    assert_same_readings(original, back)


def test_masks_come_back_and_every_loss_is_counted():
    square = np.array([[1, 1], [7, 1], [7, 7], [1, 7]], dtype=np.float64)
    drawn = (
        Shape(
            "1",
            "a",
            mask=MaskRegion(np.array([[[True, False], [True, True]]]), (0, 3, 4)),
            attributes={"k": ("x", "y")},
        ),
        Shape("2", "a", (Region("polygon", square), Region("polygon", square / 2, is_hole=True))),
        Shape(
            "3", "a", (Region("points", square, visibility=(2, 2, 1, 0)), Region("polygon", square, edge_excluded=True))
        ),
        Shape("4", "a", (Region("polygon", square, z=2),)),
    )
    item = ItemRecord("1", "1", "p", "patient", grids=(Grid((3, 10, 10), spacing_mm=(1, 1, 1)),))
    reading = Reading("1", "ann", drawn, {"tag": "a", "q": "x"}, read_kind="independent", version=2)
    original = AnnotationSet("made", (item,), (reading,))
    written = write_cvat(original)
    back = read_cvat(written.files).readings[0]
    assert [(s.mask is not None, len(s.regions)) for s in back.shapes] == [(True, 0), (True, 0), (False, 1), (False, 1)]
    assert back.shapes[0].mask is not None
    assert back.shapes[0].mask.voxels.tolist() == [[[True, False], [True, True]]]
    assert back.answers == {"tag": "a"}
    assert cvat_losses(original) == written.losses
    assert {loss.what for loss in written.losses} == {
        "spacing and position in the patient",
        "patients and other groups",
        "read kinds",
        "which version a read is",
        "attributes of several choices",
        "outlines with holes",
        "that an outline lies outside its object",
        "visibility of keypoints",
        "that pieces form one shape",
        "planes beyond the first",
        "shapes without geometry on the first plane",
        "answers",
    }
