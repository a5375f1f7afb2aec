"""Networks from designs: each allowed class is built and runs, weights go out and come in, and nothing else is loaded.

Planted and seen to fail: weights of another size were loaded with ``strict=False``.
"""

from __future__ import annotations

import pytest
import torch

from labelhub.inference.networks import WeightsProblem, build, deepest_step, load_weights, parameter_count, weights_of
from labelhub.predictions.architectures import ARCHITECTURES, ArchitectureRefused, read_design
from labelhub.predictions.sizing import DataShape, sized_to
from labelhub.predictions.training_settings import NETWORKS

ENDS = {"spatial_dims": 2, "in_channels": 1, "out_channels": 3}
SMALL = {
    "UNet": {"channels": [4, 8], "strides": [2], "norm": "batch", "act": ["prelu", {"init": 0.2}]},
    "AttentionUnet": {"channels": [4, 8], "strides": [2]},
    "BasicUNet": {"features": [4, 4, 8, 8, 8, 4]},
    "BasicUNetPlusPlus": {"features": [4, 4, 8, 8, 8, 4]},
    "SegResNet": {"init_filters": 8, "blocks_down": [1, 1], "blocks_up": [1], "norm": ["group", {"num_groups": 4}]},
    "DynUNet": {"kernel_size": [3] * 3, "strides": [1, 2, 2], "upsample_kernel_size": [2, 2], "filters": [4, 8, 8]},
    "VNet": {"dropout_dim": 2},
}


def tiny(seed: int = 0):
    return build(read_design("UNet", ENDS | SMALL["UNet"]), seed=seed)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_allowed_class_is_built_and_runs(architecture):
    design = read_design(architecture, ENDS | SMALL[architecture])
    network = build(design, seed=1).eval()
    assert parameter_count(design) == sum(entry.numel() for entry in network.parameters())
    with torch.inference_mode():
        out = network(torch.zeros(1, 1, 32, 32))
    out = out[0] if isinstance(out, list | tuple) else out
    assert tuple(out.shape) == (1, 3, 32, 32)
    assert len(deepest_step(design)) == 2


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "shape", [DataShape((12, 40, 40), (4.0, 1.0, 1.0), classes=2), DataShape((1, 30, 90), classes=2)]
)
def test_each_network_sized_to_pictures_and_volumes_runs_on_its_patch(network, shape):
    sized = sized_to(shape, network=network, dropout=0.1)
    with torch.inference_mode():
        out = build(sized.design)(torch.zeros(1, 1, *sized.patch))
    assert tuple(out.shape) == (1, 3, *sized.patch)
    assert all(size % step == 0 for size, step in zip(sized.patch, deepest_step(sized.design), strict=True))


def test_the_same_seed_gives_the_same_network_and_leaves_the_world_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert weights_of(tiny(3)) == weights_of(tiny(3)) != weights_of(tiny(4))
    assert torch.equal(state, torch.get_rng_state())


def test_weights_go_out_and_come_in():
    content = weights_of(tiny(1), metadata={"note": "x"})
    assert weights_of(load_weights(tiny(2), content)) == weights_of(tiny(1))
    from safetensors.torch import save

    wrapped = save({f"module.{name}": tensor.clone() for name, tensor in tiny(1).state_dict().items()})
    assert weights_of(load_weights(tiny(2), wrapped)) == weights_of(tiny(1))


def test_weights_that_are_damaged_or_another_networks_are_refused():
    from safetensors.torch import save

    content, state = weights_of(tiny(1)), tiny(1).state_dict()
    name = next(iter(state))
    for bad in (b"", b"\x80\x04pickle", content[:-5], content[:100], save({"other": torch.zeros(3)})):
        with pytest.raises(WeightsProblem):
            load_weights(tiny(), bad)
    with pytest.raises(WeightsProblem, match="another size"):
        load_weights(tiny(), save(dict(state) | {name: torch.zeros(1)}))
    with pytest.raises(WeightsProblem, match="finite"):
        load_weights(tiny(), save(dict(state) | {name: torch.full_like(state[name], float("nan"))}))


def test_arguments_that_do_not_fit_together_and_giants_are_refused():
    with pytest.raises(ArchitectureRefused, match="fit together"):
        build(read_design("UNet", ENDS | {"channels": [4], "strides": [2]}))
    nothing = {"channels": [4, 8], "strides": [2], "norm": ["group", {"num_groups": 0}]}
    with pytest.raises(ArchitectureRefused, match="fit together"):
        build(read_design("UNet", ENDS | nothing))
    giant = ENDS | {"spatial_dims": 3, "channels": [4096] * 6, "strides": [2] * 5}
    with pytest.raises(ArchitectureRefused, match="parameters"):
        build(read_design("UNet", giant))
