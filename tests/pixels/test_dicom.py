"""DICOM: values, stacks, refusals, and what may be kept beside the pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.pixels.utils import iter_pixels

from labelhub.formats.pixels.decode import decode, survey
from labelhub.formats.pixels.deidentify import allowed_metadata
from labelhub.formats.pixels.descriptions import kept_description
from labelhub.formats.pixels.files import RefusedFile, SourceFile
from labelhub.formats.pixels.medium import DecodedMedium
from tests.pixels.makers import make_truth, write_series
from tests.realdata import real

# Two of pydicom's own samples are padded and mislabelled on purpose; it says so.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def packaged(name: str) -> SourceFile:
    """A file that ships in pydicom's wheel; never a download."""
    path = get_testdata_file(name, download=False)
    assert path is not None, name
    return SourceFile(Path(path), name)


def one(source: SourceFile) -> DecodedMedium:
    (medium,) = decode([source])
    assert isinstance(medium, DecodedMedium), medium
    return medium


def refusal(found) -> RefusedFile:
    (refused,) = found
    assert isinstance(refused, RefusedFile), refused
    return refused


def truth():
    return make_truth((0, 1, 2), (-1, -1, 1), rng=np.random.default_rng(11))


def sources(paths) -> list[SourceFile]:
    return [SourceFile(path, path.name) for path in paths]


def test_ct_values_are_hounsfield_units():
    # CT_small.dcm: stored values minus 1024; air about -900, its header says RescaleIntercept -1024.
    medium = one(packaged("CT_small.dcm"))
    stored = pydicom.dcmread(packaged("CT_small.dcm").path).pixel_array
    np.testing.assert_array_equal(medium.pixels[0], stored.astype(np.int32) - 1024)
    assert (medium.value_meaning, medium.pixels.dtype.name, medium.kind) == ("HU", "int16", "photograph")
    assert medium.grid.spacing_mm == pytest.approx((5.0, 0.661468, 0.661468))


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm", "MR_small_expb.dcm", "MR_small_padded.dcm",
    ],
)  # fmt: skip
def test_each_transfer_syntax_gives_the_same_pixels(name):
    np.testing.assert_array_equal(one(packaged(name)).pixels, one(packaged("MR_small.dcm")).pixels)


@pytest.mark.parametrize(
    "name",
    ["examples_palette.dcm", "examples_rgb_color.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "ExplVR_BigEnd.dcm",
     "SC_rgb_rle_16bit.dcm", "SC_rgb_jpeg.dcm", "examples_jpeg2k.dcm"],
)  # fmt: skip
def test_colour_files_become_8_bit_rgb(name):
    medium = one(packaged(name))
    assert medium.value_meaning == "RGB"
    assert medium.pixels.dtype == np.uint8
    assert medium.pixels.shape[-1] == 3


def test_ultrasound_run_becomes_frames_without_a_depth_in_mm():
    medium = one(packaged("examples_ybr_color.dcm"))
    assert (medium.kind, medium.pixels.shape) == ("frames", (30, 240, 320, 3))
    assert medium.grid.spacing_mm is None


def test_monochrome1_is_turned_so_that_large_is_bright_and_its_window_with_it():
    source = SourceFile(real("dicom", "highdicom", "dx_image.dcm"), "dx_image.dcm")
    stored = pydicom.dcmread(source.path)
    medium = one(source)
    assert stored.PhotometricInterpretation == "MONOCHROME1"
    np.testing.assert_array_equal(medium.pixels[0], 255 - stored.pixel_array.astype(int))
    assert medium.window == (255 - float(stored.WindowCenter), float(stored.WindowWidth))


def test_real_ct_series_is_one_volume_sorted_along_the_body():
    paths = sorted(real("dicom", "dcmqi", "ct-3slice").glob("*.dcm"))
    medium = one_of(decode(sources(paths)))
    assert (medium.kind, medium.pixels.shape, medium.value_meaning) == ("volume", (3, 512, 512), "HU")
    heights = [
        float(pydicom.dcmread(paths[n], stop_before_pixels=True).ImagePositionPatient[2]) for n in medium.sources
    ]
    assert heights == sorted(heights)
    assert medium.grid.affine is not None
    assert medium.grid.affine[2, 3] == pytest.approx(heights[0])
    assert len(medium.identity.sop_uids) == 3


def one_of(found) -> DecodedMedium:
    (medium,) = found
    assert isinstance(medium, DecodedMedium), medium
    return medium


def test_whole_slide_tiles_are_put_together():
    # sm_image.dcm: 25 tiles of 10 x 10 make 50 x 50; the first tile is the upper left corner.
    source = SourceFile(real("dicom", "highdicom", "sm_image.dcm"), "sm_image.dcm")
    medium = one(source)
    assert medium.pixels.shape == (1, 50, 50, 3)
    tiles = list(iter_pixels(pydicom.dcmread(source.path)))
    np.testing.assert_array_equal(medium.pixels[0, :10, :10], tiles[0])
    np.testing.assert_array_equal(medium.pixels[0, 10:20, :10], tiles[5])


def test_rescale_is_applied_slice_by_slice(tmp_path):
    made = truth()
    medium = one_of(decode(sources(write_series(made, tmp_path, slopes=[1, 2, 1, 0.5]))))
    expected = made.values * np.array([1, 2, 1, 0.5])[:, None, None] - 1024
    np.testing.assert_allclose(medium.orientation.to_source(medium.pixels), expected)
    assert medium.pixels.dtype == np.float32


