"""The fold: one result for one log, equal to JavaScript's by shared vectors; the rasteriser against a slow obvious twin."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.annotations.fold import Act, fold, state_to_document
from labelhub.annotations.layers import layer_digest, paint_layers
from labelhub.numerics.strokes import MAX_RADIUS, MIN_RADIUS, paint_stroke, stroke_bounds
from tests.annotations.fold_vectors import FOLDER, LABELS, MASK, SIZES, random_log, vector

VECTORS = sorted(FOLDER.glob("*.json"))


def acts_of(document):
    return [Act(**entry) for entry in document["acts"]]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_shared_vectors_say_what_the_fold_says(path):
    document = orjson.loads(path.read_bytes())
    sizes = {int(medium): tuple(size) for medium, size in document["sizes"].items()}
    assert orjson.loads(orjson.dumps(vector(document["base"], acts_of(document), sizes))) == document


def test_there_are_vectors_with_every_kind_of_operation_and_with_masks():
    documents = [orjson.loads(path.read_bytes()) for path in VECTORS]
    kinds = {entry["kind"] for document in documents for entry in document["acts"]}
    assert len(kinds) == 11
    assert sum(len(document["layers"]) for document in documents) >= 10


def test_who_made_a_layer_is_told_of_all_that_stands_of_it():
    document = orjson.loads((FOLDER / "sources.json").read_bytes())
    assert {layer["label"]: layer["source"] for layer in document["layers"]} == {
        "hand": "drawn", "tool": "tool", "model": "model", "both": "drawn", "gone over": "model-edited",
        "taken back": "model", "base": "model-edited", "brought": "imported", "kept": "model-edited",
    }  # fmt: skip


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_a_fold_goes_on_from_a_written_state_as_if_it_had_not_stopped(seed, length, share):
    base, acts = random_log(np.random.default_rng(seed), length)
    cut = int(length * share)
    written = orjson.loads(orjson.dumps(state_to_document(fold(base, acts[:cut]))))
    assert state_to_document(fold(written, acts[cut:])) == state_to_document(fold(base, acts))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_undoing_every_stroke_leaves_what_the_document_began_with(seed):
    base, acts = random_log(np.random.default_rng(seed), 40)
    state = fold(base, acts)
    undo = [
        Act(len(acts) + n, f"u{n}", mark.author, "stroke.undo", {"stroke_id": mark.mark_id})
        for n, mark in enumerate(state.marks.values(), start=1)
    ]
    layers = paint_layers(fold(base, [*acts, *undo]), SIZES, {"m": MASK})
    assert list(layers) == [(1, LABELS[0])]
    assert np.array_equal(layers[1, LABELS[0]].voxels, MASK.astype(bool))
    assert layers[1, LABELS[0]].origin == (2, 3, 4)


def test_nobody_undoes_somebody_elses_stroke():
    stroke = {"stroke_id": "k", "medium": 0, "plane": "axial", "index": 0, "label": "x", "mode": "add",
              "tip": "round", "radius": 8, "points": [20, 20]}  # fmt: skip
    acts = [Act(1, "1", "a", "stroke.add", stroke), Act(2, "2", "b", "stroke.undo", {"stroke_id": "k"})]
    assert not fold({}, acts).marks["k"].is_undone


def test_a_write_over_a_newer_geometry_is_kept_and_marked():
    def move(seq, author, base_version, x):
        regions = [{"kind": "points", "points": [[x, 0]]}]
        return Act(
            seq, str(seq), author, "shape.geometry", {"shape_id": "s", "base_version": base_version, "regions": regions}
        )

    add = Act(1, "1", "a", "shape.add", {"shape_id": "s", "medium": 0, "label": "x", "regions": []})
    shape = fold({}, [add, move(2, "a", 1, 5), move(3, "b", 1, 7)]).shapes["s"]
    assert (shape.regions[0]["points"], shape.version, shape.author) == ([[7, 0]], 3, "b")
    (lost,) = shape.conflicts
    assert (lost.regions[0]["points"], lost.version, lost.author) == ([[5, 0]], 2, "a")
    assert not fold({}, [add, move(2, "a", 1, 5), move(3, "b", 2, 7)]).shapes["s"].conflicts


def obvious(points, radius, tip, height, width):
    """Each pixel's distance to each segment in exact fractions."""
    mask = np.zeros((height, width), dtype=bool)
    pairs = list(zip(points[0::2], points[1::2], strict=True))
    segments = list(zip(pairs, pairs[1:] or pairs, strict=False))
    for y in range(height):
        for x in range(width):
            mask[y, x] = any(near((4 * x + 2, 4 * y + 2), start, end, radius, tip) for start, end in segments)
    return mask


