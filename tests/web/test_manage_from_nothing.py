"""Pages of the admin in a project in which nothing was read yet."""

from __future__ import annotations

import pytest

from labelhub.analytics.item_table import ItemFilter, item_page
from labelhub.projects.selectors import current_policy
from tests.cast import Cast, make_cast
from tests.web.world import add_item, read


@pytest.fixture
def cast(db) -> Cast:
    """A project of which nothing was read yet."""
    return make_cast()


def test_pages_of_the_list_meet_every_item_once_in_every_order(cast):
    items = [add_item(cast, source_id=f"task-{n}") for n in range(7)]
    read(cast, items[2], cast.ann, box=(1, 1, 9, 9))
    read(cast, items[2], cast.ben, box=(1, 1, 9, 9))
    for sort in ("changed", "-changed", "agreement", "-agreement", "readers", "-readers", "code", "-code", "priority"):
        seen, after = [], ""
        while True:
            page = item_page(cast.project, wanted=ItemFilter(), sort=sort, after=after, length=2)
            seen += [row.item.pk for row in page.rows]
            after = page.after
            if not after:
                break
        assert sorted(seen) == sorted(item.pk for item in items), sort
    first = item_page(cast.project, wanted=ItemFilter(), sort="agreement", length=1).rows[0]
    assert first.item == items[2], "an item without agreement comes after those with one"


def test_every_page_of_an_empty_project_says_what_to_do_next(cast, as_):
    for place in ("", "items/", "labelers/", "pairs/", "people/", "policy/", "ontology/", "releases/", "audit/"):
        answer = as_("ada").get(f"/manage/cells/{place}")
        assert answer.status_code == 200, place
    assert b"Bring data in" in as_("ada").get("/manage/cells/items/").content
    assert b"Nothing waits for you" in as_("rita").get("/review/").content


def test_a_changed_policy_is_a_new_version_and_an_unchanged_one_is_not(cast, as_):
    _, policy = current_policy(cast.project)
    form = {name: str(value) for name, value in policy.to_document().items() if not isinstance(value, bool)}
    form |= {"use_model": "1", "version": "1"}
    as_("ada").post("/manage/cells/policy/", form)
    assert current_policy(cast.project)[0].number == 1
    as_("ada").post("/manage/cells/policy/", form | {"readers": "3"})
    assert current_policy(cast.project)[0].number == 2
    refused = as_("ada").post("/manage/cells/policy/", form | {"readers": "900"})
    assert refused.status_code == 400
    assert b"readers is 900" in refused.content
    assert current_policy(cast.project)[0].number == 2
