"""The files of a source: one file, a folder or a zip archive, as a mapping from relative name to bytes, read one at a time.

Links are not followed, hidden files are passed over, names that would leave the folder are refused, and so is an
archive that would unpack to far more than it is. Not here: what any file means.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from labelhub.formats.limits import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_FOLDER_DEPTH,
    MAX_TOTAL_BYTES,
    MAX_ZIP_RATIO,
    ZIP_RATIO_APPLIES_ABOVE_BYTES,
)
from labelhub.formats.shapes import FormatError, Problem

_ENCRYPTED: Final = 0x1
_LINK_TYPE: Final = 0o120000
_TYPE_MASK: Final = 0o170000


def open_source(path: Path) -> Mapping[str, bytes]:
    """The files below a path by relative name, sorted. Raises :class:`FormatError` where there are none or too many."""
    if path.is_dir():
        files: Mapping[str, bytes] = FolderFiles(path)
    elif not path.is_file():
        raise _refusal(path.name, "There is no such file or folder.", "Check the path.")
    elif zipfile.is_zipfile(path):
        files = ZipFiles(path)
    else:
        files = FolderFiles(path.parent, only=path.name)
    if not files:
        raise _refusal(path.name, "There is no file to read here.", "Give a file or a folder that holds annotations.")
    return files


class FolderFiles(Mapping[str, bytes]):
    """The visible files of a folder, read when asked for."""

    def __init__(self, root: Path, *, only: str | None = None) -> None:
        self._root = root
        self._names = [only] if only is not None else sorted(_names_below(root))
        self._known = frozenset(self._names)

    def __getitem__(self, name: str) -> bytes:
        if name not in self._known:
            raise KeyError(name)
        path = self._root / name
        try:
            size = path.stat().st_size
            if size > MAX_FILE_BYTES:
                raise _refusal(
                    name, f"The file is larger than {MAX_FILE_BYTES >> 20} MiB.", "Split it and read the parts."
                )
            return path.read_bytes()
        except OSError as error:
            raise _refusal(name, f"The file cannot be read: {error.strerror}.", "Check its rights.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _names_below(root: Path) -> list[str]:
    names: list[str] = []
    folders = [(root, 0)]
    total = 0
    while folders:
        folder, depth = folders.pop()
        if depth > MAX_FOLDER_DEPTH:
            raise _refusal(
                folder.name, f"Folders are nested deeper than {MAX_FOLDER_DEPTH}.", "Give a folder further down."
            )
        for entry in folder.iterdir():
            if entry.name.startswith(".") or entry.name == "__MACOSX" or entry.is_symlink():
                continue
            if entry.is_dir():
                folders.append((entry, depth + 1))
            elif entry.is_file():
                names.append(entry.relative_to(root).as_posix())
                total += entry.stat().st_size
        if len(names) > MAX_FILES or total > MAX_TOTAL_BYTES:
            raise _refusal(
                root.name,
                f"The folder holds more than {MAX_FILES} files or {MAX_TOTAL_BYTES >> 30} GiB.",
                "Give the folder of annotations alone, without images, or read it in parts.",
            )
    return names


class ZipFiles(Mapping[str, bytes]):
    """The visible files of a zip archive, unpacked one at a time and only as far as the archive itself announced."""

    def __init__(self, path: Path) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
            members = [info for info in self._archive.infolist() if not info.is_dir()]
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise _refusal(path.name, f"The archive is damaged: {error}.", "Make the archive again.") from None
        _check_archive(path.name, members)
        visible = [info for info in members if not any(_is_hidden(part) for part in info.filename.split("/"))]
        self._members = {info.filename: info for info in sorted(visible, key=lambda info: info.filename)}

    def __getitem__(self, name: str) -> bytes:
        info = self._members[name]
        try:
            with self._archive.open(info) as member:
                data = member.read(info.file_size + 1)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
            raise _refusal(name, f"The file cannot be unpacked: {error}.", "Make the archive again.") from None
        if len(data) != info.file_size:
            raise _refusal(name, "The archive lies about the size of this file.", "Make the archive again.")
        return data

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"


def _check_archive(name: str, members: list[zipfile.ZipInfo]) -> None:
    total = sum(info.file_size for info in members)
    stored = sum(info.compress_size for info in members)
    is_bomb = total > ZIP_RATIO_APPLIES_ABOVE_BYTES and total > MAX_ZIP_RATIO * max(stored, 1)
    too_large = any(info.file_size > MAX_FILE_BYTES for info in members)
    if len(members) > MAX_FILES or total > MAX_TOTAL_BYTES or is_bomb or too_large:
        raise _refusal(
            name,
            f"The archive would unpack from {stored >> 20} MiB to {total >> 20} MiB "
            f"in {len(members)} files; nothing was unpacked.",
            "Unpack it yourself and give the folder, if you trust it.",
        )
    seen: set[str] = set()
    for info in members:
        parts = PurePosixPath(info.filename).parts
        leaves = (
            info.filename.startswith("/")
            or ".." in parts
            or "\\" in info.filename
            or ":" in (parts[0] if parts else "")
        )
        is_link = (info.external_attr >> 16) & _TYPE_MASK == _LINK_TYPE
        if leaves or is_link or "\0" in info.filename or len(parts) > MAX_FOLDER_DEPTH:
            raise _refusal(
                name, f"The archive names a file outside its folder: {info.filename[:80]!r}.", "Make the archive again."
            )
        if info.flag_bits & _ENCRYPTED:
            raise _refusal(name, "The archive is locked with a password.", "Unpack it and give the folder.")
        if info.filename in seen:
            raise _refusal(name, f"The archive holds {info.filename[:80]!r} twice.", "Make the archive again.")
        seen.add(info.filename)


def _refusal(place: str, message: str, remedy: str) -> FormatError:
    return FormatError(Problem(place, message, remedy, fatal=True))
