"""A reading of a volume is returned, disputed, and read by a third person who saw no other: walked in Chromium, by the keys.

Planted and seen to fail: marks of masks without outlines; a third reader who is shown that there is a dispute; an outcome by
the returned reading's own author.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Shape
from labelhub.projects.selectors import current_ontology, labeler_of
from labelhub.projects.services import publish_ontology
from labelhub.reviews.models import Dispute, DisputeOutcome, ReworkTicket
from labelhub.workflow import lifecycle
from tests.browser.drawing import saved
from tests.cast import Cast, make_cast
from tests.workflow.walking import new_annotator, rule, set_policy, state, take

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("LABELHUB_SHOTS", "")
SIZE = (8, 40, 40)
READY = "#main[data-ready=yes]"
# Of which a third reader may be told nothing.
TELLING = ("Annabella", "Benvenuto", "Rita", "disput", "return", "Stop at the edge")


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    for user, name in ((cast.ann, "Annabella"), (cast.ben, "Benvenuto")):
        cast.project.labelers.filter(user=user).update(name=name)
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0, use_model=False, show_other_answers_on_rework=True)
    _, ontology = current_ontology(cast.project)
    painted = replace(ontology, classes=tuple(replace(entry, tool="brush") for entry in ontology.classes))
    publish_ontology(project=cast.project, ontology=painted, by=cast.ada)
    return cast


@pytest.fixture
def item(people) -> Item:
    """Annabella painted a block, Benvenuto another one in the same slices."""
    pixels = np.random.default_rng(1).integers(0, 200, SIZE, dtype=np.int16)
    row = add_volume(
        project=people.project, pixels=pixels, grid=Grid(SIZE, (2.0, 1.0, 1.0)), identity=ItemIdentity(subject="p1"),
        source_id="v1",
    )  # fmt: skip
    for user, at in ((people.ann, 4), (people.ben, 22)):
        read(people, row, user, at)
    assert state(row) == "review"
    return row


def read(cast: Cast, item: Item, user: Any, at: int) -> None:
    voxels = np.zeros(SIZE, dtype=bool)
    voxels[2:6, at : at + 14, at : at + 14] = True
    shape = Shape("m", "nucleus", mask=MaskRegion(voxels))
    reading = Reading(item.code, user.username, (shape,), read_kind="independent", planned_blind=True)
    lifecycle.record_reading(item=item, labeler=labeler_of(user, cast.project), reading=reading)


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"volume-{name}.png"))


def return_it(visit_as, cast: Cast, item: Item) -> None:
    page = visit_as(cast.rita, f"/review/cells/{item.code}/")
    page.wait_for_selector(".matter[aria-current]")
    page.get_by_role("radio", name="Annabella").check()
    page.keyboard.press("c")
    page.keyboard.type("Stop at the edge.")
    page.keyboard.press("Tab")
    page.keyboard.press("r")
    page.wait_for_url("**/review/?project=*")
    assert state(item) == "rework"


def dispute_it(visit_as, cast: Cast) -> None:
    work = take(cast, cast.ann)
    page = visit_as(cast.ann, f"/label/{work.pk}/")
    page.wait_for_selector(READY)
    page.wait_for_selector("#regions button")
    page.locator("#canvas").focus()
    page.keyboard.press("n")
    page.wait_for_selector("#regions button[aria-pressed=true]")
    page.wait_for_timeout(300)
    shot(page, "1-ticket")
    assert "slice" in page.locator("#regions").inner_text()
    outlines = ReworkTicket.objects.get(assignment=work).marks["outlines"]
    assert {line["whose"] for line in outlines} == {"own", "other"}
    assert {region["z"] for line in outlines for region in line["regions"]} == {2, 3, 4, 5}
    page.keyboard.press("d")
    page.wait_for_selector("#dispute-dialog[open]")
    page.keyboard.type("It is where I painted it.")
    page.locator("#dispute-form button[value=send]").click()
    page.wait_for_url(lambda url: "/label/?" in url)
    assert Dispute.objects.get().reason == "It is where I painted it."


def test_a_third_reader_who_is_told_nothing_decides_the_dispute_of_a_volume(visit_as, people, item):
    cleo = new_annotator(people, "Cleo")
    return_it(visit_as, people, item)
    dispute_it(visit_as, people)
    page = visit_as(cleo, "/label/?project=cells")
    received: list[str] = []
    page.on(
        "response",
        lambda answer: received.append(answer.text()) if "json" in answer.headers.get("content-type", "") else None,
    )
    page.keyboard.press("Enter")
    page.wait_for_selector(READY)
    page.wait_for_selector("#cover", state="hidden")
    assert page.locator("#code").inner_text() == item.code
    shot(page, "2-third")
    told = " ".join([page.locator("body").inner_text(), *received])
    assert [word for word in TELLING if word in told] == []
    page.keyboard.press("1")
    box = page.locator("#canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 60, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=12)
    page.mouse.up()
    saved(page)
    page.locator("#canvas").focus()
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url.endswith("/label/?project=cells") or "/label/?" in url)
    outcome = DisputeOutcome.objects.get()
    assert outcome.kind == "refuted", "one stroke is not what Annabella painted"
    assert outcome.read is not None
    assert outcome.read.assignment.labeler.user == cleo
    assert outcome.similarity < outcome.threshold


@pytest.mark.parametrize(("at", "kind"), [(4, "upheld"), (22, "refuted")])
def test_what_the_third_reader_painted_upholds_or_refutes(visit_as, people, item, at: int, kind: str):
    cleo = new_annotator(people, "Cleo")
    by_ann = item_reading(item, people)
    lifecycle.review(
        submission=by_ann, reviewer=people.rita, verdict="reject", score=None, comment="Stop at the edge.",
        request_id=by_ann.request_id,
    )  # fmt: skip
    lifecycle.dispute(assignment=take(people, people.ann), by=people.ann, reason="It is.")
    read(people, item, cleo, at)
    assert DisputeOutcome.objects.get().kind == kind
    assert (state(item), rule(item)) != ("reading", "disputed"), "the rules go on with what speaks now"


def item_reading(item: Item, cast: Cast) -> Submission:
    return Submission.objects.get(assignment__item=item, assignment__labeler__user=cast.ann)
