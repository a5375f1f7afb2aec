# mypy: ignore-errors
"""An application of MONAI Label whose models look at brightness alone: as models usually do it, and in each way that differs.

``bright``: to RAS and back, 2 above 100 and 5 above 200; ``named``: labels as a list; ``turned``: left in RAS; ``spaced``:
through voxels of 1 mm and back, ``coarse``: without the way back; ``flat``: the third axis dropped; ``channels``: a map a
label; ``words``: no map at all; ``fails``: raises; ``slow``: takes twenty seconds.
"""

from __future__ import annotations

import time

import torch
from monai.transforms import (
    AsDiscreted,
    DeleteItemsd,
    EnsureChannelFirstd,
    EnsureTyped,
    Lambdad,
    LoadImaged,
    Orientationd,
    Spacingd,
    SqueezeDimd,
)
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.tasks.infer_v2 import InferType
from monailabel.tasks.infer.basic_infer import BasicInferTask
from monailabel.transform.post import Restored

VALUES = {"bright": 2, "very bright": 5, "background": 0}
LISTED = ["background", "bright", "very bright"]


class Levels(torch.nn.Module):
    """Three maps, of which the first is highest up to 100, the second up to 200, the third above."""

    def __init__(self, mood=""):
        super().__init__()
        self.mood = mood

    def forward(self, given):
        if self.mood == "fails":
            raise RuntimeError("CUDA out of memory")
        if self.mood == "slow":
            time.sleep(20)
        return torch.cat([150 - given, (given > 100) * 100.0, (given > 200) * 1000.0], dim=1)


class Bright(BasicInferTask):
    def __init__(self, mood):
        labels = LISTED if mood == "named" else VALUES
        kind = InferType.CLASSIFICATION if mood == "words" else InferType.SEGMENTATION
        super().__init__(None, Levels(mood), kind, labels, 3, "brightness")
        self.mood = mood

    def pre_transforms(self, data=None):
        steps = [
            LoadImaged("image"),
            EnsureTyped("image"),
            EnsureChannelFirstd("image"),
            Orientationd("image", axcodes="RAS"),
        ]
        if self.mood in {"spaced", "coarse"}:
            # MONAI 1.6 takes each key that begins with `image_` for a dictionary of the file's words.
            return [*steps, DeleteItemsd("image_path"), Spacingd("image", pixdim=(1.0, 1.0, 1.0))]
        return steps

    def inverse_transforms(self, data=None):
        return None if self.mood in {"turned", "coarse"} else []

    def post_transforms(self, data=None):
        if self.mood == "channels":
            return []
        if self.mood == "words":
            return [Lambdad("pred", lambda maps: maps.amax(dim=(1, 2, 3)))]
        steps = [AsDiscreted("pred", argmax=True)]
        if self.mood == "named":
            return [*steps, Restored("pred", ref_image="image")]
        if self.mood in {"turned", "coarse", "flat"}:
            squeezed = [SqueezeDimd("pred", dim=-1)] if self.mood == "flat" else []
            return [*steps, SqueezeDimd("pred", dim=0), *squeezed, Lambdad("pred", lambda m: m * 2 + (m == 2))]
        return [*steps, Restored("pred", ref_image="image", config_labels=VALUES)]


class App(MONAILabelApp):
    def __init__(self, app_dir, studies, conf):
        super().__init__(app_dir, studies, conf, name="brightness", version="1")

    def init_infers(self):
        moods = ("named", "turned", "spaced", "coarse", "flat", "channels", "words", "fails", "slow")
        return {"bright": Bright(""), **{mood: Bright(mood) for mood in moods}}
