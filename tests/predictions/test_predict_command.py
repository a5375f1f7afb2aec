"""`manage.py predict`: a model looks at a project from the terminal, and a wrong file changes nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.predictions.models import ModelVersion, Prediction

MODEL = {
    "name": "threshold",
    "predictor": "classical-threshold",
    "parameters": {"classes": {"nucleus": {"polarity": "bright", "min_size": 20}}},
}


@pytest.fixture
def picture(cast):
    pixels = np.full((60, 60), 30, dtype=np.uint8)
    pixels[20:40, 20:40] = 220
    return add_photograph(project=cast.project, pixels=pixels, identity=ItemIdentity())


def test_every_item_is_predicted_and_a_second_run_is_a_second_version(cast, picture, tmp_path, capsys):
    file = tmp_path / "model.json"
    file.write_text(json.dumps(MODEL))
    call_command("predict", cast.project.slug, str(file))
    assert Prediction.objects.get().item == picture
    call_command("predict", cast.project.slug, str(file))
    assert sorted(ModelVersion.objects.values_list("number", flat=True)) == [1, 2]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "must be an object"),
        ('{"name": "x"}', "must be an object"),
        (json.dumps({**MODEL, "parameters": {"classes": {"nucleus": {"polarity": "sideways"}}}}), "polarity"),
        (json.dumps({**MODEL, "predictor": "oracle"}), "oracle"),
    ],
)
def test_a_wrong_file_is_told_and_changes_nothing(cast, picture, tmp_path, content, words):
    file = tmp_path / "model.json"
    file.write_text(content)
    with pytest.raises(CommandError, match=words):
        call_command("predict", cast.project.slug, str(file))
    assert not ModelVersion.objects.exists()


def test_an_unknown_project_is_told(db, tmp_path):
    with pytest.raises(CommandError, match="no project"):
        call_command("predict", "nowhere", str(tmp_path / "model.json"))
