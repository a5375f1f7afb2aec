"""A network that takes clicks: what goes in, what it learns on tiny pictures, and that it answers through the warm process.

Planted and seen to fail: the places inside and outside in one map; no clicks in training; a place outside left in the mask; the
padding left on the answer.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.catalog.blobs import store_blob
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.formats.shapes import Grid
from labelhub.inference import deepedit, wiring
from labelhub.inference.deepedit import ClickNetwork, Example, channels_of, click_network, train_clicks
from labelhub.inference.networks import build, weights_of
from labelhub.predictions.architectures import read_design
from labelhub.predictions.assist import Question, socket_path
from labelhub.predictions.interactive import CLICK_NETWORK, interactive_of
from labelhub.predictions.marks import Hints, seeds_of
from tests.inference.assistants import running
from tests.inference.test_assist import asked

pytestmark = pytest.mark.once
assert wiring
UNET = {"spatial_dims": 2, "in_channels": 3, "out_channels": 1, "channels": [8, 16, 32], "strides": [2, 2]}
DESIGN = read_design("UNet", UNET)
SIDE = 34


def scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two discs alike on noise; the masks of both."""
    y, x = np.ogrid[:SIDE, :SIDE]
    masks = []
    for left in (4, 20):
        cy, cx, r = rng.integers(8, 26), left + rng.integers(3, 8), rng.integers(4, 6)
        masks.append(((y - cy) ** 2 + (x - cx) ** 2 <= r**2)[None])
    grey = 100.0 + 60.0 * (masks[0] | masks[1]) + rng.normal(0, 8, (1, SIDE, SIDE))
    return grey, masks[0], masks[1]


@pytest.fixture(scope="module")
def trained() -> ClickNetwork:
    rng = np.random.default_rng(2)
    examples = []
    for _ in range(24):
        grey, one, other = scene(rng)
        examples += [Example(grey, one), Example(grey, other)]
    losses: list[float] = []
    network = train_clicks(
        DESIGN, examples, rng=rng, steps=220, rate=4e-3, between=lambda _step, loss: losses.append(loss)
    )
    assert np.mean(losses[-40:]) < 0.7 * np.mean(losses[:40])
    return ClickNetwork(DESIGN, network)


def look(network: ClickNetwork, grey: np.ndarray, hints: Hints, level: int = 0) -> np.ndarray:
    return network.propose(grey, hints, spacing_mm=(1.0, 1.0, 1.0), level=level, check=lambda: None).mask


def middle(mask: np.ndarray) -> tuple[int, int, int]:
    z, y, x = np.rint(np.argwhere(mask).mean(axis=0)).astype(int)
    return int(z), int(y), int(x)


def test_a_click_says_which_of_two_alike_is_meant(trained):
    rng = np.random.default_rng(9)
    dices = []
    for _ in range(12):
        grey, one, other = scene(rng)
        for wanted, rival in ((one, other), (other, one)):
            found = look(trained, grey, Hints((middle(wanted),), (middle(rival),)))
            assert found[middle(wanted)]
            assert not found[middle(rival)]
            dices.append(2 * (found & wanted).sum() / (found.sum() + wanted.sum()))
    assert np.mean(dices) > 0.85
    assert sorted(dices)[3] > 0.6


def test_what_was_pointed_at_holds_whatever_the_network_says():
    network = ClickNetwork(DESIGN, build(DESIGN, seed=1))
    rng = np.random.default_rng(3)
    grey = rng.normal(0, 1, (1, 21, 27))
    hints = Hints(((0, 3, 3), (0, 20, 26)), ((0, 9, 9),))
    for level in (-20, 0, 20):
        found = look(network, grey, hints, level)
        assert found.shape == (1, 21, 27)
        assert found[0, 3, 3]
        assert found[0, 20, 26]
        assert not found[0, 9, 9]
    assert look(network, grey, hints, -20).sum() <= look(network, grey, hints, 20).sum()
    boxed = look(network, grey, Hints(((0, 5, 5),), box=((0, 2, 2), (1, 10, 10))), 20)
    assert not boxed[:, 11:].any()


