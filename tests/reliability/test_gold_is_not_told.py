"""S2 (c), short: what a browser sees of an image, and when, does not tell hidden gold.

The short run models time by the questions asked of the database; the full one, `manage.py soak gold-classifier`, measures it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from labelhub.config.soak import gold_classifier, sights, telling
from labelhub.config.soak.frozen import frozen
from labelhub.config.soak.sights import one_reader_each
from labelhub.workflow import beat
from tests.web.test_access import API, PAGES

pytestmark = [pytest.mark.django_db, pytest.mark.once]
N_READS = 38
SEED = 20310106
EXCHANGES = 119


def look(seed: int) -> list[sights.Sight]:
    """Look at some forty images, some of them twice; the database is as it was afterwards."""
    from django.conf import settings
    from django.db import transaction
    from django.test import override_settings

    # Read for all tests of this module, before any of them has its own storage.
    plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with (
        override_settings(STORAGES={**settings.STORAGES, **plain}),
        transaction.atomic(),
        frozen(seed) as clock,
        sights.modelled_time() as watch,
    ):
        found = sights.look(n=N_READS, rng=np.random.default_rng(seed), watch=watch, frozen=clock)
        transaction.set_rollback(True)
    return found


@pytest.fixture(scope="module")
def seen(django_db_setup, django_db_blocker) -> list[sights.Sight]:
    """What was seen; read once."""
    with django_db_blocker.unblock():
        return look(SEED)


def told(entries: list[sights.Sight]) -> telling.Told:
    return gold_classifier.judge(entries, rng=np.random.default_rng(1), exchanges=EXCHANGES)


def test_nothing_that_is_seen_of_an_image_tells_gold(seen):
    """One run in a hundred looks telling by chance, as draws depend on the numbers of rows: it is then looked at again."""
    found = told(one_reader_each(seen, np.random.default_rng(SEED)))
    if found.p <= gold_classifier.LEAST_P:
        found = told(one_reader_each(look(SEED + 1), np.random.default_rng(SEED + 1)))
    print(found)
    assert found.n_of_kind >= 4
    assert found.n - found.n_of_kind >= 8
    assert found.p > gold_classifier.LEAST_P, found.most_telling


def with_header(entry: sights.Sight) -> None:
    entry.texts["slice, X-Read"] = "1"


def with_one_byte(entry: sights.Sight) -> None:
    entry.numbers["submitted, bytes"] += 1


def with_one_question(entry: sights.Sight) -> None:
    entry.numbers["document, ms"] += sights.QUESTION_S * 1000


def with_a_word(entry: sights.Sight) -> None:
    entry.texts["page, form"] = "0badf00d"


@pytest.mark.parametrize("plant", [with_header, with_one_byte, with_one_question, with_a_word])
def test_a_header_a_byte_a_question_or_a_word_that_only_gold_has_is_found(seen, plant: Callable[..., None]):
    """All readers of each image: of fewer sights, some exchange of labels does as well as the truth too often."""
    planted = [replace(entry, numbers=dict(entry.numbers), texts=dict(entry.texts)) for entry in seen]
    for entry in planted:
        if entry.is_gold:
            plant(entry)
    assert told(planted).p <= gold_classifier.LEAST_P


def test_the_area_is_that_of_a_worked_example():
    """Of the 3 x 2 pairs 4 stand in the right order and one is a tie: 4.5 of 6."""
    scores, kind = np.array([0.9, 0.8, 0.3, 0.3, 0.5]), np.array([True, True, True, False, False])
    value, spread, pairs = telling.area_under(scores, kind)
    assert value == pytest.approx(4.5 / 6)
    assert pairs == 6
    assert 0 < spread < 0.25
    assert np.isnan(telling.area_under(scores, np.ones(5, dtype=bool))[0])


def drawn(rng: np.random.Generator, n: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rng.normal(size=(n, 6)), rng.random(n) < 0.3, rng.integers(0, 3, n)


def test_labels_that_say_nothing_are_called_telling_no_more_often_than_stated():
    rng = np.random.default_rng(5)
    found = [telling.told_by(*drawn(rng), list("abcdef"), rng=rng, exchanges=39).p for _ in range(20)]
    assert np.mean(np.array(found) <= 0.1) <= 0.25
    assert 0.35 < np.mean(found) < 0.65


@pytest.mark.parametrize("rule", [lambda x: x[:, 2] > 0.6, lambda x: np.abs(x[:, 4]) < 0.4])
def test_a_line_and_a_band_are_found(rule):
    rng = np.random.default_rng(6)
    values, _, groups = drawn(rng, 120)
    found = telling.told_by(values, rule(values), groups, list("abcdef"), rng=rng, exchanges=99)
    assert found.p == pytest.approx(0.01)
    assert max(found.linear.value, found.stumps.value) > 0.85


def test_the_beats_double_and_the_first_is_long_enough_for_small_work():
    assert [beat.beat_after(s) for s in (0.0, 0.099, 0.1, 0.101, 0.35, 1.7)] == pytest.approx(
        [0.1, 0.1, 0.1, 0.2, 0.4, 3.2]
    )


def test_an_answer_and_a_refusal_both_come_on_a_beat(monkeypatch):
    now = [0.0]
    waits: list[float] = []
    monkeypatch.setattr(beat, "clock", lambda: now[0])
    monkeypatch.setattr(beat, "wait", waits.append)

    @beat.on_a_beat
    def act(takes: float, *, fails: bool = False) -> str:
        now[0] += takes
        if fails:
            raise ValueError("refused")
        return "done"

    assert act(0.03) == "done"
    with pytest.raises(ValueError, match="refused"):
        act(0.15, fails=True)
    assert waits == pytest.approx([0.07, 0.05])


# What neither hands out nor acts on an item: instructions that were read, words to reviewers, pins, the working copy; and
# what is no annotator's.
OFF_THE_BEAT = {
    "label-acknowledge", "label-thread-reply", "api-document", "api-heartbeat", "api-masks", "api-propose", "api-releases",
    "api-pins", "api-pin-said", "api-pin-turn",
}  # fmt: skip


def test_every_step_of_an_annotator_is_answered_on_a_beat():
    pages = {entry.name: entry.callback for entry in PAGES if str(entry.pattern).startswith("label/")}
    steps = {name: view for name, view in pages.items() if "POST" in view.access.methods}
    steps |= {entry.name: post for entry in API if (post := getattr(entry.callback.cls, "post", None)) is not None}
    assert len(steps) > 15
    assert {name for name, view in steps.items() if not hasattr(view, "is_on_a_beat")} == OFF_THE_BEAT
