"""The speed-up dial: ceilings, paces, where ten times lies, and drafts that save nothing.

Planted once and seen to fail: the annotator's pace on work by hand only; ten times told from the ceiling where no draft reaches
it; the break-even taken from the lower level without a line between.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from labelhub.config.study import dial
from labelhub.config.study.material import MaskSet, TrueMask, mask_sets
from labelhub.numerics.effort import EffortCosts
from labelhub.numerics.results import Estimate

# No database is asked.
pytestmark = pytest.mark.once


def disc(radius, side=64):
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    return y**2 + x**2 <= radius**2


@pytest.fixture(scope="module")
def discs():
    return MaskSet("discs", "made up", "discs", tuple(TrueMask(f"{r}", disc(r), f"{r}") for r in (12, 15, 18, 21)))


def levels(discs, kind, level, seeds=(0, 1, 2)):
    return dial.levels_of(discs, next(one for one in dial.KINDS if one.name == kind), level, seeds)


def test_a_perfect_draft_gives_the_ceiling_and_worse_ones_less(discs):
    found = [levels(discs, "wobbling outline", noise)[1] for noise in (0.01, 1.0, 3.0, 6.0)]
    assert found[0].dice == 1.0
    assert found[0].gain.value == pytest.approx(found[0].ceiling.value)
    gains = [one.gain.value for one in found]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] < 1 < gains[0]
    assert all(one.gain.low <= one.gain.value <= one.gain.high for one in found)
    assert (found[1].gain.n, found[1].gain.n_groups, found[1].gain.group_unit) == (12, 4, "discs")


def test_pace_changes_times_and_not_how_much_faster_the_work_is(discs):
    one, other = (levels(discs, "wobbling outline", 1.0, seeds=(seed,))[0] for seed in (0, 1))
    assert one.gain.value == pytest.approx(other.gain.value)
    work = dial.item_effort(disc(10), disc(12), EffortCosts())
    slow, _ = dial._worked(work, 1, 0)
    assert slow.manual_s != work.manual_s
    assert slow.assisted_s / work.assisted_s == pytest.approx(slow.manual_s / work.manual_s)
    assert slow.floor_s / work.floor_s == pytest.approx(slow.manual_s / work.manual_s)


def test_prices_change_only_what_they_name(discs):
    by_price = levels(discs, "wobbling outline", 1.0)
    assert [(one.costs.open_s, one.costs.review_s) for one in by_price] == list(dial.OPEN_AND_REVIEW)
    costs = EffortCosts(open_s=0.0, review_s=7.0)
    work = dial.item_effort(disc(10), disc(12), EffortCosts())
    assert dial._priced(work, costs) == dial.item_effort(disc(10), disc(12), costs)


def test_drafts_that_show_nothing_save_nothing(discs):
    """The null experiment: all pieces left out."""
    kind = replace(dial.KINDS[2], levels=(1.0,))
    found = dial.levels_of(discs, kind, 1.0, (0, 1))
    assert all(one.gain.value < 1 and one.added_share == 1.0 for one in found)
    assert math.isnan(found[0].dice) or found[0].dice == 0.0


def test_overlooked_places_leave_items_wrong(discs, monkeypatch):
    monkeypatch.setattr(dial, "NOTICED", 1.0)
    everything = levels(discs, "wobbling outline", 2.0)[0]
    assert (everything.share_left_wrong, everything.gain_of_right) == (0.0, pytest.approx(everything.gain.value))
    monkeypatch.setattr(dial, "NOTICED", 0.0)
    nothing = levels(discs, "wobbling outline", 2.0)[0]
    assert (nothing.share_left_wrong, nothing.gain_of_right) == (1.0, 0.0)


def made_up(dice, gain, ceiling):
    estimate = Estimate(gain, gain, gain, 1, "items", "m", "1")
    top = Estimate(ceiling, ceiling, ceiling, 1, "items", "m", "1")
    return dial.Level("s", "wobbling outline", 0.0, EffortCosts(), dice, 0.1, estimate, top, 0.0, gain)


def test_where_ten_times_lies_is_said_in_three_ways():
    assert "out of reach: a perfect draft gives 4.0" in dial.ten_times([made_up(0.99, 3.9, 4.0)])
    assert "no draft tried reaches it" in dial.ten_times([made_up(0.9, 3.0, 14.0)])
    found = dial.ten_times([made_up(0.9, 3.0, 14.0), made_up(0.97, 10.5, 14.0), made_up(0.99, 13.0, 14.0)])
    assert found.startswith("10 times is reached from a Dice of 0.970 on")


def test_drafts_pay_from_the_dice_where_the_line_crosses_one():
    line = [made_up(0.9, 1.5, 4.0), made_up(0.7, 0.5, 4.0), made_up(0.8, 0.9, 4.0)]
    assert dial.break_even_dice(line) == pytest.approx(0.8 + 0.1 * (0.1 / 0.6))
    assert math.isnan(dial.break_even_dice([made_up(0.9, 1.5, 4.0), made_up(0.95, 2.0, 4.0)]))


def test_volumes_that_are_not_there_are_left_out_with_a_reason(tmp_path):
    sets, left_out = mask_sets(tmp_path, is_short=True)
    assert [one.name for one in sets] == ["structures in pictures"]
    assert [reason.partition(":")[0] for reason in left_out] == ["lesions of the brain", "organs of a torso"]
