"""Who is found copying is kept apart without anybody's click, an admin lifts it, and the same evidence never puts it back.

Planted once and seen to fail: a pair that only stands on a page; a pair that the next measure puts back although it was lifted.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from labelhub.analytics.selectors import standing_of
from labelhub.analytics.services import measure_project
from labelhub.annotations.plain import rater_key
from labelhub.audit.models import Event
from labelhub.catalog.models import Item
from labelhub.formats.shapes import Reading, Region, Shape
from labelhub.projects import teams
from labelhub.projects.models import KeptApart, Labeler
from labelhub.projects.selectors import labeler_of
from labelhub.workflow import lifecycle
from tests.cast import Cast
from tests.web.test_cases import N_ITEMS, ring, store
from tests.web.world import add_item
from tests.workflow.walking import next_for, set_policy


@pytest.fixture
def pair(cast: Cast) -> list[Labeler]:
    set_policy(cast, readers=3, max_readers=3, min_items=5)
    return sorted((labeler_of(user, cast.project) for user in (cast.ann, cast.ben)), key=lambda one: one.pk)


def copy(cast: Cast, pair: list[Labeler], n: int = N_ITEMS, name: str = "copied") -> list[Item]:
    items = [add_item(cast, source_id=f"{name}-{number}") for number in range(n)]
    for number, item in enumerate(items):
        for one in pair:
            store(item, one, ring(30 + number % 5, 30, 10.5))
    return items


def test_a_pair_found_copying_is_kept_apart_when_the_project_is_measured(cast, pair):
    items = copy(cast, pair)
    assert not KeptApart.objects.exists()
    measure_project(cast.project)
    measure_project(cast.project)
    found = KeptApart.objects.get()
    assert ([found.first, found.second], found.decided_by, found.ended_at) == (pair, "system", None)
    said = f"{N_ITEMS} of {N_ITEMS} outlines on {N_ITEMS} items the same to the last vertex"
    assert found.reason == f"Found copying: {said}"
    numbers = {"identical": N_ITEMS, "compared": N_ITEMS, "n_items": N_ITEMS}
    assert found.evidence == numbers | {"items": [item.code for item in items]}
    event = Event.objects.get(kind="pair.kept_apart")
    assert event.actor == "system"
    assert event.facts == numbers | {"first": pair[0].pk, "second": pair[1].pk}


def test_the_queue_gives_a_pair_found_copying_no_item_together(cast, pair):
    copy(cast, pair)
    item = add_item(cast, source_id="fresh")
    store(item, pair[0], ring(40, 40, 12))
    measure_project(cast.project)
    assert next_for(cast, cast.ben) is None
    teams.let_together(pair=KeptApart.objects.get(), by="test")
    assert next_for(cast, cast.ben).item == item


def test_two_identical_outlines_are_a_coincidence_and_keep_nobody_apart(cast, pair):
    copy(cast, pair, 2)
    measure_project(cast.project)
    assert not KeptApart.objects.exists()


def test_a_pair_that_was_let_together_is_kept_apart_again_by_three_further_items_alone(cast, pair):
    copy(cast, pair)
    measure_project(cast.project)
    teams.let_together(pair=KeptApart.objects.get(), by="test")
    measure_project(cast.project)
    copy(cast, pair, 2, "again")
    measure_project(cast.project)
    assert not teams.pairs_apart(cast.project).exists()
    copy(cast, pair, 1, "third")
    measure_project(cast.project)
    assert teams.pairs_apart(cast.project).get().evidence["n_items"] == N_ITEMS + 3


def test_what_both_handed_in_before_an_admin_let_them_together_never_counts(cast, pair):
    copy(cast, pair)
    earlier = teams.keep_apart(first=pair[0], second=pair[1], reason="said so", by="test")
    teams.let_together(pair=earlier, by="test")
    measure_project(cast.project)
    assert not teams.pairs_apart(cast.project).exists()
    KeptApart.objects.update(ended_at=earlier.since - timedelta(days=1))
    measure_project(cast.project)
    assert teams.pairs_apart(cast.project).exists()


def test_readings_that_were_not_made_independently_keep_nobody_apart(cast, pair):
    Item.objects.update(state=Item.State.EXCLUDED)
    for number in range(N_ITEMS):
        item = add_item(cast, source_id=f"shown-{number}")
        for one in pair:
            shape = Shape("s1", "nucleus", (Region("polygon", ring(30, 30, 10.5)),))
            reading = Reading(item.code, rater_key(one), (shape,), {"quality": "good"}, read_kind="unblinded")
            lifecycle.record_reading(item=item, labeler=one, reading=reading, is_routed=False)
    panel = measure_project(cast.project)
    assert panel.copies[0].is_suspicious
    assert not KeptApart.objects.exists()


def test_an_admin_sees_why_and_takes_it_back_and_annotators_see_nothing(cast, pair, as_):
    codes = [item.code for item in copy(cast, pair)]
    place = reverse("manage-teams", args=["cells"])
    page = as_("ada").get(place)
    [(found, href)] = page.context["pairs"]
    assert page.context["let_together"] == []
    assert all(code in href for code in codes)
    assert found.reason in page.content.decode()
    for one in pair:
        html = as_("ada").get(reverse("manage-labeler", args=["cells", one.pk])).content.decode()
        assert "Kept apart" in html
        assert "Keep them apart" not in html
    assert as_("ben").get(place).status_code == 403
    assert as_("ada").post(reverse("manage-teams-together", args=["cells", found.pk])).status_code == 302
    page = as_("ada").get(place)
    assert page.context["pairs"] == []
    [(again, _)] = page.context["let_together"]
    assert {again.first, again.second} == set(pair)
    assert "three further items" in page.content.decode()
    assert standing_of(cast.project) is not None
