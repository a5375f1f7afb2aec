"""Disputed regions: what is one, what is thin, who said what; and the slow obvious twin of the search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from labelhub.numerics import dispute_search
from labelhub.numerics.decision_patterns import decision_patterns
from labelhub.numerics.disputes import disputes_of
from labelhub.numerics.pieces import connected_pieces
from labelhub.numerics.settled_maps import voted_map, without_undecided
from labelhub.numerics.simulated import BoundaryFault, read_mask


def plane(*boxes, shape=(60, 60)):
    """A label map with rectangles ``(label, low, high)``."""
    result = np.zeros(shape, dtype=np.uint8)
    for label, low, high in boxes:
        result[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = label
    return result


ORGAN = (1, (15, 15), (45, 45))


def test_a_region_says_where_it_lies_how_large_it_is_and_who_marks_what():
    plain, bulge = plane(ORGAN), plane(ORGAN, (1, (20, 45), (30, 55)))
    found = disputes_of([plain, bulge, plain], tolerance=2, spacing_mm=(0.5, 0.5))
    assert len(found.regions) == 1
    region = found.regions[0]
    assert (region.number, region.origin, region.voxels.shape) == (1, (20, 45), (10, 10))
    assert (region.n_voxels, region.size, found.unit) == (100, 25.0, "mm²")
    assert region.given[:, found.labels == 1].ravel().tolist() == [0, 100, 0]
    assert region.consensus.tolist() == [100, 0]
    assert region.voxels[tuple(np.subtract(region.centre, region.origin))]
    assert np.abs(np.subtract(region.centre, (24.5, 49.5))).max() <= 0.5
    assert (region.planes, region.plane) == ((0, 0), 0)
    assert found.band.n_voxels == 0
    assert (found.region_map() == (bulge != plain)).all()


def test_a_region_of_a_volume_names_its_planes():
    plain, lesion = np.zeros((30, 40, 40), dtype=np.uint8), np.zeros((30, 40, 40), dtype=np.uint8)
    lesion[10:16, 10:20, 10:20] = 3
    lesion[12, 5:10, 10:20] = 3
    found = disputes_of([plain, lesion, lesion], tolerance=2, spacing_mm=(3, 1, 1), consensus=plain)
    region = found.regions[0]
    assert (region.planes, region.plane, found.unit) == ((10, 15), 12, "mm³")
    assert region.size == region.n_voxels * 3.0 == 650 * 3.0


def test_the_thin_band_is_one_row_and_no_region():
    maps = [plane((1, (15 - k, 15 - k), (45 + k, 45 + k))) for k in range(3)]
    found = disputes_of(maps, tolerance=2, consensus=plane((1, (14, 14), (46, 46))))
    assert found.regions == ()
    assert found.band.n_voxels == found.n_differing == 34**2 - 30**2
    assert found.band.share == 1.0
    # One pixel is more than half a pixel.
    assert len(disputes_of(maps, tolerance=0.5, consensus=plane((1, (14, 14), (46, 46)))).regions) == 1


def test_a_region_stands_on_the_surface_and_leaves_the_wobble_beside_it_to_the_band():
    wide, plain = plane((1, (14, 14), (46, 46))), plane(ORGAN)
    bulge = wide.copy()
    bulge[28:32, 46:56] = 1
    found = disputes_of([plain, plain, plain, wide, bulge], tolerance=2)
    assert len(found.regions) == 1
    region = found.regions[0]
    # The foot of the bulge and two pixels of the wobble on either side of it; not the whole ring.
    assert region.origin[1] == 45
    assert region.n_voxels < 4 * 11 + 12
    assert found.band.n_voxels > 100


def test_parts_below_the_least_size_fall_back_into_the_band_and_are_counted():
    plain = plane(ORGAN)
    spike, bulge = plane(ORGAN, (1, (20, 45), (21, 49))), plane(ORGAN, (1, (30, 45), (40, 55)))
    both = np.maximum(spike, bulge)
    # Two pixels of the spike are deeper than 2; of the bulge 80.
    found = disputes_of([plain, plain, both], tolerance=2, least_size=3)
    assert [region.n_voxels for region in found.regions] == [100]
    assert (found.band.n_voxels, found.band.n_small, found.band.share) == (4, 1, 4 / 104)
    assert len(disputes_of([plain, plain, both], tolerance=2, least_size=2).regions) == 2
    # In mm²: the same two pixels of a quarter of a mm² each.
    assert len(disputes_of([plain, plain, both], tolerance=1, least_size=0.5, spacing_mm=(0.5, 0.5)).regions) == 2
    assert len(disputes_of([plain, plain, both], tolerance=1, least_size=0.6, spacing_mm=(0.5, 0.5)).regions) == 1


def test_a_small_structure_that_was_missed_is_a_region_however_thin():
    """Planted: without ``missed_pieces`` the lesion of 3 x 3 pixels is nowhere deeper than 2 and falls into the band."""
    with_it, without = plane(ORGAN, (2, (5, 5), (8, 8))), plane(ORGAN)
    found = disputes_of([with_it, with_it, without], tolerance=2)
    assert [(region.n_voxels, region.given[:, 2].tolist()) for region in found.regions] == [(9, [9, 9, 0])]
    # Somebody who has part of it does not miss it.
    part = plane(ORGAN, (2, (5, 5), (8, 7)))
    assert disputes_of([with_it, with_it, part], tolerance=2).regions == ()
    # A tail of a structure on which all agree is no piece of its own.
    tail = plane(ORGAN, (1, (30, 45), (31, 47)))
    assert disputes_of([tail, tail, without], tolerance=2).regions == ()


def test_a_wrong_structure_beside_a_border_is_no_wobble_of_that_border():
    """Planted: with distances to the nearest border of any labels the vessel along the organ's edge is thin."""
    vessel = plane(ORGAN, (2, (15, 43), (45, 45)))
    found = disputes_of([plane(ORGAN), plane(ORGAN), vessel], tolerance=2)
    assert [region.n_voxels for region in found.regions] == [60]


