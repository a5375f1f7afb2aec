"""Who made which file: a table from file patterns to raters, or one file or folder a rater. Never a guess.

The table is a CSV with the columns ``pattern`` and ``rater`` and, where wanted, ``item``. A pattern is a file name, a
relative path or a folder; ``*`` stands for any text. The first pattern that fits wins. Not here: raters named inside
files, which always come before any of this.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from labelhub.formats.shapes import FormatError, Problem


@dataclass(frozen=True, slots=True)
class RaterRow:
    """One line of the table. ``item`` is empty where the name of the file tells the item."""

    pattern: str
    rater: str
    item: str = ""


@dataclass(frozen=True, slots=True)
class FileRaters:
    """The rater of each file as far as it is known, the item of each file where the table tells it, and how both
    were found.
    """

    raters: Mapping[str, str]
    items: Mapping[str, str] = field(default_factory=dict)
    rule: str = ""


def read_raters_map(data: bytes, name: str) -> tuple[RaterRow, ...]:
    """Read such a table. Raises :class:`FormatError` with the line."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refusal(name, "The table of raters is not UTF-8.", "Save it as UTF-8.") from None
    header_line = text.split("\n", 1)[0]
    delimiter = ";" if header_line.count(";") > header_line.count(",") else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [cell.strip().lower() for cell in next(rows, [])]
    if "rater" not in header or not {"pattern", "file"} & set(header):
        raise _refusal(f"{name}, line 1", "The header must name the columns pattern and rater.", "Correct the header.")
    found = []
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        pattern, rater = cells.get("pattern", "") or cells.get("file", ""), cells.get("rater", "")
        if not pattern or not rater:
            raise _refusal(f"{name}, line {rows.line_num}", "The pattern or the rater is missing.", "Fill in both.")
        found.append(RaterRow(pattern, rater, cells.get("item", "")))
    if not found:
        raise _refusal(name, "The table of raters has no line.", "Add a line for each rater.")
    return tuple(found)


def assign_raters(names: Iterable[str], table: Iterable[RaterRow] = ()) -> FileRaters:
    """The rater of each file: from the table where one is given, else one folder a rater, else one file a rater.

    A single file belongs to nobody, and neither do files of which some lie in folders and some beside them.
    """
    listed = list(names)
    rows = list(table)
    if rows:
        return _from_table(listed, rows)
    folders = {name.split("/", 1)[0] for name in listed if "/" in name}
    nested = sum("/" in name for name in listed)
    if nested == len(listed) and len(folders) > 1:
        return FileRaters({name: name.split("/", 1)[0] for name in listed}, rule="one folder a rater")
    stems = [stem_of(name) for name in listed]
    same_folder = len({str(PurePosixPath(name).parent) for name in listed}) == 1
    if same_folder and len(set(stems)) == len(listed) > 1:
        return FileRaters(dict(zip(listed, stems, strict=True)), rule="one file a rater")
    return FileRaters({})


def stem_of(name: str) -> str:
    """A file's name without folder and endings (``a/b.nii.gz`` is ``b``)."""
    base = name.rsplit("/", 1)[-1]
    for ending in (".nii.gz", ".seg.nrrd"):
        if base.lower().endswith(ending):
            return base[: -len(ending)]
    return base.rsplit(".", 1)[0] if "." in base[1:] else base


def _from_table(names: list[str], rows: list[RaterRow]) -> FileRaters:
    raters: dict[str, str] = {}
    items: dict[str, str] = {}
    for name in names:
        for row in rows:
            matched = _match(row.pattern, name)
            if matched is None:
                continue
            raters[name] = row.rater
            item = row.item or stem_of(matched)
            if item:
                items[name] = item
            break
    return FileRaters(raters, items, rule="a table of raters")


def _match(pattern: str, name: str) -> str | None:
    """What the stars of a pattern stand for, joined by ``/``; ``None`` where the pattern does not fit."""
    pattern = pattern.removeprefix("./")
    for tried in (pattern, f"*/{pattern}", f"{pattern.rstrip('/')}/*"):
        expression = "(.*)".join(re.escape(piece) for piece in tried.split("*"))
        match = re.fullmatch(expression, name, re.DOTALL) if tried.count("*") <= 8 else None
        if match is not None:
            own = match.groups()[1:] if tried.startswith("*/") and tried != pattern else match.groups()
            return "/".join(part.strip("/") for part in own if part) or "/".join(match.groups())
    return None


def _refusal(place: str, message: str, remedy: str) -> FormatError:
    return FormatError(Problem(place, message, remedy, fatal=True))
