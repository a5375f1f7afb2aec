"""The Models page in a real Chromium: what a job makes stands there when it is done, and a training's course grows.

Planted and seen to fail: a row of a job that ends without a word; a course that is drawn once.
"""

from __future__ import annotations

from typing import Any

import pytest

from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.predictions.classical import NAME
from labelhub.predictions.models import TrainingPoint, TrainingRun
from labelhub.predictions.services import register_model
from labelhub.workflow.predicting import start_predictions
from labelhub.workflow.training_models import TRAINING_KIND
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PARAMETERS = {"classes": {"nucleus": {"polarity": "bright", "sigma": 0.5, "min_size": 20}}}


@pytest.fixture
def people(transactional_db) -> Cast:
    return make_cast()


def test_what_a_look_found_arrives_by_itself_and_an_open_form_stays(people: Cast, visit_as: Any):
    add_item(people.project)
    add_item(people.project)
    model = register_model(project=people.project, name="m", predictor=NAME, parameters=PARAMETERS, by="test")
    start_predictions(model=model, project=people.project, asked_by="test")
    page = visit_as(people.ada, "/manage/cells/models/")
    assert page.locator("#seen tbody td.number").first.inner_text() == "0"
    page.get_by_text("Bring a model").click()
    page.fill("#bundle-name", "Ours")
    run_pending(queues=["cpu"])
    page.wait_for_selector("#seen tbody td.number:has-text('2')")
    page.wait_for_selector("#seen >> text=Edge cases first")
    assert page.input_value("#bundle-name") == "Ours"
    assert page.locator("#bundle-name").is_visible()


def test_the_course_of_a_training_grows_while_its_table_is_open(people: Cast, visit_as: Any):
    job = Job.objects.create(kind=TRAINING_KIND, queue="gpu", project_id=people.project.pk, state=Job.State.QUEUED)
    run = TrainingRun.objects.create(project=people.project, name="t", release_number=1, job_id=job.pk)
    page = visit_as(people.ada, "/manage/cells/models/")
    for epoch in (1, 2):
        TrainingPoint.objects.create(run=run, fold=0, epoch=epoch, loss=1.0, held_out_dice=epoch / 4)
        page.wait_for_selector(f"#course >> text=epoch {epoch}")
        if epoch == 1:
            page.get_by_text("The same as a table").click()
    page.wait_for_selector("#course-rows tr:nth-child(2)")
    assert page.locator("#course-rows").is_visible()
    Job.objects.update(state=Job.State.CANCELLED)
    page.wait_for_selector("#course:not([hx-get])")
