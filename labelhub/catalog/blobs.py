"""Immutable bytes named by their SHA-256: below 64 KiB in the row, else a file of the storage under that name.

The order is what survives a power loss: the bytes are written beside their place, flushed to disk, renamed, and the
folder is flushed; only then is the row written. A row without its bytes cannot arise, bytes without a row are harmless.
Not here: what the bytes mean (``formats.pixel_blob``, ``formats.mask_blob``), and who may read them.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from labelhub.catalog.errors import BlobDamaged
from labelhub.catalog.models import Blob

INLINE_BELOW_BYTES = 64 * 1024
PIECE_BYTES = 1 << 20
STALE_AFTER_S = 24 * 3600
_INCOMING = "incoming"
_REMEDY = "Restore the blobs from a backup, or ingest the original again."


def store_blob(*, content: bytes, kind: str) -> Blob:
    """Keep ``content`` and return its row; bytes that are known already are not written again."""
    sha256 = hashlib.sha256(content).hexdigest()
    known = _known(sha256)
    if known is not None:
        return known
    if len(content) < INLINE_BELOW_BYTES:
        return _row(sha256, kind=kind, size=len(content), inline=content)
    _write([content], expected=sha256)
    return _row(sha256, kind=kind, size=len(content), inline=None)


def store_blob_file(*, path: Path, kind: str) -> Blob:
    """Keep the content of a file, one piece in memory at a time. The file itself is left as it is."""
    sha256, size = hash_file(path)
    known = _known(sha256)
    if known is not None:
        return known
    if size < INLINE_BELOW_BYTES:
        return store_blob(content=path.read_bytes(), kind=kind)
    with path.open("rb") as stream:
        _write(_pieces(stream), expected=sha256)
    return _row(sha256, kind=kind, size=size, inline=None)


def read_blob(blob: Blob, *, verify: bool = False) -> bytes:
    """Return the bytes. Raises :class:`BlobDamaged` where they are missing; with ``verify``, where they are others."""
    with open_blob(blob) as stream:
        content = stream.read()
    if verify and hashlib.sha256(content).hexdigest() != blob.sha256:
        raise BlobDamaged(f"The stored bytes {blob.sha256[:12]}… are not what their name says.", remedy=_REMEDY)
    return content


def open_blob(blob: Blob) -> BinaryIO:
    """Return a seekable stream of the bytes, to be closed. Raises :class:`BlobDamaged` where they are missing."""
    if blob.inline is not None:
        return io.BytesIO(bytes(blob.inline))
    try:
        return cast(BinaryIO, _storage().open(_place(blob.sha256), "rb"))
    except FileNotFoundError as error:
        raise BlobDamaged(f"The stored bytes {blob.sha256[:12]}… are missing.", remedy=_REMEDY) from error


def read_named(sha256: str) -> bytes:
    """Return the bytes of that name. Raises :class:`BlobDamaged` where they are missing."""
    blob = Blob.objects.filter(pk=sha256).first()
    if blob is None:
        raise BlobDamaged(f"The stored bytes {sha256[:12]}… are missing.", remedy=_REMEDY)
    return read_blob(blob)


def write_named(sha256: str, target: Path) -> None:
    """Write the bytes of that name to a new file, one piece in memory at a time. Raises :class:`BlobDamaged`."""
    blob = Blob.objects.filter(pk=sha256).first()
    if blob is None:
        raise BlobDamaged(f"The stored bytes {sha256[:12]}… are missing.", remedy=_REMEDY)
    with open_blob(blob) as stream, target.open("xb") as out:
        for piece in _pieces(stream):
            out.write(piece)


def hash_file(path: Path) -> tuple[str, int]:
    """Return the SHA-256 and the size of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        for piece in _pieces(stream):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def discard_stale_partials(*, now: float | None = None) -> int:
    """Delete what writers that were killed left half-written more than a day ago; return how many there were."""
    folder = _incoming_folder(_storage())
    if folder is None or not folder.is_dir():
        return 0
    limit = (time.time() if now is None else now) - STALE_AFTER_S
    stale = [path for path in folder.iterdir() if path.is_file() and path.stat().st_mtime < limit]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def _known(sha256: str) -> Blob | None:
    """Return the row if its bytes are really there; a row whose file was lost is healed by the next writer."""
    blob = Blob.objects.filter(pk=sha256).first()
    if blob is None or (blob.inline is None and not _storage().exists(_place(sha256))):
        return None
    return blob


def _row(sha256: str, *, kind: str, size: int, inline: bytes | None) -> Blob:
    blob, _ = Blob.objects.get_or_create(pk=sha256, defaults={"kind": kind, "size": size, "inline": inline})
    return blob


def _place(sha256: str) -> str:
    """The storage key: from the hash alone, so that no name from outside ever becomes a path."""
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _write(pieces: Iterable[bytes], *, expected: str) -> None:
    folder = _incoming_folder(_storage())
    if folder is None:
        _write_to_remote(pieces, expected)
    else:
        _write_to_disk(pieces, expected, folder)


def _write_to_disk(pieces: Iterable[bytes], expected: str, incoming: Path) -> None:
    target = Path(_storage().path(_place(expected)))
    # The names of the file and of new folders above it are data of their own; each folder is flushed for itself.
    above = [folder for folder in target.parents if not folder.exists()]
    incoming.mkdir(parents=True, exist_ok=True)
    to_flush = [target.parent, *(folder.parent for folder in above)]
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = incoming / secrets.token_hex(16)
    digest = hashlib.sha256()
    try:
        with partial.open("xb") as stream:
            for piece in pieces:
                digest.update(piece)
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        _check(digest.hexdigest(), expected)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    for folder in to_flush:
        _sync_folder(folder)


def _write_to_remote(pieces: Iterable[bytes], expected: str) -> None:
    """Write to a storage without folders (S3): an upload is whole or absent there, and equal names hold equal bytes."""
    import tempfile

    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(max_size=8 * PIECE_BYTES) as stream:
        for piece in pieces:
            digest.update(piece)
            stream.write(piece)
        _check(digest.hexdigest(), expected)
        stream.seek(0)
        _storage().save(_place(expected), File(stream))


def _check(found: str, expected: str) -> None:
    if found != expected:
        raise BlobDamaged(
            "A file changed while it was being read. Nothing of it was stored.",
            remedy="Wait until it is written, then try again.",
        )


def _storage() -> Storage:
    """The storage itself: ``default_storage`` is a lazy stand-in that hides which kind it is."""
    return storages["default"]


def _incoming_folder(storage: Storage) -> Path | None:
    """The folder for half-written files, on the same file system as their place so that a rename is one step."""
    return Path(storage.path(_INCOMING)) if isinstance(storage, FileSystemStorage) else None


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(PIECE_BYTES):
        yield piece


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
