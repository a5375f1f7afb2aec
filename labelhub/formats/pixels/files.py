"""Lists of files on their way to the decoder and back: plain names for both sides of the process boundary, nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labelhub.formats.pixels.errors import Refusal
from labelhub.formats.pixels.sniff import Kind


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to decode: where it lies, and its own name, which may differ and is used in messages to administrators."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Files that make media together, by their numbers in the caller's list."""

    kind: Kind
    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that gave nothing: its number in the caller's list and why."""

    source: int
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Survey:
    """What a list of files holds, told from headers: groups to decode one by one, and files that cannot be."""

    groups: tuple[FileGroup, ...]
    refused: tuple[RefusedFile, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A file taken out of an archive: its path inside, for admins, and the file that holds it, named by its SHA-256."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out of an archive, and what did not: the place of a refusal is the path inside the archive."""

    members: tuple[Member, ...]
    refused: tuple[Refusal, ...]
