"""A network over an image of any size, window by window, in bounded memory: what is finished leaves before more is added.

Windows overlap and are weighted by a Gaussian, as in MONAI's ``sliding_window_inference``, to which the result is equal (a
test holds them within 1e-4). Unlike there, sums are kept only for the planes that windows still touch: as soon as the
windows of the next depth begin, the planes above are divided, handed to the receiver and forgotten. Memory follows the
window's depth and not the volume's. Not here: what becomes of the planes (``predictor``).

Where the network is asked several times (members, mirrored windows, dropout), the sums are of mean probabilities and of
mean entropies, so that memory does not grow with the number of answers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelhub.inference import windows
from labelhub.inference.memory import kept_memory

_BYTE = 256
# Which errors without a class of their own say so: those of a CPU, and of the libraries of a card.
_LACK_OF_MEMORY = (
    "not enough memory", "can't allocate memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDA error: out of memory",
)  # fmt: skip
# One finished run of planes: the first plane, sums divided by weights ``[k, z, y, x]``, mean entropies ``[z, y, x]`` or None.
Receiver = Callable[[int, Any, Any], None]


@dataclass(frozen=True, slots=True)
class Asking:
    """How a network is asked: windows ``(z, y, x)``, their overlap and how many at once; mirrored windows, dropout passes.

    ``is_sigmoid`` tells independent maps from categories that exclude each other. ``step`` is what a window's sides are
    multiples of.
    """

    window: tuple[int, int, int]
    overlap: float = 0.25
    batch: int = 1
    flips: bool = False
    dropout_passes: int = 0
    is_sigmoid: bool = False
    step: tuple[int, int, int] = (1, 1, 1)


class OutOfMemory(RuntimeError):
    """Even the smallest window does not fit into the memory there is."""


def slide(
    networks: Sequence[Any], image: NDArray[np.float32], asking: Asking, receive: Receiver, *,
    device: Any = "cpu", between: Callable[[], None] = lambda: None,
) -> Asking:  # fmt: skip
    """Run networks over ``image[c, z, y, x]`` and hand over finished planes from the first to the last; each exactly once.

    What is handed over is the mean of logits where the network is asked once, else of probabilities. Answers to a lack of
    memory with fewer windows at once, then with smaller ones, from the start; ``receive`` then hears of plane 0 again. The
    way that went through is returned. ``between`` is called before each answer of a network. Raises :class:`OutOfMemory`.
    """
    trial = _fitted(asking)
    while True:
        try:
            way = _Pass(networks, image, trial, receive, torch.device(device), between)
            # A single window has nothing to keep memory for.
            with nullcontext() if way.is_single else kept_memory():
                way.run()
        except (RuntimeError, MemoryError) as error:
            if not _is_lack_of_memory(error):
                raise
            easier = _easier(trial)
            if easier is None:
                raise OutOfMemory(
                    "The image does not fit into memory even in the smallest windows. Nothing was predicted. Close other "
                    "programs, or use a machine with more memory."
                ) from error
            trial = easier
        else:
            return trial
        _free(torch.device(device))


class _Pass:
    """One way over the image: a buffer of sums as deep as a window, moved down as windows begin deeper."""

    def __init__(
        self, networks: Sequence[Any], image: NDArray[np.float32], asking: Asking, receive: Receiver, device: Any,
        between: Callable[[], None],
    ) -> None:  # fmt: skip
        self.networks, self.asking, self.receive, self.device, self.between = networks, asking, receive, device, between
        self.pads = windows.padding(image.shape[1:], asking.window)
        self.size = image.shape[1:]
        whole = torch.from_numpy(np.pad(image, [(0, 0), *self.pads]) if any(map(any, self.pads)) else image)
        self.image = whole.to(device) if device.type == "cuda" else whole
        self.is_single = tuple(self.image.shape[1:]) == asking.window
        self.weight = None if self.is_single else self._weight().to(device)
        self.is_flat = asking.window[0] == 1 and _dimensions(networks[0]) == 2
        self.answers = _answers_a_window(asking, len(networks), 2 if self.is_flat else 3)
        self.sums: Any = None
        self.entropies: Any = None
        self.counts: Any = None

    def run(self) -> None:
        depth = list(windows.layers(self.image.shape[1:], self.asking.window, self.asking.overlap))
        ends = [z for z, _ in depth[1:]] + [self.image.shape[1]]
        with torch.inference_mode():
            for (z, here), end in zip(depth, ends, strict=True):
                for start in range(0, len(here), self.asking.batch):
                    self._add(here[start : start + self.asking.batch])
                self._hand_over(z, end - z)

    def _add(self, chosen: Sequence[windows.Window]) -> None:
        dz, dy, dx = self.asking.window
        pieces = [self.image[:, w.z : w.z + dz, w.y : w.y + dy, w.x : w.x + dx] for w in chosen]
        batch = torch.stack(pieces) if len(pieces) > 1 else pieces[0][None]
        answer, entropy = self._asked(batch.to(self.device))
        if self.is_single:
            # Nothing to be weighed against: what one window says is what there is.
            self.sums, self.counts, self.entropies = answer[0], None, None if entropy is None else entropy[0]
            return
        if self.sums is None:
            self._make_room(answer.shape[1])
        for place, w in enumerate(chosen):
            rows, columns = slice(w.y, w.y + dy), slice(w.x, w.x + dx)
            self.sums[:, :, rows, columns].addcmul_(answer[place], self.weight)
            self.counts[:, rows, columns] += self.weight
            if entropy is not None:
                self.entropies[:, rows, columns].addcmul_(entropy[place], self.weight)

    def _asked(self, batch: Any) -> tuple[Any, Any]:
        """The mean answer ``[n, k, z, y, x]`` of all ways of asking, and the mean entropy where there are several."""
        if self.answers == 1:
            self.between()
            return self._forward(self.networks[0], batch), None
        mean: Any = None
        entropy: Any = None
        for network, axes, _ in self._ways():
            # A window that is asked in forty ways takes longer than whoever stops the work should wait.
            self.between()
            turned = torch.flip(batch, axes) if axes else batch
            logits = self._forward(network, turned)
            logits = torch.flip(logits, axes) if axes else logits
            answer = torch.sigmoid(logits) if self.asking.is_sigmoid else torch.softmax(logits, dim=1)
            own = entropy_of(answer, is_sigmoid=self.asking.is_sigmoid)
            mean = answer if mean is None else mean.add_(answer)
            entropy = own if entropy is None else entropy.add_(own)
        return mean.div_(self.answers), entropy.div_(self.answers)

    def _ways(self) -> list[tuple[Any, tuple[int, ...], int]]:
        axes = (-2, -1) if self.is_flat else (-3, -2, -1)
        flips = [turn for n in range(len(axes) + 1) for turn in itertools.combinations(axes, n)]
        turns = flips if self.asking.flips else [()]
        return list(itertools.product(self.networks, turns, range(max(1, self.asking.dropout_passes))))

    def _forward(self, network: Any, batch: Any) -> Any:
        given = batch[:, :, 0] if self.is_flat else batch
        if self.device.type == "cuda":
            layout = torch.channels_last if self.is_flat else torch.channels_last_3d
            with torch.autocast("cuda", dtype=torch.bfloat16):
                out = network(given.contiguous(memory_format=layout))
        else:
            out = network(given)
        out = out[0] if isinstance(out, list | tuple) else out
        return (out[:, :, None] if self.is_flat else out).float()

    def _make_room(self, maps: int) -> None:
        plane = (self.asking.window[0], *self.image.shape[2:])
        self.sums = torch.zeros((maps, *plane), device=self.device)
        self.counts = torch.zeros(plane, device=self.device)
        self.entropies = torch.zeros(plane, device=self.device) if self.answers > 1 else None

    def _hand_over(self, first: int, count: int) -> None:
        """Give away the planes that no later window touches, and move the rest up."""
        done = self.sums[:, :count]
        entropy = None if self.entropies is None else self.entropies[:count]
        if self.counts is not None:
            done.div_(self.counts[:count])
            if entropy is not None:
                entropy.div_(self.counts[:count])
        before = self.pads[0][0]
        rows, columns = (slice(low, low + n) for (low, _), n in zip(self.pads[1:], self.size[1:], strict=True))
        low, high = max(first, before), min(first + count, before + self.size[0])
        if low < high:
            kept = slice(low - first, high - first)
            self.receive(
                low - before,
                done[:, kept, rows, columns],
                None if entropy is None else entropy[kept, rows, columns],
            )
        if self.counts is None:
            return
        _move_up(self.sums, count)
        _move_up(self.counts[None], count)
        if self.entropies is not None:
            _move_up(self.entropies[None], count)

    def _weight(self) -> Any:
        """How much each pixel of a window counts, in the network's own axes: one of a picture's network has no depth."""
        window = self.asking.window
        own = window[1:] if _dimensions(self.networks[0]) == 2 else window
        return torch.from_numpy(windows.weights(own)).reshape(window)


def entropy_of(probabilities: Any, *, is_sigmoid: bool) -> Any:
    """Return the entropy in bits of ``probabilities[n, k, ...]`` over its maps; of independent maps the largest."""
    if is_sigmoid:
        rest = 1 - probabilities
        bits = torch.special.entr(probabilities) + torch.special.entr(rest)
        return bits.amax(dim=1) / math.log(2)
    return torch.special.entr(probabilities).sum(dim=1) / math.log(2)


def winners(means: Any) -> Any:
    """Return which of ``means[k, ...]`` is largest, the first of equals, as uint8 (int16 beyond 255 maps).

    ``argmax`` over the first axis strides through memory: of three maps it takes six times as long.
    """
    best = means[0].clone()
    found = torch.zeros(best.shape, dtype=torch.uint8 if len(means) <= _BYTE else torch.int16, device=best.device)
    for number in range(1, len(means)):
        found.masked_fill_(means[number] > best, number)
        torch.maximum(best, means[number], out=best)
    return found


def _move_up(buffer: Any, count: int) -> None:
    """Shift planes of ``buffer[k, z, y, x]`` towards the first, one after the other, without a second buffer."""
    depth = buffer.shape[1]
    for z in range(count, depth):
        buffer[:, z - count].copy_(buffer[:, z])
    buffer[:, max(depth - count, 0) :].zero_()


def _answers_a_window(asking: Asking, networks: int, dimensions: int) -> int:
    return networks * (2**dimensions if asking.flips else 1) * max(1, asking.dropout_passes)


def _dimensions(network: Any) -> int:
    """2 where the network takes pictures: it says so itself, or its first convolution does."""
    told = getattr(network, "dimensions", None)
    if told in (2, 3):
        return int(told)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            return 2
        if isinstance(module, torch.nn.Conv3d | torch.nn.ConvTranspose3d):
            return 3
    return 3


def _fitted(asking: Asking) -> Asking:
    """The window with sides rounded up to what the network can halve."""
    sides = tuple(-(-side // by) * by for side, by in zip(asking.window, asking.step, strict=True))
    return replace(asking, window=(sides[0], sides[1], sides[2]))


def _easier(asking: Asking) -> Asking | None:
    if asking.batch > 1:
        return replace(asking, batch=asking.batch // 2)
    window = windows.smaller(asking.window, asking.step)
    return None if window is None else replace(asking, window=(window[0], window[1], window[2]))


def _is_lack_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in _LACK_OF_MEMORY)


def _free(device: Any) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
