"""The models page: versions beside people, the time that drafts save, who catches planted errors.

Planted once and seen to fail: a version judged on what it learned from; the arms exchanged; times of work that asked for no
draft; drafts that are given back without a reason; nothing told of items that did not fit a version.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from labelhub.analytics.click_table import click_rows
from labelhub.analytics.draft_effects import draft_effect
from labelhub.analytics.model_table import model_rows
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.jobs.models import Job
from labelhub.jobs.services import sign_of_life
from labelhub.jobs.worker import run_pending
from labelhub.predictions import predictor, services
from labelhub.predictions.architectures import read_design
from labelhub.predictions.classical import NAME
from labelhub.predictions.models import Draft, ModelVersion, Prediction, TrainedItem, TrainingRun
from labelhub.predictions.preparation import Preparation
from labelhub.predictions.training_settings import TrainingSettings, read_training_settings
from labelhub.projects import teams
from labelhub.scoring.model_on_gold import score_on_gold
from labelhub.scoring.models import DraftsAgain, HelpedReading, Score
from labelhub.web.training_form import fields_of, recipe_words
from labelhub.workflow import bringing_models, lifecycle, predicting
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, labeler, new_annotator, set_policy, store

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

SQUARE, ELSEWHERE = (10, 10, 20), (40, 40, 15)
PARAMETERS = {"classes": {"nucleus": {"polarity": "bright", "sigma": 0.5, "min_size": 20}}}


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    set_policy(made, readers=2, drafts="asked")
    return made


def registered(cast: Cast) -> ModelVersion:
    return services.register_model(project=cast.project, name="m", predictor=NAME, parameters=PARAMETERS, by="test")


def page(cast: Cast, user: Any, place: str = "", **post: Any) -> Any:
    client = Client()
    client.force_login(user)
    address = f"/manage/{cast.project.slug}/models/{place}"
    return client.post(address, post) if post else client.get(address)


def helped(cast: Cast, user: Any, arm: str, seconds: float, *, caught: bool | None = None, why: str = "") -> Submission:
    """A reading of a new item by somebody who asked for a draft, with what became of a planted error."""
    kind = "independent" if arm == "withheld" else "assisted"
    submission = store(cast, add_item(cast.project), user, SQUARE, read_kind=kind, is_routed=False)
    Submission.objects.filter(pk=submission.pk).update(active_s=seconds)
    planted = {"kind": "grown"} if arm == "planted" else {}
    draft = Draft.objects.create(assignment=submission.assignment, arm=arm, why=why, planted=planted)
    if arm in ("shown", "planted"):
        HelpedReading.objects.create(
            submission=submission, draft=draft, similarity=0.9, is_unchanged=caught is False,
            kind="grown" if arm == "planted" else "", undone_share=None if caught is None else float(caught),
            is_caught=caught, method="test", method_version="1",
        )  # fmt: skip
    return submission


def test_a_version_stands_beside_people_on_the_same_items(cast: Cast):
    model = registered(cast)
    near, far, told = (add_item(cast.project) for _ in range(3))
    for item in (near, far, told):
        services.predict_item(model=model, item=item)
    for item, square in ((near, SQUARE), (far, ELSEWHERE), (told, ELSEWHERE)):
        for user in (cast.ann, cast.ben):
            store(cast, item, user, square)
    TrainedItem.objects.create(model=model, item=told)
    (row,) = model_rows(cast.project)
    assert (row.n_seen, row.n_learned, row.with_people.n, row.people.n) == (3, 1, 2, 2)
    # One item where it sees what they see, one where nothing of theirs is its.
    assert row.with_people.value == pytest.approx(0.5, abs=0.02)
    assert row.people.value == 1.0
    assert row.apart[0] == far.code
    # What a fold said of an item that was kept from it counts for the version that learned from all.
    fold = registered(cast)
    ModelVersion.objects.filter(pk=fold.pk).update(fold_of=model, fold=0)
    Score.objects.filter(item=told, about="model").update(
        prediction=Prediction.objects.create(model=fold, item=told, is_out_of_sample=True)
    )
    (row,) = model_rows(cast.project)
    assert row.with_people.n == 3
    assert row.with_people.value == pytest.approx(1 / 3, abs=0.02)
    number = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 7, "n_groups": 3}
    ModelVersion.objects.filter(pk=model.pk).update(
        metrics={
            "method": "held out",
            "classes": {"nucleus": {"dice": number, "readers": {"value": None, "reason": "none"}}},
        }
    )
    ((key, dice, readers),) = model_rows(cast.project)[0].held_out
    assert (key, dice.value, dice.n, readers.reason) == ("nucleus", 0.9, 7, "none")
    body = page(cast, cast.ada).content.decode()
    assert "m 1" in body
    assert far.code in body


def test_what_a_version_reaches_on_gold_is_told_of_items_it_did_not_learn_from(cast: Cast):
    model = registered(cast)
    near, far, told, plain = (add_item(cast.project) for _ in range(4))
    for item, square in ((near, SQUARE), (far, ELSEWHERE), (told, ELSEWHERE)):
        store(cast, item, cast.rita, square, is_gold=True)
    TrainedItem.objects.create(model=model, item=told)
    predicting.start_predictions(model=model, project=cast.project, asked_by="test")
    run_pending(queues=["cpu"])
    score_on_gold(services.predict_item(model=model, item=told))
    assert score_on_gold(services.predict_item(model=model, item=plain)) is None
    (row,) = model_rows(cast.project)
    assert row.on_gold.n == 2
    assert row.on_gold.value == pytest.approx(0.5, abs=0.02)
    before = Score.objects.count()
    score_on_gold(services.predict_item(model=model, item=near))
    assert Score.objects.count() == before


def test_time_saved_is_the_ratio_of_the_arms_that_a_lot_made(cast: Cast):
    rng = np.random.default_rng(4)
    for _ in range(30):
        helped(cast, cast.ann, "shown", float(rng.normal(20, 2)), caught=None)
        helped(cast, cast.ann, "withheld", float(rng.normal(60, 5)), why="compared")
    # What has no place in the comparison: other reasons, planted errors, work that asked for nothing.
    for _ in range(5):
        helped(cast, cast.ann, "withheld", 9000.0, why="exam")
        helped(cast, cast.ann, "planted", 9000.0, caught=True)
        store(cast, add_item(cast.project), cast.ann, SQUARE, is_routed=False)
    found = draft_effect(cast.project)
    assert (found.arms.asked, found.arms.shown, found.arms.compared, found.arms.other, found.arms.planted) == (
        70, 30, 30, 5, 5,
    )  # fmt: skip
    assert found.speed_up.value == pytest.approx(3.0, abs=0.15)
    assert found.speed_up.low < 3.0 < found.speed_up.high
    assert found.speed_up.n == 60
    assert found.saved_h.value == pytest.approx(30 * 40 / 3600, rel=0.1)
    assert (found.caught.value, found.caught.n) == (1.0, 5)
    assert found.unchanged.value == 0.0


def test_drafts_that_change_nothing_have_an_interval_around_one(cast: Cast):
    rng = np.random.default_rng(5)
    for _ in range(40):
        helped(cast, cast.ann, "shown", float(rng.normal(40, 8)))
        helped(cast, cast.ann, "withheld", float(rng.normal(40, 8)), why="compared")
    found = draft_effect(cast.project).speed_up
    assert found.low < 1.0 < found.high


def test_before_anybody_asked_every_number_says_why_there_is_none(cast: Cast):
    found = draft_effect(cast.project)
    assert [
        n.reason is not None for n in (found.with_draft, found.speed_up, found.saved_h, found.caught, found.near)
    ] == [True] * 5
    assert "Nobody asked for a draft yet" in page(cast, cast.ada).content.decode()
    assert "No model yet" in page(cast, cast.ada).content.decode()


def test_who_leans_is_named_with_a_way_back_that_needs_a_reason(cast: Cast):
    user = new_annotator(cast, "Leo")
    leo = labeler(cast, user)
    stood = [helped(cast, user, "planted", 30.0, caught=False) for _ in range(3)]
    body = page(cast, cast.ada).content.decode()
    assert "none since 3 errors" in body
    assert all(one.assignment.item.code in body for one in stood)
    assert page(cast, cast.ada, f"drafts/{leo.pk}/", reason=" ").status_code == 302
    assert not DraftsAgain.objects.exists()
    assert page(cast, cast.ada, f"drafts/{leo.pk}/", reason="We looked at them together.").status_code == 302
    body = page(cast, cast.ada).content.decode()
    assert "under test, 0 so far" in body


def test_a_version_is_let_loose_and_the_job_stands_on_the_page(cast: Cast):
    model = registered(cast)
    add_item(cast.project)
    assert page(cast, cast.ada, f"{model.pk}/look/", go="1").status_code == 302
    body = page(cast, cast.ada).content.decode()
    assert "A model looks at the project" in body
    assert "sign of life" not in body, "image analysis waits for no such worker"


class TakesHalf:
    """Was made for pictures whose first pixel is bright."""

    def __init__(self, parameters: Any) -> None:
        pass

    def predict(self, pixels: Any, grid: Any, ontology: Any) -> predictor.Seen:
        if pixels.flat[0] < 20:
            raise predictor.PictureDoesNotFit("the model takes bright pictures and the picture is dark")
        return predictor.Seen()


def test_what_did_not_fit_a_version_is_told_on_the_page_and_in_the_row_of_its_job(cast: Cast, monkeypatch):
    monkeypatch.setattr(predictor, "_factories", dict(predictor._factories))
    monkeypatch.setattr(predictor, "_everywhere", set(predictor._everywhere))
    predictor.register_predictor("takes-half", TakesHalf, runs_everywhere=True)
    model = services.register_model(project=cast.project, name="half", predictor="takes-half", parameters={}, by="test")
    items = [add_item(cast.project, seed=seed) for seed in range(8)]
    page(cast, cast.ada, f"{model.pk}/look/", go="1")
    run_pending(queues=["cpu"])
    codes = [item.code for item in items if not Prediction.objects.filter(item=item).exists()]
    assert 1 < len(codes) < 8
    job = Job.objects.get(kind=predicting.JOB_KIND)
    client = Client()
    client.force_login(cast.ada)
    row = client.get(f"/manage/{cast.project.slug}/jobs/{job.pk}/").content.decode()
    for body, words in (
        (page(cast, cast.ada).content.decode(), f"half 1 left out {len(codes)} items"),
        (row, f"{len(codes)} items were left out"),
    ):
        assert f"{words}: the model takes bright pictures and the picture is dark." in " ".join(body.split())
        assert "They would need a model that was made for such pictures." in body
        assert f"items/?codes={'%2C'.join(codes)}" in body


def test_a_network_of_unknown_origin_is_not_called_image_analysis(cast: Cast):
    design = read_design(
        "UNet", {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [2, 4], "strides": [2]}
    )
    services.register_network(
        project=cast.project, name="n", design=design, weights=b"w", classes=["", "nucleus"], preparation=Preparation(),
        by="test",
    )  # fmt: skip
    body = page(cast, cast.ada).content.decode()
    assert "nothing: image analysis" not in body
    assert "with dropout" not in body.partition('id="training"')[0]
    # Of the weights, which came without a name for what they were in.
    assert hashlib.sha256(b"w").hexdigest() in body
    registered(cast)
    assert page(cast, cast.ada).content.decode().count("nothing: image analysis") == 1
    services.register_network(
        project=cast.project, name="n", design=design, weights=b"w", classes=["", "nucleus"], by="test",
        preparation=Preparation(dropout_passes=12),
    )  # fmt: skip
    assert "doubt from 12 passes with dropout" in page(cast, cast.ada).content.decode()


def test_a_bundle_is_kept_for_a_worker_and_what_is_none_is_refused(cast: Cast):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("configs/metadata.json", "{}")
    assert (
        page(cast, cast.ada, "bring/", bundle=SimpleUploadedFile("a.zip", held.getvalue()), name="Ours").status_code
        == 302
    )
    job = Job.objects.get(kind="inference.import_bundle")
    assert (job.queue, job.arguments["name"]) == ("gpu", "Ours")
    body = page(cast, cast.ada).content.decode()
    assert "Reading a model that was brought" in body
    assert "No worker that runs networks gives a sign of life" in body
    client = Client()
    client.force_login(cast.ada)
    row = f"/manage/{cast.project.slug}/jobs/{job.pk}/"
    assert "sign of life" in client.get(row).content.decode()
    sign_of_life(worker="w", queues=["gpu"], note="")
    assert "sign of life" not in page(cast, cast.ada).content.decode()
    assert "sign of life" not in client.get(row).content.decode(), "it goes with the row, which asks each second"
    assert page(cast, cast.ada, "bring/", bundle=SimpleUploadedFile("b.zip", b"no zip"), name="").status_code == 302
    assert Job.objects.filter(kind="inference.import_bundle").count() == 1
    assert page(cast, cast.ada, "bring/", name="nothing chosen").status_code == 400


def test_what_the_maps_of_a_bundle_mean_is_told_in_its_form(cast: Cast):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("configs/metadata.json", "{}")
    sent = SimpleUploadedFile("a.zip", held.getvalue())
    page(cast, cast.ada, "bring/", bundle=sent, classes=" , nucleus,")
    assert Job.objects.get().arguments["classes"] == ["", "nucleus", ""]
    Job.objects.all().delete()
    sent.seek(0)
    page(cast, cast.ada, "bring/", bundle=sent, classes=" ")
    assert Job.objects.get().arguments["classes"] == []


def test_two_projects_bring_the_same_bundle_at_once(cast: Cast, tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("configs/metadata.json", "{}")
    for project in (cast.project, cast.other_project, cast.project):
        bringing_models.import_bundle(project=project, archive=archive, name="x", by="test")
    assert {job.project_id for job in Job.objects.all()} == {cast.project.pk, cast.other_project.pk}
    assert Job.objects.count() == 2


def test_networks_that_take_clicks_stand_with_what_pointing_reaches(cast: Cast):
    def figure(value: float) -> dict[str, Any]:
        return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 24, "n_groups": 8}

    design = read_design(
        "UNet", {"spatial_dims": 2, "in_channels": 3, "out_channels": 1, "channels": [2, 4], "strides": [2]}
    )
    items = [add_item(cast.project) for _ in range(3)]
    older, newer = (
        services.register_click_network(
            project=cast.project, name="Clicks", design=design, weights=bytes([number]), label="lesion", by="test",
            origin=services.Origin(learned_from=[item.pk for item in items], release_number=4),
        )
        for number in range(2)
    )  # fmt: skip
    assert TrainedItem.objects.filter(model=newer).count() == 3
    services.note_metrics(
        model=newer, by="test",
        metrics={
            "method": "clicks", "n_groups": 8, "clicks": {"0": figure(0.31), "1": figure(0.62), "5": figure(0.87)},
            "picture": {"1": figure(0.44), "5": figure(0.71)},
        },
    )  # fmt: skip
    first, second = click_rows(cast.project)
    assert (first.model, first.is_asked, second.model, second.is_asked) == (newer, True, older, False)
    assert [(one.n_clicks, one.network.value) for one in first.after] == [(0, 0.31), (1, 0.62), (5, 0.87)]
    assert (first.after[2].network.n, first.after[2].network.n_groups) == (24, 8)
    assert (first.after[0].picture, first.after[2].picture.value) == (None, 0.71)
    assert second.reason == "it was not trained here"
    body = page(cast, cast.ada).content.decode()
    assert "the one that the editor asks" in body
    assert "8 patients, held out in turn" in body
    assert "3 items of release 4" in body
    assert "0.87" in body
    assert "0.71" in body
    assert "not known: it was not trained here" in body


def test_what_kind_of_network_is_trained_is_chosen_in_the_form(cast: Cast):
    for user in (cast.ann, cast.ben):
        store(cast, add_item(cast.project) if user == cast.ann else Item.objects.latest("pk"), user, SQUARE)
    release = lifecycle.release(project=cast.project, formats=["coco"], note="", by=cast.ada)
    run_pending(queues=["cpu"])
    body = page(cast, cast.ada).content.decode()
    assert 'value="clicks:lesion"' in body
    assert 'value="clicks:nucleus"' not in body, "it is drawn as an outline"
    assert page(cast, cast.ada, "train/", release=str(release.number), kind="clicks:nucleus").status_code == 302
    assert not TrainingRun.objects.exists()
    assert page(cast, cast.ada, "train/", release=str(release.number), kind="clicks:lesion").status_code == 302
    run = TrainingRun.objects.get()
    assert (run.name, run.settings["kind"], run.settings["classes"]) == ("Clicks: lesion", "clicks", ["lesion"])
    Job.objects.update(state="cancelled")
    assert page(cast, cast.ada, "train/", release=str(release.number), kind="automatic").status_code == 302
    latest = TrainingRun.objects.latest("pk").settings
    assert (latest["kind"], latest["ensemble"]) == ("automatic", False)
    Job.objects.update(state="cancelled")
    page(cast, cast.ada, "train/", release=str(release.number), kind="automatic", ensemble="1")
    assert TrainingRun.objects.latest("pk").settings["ensemble"] is True


def test_a_training_is_set_in_the_form_refused_out_of_range_and_repeated_from_its_version(cast: Cast):
    for user in (cast.ann, cast.ben):
        store(cast, add_item(cast.project) if user == cast.ann else Item.objects.latest("pk"), user, SQUARE)
    number = str(lifecycle.release(project=cast.project, formats=["coco"], note="", by=cast.ada).number)
    run_pending(queues=["cpu"])
    body = page(cast, cast.ada).content.decode()
    usual = TrainingSettings()
    for field in fields_of(usual):
        assert f'name="{field.name}"' in body
        assert field.words.replace("'", "&#x27;") in " ".join(body.split())
    asked = {
        "release": number, "kind": "automatic", "more": "1", "effort": "medium", "folds": "5", "epochs": "7", "patience": "3",
        "seed": "11", "dropout": "0.2", "network": "SegResNet",
    }  # fmt: skip
    client = Client()
    client.force_login(cast.ada)
    address = f"/manage/{cast.project.slug}/models/train/"
    for name, typed, words in (
        ("folds", "1", "folds is a whole number from 2 to 10"), ("epochs", "", "epochs is a whole number from 1 to 2000"),
        ("seed", "-1", "seed is a whole number from 0"), ("dropout", "0.9", "dropout is a share from 0 to 0.8"),
        ("dropout", "nan", "dropout is a share"), ("effort", "huge", "effort is one of"),
        ("network", "VNet", "network is one of"),
    ):  # fmt: skip
        answer = client.post(address, asked | {name: typed}, follow=True)
        assert words in answer.content.decode()
    assert not TrainingRun.objects.exists()
    page(cast, cast.ada, "train/", **asked)
    run = TrainingRun.objects.get()
    kept = read_training_settings(run.settings)
    assert (kept.effort, kept.folds, kept.epochs, kept.patience, kept.seed, kept.dropout, kept.flips) == (
        "medium", 5, 7, 3, 11, 0.2, False,
    )  # fmt: skip
    assert kept.network == "SegResNet"
    model = registered(cast)
    ModelVersion.objects.filter(pk=model.pk).update(release_number=int(number))
    TrainedItem.objects.create(model=model, item=Item.objects.latest("pk"))
    # What no form shows is repeated, too.
    run.settings |= {"steps": 5, "classes": ["nucleus"]}
    TrainingRun.objects.update(model=model, settings=run.settings)
    Job.objects.update(state="cancelled")
    assert recipe_words(kept) in page(cast, cast.ada).content.decode()
    shown = client.get(f"/manage/{cast.project.slug}/models/?again={model.pk}")
    form = shown.context
    assert f'name="again" value="{model.pk}"' in shown.content.decode()
    again = {field.name: str(field.value) for field in form["more"] if field.kind != "switch"}
    page(
        cast,
        cast.ada,
        "train/",
        release=str(form["again"].release_number),
        kind=form["kind"],
        more="1",
        again=str(model.pk),
        **again,
    )
    assert TrainingRun.objects.latest("pk").settings == run.settings


def test_the_page_is_the_admins_and_its_numbers_a_file(cast: Cast):
    registered(cast)
    assert page(cast, cast.otto).status_code == 404
    for user in (cast.ann, cast.rita):
        assert page(cast, user).status_code == 403
    client = Client()
    client.force_login(cast.ada)
    sent = client.get(f"/manage/{cast.project.slug}/models/?format=csv")
    lines = b"".join(sent.streaming_content).decode().splitlines()
    assert lines[0].lstrip("\ufeff").startswith("model,version,number,value")
    assert len(lines) == 4


def test_who_catches_planted_errors_is_shown_of_a_team(cast: Cast, client):
    for user in (cast.ann, cast.ben):
        helped(cast, user, "planted", 30.0, caught=True)
    team = teams.make_team(project=cast.project, name="Site North", kind="site", by="test")
    teams.set_teams(labeler=labeler(cast, cast.ann), teams=[team], by="test")
    client.force_login(cast.ada)
    place = f"/manage/{cast.project.slug}/models/"
    assert [one.user for one, _ in client.get(place).context["leaning"]] == [cast.ann, cast.ben]
    shown = client.get(place, {"team": team.pk})
    assert [one.user for one, _ in shown.context["leaning"]] == [cast.ann]
    assert "All else here is of everybody." in shown.content.decode()
    assert client.get(place, {"team": "99999"}).status_code == 400
