"""What a file is, told by its content. A name is a claim: where they disagree, content is believed.

A warning tells of the disagreement. A file whose content is none of the known kinds is refused whatever its name says.
Not here: reading.
"""

from __future__ import annotations

import zlib
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "png", "jpeg", "bmp", "tiff", "dicom", "nifti", "nifti-gzip", "nrrd", "zip", "tar", "tar-gzip", "unknown"
]

SNIFF_BYTES = 4096

_SUFFIXES: dict[str, tuple[str, ...]] = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "bmp": (".bmp", ".dib"),
    "tiff": (".tif", ".tiff"),
    "dicom": (".dcm", ".dicom", ".dic", ".ima"),
    "nifti": (".nii",),
    "nifti-gzip": (".nii.gz",),
    "nrrd": (".nrrd",),
    "zip": (".zip",),
    "tar": (".tar",),
    "tar-gzip": (".tar.gz", ".tgz"),
}
_TITLES = {
    "png": "a PNG picture",
    "jpeg": "a JPEG picture",
    "bmp": "a BMP picture",
    "tiff": "a TIFF picture",
    "dicom": "a DICOM file",
    "nifti": "a NIfTI volume",
    "nifti-gzip": "a compressed NIfTI volume",
    "nrrd": "an NRRD volume",
    "zip": "a ZIP archive",
    "tar": "a TAR archive",
    "tar-gzip": "a compressed TAR archive",
}
# The first element of a DICOM data set without preamble: group 0002 or 0008, in either byte order.
_BARE_DICOM = (b"\x02\x00\x00\x00", b"\x08\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00", b"\x08\x00\x16\x00")
_BARE_DICOM_BIG = (b"\x00\x08\x00\x00", b"\x00\x08\x00\x05", b"\x00\x08\x00\x08", b"\x00\x08\x00\x16")


def sniff(head: bytes, name: str = "") -> Kind:
    """The kind of a file from its first :data:`SNIFF_BYTES` bytes. ``name`` settles bare DICOM only."""
    if head.startswith(b"\x1f\x8b"):
        inner = _plain_kind(_gunzip_head(head))
        compressed: dict[str, Kind] = {"nifti": "nifti-gzip", "tar": "tar-gzip"}
        return compressed.get(inner, "unknown")
    kind = _plain_kind(head)
    if kind == "unknown" and head.startswith(_BARE_DICOM + _BARE_DICOM_BIG) and len(head) > 132:
        claimed = name.lower().rsplit("/", 1)[-1]
        return "dicom" if "." not in claimed or claimed.endswith(_SUFFIXES["dicom"]) else "unknown"
    return kind


def name_warning(kind: Kind, name: str) -> str | None:
    """A sentence where the name claims another kind than the content has, else ``None``."""
    lowered = name.lower()
    claims = [other for other, suffixes in _SUFFIXES.items() if lowered.endswith(suffixes)]
    if kind == "unknown" or not claims or kind in claims:
        return None
    return f"The name says {_TITLES[claims[-1]]}; the content is {_TITLES[kind]} and was read as that."


def is_archive(kind: Kind) -> bool:
    """Whether the kind holds other files."""
    return kind in {"zip", "tar", "tar-gzip"}


def _plain_kind(head: bytes) -> Kind:
    starts: tuple[tuple[bytes, Kind], ...] = (
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff", "jpeg"),
        (b"NRRD00", "nrrd"),
        (b"PK\x03\x04", "zip"),
        (b"PK\x05\x06", "zip"),
    )
    for start, kind in starts:
        if head.startswith(start):
            return kind
    # DICOM comes before TIFF: its preamble may hold anything, a TIFF header included (dual-personality files).
    if head[128:132] == b"DICM":
        return "dicom"
    if head[:4] in {b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"}:
        return "tiff"
    if head.startswith(b"BM") and head[6:10] == bytes(4) and len(head) > 26:
        return "bmp"
    if head[:4] in {b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c"} and head[344:348] in {b"n+1\x00", b"ni1\x00"}:
        return "nifti"
    if head[:4] in {b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c"} and head[4:7] in {b"n+2", b"ni2"}:
        return "nifti"
    return "tar" if head[257:262] == b"ustar" else "unknown"


def _gunzip_head(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, SNIFF_BYTES)
    except zlib.error:
        return b""