def test_two_structures_are_held_to_the_larger_tolerance_and_each_label_has_its_own():
    one = plane((1, (10, 10), (40, 25)), (2, (10, 25), (40, 40)))
    other = plane((1, (10, 10), (40, 28)), (2, (10, 28), (40, 40)))
    assert disputes_of([one, one, other], tolerance={1: 1.0, 2: 3.0}).regions == ()
    assert len(disputes_of([one, one, other], tolerance={1: 1.0, 2: 2.0}).regions) == 1
    with pytest.raises(ValueError, match="none for label 2"):
        disputes_of([one, other], tolerance={1: 1.0})


def test_background_is_no_answer_from_whoever_was_not_asked():
    organ, both = plane(ORGAN), plane(ORGAN, (2, (2, 2), (12, 12)))
    asked = [{1}, None, None]
    assert disputes_of([organ, both, both], tolerance=2, asked=asked).n_differing == 0
    found = disputes_of([organ, both, organ], tolerance=2, asked=asked)
    assert [(region.n_voxels, region.is_silent.tolist()) for region in found.regions] == [(100, [True, False, False])]
    # Of what was asked of them they are heard.
    found = disputes_of([both, organ, np.zeros_like(organ)], tolerance=2, asked=[None, {1}, {1}])
    assert [region.is_silent.tolist() for region in found.regions] == [[False, False, False]]
    with pytest.raises(ValueError, match="asked has 1"):
        disputes_of([organ, both], tolerance=2, asked=[None])


def test_readers_who_agree_differ_nowhere_and_one_reader_does_not_either():
    organ = plane(ORGAN)
    for maps in ([organ, organ], [organ]):
        found = disputes_of(maps, tolerance=2)
        assert (found.regions, found.n_differing, found.band.share) == ((), 0, 0.0)
    assert disputes_of([plane(), plane()], tolerance=2).regions == ()


def test_a_structure_that_the_consensus_lacks_is_deep_everywhere():
    lesion = plane((2, (5, 5), (7, 7)))
    found = disputes_of([plane(), plane(), lesion], tolerance=2)
    assert [region.n_voxels for region in found.regions] == [4]


def test_labels_need_not_count_from_0_and_the_background_may_be_any():
    first, second = plane(ORGAN), plane(ORGAN, (1, (20, 45), (30, 55)))
    plain = disputes_of([first, first, second], tolerance=2)
    maps = [np.where(one == 1, 7, 40).astype(np.int16) for one in (first, first, second)]
    found = disputes_of(maps, tolerance=2, background=40)
    assert [region.key for region in found.regions] == [region.key for region in plain.regions]
    # Where the background occurs nowhere, there is only structure.
    halves = [plane((7, (0, 0), (60, 60)), (8, (0, 0), (60, k))) for k in (30, 30, 40)]
    assert len(disputes_of(halves, tolerance=2).regions) == 1


def test_one_plane_of_a_volume_is_compared_in_two_dimensions():
    first, second = plane(ORGAN), plane(ORGAN, (1, (20, 45), (30, 55)))
    flat = disputes_of([first[None], first[None], second[None]], tolerance=2, spacing_mm=(5.0, 1.0, 1.0))
    assert (flat.regions[0].n_voxels, flat.regions[0].origin, flat.unit) == (100, (0, 20, 45), "mm²")
    row = disputes_of([first[20:21], first[20:21], second[20:21]], tolerance=2)
    assert [region.n_voxels for region in row.regions] == [10]


