"""Label maps: NIfTI, NRRD and PNG files named by rater, grids that differ, names, and what comes back from written
files.
"""

from __future__ import annotations

import gzip
import io

import nibabel as nib
import nrrd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from labelhub.formats.grids import (
    ImpossibleGridError,
    checked_affine,
    plane_shift,
    resample_labels,
    resample_to,
    same_grid,
)
from labelhub.formats.label_maps import read_label_maps
from labelhub.formats.label_names import read_label_names
from labelhub.formats.nifti_labels import decode_nifti, nifti_bytes, nifti_losses, write_nifti
from labelhub.formats.nrrd_labels import decode_nrrd
from labelhub.formats.png_masks import decode_png, png_losses, read_png_masks, write_png_masks
from labelhub.formats.raters_map import RaterRow, assign_raters
from labelhub.formats.shapes import AnnotationSet, FormatError, Grid, ItemRecord, MaskRegion, Reading, Region, Shape
from tests.realdata import real

GRID = Grid((2, 3, 4), (3.0, 2.0, 1.0), np.diag([1.0, 2.0, 3.0, 1.0]))


def label_map(*values: int, grid: Grid = GRID) -> bytes:
    labels = np.zeros(grid.size, dtype=np.uint8)
    labels.reshape(-1)[: len(values)] = values
    return nifti_bytes(labels, grid)


def moved(millimetres: float) -> Grid:
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[0, 3] = millimetres
    return Grid((2, 3, 4), (3.0, 2.0, 1.0), affine)


def raw_nifti(values: np.ndarray, affine: np.ndarray | None = None) -> bytes:
    data = bytearray(nib.Nifti1Image(values, np.eye(4)).to_bytes())
    if affine is not None:  # written past nibabel, which refuses what these tests need
        data[252:256] = b"\0\0\1\0"
        data[280:328] = np.asarray(affine[:3], dtype="<f4").tobytes()
    return bytes(data)


def test_axes_and_affine_are_those_of_the_grid():
    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    volume = decode_nifti(nifti_bytes(labels, GRID), "a")
    assert np.array_equal(volume.layers[0], labels)
    assert volume.grid.size == (2, 3, 4)
    assert volume.grid.spacing_mm == (3.0, 2.0, 1.0)
    assert same_grid(volume.grid, GRID)


def test_real_masks_keep_every_voxel():
    path = real("volumes", "open_ms", "xs_patient02", "consensus_gt.nii.gz")
    image = nib.load(path)
    volume = decode_nifti(path.read_bytes(), path.name)
    assert int((volume.layers[0] > 0).sum()) == int((np.asanyarray(image.dataobj) > 0).sum())
    again = decode_nifti(nifti_bytes(volume.layers[0], volume.grid), "again")
    assert np.array_equal(again.layers[0], volume.layers[0])
    assert same_grid(again.grid, volume.grid)


def test_a_real_mask_on_another_grid_is_refused_or_resampled_but_never_compared_by_index():
    folder = real("volumes", "open_ms", "raw_patient12")
    truth = (folder / "gt.nii.gz").read_bytes()
    image = nib.load(folder / "study1_FLAIR.nii.gz")
    blank = raw_nifti(np.zeros(image.shape, dtype=np.uint8), image.affine)
    files = {"ann/p12.nii": blank, "ben/p12.nii.gz": truth}
    told = assign_raters(files, [RaterRow("ann/*", "ann"), RaterRow("ben/*", "ben")])
    refused = read_label_maps(files, told=told)
    assert [reading.rater for reading in refused.readings] == ["ann"]
    assert "different grids" in refused.problems[0].message
    asked = read_label_maps(files, told=told, other_grid="resample")
    assert [reading.rater for reading in asked.readings] == ["ann", "ben"]
    mask = asked.readings[1].shapes[0].mask
    assert mask is not None
    before = decode_nifti(truth, "gt")
    volume_before = float(before.layers[0].sum()) * float(np.prod(before.grid.spacing_mm or ()))
    volume_after = float(mask.voxels.sum()) * float(np.prod(asked.items[0].grids[0].spacing_mm or ()))
    assert volume_after == pytest.approx(volume_before, rel=0.05)
    assert any("resampled" in loss.why for loss in asked.losses)


