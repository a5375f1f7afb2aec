"""``python -I -m labelhub.formats.decoder_child FOLDER LIMITS``: one request a line of JSON on stdin, one answer on stdout.

Requests: ``{"op": "survey" | "decode" | "unpack" | "take-out", "files": [[path, name], …], "out": folder}``. Pixels and
unpacked files are written to ``out``, which lies in FOLDER; everything else is in the answer. The walls go up after the
libraries are loaded and before the first request is read (`answering`). One that exhausted the memory is the last: the
parent then starts a fresh process.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labelhub.formats.decoder_child.answering import Options, answer_requests
from labelhub.formats.pixels.archives import ArchiveLimits, unpack
from labelhub.formats.pixels.decode import decode, survey
from labelhub.formats.pixels.errors import PixelError, Refusal
from labelhub.formats.pixels.files import RefusedFile, SourceFile
from labelhub.formats.pixels.wire import write_medium

_NEEDS_MEMORY = "The file needs more memory to read than is allowed."
_FAILED = "The file could not be read: the decoder failed on it."
_REMEDY = "Export it again, or crop or downsample it; if it is sound, tell the administrator."


def _serve(request: Mapping[str, Any], options: Options) -> dict[str, Any]:
    files = [SourceFile(Path(path), name) for path, name in request["files"]]
    try:
        return _OPERATIONS[request["op"]](files, Path(request["out"]), options["max_pixel_bytes"])
    except PixelError as error:
        return _refused_all(files, error.refusal)
    except MemoryError:
        return {**_refused_all(files, Refusal(_NEEDS_MEMORY, files[0].name, _REMEDY)), "is_worn": True}
    except Exception as error:  # noqa: BLE001 - the wall between a stranger's file and the server: any failure is a refusal
        return {**_refused_all(files, Refusal(_FAILED, files[0].name, _REMEDY)), "fault": _where(error)}


def _survey(files: list[SourceFile], _out: Path, _max_bytes: int) -> dict[str, Any]:
    found = survey(files)
    groups = [[group.kind, list(group.sources)] for group in found.groups]
    return {"groups": groups, "refused": [_refusal(refused) for refused in found.refused]}


def _decode(files: list[SourceFile], out: Path, max_bytes: int) -> dict[str, Any]:
    media: list[dict[str, Any]] = []
    refused: list[list[Any]] = []
    for found in decode(files, max_bytes=max_bytes):
        if isinstance(found, RefusedFile):
            refused.append(_refusal(found))
        else:
            media.append(write_medium(found, out / f"medium-{len(media):05d}"))
    return {"media": media, "refused": refused}


def _unpack(files: list[SourceFile], out: Path, _max_bytes: int) -> dict[str, Any]:
    found = unpack(files[0].path, files[0].name, out)
    members = [[member.name, member.path.name] for member in found.members]
    return {"members": members, "refused": [_refusal(RefusedFile(0, refusal)) for refusal in found.refused]}


def _take_out(files: list[SourceFile], out: Path, _max_bytes: int) -> dict[str, Any]:
    """As ``unpack``, but archives inside stay files: some formats are archives by nature."""
    found = unpack(files[0].path, files[0].name, out, limits=ArchiveLimits(depth=1, keeps_archives=True))
    members = [[member.name, member.path.name] for member in found.members]
    return {"members": members, "refused": [_refusal(RefusedFile(0, refusal)) for refusal in found.refused]}


_OPERATIONS = {"survey": _survey, "decode": _decode, "unpack": _unpack, "take-out": _take_out}


def _refused_all(files: list[SourceFile], refusal: Refusal) -> dict[str, Any]:
    return {"refused": [_refusal(RefusedFile(number, refusal)) for number in range(len(files))]}


def _refusal(refused: RefusedFile) -> list[Any]:
    return [refused.source, refused.refusal.message, refused.refusal.place, refused.refusal.remedy]


def _where(error: Exception) -> str:
    """The kind and the line of a failure, without its text: that may quote the file."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


if __name__ == "__main__":
    answer_requests(sys.argv[1:], _serve)
