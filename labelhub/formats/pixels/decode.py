"""Any files in, media out: told by content, DICOM files sorted into stacks; one bad file harms no other.

This is what the decoder's child process runs. It may be called in process for files of one's own making (tests, the
demo); files from strangers go through ``catalog.sandbox``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from labelhub.formats.pixels.dicom import read_stack
from labelhub.formats.pixels.dicom_series import DicomFile, DicomStack, plan_stacks
from labelhub.formats.pixels.errors import PixelError, Refusal
from labelhub.formats.pixels.files import FileGroup, RefusedFile, SourceFile, Survey
from labelhub.formats.pixels.medium import MAX_PIXEL_BYTES, DecodedMedium
from labelhub.formats.pixels.nifti import read_nifti
from labelhub.formats.pixels.nrrd import read_nrrd
from labelhub.formats.pixels.photographs import read_photograph
from labelhub.formats.pixels.sniff import SNIFF_BYTES, Kind, is_archive, name_warning, sniff


def survey(files: Sequence[SourceFile]) -> Survey:
    """Sort files into groups that make media together; archives are groups of their own, to be unpacked first."""
    kinds = [_kind_of(file) for file in files]
    stacks, bad = _plan(files, kinds)
    groups = [FileGroup("dicom", tuple(sorted(f.number for f in stack.files))) for stack in stacks]
    groups += [FileGroup(kind, (n,)) for n, kind in enumerate(kinds) if kind not in {"dicom", "unknown"}]
    unknown = [_unknown(number, files[number]) for number, kind in enumerate(kinds) if kind == "unknown"]
    return Survey(tuple(sorted(groups, key=lambda group: group.sources)), (*bad, *unknown))


def decode(files: Sequence[SourceFile], *, max_bytes: int = MAX_PIXEL_BYTES) -> Iterator[DecodedMedium | RefusedFile]:
    """The media that the files hold, one at a time, and a refusal for each file that gives none."""
    kinds = [_kind_of(file) for file in files]
    stacks, bad = _plan(files, kinds)
    yield from bad
    for stack in stacks:
        yield from _decode_stack(stack, files, max_bytes)
    for number, kind in enumerate(kinds):
        if kind != "dicom":
            yield from _decode_file(number, files[number], kind, max_bytes)


def _decode_stack(
    stack: DicomStack, files: Sequence[SourceFile], max_bytes: int
) -> Iterator[DecodedMedium | RefusedFile]:
    try:
        medium = read_stack(stack, max_bytes=max_bytes)
    except PixelError as error:
        for file in stack.files:
            yield RefusedFile(file.number, error.refusal)
        return
    misnamed = name_warning("dicom", files[medium.sources[0]].name)
    yield replace(medium, warnings=(misnamed, *medium.warnings)) if misnamed else medium


def _decode_file(number: int, file: SourceFile, kind: Kind, max_bytes: int) -> Iterator[DecodedMedium | RefusedFile]:
    if kind == "unknown":
        yield _unknown(number, file)
        return
    misnamed = name_warning(kind, file.name)
    try:
        for medium in _read(file, kind, max_bytes):
            told = (misnamed, *medium.warnings) if misnamed else medium.warnings
            yield replace(medium, sources=(number,), warnings=told)
    except PixelError as error:
        yield RefusedFile(number, error.refusal)


def _read(file: SourceFile, kind: Kind, max_bytes: int) -> Iterator[DecodedMedium]:
    if is_archive(kind):
        raise PixelError("This is an archive.", place=file.name, remedy="Unpack it and bring its files.")
    if kind == "nrrd":
        return read_nrrd(file.path, file.name, max_bytes=max_bytes)
    if kind in {"nifti", "nifti-gzip"}:
        return read_nifti(file.path, file.name, is_compressed=kind == "nifti-gzip", max_bytes=max_bytes)
    return read_photograph(file.path, file.name, max_bytes=max_bytes)


def _kind_of(file: SourceFile) -> Kind:
    with file.path.open("rb") as stream:
        return sniff(stream.read(SNIFF_BYTES), file.name)


def _plan(files: Sequence[SourceFile], kinds: Sequence[Kind]) -> tuple[tuple[DicomStack, ...], tuple[RefusedFile, ...]]:
    dicom = [DicomFile(n, files[n].path, files[n].name) for n, kind in enumerate(kinds) if kind == "dicom"]
    stacks, refused = plan_stacks(dicom)
    return stacks, tuple(RefusedFile(file.number, refusal) for file, refusal in refused)


def _unknown(number: int, file: SourceFile) -> RefusedFile:
    return RefusedFile(
        number,
        Refusal(
            message="The content is no image that is read here, whatever the name says.",
            place=file.name,
            remedy="Bring PNG, JPEG, BMP, TIFF, DICOM, NIfTI (.nii, .nii.gz), NRRD, or a ZIP or TAR of these.",
        ),
    )
