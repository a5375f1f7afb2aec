"""Writes rows as CSV: always the same bytes for the same rows, and safe to open in a spreadsheet.

A text that a spreadsheet would run as a formula (it begins with ``= + - @``, a tab or a carriage return) gets a
leading apostrophe, as OWASP advises against CSV injection; numbers are written as numbers. Undefined numbers are
written as an empty cell, so a column that gives the reason belongs beside them. Not here: which columns a score has.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def write_rows(
    rows: Iterable[Mapping[str, object]], *, columns: Sequence[str] | None = None, protect: bool = True
) -> bytes:
    """UTF-8 CSV with a header. Columns are those given, else all that occur, in the order in which they first do.

    ``protect=False`` writes texts untouched, for files that are read back by machines.
    """
    listed = list(rows)
    names = list(columns) if columns is not None else list(dict.fromkeys(name for row in listed for name in row))
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_cell(name, protect=protect) for name in names])
    for row in listed:
        writer.writerow([_cell(row.get(name), protect=protect) for name in names])
    return out.getvalue().encode()


def _cell(value: object, *, protect: bool) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value) if type(value) in (int, float) else repr(float(value))
    text = "; ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    text = text.replace("\0", "")
    return f"'{text}" if protect and text.startswith(_DANGEROUS) else text
