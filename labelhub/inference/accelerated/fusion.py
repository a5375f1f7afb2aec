"""STAPLE of many items at once on a device of torch: masks or label maps, restricted to the region around the marks.

Equal to ``numerics.staple`` without its spatial term: the same start, update, stop rule and degenerate cases. The patterns
of all items of a batch are estimated side by side in float64, for a round of few patterns costs an accelerator nothing but
its start; an item that has converged stays as it is. Not here: what a pattern is (``patterns``).

References
----------
Warfield SK, Zou KH, Wells WM (2004) STAPLE. IEEE Trans Med Imaging 23:903-921.
Rohlfing T, Russakoff DB, Maurer CR (2004) Performance-based classifier combination. IEEE Trans Med Imaging 23:983-994.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
import torch

from labelhub.inference.accelerated.devices import computing_device, room_of
from labelhub.inference.accelerated.laid import LaidMaps, Maps, in_batches, lay
from labelhub.inference.accelerated.patterns import decision_patterns
from labelhub.numerics.decision_patterns import DecisionPatterns
from labelhub.numerics.region_of_interest import MARGIN, Region, RegionOfInterest, widened
from labelhub.numerics.results import FloatArray
from labelhub.numerics.staple import (
    Estimation,
    Staple,
    Start,
    concluded,
    place_of,
    start_of_maps,
    start_of_masks,
    vote_shares,
)

# Rounds between two questions whether all items have converged: a question waits for the device.
_ASK_EVERY: Final = 8
_DOUBLE: Final = 8

Begun: TypeAlias = tuple[DecisionPatterns, RegionOfInterest, Estimation]


def staple(
    masks: Maps,
    *,
    region: Region = "union",
    tolerance: float = 1e-7,
    max_iterations: int = 2000,
    device: torch.device | None = None,
) -> Staple:
    """As ``numerics.staple.staple`` without smoothing. Raises ``ValueError`` for what is no mask, or grids that differ."""
    laid = lay([masks], device or computing_device())
    if not laid.is_mask:
        message = f"masks have dtype {laid.firsts[0].dtype}; masks are boolean (label_staple takes label maps)"
        raise ValueError(message)
    (patterns,) = decision_patterns(laid)
    interest = _region(laid, 0, patterns, region, 0)
    begun = patterns, interest, start_of_masks(patterns, interest)
    return _settled([begun], tolerance, max_iterations, laid.device)[0]


def label_staple(
    maps: Maps,
    *,
    labels: Sequence[int] | None = None,
    background: int = 0,
    region: Region = "union",
    start: Start = "vote",
    tolerance: float = 1e-5,
    max_iterations: int = 2000,
    device: torch.device | None = None,
) -> Staple:
    """As ``numerics.staple.label_staple`` without smoothing. Raises ``ValueError`` for other than whole numbers of one grid."""
    return next(
        staple_project(
            [maps], labels=labels, background=background, region=region, start=start, tolerance=tolerance,
            max_iterations=max_iterations, device=device,
        )
    )  # fmt: skip


def staple_project(
    items: Iterable[Maps],
    *,
    labels: Sequence[int] | None = None,
    background: int = 0,
    region: Region = "union",
    start: Start = "vote",
    tolerance: float = 1e-5,
    max_iterations: int = 2000,
    device: torch.device | None = None,
) -> Iterator[Staple]:
    """The label map behind the raters' of every item, in their order; items of one size are estimated together."""
    for laid in in_batches(items, device or computing_device()):
        begun: list[Begun] = []
        for item, patterns in enumerate(decision_patterns(laid, labels=labels)):
            interest = _region(laid, item, patterns, region, background)
            begun.append((patterns, interest, start_of_maps(patterns, interest, start)))
        yield from _settled(begun, tolerance, max_iterations, laid.device)


def _region(
    laid: LaidMaps, item: int, patterns: DecisionPatterns, kind: Region, background: int
) -> RegionOfInterest:  # fmt: skip
    """As ``numerics.region_of_interest``, looked for on the device."""
    place = place_of(background, patterns.labels)
    counts = patterns.counts.astype(np.float64)
    if kind == "full" or place < 0:
        whole = tuple(slice(0, length) for length in laid.shape)
        return RegionOfInterest(kind, whole, np.broadcast_to(np.True_, laid.shape), counts, patterns.n_voxels)
    marked = (laid.grids(item) != background).any(dim=0)
    box = _bounds(marked)
    if box is None:
        nowhere = tuple(slice(0, 0) for _ in laid.shape)
        return RegionOfInterest(kind, nowhere, np.zeros((0,) * len(laid.shape), dtype=bool), np.zeros_like(counts), 0)
    box = widened(box, laid.shape, MARGIN)
    inside = _grown(marked[box])
    n_voxels = int(torch.count_nonzero(inside))
    counts[place] = n_voxels - (counts.sum() - counts[place])
    return RegionOfInterest(kind, box, inside.cpu().numpy(), counts, n_voxels)


def _bounds(mask: torch.Tensor) -> tuple[slice, ...] | None:
    box = []
    for axis in range(mask.ndim):
        occupied = mask.movedim(axis, 0).reshape(mask.shape[axis], -1).any(dim=1).nonzero()
        if len(occupied) == 0:
            return None
        box.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return tuple(box)


def _grown(mask: torch.Tensor) -> torch.Tensor:
    """The mask and what two steps across faces lead to."""
    result = mask.clone()
    for _ in range(MARGIN):
        before = result.clone()
        for axis in range(mask.ndim):
            n = mask.shape[axis] - 1
            result.narrow(axis, 1, n).logical_or_(before.narrow(axis, 0, n))
            result.narrow(axis, 0, n).logical_or_(before.narrow(axis, 1, n))
    return result