def test_a_slice_of_any_plane_and_volumes_are_looked_at():
    flat = ClickNetwork(DESIGN, build(DESIGN, seed=1))
    grey = np.random.default_rng(3).normal(0, 1, (18, 1, 22))
    assert look(flat, grey, Hints(((9, 0, 9),))).shape == (18, 1, 22)
    deep = read_design("UNet", UNET | {"spatial_dims": 3, "channels": [4, 8], "strides": [2]})
    volume = np.random.default_rng(3).normal(0, 1, (7, 9, 11))
    assert look(ClickNetwork(deep, build(deep, seed=1)), volume, Hints(((3, 4, 5),))).shape == (7, 9, 11)
    with pytest.raises(ValueError, match="3 channels"):
        ClickNetwork(read_design("UNet", UNET | {"in_channels": 1}), None)


def test_what_goes_in_is_the_picture_and_two_maps_that_fade():
    grey = np.zeros((1, 20, 20))
    grey[0, :, 10:] = 50
    channels = channels_of(
        grey, seeds_of(Hints(((0, 5, 5),), ((0, 15, 15),)), (1, 20, 20), (1.0, 1.0, 1.0)), (1.0, 1.0, 1.0)
    )
    assert channels.shape == (3, 1, 20, 20)
    assert (channels[1, 0, 5, 5], channels[2, 0, 15, 15]) == (1, 1)
    assert channels[1, 0, 15, 15] < 0.01 > channels[2, 0, 5, 5]
    assert 0 < channels[1, 0, 5, 9] < channels[1, 0, 5, 7] < 1
    assert channels[0].min() >= 0
    assert channels[0].max() <= 1
    nothing = channels_of(grey, deepedit.seeds_in(Hints(), Example(grey, grey > 9)), (1.0, 1.0, 1.0))
    assert not nothing[1:].any()


def test_the_same_seed_trains_the_same_network():
    def weights() -> bytes:
        rng = np.random.default_rng(5)
        grey, one, _ = scene(rng)
        return weights_of(train_clicks(DESIGN, [Example(grey, one)], rng=rng, steps=4))

    assert weights() == weights()


@pytest.mark.django_db(transaction=True)
def test_it_answers_through_the_warm_process_as_a_trained_model(trained, cast, tmp_path):
    blob = store_blob(content=weights_of(trained.network), kind="weights")
    parameters = {"design": DESIGN.to_document(), "weights": blob.pk}
    assert isinstance(interactive_of(CLICK_NETWORK, parameters), ClickNetwork)
    grey, one, other = scene(np.random.default_rng(11))
    item = add_volume(
        project=cast.project, pixels=grey.astype(np.int16), grid=Grid((1, SIDE, SIDE), (1.0, 1.0, 1.0)), source_id="s",
        identity=ItemIdentity(), actor="test",
    )  # fmt: skip
    question = Question(
        medium=item.media.get().pk, origin=(0, 0, 0), size=(1, SIDE, SIDE), hints=Hints((middle(one),), (middle(other),)),
        method=CLICK_NETWORK, parameters=parameters,
    )  # fmt: skip
    path = socket_path(tmp_path)
    with running(path):
        first, again = asked(path, question, question)
    assert (first.is_trained, first.method) == (True, "deepedit-1")
    assert np.array_equal(first.mask, again.mask)
    assert np.array_equal(first.mask, _cut(look(trained, grey.astype(np.int16), question.hints), first))
    assert click_network(parameters).is_trained


def _cut(mask: np.ndarray, answer) -> np.ndarray:
    return mask[tuple(slice(at, at + side) for at, side in zip(answer.origin, answer.mask.shape, strict=True))]