def test_real_slicer_segmentations_have_names_and_a_position():
    path = real("seg", "knee", "SAG_3D_DESS_RIGHT_bones_cart_men_fib-label.nrrd")
    volume = decode_nrrd(path.read_bytes(), path.name)
    assert volume.grid.size == (160, 384, 384)
    assert sorted(np.round(volume.grid.spacing_mm or (), 3)) == pytest.approx([0.365, 0.365, 0.7], abs=1e-3)
    assert len(np.unique(volume.layers[0])) == 11


def test_nrrd_and_nifti_of_one_real_volume_agree_voxel_by_voxel_and_in_position():
    nifti = decode_nifti(real("volumes", "niivue", "FLAIR.nii.gz").read_bytes(), "n")
    other = decode_nrrd(real("volumes", "niivue", "FLAIR.nrrd").read_bytes(), "r")
    moved_over = resample_labels(other.layers[0], other.grid, nifti.grid)
    assert np.mean(moved_over == nifti.layers[0]) > 0.999


def test_layers_and_segment_names_of_a_segmentation_are_kept():
    header = {
        "space": "left-posterior-superior",
        "kinds": ["list", "domain", "domain", "domain"],
        "space directions": np.array([[np.nan] * 3, [1, 0, 0], [0, 2, 0], [0, 0, 3]]),
        "space origin": np.array([5.0, 6.0, 7.0]),
        "Segment0_Name": "liver",
        "Segment0_LabelValue": "1",
        "Segment0_Layer": "0",
        "Segment1_Name": "tumour",
        "Segment1_LabelValue": "1",
        "Segment1_Layer": "1",
    }
    data = np.zeros((2, 4, 3, 2), dtype=np.uint8)
    data[0, 1:3, 1, 1] = 1
    data[1, 2, 1, 1] = 1
    stream = io.BytesIO()
    nrrd.write(stream, data, header)
    files = {"ann/p.seg.nrrd": stream.getvalue()}
    got = read_label_maps(files, told=assign_raters(files, [RaterRow("*", "ann")]))
    liver, tumour = got.readings[0].shapes
    assert (liver.label, tumour.label) == ("liver", "tumour")
    assert liver.mask is not None
    assert (liver.mask.origin, liver.mask.voxels.shape) == ((1, 1, 1), (1, 1, 2))
    affine = got.items[0].grids[0].affine
    assert affine is not None
    assert affine.tolist() == [[-1, 0, 0, -5], [0, -2, 0, -6], [0, 0, 3, 7], [0, 0, 0, 1]]


def test_one_folder_a_rater_is_recognised_where_the_grids_say_so():
    files = {
        f"{r}/{i}.nii.gz": label_map(1, grid=g) for r in ("ann", "ben") for i, g in (("p1", GRID), ("p2", moved(9)))
    }
    got = read_label_maps(files)
    assert [(r.item, r.rater) for r in got.readings] == [("p1", "ann"), ("p2", "ann"), ("p1", "ben"), ("p2", "ben")]
    turned = {
        "/".join(reversed(name.removesuffix(".nii.gz").split("/"))) + ".nii.gz": data for name, data in files.items()
    }
    assert {(r.item, r.rater) for r in read_label_maps(turned).readings} == {(r.item, r.rater) for r in got.readings}


def test_folders_that_fit_both_ways_are_refused_unless_the_layout_is_told():
    files = {f"{r}/{i}.nii.gz": label_map(1) for r in ("a", "b") for i in ("c", "d")}
    with pytest.raises(FormatError, match="as raters and as items"):
        read_label_maps(files)
    assert {r.rater for r in read_label_maps(files, layout="item/rater").readings} == {"c", "d"}


