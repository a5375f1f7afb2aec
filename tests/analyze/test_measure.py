"""The panel: numbers that can be worked out by hand, gaps that must show, intervals that must be honest."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.formats.shapes import Grid, MaskRegion, QuestionSpec, Reading, Shape
from labelhub.numerics.results import Estimate
from labelhub.scoring.panel import measure
from labelhub.scoring.panel_rows import Measured, Panel, number_in_words
from tests.analyze.making import box, make_set, outline, point, rated, reading

KIND = QuestionSpec("kind", "nominal", ("cat", "dog"))


def named(panel: Panel, key: str) -> Measured:
    return next(row for row in panel.numbers() if row.key == key)


def test_detection_counts_every_pair_of_readers() -> None:
    """Three readers: all find the first cell, two the second: (3 + 1) shared pairs of (3·2 + 2·2) / 2 = 5: 0.8."""
    readings = [
        reading("a", "ann", box(10, 10), box(90, 90)),
        reading("a", "ben", box(11, 10), box(90, 91)),
        reading("a", "cyd", box(10, 11)),
    ]
    panel = measure(make_set(readings))
    row = panel.detection[0]
    assert row.agreement.estimate.value == pytest.approx(0.8)
    assert [(f.n_readers, f.k, f.count) for f in row.found_by] == [(3, 1, 0), (3, 2, 1), (3, 3, 1)]
    # By pair: ann-ben 1, ann-cyd 2/3, ben-cyd 2/3.
    assert row.mean_over_pairs.estimate.value == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)


def test_boxes_are_compared_by_their_exact_areas() -> None:
    panel = measure(make_set([reading("a", "ann", box(10, 10)), reading("a", "ben", box(12.5, 10))]))
    assert panel.overlap[0].iou.estimate.value == pytest.approx(17.5 / 22.5)
    assert panel.overlap[0].hd95 == ()


def test_outlines_without_spacing_give_pixels_and_with_spacing_millimetres() -> None:
    square = [(10, 10), (20, 10), (20, 20), (10, 20)]
    moved = [(x + 2, y) for x, y in square]
    readings = [reading("a", "ann", outline(square)), reading("a", "ben", outline(moved))]
    in_px = measure(make_set(readings)).overlap[0]
    assert in_px.dice.estimate.value == pytest.approx(0.8)
    assert [(row.key, row.estimate.value) for row in in_px.hd95] == [("overlap.cell.hd95-px", 2.0)]
    in_mm = measure(make_set(readings, grid=Grid((1, 200, 200), spacing_mm=(1, 1, 3)))).overlap[0]
    assert [(row.key, row.estimate.value) for row in in_mm.hd95] == [("overlap.cell.hd95-mm", 6.0)]


def test_distances_across_slices_of_unknown_spacing_are_not_invented() -> None:
    square = [(10, 10), (20, 10), (20, 20), (10, 20)]
    ann = Shape("n", "cell", tuple(outline(square, z=z).regions[0] for z in (0, 1, 2)))
    ben = Shape("n", "cell", tuple(outline(square, z=z).regions[0] for z in (1, 2, 3)))
    row = measure(make_set([reading("a", "ann", ann), reading("a", "ben", ben)], grid=Grid((9, 50, 50)))).overlap[0]
    assert row.dice.estimate.value == pytest.approx(2 / 3)
    assert row.hd95[0].estimate.value == 0.0
    assert "within each slice" in row.hd95[0].name


def test_items_that_both_read_as_empty_are_left_out_of_overlap_and_counted_beside() -> None:
    readings = [reading(item, rater) for item in ("a", "b") for rater in ("ann", "ben")]
    readings += [reading("c", "ann", box(10, 10)), reading("c", "ben", box(10, 10))]
    panel = measure(make_set(readings))
    row = panel.overlap[0]
    assert row.whole_dice.estimate.n == 1
    assert row.both_empty.estimate.value == pytest.approx(2 / 3)
    detection = panel.detection[0]
    assert (detection.n_empty_reads, detection.n_reads, detection.n_items_all_empty) == (4, 6, 2)
    assert detection.both_empty.estimate.value == 1.0


def test_a_missed_object_counts_as_no_overlap_of_the_whole_item() -> None:
    panel = measure(make_set([reading("a", "ann", box(10, 10)), reading("a", "ben")]))
    assert panel.overlap[0].whole_dice.estimate.value == 0.0
    assert not panel.overlap[0].dice.estimate.is_defined


def mask(label: str, filled: tuple[slice, ...]) -> Shape:
    voxels = np.zeros((4, 30, 30), dtype=bool)
    voxels[filled] = True
    return Shape(label, label, mask=MaskRegion(voxels))


def test_one_mask_a_reader_and_item_is_compared_however_little_it_overlaps() -> None:
    ann = mask("liver", np.s_[0:2, 0:10, 0:10])
    ben = mask("liver", np.s_[0:2, 0:10, 9:19])
    panel = measure(make_set([reading("a", "ann", ann), reading("a", "ben", ben)], grid=Grid((4, 30, 30))))
    assert panel.detection[0].is_whole
    assert panel.overlap[0].dice.estimate.value == pytest.approx(0.1)


def test_marks_without_area_are_one_within_reach_and_two_beyond() -> None:
    near = measure(make_set([reading("a", "ann", point(50, 50)), reading("a", "ben", point(58, 50))]))
    far = measure(make_set([reading("a", "ann", point(50, 50)), reading("a", "ben", point(62, 50))]))
    assert near.detection[0].agreement.estimate.value == 1.0
    assert far.detection[0].agreement.estimate.value == 0.0
    assert near.overlap == ()


def test_classes_are_compared_on_objects_matched_by_place() -> None:
    readings = [
        reading("a", "ann", box(10, 10), box(90, 90, label="scar")),
        reading("a", "ben", box(10, 10, label="scar"), box(90, 90, label="scar")),
    ]
    row = measure(make_set(readings)).classes
    assert row is not None
    assert row.raw.estimate.value == pytest.approx(0.5)
    assert row.labels == ("cell", "scar")
    assert row.confusion == ((0, 1), (1, 2))


def clustered_set() -> list[Reading]:
    """Ten patients of eight images each; the readers agree on all images of a patient or on none."""
    table = {}
    for patient in range(10):
        for image in range(8):
            answer = "cat" if (patient + image) % 2 else "dog"
            other = answer if patient % 3 else ("dog" if answer == "cat" else "cat")
            table[f"p{patient}-{image}"] = {"ann": answer, "ben": other}
    return rated(table)


def test_intervals_resample_patients_and_are_wider_than_naive_ones() -> None:
    readings = clustered_set()
    groups = {entry.item: entry.item.split("-")[0] for entry in readings}
    by_patient = named(measure(make_set(readings, questions=[KIND], groups=groups)), "question.kind.raw").estimate
    naive = named(measure(make_set(readings, questions=[KIND])), "question.kind.raw").estimate
    assert by_patient.value == naive.value
    assert (by_patient.n_groups, by_patient.group_unit) == (10, "patients")
    assert (naive.n_groups, naive.group_unit) == (80, "images")
    assert by_patient.width > 1.8 * naive.width


def test_accuracy_against_gold_has_wilsons_interval_where_units_are_independent() -> None:
    """Newcombe (1998), table I, method 3: 81 of 263 gives .2553 to .3662."""
    table = {f"i{n}": {"ann": "cat" if n < 81 else "dog"} for n in range(263)}
    truth = rated({item: {"gold": "cat"} for item in table})
    panel = measure(make_set(rated(table), questions=[KIND]), gold=make_set(truth, questions=[KIND]))
    accuracy = panel.labelers[0].gold[0]
    assert accuracy.name == "answers right"
    assert accuracy.estimate.value == pytest.approx(81 / 263)
    assert (accuracy.estimate.low, accuracy.estimate.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert len(accuracy.items) == 182
    assert panel.labelers[0].confusions == ("cat taken for dog 182×",)


def test_accuracy_over_several_images_of_a_patient_resamples_patients() -> None:
    readings = [entry for entry in clustered_set() if entry.rater == "ben"]
    truth = [entry for entry in clustered_set() if entry.rater == "ann"]
    groups = {entry.item: entry.item.split("-")[0] for entry in readings}
    panel = measure(make_set(readings, questions=[KIND], groups=groups), gold=make_set(truth, questions=[KIND]))
    accuracy = panel.labelers[0].gold[0].estimate
    assert "bootstrap" in accuracy.interval_method
    assert accuracy.n_groups == 10


def test_gold_tells_found_missed_invented_and_mistaken_objects_apart() -> None:
    truth = reading("a", "gold", box(10, 10), box(60, 60), box(120, 120, label="scar"))
    given = reading("a", "ann", box(10, 10, 22), box(120, 120), box(160, 160))
    panel = measure(make_set([given]), gold=make_set([truth]))
    values = {row.name: row.estimate.value for row in panel.labelers[0].gold}
    assert values["gold objects found"] == pytest.approx(2 / 3)
    assert values["marks that are real"] == pytest.approx(2 / 3)
    assert values["class right"] == pytest.approx(1 / 2)
    assert values["size against gold, 2(own−gold)/(own+gold)"] == pytest.approx(2 * (484 - 400) / 884 / 2)
    assert panel.labelers[0].confusions == ("scar taken for cell 1×",)


def test_without_two_readers_of_an_item_nothing_is_concluded_and_the_reads_needed_are_told() -> None:
    """381 and 141 units give a Wilson interval of ± 0.05 at shares of 0.5 and 0.9."""
    panel = measure(make_set([reading(f"i{n}", "ann" if n % 2 else "ben", box(10, 10)) for n in range(6)]))
    assert "No image has two readers" in panel.verdict[1]
    assert "381" in panel.verdict[2]
    assert "141" in panel.verdict[2]
    assert not any(row.agreement.estimate.is_defined for row in panel.detection)
    assert {row.action for row in panel.worklist} == {"second read"}
    assert len(panel.worklist) == 6


@pytest.mark.parametrize("readings", [[], [reading("a", "ann")], [reading("a", "ann"), reading("a", "ben")]])
def test_degenerate_sets_give_a_panel_and_no_error(readings: list[Reading]) -> None:
    panel = measure(make_set(readings), gold=make_set([]))
    assert len(panel.verdict) == 3
    assert all(math.isnan(row.estimate.value) or row.estimate.n > 0 for row in panel.numbers())


def test_readers_who_cannot_be_told_apart_are_never_ranked_nor_named() -> None:
    square = [(float(x), float(y)) for x, y in [(10, 10), (15, 8), (20, 10), (22, 15), (20, 20), (10, 20)]]
    readings = [reading(f"i{n}", r, outline(square)) for n in range(4) for r in ("1", "2")]
    panel = measure(
        make_set(readings, raters_identifiable=False), gold=make_set([reading("i0", "gold", outline(square))])
    )
    assert panel.labelers == ()
    assert all(row.item for row in panel.pairs)
    assert {(row.first, row.second) for row in panel.copies} == {("a reader", "another reader of the same item")}
    assert all(row.whom in ("another reader", "a reviewer") for row in panel.worklist)
    assert any("no table by reader" in caution for caution in panel.cautions)
    assert "cannot be told apart" in panel.verdict[0]


def test_identical_outlines_are_found_and_models_drafts_are_not_held_against_anyone() -> None:
    square = [(10.1, 10.2), (15, 8), (20, 10), (22, 15), (20, 20.7), (10, 20)]
    copied = [reading(f"i{n}", r, outline(square)) for n in range(3) for r in ("ann", "ben")]
    panel = measure(make_set(copied))
    assert [(row.first, row.second, row.n_identical, row.is_suspicious) for row in panel.copies] == [
        ("ann", "ben", 3, True)
    ]
    draft = Shape("d", "cell", outline(square).regions, source="model")
    accepted = [reading(f"i{n}", r, draft) for n in range(3) for r in ("ann", "ben")]
    assert measure(make_set(accepted)).copies == ()


def test_the_one_reader_who_differs_gets_the_item_back_and_disputes_go_to_a_reviewer() -> None:
    odd = [reading("a", "ann", box(10, 10)), reading("a", "ben", box(10, 10)), reading("a", "cyd", box(120, 120))]
    split = [reading("b", r, box(40 * n, 40 * n)) for n, r in enumerate(("ann", "ben", "cyd"))]
    two = [reading("c", "ann", box(10, 10)), reading("c", "ben", box(120, 120))]
    agreed = [reading("d", r, box(10, 10)) for r in ("ann", "ben", "cyd")]
    work = {row.item: (row.action, row.whom) for row in measure(make_set([*odd, *split, *two, *agreed])).worklist}
    assert work == {
        "a": ("back to its author", "cyd"),
        "b": ("review", "a reviewer"),
        "c": ("one more read", "a reader other than ann and ben"),
    }


def test_an_ordinal_dispute_weighs_by_how_far_the_answers_lie_apart() -> None:
    grade = QuestionSpec("grade", "ordinal", ("1", "2", "3", "4", "5"))
    readings = rated({"near": {"ann": "1", "ben": "2"}, "far": {"ann": "1", "ben": "5"}}, "grade")
    rows = {row.item: row.disagreement for row in measure(make_set(readings, questions=[grade])).items}
    assert rows == {"near": pytest.approx(0.25), "far": pytest.approx(1.0)}


def test_the_same_input_and_seed_give_the_same_panel_whatever_the_order_of_readings_and_names_of_groups() -> None:
    readings = clustered_set()
    groups = {entry.item: entry.item.split("-")[0] for entry in readings}
    first = make_set(readings, questions=[KIND], groups=groups)
    swapped = make_set(
        readings, questions=[KIND], groups={item: f"patient {-int(name[1:])}" for item, name in groups.items()}
    )
    swapped = replace(swapped, readings=tuple(reversed(swapped.readings)))
    assert measure(first).numbers() == measure(swapped).numbers()


def slow_pooled_agreement(marks: dict[str, list[set[int]]]) -> float:
    """Positive specific agreement over all pairs of readers, object by object, the obvious way."""
    shared = total = 0
    for readers in marks.values():
        for i, one in enumerate(readers):
            for j, other in enumerate(readers):
                if i != j:
                    shared += len(one & other)
                    total += len(one)
    return shared / total if total else math.nan


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sets(st.integers(0, 5), max_size=6), min_size=2, max_size=4), min_size=1, max_size=4))
def test_detection_equals_its_slow_obvious_twin(items: list[list[set[int]]]) -> None:
    readings = [
        reading(f"i{n}", f"r{m}", *(box(30 * place, 10) for place in sorted(places)))
        for n, readers in enumerate(items)
        for m, places in enumerate(readers)
    ]
    panel = measure(make_set(readings, grid=Grid((1, 200, 400))), n_resamples=20)
    expected = slow_pooled_agreement({f"i{n}": readers for n, readers in enumerate(items)})
    value = panel.detection[0].agreement.estimate.value if panel.detection else math.nan
    assert value == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (0.5, 0.4, 0.6, "0.50 [0.40–0.60] n=9"),
        (-0.29, -0.32, -0.26, "−0.29 [−0.32 to −0.26] n=9"),
        (-0.001, -0.1, 0.1, "0.00 [−0.10 to 0.10] n=9"),
        (0.5, math.nan, math.nan, "0.50 [no interval] n=9"),
    ],
)
def test_intervals_read_unmistakably(value: float, low: float, high: float, words: str) -> None:
    assert number_in_words(Measured("k", "n", Estimate(value, low, high, 9, "items", "m", "1"))) == words
