"""The server's side of the decoder: starts the child process, gives it files, and outlives whatever happens to it.

A file that crashes, hangs or exhausts the child is refused with a sentence, alone; the others of its batch are read by
a fresh child. The child's folder is removed after each request, and folders left by a killed server at the next start.
Results are checked (``formats.pixels.wire``) and moved into the caller's folder under the SHA-256 of their bytes. Not
here: what becomes of the media.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from labelhub.catalog.sandbox_process import Child, ChildEnded, DecoderLimits, remove_orphans
from labelhub.formats.pixels.archives import clean_name
from labelhub.formats.pixels.errors import PixelError, Refusal
from labelhub.formats.pixels.files import FileGroup, Member, RefusedFile, SourceFile, Survey, Unpacked
from labelhub.formats.pixels.wire import StoredMedium, read_medium

_KINDS = frozenset({"png", "jpeg", "bmp", "tiff", "dicom", "nifti", "nifti-gzip", "nrrd", "zip", "tar", "tar-gzip"})
_DOES_NOT_HOLD = "The decoder gave an answer that does not hold; nothing was kept."
# What checking an answer raises where it is not as the child's program writes it: then the child is not trusted any more.
_NOT_AS_AGREED = (ValueError, KeyError, TypeError, IndexError, AttributeError)
_REMEDY = "Export it again, or crop or downsample it; if it is sound, ask the administrator to raise the limit."


@dataclass(frozen=True, slots=True)
class DecodeOutcome:
    """What a batch gave: media whose pixels lie in the caller's folder, and the files that gave none, with reasons."""

    media: tuple[StoredMedium, ...]
    refused: tuple[RefusedFile, ...]


