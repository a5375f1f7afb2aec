"""The network of the studies learns squares from a few images, the same way each time, and its members differ.

Planted once and seen to fail: masks turned without their images.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.config.management.commands.study import NETWORK
from labelhub.config.study.learning import learner_of

torch = pytest.importorskip("torch", reason="the study's network needs torch, which is installed in a second step")


@pytest.fixture
def one_thread():
    """Threads that share a core with other tests wait for each other: twenty times as long on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.once
@pytest.mark.usefixtures("one_thread")
def test_it_learns_squares_on_sides_that_do_not_halve_twice(monkeypatch):
    from labelhub.inference import study_network

    monkeypatch.setattr(study_network, "N_STEPS", 120)
    rng = np.random.default_rng(0)
    images = rng.normal(0, 0.3, (12, 22, 18))
    masks = np.zeros(images.shape, dtype=bool)
    for image, mask in zip(images, masks, strict=True):
        y, x = rng.integers(2, 8, 2)
        mask[y : y + 8, x : x + 8] = True
        image[mask] += 2.0
    assert learner_of(NETWORK) is study_network.UnetLearner
    learner = study_network.UnetLearner(images)
    members = learner.predictions(range(6), masks[:6], range(6, 12), 1)
    assert members.shape == (2, 6, 22, 18)
    inside = members.mean(axis=0) > 0.5
    assert 2 * (inside & masks[6:]).sum() / (inside.sum() + masks[6:].sum()) > 0.85
    assert np.abs(members[0] - members[1]).max() > 1e-3
    assert np.allclose(members, learner.predictions(range(6), masks[:6], range(6, 12), 1), atol=1e-5)