def _settled(begun: Sequence[Begun], tolerance: float, max_iterations: int, device: torch.device) -> list[Staple]:
    """The results of all items, in their order: those alike in labels and start side by side, as many as the room holds."""
    groups: dict[tuple[int, int, bool], list[int]] = {}
    for number, (patterns, _, start) in enumerate(begun):
        key = (len(patterns.labels), patterns.n_raters, start.confusion is None)
        groups.setdefault(key, []).append(number)
    results: dict[int, Staple] = {}
    for (n_labels, n_raters, _), numbers in groups.items():
        most = max(len(begun[number][0].table) for number in numbers)
        step = max(1, room_of(device) // (_DOUBLE * most * n_labels * (2 * n_raters + 6)))
        for first in range(0, len(numbers), step):
            chosen = numbers[first : first + step]
            for number, found in zip(
                chosen, _iterated([begun[number] for number in chosen], tolerance, max_iterations, device), strict=True
            ):
                patterns, interest, _ = begun[number]
                results[number] = concluded(patterns, interest, found, None, max_iterations)
    return [results[number] for number in range(len(begun))]


def _iterated(begun: Sequence[Begun], tolerance: float, max_iterations: int, device: torch.device) -> list[Estimation]:
    padded = _Padded(begun, device)
    posterior, previous = padded.posterior, padded.confusion
    is_first = previous is None
    confusion = torch.zeros((len(begun), padded.n_raters, padded.n_labels, padded.n_labels), dtype=torch.float64).to(
        device
    )
    if previous is not None:
        confusion = previous
    is_done = torch.zeros(len(begun), dtype=torch.bool, device=device)
    rounds = torch.zeros(len(begun), dtype=torch.int64, device=device)
    for number in range(max(max_iterations, 1)):
        if number % _ASK_EVERY == 0 and bool(is_done.all()):
            break
        new = padded.maximise(posterior)
        belief = padded.expect(new)
        change = (new - confusion).abs().amax(dim=(1, 2, 3))
        keep = is_done[:, None, None]
        posterior = torch.where(keep, posterior, belief)
        confusion = torch.where(keep[..., None], confusion, new)
        rounds += ~is_done
        if not (is_first and number == 0):
            is_done = is_done | (change <= tolerance)
    return padded.parted(posterior, confusion, rounds, is_done)


class _Padded:
    """Items side by side: ``answers[item, pattern, rater * label]`` as ones; patterns that fill an item up count nothing."""

    def __init__(self, begun: Sequence[Begun], device: torch.device) -> None:
        self.lengths = [len(patterns.table) for patterns, _, _ in begun]
        first = begun[0][0]
        self.n_labels, self.n_raters = len(first.labels), first.n_raters

        def place(array: FloatArray) -> torch.Tensor:
            return torch.from_numpy(array).to(device)

        table = np.zeros((len(begun), max(self.lengths), self.n_raters), dtype=np.int64)
        counts = np.zeros(table.shape[:2])
        shares, posterior = (np.zeros((*table.shape[:2], self.n_labels)) for _ in range(2))
        for item, (patterns, interest, start) in enumerate(begun):
            own = slice(0, len(patterns.table))
            table[item, own], counts[item, own] = patterns.table, interest.counts
            shares[item, own], posterior[item, own] = vote_shares(patterns), start.posterior
        self.priors = [start.prior for _, _, start in begun]
        self.table = torch.from_numpy(table).to(device)
        self.counts, self.shares, self.posterior = place(counts)[..., None], place(shares), place(posterior)
        self.prior = place(np.stack(self.priors))[:, None]
        starts = [start.confusion for _, _, start in begun if start.confusion is not None]
        self.confusion = place(np.stack(starts)) if starts else None
        chosen = torch.nn.functional.one_hot(self.table, self.n_labels).to(torch.float64)
        self.answers = chosen.reshape(*table.shape[:2], self.n_raters * self.n_labels)

    def maximise(self, posterior: torch.Tensor) -> torch.Tensor:
        """The confusion matrices ``[item, rater, truth, given]`` that the posteriors lead to."""
        counts = (posterior * self.counts).transpose(1, 2) @ self.answers
        counts = counts.reshape(-1, self.n_labels, self.n_raters, self.n_labels).transpose(1, 2)
        total = counts.sum(dim=3, keepdim=True)
        # A label that no voxel has says nothing of the rater.
        return torch.where(total > 0, counts / torch.where(total > 0, total, 1.0), 1 / self.n_labels)

    def expect(self, confusion: torch.Tensor) -> torch.Tensor:
        """The posteriors ``[item, pattern, label]`` that the confusion matrices lead to."""
        joint = self.prior.expand_as(self.shares)
        by_given = confusion.transpose(2, 3)
        for rater in range(self.n_raters):
            at = self.table[:, :, rater, None].expand(-1, -1, self.n_labels)
            joint = joint * by_given[:, rater].gather(1, at)
        total = joint.sum(dim=2, keepdim=True)
        # Where no label can explain the answers the votes are all there is.
        return torch.where(total > 0, joint / torch.where(total > 0, total, 1.0), self.shares)

    def parted(
        self, posterior: torch.Tensor, confusion: torch.Tensor, rounds: torch.Tensor, is_done: torch.Tensor
    ) -> list[Estimation]:
        """Each item by itself again."""
        beliefs, errors = posterior.cpu().numpy(), confusion.cpu().numpy()
        return [
            Estimation(beliefs[item, :length], errors[item], self.priors[item], rounded, settled)
            for item, (length, rounded, settled) in enumerate(
                zip(self.lengths, rounds.tolist(), is_done.tolist(), strict=True)
            )
        ]
