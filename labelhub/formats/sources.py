"""The one door for annotations made elsewhere: finds out what a path holds, who made it, and reads it.

The rater comes from the file's own field, else from one file or folder a rater, else from a table; it is never
guessed, and where it cannot be told the source is refused with what to do. Not here: any format's syntax.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias

from labelhub.formats.coco import RATER_FIELDS, is_coco, read_coco
from labelhub.formats.cvat import read_cvat
from labelhub.formats.dicom_seg import read_dicom_seg
from labelhub.formats.gathering import UNKNOWN_RATER_REMEDY
from labelhub.formats.label_maps import MapLayout, OtherGrid, read_label_maps
from labelhub.formats.label_names import NAME_FILES
from labelhub.formats.label_studio import is_label_studio, read_label_studio
from labelhub.formats.lidc import read_lidc
from labelhub.formats.png_masks import read_png_masks
from labelhub.formats.raters_map import FileRaters, RaterRow, assign_raters, read_raters_map
from labelhub.formats.ratings_csv import read_ratings_csv
from labelhub.formats.shapes import AnnotationSet, EmptyMeans, FormatError, Measure, Problem
from labelhub.formats.source_files import open_source
from labelhub.formats.strict_json import load_json

Files: TypeAlias = Mapping[str, bytes]
RatersGiven: TypeAlias = Path | str | Mapping[str, str] | None

_ENDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "lidc": (".xml",),
    "coco": (".json",),
    "cvat": (".xml",),
    "label-studio": (".json",),
    "ratings-csv": (".csv", ".tsv", ".txt"),
    "label-maps": (".nii", ".nii.gz", ".nrrd"),
    "dicom-seg": (".dcm", ""),
    "png-masks": (".png",),
}
FORMATS: Final = tuple(_ENDINGS)
_LOOKED_INTO: Final = 20


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What only the asking person can know; each reader takes what concerns it.

    ``empty_means`` overrides what an image without marks means. ``measure`` and ``measures`` (by question) are for
    tables of ratings, ``rater_fields`` for COCO, ``item_field`` for Label Studio, ``layout`` and ``other_grid`` for
    label maps.
    """

    empty_means: EmptyMeans | None = None
    measure: Measure | None = None
    measures: Mapping[str, Measure] = field(default_factory=dict)
    rater_fields: tuple[str, ...] = RATER_FIELDS
    item_field: str | None = None
    layout: MapLayout | None = None
    other_grid: OtherGrid = "refuse"


def read_annotations(
    path: Path | str,
    format: str | None = None,  # noqa: A002 - the word on the command line
    raters: RatersGiven = None,
    options: ReadOptions | None = None,
) -> AnnotationSet:
    """Read a file, folder or zip of annotations.

    ``raters`` is a table of raters (a CSV path, or a mapping from pattern to rater). Raises :class:`FormatError`
    where nothing can be read, where the format is unknown or named wrongly, or where nobody says who drew what.
    """
    source = Path(path)
    files = open_source(source)
    kind = format or _detect(files, source.name)
    if kind not in _ENDINGS:
        raise _refusal(source.name, f"There is no format {kind!r}.", f"Use one of: {', '.join(FORMATS)}.")
    chosen = _Chosen(files, [name for name in files if _ending_fits(name, kind)] or list(files))
    told = assign_raters(_rated(chosen), _table(raters))
    read = _READERS[kind](chosen, told, options or ReadOptions())
    unnamed = [problem for problem in read.problems if problem.remedy == UNKNOWN_RATER_REMEDY]
    if unnamed and not read.readings:
        raise FormatError(replace(unnamed[0], fatal=True))
    return _with_rater_notes(read, told)


def detect_format(path: Path | str) -> str:
    """The name of the format of a file, folder or zip. Raises :class:`FormatError` where there is none, or more
    than one.
    """
    source = Path(path)
    return _detect(open_source(source), source.name)


class _Chosen(Mapping[str, bytes]):
    """Some files of a source."""

    def __init__(self, files: Files, names: list[str]) -> None:
        self._files, self._names = files, names

    def __getitem__(self, name: str) -> bytes:
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _rated(files: Files) -> list[str]:
    return [name for name in files if name.rsplit("/", 1)[-1].lower() not in NAME_FILES]


def _table(raters: RatersGiven) -> tuple[RaterRow, ...]:
    if raters is None:
        return ()
    if isinstance(raters, Mapping):
        return tuple(RaterRow(pattern, rater) for pattern, rater in raters.items())
    path = Path(raters)
    if not path.is_file():
        raise _refusal(path.name, "There is no such table of raters.", "Check the path given with --raters.")
    return read_raters_map(path.read_bytes(), path.name)


def _ending_fits(name: str, kind: str) -> bool:
    base = name.rsplit("/", 1)[-1].lower()
    if kind == "label-maps" and base in NAME_FILES:
        return True
    if kind == "png-masks" and base in NAME_FILES:
        return True
    return any(base.endswith(ending) if ending else "." not in base for ending in _ENDINGS[kind])