def test_item_and_rater_in_a_name_need_raters_that_recur():
    files = {f"{i}_{r}.nii.gz": label_map(1) for i in ("p_1", "p_2") for r in ("ann", "ben")}
    assert {(r.item, r.rater) for r in read_label_maps(files).readings} == {
        (i, r) for i in ("p_1", "p_2") for r in ("ann", "ben")
    }
    numbered = {f"case_{n}.nii.gz": label_map(1) for n in range(3)}
    with pytest.raises(FormatError, match="cannot be told"):
        read_label_maps(numbered)


def test_a_table_tells_items_by_its_stars():
    files = {"x/p1_seg.nii.gz": label_map(1), "y/p1_mask.nii.gz": label_map(2)}
    told = assign_raters(files, [RaterRow("x/*_seg.nii.gz", "ann"), RaterRow("y/*_mask.nii.gz", "ben")])
    assert [(r.item, r.rater) for r in read_label_maps(files, told=told).readings] == [("p1", "ann"), ("p1", "ben")]


def test_a_map_without_a_voxel_is_an_empty_read():
    files = {"ann/p.nii.gz": label_map(), "ben/p.nii.gz": label_map(1)}
    got = read_label_maps(files, layout="rater/item")
    assert [reading.is_empty_read for reading in got.readings] == [True, False]
    assert got.empty_means == "read-empty"


def test_names_beside_the_maps_are_used_and_say_what_was_asked():
    files = {
        "ann/p.nii.gz": label_map(1),
        "ben/p.nii.gz": label_map(2),
        "labels.json": b'{"1": "liver", "2": "tumour"}',
    }
    got = read_label_maps(files, layout="rater/item")
    assert [shape.label for reading in got.readings for shape in reading.shapes] == ["liver", "tumour"]
    assert got.readings[0].asked_labels == ("liver", "tumour")


