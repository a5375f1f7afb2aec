"""Photographs, NIfTI and NRRD: what becomes of each kind of file, and names that do not fit their content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np
import pytest
import skimage
from PIL import Image

from labelhub.formats.pixels.decode import decode
from labelhub.formats.pixels.files import RefusedFile, SourceFile
from labelhub.formats.pixels.geometry import same_grid
from labelhub.formats.pixels.medium import DecodedMedium
from labelhub.formats.pixels.sniff import name_warning, sniff
from tests.pixels.makers import png_bomb
from tests.realdata import real


def media_of(path: Path, **options) -> list[DecodedMedium]:
    found = list(decode([SourceFile(path, path.name)], **options))
    assert all(isinstance(each, DecodedMedium) for each in found), found
    return [each for each in found if isinstance(each, DecodedMedium)]


def refusal_of(path: Path, **options):
    (refused,) = decode([SourceFile(path, path.name)], **options)
    assert isinstance(refused, RefusedFile), refused
    assert refused.refusal.place.startswith(path.name)
    assert refused.refusal.remedy
    return refused.refusal.message


def test_packaged_photographs_are_read_as_they_are():
    folder = Path(skimage.__file__).parent / "data"
    (retina,) = media_of(folder / "retina.jpg")
    (cell,) = media_of(folder / "cell.png")
    assert (retina.pixels.shape, retina.value_meaning, retina.kind) == ((1, 1411, 1411, 3), "RGB", "photograph")
    assert (cell.pixels.shape, cell.value_meaning) == ((1, 660, 550), "intensity")
    assert retina.grid.spacing_mm is None


def test_exif_orientation_is_applied(tmp_path):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(media_of(tmp_path / "turned.png")[0].pixels[0], np.rot90(pixels, -1))


def test_16_bit_grey_stays_16_bit(tmp_path):
    pixels = np.array([[0, 1000], [40000, 65535]], np.uint16)
    for name in ("deep.png", "deep.tif"):
        Image.fromarray(pixels).save(tmp_path / name)
        (medium,) = media_of(tmp_path / name)
        assert medium.pixels.dtype == np.uint16
        np.testing.assert_array_equal(medium.pixels[0], pixels)


def test_palette_becomes_colour_and_transparency_is_told(tmp_path):
    colours = Image.fromarray(np.full((2, 2, 3), (10, 200, 30), np.uint8))
    colours.quantize(4).save(tmp_path / "palette.png")
    np.testing.assert_array_equal(media_of(tmp_path / "palette.png")[0].pixels[0, 0, 0], (10, 200, 30))
    Image.fromarray(np.full((2, 2, 4), (200, 100, 50, 128), np.uint8)).save(tmp_path / "alpha.png")
    (medium,) = media_of(tmp_path / "alpha.png")
    np.testing.assert_array_equal(medium.pixels[0, 0, 0], (100, 50, 25))
    assert "Transparent pixels were laid on black." in medium.warnings


def test_pages_of_a_tiff_are_frames_and_pages_of_two_sizes_are_refused(tmp_path):
    pages = [Image.fromarray(np.full((3, 5), value, np.uint8)) for value in (1, 2, 3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    (medium,) = media_of(tmp_path / "pages.tif")
    assert (medium.kind, medium.pixels.shape) == ("frames", (3, 3, 5))
    assert medium.pixels[:, 0, 0].tolist() == [1, 2, 3]
    pages[0].save(tmp_path / "odd.tif", save_all=True, append_images=[Image.fromarray(np.zeros((4, 4), np.uint8))])
    assert "differ in size" in refusal_of(tmp_path / "odd.tif")


def test_picture_above_the_cap_is_refused_before_decoding(tmp_path):
    Image.fromarray(np.zeros((300, 300), np.uint8)).save(tmp_path / "big.png")
    assert "limit" in refusal_of(tmp_path / "big.png", max_bytes=1000)


def test_png_that_claims_50000_by_50000_pixels_is_refused(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_bomb(50_000))
    assert "pixels" in refusal_of(tmp_path / "bomb.png")


def test_name_that_disagrees_with_content_is_told_and_content_is_believed(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "scan.tmp", format="JPEG")
    path = (tmp_path / "scan.tmp").rename(tmp_path / "scan.png")
    (medium,) = media_of(path)
    assert medium.warnings == ("The name says a PNG picture; the content is a JPEG picture and was read as that.",)


def test_content_that_is_no_image_is_refused_whatever_its_name_says(tmp_path):
    (tmp_path / "notes.png").write_text("dear diary")
    assert "no image" in refusal_of(tmp_path / "notes.png")
    (tmp_path / "empty.dcm").write_bytes(b"")
    assert "no image" in refusal_of(tmp_path / "empty.dcm")


def test_kinds_are_told_by_content():
    assert sniff(b"\xff\xd8\xff\xe0") == "jpeg"
    assert sniff(bytes(128) + b"DICM") == "dicom"
    assert sniff(b"II*\x00" + bytes(124) + b"DICM") == "dicom"
    assert sniff(b"") == "unknown"
    assert name_warning("nifti-gzip", "a.nii.gz") is None
    assert name_warning("dicom", "IM00001") is None


def test_time_points_of_a_nifti_are_volumes_on_one_grid():
    path = Path(nibabel.__file__).parent / "tests" / "data" / "example4d.nii.gz"
    media = media_of(path)
    image: Any = nibabel.load(path)
    assert [medium.metadata["time_point"] for medium in media] == [1, 2]
    for point, medium in enumerate(media):
        source = medium.orientation.to_source(medium.pixels)
        np.testing.assert_array_equal(source, np.asarray(image.dataobj[..., point]).transpose(2, 1, 0))
    assert same_grid(media[0].grid, media[1].grid)


def test_nifti_prefers_sform_then_qform_then_says_that_it_does_not_know(tmp_path):
    values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    image = nibabel.Nifti1Image(values, np.diag([2.0, 2, 2, 1]))
    image.set_qform(np.diag([3.0, 3, 3, 1]), code=1)
    for code, expected in ((1, (2.0, 2.0, 2.0)), (0, (3.0, 3.0, 3.0))):
        image.set_sform(np.diag([2.0, 2, 2, 1]), code=code)
        nibabel.save(image, tmp_path / "v.nii")
        assert media_of(tmp_path / "v.nii")[0].grid.spacing_mm == expected
    image.set_qform(np.diag([3.0, 3, 3, 1]), code=0)
    nibabel.save(image, tmp_path / "v.nii")
    (medium,) = media_of(tmp_path / "v.nii")
    assert medium.grid.affine is None
    assert medium.grid.spacing_mm == (3.0, 3.0, 3.0)
    assert any("no orientation" in told for told in medium.warnings)


def test_nifti_scaling_is_applied_and_gaps_are_told(tmp_path):
    values = np.full((2, 2, 2), 5.0, np.float32)
    values[0, 0, 0] = np.nan
    values[1, 1, 1] = 3
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "v.nii.gz")
    (medium,) = media_of(tmp_path / "v.nii.gz")
    assert medium.pixels.min() == 3
    assert any("no finite value" in told for told in medium.warnings)
    image = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4))
    image.header.set_slope_inter(2, -1024)
    nibabel.save(image, tmp_path / "s.nii")
    (scaled,) = media_of(tmp_path / "s.nii")
    written: Any = nibabel.load(tmp_path / "s.nii")
    assert sorted(np.unique(scaled.pixels)) == sorted(written.get_fdata().ravel())


def test_truncated_volume_says_how_much_is_missing(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4)), tmp_path / "v.nii")
    (tmp_path / "v.nii").write_bytes((tmp_path / "v.nii").read_bytes()[:-10])
    assert "10 of 16 announced bytes are missing" in refusal_of(tmp_path / "v.nii")


def test_header_half_of_a_pair_is_refused_with_the_remedy():
    path = Path(nibabel.__file__).parent / "tests" / "data" / "nifti1.hdr"
    assert "header half" in refusal_of(path)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
def test_nrrd_of_each_encoding_keeps_values_and_places(tmp_path, encoding):
    values = np.arange(60, dtype=">i2").reshape(3, 4, 5)
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag([1.0, 2.0, 3.0]),
        "space origin": [10.0, 20.0, 30.0],
        "encoding": encoding,
    }
    nrrd.write(str(tmp_path / "v.nrrd"), values, header)
    (medium,) = media_of(tmp_path / "v.nrrd")
    np.testing.assert_array_equal(medium.pixels, values.transpose(2, 1, 0))
    assert medium.grid.affine is not None
    np.testing.assert_allclose(medium.grid.affine @ (1, 1, 1, 1), (-11, -22, 33, 1))


def test_nrrd_that_points_to_another_file_is_never_followed(tmp_path):
    (tmp_path / "v.nrrd").write_bytes(
        b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\ndata file: /etc/passwd\n\n"
    )
    assert "never followed" in refusal_of(tmp_path / "v.nrrd")


def test_real_label_volume_of_a_knee_is_sagittal_and_keeps_its_labels():
    folder = real("seg", "knee")
    (medium,) = media_of(next(iter(sorted(folder.rglob("*bones*.nrrd")))))
    assert (medium.pixels.shape, medium.metadata["acquired_plane"]) == ((384, 384, 160), "sagittal")
    assert medium.grid.spacing_mm == pytest.approx((0.3645833, 0.3645833, 0.7), abs=1e-6)
    assert len(np.unique(medium.pixels)) == 11
