"""Generated items with one planted error of a known kind each: what a reader drew, what was accepted, and what is wrong.

All other objects are read with an outline that wobbles within the tolerance. Used in short by a test and at length by
``tests.benchmarks.bench_adjudication``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelhub.numerics.error_kinds import MarkedObject, error_kinds
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.instances import components
from labelhub.numerics.simulated import BoundaryFault, read_mask, smooth_field

FLAT = ("missing", "extra", "wrong class", "boundary", "split", "merge")
KINDS = {2: FLAT, 3: (*FLAT, "slice range")}
TOLERANCE = 2.0
SPACING = {2: (1.0, 1.0), 3: (3.0, 1.0, 1.0)}
CELL = {2: (48, 48), 3: (18, 48, 48)}
WOBBLE = BoundaryFault(noise=0.6, smoothness=5.0)


@dataclass(frozen=True)
class Planted:
    kind: str
    given: list[MarkedObject]
    accepted: list[MarkedObject]
    given_places: tuple[int, ...]
    accepted_places: tuple[int, ...]
    grid_size: tuple[int, ...]
    spacing: tuple[float, ...]


def planted_item(kind: str, n_dimensions: int, rng: np.random.Generator) -> Planted:
    """An item with four objects in cells of their own, of which the first is read with an error of this kind."""
    cells = [(row, column) for row in range(2) for column in range(3)]
    order = rng.permutation(len(cells))
    size = CELL[n_dimensions]
    grid = (*size[:-2], 2 * size[-2], 3 * size[-1])
    corners = [(0,) * (n_dimensions - 2) + (cells[k][0] * size[-2], cells[k][1] * size[-1]) for k in order]
    spacing = SPACING[n_dimensions]
    given, accepted = [], []
    truth = blob(n_dimensions, rng)
    drawn = read_mask(truth, WOBBLE, rng, spacing=spacing)
    parts_given, parts_accepted, label = planted(kind, truth, drawn, rng, spacing)
    given += [MarkedObject(label, PlacedMask(part, corners[0])) for part in parts_given]
    accepted += [MarkedObject("a", PlacedMask(part, corners[0])) for part in parts_accepted]
    for corner in corners[1:4]:
        other = blob(n_dimensions, rng)
        name = "ab"[rng.integers(2)]
        given.append(MarkedObject(name, PlacedMask(read_mask(other, WOBBLE, rng, spacing=spacing), corner)))
        accepted.append(MarkedObject(name, PlacedMask(other, corner)))
    places = tuple(range(len(parts_given))), tuple(range(len(parts_accepted)))
    return Planted(kind, given, accepted, *places, grid, spacing)


def planted(kind, truth, drawn, rng, spacing):
    """The given parts, the accepted parts, and the given class."""
    if kind == "missing":
        return [], [truth], "a"
    if kind == "extra":
        return [drawn], [], "a"
    if kind == "wrong class":
        return [drawn], [truth], "b"
    if kind == "boundary":
        fault = BoundaryFault(rng.choice([-1, 1]) * rng.uniform(TOLERANCE + 1, TOLERANCE + 3), 0.6, 5.0)
        return [read_mask(truth, fault, rng, spacing=spacing)], [truth], "a"
    if kind == "split":
        return cut(drawn, rng), [truth], "a"
    if kind == "merge":
        return [drawn], cut(truth, rng), "a"
    return [other_slices(drawn, rng)], [truth], "a"


def blob(n_dimensions, rng):
    """A wobbly ball in the middle of a cell, of 9 to 15 mm."""
    size, spacing = CELL[n_dimensions], np.asarray(SPACING[n_dimensions])
    middle = (np.asarray(size) - 1) / 2
    at = (np.indices(size) - middle.reshape(-1, *([1] * n_dimensions))) * spacing.reshape(-1, *([1] * n_dimensions))
    stretch = rng.uniform(0.85, 1.2, n_dimensions).reshape(-1, *([1] * n_dimensions))
    distance = np.sqrt(((at / stretch) ** 2).sum(axis=0))
    return np.asarray(distance + 1.5 * smooth_field(size, 6 / spacing, rng) < rng.uniform(10, 15))


def cut(mask, rng):
    """The mask in two, with a gap of three voxels along a line through its middle; small crumbs go with nobody."""
    at = np.argwhere(mask)
    angle = rng.uniform(0, np.pi)
    way = np.array([np.sin(angle), np.cos(angle)])
    side = (np.indices(mask.shape)[-2:] - at.mean(axis=0)[-2:].reshape(-1, *([1] * mask.ndim))) * way.reshape(
        -1, *([1] * mask.ndim)
    )
    along = side.sum(axis=0)
    parts = [mask & (along > 1.5), mask & (along < -1.5)]
    return [largest(part) for part in parts]


def largest(mask):
    numbers = components(mask)
    return numbers == np.bincount(numbers[numbers > 0]).argmax()


def other_slices(mask, rng):
    """The object begins or ends one to two planes from where it does: left out, or drawn on beyond the end."""
    planes = np.flatnonzero(mask.any(axis=(1, 2)))
    n = int(rng.integers(1, 3))
    result = mask.copy()
    is_first = rng.random() < 0.5
    if rng.random() < 0.5:
        result[planes[:n] if is_first else planes[-n:]] = False
        return result
    edge = planes[0] if is_first else planes[-1]
    for step in range(1, n + 1):
        beyond = edge - step if is_first else edge + step
        result[beyond] = mask[edge]
    return result


@dataclass(frozen=True)
class Tally:
    """Of a kind: how often it was named, and how many of the other objects were left in peace, of how many."""

    n: int
    n_named: int
    n_others: int
    n_in_peace: int


def tally(kind: str, n_dimensions: int, n: int, seed: int) -> Tally:
    rng = np.random.default_rng([seed, n_dimensions, KINDS[3].index(kind)])
    n_named = n_others = n_in_peace = 0
    for _ in range(n):
        item = planted_item(kind, n_dimensions, rng)
        found = error_kinds(
            item.given, item.accepted, grid_size=item.grid_size, tolerance=TOLERANCE,
            spacing_mm=item.spacing if n_dimensions == 3 else None,
        )  # fmt: skip
        mine = [
            one.kind
            for one in found.errors
            if set(one.given) & set(item.given_places) or set(one.accepted) & set(item.accepted_places)
        ]
        n_named += mine == [kind]
        n_others += 3
        n_in_peace += len(found.right)
    return Tally(n, n_named, n_others, n_in_peace)