def test_files_of_names_have_several_forms():
    assert read_label_names({"dataset.json": b'{"labels": {"background": 0, "liver": 1}}'}) == {1: "liver"}
    assert read_label_names({"labels.txt": b"# note\n1 left lung\n2: heart\n"}) == {1: "left lung", 2: "heart"}
    assert read_label_names({"labels.txt": b'1  255 0 0  1 1 1  "left lung"\n'}) == {1: "left lung"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        label_map(1)[:40],
        gzip.decompress(label_map(1))[:360],
        raw_nifti(np.full((2, 2, 2), 0.5, dtype=np.float32)),
        raw_nifti(np.full((2, 2, 2), -1, dtype=np.int16)),
        raw_nifti(np.zeros((2, 2, 2, 3), dtype=np.uint8)),
        raw_nifti(np.zeros((2, 2, 2), dtype=np.uint8), np.diag([1.0, 1, 0, 1])),
        raw_nifti(np.zeros((2, 2, 2), dtype=np.uint8), np.diag([1.0, 1, 1e6, 1])),
        raw_nifti(
            np.zeros((2, 2, 2), dtype=np.uint8),
            np.array([[1.0, np.nan, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        ),
    ],
)
def test_a_broken_volume_is_listed_and_the_rest_is_read(data):
    files = {"ann/p.nii.gz": data, "ben/p.nii.gz": label_map(1)}
    got = read_label_maps(files, layout="rater/item")
    assert [reading.rater for reading in got.readings] == ["ben"]
    assert [problem.place for problem in got.problems] == ["ann/p.nii.gz"]


def test_a_header_that_lies_about_its_size_allocates_nothing():
    head = bytearray(gzip.decompress(label_map(1)))
    head[42:48] = (32767).to_bytes(2, "little") * 3
    with pytest.raises(FormatError, match="impossible or too large"):
        decode_nifti(bytes(head), "bomb")
    with pytest.raises(FormatError, match="impossible or too large"):
        decode_nifti(gzip.compress(bytes(head)), "bomb")


@pytest.mark.parametrize(
    "data",
    [
        b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\ndata file: /etc/passwd\n\n",
        b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n1234",
        b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 99999 99999 99999\nencoding: raw\n\n1234",
        b"NRRD0004\ntype: block\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n12345678",
        b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: bzip2\n\n12345678",
        b"NRRD0004\ntype: uint8\n",
        b"nothing",
    ],
)
def test_a_broken_or_hostile_nrrd_is_refused(data):
    with pytest.raises(FormatError):
        decode_nrrd(data, "bad.nrrd")


def test_affines_that_no_scanner_makes_are_refused():
    for bad in (np.zeros((4, 4)), np.full((4, 4), np.inf), np.diag([1.0, 1, 1e-9, 1]), np.ones((4, 4))):
        with pytest.raises(ImpossibleGridError):
            checked_affine(bad)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=24, max_size=24), st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3)
)
def test_a_map_moved_to_a_turned_grid_and_back_is_unchanged(values, order, flips):
    """Slow obvious twin: turning axes by affine alone equals turning the array."""
    labels = np.array(values, dtype=np.int32).reshape(2, 3, 4)
    turned_xyz = np.transpose(labels.T, order)
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for axis, source in enumerate(order):
        n = turned_xyz.shape[axis]
        matrix[source, axis] = -1 if flips[axis] else 1
        matrix[source, 3] = n - 1 if flips[axis] else 0
        turned_xyz = np.flip(turned_xyz, axis) if flips[axis] else turned_xyz
    world = np.diag([1.0, 2.0, 3.0, 1.0])
    target = Grid(turned_xyz.shape[::-1], None, world @ matrix)
    assert np.array_equal(resample_labels(labels, GRID, target), turned_xyz.T)


def test_resampling_takes_the_nearest_voxel_not_the_one_before():
    labels = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    assert np.array_equal(resample_labels(labels, GRID, moved(0.4)), labels)
    assert resample_labels(labels, GRID, moved(0.6))[0, 0].tolist() == [1, 2, 3, 0]
    assert resample_labels(labels, GRID, moved(-0.6))[0, 0].tolist() == [0, 0, 1, 2]


def test_resampling_fills_what_lies_outside_with_nothing():
    mask = MaskRegion(np.ones((2, 3, 4), dtype=bool))
    assert resample_to(mask, GRID, moved(2)).sum() == 2 * 3 * 2
    assert plane_shift(GRID, Grid(GRID.size, GRID.spacing_mm, np.diag([1.0, 2, 3, 1]))) == 0
    with pytest.raises(ImpossibleGridError):
        resample_to(mask, Grid(GRID.size), GRID)


def drawn_set() -> AnnotationSet:
    voxels = np.zeros((2, 3, 4), dtype=bool)
    voxels[0, 1, 1:3] = True
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], dtype=np.float64)
    shapes = (
        Shape("1", "a", mask=MaskRegion(voxels), attributes={"k": 1}),
        Shape("2", "b", (Region("polygon", square, z=0),)),
        Shape("3", "b", (Region("points", square, z=0),)),
        Shape("4", "a", (Region("polygon", np.add(square, [2, 1]), z=1),)),
    )
    readings = (
        Reading("p/1", "ann", shapes),
        Reading("p/1", "ben", is_empty_read=True),
        Reading("p/1", "ann", shapes[1:2], version=2),
    )
    return AnnotationSet("made", (ItemRecord("p/1", grids=(GRID,)),), readings, labels=("a", "b"))


