"""DICOM segmentations: the real samples of three tools, and what broken files get."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
import pydicom
import pytest

from labelhub.formats.dicom_seg import read_dicom_seg
from labelhub.formats.dicom_seg_writing import sorted_slices, write_dicom_seg
from labelhub.formats.grids import ImpossibleGridError, same_grid
from labelhub.formats.shapes import AnnotationSet, FormatError, Grid, ItemRecord, MaskRegion, Reading, Region, Shape
from tests.formats.comparing import assert_same_mask
from tests.realdata import real


def sample(*parts: str) -> dict[str, bytes]:
    path = real("dicom", *parts)
    return {path.name: path.read_bytes()}


def read(*parts: str):
    files = sample(*parts)
    return read_dicom_seg(files, raters=dict.fromkeys(files, "ann"))


def saved(dataset: pydicom.Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def counts(reading) -> dict[str, int]:
    return {shape.label: int(shape.mask.voxels.sum()) for shape in reading.shapes}


def test_the_rater_is_the_content_creator():
    got = read_dicom_seg(sample("dcmjs", "tumor_User1_Manual_Trial1.dcm"))
    assert [reading.rater for reading in got.readings] == ["User1"]
    assert {shape.source for shape in got.readings[0].shapes} == {"drawn"}


def test_no_identifier_of_the_file_is_shown():
    got = read_dicom_seg(sample("dcmjs", "tumor_User1_Manual_Trial1.dcm"))
    shown = repr((got.items[0].key, got.items[0].group, got.notes, got.readings[0].item))
    assert "QIN" not in shown
    assert got.items[0].group_kind == "patient"


def test_a_file_without_a_creator_belongs_to_nobody():
    with pytest.raises(FormatError, match="ContentCreatorName"):
        read_dicom_seg(sample("dcmqi", "liver.dcm"))


def test_overlapping_segments_stay_whole():
    got = read("dcmqi", "partial_overlaps.dcm")
    dataset = pydicom.dcmread(real("dicom", "dcmqi", "partial_overlaps.dcm"))
    expected: dict[int, int] = {}
    for frame, group in zip(dataset.pixel_array, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        expected[number] = expected.get(number, 0) + int(frame.sum())
    assert {int(s.shape_id): int(s.mask.voxels.sum()) for s in got.readings[0].shapes} == expected
    masks = [shape.mask for shape in got.readings[0].shapes]
    size = got.items[0].grids[0].size
    total = np.zeros(size, dtype=int)
    for mask in masks:
        z, y, x = (slice(o, o + n) for o, n in zip(mask.origin, mask.voxels.shape, strict=True))
        total[z, y, x] += mask.voxels
    assert total.max() > 1


def test_sparse_planes_keep_their_gaps():
    got = read("highdicom", "seg_image_ct_binary.dcm")
    assert got.items[0].grids[0].size[0] == 3
    far = read("highdicom", "seg_image_ct_binary_overlap.dcm")
    assert far.items[0].grids[0].size[0] == 165
    assert got.items[0].grids[0].spacing_mm == pytest.approx((1.25, 0.488281, 0.488281))


def test_a_position_in_lps_becomes_one_in_ras():
    got = read("highdicom", "seg_image_ct_binary.dcm")
    affine = got.items[0].grids[0].affine
    assert affine[:3, 3] == pytest.approx((125.0, 128.100006, 103.019997))
    assert np.sign(np.diag(affine)).tolist() == [-1, -1, 1, 1]


def test_two_sparse_files_of_one_series_share_a_grid():
    files = {**sample("highdicom", "seg_image_ct_binary.dcm"), **sample("highdicom", "seg_image_ct_binary_overlap.dcm")}
    got = read_dicom_seg(files, raters=dict(zip(sorted(files), ("ann", "ben"), strict=True)))
    assert len(got.items) == 1
    assert got.items[0].grids[0].size[0] == 165
    first = got.readings[0].shapes[0].mask
    assert first.origin[0] >= 160


def test_fractions_of_one_half_and_more_count_as_in_and_the_loss_is_stated():
    binary = counts(read("highdicom", "seg_image_ct_binary.dcm").readings[0])
    fractional = read("highdicom", "seg_image_ct_binary_fractional.dcm")
    assert counts(fractional.readings[0]) == binary
    assert "fractions of voxels" in {loss.what for loss in fractional.losses}
    half = read("highdicom", "seg_image_ct_true_fractional.dcm")
    pixels = pydicom.dcmread(real("dicom", "highdicom", "seg_image_ct_true_fractional.dcm")).pixel_array
    assert sum(counts(half.readings[0]).values()) == int((pixels >= 128).sum())


@pytest.mark.parametrize("name", ["sparse-labelmap-noppv.dcm", "sparse-labelmap-ppv5.dcm"])
def test_label_maps_have_no_background_shape(name):
    got = read("dcmqi", name)
    assert "Background" not in {shape.label for shape in got.readings[0].shapes} or name.endswith("ppv5.dcm")
    pixels = pydicom.dcmread(real("dicom", "dcmqi", name)).pixel_array
    assert counts(got.readings[0])["Liver"] == int((pixels == 1).sum())


def test_tiles_of_a_slide_are_laid_out_on_the_whole_in_both_orders():
    sparse = read("highdicom", "seg_image_sm_dots.dcm")
    full = read("highdicom", "seg_image_sm_dots_tiled_full.dcm")
    assert sparse.items[0].grids[0].size == full.items[0].grids[0].size == (1, 50, 50)
    assert counts(sparse.readings[0]) == counts(full.readings[0])
    origins = [{s.label: s.mask.origin for s in got.readings[0].shapes} for got in (sparse, full)]
    assert origins[0] == origins[1]


def test_binary_and_label_map_of_one_slide_agree():
    binary = counts(read("highdicom", "seg_image_sm_control.dcm").readings[0])
    label_map = counts(read("highdicom", "seg_image_sm_control_labelmap.dcm").readings[0])
    assert binary == label_map


def test_images_and_reports_beside_segmentations_are_counted_not_read():
    files = {path.name: path.read_bytes() for path in sorted(real("dicom", "highdicom").glob("*.dcm"))}
    got = read_dicom_seg(files, raters=dict.fromkeys(files, "ann"))
    assert next((loss.what, loss.count) for loss in got.losses) == ("DICOM files that are no segmentations", 13)


def broken(change) -> bytes:
    dataset = pydicom.dcmread(real("dicom", "highdicom", "seg_image_ct_binary.dcm"))
    change(dataset)
    return saved(dataset)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: setattr(d, "Rows", 60_000),
        lambda d: setattr(d, "NumberOfFrames", 500_000_000),
        lambda d: delattr(d, "SegmentSequence"),
        lambda d: delattr(d, "PixelData"),
        lambda d: setattr(d, "PixelData", b"\0"),
        lambda d: setattr(d, "PerFrameFunctionalGroupsSequence", d.PerFrameFunctionalGroupsSequence[:2]),
        lambda d: setattr(
            d.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0],
            "ImageOrientationPatient",
            [0, 0, 0, 0, 0, 0],
        ),
        lambda d: setattr(
            d.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0], "ImagePositionPatient", [0, 0, 104.7]
        ),
    ],
)
def test_a_damaged_segmentation_is_listed_and_the_rest_is_read(change):
    files = {
        "bad.dcm": broken(change),
        "cut.dcm": b"\0" * 128 + b"DICM" + b"\1\2",
        **sample("dcmjs", "tumor_User1_Manual_Trial1.dcm"),
    }
    got = read_dicom_seg(files, raters=dict.fromkeys(files, "ann"))
    assert {reading.rater for reading in got.readings} == {"User1"}
    assert "bad.dcm" in {problem.place for problem in got.problems}


def volume() -> tuple[list[pydicom.Dataset], Grid]:
    return sorted_slices([pydicom.dcmread(path) for path in sorted(real("dicom", "dcmqi", "ct-3slice").glob("*.dcm"))])


def test_a_real_segmentation_comes_back_from_a_written_one():
    slices, _ = volume()
    original = read("dcmqi", "partial_overlaps.dcm")
    at = datetime(2020, 1, 2, tzinfo=UTC)
    written = write_dicom_seg(original, images={original.items[0].key: slices}, made_at=at)
    back = read_dicom_seg(written.files)
    assert [reading.rater for reading in back.readings] == ["Slicer"]
    assert counts(back.readings[0]) == counts(original.readings[0])
    assert same_grid(back.items[0].grids[0], original.items[0].grids[0])
    for mine, other in zip(original.readings[0].shapes, back.readings[0].shapes, strict=True):
        assert_same_mask(mine.mask, other.mask)
    assert {loss.what for loss in written.losses} == {"what a class is in medicine"}
    assert write_dicom_seg(original, images={original.items[0].key: slices}, made_at=at).files == written.files


def test_masks_reach_the_images_through_the_affine_and_losses_are_counted():
    slices, grid = volume()
    upside_down = grid.affine.copy()
    upside_down[:3, 2] *= -1
    upside_down[:3, 3] += 2 * grid.affine[:3, 2]
    voxels = np.zeros((3, 4, 5), dtype=bool)
    voxels[0] = True
    mask = Shape("1", "liver", mask=MaskRegion(voxels, (0, 100, 200)), attributes={"k": 1})
    point = Shape("2", "dot", (Region("points", np.array([[1.0, 1.0]])),))
    item = ItemRecord("ct", grids=(Grid(grid.size, grid.spacing_mm, upside_down),))
    readings = (Reading("ct", "ann", (mask, point)), Reading("ct", "ben", is_empty_read=True), Reading("other", "ann"))
    original = AnnotationSet("made", (item,), readings)
    written = write_dicom_seg(original, images={"ct": slices}, made_at=datetime(2020, 1, 2, tzinfo=UTC))
    back = read_dicom_seg(written.files).items[0].grids[0]
    assert int(sum(counts(read_dicom_seg(written.files).readings[0]).values())) == 20
    assert back.affine[:3, 3] == pytest.approx(grid.affine[:3, 3] + 2 * grid.affine[:3, 2])
    assert {loss.what for loss in written.losses} == {
        "attributes of shapes",
        "shapes that enclose no voxel",
        "what a class is in medicine",
        "empty reads",
        "reads of items without DICOM images",
    }
    with pytest.raises(ImpossibleGridError):
        sorted_slices([pydicom.Dataset()])
