"""Which labels to trust, agreement of shapes beyond the mean, and readers against gold with few units.

Planted once and seen to fail: P(better) mirrored instead of complemented; the sign of the outline's offset; doubts that
leave out where the vote differs.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.analytics.panel_store import from_bytes, to_bytes
from labelhub.analytics.report import render
from labelhub.formats.shapes import QuestionSpec
from labelhub.scoring.panel import measure
from labelhub.scoring.panel_truth import MOST_DOUBTS
from tests.analyze.making import box, make_set, outline, rated, reading

KIND = QuestionSpec("kind", "nominal", ("a", "b"))


def crowd(n_items: int, accuracies: dict[str, float], seed: int = 0):
    """Answers of readers of given accuracy, and the true ones."""
    rng = np.random.default_rng(seed)
    truth = {f"i{n:03}": "ab"[rng.integers(0, 2)] for n in range(n_items)}
    other = {"a": "b", "b": "a"}
    table = {
        item: {name: true if rng.random() < share else other[true] for name, share in accuracies.items()}
        for item, true in truth.items()
    }
    return table, truth


def test_a_skilled_reader_is_believed_against_two_careless_ones_and_the_vote_is_told() -> None:
    table, truth = crowd(300, {"good": 0.97, "fair": 0.9, "poor": 0.6, "worse": 0.6})
    gold = make_set(rated({item: {"gold": true} for item, true in truth.items()}), questions=[KIND])
    panel = measure(make_set(rated(table), questions=[KIND]), gold=gold, n_resamples=50)
    (row,) = panel.truth
    assert row.about == "answers to kind"
    assert (row.n_units, row.n_raters, row.n_known) == (300, 4, 300)
    assert row.judged_by == "gold"
    assert row.is_corrected
    assert row.sure_right > 0.9
    assert row.n_differs > 0
    assert row.doubts
    assert all(doubt.confidence < 0.95 or doubt.vote != doubt.says for doubt in row.doubts)
    differing = [doubt for doubt in row.doubts if doubt.vote != doubt.says]
    assert len(differing) == min(row.n_differs, MOST_DOUBTS), "also where truth inference is sure"
    assert max(doubt.confidence for doubt in differing) > 0.95


def test_without_gold_held_out_answers_judge_and_nothing_is_corrected() -> None:
    table, _ = crowd(60, {"p": 0.9, "q": 0.9, "r": 0.9})
    (row,) = measure(make_set(rated(table), questions=[KIND]), n_resamples=50).truth
    assert (row.judged_by, row.is_corrected, row.n_known) == ("held-out answers", False, 0)


def test_too_few_labels_say_nothing() -> None:
    table, _ = crowd(5, {"p": 0.9, "q": 0.9})
    assert measure(make_set(rated(table), questions=[KIND]), n_resamples=50).truth == ()


def test_shares_are_pulled_together_and_chances_of_two_orders_add_up_to_one() -> None:
    table, truth = crowd(40, {"p": 0.95, "q": 0.8, "r": 0.6})
    few = {
        item: {**given, "new": truth[item]} if place < 4 else given for place, (item, given) in enumerate(table.items())
    }
    gold = make_set(rated({item: {"gold": true} for item, true in truth.items()}), questions=[KIND])
    panel = measure(make_set(rated(few), questions=[KIND]), gold=gold, n_resamples=50)
    numbers = {row.rater: {m.name: m.estimate for m in row.gold} for row in panel.labelers}
    plain, pulled = (numbers["new"][name] for name in ("answers right", "answers right, pulled towards all readers"))
    assert plain.value == 1.0
    assert pulled.value < 0.98
    assert pulled.n == 4
    better = {(row.first, row.second): row.measured.estimate.value for row in panel.pairs if "better" in row.about}
    assert better["p", "r"] > 0.95
    assert better["p", "r"] + better["r", "p"] == pytest.approx(1.0, abs=1e-6)


def test_an_outline_too_large_is_positive_against_gold() -> None:
    def square(low: float, high: float):
        return outline([(low, low), (high, low), (high, high), (low, high)])

    readings = [reading(f"i{n}", "large", square(48, 82)) for n in range(3)]
    readings += [reading(f"i{n}", "small", square(52, 78)) for n in range(3)]
    gold = make_set([reading(f"i{n}", "gold", square(50, 80)) for n in range(3)])
    panel = measure(make_set(readings), gold=gold, n_resamples=50)
    offsets = {
        row.rater: next(m.estimate for m in row.gold if m.name.startswith("outline against gold"))
        for row in panel.labelers
    }
    assert offsets["large"].value == pytest.approx(2.0, abs=0.2)
    assert offsets["small"].value == pytest.approx(-2.0, abs=0.2)


def test_alpha_of_shapes_comes_with_its_chance_and_a_ceiling() -> None:
    rng = np.random.default_rng(0)
    readings = []
    for number in range(12):
        x, y = rng.uniform(10, 150, 2)
        for name in ("p", "q", "r"):
            dx, dy = rng.normal(0, 1, 2)
            readings.append(reading(f"i{number}", name, box(x + dx, y + dy)))
    panel = measure(make_set(readings), n_resamples=100)
    (row,) = panel.shapes
    assert 0.8 < row.alpha.estimate.value < 1
    assert row.expected > 0.8
    assert row.baseline.startswith("cross-item")
    assert row.sigma == 1.0
    assert row.ceiling.estimate.value == pytest.approx(1 - row.observed, abs=0.02)
    assert from_bytes(to_bytes(panel)).shapes == panel.shapes


def test_one_object_in_all_has_no_chance() -> None:
    assert measure(make_set([reading("i", "p", box(5, 5)), reading("i", "q", box(6, 5))]), n_resamples=50).shapes == ()


def test_the_report_tells_both_and_escapes_names() -> None:
    table, _ = crowd(60, {"<b>p": 0.9, "q": 0.9, "r": 0.6})
    made = make_set([*rated(table), *(reading(f"i{n:03}", "s", box(5 * n, 5)) for n in range(3))], questions=[KIND])
    html = render(measure(made, n_resamples=50), made, title="Test")
    assert "Which labels to trust" in html
    assert "<b>p" not in html
