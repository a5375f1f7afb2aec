"""R8, short: random lives of items, in memory against a second table and through the database. In full: `manage.py soak lives`.

Planted once and seen to fail: a move "excluded → reading" added to the table (first test), the count of filled reads off by
one (third test), and the state of an item written without ``move`` (third test).
"""

from __future__ import annotations

import pytest

from labelhub.catalog.models import Item
from labelhub.config.soak.lives import try_lives, walk_the_table
from labelhub.workflow import states
from labelhub.workflow.errors import IllegalMove, ItemChanged
from tests.cast import Cast
from tests.workflow.walking import add_item


def test_a_long_random_walk_in_memory_never_leaves_the_second_table():
    trial = walk_the_table(n=20_000, seed=20_240)
    print(trial.sentence)
    assert trial.failures == []
    assert trial.facts["taken"] > 1_000


def test_a_move_off_the_table_or_from_a_state_that_passed_is_refused(cast: Cast):
    item = add_item(cast.project)
    stale = Item.objects.get(pk=item.pk)
    with pytest.raises(IllegalMove):
        states.move(item=item, to="settled")
    states.move(item=item, to="reading")
    with pytest.raises(ItemChanged):
        states.move(item=stale, to="excluded")
    assert Item.objects.get(pk=item.pk).state == "reading"


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.once)])
def test_random_people_never_bring_an_item_into_a_state_that_cannot_be(seed: int):
    trial = try_lives(n=130, seed=seed)
    print(trial.sentence)
    assert trial.failures == []
    assert trial.facts["done, not refused"] > 40, "many acts were possible"
