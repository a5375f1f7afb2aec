"""Which networks may be described, and how large one is made; no framework is imported for it.

Planted and seen to fail: an argument that is not on the list was let through.
"""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from labelhub.predictions.architectures import ARCHITECTURES, ArchitectureRefused, design_of, read_design
from labelhub.predictions.sizing import DataShape, sized_to
from labelhub.predictions.training_settings import EFFORTS, NETWORKS

UNET = {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2]}


def test_a_design_is_read_and_written_back():
    design = read_design(
        "UNet", UNET | {"norm": "BATCH", "act": ["leakyrelu", {"negative_slope": 0.1}], "dropout": 0.1}
    )
    assert (design.dimensions, design.in_channels, design.out_channels) == (2, 1, 2)
    assert design_of(design.to_document()) == design
    assert read_design("SegResNet", {"in_channels": 1, "out_channels": 2}).dimensions == 3


@pytest.mark.parametrize(
    ("architecture", "change", "word"),
    [
        ("FlexibleUNet", {}, "FlexibleUNet"),
        ("__import__", {}, "__import__"),
        ("UNet", {"speed": 1}, "speed"),
        ("UNet", {"pretrained": True}, "pretrained"),
        ("UNet", {"norm_layer": "$torch.nn.LayerNorm"}, "norm_layer"),
        ("UNet", {"out_channels": "$len(labels)"}, "out_channels"),
        ("UNet", {"out_channels": True}, "out_channels"),
        ("UNet", {"channels": [4, 10**9]}, "channels"),
        ("UNet", {"channels": [4] * 50}, "channels"),
        ("UNet", {"channels": []}, "channels"),
        ("UNet", {"channels": [[[4]]]}, "channels"),
        ("UNet", {"spatial_dims": 4}, "spatial_dims"),
        ("UNet", {"dropout": 1.5}, "dropout"),
        ("UNet", {"bias": "yes"}, "bias"),
        ("UNet", {"norm": "os.system"}, "norm"),
        ("UNet", {"act": ["relu", {"_target_": "os.system"}]}, "act"),
        ("UNet", {"act": ["relu", {"inplace": "$print(1)"}]}, "act"),
        ("UNet", {"act": {"_target_": "os.system"}}, "act"),
        ("UNet", {"adn_ordering": "XYZ"}, "adn_ordering"),
    ],
)  # fmt: skip
def test_what_is_not_on_the_list_is_refused_by_name(architecture, change, word):
    with pytest.raises(ArchitectureRefused, match=word):
        read_design(architecture, UNET | change)


def test_what_is_missing_is_named():
    with pytest.raises(ArchitectureRefused, match="strides"):
        read_design("UNet", {key: value for key, value in UNET.items() if key != "strides"})
    with pytest.raises(ArchitectureRefused, match="object"):
        design_of({"architecture": "UNet", "arguments": []})


def test_the_network_follows_the_data():
    flat = sized_to(DataShape((1, 512, 512), channels=3, classes=2))
    assert (flat.design.dimensions, flat.design.in_channels, flat.design.out_channels) == (2, 3, 3)
    assert len(flat.patch) == 2
    thick = sized_to(DataShape((24, 256, 256), (5.0, 1.0, 1.0)), effort="medium")
    strides = thick.design.arguments["strides"]
    assert strides[1] == [1, 2, 2], "the coarse axis is left alone until the others are as coarse"
    assert thick.design.arguments["kernel_size"][0] == [1, 3, 3]
    assert thick.patch[0] < thick.patch[1]
    for shape in (
        DataShape((1, 20, 20)),
        DataShape((2, 5, 300)),
        DataShape((160, 256, 256), (1.0, 1.0, 1.0), classes=7),
    ):
        sized = sized_to(shape, click_channels=2)
        down = [1] * sized.design.dimensions
        for level in sized.design.arguments["strides"]:
            down = [a * b for a, b in zip(down, level, strict=True)]
        assert all(size % by == 0 for size, by in zip(sized.patch, down, strict=True))
        assert sized.design.in_channels == 3


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("effort", EFFORTS)
def test_each_network_follows_the_data_and_its_sides_fit_it(network, effort):
    for shape in (
        DataShape((1, 512, 512), channels=3, classes=2), DataShape((24, 256, 256), (5.0, 1.0, 1.0)),
        DataShape((2, 5, 300)), DataShape((160, 256, 256), (1.0, 1.0, 1.0), classes=7),
    ):  # fmt: skip
        sized = sized_to(shape, effort=effort, network=network, dropout=0.1, click_channels=2)
        design, arguments = sized.design, sized.design.arguments
        assert design.architecture == network
        assert (design.dimensions, design.in_channels, design.out_channels) == (
            shape.dimensions, shape.channels + 2, shape.classes + 1,
        )  # fmt: skip
        assert arguments["dropout_prob" if network == "SegResNet" else "dropout"] == 0.1
        steps = [2 ** (len(arguments["blocks_down"]) - 1)] * shape.dimensions if network == "SegResNet" else [
            math.prod(level[axis] for level in arguments["strides"]) for axis in range(shape.dimensions)
        ]  # fmt: skip
        assert all(side % step == 0 for side, step in zip(sized.patch, steps, strict=True))
        if network != "SegResNet" and shape.spacing_mm == (5.0, 1.0, 1.0):
            assert steps[0] < steps[1], "the coarse axis is halved less often"


def test_no_framework_is_needed():
    code = "import sys, labelhub.predictions.sizing; print({'torch', 'monai'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    assert len(ARCHITECTURES) >= 7