def test_a_region_found_again_has_the_same_key_and_another_one_another():
    plain, bulge = plane(ORGAN), plane(ORGAN, (1, (20, 45), (30, 55)))
    more = plane(ORGAN, (1, (20, 45), (30, 56)))
    first, again, other = (disputes_of([plain, plain, one], tolerance=2).regions[0].key for one in (bulge, bulge, more))
    assert first == again != other


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tolerance": -1.0}, "tolerance is -1"),
        ({"least_size": -1.0}, "least_size is -1"),
        ({"spacing_mm": (1.0,)}, "spacing_mm is"),
        ({"consensus": np.zeros((2, 2), dtype=np.uint8)}, "consensus has shape"),
    ],
)
def test_impossible_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        disputes_of([plane(ORGAN), plane()], **{"tolerance": 2.0, **changes})


def jittered(truth, n, rng, noise=1.0):
    """Readers whose outlines wobble by about so many pixels: they differ all along the border."""
    return [
        np.asarray(read_mask(truth, BoundaryFault(noise=noise, smoothness=3.0), rng)).astype(np.uint8) for _ in range(n)
    ]


def test_thin_jitter_does_not_flood_the_list_and_a_planted_bulge_stands_out():
    """Twenty items of five readers whose outlines wobble by 1 to 2 px (SD 0.8), tolerance 3 px, least size 4 px.

    Planted: without the tolerance every item has dozens of regions (asserted here as the contrast).
    """
    rng = np.random.default_rng(5)
    n_regions = n_found = 0
    flood = []
    for _ in range(20):
        y, x = np.indices((120, 120)) - 60
        truth = np.hypot(y, x * rng.uniform(0.8, 1.2)) < rng.uniform(25, 40)
        maps = jittered(truth, 5, rng, noise=0.8)
        calm = disputes_of(maps, tolerance=3, least_size=4)
        flood.append(len(disputes_of(maps, tolerance=0).regions))
        assert calm.n_differing > 100
        n_regions += len(calm.regions)
        maps[0][10:24, 55:65] |= 1
        maps[0][10:60, 59:61] |= 1
        noisy = disputes_of(maps, tolerance=3, least_size=4)
        n_found += noisy.regions[0].given[0, 1] > 100 if noisy.regions else 0
        n_regions += len(noisy.regions) - 1
    assert n_regions <= 2
    assert n_found == 20
    assert np.median(flood) > 10


def test_one_or_two_voxels_of_noise_in_a_volume_do_not_flood_the_list():
    rng = np.random.default_rng(6)
    z, y, x = np.indices((40, 64, 64))
    truth = np.sqrt(((z - 20) * 1.5) ** 2 + (y - 32) ** 2 + (x - 32) ** 2) < 18
    maps = jittered(truth, 5, rng, noise=0.8)
    found = disputes_of(maps, tolerance=3, least_size=8)
    assert found.n_differing > 2000
    assert found.regions == ()


def slow_deep(maps, consensus, tolerance, spacing):
    """By distance maps of the whole grid: whether some reader's label is farther than the tolerance in the consensus."""
    deep = np.zeros(consensus.shape, dtype=bool)
    differs = np.any([one != maps[0] for one in maps], axis=0)
    for label in np.unique(maps):
        has = consensus == label
        padded = np.pad(has, 30, constant_values=label == 0)
        distance = np.full(padded.shape, np.inf)
        if padded.any():
            distance = ndimage.distance_transform_edt(~padded, sampling=spacing)
        near = distance[(slice(30, -30),) * consensus.ndim] <= tolerance + 1e-9
        for one in maps:
            deep |= (one == label) & (consensus != label) & ~near
    return deep & differs


