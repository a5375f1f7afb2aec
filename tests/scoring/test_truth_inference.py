"""Units and raters without a database: what one unit is, what is estimated, what a known answer corrects.

Planted once and seen to fail: an unasked class counted as "nothing there"; the temperature left at 1; the spread of two
outlines taken for that of one (a factor of sqrt 2).
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from labelhub.formats.shapes import Grid, MaskRegion, QuestionSpec, Reading, Region, Shape
from labelhub.scoring.compare import Terms
from labelhub.scoring.evidence import FINDING, NOTHING, OBJECTS, units_of
from labelhub.scoring.truth_fit import (
    BY_VOTE,
    TopicFit,
    assumed_fit,
    belief,
    expected_surface_dice,
    fit_shapes,
    fit_topic,
)

GRID = Grid((1, 200, 200))
TERMS = Terms(labels=("nucleus", "debris", "lesion"), pooled=frozenset({"lesion"}),
              questions=(QuestionSpec("quality", "ordinal", ("poor", "good")), QuestionSpec("size", "ratio")))  # fmt: skip


def disc(x: float, y: float, radius: float, label: str = "nucleus") -> Shape:
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    ring = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)
    return Shape(f"{label}{x}-{y}-{radius}", label, (Region("polygon", ring),))


def reading(*shapes: Shape, **given) -> Reading:
    return Reading("item", "r", shapes, **({"is_empty_read": not shapes} | given))


def units(*readings: Reading, **rest):
    return units_of(readings, terms=TERMS, grids=[GRID], **rest)


def test_one_object_that_readers_name_differently_is_one_unit():
    found = units(reading(disc(50, 50, 20)), reading(disc(51, 50, 20, "debris")), reading())
    objects = [unit for unit in found if unit.topic == OBJECTS]
    assert [unit.given for unit in objects] == [("nucleus", "debris", NOTHING)]
    assert {place for place, _ in objects[0].shapes} == {0, 1}
    assert [unit.given for unit in found if unit.topic == FINDING] == [("some", "some", "none")]


def test_who_was_not_asked_for_a_class_says_nothing_of_its_objects():
    found = units(reading(disc(50, 50, 20)), reading(asked_labels=("debris",)), reading(asked_labels=("nucleus",)))
    assert next(unit for unit in found if unit.topic == OBJECTS).given == ("nucleus", None, NOTHING)


def test_answers_are_categories_and_numbers_are_no_unit():
    found = units(reading(answers={"quality": "good", "size": 3.0}), reading(answers={"quality": "poor"}))
    assert [(unit.name, unit.given) for unit in found if unit.topic.startswith("question")] == [
        ("quality", ("str:good", "str:poor"))
    ]


def test_the_parts_of_a_pooled_class_are_one_unit_a_medium():
    voxels = np.zeros((1, 9, 9), bool)
    voxels[0, 2:5, 2:5] = True
    part, other = (Shape(name, "lesion", (), MaskRegion(voxels, (0, at, at))) for name, at in (("a", 10), ("b", 60)))
    found = [unit for unit in units(reading(part, other), reading(part)) if unit.topic == OBJECTS]
    assert [unit.given for unit in found] == [("lesion", "lesion")]


def test_the_spread_of_outlines_is_that_of_one_reader():
    """Radii of normal error s: two outlines lie E|e1 - e2| = 2 s / sqrt(pi) apart on average."""
    rng = np.random.default_rng(0)
    spreads = []
    for _ in range(60):
        radii = 60 + rng.normal(0, 2.0, 3)
        (unit,) = [u for u in units(*(reading(disc(100, 100, r)) for r in radii)) if u.topic == OBJECTS]
        spreads.append(unit.spread)
    assert np.mean(spreads) == pytest.approx(2.0, abs=0.25)


def test_what_is_expected_of_a_merged_outline_is_what_comes():
    rng = np.random.default_rng(1)
    errors = rng.normal(0, 1.5, (4, 20_000)).mean(axis=0)
    assert expected_surface_dice(1.5, 4, 2.0) == pytest.approx((np.abs(errors) <= 2.0).mean(), abs=0.01)
    assert expected_surface_dice(0.0, 2, 1.0) == 1.0


def answers(n_units: int, accuracies: list[float], seed: int = 0, known: int = 0) -> list[dict]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n_units)
    rows = []
    for number, value in enumerate(truth):
        given = {
            str(rater): str(value if rng.random() < accuracy else 1 - value)
            for rater, accuracy in enumerate(accuracies)
        }
        rows.append({"given": given, "truth": str(value) if number < known else None})
    return rows


def test_a_skilled_rater_outweighs_two_careless_ones():
    fit = fit_topic("question:x", answers(400, [0.97, 0.6, 0.6, 0.9]), items=range(400))
    assert fit.is_estimated
    found = belief(fit, {"0": "1", "1": "0", "2": "0"})
    assert found.winner == "1"
    assert TopicFit.from_document(fit.to_document()) == fit


def test_too_few_units_leave_raters_as_assumed_and_say_so():
    fit = fit_topic("question:x", answers(4, [0.9, 0.9]), items=range(4))
    assert not fit.is_estimated
    assert "4 units" in fit.why
    assert belief(fit, {"0": "1", "1": "0"}).winner is None, "even votes of equal raters are a tie"
    assert belief(fit, {"0": "1", "1": "1"}).confidence == pytest.approx(0.8**2 / (0.8**2 + 0.2**2))


def test_gold_cools_beliefs_that_claim_too_much():
    """Raters who copy one another look sure; gold shows that they are right three times in four."""
    rng = np.random.default_rng(2)
    rows = []
    for _ in range(300):
        value = int(rng.integers(0, 2))
        said = str(value if rng.random() < 0.75 else 1 - value)
        rows.append({"given": {"0": said, "1": said, "2": said}, "truth": str(value)})
    fit = fit_topic("question:x", rows, items=range(300))
    assert fit.n_known == 300
    assert belief(fit, {"0": "1", "1": "1", "2": "1"}).confidence == pytest.approx(0.75, abs=0.06)


def test_the_vote_stays_where_gold_says_that_it_is_right_more_often():
    rows = [
        {"given": {str(r): "1" if r < 3 else "0" for r in range(5)}, "truth": "1", "spread": None} for _ in range(40)
    ] + [{"given": {str(r): "0" for r in range(5)}, "truth": "0"} for _ in range(40)]
    fit = fit_topic("question:x", rows, items=range(80))
    assert belief(fit, rows[0]["given"]).winner == "1"


def test_raters_without_identity_are_one_rater_of_pooled_behaviour():
    fit = fit_topic("question:x", answers(100, [0.9, 0.9, 0.9]), items=range(100), anonymous={"0", "1", "2"})
    assert set(fit.confusion) == set()
    assert fit.pooled[0][0] > 0.7


def test_an_answer_that_was_never_given_before_is_a_category_of_its_own():
    fit = assumed_fit("question:x", ("a", "b"), why="")
    assert belief(fit, {"0": "c", "1": "c"}).winner == "c"
    assert belief(fit, {}).winner is None


def test_by_vote_a_belief_is_the_share_of_votes():
    fit = TopicFit("t", ("a", "b"), (0.5, 0.5), ((1.0, 0.0), (0.0, 1.0)), chosen=BY_VOTE)
    assert belief(fit, {"0": "a", "1": "a", "2": "b"}).confidence == pytest.approx(2 / 3)


def test_gold_shows_that_readers_share_an_error_of_their_outlines():
    truth = reading(disc(100, 100, 40))
    rows = []
    rng = np.random.default_rng(3)
    for _ in range(30):
        radii = 43 + rng.normal(0, 0.5, 3)
        found = units(*(reading(disc(100, 100, r)) for r in radii), gold=truth)
        rows += [unit.to_document([1, 2, 3]) for unit in found if unit.topic == OBJECTS]
    assert all(row["truth"] == "nucleus" for row in rows)
    fit = fit_shapes(rows, items=range(30))
    assert fit.scale > 3
    assert fit.n_known == 30
    assert fit.claimed == pytest.approx(fit.seen, abs=0.15)
    assert expected_surface_dice(0.5, 3, 2.0) > 0.99 > expected_surface_dice(0.5, 3, 2.0, scale=fit.scale)


def test_gold_without_an_object_there_makes_it_nothing():
    found = units(reading(disc(50, 50, 20)), reading(disc(50, 50, 20)), gold=reading())
    assert next(unit for unit in found if unit.topic == OBJECTS).truth == NOTHING


def test_points_have_no_spread():
    point = Shape("p", "nucleus", (Region("points", np.array([[5.0, 5.0]])),))
    found = next(unit for unit in units(reading(point), reading(point)) if unit.topic == OBJECTS)
    assert found.spread is None
    assert not math.isnan(found.tolerance)
