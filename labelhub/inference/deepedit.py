"""A network that takes clicks: the picture, a map of the places inside and one of those outside go in; a mask comes out.

After DeepEdit (Diaz-Pinto et al. 2022, MICCAI workshop DALI) and DeepGrow (Sakinis et al. 2019, arXiv 1903.08205): clicks are
Gaussians of a few pixels, and half of the training goes without any, so that one network drafts and edits. The clicks of the
other half are simulated on what the network itself says at that moment (``numerics.clicks``). The window is looked at whole and
on its own scale, as the geodesic method does. Not here: the process that answers (``assist_server``), drafts of whole items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.catalog.blobs import read_named
from labelhub.inference.networks import build, deepest_step, load_weights
from labelhub.numerics.clicks import next_click
from labelhub.predictions.architectures import Design, design_of
from labelhub.predictions.geodesic import Check, Proposed, prepared
from labelhub.predictions.marks import Hints, Seeds, seeds_of

METHOD: Final = "deepedit-1"
SIGMA_PX: Final = 2.5
# The picture, places inside, places outside.
CHANNELS: Final = 3
CLICK_FREE_SHARE: Final = 0.5
MOST_CLICKS: Final = 6
# How far one step of weaker or stronger moves the level, in units of the logit.
STEP_OF_LEVEL: Final = 0.35


@dataclass(frozen=True, slots=True)
class Example:
    """One window of training: ``pixels[z, y, x]`` and what is wanted there, on a grid of ``spacing_mm``.

    Where ``counts`` is given and False nothing is learned and nobody clicks: what is there was not settled.
    """

    pixels: NDArray[Any]
    truth: NDArray[np.bool_]
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    counts: NDArray[np.bool_] | None = None


class ClickNetwork:
    """A network behind the ``Interactive`` protocol. Its proposals are a trained model's."""

    is_trained = True

    def __init__(self, design: Design, network: Any) -> None:
        if design.in_channels != CHANNELS:
            raise ValueError(f"a network that takes clicks has {CHANNELS} channels, this one {design.in_channels}")
        self.design = design
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.to(self.device).eval()

    def propose(
        self, pixels: NDArray[Any], hints: Hints, *, spacing_mm: tuple[float, float, float], level: int, check: Check
    ) -> Proposed:
        """Return what the hints mean in ``pixels``; each place inside is in the mask, each outside is not."""
        shape = (pixels.shape[0], pixels.shape[1], pixels.shape[2])
        seeds = seeds_of(hints, shape, spacing_mm)
        check()
        logit = self.look(channels_of(pixels, seeds, spacing_mm)) + STEP_OF_LEVEL * level
        check()
        mask = ((logit > 0) & seeds.allowed & ~seeds.outside) | seeds.inside
        if seeds.inside.any():
            parts, _ = ndimage.label(mask)
            held = np.unique(parts[seeds.inside])
            mask = np.isin(parts, held[held > 0])
        return Proposed(mask, (1.0 / (1.0 + np.exp(-logit))).astype(np.float32), METHOD)

    def look(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logit of each voxel of a window ``[c, z, y, x]``."""
        if self.design.dimensions == 2:
            # A slice of any plane: its one flat axis is left out, and comes back.
            flat = 1 + list(channels.shape[1:]).index(1)
            return np.expand_dims(self._run(np.squeeze(channels, axis=flat)), flat - 1)
        return self._run(channels)

    def _run(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logit = self.logit(channels)
        return np.asarray(logit.float().cpu().numpy(), dtype=np.float32)

    def logit(self, channels: NDArray[np.float32]) -> Any:
        """Return the network's answer to a window with as many axes as it has; its sides need not fit the network's steps."""
        sides = channels.shape[1:]
        room = [(0, 0), *((0, -side % step) for side, step in zip(sides, deepest_step(self.design), strict=True))]
        padded = torch.from_numpy(np.pad(channels, room, mode="edge"))[None].to(self.device)
        return _first(self.network(padded))[0, -1][tuple(slice(side) for side in sides)]


def click_network(parameters: Mapping[str, Any]) -> ClickNetwork:
    """Return the network of a model version's parameters (``design``, and ``weights`` by the name of their blob)."""
    design = design_of(parameters["design"])
    return ClickNetwork(design, load_weights(build(design), read_named(str(parameters["weights"]))))


def channels_of(
    pixels: NDArray[Any], seeds: Seeds, spacing_mm: tuple[float, float, float], sigma_px: float = SIGMA_PX
) -> NDArray[np.float32]:
    """Return what goes in ``[3, z, y, x]``: the picture from 0 to 1, and 1 at each place inside and outside, fading over a few
    pixels of the finest axis.
    """
    grey = prepared(pixels, spacing_mm).mean(axis=-1)
    outside = seeds.outside & seeds.allowed
    return np.stack([grey, _fading(seeds.inside, spacing_mm, sigma_px), _fading(outside, spacing_mm, sigma_px)])


def train_clicks(
    design: Design, examples: Sequence[Example], *, rng: np.random.Generator, steps: int, rate: float = 1e-3,
    between: Callable[[int, float], None] = lambda _step, _loss: None,
) -> Any:  # fmt: skip
    """Return a network that was trained on windows, with simulated clicks on half of them.

    ``between`` hears of each step and its loss, and may raise to end it. The same examples and seed give one network.
    """
    learner = Learner(design, rng=rng, rate=rate)
    learner.learn(examples, steps, between)
    return learner.network.eval()


class Learner:
    """A network that takes clicks while it learns, window by window."""

    def __init__(self, design: Design, *, rng: np.random.Generator, rate: float) -> None:
        self.rng = rng
        self.network = build(design, seed=int(rng.integers(2**31)))
        self.answering = ClickNetwork(design, self.network)
        self._optimizer = torch.optim.AdamW(self.network.parameters(), lr=rate)

    def learn(
        self, examples: Sequence[Example], steps: int, between: Callable[[int, float], None] = lambda _step, _loss: None
    ) -> float:
        """Learn from so many windows, drawn from ``examples``, and return their mean loss."""
        losses = []
        for step in range(steps):
            loss = self._step(examples[int(self.rng.integers(len(examples)))])
            between(step, loss)
            losses.append(loss)
        self.network.eval()
        return float(np.mean(losses))

    def _step(self, example: Example) -> float:
        answering = self.answering
        hints = _simulated(answering, example, self.rng)
        self.network.train()
        channels = channels_of(example.pixels, seeds_in(hints, example), example.spacing_mm)
        flat = 1 + list(example.truth.shape).index(1) if answering.design.dimensions == 2 else None
        logit = answering.logit(channels if flat is None else np.squeeze(channels, axis=flat))
        known = np.ones_like(example.truth) if example.counts is None else example.counts
        wanted, counts = (
            torch.from_numpy((part if flat is None else np.squeeze(part, axis=flat - 1)).astype(np.float32))
            for part in (example.truth, known)
        )
        loss = _loss(logit, wanted.to(answering.device), counts.to(answering.device))
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return float(loss.detach())


def _simulated(answering: ClickNetwork, example: Example, rng: np.random.Generator) -> Hints:
    """The hints of one step: none in half of all, else some clicks, each on what the network says to those before it."""
    hints = Hints()
    if rng.random() < CLICK_FREE_SHARE:
        return hints
    answering.network.eval()
    for _ in range(int(rng.integers(1, MOST_CLICKS + 1))):
        given = answering.look(channels_of(example.pixels, seeds_in(hints, example), example.spacing_mm)) > 0
        if example.counts is not None:
            given = np.where(example.counts, given, example.truth)
        click = next_click(example.truth, given, rng=rng, spacing_mm=example.spacing_mm, jitter_px=1.0, wrong_share=0.0)
        if click is None or click.place in (*hints.positive, *hints.negative):
            break
        # What is jittered over the border says what is there, not what was meant.
        if example.truth[click.place]:
            hints = Hints((*hints.positive, click.place), hints.negative)
        else:
            hints = Hints(hints.positive, (*hints.negative, click.place))
    return hints


def seeds_in(hints: Hints, example: Example) -> Seeds:
    """Return the hints as masks, also where nothing is inside yet: a network knows what is usual."""
    shape = (example.truth.shape[0], example.truth.shape[1], example.truth.shape[2])
    if hints.positive:
        return seeds_of(hints, shape, example.spacing_mm)
    empty = np.zeros(shape, np.bool_)
    outside = empty.copy()
    if hints.negative:
        outside[tuple(np.asarray(hints.negative).T)] = True
    return Seeds(empty, outside, ~empty)


def _loss(logit: Any, wanted: Any, counts: Any) -> Any:
    """Soft Dice and cross entropy in equal parts, over what counts (1, else 0)."""
    found, wanted = torch.sigmoid(logit) * counts, wanted * counts
    dice = 1.0 - (2.0 * (found * wanted).sum() + 1.0) / (found.sum() + wanted.sum() + 1.0)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logit, wanted, weight=counts, reduction="sum")
    return dice + entropy / counts.sum().clamp(min=1.0)


def _fading(mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float], sigma_px: float) -> NDArray[np.float32]:
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    far = ndimage.distance_transform_edt(~mask, sampling=np.asarray(spacing_mm) / min(spacing_mm))
    return np.asarray(np.exp(-0.5 * np.square(far / sigma_px)), dtype=np.float32)


def _first(answer: Any) -> Any:
    """The map of the finest level, where a network gives several."""
    if isinstance(answer, list | tuple):
        return answer[0]
    return answer[:, 0] if answer.dim() == 6 else answer
