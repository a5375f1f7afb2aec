"""A reviewer settles an item with three readers who disagree, region by region, on a photograph and on a volume."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.consensus.models import SettledShape
from labelhub.consensus.provenance import read_provenance
from labelhub.consensus.selectors import current_settlement, readings_of_settlements
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Shape
from labelhub.projects.selectors import current_ontology, labeler_of
from labelhub.projects.services import publish_ontology
from labelhub.reviews.error_models import ObjectVerdict
from labelhub.reviews.models import MatterAnswer
from labelhub.workflow import lifecycle
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, new_annotator, set_policy, store

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SIZE = (8, 40, 40)


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    set_policy(cast, readers=3, max_readers=3, use_model=False)
    return cast


def decide(page: Any, key: str) -> None:
    """Answer the matter in question, and wait until the server has it."""
    with page.expect_response("**/matters/answer/") as answered:
        page.keyboard.press(key)
    assert answered.value.status == 200, answered.value.text()


def test_a_photograph_is_settled_region_by_region_with_the_keyboard_alone(visit_as, people):
    item = add_item(people.project)
    cleo = new_annotator(people, "Cleo")
    store(people, item, people.ann, (8, 8, 16), (40, 8, 14))
    store(people, item, people.ben, (8, 8, 16), (40, 40, 14))
    store(people, item, cleo, (8, 8, 16), (8, 40, 15))
    assert Item.objects.get(pk=item.pk).state == "review"
    page = visit_as(people.rita, f"/review/cells/{item.code}/")
    page.wait_for_selector(".matter[aria-current]")
    assert page.locator(".matter").count() == 3
    assert page.locator("[data-settle]").is_disabled()
    # Largest first: what Cleo alone marked, then Ann's and Ben's.
    decide(page, "3")
    page.locator(".matter").nth(1).and_(page.locator("[aria-current]")).wait_for()
    decide(page, "0")
    page.locator(".matter").nth(2).and_(page.locator("[aria-current]")).wait_for()
    decide(page, "m")
    page.locator("[data-settle]:enabled").wait_for()
    assert "3 of 3 decided" in page.locator("[data-progress-words]").inner_text()
    page.keyboard.press("t")
    page.wait_for_url("**/review/?project=*")
    settlement = current_settlement(item)
    assert settlement is not None
    labels = sorted(SettledShape.objects.filter(settlement=settlement).values_list("label", flat=True))
    assert labels == ["ignore", "nucleus", "nucleus"]
    assert [row.how for row in read_provenance(settlement.provenance)] == ["method", "reading", "method", "ambiguous"]


def test_a_correction_is_drawn_in_the_region_and_shows_in_the_result(visit_as, people):
    item = add_item(people.project)
    for user, square in (
        (people.ann, (20, 20, 20)),
        (people.ben, (20, 20, 20)),
        (new_annotator(people, "Cleo"), (20, 20, 40)),
    ):
        store(people, item, user, square)
    page = visit_as(people.rita, f"/review/cells/{item.code}/")
    page.wait_for_selector(".matter[aria-current]")
    page.wait_for_timeout(500)
    page.keyboard.press("w")
    page.locator("[data-lasso]").wait_for()
    page.locator("canvas").first.focus()
    box = page.locator("canvas").first.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    for dx, dy in ((60, 0), (60, 60), (0, 60), (0, 0)):
        page.mouse.move(middle[0] + dx, middle[1] + dy, steps=4)
    page.mouse.up()
    assert "1 outline" in page.locator("[data-drawn-count]").inner_text()
    decide(page, "Enter")
    page.locator("[data-settle]:enabled").wait_for()
    page.keyboard.press("t")
    page.wait_for_url("**/review/?project=*")
    rows = read_provenance(current_settlement(item).provenance)
    assert rows[-1].how == "drawn"
    assert rows[-1].n_changed


def test_a_volume_is_settled_region_by_region(visit_as, people):
    _, ontology = current_ontology(people.project)
    painted = replace(ontology, classes=tuple(replace(entry, tool="brush") for entry in ontology.classes))
    publish_ontology(project=people.project, ontology=painted, by=people.ada)
    pixels = np.random.default_rng(1).integers(0, 200, SIZE, dtype=np.int16)
    item = add_volume(
        project=people.project, pixels=pixels, grid=Grid(SIZE, (2.0, 1.0, 1.0)), identity=ItemIdentity(subject="p1"),
        source_id="v1",
    )  # fmt: skip
    everyone = [people.ann, people.ben, new_annotator(people, "Cleo")]
    for place, user in enumerate(everyone):
        voxels = np.zeros(SIZE, dtype=bool)
        voxels[1:6, 8:22, 8:22] = True
        if place == 2:
            voxels[2:6, 26:38, 26:38] = True
        shape = Shape("m", "nucleus", mask=MaskRegion(voxels))
        reading = Reading(item.code, user.username, (shape,), read_kind="independent", planned_blind=True)
        lifecycle.record_reading(item=item, labeler=labeler_of(user, people.project), reading=reading)
    item.refresh_from_db()
    if item.state != "review":
        Item.objects.filter(pk=item.pk).update(state="review")
    page = visit_as(people.rita, f"/review/cells/{item.code}/")
    page.wait_for_selector(".matter[aria-current]")
    assert "mm³" in page.locator(".matter").first.inner_text()
    assert "slice" in page.locator("[data-place]").inner_text()
    decide(page, "3")
    page.locator("[data-settle]:enabled").wait_for()
    page.keyboard.press("t")
    page.wait_for_url("**/review/?project=*")
    settlement = current_settlement(item)
    assert settlement is not None
    settled = readings_of_settlements([settlement])[0]
    mask = settled.shapes[0].mask
    assert mask is not None
    assert int(mask.voxels.sum()) == 5 * 14 * 14 + 4 * 12 * 12


def test_errors_of_objects_are_named_with_the_keyboard_alone_and_the_picture_stays_in_sight(visit_as, people):
    """Planted and seen to fail: keys that reach the matters instead; a row that stays; a picture that scrolls away."""
    item = add_item(people.project)
    cleo = new_annotator(people, "Cleo")
    store(people, item, people.ann, (8, 8, 16), (40, 40, 14))
    store(people, item, people.ben, (8, 8, 16), (40, 40, 14))
    store(people, item, cleo, (8, 8, 16), (8, 40, 14))
    Item.objects.filter(pk=item.pk).update(state="review")
    page = visit_as(people.rita, f"/review/cells/{item.code}/")
    page.wait_for_selector(".matter[aria-current]")
    page.keyboard.press("e")
    row = page.locator(".error-row[aria-current]")
    row.wait_for()
    assert "Against the label as you decided so far" in page.locator("[data-errors-say]").inner_text()
    proposed = [text.split("\n")[0] for text in page.locator(".errors-rows .error-row:visible").all_inner_texts()]
    assert sorted(proposed) == ["Extra", "Missing"]
    for place in ("canvas", ".error-acts"):
        box = page.locator(place).first.bounding_box()
        assert box["y"] >= 0, f"{place} is in sight"
        assert box["y"] + box["height"] <= 720, f"{place} is in sight"
    with page.expect_response("**/errors/judge/") as judged:
        page.keyboard.press("Enter")
    assert judged.value.status == 200
    page.locator("[data-errors-say]").filter(has_text="1 proposed").wait_for()
    with page.expect_response("**/errors/judge/"):
        page.keyboard.press("4")
    page.locator("[data-errors-say]").filter(has_text="Nothing is left to confirm").wait_for()
    said = dict(ObjectVerdict.objects.filter(item=item).values_list("proposed", "kind"))
    assert said in ({"extra": "extra", "missing": "boundary"}, {"missing": "missing", "extra": "boundary"})
    assert not MatterAnswer.objects.filter(item=item).exists(), "the keys are those of the errors"
    page.keyboard.press("Backspace")
    page.locator(".error-row[aria-current]").filter(has_text="No error").wait_for()
    page.keyboard.press("Escape")
    decide(page, "0")
    assert MatterAnswer.objects.filter(item=item).count() == 1
