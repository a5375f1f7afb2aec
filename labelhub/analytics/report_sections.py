"""The sections of the report that show agreement: disputes, objects, answers, readers, gold.

Each takes the panel and returns escaped HTML, or nothing where there is nothing to say. The rest is in ``report_rest``.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labelhub.analytics.pictures import View, legend
from labelhub.analytics.report_parts import (
    Cell,
    Evidence,
    interval_plot,
    item_anchor,
    listing,
    number,
    paragraph,
    section,
    table,
)
from labelhub.scoring.panel_rows import DetectionRow, ItemRow, Measured, Panel

NOTHING = SafeString("")
MOST_MATRIX = 24
_DETECTION_HEAD = (
    "Label",
    "Agreement, pooled",
    "",
    "Mean over pairs of readers",
    "Objects",
    "Marks",
    "Reads without any",
    "Agreement on “none”",
)


def disputed(panel: Panel, views: Mapping[str, tuple[View, ...]], shown: tuple[ItemRow, ...]) -> SafeString:
    """The most disputed items with drawings of what each reader marked."""
    if not shown:
        return section("disputed", "Most disputed", paragraph("No two readers of one item differ."))
    cards = format_html_join("", "{}", ((_card(row, views.get(row.item, ())),) for row in shown))
    keys = legend(panel.source.raters[:12]) if any(views.values()) else NOTHING
    note = (
        "Disagreement runs from 0 to 1: one minus the mean similarity of two readers of the item. Outlines carry their "
        "reader's number. Reader numbers mean nothing from one item to the next."
        if not panel.source.are_raters_known
        else "Disagreement runs from 0 to 1: one minus the mean similarity of two readers of the item. "
        "Outlines carry their reader's number."
    )
    return section(
        "disputed", "Most disputed", paragraph(note, "small"), keys, format_html('<div class="cards">{}</div>', cards)
    )


def detection(panel: Panel, evidence: Evidence) -> SafeString:
    """Agreement that an object is there, label by label."""
    if not panel.detection:
        return NOTHING
    rows = [_detection_cells(evidence, row) for row in panel.detection]
    note = (
        "If one reader marks an object, this is how likely another reader of the same item marks it too (positive specific "
        "agreement; 1 is always). What nobody marked cannot be counted, so no coefficient corrected for chance is given."
    )
    main = table(
        f"Detection by label; intervals resample {panel.source.group_unit}",
        _DETECTION_HEAD,
        rows,
        numeric=(4, 5),
    )
    found = format_html_join("", "{}", ((_found_by(evidence, row),) for row in panel.detection if row.found_by))
    return section("detection", "Do readers find the same objects?", paragraph(note), main, found, _sensitivity(panel))


def overlap(panel: Panel, evidence: Evidence) -> SafeString:
    """How alike the outlines are, label by label."""
    if not panel.overlap:
        return NOTHING
    rows = []
    for row in panel.overlap:
        lengths = format_html_join(SafeString("<br>"), "{} {}", ((number(evidence, m, 1), _unit(m)) for m in row.hd95))
        rows.append(
            [
                row.label,
                number(evidence, row.dice),
                interval_plot(row.dice.estimate),
                number(evidence, row.iou),
                lengths or "–",
                number(evidence, row.volume_difference),
                number(evidence, row.whole_dice),
                number(evidence, row.both_empty),
            ]
        )
    note = (
        "Objects that both readers marked, compared pair by pair. “All marks together” also counts an object that one "
        "reader missed; pairs of readers who both marked nothing are left out of it and counted in the last column."
    )
    head = ("Label", "Dice", "", "IoU", "HD95", "Size difference", "Dice, all marks together", "Pairs both empty")
    thin = [
        f"{row.n_without_area} outlines of {row.label} enclose no pixel; they are matched by place and have no overlap."
        for row in panel.overlap
        if row.n_without_area
    ]
    methods = [f"{measured.name}." for row in panel.overlap for measured in row.hd95]
    return section(
        "overlap",
        "Do they draw them alike?",
        paragraph(note),
        table("Pairwise overlap by label", head, rows),
        listing([*methods, *thin]),
    )


def questions(panel: Panel, evidence: Evidence) -> SafeString:
    """Alpha, raw agreement and AC of every question."""
    if not panel.questions:
        return NOTHING
    rows = []
    for row in panel.questions:
        warning = (
            format_html('<span class="warn">⚠ {}</span>', row.prevalence_warning) if row.prevalence_warning else ""
        )
        counts = ", ".join(f"{name}: {count}" for name, count in row.counts[:12]) or "measured values"
        rows.append(
            [
                row.question,
                row.measure,
                number(evidence, row.alpha),
                interval_plot(row.alpha.estimate, -0.2),
                number(evidence, row.raw),
                number(evidence, row.gwet),
                format_html("{} {}", counts, warning),
            ]
        )
    note = (
        "Krippendorff's alpha: 1 is perfect, 0 is what chance gives, negative is systematic disagreement. Raw agreement is "
        "the share of equal answers. Gwet's AC stays high where one answer prevails; where it and alpha differ by more "
        "than 0.2, look at both. The word below a coefficient is the best that can be claimed of it with probability .95; it "
        "says what it means where you point at it or focus it."
    )
    head = ("Question", "Scale", "Alpha", "−0.2 … 1", "Raw agreement", "Gwet's AC", "Answers given")
    caption = f"Agreement on questions; intervals resample {panel.source.group_unit}"
    return section("questions", "Do they answer alike?", paragraph(note), table(caption, head, rows, wide=(6,)))


def classes(panel: Panel, evidence: Evidence) -> SafeString:
    """Which classes are taken for one another."""
    if panel.classes is None:
        return NOTHING
    row = panel.classes
    lines: list[list[Cell]] = [
        [label, *(format_html("{}", count) for count in counts)]
        for label, counts in zip(row.labels, row.confusion, strict=True)
    ]
    note = "Objects are matched by place whatever their class; then classes are compared."
    facts = format_html(
        "<p>Same class where both marked: {} · alpha with “not marked” as a class of its own: {}</p>",
        number(evidence, row.raw),
        number(evidence, row.alpha),
    )
    if len(row.labels) > MOST_MATRIX:
        return section("classes", "Do they name them alike?", paragraph(note), facts)
    grid = table(
        "One reader's class (rows) against another's (columns), counts of pairs",
        ("", *row.labels),
        lines,
        numeric=tuple(range(1, len(row.labels) + 1)),
    )
    return section("classes", "Do they name them alike?", paragraph(note), facts, grid)


def labelers(panel: Panel, evidence: Evidence) -> SafeString:
    """Each reader, or why there is no such table."""
    if not panel.source.are_raters_known:
        text = (
            f"No table by reader: the source's reader numbers mean nothing from one {panel.source.unit.removesuffix('s')} "
            "to the next, so any such table would mix different people."
        )
        return section("labelers", "Readers", paragraph(text))
    names = list(dict.fromkeys(m.name for row in panel.labelers for m in (*row.agreement, *row.gold)))
    head = ("Reader", "Reads", "Shared", *names, "Notes")
    rows: list[list[Cell]] = []
    for row in panel.labelers:
        known = {measured.name: measured for measured in (*row.agreement, *row.gold)}
        cells: list[Cell] = [number(evidence, known[name]) if name in known else "–" for name in names]
        rows.append([row.rater, row.n_readings, row.n_shared, *cells, "; ".join([*row.notes, *row.confusions])])
    note = (
        "By name, not by rank. Each reader is compared with all others, never with themselves. Grey and italic: fewer than "
        f"{panel.settings.min_items} units ({panel.settings.min_gold} against gold), or an interval wider than 0.2. "
        "Sizes above 0 mean larger than the others."
    )
    wide = (len(head) - 1,)
    return section(
        "labelers", "Readers", paragraph(note), table("Each reader against the others", head, rows, (1, 2), wide)
    )


def pairs(panel: Panel, evidence: Evidence) -> SafeString:
    """The matrix of pairs of readers for each measure; nothing where readers cannot be told apart."""
    if not panel.source.are_raters_known or not panel.pairs:
        return NOTHING
    names = panel.source.raters
    if len(names) > MOST_MATRIX:
        text = f"{len(names)} readers: the matrix is in pairs.csv."
        return section("pairs", "Pairs of readers", paragraph(text))
    tables = []
    for about in dict.fromkeys(row.about for row in panel.pairs):
        known = {(row.first, row.second): row.measured for row in panel.pairs if row.about == about}
        lines: list[list[Cell]] = []
        for first in names:
            cells: list[Cell] = [first]
            for second in names:
                measured = known.get((first, second)) or known.get((second, first))
                cells.append(number(evidence, measured) if measured is not None else "–" if first != second else "")
            lines.append(cells)
        tables.append(table(about, ("", *names), lines))
    return section("pairs", "Pairs of readers", *tables)


def gold(panel: Panel, evidence: Evidence) -> SafeString:
    """All readers together against gold."""
    if panel.gold is None:
        return NOTHING
    rows: list[list[Cell]] = [[m.name, number(evidence, m), interval_plot(m.estimate)] for m in panel.gold.numbers]
    text = (
        f"{panel.gold.n_items} items have gold. Here all readers together; each reader's numbers stand with the reader."
    )
    return section(
        "gold",
        "Against gold",
        paragraph(text),
        table("Accuracy against gold", ("", "Value", ""), rows),
        listing(panel.gold.notes),
    )


def _card(row: ItemRow, views: tuple[View, ...]) -> SafeString:
    figures = format_html_join(
        "", "<figure>{}<figcaption>{}</figcaption></figure>", ((v.svg, v.caption) for v in views)
    )
    return format_html(
        '<article class="card"><h3><a href="#{}">{}</a></h3><p class="small">disagreement {} among {} readers, '
        'expected gain {} labels: {}</p>{}<div class="views">{}</div></article>',
        item_anchor(row.item),
        row.source_id,
        f"{row.disagreement:.2f}",
        row.n_readers,
        f"{row.expected_gain:.1f}",
        row.reason,
        _parts(row),
        figures,
    )


def _parts(row: ItemRow) -> SafeString:
    """In what the readers of an item differ, each line with its meaning."""
    facts = row.parts.facts()
    lines = format_html_join("", '<dt title="{}">{}</dt><dd>{}</dd>', ((f.definition, f.name, f.value) for f in facts))
    return format_html('<dl class="parts">{}</dl>', lines) if facts else NOTHING


def _detection_cells(evidence: Evidence, row: DetectionRow) -> list[Cell]:
    empty = format_html("{} of {}: {}", row.n_empty_reads, row.n_reads, number(evidence, row.empty_reads))
    return [
        row.label,
        number(evidence, row.agreement),
        interval_plot(row.agreement.estimate),
        number(evidence, row.mean_over_pairs),
        row.n_objects,
        row.n_marks,
        empty,
        number(evidence, row.both_empty),
    ]


def _found_by(evidence: Evidence, row: DetectionRow) -> SafeString:
    lines: list[list[Cell]] = [
        [f"{f.k} of {f.n_readers}", f.count, number(evidence, f.share), interval_plot(f.share.estimate)]
        for f in row.found_by
    ]
    return table(
        f"{row.label}: objects by how many readers marked them", ("Marked by", "Objects", "Share", ""), lines, (1,)
    )


def _sensitivity(panel: Panel) -> SafeString:
    known = [row for row in panel.detection if row.sensitivity]
    if not known:
        return NOTHING
    head = ("Label", *(f"IoU ≥ {threshold:g}" for threshold, _ in known[0].sensitivity))
    lines: list[list[Cell]] = [[row.label, *(f"{value:.2f}" for _, value in row.sensitivity)] for row in known]
    caption = "Does it hang on the overlap that makes two outlines one object? Agreement at other thresholds"
    return table(caption, head, lines, numeric=tuple(range(1, len(head))))


def _unit(measured: Measured) -> str:
    return measured.key.rsplit("-", 1)[-1]
