"""Whose pictures a file holds, by the rule that the admin chose for an ingest; never a guess.

Rules: DICOM tags alone (``auto``), the folders a file lies in, a name pattern, or a column of a CSV table. Where the rule says
nothing of a file, its DICOM tags count; where they say nothing either, the subject is unknown. Identifiers stay in memory:
``services.create_item`` turns them into keys. Not here: hashing (``pseudonyms``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.name_patterns import check_pattern, match_names
from labelhub.catalog.services import ItemIdentity
from labelhub.catalog.subject_tables import SubjectTable
from labelhub.formats.pixels.medium import Identity

RULES = ("auto", "folder", "pattern", "column")
ITEM_PER = ("file", "study", "folder", "pattern")
_KIND = re.compile(r"[a-z][a-z-]{0,15}")


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How an ingest tells subjects, studies and items apart.

    ``subject_from`` is one of :data:`RULES`; ``subject_kind`` what a subject is (``patient``, ``image``, ``slide`` …).
    With ``folder`` the folder at ``folder_level`` of the path (1 is the first) is the subject, the next one the study.
    ``item_per``: each file or series is an item (``file``), or all of one study, of one folder, or of equal group ``item``
    of the pattern together. ``table`` is the path of the CSV among the files, with the names of its columns.
    """

    subject_from: str = "auto"
    subject_kind: str = "patient"
    item_per: str = "file"
    folder_level: int = 1
    pattern: str = ""
    table: str = ""
    file_column: str = "file"
    subject_column: str = "subject"
    study_column: str = ""
    source_id_column: str = ""

    def to_document(self) -> dict[str, Any]:
        """Return the options as a JSON-ready dictionary."""
        return asdict(self)

    @property
    def columns(self) -> dict[str, str]:
        """The table's columns by what they mean."""
        return {
            "file": self.file_column,
            "subject": self.subject_column,
            "study": self.study_column,
            "source_id": self.source_id_column,
        }


@dataclass(frozen=True, slots=True)
class Place:
    """What a file's own path says: identifiers by the rule, the key of its item (None: alone), and its source id."""

    subject: str = ""
    study: str = ""
    item: str | None = None
    source_id: str = ""
    is_in_table: bool = True


def read_options(document: Mapping[str, Any]) -> IngestOptions:
    """Return the options in ``document``. Raises :class:`CatalogProblem` that names the field and what is allowed."""
    known = set(IngestOptions().to_document())
    unknown = sorted(set(document) - known)
    if unknown:
        raise CatalogProblem(f"Unknown options: {', '.join(unknown)}.", remedy=f"Known are {', '.join(sorted(known))}.")
    values: dict[str, Any] = {name: str(value).strip()[:1000] for name, value in document.items()}
    level = values.pop("folder_level", "1")
    if level not in {"1", "2", "3", "4", "5", "6"}:
        raise CatalogProblem(f"folder_level is {level!r}.", remedy="Count folders from 1 to 6.")
    options = IngestOptions(**values, folder_level=int(level))
    for name, allowed in (("subject_from", RULES), ("item_per", ITEM_PER)):
        if getattr(options, name) not in allowed:
            raise CatalogProblem(
                f"{name} is {getattr(options, name)!r}.", remedy=f"Choose one of {', '.join(allowed)}."
            )
    if not _KIND.fullmatch(options.subject_kind):
        raise CatalogProblem(
            f"subject_kind is {options.subject_kind!r}.", remedy="Use one word in small letters, such as patient."
        )
    if "pattern" in (options.subject_from, options.item_per):
        check_pattern(options.pattern)
    if options.subject_from == "column" and not (options.table and options.file_column and options.subject_column):
        raise CatalogProblem("A table is asked for but not named.", remedy="Name the CSV file and its columns.")
    return options


def places_of(paths: Sequence[str], options: IngestOptions, table: SubjectTable | None) -> dict[str, Place]:
    """Return what each path says. Raises :class:`CatalogProblem` where the pattern takes too long."""
    uses_pattern = "pattern" in (options.subject_from, options.item_per)
    matches = match_names(options.pattern, paths) if uses_pattern else [{} for _ in paths]
    return {path: _place(path, options, table, groups) for path, groups in zip(paths, matches, strict=True)}


def identity_of(place: Place, tags: Identity, options: IngestOptions) -> ItemIdentity:
    """Return whose pictures these are: what the rule says, else what the DICOM tags say, else unknown."""
    if place.subject:
        return ItemIdentity(
            subject=place.subject, subject_kind=options.subject_kind, study=place.study or tags.study_uid
        )
    return ItemIdentity(subject=tags.patient_id, subject_kind="patient", study=place.study or tags.study_uid)


def item_key(place: Place, tags: Identity, options: IngestOptions) -> str | None:
    """Return what media of one item have in common, or None where the file or series is an item by itself."""
    if options.item_per == "study":
        return f"{tags.patient_id}\x00{tags.study_uid}" if tags.study_uid else None
    return place.item


def _place(path: str, options: IngestOptions, table: SubjectTable | None, groups: Mapping[str, str | None]) -> Place:
    folder, _, _ = path.rpartition("/")
    item = {"folder": folder or None, "pattern": groups.get("item")}.get(options.item_per)
    if options.subject_from == "folder":
        parts = [*folder.split("/"), *[""] * (options.folder_level + 1)]
        return Place(subject=parts[options.folder_level - 1], study=parts[options.folder_level], item=item)
    if options.subject_from == "pattern":
        return Place(subject=groups.get("subject") or "", study=groups.get("study") or "", item=item)
    if options.subject_from == "column":
        row = table.row_of(path) if table is not None else None
        if row is None:
            return Place(item=item, is_in_table=False)
        return Place(subject=row.subject, study=row.study, item=item, source_id=row.source_id)
    return Place(item=item)
