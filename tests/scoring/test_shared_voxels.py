"""What two masks share is counted once, and never told of others.

Planted and seen to fail: counts kept by the ids of masks that are gone.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.formats.shapes import Grid, MaskRegion, Shape
from labelhub.scoring.extents import Extents, Reach, extent_of, similarity_table

SIZE = (1, 16, 16)
GRIDS = (Grid(SIZE, None, None),)


def shape(columns: int) -> Shape:
    mask = np.zeros(SIZE, dtype=np.bool_)
    mask[0, 2:10, :columns] = True
    return Shape(f"s{columns}", "nucleus", (), MaskRegion(mask, (0, 0, 0)))


def test_masks_that_come_to_the_ids_of_others_are_counted_themselves():
    kept = Extents()
    for _ in range(4):
        for columns in range(1, 12):
            first, second = extent_of(shape(columns), SIZE), extent_of(shape(12), SIZE)
            table = similarity_table([first], [second], GRIDS, 0.01, Reach(), kept.shared)
            assert table[0, 0] == pytest.approx(columns / 12)


def test_a_pair_is_counted_once():
    kept = Extents()
    both = [kept.of(one, SIZE) for one in (shape(6), shape(9))]
    assert similarity_table(both, both, GRIDS, 0.01, Reach(), kept.shared)[0, 1] == pytest.approx(6 / 9)
    # What was counted is believed: a pair whose count is said to be nothing is alike in nothing.
    kept.shared.update({key: (0, *masks) for key, (_, *masks) in kept.shared.items()})
    assert similarity_table(both, both, GRIDS, 0.01, Reach(), kept.shared)[0, 1] == 0
