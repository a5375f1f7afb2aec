"""A predictor of somebody's own package is found by its entry point, loaded when asked for, and runs where networks run.

Planted and seen to fail: a plug-in that takes the classical predictor's name.
"""

from __future__ import annotations

import json
import sys

import pytest
from django.core.management import CommandError, call_command

from labelhub.predictions import plugins, predictor
from labelhub.predictions.classical import NAME, ClassicalPredictor
from labelhub.predictions.models import ModelVersion, Prediction
from labelhub.predictions.predictor import NoSuchPredictor, predictor_of
from labelhub.predictions.selectors import queue_of
from tests.cast import Cast
from tests.workflow.walking import add_item

SOURCE = """
from labelhub.formats.shapes import Region, Shape
from labelhub.predictions.predictor import Seen
import numpy as np

class Middle:
    def __init__(self, parameters):
        self.side = parameters["side"]

    def predict(self, pixels, grid, ontology):
        corners = np.array([[10.0, 10.0], [10.0 + self.side, 10.0 + self.side]])
        return Seen((Shape("1", "debris", (Region("box", corners),)),), {"1": 0.5}, asked_labels=("debris",))
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    (tmp_path / "somebodys_models.py").write_text(SOURCE)
    info = tmp_path / "somebodys_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[labelhub.predictors]\nmiddle = somebodys_models:Middle\nbroken = no_such_module:X\n"
        f"{NAME} = somebodys_models:Middle\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(predictor, "_factories", dict(predictor._factories))
    yield
    sys.modules.pop("somebodys_models", None)


def test_an_installed_class_predicts_and_is_loaded_late(cast: Cast, installed, tmp_path, monkeypatch):
    assert set(plugins.register_plugins()) == {"middle", "broken", NAME}
    assert "somebodys_models" not in sys.modules
    assert isinstance(predictor_of(NAME, {}), ClassicalPredictor), "no plug-in takes a name that is taken"
    add_item(cast.project)
    file = tmp_path / "model.json"
    file.write_text(json.dumps({"name": "mine", "predictor": "middle", "parameters": {"side": 5}}))
    call_command("predict", cast.project.slug, str(file))
    assert queue_of(ModelVersion.objects.get()) == "gpu"
    assert Prediction.objects.get().shapes[0]["label"] == "debris"


def test_one_that_cannot_be_loaded_says_so(cast: Cast, installed, tmp_path):
    plugins.register_plugins()
    with pytest.raises(NoSuchPredictor, match="cannot be loaded"):
        predictor_of("broken", {})
    file = tmp_path / "model.json"
    file.write_text(json.dumps({"name": "mine", "predictor": "broken"}))
    with pytest.raises(CommandError, match="cannot be loaded"):
        call_command("predict", cast.project.slug, str(file))
    assert not ModelVersion.objects.exists()
