"""Two people label one volume together in two browsers with brush, polygon and region growing, through a killed server and a
lost network: nothing is lost, each takes back only their own, and what is submitted is what both saw.

Planted once and seen to fail: a patch whose mask the colleague never fetches; an undo that takes back another's patch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labelhub.annotations import history
from labelhub.annotations.layers import paint_layers
from labelhub.annotations.models import Annotation, Document, Operation, Submission
from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment
from labelhub.catalog.blobs import read_blob
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.formats.mask_blob import decode_mask
from labelhub.formats.shapes import Grid
from labelhub.projects.selectors import labeler_of
from labelhub.workflow import lifecycle, together
from tests.browser.drawing import click_all, drag, saved
from tests.browser.test_together import opened, rows
from tests.cast import Cast, make_cast
from tests.workflow.walking import set_policy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SIZE = (15, 64, 80)


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    set_policy(cast, readers=1)
    return cast


@pytest.fixture
def work(people: Cast) -> Assignment:
    z, y, x = np.indices(SIZE)
    pixels = np.random.default_rng(4).normal(0, 8, SIZE)
    # A bright ball in the middle, which region growing finds.
    pixels[(4 * (z - 7)) ** 2 + (y - 32) ** 2 + (x - 40) ** 2 < 14**2] += 400
    grid = Grid(SIZE, (2.0, 0.5, 0.5), np.diag([-0.5, -0.5, 2.0, 1.0]))
    item = add_volume(
        project=people.project, pixels=pixels.astype(np.int16), grid=grid, window=(200, 600), identity=ItemIdentity()
    )
    make_batch(project=people.project, name="Together", items=[item], by="test", is_shared=True)
    found = lifecycle.hand_out(labeler=labeler_of(people.ann, people.project))
    assert found is not None
    together.join(assignment=found, by=people.ben)
    return found


def seen(page: Any) -> bytes:
    """The image as it stands on the screen, without anybody's pointer."""
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    page.mouse.move(2, 2)
    page.wait_for_timeout(600)
    # Who came back is said over the image for a moment.
    page.locator("#said").wait_for(state="hidden")
    return bytes(page.locator("#canvas").screenshot())


def grow(page: Any) -> None:
    page.keyboard.press("3")
    page.keyboard.press("m")
    click_all(page, (0.5, 0.5))
    page.locator("#proposal-keep").wait_for()
    page.locator("#proposal-text", has_text="Growing").wait_for(state="hidden")
    page.keyboard.press("Enter")


def test_brush_polygon_and_growing_through_a_killed_server_and_a_lost_network(visit_live, people, work, server):
    ann, ben = opened(visit_live, people.ann, work), opened(visit_live, people.ben, work)
    ann.keyboard.press("3")
    ann.keyboard.press("b")
    drag(ann, (0.25, 0.3), (0.35, 0.3))
    ben.keyboard.press("1")
    click_all(ben, (0.6, 0.2), (0.72, 0.2), (0.72, 0.35))
    ben.keyboard.press("Enter")
    for page in (ann, ben):
        rows(page, 2)
        saved(page)
    server.kill()
    drag(ann, (0.25, 0.7), (0.35, 0.7))
    ben.keyboard.press("3")
    ben.keyboard.press("b")
    drag(ben, (0.62, 0.7), (0.72, 0.7))
    ann.locator("#saved[data-status=offline]").wait_for()
    server.start()
    ben.context.set_offline(offline=True)
    drag(ben, (0.62, 0.78), (0.72, 0.78))
    ben.wait_for_timeout(400)
    ben.context.set_offline(offline=False)
    for page in (ann, ben):
        saved(page)
    grow(ann)
    saved(ann)
    ben.wait_for_timeout(800)
    saved(ben)
    assert Operation.objects.filter(kind="patch.add").exists()
    seqs = list(Operation.objects.order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))
    before, other = seen(ann), seen(ben)
    before = seen(ann)
    assert before == other
    ben.keyboard.press("z")
    saved(ben)
    undone = Operation.objects.order_by("-seq").first()
    assert (undone.kind, undone.author) == ("stroke.undo", people.ben)
    painted = Operation.objects.get(kind__endswith=".add", payload__stroke_id=undone.payload["stroke_id"])
    assert painted.author == people.ben
    assert seen(ann) != before
    ben.keyboard.press("Shift+Z")
    saved(ben)
    ann.wait_for_timeout(500)
    assert seen(ann) == seen(ben)
    document = Document.objects.get()
    state = history.state_of(document)
    wanted = paint_layers(state, {0: SIZE}, history.masks_of(document, state))[0, "lesion"]
    with ben.expect_navigation():
        ben.keyboard.press("Control+Enter")
    ann.locator("#saved[data-status=closed]").wait_for()
    frozen = Annotation.objects.get(submission=Submission.objects.get(), label="lesion")
    assert tuple(frozen.mask_origin) == wanted.origin
    assert np.array_equal(decode_mask(read_blob(frozen.mask)).astype(bool), wanted.voxels)
    assert Annotation.objects.filter(label="nucleus").count() == 1
