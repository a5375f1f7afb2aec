"""Active learning: areas by hand, batches that find the planted image, a planted effect, and none where labels teach nothing.

Planted once and seen to fail: areas up to each strategy's own effort; the baseline's mean in place of its pair; an empty image
at no cost; doubt of the surest.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.config.study import learning
from labelhub.config.study.learning import BASELINE, STRATEGIES, Curve, Pool, Rounds
from labelhub.config.study.pixel_model import PixelLearner, descriptions, filters
from labelhub.config.study.running import Plan
from labelhub.numerics.effort import EffortCosts

# No database is asked.
pytestmark = pytest.mark.once


def curve(strategy, seed, seconds, dice):
    n = np.arange(1, len(seconds) + 1) * 2
    return Curve(strategy, seed, np.array(seconds, dtype=float), n, np.array(dice, dtype=float))


def test_an_area_is_the_mean_height_of_the_line_up_to_the_effort():
    one = curve("x", 0, [10, 20, 40], [0.0, 0.5, 0.9])
    assert learning.area(one, 20) == pytest.approx(0.25)
    assert learning.area(one, 30) == pytest.approx((10 * 0.25 + 10 * 0.6) / 20)
    assert learning.area(one, 40) == pytest.approx((10 * 0.25 + 20 * 0.7) / 30)
    assert learning.area(one, 5) == 0.0
    assert learning.area(one, 6, over="images") == pytest.approx((0.25 + 0.7) / 2)


def test_strategies_are_compared_over_the_effort_that_all_reached_and_within_seeds():
    curves = [
        curve(BASELINE, 0, [10, 20], [0.2, 0.4]), curve("entropy", 0, [10, 40], [0.2, 1.0]),
        curve(BASELINE, 1, [10, 20], [0.6, 0.8]), curve("entropy", 1, [10, 40], [0.7, 1.0]),
    ]  # fmt: skip
    found = learning.areas(curves)
    # Up to 20 seconds the second line has come a third of its way.
    assert found["entropy"][0] == pytest.approx((0.2 + 0.2 + 0.8 / 3) / 2)
    gain = learning.gains(curves)["entropy"]
    differences = found["entropy"] - found[BASELINE]
    assert gain.value == pytest.approx(differences.mean())
    assert gain.n == 2
    reach = 12.706 * differences.std(ddof=1) / np.sqrt(2)
    assert gain.high - gain.value == pytest.approx(reach, rel=1e-3)


def test_an_image_costs_opening_and_drawing_and_an_empty_one_a_look():
    mask = np.zeros((20, 20), dtype=bool)
    assert learning.labelling_seconds(mask) == 4.0
    mask[5:15, 5:15] = True
    assert learning.labelling_seconds(mask) == pytest.approx(2 + 0.12 * 36)
    assert learning.labelling_seconds(mask, EffortCosts(open_s=0.0, draw_s_per_px=1.0)) == 36


class Planted:
    """A learner that knows the structures of images labelled before, and doubts exactly those images that hold one."""

    def __init__(self, images):
        self.images = images

    def predictions(self, labelled, masks, asked, seed):
        known = sum(mask.any() for mask in masks)
        share = min(known / 8, 1.0)
        rng = np.random.default_rng(seed)
        found = np.empty((2, len(asked), *self.images.shape[1:]))
        for place, image in enumerate(asked):
            holds = self.images[image] > 0.5
            # The first pixels of a structure are found; more where more structures were labelled.
            order = np.cumsum(holds.ravel()).reshape(holds.shape)
            inside = holds & (order <= share * holds.sum())
            found[:, place] = np.where(inside, 0.9, np.where(holds, 0.4, 0.02)) + rng.uniform(0, 0.01)
        found[1] = np.where(found[1] > 0.3, found[1] - 0.2, found[1])
        # A false alarm in every image: predicted foreground tells nothing.
        found[:, :, 0, 0] = 0.9
        return np.clip(found, 0, 1)


class Deaf(Planted):
    """The null: what is labelled changes nothing."""

    def predictions(self, labelled, masks, asked, seed):
        return super().predictions(labelled, np.ones((3, 2, 2), dtype=bool), asked, 0)


@pytest.fixture(scope="module")
def pool():
    """Sixty images of which a sixth holds a square; every third image is held out."""
    images = np.zeros((60, 10, 10))
    images[::6, 2:7, 3:8] = 1.0
    masks = images > 0.5
    held_out = np.arange(60) % 5 == 0
    return Pool(
        "made up", "squares", images, masks, np.full(60, 5.0), np.nonzero(~held_out)[0], np.nonzero(held_out)[0]
    )


def curves_of(pool, learner, strategies=STRATEGIES, seeds=range(5)):
    return [
        learning.learned_curve(pool, learner(pool.images), one, seed, Rounds(3, 2, 3))
        for one in strategies
        for seed in seeds
    ]


def test_a_planted_effect_is_found(pool):
    found = learning.gains(curves_of(pool, Planted, (BASELINE, "by lot", "entropy", "BALD")))
    assert found["entropy"].low > 0
    assert found["BALD"].low > 0
    assert found["by lot"].low < 0 < found["by lot"].high, "both draw by lot here"


def test_where_labels_teach_nothing_no_strategy_differs(pool):
    found = learning.gains(curves_of(pool, Deaf, seeds=range(2)))
    assert {one.value for one in found.values()} == {0.0}
    assert len(found) == len(STRATEGIES) - 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_labels_other_images_of_the_pool_each_time(pool, strategy):
    learner = Planted(pool.images)
    seen = learner.predictions([0], pool.masks[:1], pool.pool.tolist(), 0)
    chosen = learning.chosen_batch(
        strategy, seen, descriptions(pool.images)[pool.pool], [0, 1, 2], 6, 2.0, np.random.default_rng(0)
    )
    assert len(set(chosen)) == 6
    assert not set(chosen) & {0, 1, 2}
    again = learning.chosen_batch(
        strategy, seen, descriptions(pool.images)[pool.pool], [0, 1, 2], 6, 2.0, np.random.default_rng(0)
    )
    assert chosen == again
    if strategy in ("entropy", "margin", "BALD"):
        holds = pool.masks[pool.pool].any(axis=(1, 2))
        assert all(holds[list(chosen)]), "what is doubtful is what holds something"


def test_foreground_is_what_is_predicted_and_not_what_is_true():
    members = np.zeros((2, 9, 4, 4))
    members[:, 7, 0, 0] = 0.9
    firsts = {
        learning.chosen_batch(BASELINE, members, np.zeros((9, 2)), [0], 1, 1.0, np.random.default_rng(seed))
        for seed in range(20)
    }
    assert firsts == {(7,)}


def test_all_strategies_of_a_seed_start_alike(pool):
    starts = {tuple(learning._start(pool, 3, 4)) for _ in STRATEGIES}
    assert len(starts) == 1
    assert pool.masks[pool.pool[list(starts.pop())]].any()


def test_dice_is_over_all_pixels_together():
    predicted = np.zeros((2, 4, 4), dtype=bool)
    true = predicted.copy()
    assert learning.pooled_dice(predicted, true) == 1.0
    predicted[0, 0, :2], true[0, 0, 1:3] = True, True
    predicted[1, 0, 0] = True
    assert learning.pooled_dice(predicted, true) == pytest.approx(2 * 1 / (3 + 2))


def test_the_pixel_model_learns_squares_and_its_members_differ():
    rng = np.random.default_rng(0)
    images = rng.normal(0, 0.2, (16, 24, 24))
    masks = np.zeros(images.shape, dtype=bool)
    for image, mask in zip(images, masks, strict=True):
        y, x = rng.integers(3, 13, 2)
        mask[y : y + 8, x : x + 8] = True
        image[mask] += 2.0
    learner = PixelLearner(images)
    members = learner.predictions(range(8), masks[:8], range(8, 16), 0)
    assert members.shape == (4, 8, 24, 24)
    assert learning.pooled_dice(members.mean(axis=0) > 0.5, masks[8:]) > 0.9
    assert np.ptp(members, axis=0).max() > 0.01
    assert np.array_equal(members, learner.predictions(range(8), masks[:8], range(8, 16), 0))
    nothing = learner.predictions([0], np.zeros((1, 24, 24), dtype=bool), [1], 0)
    assert nothing.max() < 0.5, "who has seen no structure finds none"
    assert descriptions(images).shape == (16, 3 * filters(images[0]).shape[-1])


def test_a_pool_of_real_pictures_holds_whole_pictures_out():
    pools, left_out = learning.pools_of(Plan(is_short=True))
    assert [one.name for one in pools] == ["structures in pictures", "rare dark structures"]
    assert all(not set(one.pool) & set(one.held_out) and len(one.held_out) for one in pools)
    rare = pools[1]
    assert 0 < rare.masks.any(axis=(1, 2)).mean() < 0.5
    assert len(left_out) == 1