@pytest.mark.parametrize("by_map", [False, True])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_search_finds_what_distance_maps_find(by_map, seed):
    """Planted: a margin one voxel too narrow, and a search that stops after its first steps, are both seen here."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(6, 14, rng.integers(2, 4)))
    coarse = [rng.integers(0, 3, tuple(-(-n // 4) for n in shape)) for _ in range(3)]
    maps = [
        np.kron(one, np.ones((4,) * len(shape), dtype=int))[tuple(slice(0, n) for n in shape)].astype(np.uint8)
        for one in coarse
    ]
    spacing, tolerance = tuple(rng.uniform(0.6, 2.0, len(shape))), float(rng.uniform(0.5, 4))
    patterns = decision_patterns(maps)
    consensus = voted_map(patterns)
    labels = np.union1d(patterns.labels, np.unique(consensus)).astype(np.int64)
    places = np.sort(patterns.places).astype(np.int64)
    most = dispute_search._MOST_NEIGHBOURS
    try:
        dispute_search._MOST_NEIGHBOURS = 0 if by_map else most
        ground = dispute_search.ground_of(consensus, labels, places, spacing, reach=tolerance)
        said = np.stack([np.any([one.ravel()[places] == label for one in maps], axis=0) for label in labels], axis=1)
        reach = np.where((labels == 0)[:, None] & (labels == 0)[None, :], 0.0, tolerance)
        found = np.zeros(consensus.size, dtype=bool)
        deep = dispute_search.beyond_tolerance(ground, said, np.arange(len(places)), reach)
        found[places] = deep
        grown = dispute_search.with_surroundings(ground, deep)
    finally:
        dispute_search._MOST_NEIGHBOURS = most
    np.testing.assert_array_equal(found.reshape(shape), slow_deep(maps, consensus, tolerance, spacing))
    if found.any():
        near = ndimage.distance_transform_edt(~found.reshape(shape), sampling=spacing) <= tolerance + 1e-9
        np.testing.assert_array_equal(grown, near.ravel()[places])
    else:
        assert not grown.any()


@pytest.mark.parametrize("most", [0, 600])
@pytest.mark.parametrize("shape", [(1, 40), (40, 1)])
def test_readers_of_a_single_line_differ_as_far_as_along_the_line(monkeypatch, most, shape):
    monkeypatch.setattr(dispute_search, "_MOST_NEIGHBOURS", most)
    consensus = np.repeat([0, 1, 0, 2], [15, 10, 10, 5])
    places, reach = np.arange(40), 3.0
    ground = dispute_search.ground_of(consensus.reshape(shape), np.arange(3), places, (0.7, 0.7), reach=reach)
    assert (ground.steps is None) == (most == 0)
    found = dispute_search.beyond_tolerance(
        ground, np.ones((1, 3), dtype=bool), np.zeros(40, int), np.full((3, 3), reach)
    )
    slow = []
    for place in range(40):
        # Beyond the ends lies background.
        near = {0} if min(place + 1, 40 - place) * 0.7 <= reach else set()
        near |= {int(consensus[other]) for other in range(40) if abs(other - place) * 0.7 <= reach}
        slow.append(near != {0, 1, 2})
    assert found.tolist() == slow


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 7, 300], [0, 7, 70_000], [-3, 0, 7]])
def test_labels_of_any_size_are_told_by_their_places(labels):
    consensus = np.random.default_rng(0).choice(labels, (5, 6))
    ground = dispute_search.ground_of(consensus, np.array(labels), np.arange(30), (1.0, 1.0))
    expected = [labels.index(label) for label in consensus.ravel().tolist()]
    assert ground.own.tolist() == ground.codes[1:-1, 1:-1].ravel().tolist() == expected
    assert ground.background == labels.index(0) == ground.codes[0, 0]


def test_where_nobody_differs_nothing_is_beyond_the_tolerance():
    none = np.zeros(0, dtype=np.int64)
    ground = dispute_search.ground_of(np.zeros((3, 3), dtype=np.uint8), np.array([0, 1]), none, (1.0, 1.0), reach=2.0)
    found = dispute_search.beyond_tolerance(ground, np.zeros((0, 2), dtype=bool), none, np.full((2, 2), 2.0))
    assert found.shape == (0,)
    assert found.dtype == bool


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_keys=st.integers(1, 3))
def test_pieces_are_those_of_a_whole_grid(seed, n_keys):
    rng = np.random.default_rng(seed)
    grid = np.pad(rng.integers(0, n_keys + 1, tuple(rng.integers(1, 8, rng.integers(2, 4)))), 1)
    flat = np.flatnonzero(grid)
    strides = [int(np.prod(grid.shape[axis + 1 :])) for axis in range(grid.ndim - 1)]
    found = connected_pieces(flat, strides, grid.ravel()[flat])
    expected = np.zeros(grid.shape, dtype=int)
    for key in range(1, n_keys + 1):
        part, _ = ndimage.label(grid == key)
        expected[part > 0] = part[part > 0] + 1000 * key
    pairs = set(zip(found.tolist(), expected.ravel()[flat].tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    assert connected_pieces(np.zeros(0, dtype=np.int64), strides).tolist() == []


def test_ties_go_to_whoever_ground_they_lie_in():
    # Two readers' outlines 4 px apart: the middle. An object that one of two marked: nobody's ground, so nothing.
    first, second = plane((1, (10, 10), (50, 30))), plane((1, (10, 10), (50, 34)))
    assert (voted_map(decision_patterns([first, second]))[20:40, 10:40] == 1).sum(axis=1).tolist() == [22] * 20
    lonely = plane((1, (20, 20), (40, 40)))
    assert not voted_map(decision_patterns([lonely, plane()])).any()
    # Far from everything settled, and where nothing is.
    far = np.full((1, 40), 9, dtype=np.uint8)
    far[0, 0], far[0, -1] = 1, 2
    assert without_undecided(far, 9).tolist() == [[1] * 20 + [2] * 20]
    assert not without_undecided(np.full((3, 3), 9, dtype=np.uint8), 9).any()
    assert voted_map(decision_patterns([first, first])) is not None
