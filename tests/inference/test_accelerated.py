"""Numbers on a device of torch equal those of ``numerics``, in the degenerate cases too; back-fills use them where registered.

Runs on the CPU of torch, and on an accelerator where there is one. Planted and seen to fail: the places that fill an item's
last word counted as voxels; labels of another item of the batch kept; units with one rating counted; an item that has
converged estimated on; a region of one step; what stood before an axis changed while it is asked; the limit not raised;
slabs without their margin; spacing in reverse; readers without a voxel transformed too; the mean of both
percentiles; the job scoring without the registered comparison; a lack of memory that ends the job.
"""

from __future__ import annotations

import dataclasses
import math
from itertools import combinations

import numpy as np
import pytest
import torch

from labelhub.inference.accelerated import agreement, distances, fusion, overlaps, surfaces
from labelhub.inference.accelerated.devices import computing_device, there
from labelhub.inference.accelerated.laid import in_batches, lay
from labelhub.inference.accelerated.patterns import decision_patterns, pattern_counts
from labelhub.jobs.worker import run_pending
from labelhub.numerics import all_pairs, alpha, overlap, staple
from labelhub.numerics import decision_patterns as patterns_on_cpu
from labelhub.numerics.geometry import PlacedMask
from labelhub.scoring import accelerators
from labelhub.scoring.compare import VERSION
from labelhub.scoring.models import Score
from labelhub.scoring.services import score_item
from labelhub.workflow.backfilling import start_backfill
from tests.workflow.walking import add_item, set_policy, store

CLOSE = 1e-6
DEVICE = computing_device()


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def readers(rng: np.random.Generator, shape: tuple[int, ...], n: int, *, n_labels: int = 3, kind: type = np.uint8):
    """Label maps of readers who mostly agree: boxes of each label, with some voxels otherwise."""
    truth = np.zeros(shape, dtype=np.int64)
    for label in range(1, n_labels + 1):
        low = [int(rng.integers(0, max(1, length - 3))) for length in shape]
        truth[tuple(slice(start, start + 4) for start in low)] = label
    return [
        np.where(rng.random(shape) < 0.1, rng.integers(0, n_labels + 1, shape), truth).astype(kind) for _ in range(n)
    ]


def assert_same(mine: object, theirs: object, names: tuple[str, ...]) -> None:
    for name in names:
        a, b = getattr(mine, name), getattr(theirs, name)
        if isinstance(a, np.ndarray):
            assert a.shape == b.shape, name
            assert np.allclose(a, b, rtol=0, atol=CLOSE, equal_nan=True), name
        elif isinstance(a, float):
            assert (math.isnan(a) and math.isnan(b)) or abs(a - b) <= CLOSE, (name, a, b)
        else:
            assert a == b, (name, a, b)


def fields(result: object) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(result))


OVERLAP = ("labels", "confusion", "dice", "iou", "n_voxels", "volume", "unit")


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int64])
@pytest.mark.parametrize("n_readers", [1, 2, 5])
def test_patterns_are_those_of_the_cpu(rng, kind, n_readers):
    for shape in ((3, 5, 7), (4, 6), (1, 1, 1), (2, 0)):
        maps = readers(rng, shape, n_readers, kind=kind)
        for given, labels in ((maps, None if maps[0].size else [3]), ([one * 40 for one in maps], [120, 7])):
            (found,) = decision_patterns(lay([given], DEVICE), labels=labels)
            theirs = patterns_on_cpu.decision_patterns(given, labels=labels)
            assert_same(found, theirs, ("labels", "table", "counts"))
            place = found.spread(np.arange(len(found.table)))
            assert np.array_equal(found.table[place], theirs.table[theirs.spread(np.arange(len(theirs.table)))])


def test_patterns_pass_in_blocks_and_outgrow_a_word(rng, monkeypatch):
    maps = [rng.integers(-5, 120, (9, 11)).astype(np.int8) for _ in range(12)]
    theirs = all_pairs.compare_all(maps)
    monkeypatch.setattr("labelhub.inference.accelerated.patterns.room_of", lambda _: 1)
    assert_same(overlaps.compare_all(maps, device=DEVICE), theirs, OVERLAP)


@pytest.mark.parametrize("spacing", [None, (2.5, 0.7, 1.0)])
def test_overlaps_are_those_of_the_cpu(rng, spacing):
    maps = [*readers(rng, (4, 5, 6), 4), np.zeros((4, 5, 6), np.uint8)]
    for given in (maps, [one > 0 for one in maps], [maps[0], maps[0]], [maps[4]] * 3, maps[:1]):
        mine = overlaps.compare_all(given, spacing_mm=spacing, labels=[9], device=DEVICE)
        theirs = all_pairs.compare_all(given, spacing_mm=spacing, labels=[9])
        assert_same(mine, theirs, OVERLAP)
        for first, second in combinations(range(len(given)), 2):
            assert np.array_equal(
                mine.volume_difference(first, second), theirs.volume_difference(first, second), equal_nan=True
            )