def test_missing_slice_is_refused_and_named(tmp_path):
    paths = sorted(write_series(truth(), tmp_path), key=lambda path: path.name.split("-")[1])
    found = list(decode(sources([paths[0], paths[1], paths[3]])))
    assert len(found) == 3
    assert all(isinstance(refused, RefusedFile) and "missing" in refused.refusal.message for refused in found)


def test_two_different_slices_at_one_place_are_refused(tmp_path):
    paths = write_series(truth(), tmp_path)
    double = pydicom.dcmread(paths[0])
    double.SOPInstanceUID = pydicom.uid.generate_uid()
    double.save_as(tmp_path / "double.dcm")
    found = list(decode(sources([*paths, tmp_path / "double.dcm"])))
    assert all(isinstance(refused, RefusedFile) and "one place" in refused.refusal.message for refused in found)


def test_copy_of_a_slice_is_left_out_with_a_warning(tmp_path):
    paths = write_series(truth(), tmp_path)
    (tmp_path / "copy.dcm").write_bytes(paths[0].read_bytes())
    medium = one_of(decode(sources([*paths, tmp_path / "copy.dcm"])))
    assert medium.pixels.shape[0] == 4
    assert any("copies" in told for told in medium.warnings)


def test_time_points_of_one_series_become_stacks_of_their_own(tmp_path):
    paths = []
    for point in (1, 2):
        folder = tmp_path / str(point)
        folder.mkdir()
        paths += write_series(truth(), folder, TemporalPositionIdentifier=point, SeriesInstanceUID="1.2.3")
    media = list(decode(sources(paths)))
    assert [medium.pixels.shape for medium in media if isinstance(medium, DecodedMedium)] == [(4, 5, 6)] * 2
    assert [len(group.sources) for group in survey(sources(paths)).groups] == [4, 4]


@pytest.mark.parametrize(
    ("name", "words"),
    [("liver_1frame.dcm", "segmentation"), ("rtstruct.dcm", "structure set"), ("test-SR.dcm", "report"),
     ("MR_truncated.dcm", "cut short"), ("rtplan.dcm", "treatment plan")],
)  # fmt: skip
def test_what_is_no_image_is_refused_with_what_it_is(name, words):
    refused = refusal(decode([packaged(name)])).refusal
    assert words in refused.message
    assert refused.place == name
    assert refused.remedy


def test_one_bad_file_does_not_harm_the_others(tmp_path):
    paths = write_series(truth(), tmp_path)
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(paths[0].read_bytes()[:300])
    found = list(decode(sources([*paths, bad])))
    assert sorted(type(each).__name__ for each in found) == ["DecodedMedium", "RefusedFile"]


def test_only_listed_technical_facts_survive_and_identity_stands_apart(tmp_path):
    planted: dict[str, Any] = {
        "BodyPartExamined": "SMITH JOHN", "ConvolutionKernel": "MUELLER", "ViewPosition": "DOE", "Modality": "JANE DOE",
        "StudyDate": "20250101", "InstitutionName": "St Canary", "AccessionNumber": "CANARY1",
        "StudyDescription": "canary", "ProtocolName": "canary", "PatientComments": "canary", "DeviceSerialNumber": "7",
        "PatientBirthDate": "19500101", "PatientSex": "F", "ManufacturerModelName": "canary",
        "SeriesDescription": "SMITH_JOHN Ax T1 (canary) 19500101 4711 St. Canary +C 2.5 mm",
    }  # fmt: skip
    paths = write_series(truth(), tmp_path, **planted)
    medium = one_of(decode(sources(paths)))
    assert set(medium.metadata) == {
        "photometric_interpretation", "slice_thickness_mm", "bits_stored", "pixel_spacing_mm", "acquired_plane",
        "series_description",
    }  # fmt: skip
    assert medium.metadata["series_description"] == "AX T1 2.5MM"
    everything = repr((dict(medium.metadata), medium.warnings, medium.grid, medium.window))
    for secret in ("4711", "Secret", "CANARY", "canary", "SMITH", "MUELLER", "DOE", *medium.identity.sop_uids):
        assert secret not in everything
    assert medium.identity.patient_id == "HOSPITAL-4711"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Ax T2 FLAIR", "AX T2 FLAIR"), ("t1_mprage_sag_p2_iso", "T1 MPRAGE SAG"), ("ep2d_diff_b1000", "EP2D DIFF B1000"),
        ("Thorax 1.25mm LUNG", "THORAX 1.25MM LUNG"), ("Müller 05.03.1962", None), ("", None), (None, None), ("1234567", None),
        ("T1 B19620305 TE19620305 196203MM", "T1"), ("AX " * 60, ("AX " * 27)[:80].rstrip()),
    ],
)  # fmt: skip
def test_of_a_description_known_words_are_kept(text, kept):
    assert kept_description(text) == kept


def test_terms_of_the_standard_are_kept():
    dataset = pydicom.Dataset()
    dataset.Modality, dataset.BodyPartExamined, dataset.ConvolutionKernel, dataset.KVP = "CT", "CHEST", "B30f", "120"
    assert allowed_metadata(dataset) == {
        "modality": "CT",
        "body_part": "CHEST",
        "kernel": "B30f",
        "tube_voltage_kv": 120,
    }
