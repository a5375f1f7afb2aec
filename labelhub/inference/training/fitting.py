"""Fitting one network: batches of patches, Dice and cross-entropy without what is ambiguous, the best held-out epoch kept.

References
----------
Milletari F, Navab N, Ahmadi SA (2016) V-Net. 3DV (Dice loss). Isensee F et al. (2021) nnU-Net. Nat Methods 18:203-211
(Dice and cross-entropy in equal parts).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch.nn import functional

from labelhub.inference.memory import kept_memory
from labelhub.inference.networks import build, weights_of
from labelhub.inference.training.cases import IGNORED, Case
from labelhub.inference.training.cuts import Cuts
from labelhub.predictions.architectures import Design
from labelhub.predictions.training_settings import TrainingSettings

_SMOOTH: Final = 1e-5
_BATCH: Final = {2: 8, 3: 2}
_JUDGED_PATCHES: Final = 12


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch gave; the held-out numbers are None where nothing is held out."""

    number: int
    loss: float
    held_out_loss: float | None
    held_out_dice: float | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """The weights of the best epoch, as safetensors, and which it was."""

    weights: bytes
    best_epoch: int


def fit(
    design: Design, patch: tuple[int, ...], learn: Sequence[Case], held_out: Sequence[Case], settings: TrainingSettings, *,
    seed: int, epochs: int, tell: Callable[[Epoch], None], between: Callable[[], None],
) -> Fitted:  # fmt: skip
    """Train a network from its first weights. With ``held_out`` cases it ends early and keeps the best; else it runs on.

    ``between`` is called between batches; what it raises stops the training. Deterministic for a seed on one machine.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.random.fork_rng(), kept_memory():
        torch.manual_seed(seed)
        network = build(design, seed=seed).to(device)
        cuts = Cuts(learn, patch, batch=settings.batch or _BATCH[design.dimensions], seed=seed)
        judged = Cuts(held_out, patch, batch=1, seed=0).fixed(_JUDGED_PATCHES) if held_out else []
        fitting = _Fitting(network, device, settings, epochs * settings.steps)
        best, best_epoch, kept = -math.inf, 0, weights_of(network)
        for number in range(1, epochs + 1):
            loss = fitting.epoch(cuts, settings.steps, between)
            held_loss, dice = fitting.judge(judged, between) if judged else (None, None)
            tell(Epoch(number, loss, held_loss, dice))
            if dice is None or dice > best:
                best, best_epoch, kept = dice or 0.0, number, weights_of(network) if judged else b""
            elif number - best_epoch >= settings.patience:
                break
        return Fitted(kept or weights_of(network), best_epoch)


class _Fitting:
    """A network with its optimiser."""

    def __init__(self, network: Any, device: Any, settings: TrainingSettings, steps: int) -> None:
        self.network, self.device = network, device
        self.optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
        self.schedule = torch.optim.lr_scheduler.PolynomialLR(self.optimiser, total_iters=steps, power=0.9)

    def epoch(self, cuts: Cuts, steps: int, between: Callable[[], None]) -> float:
        """Learn from so many batches and return their mean loss."""
        self.network.train()
        total = 0.0
        for _ in range(steps):
            between()
            images, labels = (entry.to(self.device) for entry in cuts.next())
            with torch.autocast("cuda", dtype=torch.bfloat16, enabled=self.device.type == "cuda"):
                answer = _first(self.network(images))
            loss = loss_of(answer.float(), labels)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12.0)
            self.optimiser.step()
            self.schedule.step()
            total += float(loss.detach())
        return total / steps

    def judge(self, judged: Sequence[tuple[Any, Any]], between: Callable[[], None]) -> tuple[float, float]:
        """The mean loss and the Dice over all classes and patches together."""
        self.network.eval()
        losses, both, sums = [], None, None
        with torch.inference_mode():
            for images, labels in judged:
                between()
                images, labels = images.to(self.device), labels.to(self.device)
                answer = _first(self.network(images)).float()
                losses.append(float(loss_of(answer, labels)))
                shared, size = _counts(answer, labels)
                both, sums = (shared, size) if both is None else (both + shared, sums + size)
        assert both is not None
        assert sums is not None
        known = sums > 0
        dice = float((2 * both[known] / sums[known]).mean()) if bool(known.any()) else 0.0
        return sum(losses) / len(losses), dice


def loss_of(answer: Any, labels: Any) -> Any:
    """Dice plus cross-entropy of ``answer[n, k, ...]`` against ``labels[n, ...]``; pixels of value 255 count for neither.

    Without any pixel that counts the loss is 0.
    """
    counts = labels != IGNORED
    if not bool(counts.any()):
        return (answer * 0).sum()
    entropy = functional.cross_entropy(answer, labels, ignore_index=IGNORED)
    probabilities = torch.softmax(answer, dim=1) * counts[:, None]
    truth = functional.one_hot(torch.where(counts, labels, 0), answer.shape[1]).movedim(-1, 1) * counts[:, None]
    axes = [0, *range(2, answer.ndim)]
    both = (probabilities * truth).sum(axes)
    sums = probabilities.sum(axes) + truth.sum(axes)
    # The ground is no object: only classes have an overlap to be learned.
    dice = (2 * both[1:] + _SMOOTH) / (sums[1:] + _SMOOTH)
    return entropy + 1 - dice.mean()


def _counts(answer: Any, labels: Any) -> tuple[Any, Any]:
    """For each class, how many pixels both say, and the sum of what either says."""
    counts = labels != IGNORED
    said = answer.argmax(dim=1)
    classes = torch.arange(1, answer.shape[1], device=answer.device)
    axes = tuple(range(1, labels.ndim + 1))
    ours = (said[None] == classes.reshape(-1, *[1] * labels.ndim)) & counts[None]
    theirs = (labels[None] == classes.reshape(-1, *[1] * labels.ndim)) & counts[None]
    return (ours & theirs).sum(axes).double(), (ours.sum(axes) + theirs.sum(axes)).double()


def _first(answer: Any) -> Any:
    """Networks with deep supervision answer with several maps while they learn; the first is the finest."""
    if isinstance(answer, list | tuple):
        return answer[0]
    return answer
