"""A small U-Net as the learner of `manage.py study … --network`: trained from nothing on few images, on the CPU or a GPU.

It has the two methods that studies ask of a learner, and is loaded by dotted path. Not here: the networks of projects
(``networks``, and training jobs), which are larger, see more and stop by a held-out loss.

References
----------
Ronneberger O, Fischer P, Brox T (2015) U-Net: convolutional networks for biomedical image segmentation. MICCAI, 234-241.
Lakshminarayanan B, Pritzel A, Blundell C (2017) Simple and scalable predictive uncertainty estimation using deep ensembles.
NeurIPS 30 (members from other first weights).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from labelhub.inference.networks import build
from labelhub.predictions.architectures import read_design

DESIGN = read_design(
    "UNet",
    {"spatial_dims": 2, "in_channels": 2, "out_channels": 1, "channels": [12, 24, 48], "strides": [2, 2], "num_res_units": 1},
)  # fmt: skip
N_MEMBERS, N_STEPS, BATCH, RATE = 2, 240, 8, 4e-3
# Sides are filled up to multiples of this, because the network halves them twice.
STEP = 4


class UnetLearner:
    """Learns outlines of images ``[image, y, x]``: see ``config.study.pixel_model.Learner``."""

    def __init__(self, images: NDArray[np.float64]) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.shape = images.shape[1:]
        middle, spread = np.median(images, axis=(1, 2)), images.std(axis=(1, 2))
        scaled = (images - middle[:, None, None]) / np.where(spread > 0, spread, 1.0)[:, None, None]
        rows, columns = np.indices(self.shape)
        away = np.hypot(rows - (self.shape[0] - 1) / 2, columns - (self.shape[1] - 1) / 2) / max(self.shape)
        both = np.stack([scaled, np.broadcast_to(away, scaled.shape)], axis=1)
        self.images = torch.from_numpy(np.pad(both, self._margin(4), mode="edge").astype(np.float32)).to(self.device)

    def predictions(
        self, labelled: Sequence[int], masks: NDArray[np.bool_], asked: Sequence[int], seed: int
    ) -> NDArray[np.float64]:
        """Train each member anew and return its probabilities ``[member, image, y, x]`` of the images asked for."""
        wanted = np.pad(masks, self._margin(3)).astype(np.float32)
        true = torch.from_numpy(wanted)[:, None].to(self.device)
        seen = self.images[list(labelled)]
        found = []
        for member in range(N_MEMBERS):
            network = self._trained(seen, true, seed * N_MEMBERS + member)
            with torch.inference_mode():
                parts = [torch.sigmoid(network(part)) for part in torch.split(self.images[list(asked)], 64)]
            found.append(torch.cat(parts)[:, 0, : self.shape[0], : self.shape[1]].cpu().numpy())
        return np.stack(found).astype(np.float64)

    def _trained(self, seen: Any, true: Any, seed: int) -> Any:
        generator = np.random.default_rng(seed)
        network = build(DESIGN, seed=seed).to(self.device)
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=RATE, total_steps=N_STEPS)
        for _ in range(N_STEPS):
            chosen = generator.integers(0, len(seen), min(BATCH, 2 * len(seen)))
            images, masks = seen[chosen.tolist()], true[chosen.tolist()]
            for axis in (2, 3):
                if generator.random() < 0.5:
                    images, masks = images.flip(axis), masks.flip(axis)
            logits = network(images)
            inside = torch.sigmoid(logits)
            overlap = 2 * (inside * masks).sum() / (inside.sum() + masks.sum() + 1e-6)
            loss = functional.binary_cross_entropy_with_logits(logits, masks) + (1 - overlap)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        return network.eval()

    def _margin(self, dimensions: int) -> list[tuple[int, int]]:
        ends = [(0, -size % STEP) for size in self.shape]
        return [(0, 0)] * (dimensions - 2) + ends
