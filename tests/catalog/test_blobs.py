"""Blobs: whole, named by their hash, durable before their row."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from labelhub.catalog import blobs
from labelhub.catalog.errors import BlobDamaged
from labelhub.catalog.models import Blob

LARGE = bytes(range(256)) * 512

pytestmark = pytest.mark.django_db


def _files() -> list[Path]:
    return sorted(path for path in Path(default_storage.location).rglob("*") if path.is_file())


def test_small_bytes_live_in_the_row_and_large_ones_in_a_file_named_by_their_hash():
    small = blobs.store_blob(content=b"x" * (blobs.INLINE_BELOW_BYTES - 1), kind="mask")
    assert small.inline is not None
    assert not _files()
    large = blobs.store_blob(content=b"x" * blobs.INLINE_BELOW_BYTES, kind="mask")
    assert large.inline is None
    assert [path.name for path in _files()] == [large.sha256]
    assert blobs.read_blob(small, verify=True) == b"x" * (blobs.INLINE_BELOW_BYTES - 1)
    assert blobs.read_blob(large, verify=True) == b"x" * blobs.INLINE_BELOW_BYTES


def test_an_empty_blob_is_a_blob():
    assert blobs.read_blob(blobs.store_blob(content=b"", kind="mask")) == b""


def test_the_same_bytes_twice_are_one_blob(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(LARGE)
    assert blobs.store_blob(content=LARGE, kind="a") == blobs.store_blob_file(path=path, kind="b")
    assert Blob.objects.count() == len(_files()) == 1


def test_the_bytes_are_flushed_before_the_row_is_written(monkeypatch):
    order: list[str] = []
    flush, write_row = os.fsync, blobs._row

    def noted_flush(handle):
        order.append("flush")
        flush(handle)

    def noted_row(*args, **values):
        order.append("row")
        return write_row(*args, **values)

    monkeypatch.setattr(os, "fsync", noted_flush)
    monkeypatch.setattr(blobs, "_row", noted_row)
    blobs.store_blob(content=LARGE, kind="mask")
    # The file, its folder, and the three folders that got a new name in them.
    assert order == ["flush"] * 5 + ["row"]


def test_a_writer_that_fails_leaves_neither_row_nor_file(monkeypatch):
    def no_space(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(OSError, match="No space"):
        blobs.store_blob(content=LARGE, kind="mask")
    assert not Blob.objects.exists()
    assert not _files()


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(LARGE)
    monkeypatch.setattr(blobs, "hash_file", lambda path: ("0" * 64, len(LARGE)))
    with pytest.raises(BlobDamaged, match="changed while"):
        blobs.store_blob_file(path=path, kind="original")
    assert not Blob.objects.exists()
    assert not _files()


def test_missing_and_damaged_bytes_are_told_apart_and_a_missing_file_is_healed_by_the_next_writer():
    blob = blobs.store_blob(content=LARGE, kind="mask")
    file = _files()[0]
    file.write_bytes(b"something else")
    with pytest.raises(BlobDamaged, match="not what their name says"):
        blobs.read_blob(blob, verify=True)
    file.unlink()
    with pytest.raises(BlobDamaged, match="missing"):
        blobs.read_blob(blob)
    assert blobs.read_blob(blobs.store_blob(content=LARGE, kind="mask"), verify=True) == LARGE


def test_a_stream_can_be_read_from_any_place():
    with blobs.open_blob(blobs.store_blob(content=LARGE, kind="mask")) as stream:
        stream.seek(300)
        assert stream.read(3) == LARGE[300:303]


def test_what_killed_writers_left_is_discarded_after_a_day():
    incoming = Path(default_storage.path("incoming"))
    incoming.mkdir(parents=True)
    (incoming / "old").write_bytes(b"half")
    (incoming / "young").write_bytes(b"half")
    os.utime(incoming / "old", (0, 0))
    assert blobs.discard_stale_partials() == 1
    assert [path.name for path in _files()] == ["young"]