class Decoder:
    """A decoder process, started when first needed. A context manager; safe to share between threads, one request at a time.

    ``between`` is called several times a second while the process is waited for; what it raises passes.
    """

    def __init__(
        self, limits: DecoderLimits | None = None, *, scratch: Path | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._between = between
        self.limits = limits or DecoderLimits()
        self._scratch = Path(scratch or tempfile.gettempdir())
        self._lock = threading.RLock()
        self._child: Child | None = None
        remove_orphans(self._scratch)

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def missing_walls(self) -> tuple[str, ...]:
        """The protections that this system does not have, for a warning to the administrator. Starts the child."""
        with self._lock:
            return self._running().missing_walls

    def survey(self, files: Sequence[SourceFile]) -> Survey:
        """Sort files into groups that make media together. A file that breaks the decoder is refused, the rest is sorted."""
        with self._lock:
            try:
                return self._survey(list(files))
            except _NOT_AS_AGREED:
                self._stop()
                return Survey(
                    (), tuple(RefusedFile(n, Refusal(_DOES_NOT_HOLD, f.name, _REMEDY)) for n, f in enumerate(files))
                )

    def decode(self, files: Sequence[SourceFile], *, into: Path) -> DecodeOutcome:
        """Decode files, group by group; the pixel blobs are in ``into`` afterwards, named by their SHA-256."""
        with self._lock:
            sorted_out = self.survey(files)
            media: list[StoredMedium] = []
            refused = list(sorted_out.refused)
            for group in sorted_out.groups:
                outcome = self.decode_group(files, group, into=into)
                media += outcome.media
                refused += outcome.refused
            return DecodeOutcome(tuple(media), tuple(refused))

    def decode_group(self, files: Sequence[SourceFile], group: FileGroup, *, into: Path) -> DecodeOutcome:
        """Decode one group of a survey of ``files``; numbers in the outcome are those of ``files``."""
        chosen = [files[number] for number in group.sources]
        with self._lock, _Folder(self._running().folder) as out:
            answer = self._ask("decode", chosen, out)
            if isinstance(answer, Refusal):
                return DecodeOutcome((), tuple(RefusedFile(number, answer) for number in group.sources))
            try:
                media = [
                    _moved(read_medium(facts, out, group.sources, max_bytes=self.limits.max_pixel_bytes), into)
                    for facts in answer.get("media", [])
                ]
                return DecodeOutcome(tuple(media), _refused(answer, group.sources))
            except _NOT_AS_AGREED:
                self._stop()
                refusal = Refusal(_DOES_NOT_HOLD, chosen[0].name, _REMEDY)
                return DecodeOutcome((), tuple(RefusedFile(number, refusal) for number in group.sources))

    def unpack(self, archive: SourceFile, *, into: Path, keeps_archives: bool = False) -> Unpacked:
        """Take the files out of an archive into ``into``, each named by its SHA-256. Raises :class:`PixelError`.

        ``keeps_archives`` leaves archives inside it as they are.
        """
        with self._lock, _Folder(self._running().folder) as out:
            answer = self._ask("take-out" if keeps_archives else "unpack", [archive], out)
            if isinstance(answer, Refusal):
                raise PixelError(answer.message, place=answer.place, remedy=answer.remedy)
            try:
                return _kept_members(answer, out, into)
            except PixelError:
                raise
            except _NOT_AS_AGREED as error:
                self._stop()
                raise PixelError(_DOES_NOT_HOLD, place=archive.name, remedy=_REMEDY) from error

    def close(self) -> None:
        """End the child and remove its folder."""
        with self._lock:
            self._stop()

    def _survey(self, files: list[SourceFile]) -> Survey:
        """One request for all; where that breaks the child, one for each file finds the culprits."""
        numbers = tuple(range(len(files)))
        answer = self._survey_answer(files)
        if isinstance(answer, Refusal) and len(files) > 1:
            single = [self._survey_answer([file]) for file in files]
            bad = {number: found for number, found in enumerate(single) if isinstance(found, Refusal)}
            if not bad:
                return Survey((), tuple(RefusedFile(number, answer) for number in numbers))
            good = [number for number in numbers if number not in bad]
            rest = self._survey([files[number] for number in good])
            groups = tuple(replace(g, sources=tuple(good[n] for n in g.sources)) for g in rest.groups)
            refused = tuple(replace(r, source=good[r.source]) for r in rest.refused)
            return Survey(groups, (*refused, *(RefusedFile(number, why) for number, why in bad.items())))
        if isinstance(answer, Refusal):
            return Survey((), tuple(RefusedFile(number, answer) for number in numbers))
        groups = tuple(
            FileGroup(kind, tuple(numbers[n] for n in sources)) for kind, sources in answer["groups"] if kind in _KINDS
        )
        return Survey(groups, _refused(answer, numbers))

    def _survey_answer(self, files: list[SourceFile]) -> dict[str, Any] | Refusal:
        if not files:
            return {"groups": [], "refused": []}
        answer = self._ask("survey", files, None)
        if isinstance(answer, Refusal) or "groups" in answer:
            return answer
        return _refused(answer, tuple(range(len(files))))[0].refusal

    def _ask(self, operation: str, files: Sequence[SourceFile], out: Path | None) -> dict[str, Any] | Refusal:
        child = self._running()
        request = {
            "op": operation,
            "files": [[str(file.path.resolve()), file.name] for file in files],
            "out": str(out or child.folder),
        }
        try:
            answer = child.ask(request, self.limits.wall_s)
        except ChildEnded as ended:
            self._child = None
            child.stop()
            return Refusal(ended.sentence, files[0].name, _REMEDY)
        if answer.get("is_worn") or child.requests >= self.limits.requests_a_process:
            child.is_worn = True
        return answer

    def _running(self) -> Child:
        if self._child is not None and self._child.is_worn and not self._child.has_open_folders():
            self._stop()
        if self._child is None:
            self._child = Child(self.limits, self._scratch, between=self._between)
        return self._child

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.stop()


class _Folder:
    """A folder for one request's results, removed at the end whatever happens."""

    def __init__(self, parent: Path) -> None:
        self._path = Path(tempfile.mkdtemp(prefix="request-", dir=parent))

    def __enter__(self) -> Path:
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


def _refused(answer: dict[str, Any], sources: tuple[int, ...]) -> tuple[RefusedFile, ...]:
    return tuple(
        RefusedFile(sources[int(number)], Refusal(str(message)[:500], str(place)[:1000], str(remedy)[:500]))
        for number, message, place, remedy in answer["refused"]
    )


def _moved(medium: StoredMedium, into: Path) -> StoredMedium:
    return replace(medium, path=_move(medium.path, into, name=medium.blob.name))


def _kept_members(answer: dict[str, Any], out: Path, into: Path) -> Unpacked:
    """Members moved to ``into``, each once where several have the same bytes. Raises what a broken answer raises."""
    refused = tuple(found.refusal for found in _refused(answer, (0,)))
    if "members" not in answer:
        raise PixelError(refused[0].message, place=refused[0].place, remedy=refused[0].remedy)
    moved: dict[str, Path] = {}
    members = []
    for name, digest in answer["members"]:
        if clean_name(name) != name:
            raise ValueError("a name is not clean")
        if digest not in moved:
            moved[digest] = _move(_checked_member(out, digest), into)
        members.append(Member(name, moved[digest]))
    return Unpacked(tuple(members), refused)


def _checked_member(folder: Path, digest: str) -> Path:
    path = folder / digest
    if not re.fullmatch(r"[0-9a-f]{64}", digest) or path.is_symlink() or not path.is_file():
        raise ValueError("a member is not in the folder")
    with path.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
            raise ValueError("a member is not named by its hash")
    return path


def _move(path: Path, into: Path, *, name: str | None = None) -> Path:
    """Move to ``into`` under the hash, atomically also where that is another file system."""
    target = into / (name or path.name)
    if target.exists():
        return target
    try:
        path.replace(target)
    except OSError:
        partial = into / f".partial-{target.name}"
        shutil.copyfile(path, partial)
        partial.replace(target)
    return target
