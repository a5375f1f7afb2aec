"""Writes the report of a set of readings: one HTML file that needs nothing beside it, and the tables as CSV.

It opens with a verdict in three sentences, then what must be known before any number. No script, no image, no link to
any other place. Not here: the numbers (``scoring.panel``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labelhub.analytics import report_rest as rest
from labelhub.analytics import report_sections as sections
from labelhub.analytics import report_truth as truth
from labelhub.analytics.pictures import View, pictures_of
from labelhub.analytics.report_parts import Evidence, listing
from labelhub.analytics.report_style import STYLE
from labelhub.analytics.tables import csv_files
from labelhub.formats.shapes import AnnotationSet
from labelhub.scoring.extents import Reach
from labelhub.scoring.item_objects import Matching
from labelhub.scoring.panel_rows import ItemRow, Panel

PICTURED_ITEMS = 12
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_LINKS = (
    ("disputed", "Most disputed"), ("detection", "Detection"), ("overlap", "Overlap"), ("shapes", "Chance"),
    ("trust", "Trust"), ("classes", "Classes"),
    ("questions", "Questions"), ("gold", "Gold"), ("labelers", "Readers"), ("pairs", "Pairs"), ("work", "Work list"),
    ("planning", "What cannot be concluded"), ("items", "Items"), ("method", "Method"),
)  # fmt: skip


def write_report(folder: Path, panel: Panel, annotation_set: AnnotationSet, *, title: str) -> tuple[Path, ...]:
    """Write ``index.html`` and the CSV files into a folder, made if absent; returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in {
        "index.html": render(panel, annotation_set, title=title).encode(),
        **csv_files(panel),
    }.items():
        path = folder / name
        path.write_bytes(content)
        written.append(path)
    return tuple(written)


def render(panel: Panel, annotation_set: AnnotationSet, *, title: str) -> str:
    """The whole report as one HTML document."""
    shown = panel.disputed[:PICTURED_ITEMS]
    views = _views(panel, annotation_set, shown)
    evidence = Evidence()
    parts = [
        sections.disputed(panel, views, shown),
        sections.detection(panel, evidence),
        sections.overlap(panel, evidence),
        truth.shapes(panel, evidence),
        truth.trust(panel),
        sections.classes(panel, evidence),
        sections.questions(panel, evidence),
        sections.gold(panel, evidence),
        sections.labelers(panel, evidence),
        sections.pairs(panel, evidence),
        rest.work(panel),
        rest.planning(panel),
        rest.behind(panel, evidence),
        rest.method(panel),
    ]
    body = format_html_join("\n", "{}", ((part,) for part in parts))
    present = [(anchor, name) for anchor, name in _LINKS if f'<section id="{anchor}">' in body]
    nav = format_html_join("", '<a href="#{}">{}</a>', present)
    return format_html(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, '
        'initial-scale=1"><meta http-equiv="Content-Security-Policy" content="{}"><meta name="referrer" content="no-referrer">'
        "<title>{}</title><style>{}</style></head><body><header><h1>{}</h1>"
        '<p class="sub">Which labels to trust, who disagrees, and what to look at first.</p>{}{}'
        '<nav aria-label="Sections">{}</nav>'
        "</header><main>{}</main><footer>Made by LabelHub. The tables lie beside this file: worklist.csv, agreement.csv, "
        "labelers.csv, pairs.csv, items.csv, scores.csv.</footer></body></html>\n",
        _POLICY, title, SafeString(STYLE), title, _verdict(panel), _cautions(panel), nav, body,
    )  # fmt: skip


def _views(panel: Panel, annotation_set: AnnotationSet, shown: tuple[ItemRow, ...]) -> Mapping[str, tuple[View, ...]]:
    settings = panel.settings
    matching = Matching(settings.match_iou, Reach(settings.reach_px, settings.reach_mm))
    kinds = tuple(tally.kind for tally in panel.source.tallies if tally.is_measured)
    return pictures_of(annotation_set, [row.item for row in shown], matching, panel.source.raters, kinds)


def _cautions(panel: Panel) -> SafeString:
    if not panel.cautions:
        return SafeString("")
    return format_html(
        '<div class="caution" role="note"><strong>Read this first</strong>{}</div>', listing(panel.cautions)
    )


def _verdict(panel: Panel) -> SafeString:
    return format_html(
        '<ol class="verdict">{}</ol>', format_html_join("", "<li>{}</li>", ((sentence,) for sentence in panel.verdict))
    )