def test_a_project_is_compared_in_batches_item_by_item(rng, monkeypatch):
    # Three items of one size and other labels each, one of another size, one of other readers.
    items = [
        *(readers(rng, (3, 5, 7), 3, n_labels=n) for n in (1, 4, 2)), readers(rng, (4, 4), 3),
        readers(rng, (4, 4), 2),
    ]  # fmt: skip
    asked = [(maps, (1.0, 2.0, 3.0)[: maps[0].ndim]) for maps in items]
    assert [batch.n_items for batch in in_batches(items, DEVICE)] == [3, 1, 1]
    for _ in range(2):
        found = list(overlaps.compare_project(asked, device=DEVICE))
        for mine, (maps, spacing) in zip(found, asked, strict=True):
            assert_same(mine, all_pairs.compare_all(maps, spacing_mm=spacing), OVERLAP)
        for fused, maps in zip(fusion.staple_project(items, device=DEVICE), items, strict=True):
            assert np.array_equal(fused.label_map(), staple.label_staple(maps).label_map())
        monkeypatch.setattr("labelhub.inference.accelerated.laid.room_of", lambda _: 1)
    assert [batch.n_items for batch in in_batches(items, DEVICE)] == [1] * 5, "memory is bounded"
    laid = lay(items[:3], DEVICE)
    assert laid.n_bytes == 3 * 3 * 105
    assert [counts.counts.sum() for counts in pattern_counts(laid)] == [105] * 3


def ratings(rng: np.random.Generator, *, n_units: int = 40, share_missing: float = 0.3) -> np.ndarray:
    table = np.clip(rng.integers(0, 5, (n_units, 1)) + rng.integers(-1, 2, (n_units, 4)), 0, None).astype(float)
    table[rng.random(table.shape) < share_missing] = np.nan
    table[0] = np.nan
    table[1, 1:] = np.nan
    table[1, 0] = 50.0
    return table


@pytest.mark.parametrize("measure", ["nominal", "ordinal", "interval", "ratio"])
def test_alpha_is_that_of_the_cpu(rng, measure):
    gaps = ratings(rng)
    whole = ratings(rng, share_missing=0.0)[2:]
    some = [
        gaps, whole, whole.astype(np.int16), whole + 0.25 * rng.random(whole.shape), whole[:, :1], np.ones((5, 3)),
        np.ones((5, 3), dtype=np.int64), np.full((4, 3), np.nan), np.zeros((0, 3)), gaps[:2],
    ]  # fmt: skip
    for table in some:
        mine = agreement.alpha_value(table, measure, device=DEVICE)
        theirs = alpha.krippendorff_alpha(table, measure).estimate
        assert_same(mine, theirs, ("value", "n", "unit", "method", "version", "reason"))


def test_alpha_passes_in_blocks_and_leaves_too_many_values_to_the_cpu(rng, monkeypatch):
    table = ratings(rng)
    whole = agreement.coincidences(table, device=DEVICE)
    parts = agreement.coincidences(table, device=DEVICE, units_at_once=7)
    assert_same(parts, whole, ("values", "table", "totals", "n_units"))
    theirs = alpha.krippendorff_alpha(table, "interval").estimate
    monkeypatch.setattr(agreement, "MAX_VALUES", 3)
    assert_same(agreement.alpha_value(table, "interval", device=DEVICE), theirs, ("value", "n", "reason"))
    with pytest.raises(ValueError, match="negative"):
        agreement.alpha_value(-table, "ratio", device=DEVICE)
    with pytest.raises(ValueError, match="infinite"):
        agreement.alpha_value(np.full((3, 2), np.inf), device=DEVICE)


def test_alpha_of_maps_takes_voxels_for_units(rng):
    maps = readers(rng, (5, 6, 7), 4)
    flat = np.stack([one.reshape(-1) for one in maps], axis=1).astype(float)
    for measure in ("nominal", "ordinal"):
        mine = agreement.alpha_of_maps(maps, measure, labels=[9], device=DEVICE)
        assert_same(mine, alpha.krippendorff_alpha(flat, measure, unit="voxels").estimate, ("value", "n", "unit"))
    assert math.isnan(agreement.alpha_of_maps(maps[:1], device=DEVICE).value)


