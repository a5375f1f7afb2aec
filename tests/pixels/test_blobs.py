"""The storage codecs: exact, deterministic, read by slice, and never trusting a header."""

from __future__ import annotations

import hashlib
import io
import struct

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelhub.formats import mask_blob, pixel_blob
from labelhub.formats.pixels.errors import PixelError


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["bool", "uint8", "uint16"]).flatmap(
        lambda kind: hnp.arrays(np.dtype(kind), hnp.array_shapes(min_dims=3, max_dims=3, max_side=7))
    )
)
def test_any_mask_comes_back_equal_whole_and_by_slice(mask):
    blob = mask_blob.encode_mask(mask)
    back = mask_blob.decode_mask(blob)
    assert back.dtype == mask.dtype
    np.testing.assert_array_equal(back, mask)
    for z in range(mask.shape[0]):
        np.testing.assert_array_equal(mask_blob.decode_slice(blob, z), mask[z])
    assert mask_blob.mask_size(blob) == mask.shape
    assert mask_blob.encode_mask(np.asfortranarray(mask)) == blob


def test_empty_mask_costs_its_index_only_and_a_plane_counts_as_one_slice():
    assert len(mask_blob.encode_mask(np.zeros((100, 512, 512), bool))) == 28 + 4 * 100
    assert mask_blob.decode_mask(mask_blob.encode_mask(np.ones((3, 4), bool))).shape == (1, 3, 4)


def test_name_is_the_sha256_of_the_bytes():
    assert mask_blob.blob_name(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("bad", [np.zeros((2, 2), np.int64), np.zeros((2, 2), float), np.zeros(3, bool)])
def test_other_types_and_axes_are_no_masks(bad):
    with pytest.raises(ValueError, match="a mask"):
        mask_blob.encode_mask(bad)


def test_mask_without_pixels_is_refused():
    with pytest.raises(PixelError):
        mask_blob.encode_mask(np.zeros((0, 3, 3), bool))


def test_slice_outside_the_grid_is_an_index_error():
    with pytest.raises(IndexError):
        mask_blob.decode_slice(mask_blob.encode_mask(np.ones((2, 2, 2), bool)), 2)


def test_damaged_blobs_are_refused_or_equal_never_wrong():
    rng = np.random.default_rng(20260711)
    mask = rng.random((6, 20, 20)) < 0.3
    blob = mask_blob.encode_mask(mask)
    for _ in range(400):
        changed = bytearray(blob)
        changed[rng.integers(len(blob))] ^= 1 << rng.integers(8)
        cut = bytes(changed if rng.random() < 0.7 else blob[: rng.integers(len(blob))])
        try:
            back = mask_blob.decode_mask(cut)
        except PixelError:
            continue
        # A flipped size or type may still be a valid blob of another mask; the pixels of this one are checksummed.
        assert back.shape != mask.shape or back.dtype != mask.dtype or (back == mask).all()


def test_header_that_claims_terabytes_is_refused_before_memory_is_taken():
    blob = bytearray(mask_blob.encode_mask(np.ones((1, 2, 2), bool)))
    struct.pack_into("<II", blob, 16, 1 << 20, 1 << 20)
    with pytest.raises(PixelError, match="needs"):
        mask_blob.decode_mask(bytes(blob))
    with pytest.raises(PixelError, match="needs"):
        mask_blob.decode_mask(mask_blob.encode_mask(np.ones((2, 64, 64), bool)), max_bytes=4096)


def test_chunk_that_expands_beyond_its_slice_is_refused():
    blob = mask_blob.encode_mask(np.ones((1, 8, 8), bool))
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 24))
    with pytest.raises(PixelError, match="another size"):
        mask_blob.decode_mask(blob[:28] + bomb + struct.pack("<I", len(bomb)))


def test_chunk_with_values_other_than_0_and_1_is_no_bool_mask():
    blob = bytearray(mask_blob.encode_mask(np.full((1, 8, 8), 7, np.uint8)))
    blob[8] = 1
    with pytest.raises(PixelError, match="other than 0 and 1"):
        mask_blob.decode_mask(bytes(blob))


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "float32"])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_pixels_come_back_through_each_plane(tmp_path, kind, channels):
    pixels = np.random.default_rng(1).integers(0, 200, (4, 5, 6, *channels)).astype(kind)
    path = tmp_path / "pixels"
    blob = pixel_blob.encode_pixels_to_file(path, iter(pixels), shape=pixels.shape, dtype=kind)
    assert blob.name == hashlib.sha256(path.read_bytes()).hexdigest()
    assert blob.length == path.stat().st_size
    assert pixel_blob.read_layout(path) == (pixels.shape, kind)
    np.testing.assert_array_equal(pixel_blob.read_slice(path, "axial", 2), pixels[2])
    np.testing.assert_array_equal(pixel_blob.read_slice(path, "coronal", 3), pixels[:, 3])
    np.testing.assert_array_equal(pixel_blob.read_slice(path, "sagittal", 5), pixels[:, :, 5])
    np.testing.assert_array_equal(pixel_blob.read_pixels(io.BytesIO(path.read_bytes())), pixels)
    for plane in ("axial", "coronal", "sagittal"):
        with pytest.raises(IndexError):
            pixel_blob.read_slice(path, plane, 6)


def test_wrong_number_of_slices_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="pixels are"):
        pixel_blob.encode_pixels_to_file(tmp_path / "p", iter(np.zeros((2, 3, 3))), shape=(2, 3, 3), dtype="float64")
    with pytest.raises(ValueError, match="announced"):
        pixel_blob.encode_pixels_to_file(
            tmp_path / "p", iter(np.zeros((2, 3, 3), np.uint8)), shape=(3, 3, 3), dtype="uint8"
        )
    assert list(tmp_path.iterdir()) == []
