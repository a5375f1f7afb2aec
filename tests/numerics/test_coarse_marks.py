"""A coarse mark shows where to look and gives nothing away: an attack fitted on 500 tickets tries to draw the other outline.

The attacker knows the author's outline, the circle and the distance of every ticket, and on four fifths of them also the
other outline: for each point of the author's outline in the circle a regression with products and a kernel regression foretell
the signed offset along the normal. What is judged are the other tickets: how much of the distance to the other outline the
better one recovers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage

from labelhub.numerics.coarse_marks import CoarseMark, coarse_mark, rounded, rounded_up
from labelhub.numerics.disputes import disputes_of
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.signed_distances import signed_distance
from labelhub.numerics.simulated import smooth_field

SECRET = b"a secret of the project"
SIDE = 112
N_TICKETS = 500


@dataclass(frozen=True)
class Ticket:
    """One disputed region of one author: the outline's points, their normals, and how far outside the other outline lies."""

    own: np.ndarray
    region: PlacedMask
    sign: float
    points: np.ndarray
    normals: np.ndarray
    bend: np.ndarray
    offset: np.ndarray
    to_own: np.ndarray


def ticket(rng: np.random.Generator) -> Ticket | None:
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    shape = np.hypot(y * rng.uniform(0.85, 1.15), x) + 3 * smooth_field((SIDE, SIDE), 10, rng)
    own = shape < rng.uniform(24, 34)
    to_own = signed_distance(own)
    angle, width = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.6)
    apart = np.abs((np.arctan2(y, x) - angle + np.pi) % (2 * np.pi) - np.pi)
    sign = float(rng.choice([-1, 1]))
    other = to_own < sign * rng.uniform(4, 10) * np.exp(-0.5 * (apart / width) ** 2) + 0.5 * smooth_field(
        own.shape, 6, rng
    )
    maps = [own.astype(np.uint8), other.astype(np.uint8), other.astype(np.uint8)]
    found = disputes_of(maps, tolerance=2, least_size=8)
    if not found.regions:
        return None
    region = found.regions[0]
    smooth = ndimage.gaussian_filter(to_own, 2)
    slope = np.stack(np.gradient(smooth))
    points = np.argwhere((np.abs(to_own) <= 0.5) & own)
    at = tuple(points.T)
    normals = slope[:, at[0], at[1]].T
    bend = ndimage.laplace(ndimage.gaussian_filter(to_own, 3))[at]
    return Ticket(
        own.astype(np.uint8), PlacedMask(region.voxels, region.origin), sign, points,
        normals / np.linalg.norm(normals, axis=1, keepdims=True), bend, (to_own - signed_distance(other))[at], to_own,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tickets():
    rng = np.random.default_rng(11)
    found = [one for one in (ticket(rng) for _ in range(N_TICKETS + 60)) if one is not None][:N_TICKETS]
    assert len(found) == N_TICKETS
    return found


def honest(number: int, one: Ticket) -> CoarseMark:
    return coarse_mark(one.region, one.own, item=str(number), secret=SECRET)


def exact_circle(number: int, one: Ticket) -> CoarseMark:
    """The planted defect: the smallest circle around the region itself."""
    at = np.argwhere(one.region.voxels) + one.region.origin
    middle = at.mean(axis=0)
    far = float(np.linalg.norm(at - middle, axis=1).max())
    return CoarseMark(tuple(middle), far, honest(number, one).distance, (0, 0), "px")


def signed(number: int, one: Ticket) -> CoarseMark:
    """The other planted defect: the distance says on which side the other outline lies."""
    mark = honest(number, one)
    return CoarseMark(mark.centre, mark.radius, one.sign * mark.distance, mark.planes, "px")


def seen(one: Ticket, mark: CoarseMark) -> tuple[np.ndarray, np.ndarray]:
    """What the attacker knows of each point in the circle, and the offset there."""
    away = np.asarray(mark.centre) - one.points
    near = np.linalg.norm(away, axis=1) <= mark.radius
    away, normals = away[near] / mark.radius, one.normals[near]
    along = (away * normals).sum(axis=1)
    rho = np.linalg.norm(away, axis=1)
    nearest = tuple(np.clip(np.rint(mark.centre).astype(int), 0, SIDE - 1))
    depth = np.full(len(along), one.to_own[nearest] / mark.radius)
    reach = np.full(len(along), mark.radius / 50)
    side = np.column_stack([along, depth, one.bend[near], np.ones(len(along))])
    shape = np.column_stack(
        [np.ones(len(along)), rho, rho**2, rho**3, reach, np.abs(mark.distance) * np.ones(len(along)) / 10]
    )
    products = (side[:, :, None] * shape[:, None, :]).reshape(len(along), -1)
    return np.column_stack([products, products * mark.distance]), one.offset[near]


def recovered(tickets: list[Ticket], marks: list[CoarseMark]) -> float:
    """The share of the distance to the other outline that is recovered on tickets that were not learnt from."""
    known = [seen(one, mark) for one, mark in zip(tickets, marks, strict=True)]
    fold = np.arange(len(tickets)) % 5
    left, total = np.zeros(2), 0.0
    for part in range(5):
        learnt = [known[k] for k in np.flatnonzero(fold != part)]
        judged = [known[k] for k in np.flatnonzero(fold == part)]
        x, t = (np.concatenate([one[side] for one in learnt]) for side in (0, 1))
        new, truth = (np.concatenate([one[side] for one in judged]) for side in (0, 1))
        for way, foretold in enumerate((by_line(x, t, new), by_kernel(x, t, new))):
            left[way] += np.abs(truth - foretold).sum()
        total += np.abs(truth).sum()
    return 1 - left.min() / total


def by_line(x, t, new):
    mean, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    z, w = (x - mean) / spread, (new - mean) / spread
    weights = np.linalg.solve(z.T @ z + 10 * np.eye(z.shape[1]), z.T @ (t - t.mean()))
    return w @ weights + t.mean()


def by_kernel(x, t, new):
    """Ridge regression on random cosines, an approximation of one with a Gaussian kernel."""
    rng = np.random.default_rng(3)
    mean, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    way, shift = rng.standard_normal((x.shape[1], 150)) / 6, rng.uniform(0, 2 * np.pi, 150)
    lift = [np.cos((one - mean) / spread @ way + shift) for one in (x, new)]
    weights = np.linalg.solve(lift[0].T @ lift[0] + 10 * np.eye(150), lift[0].T @ (t - t.mean()))
    return lift[1] @ weights + t.mean()


def test_the_other_outline_cannot_be_rebuilt_from_the_marks(tickets):
    """Less than 10 % of the distance is recovered; both planted defects give more away, so that the attack can succeed."""
    found = {
        way.__name__: recovered(tickets, [way(number, one) for number, one in enumerate(tickets)])
        for way in (honest, exact_circle, signed)
    }
    print(found)
    assert found["honest"] < 0.10
    assert found["exact_circle"] > 0.20
    assert found["signed"] > 0.20


def test_the_region_lies_inside_the_mark_and_the_mark_is_generous(tickets):
    for number, one in enumerate(tickets[:150]):
        mark = honest(number, one)
        at = np.argwhere(one.region.voxels) + one.region.origin
        far = np.linalg.norm(at - np.asarray(mark.centre), axis=1).max()
        assert far <= mark.radius
        assert mark.distance > 0


def test_looking_again_or_after_a_change_of_few_voxels_reveals_nothing_more():
    """Planted: noise that is drawn from the region's very voxels gives another mark to each slightly other region."""
    own = np.zeros((100, 100), dtype=np.uint8)
    own[30:60, 30:60] = 1
    marks = set()
    for width in (6, 6, 7):
        voxels = np.ones((12, width), dtype=bool)
        marks.add(coarse_mark(PlacedMask(voxels, (40, 60)), own, item="7", secret=SECRET))
    assert len(marks) == 1
    region = PlacedMask(np.ones((12, 6), dtype=bool), (40, 60))
    others = [
        coarse_mark(region, own, item="8", secret=SECRET),
        coarse_mark(region, own, item="7", secret=b"the secret of another"),
    ]
    assert len({*marks, *others}) == 3


def test_a_mark_in_a_volume_is_a_ball_in_mm_and_names_its_planes():
    own = np.zeros((30, 60, 60), dtype=np.uint8)
    own[10:20, 20:40, 20:40] = 1
    region = PlacedMask(np.ones((3, 8, 6), dtype=bool), (12, 25, 40))
    mark = coarse_mark(region, own, item="7", secret=SECRET, spacing_mm=(3.0, 1.0, 1.0))
    at = (np.argwhere(region.voxels) + region.origin) * [3, 1, 1]
    assert np.linalg.norm(at - np.asarray(mark.centre) * [3, 1, 1], axis=1).max() <= mark.radius
    assert mark.unit == "mm"
    assert 0 <= mark.planes[0] <= 12
    assert 14 <= mark.planes[1] <= 29
    flat = coarse_mark(
        PlacedMask(np.ones((1, 8, 6), dtype=bool), (0, 25, 40)),
        own[12:13],
        item="7",
        secret=SECRET,
        spacing_mm=(3, 1, 1),
    )
    assert flat.centre[0] in (0.0, 0.5)


def test_where_the_author_drew_nothing_there_is_still_a_mark():
    own = np.zeros((60, 60), dtype=np.uint8)
    region = PlacedMask(np.ones((9, 9), dtype=bool), (20, 20))
    mark = coarse_mark(region, own, item="7", secret=SECRET)
    assert np.linalg.norm(np.argwhere(region.voxels) + 20 - np.asarray(mark.centre), axis=1).max() <= mark.radius
    # An object that the author alone drew has the same kind of mark: the distance does not tell which it is.
    drawn = own.copy()
    drawn[20:29, 20:29] = 1
    assert coarse_mark(region, drawn, item="7", secret=SECRET).distance in (2.0, 5.0, 10.0)


def test_rounding_is_coarse():
    assert [rounded_up(one) for one in (1.0, 1.01, 7.6, 99)] == [1.0, 1.5, 10.0, 100.0]
    assert [rounded(one) for one in (0.4, 1.2, 14, 15, 700)] == [0.5, 1.0, 10.0, 20.0, 500.0]


@pytest.mark.parametrize(
    ("region", "secret", "message"),
    [
        (PlacedMask(np.ones((2, 2), dtype=bool), (0, 0)), b"short", "secret has 5 bytes"),
        (PlacedMask(np.zeros((2, 2), dtype=bool), (0, 0)), SECRET, "it needs a voxel"),
        (PlacedMask(np.ones((2, 2), dtype=bool), (9, 9)), SECRET, "on the grid"),
    ],
)
def test_impossible_input_is_refused(region, secret, message):
    with pytest.raises(ValueError, match=message):
        coarse_mark(region, np.zeros((10, 10), dtype=np.uint8), item="7", secret=secret)