STAPLE = (
    "labels", "confusion", "prior", "posterior", "region", "n_region", "n_iterations", "is_converged", "is_fallback",
    "warnings", "method", "version",
)  # fmt: skip


def assert_same_fusion(mine: staple.Staple, theirs: staple.Staple) -> None:
    assert_same(mine, theirs, STAPLE)
    assert np.allclose(mine.probability(), theirs.probability(), rtol=0, atol=CLOSE)
    assert np.array_equal(mine.label_map(), theirs.label_map())
    assert np.array_equal(mine.mask(), theirs.mask())


@pytest.mark.parametrize("region", ["union", "full"])
@pytest.mark.parametrize("shape", [(12, 9, 7), (20, 20)])
def test_staple_is_that_of_the_cpu(rng, region, shape):
    for n_readers in (1, 2, 5):
        maps = readers(rng, shape, n_readers)
        masks = [one == 1 for one in maps]
        assert_same_fusion(fusion.staple(masks, region=region, device=DEVICE), staple.staple(masks, region=region))
        for more in ({}, {"start": "itk"}, {"labels": [9]}, {"background": 8}, {"max_iterations": 3}):
            mine = fusion.label_staple(maps, region=region, device=DEVICE, **more)
            assert_same_fusion(mine, staple.label_staple(maps, region=region, **more))
    nothing, everything = np.zeros(shape, bool), np.ones(shape, bool)
    for same in ([nothing] * 3, [everything] * 3, [masks[0]] * 3, [nothing, everything]):
        assert_same_fusion(fusion.staple(same, region=region, device=DEVICE), staple.staple(same, region=region))


def test_items_that_converge_early_stay_as_they_are(rng):
    items = [readers(rng, (9, 8, 7), 3) for _ in range(4)] + [[np.eye(9, dtype=np.uint8)[None] * 3] * 3]
    theirs = [staple.label_staple(maps) for maps in items]
    assert len({found.n_iterations for found in theirs}) > 1
    for mine, other in zip(fusion.staple_project(items, device=DEVICE), theirs, strict=True):
        assert_same_fusion(mine, other)


SPACINGS = (None, (3.1, 0.4, 1.3))


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("shape", [(8, 9, 7), (24, 22), (1, 10, 30), (1, 1, 6), (30, 4, 5)])
@pytest.mark.parametrize("room", [None, 1, 40_000])
def test_every_measure_of_every_pair_is_that_of_the_cpu(rng, shape, spacing, room):
    steps = None if spacing is None else spacing[: len(shape)]
    sparse = rng.random(shape) < 0.02
    maps = np.stack([*readers(rng, shape, 2), np.zeros(shape, np.uint8), sparse, sparse, np.ones(shape, np.uint8)])
    asked = {"spacing_mm": steps, "tolerance": 1.3, "both_empty_is_perfect": room == 1}
    found = surfaces.compare_readers(maps, labels=(1, 2, 77), device=DEVICE, room=room, **asked)
    assert len(found) == 15 * 3
    for (first, second, label), mine in found.items():
        theirs = overlap.compare_masks(maps[first] == label, maps[second] == label, **asked)
        assert_same(mine, theirs, fields(theirs))


def test_masks_are_compared_as_label_maps_are(rng):
    masks = [one == 1 for one in readers(rng, (6, 7), 2)]
    found = surfaces.compare_readers(masks, device=DEVICE)[0, 1, 1]
    assert_same(found, overlap.compare_masks(*masks), fields(found))
    assert surfaces.compare_readers(masks[:1], device=DEVICE) == {}, "one reader is no pair"


def test_far_surfaces_are_found_exactly_and_a_tolerance_is_met_exactly():
    a, b = np.zeros((2, 3, 90), bool), np.zeros((2, 3, 90), bool)
    a[0, 0, 1], b[1, 2, 88] = True, True
    masks = there(np.stack([a, b]), DEVICE).to(torch.bool)
    apart = math.sqrt(0.3**2 + (2 * 0.7) ** 2 + (87 * 0.1) ** 2)
    there_and_back = distances.distances_between(distances.surface(masks), (0.3, 0.7, 0.1))
    assert [own.tolist() for own in there_and_back] == [
        [[0.0], [pytest.approx(apart)]],
        [[pytest.approx(apart)], [0.0]],
    ]
    near = np.roll(a, 3, axis=2)
    found = surfaces.compare_readers([a, near], spacing_mm=(1, 1, 0.1), tolerance=0.3, device=DEVICE)[0, 1, 1]
    assert found.surface_dice == 1.0, "three steps of 0.1 are 0.3"


