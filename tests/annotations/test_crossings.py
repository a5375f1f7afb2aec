"""Outlines of many corners: what crosses itself is refused, what is none is taken, and a tangle is looked at for no long time.

Planted once and seen to fail: pairs of boxes that are not counted; a crossing within a tangle that is not looked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from labelhub.annotations import crossings
from labelhub.annotations.crossings import form_of, overlapping_pairs
from labelhub.annotations.errors import OperationRefused
from labelhub.annotations.geometry import checked_regions
from tests.benchmarks.bench_outlines import SIDE, outlines

ANSWERS = {
    "round a thing, 40 lobes": "simple", "the same, two corners exchanged": "crossing", "spikes from a middle": "tangled",
    "a spiral of two sides": "simple", "a comb": "simple", "a slanted comb": "tangled", "corners anywhere": "crossing",
}  # fmt: skip
INTERVALS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30)


@pytest.mark.parametrize(("name", "form"), ANSWERS.items())
def test_twenty_thousand_corners_of_any_form(name: str, form: str, monkeypatch):
    ring = outlines(20_000)[name]
    asked: list[int] = []
    is_simple = shapely.is_simple

    def noted(shape):
        asked.append(1)
        return is_simple(shape)

    monkeypatch.setattr(crossings.shapely, "is_simple", noted)
    assert form_of(ring) == form
    # Whether the long look was taken is what costs; a timed test would say how busy the machine is.
    assert len(asked) == (0 if name in ("spikes from a middle", "a slanted comb", "corners anywhere") else 1)


def test_a_tangle_is_refused_in_words_and_a_small_one_taken():
    def send(ring: NDArray[np.float64]) -> Any:
        return checked_regions([{"kind": "polygon", "points": ring.tolist()}], (1, SIDE, SIDE), {"polygon"})

    with pytest.raises(OperationRefused, match="goes to and fro too often") as refusal:
        send(outlines(20_000)["a slanted comb"])
    assert refusal.value.code == "tangled"
    assert len(send(outlines(1_500)["a slanted comb"])[0]["points"]) == 1_500


@settings(max_examples=200, deadline=None)
@given(INTERVALS)
def test_pairs_are_counted_as_by_looking_at_each(ends):
    low, high = np.sort(np.array(ends, dtype=np.float64), axis=1).T
    slow = sum(low[i] <= high[j] and low[j] <= high[i] for i in range(len(low)) for j in range(i + 1, len(low)))
    assert overlapping_pairs(low, high) == slow


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=9, unique=True))
def test_an_outline_is_simple_where_no_two_of_its_sides_meet(corners):
    """Against each pair of sides by itself, in whole numbers."""
    ring = np.array(corners, dtype=np.float64)
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
    n = len(sides)
    meets = any(
        _meet(sides[i], sides[j], (j - i) % n == 1 or (i - j) % n == 1) for i in range(n) for j in range(i + 1, n)
    )
    assert form_of(ring) == ("crossing" if meets else "simple")


def _meet(one: Any, other: Any, are_neighbours: bool) -> bool:
    """Whether two sides have a place in common, beside the corner of neighbours."""
    (a, b), (c, d) = one, other

    def side(p: Any, q: Any, r: Any) -> int:
        return int(np.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])))

    def on(p: Any, q: Any, r: Any) -> bool:
        return side(p, q, r) == 0 and all(min(p[k], q[k]) <= r[k] <= max(p[k], q[k]) for k in (0, 1))

    if are_neighbours:
        shared, far_one, far_other = (b, a, d) if b == c else (a, b, c)
        return on(shared, far_one, far_other) or on(shared, far_other, far_one)
    crosses = side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
    return crosses or on(a, b, c) or on(a, b, d) or on(c, d, a) or on(c, d, b)
