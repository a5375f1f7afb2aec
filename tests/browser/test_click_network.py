"""A trained network answers clicks in Chromium: chosen beside the picture's own ways, kept, and told from a drawing tool.

Planted and seen to fail: what a model proposed kept as if a tool had; the choice offered where the policy shows nothing of
models.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.conf import settings

from labelhub.annotations.models import Operation, Submission
from labelhub.assignments.models import Assignment
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.inference import wiring
from labelhub.inference.deepedit import Example, train_clicks
from labelhub.inference.networks import weights_of
from labelhub.predictions.assist import socket_path
from labelhub.predictions.services import register_click_network
from tests.browser.drawing import saved, start
from tests.browser.test_assist import keep, press, proposed
from tests.cast import Cast, make_cast
from tests.inference.assistants import running
from tests.inference.test_deepedit import DESIGN, SIDE, middle, scene
from tests.workflow.walking import set_policy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
assert wiring


@pytest.fixture(scope="module")
def weights() -> bytes:
    rng = np.random.default_rng(2)
    examples = []
    for _ in range(24):
        grey, one, other = scene(rng)
        examples += [Example(grey, one), Example(grey, other)]
    return weights_of(train_clicks(DESIGN, examples, rng=rng, steps=220, rate=4e-3))


@pytest.fixture
def people(transactional_db, weights) -> Cast:
    cast = make_cast()
    set_policy(cast, readers=1, drafts="asked", draft_withheld_share=0.0, draft_seed_share=0.0)
    register_click_network(
        project=cast.project, name="Clicks", design=DESIGN, weights=weights, label="lesion", by="test"
    )
    grey, _, _ = scene(np.random.default_rng(11))
    add_photograph(
        project=cast.project, pixels=np.clip(grey[0], 0, 255).astype(np.uint8), identity=ItemIdentity(), source_id="s"
    )
    return cast


def opened(visit_as: Any, cast: Cast) -> Any:
    page = visit_as(cast.ann, "/label/")
    start(page)
    page.keyboard.press("3")
    page.keyboard.press("Shift+M")
    page.locator("#option-mode").wait_for()
    return page


def share_of(page: Any, mask: np.ndarray) -> tuple[float, float]:
    """Where the middle of a mask lies on the stage, which shows the whole picture with a margin of 12 px."""
    box = page.locator("#canvas").bounding_box()
    scale = (min(box["width"], box["height"]) - 24) / SIDE
    _, y, x = middle(mask)
    return tuple(
        0.5 + (place + 0.5 - SIDE / 2) * scale / side for place, side in ((x, box["width"]), (y, box["height"]))
    )


def test_a_model_is_chosen_answers_clicks_and_the_reading_is_an_assisted_one(visit_as, people):
    _, one, other = scene(np.random.default_rng(11))
    with running(socket_path(settings.ENVIRONMENT.var), limit_s=120.0):
        page = opened(visit_as, people)
        assert Assignment.objects.get().read_kind == "independent"
        page.select_option("#option-by", "model")
        press(page, *share_of(page, one))
        first = proposed(page)
        press(page, *share_of(page, other), outside=True)
        page.locator("#proposal-text", has_text=f"Adds {first}").wait_for(state="hidden")
        n = proposed(page)
        assert 0.5 < n / one.sum() < 1.6, "the disc that was pointed at, and not its twin"
        assert Assignment.objects.get().read_kind == "assisted", "from the first proposal on"
        keep(page, 1)
        (operation,) = Operation.objects.all()
        assert (operation.kind, operation.payload["source"]) == ("patch.add", "model")
        saved(page)
        with page.expect_navigation():
            page.keyboard.press("Control+Enter")
    assert Submission.objects.get().read_kind == "assisted"


def test_where_the_policy_shows_nothing_of_models_only_the_picture_answers(visit_as, people):
    set_policy(people, readers=1, drafts="no")
    with running(socket_path(settings.ENVIRONMENT.var)):
        page = opened(visit_as, people)
        assert page.locator("#option-by").count() == 0
        press(page, 0.3, 0.5)
        page.locator("#proposal, #option-note").first.wait_for()
    assert Assignment.objects.get().read_kind == "independent"
