"""Label errors left: equal effort, errors that are planted as said, found where they can be, and none found by lots.

Planted once and seen to fail: effort counted in items; the order turned round; a model that learned from the item it judges;
systematic masks as rare as the others.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.config.study import errors
from labelhub.config.study.errors import KINDS, Kind, Spoilt
from labelhub.config.study.material import Items

# No database is asked.
pytestmark = pytest.mark.once


def kind(name):
    return next(one for one in KINDS if one.name == name)


@pytest.fixture(autouse=True)
def nobody_slips(monkeypatch):
    monkeypatch.setattr(errors, "SECOND_ERROR", 0.0)


def test_doubt_that_is_right_leaves_nothing_and_lots_leave_what_they_leave():
    is_wrong = np.arange(100) < 20
    spoilt = Spoilt(is_wrong, is_wrong.astype(float), np.full(100, 4.0))
    found = errors.left_after(spoilt, 0.2, 0)
    assert found.routed == 0.0
    assert found.before == 0.2
    assert found.by_lot == pytest.approx(0.16, abs=0.01)
    assert errors.left_after(spoilt, 0.1, 0).routed == pytest.approx(0.1)
    assert found.lower_by == 1.0


def test_effort_is_seconds_and_not_items():
    is_wrong = np.arange(100) < 20
    dear = Spoilt(is_wrong, is_wrong.astype(float), np.where(is_wrong, 16.0, 4.0))
    # A fifth of 640 seconds is 128, which is eight of the dear ones.
    assert errors.left_after(dear, 0.2, 0).routed == pytest.approx(0.12)
    assert errors.left_after(dear, 0.3, 0).routed == pytest.approx(0.08)
    blind = errors.left_after(Spoilt(is_wrong, np.zeros(100), dear.seconds), 0.2, 0)
    assert blind.known == pytest.approx(0.12)
    assert blind.known < blind.routed


def test_doubt_by_lot_gains_nothing():
    """The null experiment, and a constant doubt as well."""
    rng = np.random.default_rng(0)
    gains = []
    for seed in range(30):
        is_wrong = rng.random(300) < 0.2
        gains.append(errors.left_after(Spoilt(is_wrong, rng.random(300), np.full(300, 4.0)), 0.2, seed).lower_by)
    assert abs(np.mean(gains)) < 3 * np.std(gains) / np.sqrt(30)
    same = [
        errors.left_after(Spoilt(is_wrong, np.zeros(300), np.full(300, 4.0)), 0.2, seed).lower_by for seed in range(30)
    ]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(30)


def test_who_looks_again_slips_now_and_then(monkeypatch):
    monkeypatch.setattr(errors, "SECOND_ERROR", 0.5)
    spoilt = Spoilt(np.zeros(400, dtype=bool), np.zeros(400), np.full(400, 4.0))
    found = errors.left_after(spoilt, 0.3, 1)
    assert found.routed == pytest.approx(0.15, abs=0.05)
    assert found.before == 0.0


def test_classes_are_spoilt_as_it_says():
    truth = np.repeat(np.arange(6), 50)
    rng = np.random.default_rng(1)
    for name in ("any other class", "a class for its neighbour"):
        given = errors.wrong_classes(name, truth, 6, 0.2, rng)
        assert np.mean(given != truth) == pytest.approx(0.2)
    assert set((given - truth)[given != truth] % 6) == {1}
    throughout = errors.wrong_classes("one class for another throughout", truth, 6, 0.15, rng)
    per_class = [np.mean(throughout[truth == number] != number) for number in range(6)]
    assert per_class == pytest.approx([0.8, 0.0, 0.1, 0.0, 0.0, 0.0])
    assert (throughout != truth).mean() == pytest.approx(0.15)


@pytest.mark.parametrize("name", [one.name for one in KINDS if one.of == "masks"])
def test_every_wrong_mask_is_wrong(name):
    mask = np.zeros((64, 64), dtype=bool)
    mask[20:44, 24:40] = True
    wrong = errors.wrong_mask(name, mask, np.random.default_rng(2))
    dice = 2 * (wrong & mask).sum() / (wrong.sum() + mask.sum())
    assert dice < 0.95
    if "too large" in name:
        assert (wrong | mask).sum() == wrong.sum() > mask.sum()
    if name == "half of it left out":
        assert 0 < wrong.sum() < mask.sum() == (wrong | mask).sum()
    if name == "nothing marked":
        assert not wrong.any()


def test_nobody_is_judged_by_a_model_that_learned_from_them():
    seen = []

    def work(others, own):
        seen.append((set(others.tolist()), set(own.tolist())))
        return own[:, None].astype(float)

    found = errors.cross_validated(23, work, np.random.default_rng(3))
    assert found[:, 0].tolist() == list(range(23))
    assert all(not others & own and len(others | own) == 23 for others, own in seen)
    assert sum(len(own) for _, own in seen) == 23


@pytest.fixture(scope="module")
def items():
    """Classes that can be told by their looks, and bright squares."""
    rng = np.random.default_rng(4)
    classes = np.repeat(np.arange(4), 40)
    looks = np.eye(4)[classes] * 3 + rng.normal(0, 0.7, (160, 4))
    images = rng.normal(0, 0.2, (40, 32, 32))
    masks = np.zeros(images.shape, dtype=bool)
    for image, mask in zip(images, masks, strict=True):
        y, x = rng.integers(6, 14, 2)
        mask[y : y + 12, x : x + 12] = True
        image[mask] += 2.0
    return Items(looks, classes, images, masks)


def gain(spoilt, seed=0):
    return errors.left_after(spoilt, errors.MAIN_BUDGET, seed).lower_by


def test_planted_errors_that_can_be_seen_are_found(items):
    assert np.mean([gain(errors.classes_spoilt(items, kind("any other class"), seed)) for seed in range(3)]) > 0.5
    assert gain(errors.masks_spoilt(items, kind("nothing marked"), 0)) > 0.15
    spoilt = errors.masks_spoilt(items, kind("beside it"), 0)
    assert spoilt.is_wrong.mean() == pytest.approx(errors.RATE)
    assert spoilt.seconds[spoilt.is_wrong].min() > spoilt.seconds[~spoilt.is_wrong].max() == 4.0


def test_what_most_labels_say_the_model_learns(items):
    random, systematic = (
        np.mean([gain(errors.classes_spoilt(items, kind(name), seed, 0.2), seed) for seed in range(3)])
        for name in ("any other class", "one class for another throughout")
    )
    assert systematic < random - 0.15
    masks = errors.masks_spoilt(items, kind("too large by 2 px, by most"), 0)
    assert masks.is_wrong.mean() == pytest.approx(2 / 3, abs=0.02)
    assert gain(masks) < errors.TARGET


def test_a_target_is_met_by_a_whole_interval():
    def outcome(*values):
        left = [[errors.Left(0.1 * (1 - value), 0.1, 0.12, 0.0)] * len(errors.BUDGETS) for value in values]
        return errors.Outcome(Kind("k", "masks", "s"), left)

    assert outcome(0.3, 0.31, 0.32).is_met
    assert not outcome(0.0, 0.3, 0.6).is_met
    found = outcome(0.2, 0.4)
    assert found.lower_by(0.2).value == pytest.approx(0.3)
    assert found.mean(0.2, "routed") == pytest.approx(0.07)
    words = errors._findings([outcome(0.3, 0.31, 0.32), outcome(0.0, 0.3, 0.6)])
    assert "1 of 2 kinds" in words[0]
    assert words[1].startswith("The target is missed, or not shown to be met, for k (30%")


def test_crops_of_pictures_have_known_classes():
    found = errors.real_items(is_short=True)
    assert set(np.bincount(found.classes)) == {8}
    assert np.isfinite(found.looks).all()
    assert found.masks.any(axis=(1, 2)).all()