def voxels_by_class(reading: Reading, grid: Grid) -> dict[str, np.ndarray]:
    whole: dict[str, np.ndarray] = {}
    for shape in reading.shapes:
        mask = shape.mask
        assert mask is not None
        target = whole.setdefault(shape.label, np.zeros(grid.size, dtype=bool))
        z, y, x = (slice(o, o + n) for o, n in zip(mask.origin, mask.voxels.shape, strict=True))
        target[z, y, x] |= mask.voxels
    return whole


def test_written_maps_come_back_with_their_overlap_and_every_loss_is_counted():
    written = write_nifti(drawn_set())
    assert sorted(written.files) == [
        "ann/p_1.layer2.nii.gz",
        "ann/p_1.nii.gz",
        "ann/p_1.v2.nii.gz",
        "ben/p_1.nii.gz",
        "labels.json",
    ]
    back = read_label_maps(written.files, layout="rater/item")
    by_key = {(r.rater, r.version): r for r in back.readings}
    assert by_key["ben", 1].is_empty_read
    grid = back.items[0].grids[0]
    assert same_grid(grid, GRID)
    first = voxels_by_class(by_key["ann", 1], grid)
    assert first["a"].sum() == 2 + 4
    assert first["b"].sum() == 4
    assert set(voxels_by_class(by_key["ann", 2], grid)) == {"b"}
    assert nifti_losses(drawn_set()) == written.losses
    assert {loss.what for loss in written.losses} == {
        "that shapes of one class are several",
        "attributes of shapes",
        "shapes that enclose no voxel",
        "outlines",
        "that classes overlap in one map",
    }
    assert write_nifti(drawn_set()).files == written.files


def png(values: np.ndarray, mode: str | None = None) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values, mode=mode).save(out, format="PNG")
    return out.getvalue()


def test_grey_palette_and_colour_pictures_are_label_maps():
    grey = np.array([[0, 1], [2, 2]], dtype=np.uint8)
    assert decode_png(png(grey), "g").layers[0].tolist() == [[[0, 1], [2, 2]]]
    colour = np.zeros((1, 3, 3), dtype=np.uint8)
    colour[0, 1] = (255, 0, 0)
    volume = decode_png(png(colour), "c")
    assert volume.layers[0].tolist() == [[[0, 1, 0]]]
    assert volume.names == {(0, 1): "#ff0000"}
    photograph = np.arange(30_000, dtype=np.uint32).astype(np.uint8).reshape(100, 100, 3)
    photograph[..., 1] = np.arange(100)
    with pytest.raises(FormatError):
        decode_png(b"\x89PNG\r\n\x1a\n", "broken")


def test_written_pictures_come_back_class_by_class():
    flat = Grid((1, 6, 6))
    square = np.array([[0, 0], [3, 0], [3, 3], [0, 3]], dtype=np.float64)
    shapes = (Shape("1", "a", (Region("polygon", square),)), Shape("2", "b", (Region("polygon", square + 2),)))
    original = AnnotationSet(
        "made",
        (ItemRecord("i", grids=(flat,)), ItemRecord("j", grids=(flat,))),
        (Reading("i", "ann", shapes), Reading("j", "ann", is_empty_read=True)),
    )
    written = write_png_masks(original)
    assert sorted(written.files) == [
        "masks/ann/i/001_a.png",
        "masks/ann/i/002_b.png",
        "palette/ann/i.png",
        "palette/ann/j.png",
        "palette/labels.json",
    ]
    mask = decode_png(written.files["masks/ann/i/001_a.png"], "m").layers[0]
    assert (mask > 0).sum() == 9
    assert [loss.what for loss in png_losses(original)] == ["overlap in the palette picture"]
    palette = {
        name.removeprefix("palette/"): data for name, data in written.files.items() if name.startswith("palette/")
    }
    back = read_png_masks(palette, layout="rater/item")
    assert [(r.item, len(r.shapes), r.is_empty_read) for r in back.readings] == [("i", 2, False), ("j", 0, True)]
    assert {shape.label for shape in back.readings[0].shapes} == {"a", "b"}
