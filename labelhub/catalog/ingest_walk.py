"""The walk over the waiting files of an ingest: archives are opened one at a time, DICOM files sorted into series by folder.

Between two files it shows progress and hears a cancel. Not here: what an item is made of (``ingest_items``), the decoder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from labelhub.catalog.blobs import hash_file
from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.identity import IngestOptions, Place, identity_of, item_key, places_of, read_options
from labelhub.catalog.ingest_items import (
    DUPLICATE,
    Arrived,
    Piece,
    Status,
    keep_pixels,
    known_items,
    mark,
    slice_bytes,
    store_item,
)
from labelhub.catalog.models import IngestEntry, IngestRun
from labelhub.catalog.sandbox import Decoder
from labelhub.catalog.subject_tables import SubjectTable, read_subject_table
from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.pixels.files import FileGroup, RefusedFile, SourceFile
from labelhub.formats.pixels.sniff import SNIFF_BYTES, Kind, is_archive, sniff
from labelhub.jobs.registry import Running

_BATCH = 1000
SORTED_TOGETHER = 5000
# A slice is decoded whole, for its tiles too, so its size is bounded: 100 million colour pixels and a little more.
LARGEST_SLICE_BYTES = 320 << 20
UNREADABLE = "The file could not be opened."
TOO_LARGE = f"One picture or slice of it is larger than {LARGEST_SLICE_BYTES >> 20} MiB; nothing of it was stored."


@dataclass
class Walk:
    """One attempt at an ingest. ``root`` is where the entries' paths start, ``work`` a folder of its own."""

    run: IngestRun
    root: Path
    work: Path
    decoder: Decoder
    running: Running
    options: IngestOptions = field(init=False)
    table: SubjectTable | None = field(init=False, default=None)
    total: int = field(init=False, default=0)
    done: int = field(init=False, default=0)
    refused: int = field(init=False, default=0)

    def go(self) -> None:
        """Read what waits. Raises what ``Running.progress`` raises, and ``CatalogProblem`` where nothing can be read."""
        self.options = read_options(self.run.options)
        entries = IngestEntry.objects.filter(run=self.run)
        self.total = entries.count()
        waiting = entries.filter(status=Status.WAITING, size__isnull=False)
        self.done = self.total - entries.filter(status=Status.WAITING).count()
        self.running.progress(self.done, self.total, "Looking at the files")
        loose = [self._arrived(entry) for entry in waiting.order_by("path").iterator()]
        if self.options.subject_from == "column":
            loose = self._without_table(loose)
        kinds = self._kinds(loose)
        self._read([file for file in loose if file.entry_id in kinds and not is_archive(kinds[file.entry_id])], kinds)
        for file in loose:
            if is_archive(kinds.get(file.entry_id, "unknown")):
                self._open_archive(file)

    def _arrived(self, entry: IngestEntry) -> Arrived:
        in_place = self.run.source == "folder"
        is_upload = self.run.source == "upload" and not self.run.location
        path = self.root / (str(entry.pk) if is_upload else entry.path)
        return Arrived(entry.pk, entry.path, path, stays=in_place)

    def _without_table(self, files: list[Arrived]) -> list[Arrived]:
        """Read the table of subjects, which is one of the files; it is no picture."""
        table = next((file for file in files if file.name == self.options.table), None)
        place = table.path if table is not None else None
        if place is None:
            entry = IngestEntry.objects.filter(run=self.run, path=self.options.table).first()
            place = self._arrived(entry).path if entry is not None else None
        if place is None or not place.is_file():
            raise CatalogProblem(
                "The table of subjects is not among the files. Nothing was stored.",
                remedy="Bring the CSV with the files, and give its path among them.",
            )
        self.table = read_subject_table(place, columns=self.options.columns)
        if table is not None:
            self._mark([table], Status.IGNORED, message="Read as the table of subjects.")
        return [file for file in files if file is not table]

    def _kinds(self, files: Iterable[Arrived]) -> dict[int, Kind]:
        """Tell each file by its first bytes. What cannot be opened is refused here."""
        kinds: dict[int, Kind] = {}
        for file in files:
            try:
                with file.path.open("rb") as stream:
                    kinds[file.entry_id] = sniff(stream.read(SNIFF_BYTES), file.name)
            except OSError:
                self._mark([file], Status.REFUSED, message=UNREADABLE, remedy="Check that it is there and readable.")
        return kinds

    def _read(self, files: Sequence[Arrived], kinds: dict[int, Kind]) -> None:
        """Read files that are no archives; media of one item are held until all of them are there."""
        places = dict(zip((f.entry_id for f in files), self._places(files), strict=True))
        held: dict[tuple[str, str | None], list[Piece]] = {}
        for unit, group in self._units(files, kinds):
            pieces = self._decode(unit, group, places)
            key = item_key(pieces[0].place, pieces[0].medium.identity, self.options) if pieces else None
            if pieces and key is None:
                self._store(pieces)
            elif pieces and key is not None:
                # Different subjects never share an item, whatever folder they lie in.
                who = identity_of(pieces[0].place, pieces[0].medium.identity, self.options)
                held.setdefault((key, who.subject), []).extend(pieces)
            self._tell()
        for together in held.values():
            self._store(together)
            self._tell()

    def _places(self, files: Sequence[Arrived]) -> list[Place]:
        places = places_of([file.name for file in files], self.options, self.table)
        return [places[file.name] for file in files]

    def _units(self, files: Sequence[Arrived], kinds: dict[int, Kind]) -> Iterable[tuple[list[Arrived], FileGroup]]:
        """Give what is decoded together: each file by itself, DICOM files by series."""
        dicom = [file for file in files if kinds[file.entry_id] == "dicom"]
        for file in files:
            if kinds[file.entry_id] != "dicom":
                yield [file], FileGroup(kinds[file.entry_id], (0,))
        # A series may be spread over folders; beyond what one look can hold, a folder is taken as the limit of a series.
        if len(dicom) <= SORTED_TOGETHER:
            yield from self._series(dicom)
            return
        for _, in_folder in groupby(dicom, key=lambda file: file.name.rpartition("/")[0]):
            yield from self._series(list(in_folder))

    def _series(self, dicom: Sequence[Arrived]) -> Iterable[tuple[list[Arrived], FileGroup]]:
        if not dicom:
            return
        self.running.progress(min(self.done, self.total), self.total, "Sorting DICOM files into series")
        survey = self.decoder.survey([SourceFile(file.path, file.name) for file in dicom])
        self._refuse(dicom, survey.refused)
        told = {n for group in survey.groups for n in group.sources} | {why.source for why in survey.refused}
        self._leave_out([file for number, file in enumerate(dicom) if number not in told])
        for group in survey.groups:
            unit = [dicom[number] for number in group.sources]
            yield unit, replace(group, sources=tuple(range(len(unit))))

    def _decode(self, unit: list[Arrived], group: FileGroup, places: dict[int, Place]) -> list[Piece]:
        try:
            unit = [_hashed(file) for file in unit]
        except OSError:
            self._mark(unit, Status.REFUSED, message=UNREADABLE, remedy="Check that it is there and readable.")
            return []
        known = known_items(self.run.project, (file.sha256 for file in unit))
        if all(file.sha256 in known for file in unit):
            for file in unit:
                self._mark([file], Status.DUPLICATE, message=DUPLICATE, item_id=known[file.sha256])
            return []
        outcome = self.decoder.decode_group([SourceFile(file.path, file.name) for file in unit], group, into=self.work)
        if any(slice_bytes(medium) > LARGEST_SLICE_BYTES for medium in outcome.media):
            self._mark(unit, Status.REFUSED, message=TOO_LARGE, remedy="Crop it, or make it smaller.")
            return []
        self._refuse(unit, outcome.refused)
        pieces = [
            Piece(
                medium, pixels, window, tuple(unit[n] for n in medium.sources), places[unit[medium.sources[0]].entry_id]
            )
            for medium, (pixels, window) in zip(outcome.media, keep_pixels(outcome.media), strict=True)
        ]
        used = {n for medium in outcome.media for n in medium.sources} | {found.source for found in outcome.refused}
        spare = [file for number, file in enumerate(unit) if number not in used]
        if pieces:
            self._leave_out(spare)
        else:
            self._mark(spare, Status.REFUSED, message="The file holds no picture.", remedy="Leave it out.")
        return pieces

    def _store(self, pieces: list[Piece]) -> None:
        identity = identity_of(pieces[0].place, pieces[0].medium.identity, self.options)
        store_item(run=self.run, pieces=pieces, identity=identity)
        self.done += len({file.entry_id for piece in pieces for file in piece.files})

    def _open_archive(self, archive: Arrived) -> None:
        folder = self.work / "unpacked"
        folder.mkdir(exist_ok=True)
        try:
            found = self.decoder.unpack(SourceFile(archive.path, archive.name), into=folder)
        except PixelError as error:
            self._mark([archive], Status.REFUSED, message=error.refusal.message, remedy=error.refusal.remedy)
            return
        inside = {f"{archive.name}/{member.name}"[:1000]: member.path for member in found.members}
        bad = {f"{archive.name}/{why.place}"[:1000]: why for why in found.refused}
        self._add_entries([*inside, *bad])
        entries = dict(
            IngestEntry.objects.filter(run=self.run, status=Status.WAITING, path__startswith=f"{archive.name}/")
            .values_list("path", "pk")
        )  # fmt: skip
        for name, why in bad.items():
            if name in entries:
                refused = Arrived(entries[name], name, archive.path, stays=False)
                self._mark([refused], Status.REFUSED, message=why.message, remedy=why.remedy)
        members = [
            Arrived(entries[name], name, path, stays=False) for name, path in sorted(inside.items()) if name in entries
        ]
        self._read(members, self._kinds(members))
        self._mark([archive], Status.IGNORED, message=f"An archive; its {len(inside)} files are listed by themselves.")
        shutil.rmtree(folder, ignore_errors=True)

    def _add_entries(self, names: Sequence[str]) -> None:
        """Add an entry for each member that has none from an earlier attempt. Their size stays empty: they were not sent."""
        for start in range(0, len(names), _BATCH):
            rows = [IngestEntry(run=self.run, path=name) for name in names[start : start + _BATCH]]
            IngestEntry.objects.bulk_create(rows, ignore_conflicts=True)
        self.total = IngestEntry.objects.filter(run=self.run).count()

    def _leave_out(self, copies: Sequence[Arrived]) -> None:
        self._mark(copies, Status.IGNORED, message="A copy of another slice of its series; it was left out.")

    def _refuse(self, files: Sequence[Arrived], refused: Iterable[RefusedFile]) -> None:
        for found in refused:
            why = found.refusal
            self._mark([files[found.source]], Status.REFUSED, message=why.message, remedy=why.remedy)

    def _mark(
        self, files: Sequence[Arrived], status: str, *, message: str, remedy: str = "", item_id: int | None = None
    ) -> None:
        mark(self.run, [file.entry_id for file in files], status, message=message, remedy=remedy, item_id=item_id)
        self.done += len(files)
        self.refused += len(files) if status == Status.REFUSED else 0

    def _tell(self) -> None:
        told = f"{self.refused} refused" if self.refused else ""
        self.running.progress(min(self.done, self.total), self.total, told)


def _hashed(file: Arrived) -> Arrived:
    sha256, size = hash_file(file.path)
    return replace(file, sha256=sha256, size=size)