@pytest.mark.parametrize("second_is_truth", [False, True])
def test_placed_masks_are_compared_as_on_the_cpu(rng, second_is_truth):
    first, second = (
        PlacedMask(rng.random((6, 7, 8)) < 0.3, (3, 1, 2)),
        PlacedMask(rng.random((2, 4, 8)) < 0.3, (9, 5, 2)),
    )
    nothing = PlacedMask(np.zeros((0, 0, 0), bool), (0, 0, 0))
    asked = {"spacing_mm": (3.0, 0.5, 0.8), "tolerance": 1.0, "second_is_truth": second_is_truth}
    for pair in ((first, second), (first, nothing), (nothing, second), (nothing, nothing)):
        theirs = overlap.compare_placed(*pair, (50, 60, 60), **asked)
        for least in (0, surfaces.WORTH_A_COPY):
            mine = surfaces.compare_placed(*pair, (50, 60, 60), device=DEVICE, worth_a_copy=least, **asked)
            assert_same(mine, theirs, fields(theirs))


def test_without_room_on_the_device_masks_are_compared_all_the_same(rng, monkeypatch, caplog):
    def full(*_given, **_named):
        raise torch.OutOfMemoryError("no room")

    mask = PlacedMask(rng.random((6, 7, 8)) < 0.3, (0, 0, 0))
    monkeypatch.setattr(surfaces, "distances_between", full)
    found = surfaces.compare_placed(mask, mask, (6, 7, 8), device=DEVICE, worth_a_copy=0)
    assert_same(found, overlap.compare_placed(mask, mask, (6, 7, 8)), fields(found))
    assert "no room" in caplog.text


def test_what_cannot_be_compared_is_refused(rng):
    maps = readers(rng, (4, 5, 6), 2)
    for wrong, words in (
        ([], "empty"), ([maps[0], maps[0][:2]], "one grid"), ([maps[0].astype(float)], "whole numbers"),
        ([maps[0].astype(np.uint64), maps[0].astype(np.int64)], "whole number type"),
        ([maps[0][:0]], "nothing to compare"),
        ([maps[0].astype(np.uint64) + np.uint64(2**63)], "largest possible"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            overlaps.compare_all(wrong, device=DEVICE)
    with pytest.raises(ValueError, match="boolean"):
        fusion.staple(maps, device=DEVICE)
    with pytest.raises(ValueError, match="2 or 3 dimensions"):
        surfaces.compare_readers([np.ones(4, bool)], device=DEVICE)
    for more in ({"spacing_mm": (1, 1)}, {"spacing_mm": (1, 0, 1)}, {"tolerance": -1.0}):
        with pytest.raises(ValueError, match=r"spacing_mm|tolerance"):
            surfaces.compare_readers(maps, device=DEVICE, **more)


@pytest.fixture
def registered():
    """An accelerator of this process, which keeps what it answered beside the CPU's answer."""
    answers: list[tuple[overlap.MaskComparison, overlap.MaskComparison]] = []

    def compare(first, second, size, **rest):
        mine = surfaces.compare_placed(first, second, size, device=DEVICE, worth_a_copy=0, **rest)
        answers.append((mine, overlap.compare_placed(first, second, size, **rest)))
        return mine

    accelerators.register_accelerator(compare)
    yield answers
    accelerators.forget_accelerator()


@pytest.mark.once
def test_a_backfill_compares_on_the_accelerator_and_nothing_else_does(cast, registered):
    set_policy(cast, readers=2, max_readers=5)
    items = [add_item(cast.project, seed=number) for number in range(2)]
    for item in items:
        for user, square in ((cast.ann, (10, 10, 20)), (cast.ben, (12, 10, 20))):
            store(cast, item, user, square, is_routed=False)
    score_item(items[0])
    assert registered == [], "a submission is scored by whoever takes it"
    start_backfill(project=cast.project, by=cast.ada)
    run_pending(queues=["cpu"])
    assert len(registered) == 1
    for mine, theirs in registered:
        assert_same(mine, theirs, fields(theirs))
    rows = {
        item.pk: {(row.metric, row.label): (row.value, row.method, row.method_version) for row in Score.objects.filter(
            item=item, about="pair", replaced_at=None
        )}
        for item in items
    }  # fmt: skip
    assert rows[items[0].pk], "there are rows to compare"
    for key, (value, method, version) in rows[items[0].pk].items():
        other = rows[items[1].pk][key]
        assert (method, version) == other[1:], "one way of counting, wherever it ran"
        assert value == other[0] or abs(value - other[0]) <= CLOSE
    assert {row[2] for row in rows[items[1].pk].values()} == {VERSION}
