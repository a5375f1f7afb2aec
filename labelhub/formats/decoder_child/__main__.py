"""``python -I -m labelhub.formats.decoder_child FOLDER LIMITS``: one request a line of JSON on stdin, one answer on stdout.

Requests: ``{"op": "survey" | "decode" | "unpack" | "take-out", "files": [[path, name], …], "out": folder}``. Pixels and
unpacked files are written to ``out``, which lies in FOLDER; everything else is in the answer. The walls go up after the
libraries are loaded and before the first request is read. The program ends at the end of its input, so it cannot
outlive its parent for long.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

from labelhub.formats.decoder_child.walls import ChildLimits, grant_cpu, raise_walls
from labelhub.formats.pixels.archives import ArchiveLimits, unpack
from labelhub.formats.pixels.decode import decode, survey
from labelhub.formats.pixels.errors import PixelError, Refusal
from labelhub.formats.pixels.files import RefusedFile, SourceFile
from labelhub.formats.pixels.wire import write_medium

_NEEDS_MEMORY = "The file needs more memory to read than is allowed."
_FAILED = "The file could not be read: the decoder failed on it."
_REMEDY = "Export it again, or crop or downsample it; if it is sound, tell the administrator."


def main(arguments: list[str]) -> None:
    """Answer requests until the input ends, or until one exhausted the memory (the parent then starts a fresh process)."""
    folder = Path(arguments[0])
    options = json.loads(arguments[1])
    answers = _private_stdout()
    limits = ChildLimits(options["memory_bytes"], options["cpu_s"], options["file_bytes"], options["open_files"])
    _answer(answers, {"missing_walls": raise_walls(limits, folder)})
    for line in sys.stdin:
        grant_cpu(limits.cpu_s)
        answer = _serve(json.loads(line), options["max_pixel_bytes"])
        _answer(answers, answer)
        if answer.get("is_worn"):
            return


def _serve(request: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    files = [SourceFile(Path(path), name) for path, name in request["files"]]
    try:
        return _OPERATIONS[request["op"]](files, Path(request["out"]), max_bytes)
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


def _private_stdout() -> TextIO:
    """A stream of our own for answers; what libraries print to stdout goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _answer(stream: TextIO, answer: dict[str, Any]) -> None:
    stream.write(json.dumps(answer, allow_nan=False) + "\n")
    stream.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
