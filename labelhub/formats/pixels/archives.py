"""Files out of ZIP and TAR archives, each stored under the SHA-256 of its bytes, never under a name from the archive.

A name is a label for admins and nothing else, so no name can lead anywhere; names that try to, links, devices and
encrypted members are refused one by one, and the rest comes out. Members, bytes, expansion and nesting are capped while
reading, since what an archive says about its sizes may be a lie. An archive that exceeds a cap gives nothing at all.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from lzma import LZMAError
from pathlib import Path
from typing import IO

from labelhub.formats.pixels.errors import PixelError, Refusal
from labelhub.formats.pixels.files import Member, Unpacked
from labelhub.formats.pixels.sniff import SNIFF_BYTES, is_archive, sniff

_PIECE = 1 << 20
_MAX_NAME = 1024
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    OSError,
    EOFError,
    zlib.error,
    LZMAError,
    ValueError,
    NotImplementedError,
)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Caps on what one archive, with all archives inside it, may give. ``keeps_archives`` leaves those inside as files."""

    members: int = 20_000
    total_bytes: int = 8 << 30
    ratio: int = 200
    ratio_from_bytes: int = 64 << 20
    depth: int = 2
    keeps_archives: bool = False


@dataclass(slots=True)
class _Budget:
    """What has been taken out so far, against the limits."""

    limits: ArchiveLimits
    packed_bytes: int
    place: str
    members: int = 0
    total: int = 0
    found: list[Member] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def count_member(self) -> None:
        self.members += 1
        if self.members > self.limits.members:
            raise self._exceeded(f"more than {self.limits.members} files")

    def count_bytes(self, count: int) -> None:
        self.total += count
        if self.total > self.limits.total_bytes:
            raise self._exceeded(f"more than {self.limits.total_bytes >> 20} MiB")
        if self.total > max(self.limits.ratio_from_bytes, self.limits.ratio * self.packed_bytes):
            raise self._exceeded(f"more than {self.limits.ratio} times its own size")

    def refuse(self, name: str, message: str, remedy: str = "Leave it out, or pack it again.") -> None:
        self.refused.append(Refusal(message=message, place=f"{self.place}: {_printable(name)}", remedy=remedy))

    def _exceeded(self, what: str) -> PixelError:
        return PixelError(
            f"The archive unpacks to {what}; nothing of it was kept.",
            place=self.place,
            remedy="Split it, or bring the files unpacked as a folder.",
        )


def unpack(path: Path, place: str, into: Path, *, limits: ArchiveLimits | None = None) -> Unpacked:
    """Take every file out of an archive, and of archives inside it, into the folder ``into``.

    Raises :class:`PixelError` where the archive is damaged or exceeds a cap; the files written until then are removed.
    """
    budget = _Budget(limits or ArchiveLimits(), packed_bytes=max(1, path.stat().st_size), place=place)
    try:
        _unpack_into(path, "", into, budget, depth=1)
    except BaseException:
        for member in budget.found:
            member.path.unlink(missing_ok=True)
        raise
    return Unpacked(tuple(budget.found), tuple(budget.refused))


def clean_name(name: str) -> str | None:
    """The path of a member with plain slashes, or ``None`` where it could point elsewhere or name a device."""
    slashed = name.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in {"", "."}]
    hostile = (
        not parts
        or len(name) > _MAX_NAME
        or slashed.startswith("/")
        or any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in name)
        or any(part.rstrip(". ") == "" or ":" in part or _DEVICE.fullmatch(part.strip()) for part in parts)
    )
    return None if hostile else "/".join(parts)


def _unpack_into(path: Path, prefix: str, into: Path, budget: _Budget, *, depth: int) -> None:
    with path.open("rb") as stream:
        kind = sniff(stream.read(SNIFF_BYTES))
    members = _zip_members(path, prefix, budget) if kind == "zip" else _tar_members(path, prefix, budget)
    try:
        for name, packed in members:
            _store(name, packed, into, budget, depth)
    except _DAMAGE as error:
        if isinstance(error, PixelError):
            raise
        raise PixelError(
            "The archive is damaged or cut short; nothing of it was kept.",
            place=budget.place if not prefix else f"{budget.place}: {prefix.rstrip('/')}",
            remedy="Pack or copy it again.",
        ) from error


def _zip_members(path: Path, prefix: str, budget: _Budget) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            budget.count_member()
            if entry.is_dir():
                continue
            name = _accepted_name(entry.orig_filename, prefix, budget)
            if name is None:
                continue
            unix_kind = entry.external_attr >> 28
            if unix_kind not in {0, 8}:
                budget.refuse(name, "This is a link or device, not a file.")
            elif entry.flag_bits & 1:
                budget.refuse(name, "This file is encrypted.", "Pack it again without a password.")
            else:
                with archive.open(entry) as packed:
                    yield name, packed


def _tar_members(path: Path, prefix: str, budget: _Budget) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path, mode="r|*") as archive:
        for entry in archive:
            budget.count_member()
            if entry.isdir():
                continue
            name = _accepted_name(entry.name, prefix, budget)
            if name is None:
                continue
            stream = archive.extractfile(entry) if entry.isreg() and not entry.issparse() else None
            if stream is None:
                budget.refuse(name, "This is a link, device or sparse file.")
            else:
                yield name, stream


def _accepted_name(raw: str, prefix: str, budget: _Budget) -> str | None:
    cleaned = clean_name(raw)
    if cleaned is None or len(prefix + cleaned) > _MAX_NAME:
        budget.refuse(prefix + raw, "The name of this file points outside the archive or names a device.")
        return None
    is_clutter = cleaned.startswith("__MACOSX/") or cleaned.rsplit("/", 1)[-1] in {
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
    }
    return None if is_clutter else prefix + cleaned


def _store(name: str, stream: IO[bytes], into: Path, budget: _Budget, depth: int) -> None:
    handle, partial_name = tempfile.mkstemp(dir=into, prefix=".partial-")
    partial = Path(partial_name)
    digest = hashlib.sha256()
    try:
        with os.fdopen(handle, "wb") as target:
            while piece := stream.read(_PIECE):
                budget.count_bytes(len(piece))
                digest.update(piece)
                target.write(piece)
        with partial.open("rb") as written:
            kind = sniff(written.read(SNIFF_BYTES), name)
        if budget.limits.keeps_archives or not is_archive(kind):
            final = into / digest.hexdigest()
            partial.replace(final)
            budget.found.append(Member(name, final))
        elif depth < budget.limits.depth:
            _unpack_into(partial, f"{name}/", into, budget, depth=depth + 1)
        else:
            budget.refuse(name, f"Archives are unpacked {budget.limits.depth} deep; this one lies deeper.")
    finally:
        partial.unlink(missing_ok=True)


def _printable(name: str) -> str:
    return name[:200].encode("unicode_escape").decode("ascii")
