"""Which readings count, who was asked what, and what a gap means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelhub.formats.shapes import QuestionSpec
from labelhub.scoring.gather import PLANNED_INDEPENDENT, gather, item_ratings, natural_key
from labelhub.scoring.gather_objects import gather_objects
from tests.analyze.making import box, make_set, rated, reading


def test_planned_independent_reads_are_never_mixed_with_other_kinds() -> None:
    first = [reading("a", rater, box(10, 10)) for rater in ("ann", "ben")]
    other = [
        reading("a", f"{kind}-reader", box(90, 90), read_kind=kind) for kind in ("assisted", "unblinded", "unknown")
    ]
    late = reading("a", "cyd", box(90, 90), planned_blind=False)
    gathered = gather(make_set([*other, *first, late]))
    assert gathered.kind == PLANNED_INDEPENDENT
    assert gathered.is_independent
    assert gathered.raters == ("ann", "ben")
    assert {tally.kind for tally in gathered.tallies if not tally.is_measured} == {
        "assisted", "unblinded", "unknown", "independent, not planned",
    }  # fmt: skip


def test_only_first_versions_are_measured_and_later_ones_are_counted() -> None:
    again = reading("a", "ann", box(90, 90), version=2)
    gathered = gather(make_set([again, reading("a", "ann", box(10, 10)), reading("a", "ben", box(10, 10))]))
    assert gathered.n_later_versions == 1
    assert gathered.readings[0, 0].shapes[0].regions[0].points[0].tolist() == [10, 10]


def test_where_no_independent_read_has_a_twin_the_commonest_other_kind_stands_in_and_is_named() -> None:
    lonely = reading("a", "ann", box(10, 10))
    unknown = [reading("b", rater, box(10, 10), read_kind="unknown", planned_blind=None) for rater in ("ann", "ben")]
    gathered = gather(make_set([lonely, *unknown]))
    assert gathered.kind == "unknown"
    assert not gathered.is_independent
    assert gathered.n_readings == 2


@pytest.mark.parametrize("kind", ["rework", "repeat", "adjudication", "training", "co-edited"])
def test_kinds_that_judge_nothing_independently_are_never_measured(kind: str) -> None:
    gathered = gather(make_set([reading("a", rater, box(10, 10), read_kind=kind) for rater in ("ann", "ben")]))
    assert gathered.n_readings == 0


def test_outside_the_scope_is_not_asked_and_never_a_miss() -> None:
    asked_cells_only = reading("a", "ben", asked_labels=("cell",))
    both = reading("a", "ann", box(10, 10), box(90, 90, label="scar"), asked_labels=("cell", "scar"))
    gathered = gather(make_set([both, asked_cells_only]))
    objects = gather_objects(gathered)
    assert objects.by_label["cell"].found.tolist() == [[1.0, 0.0]]
    assert np.isnan(objects.by_label["scar"].found[0, 1])
    assert np.isnan(objects.by_label["scar"].presence[0, 1])
    assert objects.mixed is not None
    scar = objects.mixed.category[objects.mixed.labels.index("scar")]
    assert np.isnan(scar[1])


def test_an_entry_that_says_nothing_is_read_or_not_as_the_source_states() -> None:
    silent = replace(reading("a", "ben"), is_empty_read=False)
    readings = [reading("a", "ann", box(10, 10)), silent]
    assert gather(make_set(readings, empty_means="not-read")).n_not_read == 1
    assert gather(make_set(readings, empty_means="read-empty")).n_readings == 2


def test_raters_without_identity_get_columns_within_each_item_only() -> None:
    readings = [reading(item, f"{item}-{n}", box(10, 10)) for item in ("a", "b", "c") for n in (1, 2)]
    gathered = gather(make_set(readings, raters_identifiable=False))
    assert gathered.raters == ("reader 1", "reader 2")
    assert not gathered.are_raters_known


def test_groups_are_the_patients_and_are_numbered_by_appearance() -> None:
    readings = [reading(item, "ann", box(10, 10)) for item in ("a", "b", "c")]
    gathered = gather(make_set(readings, groups={"a": "Zoe", "b": "Abe", "c": "Zoe"}))
    assert gathered.groups.tolist() == [0, 1, 0]
    assert gathered.group_unit == "patients"


def test_answers_become_numbers_by_their_scale() -> None:
    grades = QuestionSpec("grade", "ordinal", ("low", "mid", "high"))
    readings = rated({"a": {"ann": "high", "ben": "low"}, "b": {"ann": "mid"}}, "grade")
    table = item_ratings(gather(make_set(readings, questions=[grades])), grades)
    assert table.ratings[0].tolist() == [2.0, 0.0]
    assert np.isnan(table.ratings[1, 1])
    assert table.categories == (0.0, 1.0, 2.0)


def test_a_question_outside_the_readers_scope_is_a_gap() -> None:
    spec = QuestionSpec("kind", "nominal", ("cat", "dog"))
    readings = rated({"a": {"ann": "cat"}}) + rated({"a": {"ben": "dog"}}, asked_questions=())
    table = item_ratings(gather(make_set(readings, questions=[spec])), spec)
    assert np.isnan(table.ratings[0, 1])


def test_several_choices_at_once_are_an_answer_and_not_a_gap() -> None:
    spec = QuestionSpec("kind", "nominal", ("cat", "dog"))
    readings = [reading("a", r, answers={"kind": ("dog", "cat")}) for r in ("ann", "ben")]
    table = item_ratings(gather(make_set(readings, questions=[spec])), spec)
    assert table.ratings[0, 0] == table.ratings[0, 1] == 2.0


def test_names_with_numbers_sort_as_people_count() -> None:
    assert sorted(["r10", "r2", "r1"], key=natural_key) == ["r1", "r2", "r10"]


def test_nothing_at_all_is_no_error() -> None:
    gathered = gather(make_set([]))
    assert (gathered.n_readings, gathered.items_read_twice) == (0, ())
