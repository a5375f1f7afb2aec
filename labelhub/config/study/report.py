"""A study written down: a self-contained page with plots and tables, and the same numbers as CSV beside it.

Every study states what it does not show. Not here: any number (each study's own module), and drawings (``plots``).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.html import format_html
from django.utils.safestring import SafeString

from labelhub.analytics.report_parts import listing, method_of, paragraph, section
from labelhub.config.simulation.report_page import report_page
from labelhub.numerics.results import Estimate

Value = str | int | float
SHORT_NOTE = (
    "This is the short run, on few and small items: it shows that the study works, and its numbers are no result."
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of numbers for a CSV file."""

    head: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Study:
    """What came of one study.

    ``findings`` are sentences with their numbers, ``sections`` the plots and tables behind them, ``not_shown`` what nobody may
    conclude, ``left_out`` what could not be run here and why, ``sheets`` the numbers by file name.
    """

    name: str
    title: str
    subtitle: str
    findings: tuple[str, ...]
    sections: tuple[SafeString, ...]
    not_shown: tuple[str, ...]
    sheets: Mapping[str, Sheet]
    left_out: tuple[str, ...] = ()
    seconds: float = field(default=math.nan, compare=False)


def write_study(study: Study, folder: Path, command: str, *, is_short: bool) -> tuple[Path, ...]:
    """Write ``<name>.html`` and one ``.csv`` a sheet into the folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{study.name}.html": study_page(study, command, is_short=is_short)}
    texts |= {f"{name}.csv": _csv(sheet) for name, sheet in study.sheets.items()}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in texts)


def study_page(study: Study, command: str, *, is_short: bool) -> str:
    """The study as one HTML page."""
    notes = [paragraph(SHORT_NOTE, "caution")] if is_short else []
    found = section("findings", "What came of it", *notes, listing(study.findings))
    parts = [found, *study.sections, section("not-shown", "What this does not show", listing(study.not_shown))]
    if study.left_out:
        parts.append(section("left-out", "What was left out", listing(study.left_out)))
    return report_page(study.title, study.title, study.subtitle, command, parts)


def figure(svg: SafeString, caption: str) -> SafeString:
    """A drawing with what it shows; the same numbers stand in a table."""
    return format_html('<figure style="width:100%">{}<figcaption>{}</figcaption></figure>', svg, caption)


def with_interval(estimate: Estimate, form: str = "{:.2f}") -> str:
    """A value with its interval and count, such as ``2.60 [2.41 to 2.80] (n=40)``."""
    if not estimate.is_defined:
        return f"undefined: {estimate.reason}"
    value = form.format(estimate.value)
    if not math.isfinite(estimate.width):
        return f"{value} (n={estimate.n})"
    return f"{value} [{form.format(estimate.low)} to {form.format(estimate.high)}] (n={estimate.n})"


def number_cell(estimate: Estimate, form: str = "{:.2f}") -> SafeString:
    """The same for a table, with the method on hover."""
    return format_html('<span title="{}">{}</span>', method_of(estimate), with_interval(estimate, form))


def numbers(estimate: Estimate) -> tuple[Value, ...]:
    """Value, low, high, n for a CSV file; empty where there is none."""
    values = (estimate.value, estimate.low, estimate.high)
    return (*("" if math.isnan(one) else round(one, 6) for one in values), estimate.n)


def _csv(sheet: Sheet) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(sheet.head)
    writer.writerows([_plain(value) for value in row] for row in sheet.rows)
    return out.getvalue()


def _plain(value: Value) -> Value:
    return f"{value:.6g}" if isinstance(value, float) else value


def in_words(names: Sequence[str]) -> str:
    """Names in a row: ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
