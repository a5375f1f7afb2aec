# mypy: ignore-errors
"""A model on MLServer, whose second map is positive where the picture is bright; as float64, as numpy has it, where told to."""

from __future__ import annotations

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Bright(MLModel):
    async def load(self) -> bool:
        return True

    async def predict(self, payload) -> InferenceResponse:
        given = NumpyCodec.decode_input(payload.inputs[0])
        if given.shape[1] != 1:
            raise ValueError(f"one channel is wanted, {given.shape[1]} came")
        level = given - 0.5
        maps = np.concatenate([-level, level], axis=1).astype(self.settings.parameters.extra["kind"])
        output = NumpyCodec.encode_output(payload.outputs[0].name, maps)
        return InferenceResponse(model_name=self.name, outputs=[output])
