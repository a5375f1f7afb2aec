"""In what the readers of one item differ: the same lines from a set of readings and from stored scores.

Planted once and seen to fail: the entropy over the answers that occur in place of those that are possible; a pair of which only
one marked anything left out of the order; the sign of stored size differences not turned with the pair.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from labelhub.formats.shapes import AnnotationSet, Grid, ItemRecord, MaskRegion, QuestionSpec, Reading, Shape
from labelhub.scoring.item_disagreement import ItemDisagreement, StoredClass, of_stored
from labelhub.scoring.panel import measure
from labelhub.scoring.panel_item_parts import more_disputed_than

QUALITY = QuestionSpec("quality", "nominal", ("good", "fair", "poor", "none"))


def disc(radius: float, centre: float = 24.0) -> Shape:
    y, x = np.ogrid[:48, :48]
    return Shape("m", "organ", (), MaskRegion((((y - centre) ** 2 + (x - centre) ** 2) <= radius**2)[None], (0, 0, 0)))


def panel_of(*items: tuple[tuple[str, Shape | None], ...]):
    """A panel of items, each of them the answer and the outline of each reader."""
    records = tuple(ItemRecord(f"i{n}", f"i{n}", None, "image", (Grid((1, 48, 48)),)) for n in range(len(items)))
    readings = tuple(
        Reading(f"i{n}", f"r{k}", () if shape is None else (shape,), {"quality": said}, is_empty_read=shape is None,
                read_kind="independent", planned_blind=True)
        for n, readers in enumerate(items) for k, (said, shape) in enumerate(readers)
    )  # fmt: skip
    return measure(AnnotationSet("test", records, readings, ("organ",), (QUALITY,), empty_means="read-empty"),
                   n_resamples=50)  # fmt: skip


ALIKE = tuple(("good", disc(10)) for _ in range(3))
ONE_WIDE = (("good", disc(10)), ("good", disc(10)), ("poor", disc(16)))
ONE_EMPTY = (("good", disc(10)), ("good", disc(10)), ("good", None))


def test_the_reader_who_draws_too_large_is_named_with_the_disagreement_left_without_them():
    panel = panel_of(ALIKE, ONE_WIDE, ONE_EMPTY)
    wide = panel.items[1].parts
    assert wide.apart == "r2"
    assert wide.without == pytest.approx(0.0)
    assert wide.whole == pytest.approx(panel.items[1].disagreement)
    assert wide.hd95 == pytest.approx(6.0, abs=0.5)
    assert (wide.hd95_of, wide.hd95_unit, wide.size_of) == ("organ", "px", "organ")
    sizes = [disc(r).mask.voxels.sum() for r in (10, 10, 16)]
    assert wide.size_variation == pytest.approx(np.std(sizes, ddof=1) / np.mean(sizes))


def test_the_entropy_is_that_over_all_possible_answers():
    parts = panel_of(ALIKE, ONE_WIDE).items[1].parts
    expected = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)) / math.log(4)
    assert parts.entropy == pytest.approx(expected)
    assert parts.entropy_of == "quality"


def test_who_marked_nothing_has_no_distance_and_is_ranked_the_worst():
    panel = panel_of(ALIKE, ONE_WIDE, ONE_EMPTY)
    empty = panel.items[2].parts
    assert empty.n_only_one == 2
    assert empty.hd95 == 0.0, "of the two who drew"
    assert any("2 pairs of readers of whom only one marked it" in fact.value for fact in empty.facts())


def test_an_item_of_which_one_reader_marked_nothing_comes_after_every_distance():
    """Both are as similar on average; only the distance tells them apart, and of one pair there is none."""
    found = [ItemDisagreement(hd95=1.0), ItemDisagreement(hd95=40.0), ItemDisagreement(hd95=0.5, n_only_one=2)]
    assert more_disputed_than(found, [0.5, 0.5, 0.5]).tolist() == [0.25, 0.5, 0.75]


def test_the_order_of_items_follows_all_measures():
    shares = [row.parts.more_disputed_than for row in panel_of(ALIKE, ONE_WIDE, ALIKE).items]
    assert shares[1] == 1.0
    assert shares[0] == shares[2] == 0.25, "tied behind it"


def test_stored_scores_give_what_the_set_gives():
    """Sizes come from stored differences 2(a - b)/(a + b): 10, 10 and 16 wide, in whatever order the pairs stand."""
    sizes = [float(disc(r).mask.voxels.sum()) for r in (10, 10, 16)]
    difference = {(a, b): 2 * (sizes[a] - sizes[b]) / (sizes[a] + sizes[b]) for a, b in ((0, 1), (0, 2), (1, 2))}
    stored = StoredClass("organ", "px", {(0, 1): 0.0, (0, 2): 6.0, (1, 2): 6.0}, frozenset(), difference)
    found = of_stored(
        ["ann", "ben", "cleo"], similarity={(0, 1): 1.0, (0, 2): 0.4, (1, 2): 0.4}, classes=[stored],
        answers={"quality": ([0.0, 0.0, 2.0], 4)},
    )  # fmt: skip
    whole = panel_of(ALIKE, ONE_WIDE).items[1].parts
    assert (found.apart, found.hd95, found.hd95_of) == ("cleo", 6.0, "organ")
    assert found.size_variation == pytest.approx(whole.size_variation)
    assert found.entropy == pytest.approx(whole.entropy)
    assert found.without == 0.0
    assert found.whole == pytest.approx(0.4)


def test_a_reader_who_drew_nothing_has_size_0_whoever_comes_first():
    pairs = {(0, 1): -2.0, (0, 2): -2.0, (1, 2): 0.0}
    only_one = frozenset({(0, 1), (0, 2)})
    stored = StoredClass("organ", "px", {(1, 2): 1.0}, only_one, pairs)
    found = of_stored(["ann", "ben", "cleo"], similarity={}, classes=[stored], answers={})
    assert found.size_variation == pytest.approx(np.std([0, 1, 1], ddof=1) / np.mean([0, 1, 1]))
    assert (found.n_only_one, found.hd95, found.apart) == (2, 1.0, "")


def test_of_nothing_there_are_no_lines():
    assert of_stored([], similarity={}, classes=[], answers={}).facts() == ItemDisagreement().facts() == ()