def near(p, a, b, radius, tip):
    d = (b[0] - a[0], b[1] - a[1])
    length2 = d[0] ** 2 + d[1] ** 2
    if tip == "round":
        t = Fraction(0) if not length2 else Fraction((p[0] - a[0]) * d[0] + (p[1] - a[1]) * d[1], length2)
        t = min(max(t, Fraction(0)), Fraction(1))
        return (p[0] - a[0] - t * d[0]) ** 2 + (p[1] - a[1] - t * d[1]) ** 2 <= radius**2
    low, high = Fraction(0), Fraction(1)
    for axis in (0, 1):
        offset = p[axis] - a[axis]
        if d[axis] == 0:
            if abs(offset) > radius:
                return False
            continue
        ends = sorted([Fraction(offset - radius, d[axis]), Fraction(offset + radius, d[axis])])
        low, high = max(low, ends[0]), min(high, ends[1])
    return low <= high


@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 60)), min_size=1, max_size=4),
    st.integers(MIN_RADIUS, 30),
    st.sampled_from(["round", "square"]),
)
@settings(max_examples=60, deadline=None)
def test_a_stroke_covers_what_exact_arithmetic_says(points, radius, tip):
    flat = [value for point in points for value in point]
    mask = np.zeros((15, 20), dtype=bool)
    paint_stroke(mask, flat, radius, tip, value=True, origin=(0, 0))
    assert np.array_equal(mask, obvious(flat, radius, tip, 15, 20))


@given(st.lists(st.integers(0, 160), min_size=2, max_size=8).filter(lambda p: len(p) % 2 == 0), st.integers(3, 60))
@settings(max_examples=60, deadline=None)
def test_painting_into_a_cropped_piece_is_cropping_the_painted_plane(points, radius):
    whole = np.zeros((30, 40), dtype=bool)
    paint_stroke(whole, points, radius, "round", value=True, origin=(0, 0))
    bounds = stroke_bounds(points, radius, width=40, height=30)
    if bounds is None:
        assert not whole.any()
        return
    x0, y0, x1, y1 = bounds
    piece = np.zeros((y1 - y0, x1 - x0), dtype=bool)
    paint_stroke(piece, points, radius, "round", value=True, origin=(y0, x0))
    assert np.array_equal(piece, whole[y0:y1, x0:x1])
    assert whole.sum() == piece.sum()


def test_the_smallest_tip_always_marks_the_pixel_it_is_in():
    for x in range(16):
        for y in range(16):
            mask = np.zeros((5, 5), dtype=bool)
            paint_stroke(mask, [x, y], MIN_RADIUS, "round", value=True, origin=(0, 0))
            assert mask[min(y // 4, 4), min(x // 4, 4)]


def test_products_of_the_widest_stroke_stay_exact_in_a_double():
    d, reach = 1024, 1024 + MAX_RADIUS + 4
    assert (d * reach + d * reach) ** 2 < 2**53
    assert MAX_RADIUS**2 * 2 * d**2 < 2**53


def test_a_digest_depends_on_place_and_content_only():
    rng = np.random.default_rng(1)
    base, acts = random_log(rng, 30)
    layers = paint_layers(fold(base, acts), SIZES, {"m": MASK})
    for layer in layers.values():
        z, y, x = layer.origin
        wider = np.pad(layer.voxels, 1)
        assert layer_digest(type(layer)((z - 1, y - 1, x - 1), wider)) == layer_digest(layer)
        assert layer_digest(type(layer)((z, y, x + 1), layer.voxels)) != layer_digest(layer)
