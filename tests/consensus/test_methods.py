"""Which method settles what, what it is told of the vote, and how painted areas of several readers are fused.

Planted once and seen to fail: truth inference with two readers; a tied vote broken by an uncalibrated belief; the vote's
Dice left out; STAPLE over the whole grid, and the vote given out as STAPLE (both follow those who paint too much).
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from labelhub.consensus.merge import merge_readings
from labelhub.consensus.merge_areas import BY_VOTE, merged_area
from labelhub.consensus.methods import INFERRED, VOTE, Judgement, Weights, judgement_of, weigh
from labelhub.formats.shapes import Reading
from labelhub.numerics.fusion_calibration import METHOD as CALIBRATED
from labelhub.numerics.fusion_calibration import RaterOffset
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.staple import METHOD as STAPLE
from labelhub.scoring.evidence import Unit
from labelhub.scoring.posteriors import Fits, Judged
from labelhub.scoring.truth_fit import BY_VOTE as FIT_BY_VOTE
from labelhub.scoring.truth_fit import Belief, TopicFit
from tests.consensus.test_merge import GRID, TERMS, box, reading

PERFECT = ((1.0, 0.0), (0.0, 1.0))


def fit(**given) -> TopicFit:
    values = {"chosen": "hierarchical Dawid–Skene", "why": "held-out", "n_units": 200, "n_known": 0} | given
    return TopicFit("objects", ("", "nucleus"), (0.5, 0.5), PERFECT, **values)


def judged_by(fit_: TopicFit | None, believed: Belief, n_readers: int = 3, known: int = 100) -> Judgement:
    return judgement_of(fit_, believed, n_readers, least_confidence=0.95, calibration_items=known)


SURE, UNSURE = Belief({}, "nucleus", 0.97), Belief({}, "nucleus", 0.7)


@pytest.mark.parametrize(
    ("estimate", "n_readers", "why"),
    [
        (fit(), 2, "2 of at least 3 readings"),
        (None, 3, "not estimated yet"),
        (fit(n_units=12), 3, "12 of at least 30 units"),
        (fit(chosen=FIT_BY_VOTE, why="majority vote is right on more gold"), 3, "right on more gold"),
    ],
)
def test_the_vote_settles_where_skill_is_not_known(estimate: TopicFit | None, n_readers: int, why: str):
    found = judged_by(estimate, SURE, n_readers)
    assert not found.decides
    assert why in found.why


def test_thirty_units_are_enough_to_know_skill_by_and_fewer_are_not():
    assert [judged_by(fit(n_units=n), SURE).decides for n in (29, 30)] == [False, True]
    # Two readers are settled by vote; what skill says otherwise is reason to ask.
    assert [judged_by(fit(n_units=n), SURE, n_readers=2).objects for n in (29, 30)] == [False, True]


def test_a_tie_is_broken_only_by_a_calibrated_and_sure_belief():
    assert not judged_by(fit(n_known=0), SURE).breaks_ties
    assert not judged_by(fit(n_known=100), UNSURE).breaks_ties
    assert judged_by(fit(n_known=100), SURE).breaks_ties
    assert judged_by(fit(n_known=100), Belief({}, "nucleus", 0.95)).breaks_ties, "as sure as the policy asks"
    assert not judged_by(fit(n_known=0), SURE, known=0).breaks_ties, "no gold at all calibrates nothing"


def weighted(*readings: Reading, **judgements: Judgement):
    weights = Weights(objects={(i, s.shape_id): judgements["objects"] for i, r in enumerate(readings) for s in r.shapes}
                      if "objects" in judgements else {},
                      answers={"quality": judgements["quality"]} if "quality" in judgements else {})  # fmt: skip
    return merge_readings(readings, terms=TERMS, grids=[GRID], weights=weights)


def belief_in(winner: str | None, confidence: float = 0.9, **rest) -> Judgement:
    return Judgement(winner, confidence, **({"decides": True, "why": "", "method": "hierarchical"} | rest))


def test_a_skilled_minority_is_followed_and_the_vote_is_noted():
    found = weighted(reading(box(0, 0)), reading(), reading(), objects=belief_in("nucleus"))
    assert [entry.confidence for entry in found.shapes] == [0.9]
    assert (found.method, found.confidence) == (INFERRED, 0.9)
    (difference,) = found.differences
    assert (difference.by_vote, difference.by_method) == ("1 of 3", "there")


def test_what_only_careless_readers_mark_does_not_stand():
    found = weighted(reading(box(0, 0)), reading(box(0, 0)), reading(), objects=belief_in(""))
    assert found.shapes == ()
    assert found.differences[0].by_method == "not there"


def test_an_even_vote_stays_a_tie_until_a_belief_may_break_it():
    readings = [reading(box(0, 0)), reading(box(0, 0)), reading(), reading()]
    assert weighted(*readings, objects=belief_in("nucleus", 0.99)).ties
    assert not weighted(*readings, objects=belief_in("nucleus", 0.99, breaks_ties=True)).ties


def test_an_undecided_belief_is_a_tie_whatever_the_vote():
    found = weighted(reading(box(0, 0)), reading(box(0, 0)), reading(), objects=belief_in(None, 0.5))
    assert [tie.what for tie in found.ties] == ["object"]


def test_answers_carry_their_confidence_and_where_the_vote_differs():
    readings = [reading(answers={"quality": said}) for said in ("good", "poor", "poor")]
    found = weighted(*readings, quality=belief_in("str:good", 0.96))
    assert found.answers == {"quality": "good"}
    assert found.answer_confidence == {"quality": 0.96}
    assert [(d.what, d.by_vote, d.by_method) for d in found.differences] == [("answer", "poor", "good")]
    by_vote = weighted(*readings)
    assert (by_vote.answers, by_vote.method, by_vote.answer_confidence["quality"]) == (
        {"quality": "poor"}, VOTE, pytest.approx(2 / 3),
    )  # fmt: skip


def test_two_readers_are_settled_by_vote_and_the_reason_is_kept():
    unit = Unit("objects", "nucleus 1", ("nucleus", "nucleus"), ((0, "b0-0"), (1, "b1-0")))
    weights = weigh(
        Judged((unit,), (SURE,), Fits({"objects": fit()})), [1, 2], least_confidence=0.95, calibration_items=0
    )
    found = merge_readings([reading(box(0, 0)), reading(box(1, 0))], terms=TERMS, grids=[GRID], weights=weights)
    assert (found.method, found.confidence) == (VOTE, 1.0)
    assert "2 of at least 3 readings" in found.why


def disc(radius: float, centre: float = 24.0, size: int = 48) -> PlacedMask:
    y, x = np.ogrid[:size, :size]
    return PlacedMask(((y - centre) ** 2 + (x - centre) ** 2 <= radius**2)[None], (0, 0, 0))


def area(*masks: PlacedMask, **rest):
    given = {"size": (1, 48, 48), "spacing_mm": None, "is_painted": True} | rest
    return merged_area(dict(enumerate(masks)), **given)


def dice(first: PlacedMask, second: PlacedMask) -> float:
    full = np.zeros((2, 1, 48, 48), bool)
    for number, mask in enumerate((first, second)):
        full[(number, *(slice(a, a + n) for a, n in zip(mask.origin, mask.voxels.shape, strict=True)))] = mask.voxels
    return 2 * (full[0] & full[1]).sum() / full.sum()


def test_three_who_painted_are_fused_by_staple_with_the_vote_beside():
    """Three good and two who paint too much: methods.md section 3.2, where STAPLE in the union beats the vote."""
    truth = disc(12)
    found = area(disc(12), disc(12.3), disc(11.8), disc(16), disc(16.2))
    assert found.method == STAPLE
    assert found.vote_dice is not None
    assert dice(found.mask, truth) > 0.97


def test_two_who_painted_give_the_shape_between_theirs():
    found = area(disc(10), disc(14))
    assert found.method == BY_VOTE
    assert 10 < math.sqrt(found.mask.voxels.sum() / math.pi) < 14


def test_outlines_are_merged_by_vote_however_many():
    assert area(disc(10), disc(11), disc(12), is_painted=False).method == BY_VOTE


def test_known_offsets_correct_what_no_vote_can():
    """Two good and three who paint 4 px too much: the vote follows the three (methods.md section 3.2)."""
    masks = [disc(12), disc(12), disc(16), disc(16), disc(16)]
    offsets = {
        place: RaterOffset(place, 1, offset, math.nan, math.nan, 0.5, math.nan, math.nan, 6, 6, 0, 0.95)
        for place, offset in enumerate((0.0, 0.0, 4.0, 4.0, 4.0))
    }
    found = area(*masks, offsets=offsets)
    assert found.method == CALIBRATED
    assert dice(found.mask, disc(12)) > 0.97 > dice(area(*masks, is_painted=False).mask, disc(12))
    assert found.vote_dice is not None
    assert found.vote_dice < 0.9
    del offsets[4]
    assert area(*masks, offsets=offsets).method == STAPLE, "the offset of one reader is not known"


def test_a_volume_is_fused_in_three_dimensions():
    z, y, x = np.ogrid[:20, :30, :30]
    ball = ((z - 10) ** 2 + (y - 15) ** 2 + (x - 15) ** 2) <= 49
    shifted = np.roll(ball, 1, axis=2)
    masks = [PlacedMask(ball, (0, 0, 0)), PlacedMask(ball, (0, 0, 0)), PlacedMask(shifted, (0, 0, 0))]
    found = merged_area(dict(enumerate(masks)), size=(20, 30, 30), spacing_mm=(2.0, 0.5, 0.5), is_painted=True)
    assert found.method == STAPLE
    assert found.mask.voxels.sum() == pytest.approx(ball.sum(), rel=0.05)
