"""Label Studio in and out: real exports, answers and shapes, refusals, and what comes back from a written export."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.formats.label_studio import is_label_studio, read_label_studio
from labelhub.formats.label_studio_brush import brush_mask, packed_brush
from labelhub.formats.label_studio_writing import label_studio_losses, write_label_studio
from labelhub.formats.outlines import outline_of
from labelhub.formats.rle import LyingRunLengthsError
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


def result(kind: str = "rectanglelabels", value: dict | None = None, **fields) -> dict:
    value = value or {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["car"]}
    sizes = {"original_width": 200, "original_height": 100}
    return {"id": "r", "type": kind, "from_name": "f", "to_name": "i", **sizes, "value": value, **fields}


def export(*annotations: dict, **task) -> bytes:
    return json.dumps([{"id": 5, "data": {"image": "a.png"}, "annotations": list(annotations), **task}]).encode()


def by(rater, *results: dict, **fields) -> dict:
    return {"id": 1, "completed_by": rater, "result": list(results), "was_cancelled": False, **fields}


def read(*annotations: dict, **task) -> AnnotationSet:
    return read_label_studio({"e.json": export(*annotations, **task)})


def real_file(*parts: str) -> bytes:
    return real("formats", "label_studio", *parts).read_bytes()


def test_the_real_export_with_two_annotators_on_a_task_keeps_them_apart():
    got = read_label_studio({"data.json": real_file("test_export_yolo", "data.json")})
    raters = [reading.rater for reading in got.readings if reading.item == got.readings[0].item]
    assert len(set(raters)) == 2
    assert len(got.readings) == 3
    assert got.items[0].grids[0].size == (1, 2800, 2800)
    assert not got.problems


def test_real_shapes_become_pixels():
    got = read_label_studio({"d.json": real_file("test_export_coco", "data.json")}, raters={"d.json": "ann"})
    box, polygon, point, _ = got.readings[0].shapes
    assert np.allclose(box.regions[0].points[0], (159.709619, 13.163121))
    assert polygon.label == "polygon_label"
    assert polygon.regions[0].points.shape == (3, 2)
    assert point.regions[0].kind == "points"


def test_a_real_box_per_region_answer_becomes_an_attribute():
    got = read_label_studio({"d.json": real_file("test_export_json_min", "data_repeater.json")})
    shape = got.readings[0].shapes[0]
    assert shape.attributes == {"taxonomy_0": "Archaea"} or list(shape.attributes.values()) == ["Archaea"]


def test_every_real_export_reads_or_is_refused_with_its_name():
    for path in sorted(real("formats", "label_studio").rglob("*.json")):
        files = {path.name: path.read_bytes()}
        if is_label_studio(json.loads(files[path.name])):
            assert read_label_studio(files, raters={path.name: "ann"}).items
        else:
            with pytest.raises(FormatError, match=path.name):
                read_label_studio(files)


def test_a_real_skipped_annotation_is_not_a_read_and_nobody_is_guessed():
    data = real_file("test_export_doclang", "data.json")
    got = read_label_studio({"d.json": data})
    assert not got.readings
    assert "completed_by" in got.problems[0].message
    named = read_label_studio({"d.json": data}, raters={"d.json": "ann"})
    # The only result of the second task states no picture size, so nothing of it can be used: that is not a read.
    assert {reading.item for reading in named.readings} == {"1"}
    assert any("how many pixels" in problem.message for problem in named.problems)


def test_an_empty_result_is_an_empty_read_and_a_skipped_one_is_none():
    got = read(by("ann"), by("ben", was_cancelled=True), by({"id": 3, "email": "c@x.org"}, result()))
    assert [(r.rater, r.is_empty_read) for r in got.readings] == [("ann", True), ("c@x.org", False)]


def test_a_second_annotation_by_one_person_is_a_second_version():
    got = read(by("ann", result()), by("ann"))
    assert [(r.version, r.read_kind) for r in got.readings] == [(1, "unknown"), (2, "repeat")]


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (by("ann", result(), parent_annotation=9), "unblinded"),
        (by("ann", result(), parent_prediction=9), "assisted"),
        (by("ann", result(origin="prediction-changed")), "assisted"),
        (by("ann", result(origin="manual")), "unknown"),
    ],
)
def test_the_read_kind_is_what_the_export_shows(annotation, kind):
    assert read(annotation).readings[0].read_kind == kind


def test_a_box_turns_about_its_first_corner_and_an_ellipse_about_its_centre():
    turned = result(value={"x": 50, "y": 50, "width": 10, "height": 10, "rotation": 90, "rectanglelabels": ["car"]})
    corners = outline_of(read(by("ann", turned)).readings[0].shapes[0].regions[0])
    # 20 x 10 pixels at (100, 50), a quarter turn clockwise about (100, 50): x runs back, y runs down.
    assert {tuple(np.round(c, 6)) for c in corners} == {(100, 50), (100, 70), (90, 70), (90, 50)}
    ellipse = result(
        "ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 5, "rotation": 30, "ellipselabels": ["e"]}
    )
    region = read(by("ann", ellipse)).readings[0].shapes[0].regions[0]
    assert region.points.tolist() == [[100, 50], [20, 5]]


def test_answers_of_each_type_are_kept_with_their_measure():
    def answer(kind, value):
        return {"id": kind, "type": kind, "from_name": kind, "to_name": "i", "value": value}

    got = read(
        by(
            "ann",
            answer("choices", {"choices": ["yes"]}),
            answer("taxonomy", {"taxonomy": [["a", "b"], ["c"]]}),
            answer("rating", {"rating": 4}),
            answer("number", {"number": 2.5}),
            answer("textarea", {"text": ["one", "two"]}),
            answer("chatmessage", {"chatmessage": {}}),
        )
    )
    assert dict(got.readings[0].answers) == {
        "choices": "yes",
        "taxonomy": ("a > b", "c"),
        "rating": 4,
        "number": 2.5,
        "textarea": "one\ntwo",
    }
    assert {q.key: q.measure for q in got.questions} == {
        "choices": "nominal",
        "taxonomy": "nominal",
        "rating": "ordinal",
        "number": "interval",
    }
    assert {loss.what for loss in got.losses} == {"results of type chatmessage"}


def test_a_region_labelled_by_a_separate_control_gets_its_class():
    box = result("rectangle", {"x": 1, "y": 1, "width": 5, "height": 5})
    name = result("labels", {"x": 1, "y": 1, "width": 5, "height": 5, "labels": ["cat"]})
    assert read(by("ann", box, name)).readings[0].shapes[0].label == "cat"


def test_the_minimal_export_gives_shapes_and_says_what_it_cannot_tell():
    record = {
        "image": "a.png",
        "id": 7,
        "label": [result()["value"] | {"original_width": 200, "original_height": 100}],
        "sentiment": "good",
        "kinds": {"choices": ["x", "y"]},
        "annotator": 2,
        "annotation_id": 3,
    }
    data = json.dumps([record, {**record, "annotator": 4}]).encode()
    assert is_label_studio(json.loads(data))
    got = read_label_studio({"m.json": data})
    assert [r.rater for r in got.readings] == ["2", "4"]
    assert got.readings[0].shapes[0].label == "car"
    assert got.readings[0].answers == {"kinds": ("x", "y")}
    assert "column sentiment" in {loss.what for loss in got.losses}


@pytest.mark.parametrize(
    "bad",
    [
        result(value={"x": "1", "y": 2, "width": 3, "height": 4, "rectanglelabels": ["a"]}),
        result(value={"x": 1, "y": 2, "width": -3, "height": 4, "rectanglelabels": ["a"]}),
        result(value={"x": 1e200, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["a"]}),
        result("polygonlabels", {"points": [[1, 2], [3]], "polygonlabels": ["a"]}),
        result("brushlabels", {"format": "rle", "rle": [1, 2, 3], "brushlabels": ["a"]}),
        result(
            "brushlabels", {"format": "rle", "rle": packed_brush(np.ones((3, 3), dtype=bool)), "brushlabels": ["a"]}
        ),
        result("brushlabels", {"format": "rle", "rle": "text", "brushlabels": ["a"]}),
        result("brushlabels", {"format": "rle", "rle": [300], "brushlabels": ["a"]}),
        result(original_width=None),
        result(original_width=0),
        result(image_rotation=90),
    ],
)
def test_a_damaged_result_is_listed_and_the_rest_is_read(bad):
    got = read(by("ann", bad, result(id="good")))
    assert [shape.shape_id for shape in got.readings[0].shapes] == ["good"]
    assert len(got.problems) == 1
    assert got.problems[0].place.startswith("e.json, task 5, annotation 1, result")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"[1]", b'[{"id": NaN}]', b'{"data": {}}', b"\x00"])
def test_a_file_that_is_no_export_is_refused(data):
    with pytest.raises(FormatError):
        read_label_studio({"bad.json": data})


def test_two_exports_whose_task_numbers_collide_are_not_mixed():
    other = json.dumps([{"id": 5, "data": {"image": "b.png"}, "annotations": [by("ben", result())]}]).encode()
    got = read_label_studio({"a.json": export(by("ann", result())), "b.json": other})
    assert [r.rater for r in got.readings] == ["ann"]
    assert "other data" in got.problems[0].message
    named = read_label_studio({"a.json": export(by("ann", result())), "b.json": other}, item_field="image")
    assert {r.item for r in named.readings} == {"a.png", "b.png"}


masks = st.integers(1, 9).flatmap(
    lambda h: st.integers(1, 9).flatmap(
        lambda w: st.lists(st.booleans(), min_size=h * w, max_size=h * w).map(lambda v: np.array(v).reshape(h, w))
    )
)


@given(masks)
def test_a_brush_comes_back_as_it_was_packed(mask):
    back, partly = brush_mask(packed_brush(mask), *mask.shape)
    assert np.array_equal(back, mask)
    assert partly == 0


def test_a_literal_of_the_bit_stream_is_understood():
    # 4 bytes, words of 8 bits, widths 3 4 8 16; one literal of four words: the pixel (1, 2, 3, 255).
    bits = format(4, "032b") + "00111" + "0010" + "0011" + "0111" + "1111" + "0" + "00" + "011"
    bits += "".join(format(word, "08b") for word in (1, 2, 3, 255))
    stream = [int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8)]
    assert brush_mask(stream, 1, 1)[0].tolist() == [[True]]


@given(st.lists(st.integers(0, 255), max_size=40))
def test_any_bytes_as_a_brush_are_a_mask_or_a_refusal(stream):
    try:
        brush_mask(stream, 2, 3)
    except LyingRunLengthsError:
        return


numbers = st.floats(0, 50, allow_nan=False, width=32)
pairs = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=5).map(lambda p: np.array(p, dtype=np.float64))
sizes = st.tuples(st.floats(1, 9), st.floats(1, 9))
regions = st.one_of(
    pairs.map(lambda p: (Region("polygon", p),)),
    pairs.map(lambda p: (Region("polyline", p),)),
    st.tuples(numbers, numbers).map(lambda p: (Region("points", np.array([p])),)),
    st.tuples(numbers, numbers, sizes, st.integers(0, 359)).map(
        lambda b: (Region("box", np.array([[b[0], b[1]], [b[0] + b[2][0], b[1] + b[2][1]]]), rotation_deg=float(b[3])),)
    ),
    st.tuples(numbers, numbers, sizes, st.integers(0, 359)).map(
        lambda e: (Region("ellipse", np.array([[e[0], e[1]], e[2]]), rotation_deg=float(e[3])),)
    ),
)
words = st.text("abcxyz", min_size=1, max_size=4)
values = st.one_of(
    words, st.integers(0, 9), st.lists(words, min_size=2, max_size=3, unique=True).map(lambda w: tuple(sorted(w)))
)
shapes = st.lists(st.tuples(words, regions, st.dictionaries(words, values, max_size=2)), max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["i", "j"]), st.sampled_from(["ann", "ben"])),
        st.tuples(shapes, st.dictionaries(words, values, max_size=2)),
        min_size=1,
    )
)
def test_what_is_written_comes_back(drawn):
    readings = tuple(
        Reading(
            item,
            rater,
            tuple(Shape(f"s{n}", label, where, attributes=given) for n, (label, where, given) in enumerate(marks)),
            answers,
            is_empty_read=not marks and not answers,
        )
        for (item, rater), (marks, answers) in drawn.items()
    )
    items = tuple(ItemRecord(key, key, grids=(Grid((1, 60, 80)),)) for key in ("i", "j"))
    original = AnnotationSet("made", items, readings)
    back = read_label_studio({"x.json": write_label_studio(original).content})
    assert_same_readings(original, back, tolerance=1e-6)


def test_masks_come_back_and_every_loss_is_counted():
    square = np.array([[1, 1], [7, 1], [7, 7], [1, 7]], dtype=np.float64)
    marks = (
        Shape(
            "m", "a", mask=MaskRegion(np.array([[[True, False], [True, True]]]), (0, 3, 4)), attributes={"sure": True}
        ),
        Shape("h", "a", (Region("polygon", square), Region("polygon", square / 2, is_hole=True))),
        Shape("k", "a", (Region("points", square, visibility=(2, 2, 1, 0)),)),
        Shape("z", "a", (Region("polygon", square, z=2, edge_excluded=True),)),
        Shape("t", "a"),
    )
    item = ItemRecord("1", "1", grids=(Grid((3, 10, 10), spacing_mm=(1, 1, 1)),))
    original = AnnotationSet("made", (item,), (Reading("1", "ann", marks),), questions=(QuestionSpec("q"),))
    back = read_label_studio({"x.json": write_label_studio(original).content}).readings[0].shapes
    assert [shape.shape_id for shape in back] == ["m", "h", "k"]
    assert back[0].mask is not None
    assert back[0].mask.voxels.tolist() == [[[True, False], [True, True]]]
    assert back[0].mask.origin == (0, 3, 4)
    assert back[0].attributes == {"sure": "true"}
    assert {loss.what for loss in label_studio_losses(original)} == {
        "spacing and position in the patient",
        "true and false",
        "outlines with holes",
        "visibility of keypoints",
        "shapes of several pieces",
        "shapes on planes beyond the first",
        "shapes without geometry",
    }