def _detect(files: Files, source: str) -> str:
    """Look into up to twenty files of each ending; annotation files win over label maps, those over pictures."""
    kinds: dict[str, str] = {}
    looked: dict[str, int] = {}
    for name in files:
        ending = "".join(name.rsplit("/", 1)[-1].lower().partition(".")[1:])
        looked[ending] = looked.get(ending, 0) + 1
        if looked[ending] > _LOOKED_INTO:
            continue
        kind = _kind_of(files, name)
        if kind is not None:
            kinds.setdefault(kind, name)
    for group in (("lidc", "coco", "cvat", "label-studio", "ratings-csv"), ("label-maps", "dicom-seg"), ("png-masks",)):
        present = [kind for kind in group if kind in kinds]
        if len(present) > 1:
            raise _refusal(
                source,
                "Several formats lie here: " + ", ".join(f"{kind} ({kinds[kind]})" for kind in present) + ".",
                "Name one with --format, or give a folder that holds one alone.",
            )
        if present:
            return present[0]
    raise _refusal(
        source,
        "No file here is in a format that is known.",
        f"Known are: {', '.join(FORMATS)}. Name one with --format.",
    )


def _kind_of(files: Files, name: str) -> str | None:
    base = name.rsplit("/", 1)[-1].lower()
    try:
        if base.endswith((".nii", ".nii.gz", ".nrrd")):
            return "label-maps"
        if base.endswith(".png"):
            return "png-masks"
        if base.endswith((".csv", ".tsv")):
            header = files[name][:4096].split(b"\n", 1)[0].lower()
            return None if b"pattern" in header and b"rater" in header else "ratings-csv"
        if base.endswith(".xml"):
            head = files[name][:4096]
            return "lidc" if b"LidcReadMessage" in head else "cvat" if b"<annotations" in head else None
        if base.endswith(".json"):
            root = load_json(files[name], name)
            return "coco" if is_coco(root) else "label-studio" if is_label_studio(root) else None
        if base.endswith(".dcm") or "." not in base:
            return "dicom-seg" if files[name][128:132] == b"DICM" else None
    except FormatError:
        return None
    return None


def _lidc(files: Files, told: FileRaters, options: ReadOptions) -> AnnotationSet:
    return read_lidc(files)


def _coco(files: Files, told: FileRaters, options: ReadOptions) -> AnnotationSet:
    return read_coco(files, raters=told.raters, rater_fields=options.rater_fields, empty_means=options.empty_means)


def _cvat(files: Files, told: FileRaters, options: ReadOptions) -> AnnotationSet:
    return read_cvat(files, raters=told.raters, empty_means=options.empty_means or "read-empty")


def _label_studio(files: Files, told: FileRaters, options: ReadOptions) -> AnnotationSet:
    return read_label_studio(files, raters=told.raters, item_field=options.item_field)


def _ratings(files: Files, told: FileRaters, options: ReadOptions) -> AnnotationSet:
    return read_ratings_csv(files, raters=told.raters, measures=options.measures, measure=options.measure)


def _label_maps(files: Files, told: FileRaters, options: ReadOptions) -> AnnotationSet:
    return read_label_maps(files, told=told, layout=options.layout, other_grid=options.other_grid)


def _dicom_seg(files: Files, told: FileRaters, options: ReadOptions) -> AnnotationSet:
    return read_dicom_seg(files, raters=told.raters)


def _png_masks(files: Files, told: FileRaters, options: ReadOptions) -> AnnotationSet:
    return read_png_masks(files, told=told, layout=options.layout)


_READERS: Final[Mapping[str, Callable[[Files, FileRaters, ReadOptions], AnnotationSet]]] = {
    "lidc": _lidc,
    "coco": _coco,
    "cvat": _cvat,
    "label-studio": _label_studio,
    "ratings-csv": _ratings,
    "label-maps": _label_maps,
    "dicom-seg": _dicom_seg,
    "png-masks": _png_masks,
}


def _with_rater_notes(read: AnnotationSet, told: FileRaters) -> AnnotationSet:
    """Say where the raters came from, and when files look like parts of one data set rather than raters."""
    by_file = {reading.rater for reading in read.readings} & set(told.raters.values())
    if not by_file or not read.raters_identifiable:
        return read
    notes = [*read.notes, f"Raters were told apart by: {told.rule}."]
    readers: dict[str, set[str]] = {}
    for reading in read.readings:
        readers.setdefault(reading.item, set()).add(reading.rater)
    problems = read.problems
    if len(by_file) > 1 and all(len(raters) < 2 for raters in readers.values()) and told.rule != "a table of raters":
        problems = (
            *problems,
            Problem(
                told.rule,
                "No item was read by two of these raters: the files may be parts of one data set rather than raters.",
                "If so, say who drew them with a table (--raters map.csv).",
            ),
        )
    return replace(read, notes=tuple(notes), problems=problems)


def _refusal(place: str, message: str, remedy: str) -> FormatError:
    return FormatError(Problem(place, message, remedy, fatal=True))
