"""Windows over an image: equal to MONAI's inferer, bounded in memory, answering to its lack, and doubt by the formula.

Planted and seen to fail: the weights of a window all alike; planes handed over before the last window that touches them; work
that cannot be stopped while one window is asked in many ways; a card's lack of memory taken for a mistake.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference

from labelhub.inference import memory, sliding, windows
from labelhub.inference.networks import build
from labelhub.inference.sliding import Asking, OutOfMemory, slide
from labelhub.numerics.uncertainty import split_entropy
from labelhub.predictions.architectures import read_design


def network(dimensions: int, seed: int = 0, **more):
    arguments = {"spatial_dims": dimensions, "in_channels": 1, "out_channels": 3, "channels": [4, 8], "strides": [2]}
    return build(read_design("UNet", arguments | more), seed=seed).eval()


def image(*size: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((1, *size), dtype=np.float32)


class Kept:
    """All planes, and how many were given at a time."""

    def __init__(self, size):
        self.planes, self.entropy, self.runs = np.full((3, *size), np.nan, np.float32), np.full(size, np.nan), []

    def __call__(self, first, means, entropy):
        self.runs.append((first, means.shape[1]))
        self.planes[:, first : first + means.shape[1]] = means.numpy()
        if entropy is not None:
            self.entropy[first : first + means.shape[1]] = entropy.numpy()


@pytest.mark.parametrize(
    ("size", "window", "overlap", "batch"),
    [
        ((25, 30, 17), (8, 8, 8), 0.25, 1),
        ((16, 16, 16), (8, 8, 8), 0.5, 3),
        ((5, 30, 12), (8, 8, 8), 0.25, 2),
        ((9, 8, 7), (16, 16, 16), 0.25, 1),
    ],
)  # fmt: skip
def test_equals_monais_inferer(size, window, overlap, batch):
    given, net, kept = image(*size), network(3), Kept(size)
    slide([net], given, Asking(window, overlap, batch, step=(2, 2, 2)), kept)
    with torch.inference_mode():
        theirs = sliding_window_inference(
            torch.from_numpy(given)[None], window, batch, net, overlap=overlap, mode="gaussian"
        )
    assert np.abs(kept.planes - theirs[0].numpy()).max() < 1e-4
    covered = [z for first, count in kept.runs for z in range(first, first + count)]
    assert covered == list(range(size[0])), "each plane is handed over once, in order"


def test_a_picture_and_the_planes_of_a_volume_with_a_flat_network():
    given, net, kept = image(3, 40, 33), network(2), Kept((3, 40, 33))
    slide([net], given, Asking((1, 16, 16), step=(1, 2, 2), batch=4), kept)
    for z in range(3):
        with torch.inference_mode():
            theirs = sliding_window_inference(
                torch.from_numpy(given[:, z])[None], (16, 16), 4, net, overlap=0.25, mode="gaussian"
            )
        assert np.abs(kept.planes[:, z] - theirs[0].numpy()).max() < 1e-4


def test_the_buffer_is_as_deep_as_a_window_whatever_the_volume():
    deep = sliding._Pass(
        [network(3)], image(64, 16, 16), Asking((8, 8, 8)), Kept((64, 16, 16)), torch.device("cpu"), int
    )
    deep.run()
    assert deep.sums.shape == (3, 8, 16, 16)


def test_members_mirrored_windows_and_doubt_follow_the_formula():
    given, nets, kept = image(8, 8, 8), [network(3, seed) for seed in range(3)], Kept((8, 8, 8))
    slide(nets, given, Asking((8, 8, 8)), kept)
    with torch.inference_mode():
        answers = np.stack([torch.softmax(net(torch.from_numpy(given)[None]), 1)[0].numpy() for net in nets])
    assert np.abs(kept.planes - answers.mean(axis=0)).max() < 1e-5
    # Entropies are kept in bits.
    expected = split_entropy(answers, category_axis=1).aleatoric / np.log(2)
    assert np.abs(kept.entropy - expected).max() < 1e-5

    even = Kept((8, 8, 8))
    slide(nets[:1], given, Asking((8, 8, 8), flips=True), even)
    mirrored = Kept((8, 8, 8))
    slide(nets[:1], np.ascontiguousarray(given[:, ::-1, :, ::-1]), Asking((8, 8, 8), flips=True), mirrored)
    assert np.abs(even.planes - mirrored.planes[:, ::-1, :, ::-1]).max() < 1e-5, "a mirrored image, a mirrored answer"


class Narrow(torch.nn.Module):
    """A network on a machine with memory for so many voxels at once, and what that machine says beyond it."""

    def __init__(self, most: int, words="DefaultCPUAllocator: can't allocate memory: you tried to allocate 999 bytes."):
        super().__init__()
        self.inner, self.most, self.words = network(3), most, words

    def forward(self, batch):
        if batch.numel() > self.most:
            raise RuntimeError(self.words)
        return self.inner(batch)


def test_a_lack_of_memory_is_answered_by_fewer_then_smaller_windows():
    given, kept, narrow = image(16, 16, 16), Kept((16, 16, 16)), Narrow(8 * 8 * 16)
    used = slide([narrow], given, Asking((16, 16, 16), batch=2, step=(2, 2, 2)), kept)
    assert (used.batch, sorted(used.window)) == (1, [8, 8, 16])
    alike = Kept((16, 16, 16))
    slide([narrow.inner], given, used, alike)
    assert np.array_equal(kept.planes, alike.planes)
    with pytest.raises(OutOfMemory, match="smallest"):
        slide([Narrow(0)], given, Asking((16, 16, 16), step=(8, 8, 8)), kept)
    broken = torch.nn.Sequential(torch.nn.Conv3d(2, 2, 1))
    with pytest.raises(RuntimeError, match="channels"):
        slide([broken], given, Asking((8, 8, 8)), kept)


@pytest.mark.parametrize(
    "words",
    ["cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"],
)  # fmt: skip
def test_the_libraries_of_a_card_are_understood_when_they_lack_memory(words):
    used = slide([Narrow(8 * 8 * 8, words)], image(8, 8, 16), Asking((8, 8, 16), step=(2, 2, 2)), Kept((8, 8, 16)))
    assert used.window == (8, 8, 8)


def test_the_largest_map_wins_and_the_first_of_equals():
    means = torch.from_numpy(image(3, 4, 5)[0]).round().repeat(1, 1, 1).reshape(3, 4, 5)
    assert np.array_equal(sliding.winners(means).numpy(), means.numpy().argmax(axis=0))
    assert sliding.winners(torch.zeros(300, 2)).dtype == torch.int16


def test_work_is_stopped_between_windows():
    calls = []

    def between():
        calls.append(1)
        if len(calls) == 3:
            raise KeyError

    with pytest.raises(KeyError):
        slide([network(3)], image(32, 8, 8), Asking((8, 8, 8)), Kept((32, 8, 8)), between=between)
    assert len(calls) == 3


def test_work_is_stopped_between_two_answers_about_one_window():
    calls = []
    asking = Asking((8, 8, 8), flips=True, dropout_passes=2)
    slide([network(3), network(3, 1)], image(8, 8, 8), asking, Kept((8, 8, 8)), between=lambda: calls.append(1))
    assert len(calls) == 2 * 8 * 2


def test_memory_is_kept_while_windows_are_asked_and_given_back_after(monkeypatch):
    told = []

    class Library:
        def mallopt(self, which, value):
            told.append((which, value))

        def malloc_trim(self, pad):
            told.append("trimmed")

    monkeypatch.setattr(memory, "_glibc", Library)
    with pytest.raises(KeyError), memory.kept_memory(), memory.kept_memory():
        raise KeyError
    assert told == [(-4, 0), (-1, 2**31 - 1), (-4, 65536), (-3, 32 << 20), (-1, 64 << 20), "trimmed"]
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with memory.kept_memory():
        assert len(told) == 6, "elsewhere nothing is changed"


def test_where_windows_lie_and_shrink():
    assert windows.starts(10, 16, 0.25) == [0]
    assert windows.starts(20, 8, 0.25) == [0, 6, 12]
    assert windows.starts(21, 8, 0.25) == [0, 6, 12, 13]
    assert windows.padding((5, 16, 8), (8, 8, 8)) == [(1, 2), (0, 0), (0, 0)]
    assert windows.smaller((16, 8), (4, 4)) == (8, 8)
    assert windows.smaller((4, 4), (4, 4)) is None
    assert windows.weights((5, 7)).argmax() == 2 * 7 + 3
