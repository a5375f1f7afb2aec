# mypy: ignore-errors
"""NVIDIA's Triton with a model whose second map is positive where the picture is bright: HTTP and gRPC port, then metrics'."""

from __future__ import annotations

import sys

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


@batch
def look(**inputs):
    (given,) = inputs.values()
    level = given - 0.5
    return [np.concatenate([-level, level], axis=1).astype(np.float32)]


http, grpc, metrics = map(int, sys.argv[1:4])
config = TritonConfig(
    http_address="127.0.0.1", http_port=http, grpc_port=grpc, metrics_port=metrics, allow_metrics=False
)
with Triton(config=config) as triton:
    triton.bind(
        model_name="bright",
        infer_func=look,
        inputs=[Tensor(name="INPUT__0", dtype=np.float32, shape=(-1, -1, -1))],
        outputs=[Tensor(name="OUTPUT__0", dtype=np.float32, shape=(-1, -1, -1))],
        config=ModelConfig(max_batch_size=64),
    )
    triton.serve()
