"""Subject, study and source id of files from a CSV table that came along with them.

A file is found by its whole path in the table, else by its bare name if that occurs once. A file that the table does not
name has no known subject: nothing is guessed. Not here: other tables (ratings are read by ``formats``).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labelhub.catalog.errors import CatalogProblem

MAX_TABLE_BYTES = 64 << 20
MAX_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class TableRow:
    """What the table says of one file; empty where it says nothing."""

    subject: str
    study: str
    source_id: str


@dataclass(frozen=True, slots=True)
class SubjectTable:
    """The table by path, and by bare name where that is unique."""

    by_path: Mapping[str, TableRow]
    by_name: Mapping[str, TableRow]

    def row_of(self, path: str) -> TableRow | None:
        """Return what the table says of the file at ``path``, or None."""
        return self.by_path.get(path) or self.by_name.get(path.rsplit("/", 1)[-1])


def read_subject_table(path: Path, *, columns: Mapping[str, str]) -> SubjectTable:
    """Read a UTF-8 CSV with a header. ``columns`` names those of ``file``, ``subject``, and maybe ``study``, ``source_id``.

    Raises :class:`CatalogProblem` that names the missing column, or the line that cannot be read.
    """
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise CatalogProblem(
            f"The table is larger than {MAX_TABLE_BYTES >> 20} MiB.", remedy="Keep its needed columns only."
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            _check_header(reader.fieldnames or [], columns)
            rows = _rows(reader, columns)
    except UnicodeDecodeError:
        raise CatalogProblem("The table is not UTF-8 text.", remedy="Save it as CSV UTF-8.") from None
    except csv.Error:
        raise CatalogProblem("The table is not well-formed CSV.", remedy="Save it again as CSV.") from None
    counts = Counter(name.rsplit("/", 1)[-1] for name in rows)
    by_name = {name.rsplit("/", 1)[-1]: row for name, row in rows.items() if counts[name.rsplit("/", 1)[-1]] == 1}
    return SubjectTable(rows, by_name)


def _check_header(header: object, columns: Mapping[str, str]) -> None:
    names = list(header) if isinstance(header, list | tuple) else []
    missing = [name for name in columns.values() if name and name not in names]
    if missing:
        raise CatalogProblem(
            f"The table has no column {', '.join(missing)}; it has {', '.join(map(str, names)) or 'none'}.",
            remedy="Correct the column names, or the table's first line.",
        )


def _rows(reader: csv.DictReader[str], columns: Mapping[str, str]) -> dict[str, TableRow]:
    rows: dict[str, TableRow] = {}
    for number, record in enumerate(reader, start=2):
        if number > MAX_ROWS:
            raise CatalogProblem(f"The table has more than {MAX_ROWS} rows.", remedy="Split it.")
        cell = {key: (record.get(name) or "").strip()[:200] for key, name in columns.items() if name}
        name = cell.get("file", "").replace("\\", "/").removeprefix("./")
        row = TableRow(cell.get("subject", ""), cell.get("study", ""), cell.get("source_id", ""))
        if rows.get(name, row) != row:
            raise CatalogProblem(
                f"Line {number} of the table names a file again with another subject or study.",
                remedy="Keep one row a file.",
            )
        if name:
            rows[name] = row
    return rows
