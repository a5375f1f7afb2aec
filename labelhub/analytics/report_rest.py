"""The sections of the report about what to do and how it was made: work list, limits, items behind numbers, method.

Each returns escaped HTML. Not here: the numbers themselves (``report_sections``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labelhub.analytics.report_parts import Cell, Evidence, item_anchor, listing, paragraph, section, table
from labelhub.scoring.panel_rows import Panel

MOST_WORK_ROWS = 30
MOST_ITEM_ROWS = 500
MOST_LINKS = 60


def work(panel: Panel) -> SafeString:
    """The first rows of the work list."""
    rows: list[list[Cell]] = [
        [
            format_html('<a href="#{}">{}</a>', item_anchor(row.item), row.source_id),
            row.action,
            row.whom,
            "unknown" if math.isnan(row.expected_gain) else f"{row.expected_gain:.2f}",
            row.reason,
        ]
        for row in panel.worklist[:MOST_WORK_ROWS]
    ]
    if not rows:
        return section(
            "work", "What to do next", paragraph("Nothing: no item is read once only, and none is disputed.")
        )
    note = (
        f"The first {len(rows)} of {len(panel.worklist)} rows of worklist.csv. Expected gain counts labels: for each object "
        "and answer, the share of readers who said otherwise than most is taken as the chance that the label is wrong."
    )
    head = ("Item", "Action", "Whom", "Expected gain (labels)", "Reason")
    return section("work", "What to do next", paragraph(note), table("Work list", head, rows, numeric=(3,), wide=(4,)))


def planning(panel: Panel) -> SafeString:
    """What cannot be concluded, and what would change that."""
    return section(
        "planning",
        "What cannot be concluded",
        listing(panel.planning.cannot)
        if panel.planning.cannot
        else paragraph("Every number above has two readers behind it."),
        paragraph(panel.planning.sentence),
    )


def behind(panel: Panel, evidence: Evidence) -> SafeString:
    """Every item, and the items behind each number."""
    ranked = sorted(panel.items, key=lambda row: (-row.disagreement, row.source_id))
    names = {row.item: row.source_id for row in panel.items}
    order = {row.item: place for place, row in enumerate(ranked)}
    rows: list[list[Cell]] = [
        [
            format_html('<span id="{}">{}</span>', item_anchor(row.item), row.source_id),
            row.n_readers,
            f"{row.disagreement:.2f}" if row.n_readers > 1 else "–",
            f"{row.expected_gain:.2f}",
            row.reason,
        ]
        for row in ranked[:MOST_ITEM_ROWS]
    ]
    head = ("Item", "Readers", "Disagreement", "Expected gain", "Why")
    shown = {row.item for row in ranked[:MOST_ITEM_ROWS]}
    more = len(panel.items) - len(rows)
    note = [paragraph(f"{more} further items are in items.csv.")] if more > 0 else []
    lists = [_behind_list(key, items, evidence, order, names, shown) for items, key in evidence.lists.items()]
    return section(
        "items",
        "Items, and the items behind each number",
        table("Items, most disputed first", head, rows, (1, 2, 3), (4,)),
        *note,
        *lists,
    )


def method(panel: Panel) -> SafeString:
    """How the numbers were made, what the source says of itself, and what could not be read."""
    source, settings = panel.source, panel.settings
    kinds = [f"{tally.kind}: {tally.n_readings} reads of {tally.n_items} items" for tally in source.tallies]
    matched = sorted({f"{row.label}: {row.matched_by}" for row in panel.detection})
    facts = [
        (
            "Source",
            f"{source.format}; {source.n_items} of {source.n_items_in_source} {source.unit} have a measured reading.",
        ),
        ("Reads measured", f"{source.n_readings} {source.kind}; first versions only."),
        ("Read kinds in the source", ", ".join(kinds) or "none"),
        ("Empty reads", source.empty_rule or "The source has no rule."),
        (
            "Intervals",
            f"95 %, resampling {source.group_unit} ({source.n_groups}) {settings.n_resamples} times, never marks or pixels; "
            f"seed {settings.seed}.",
        ),
        ("Same object", "; ".join(matched) or "no shapes"),
        (
            "HD95",
            "The larger of the two directed 95th percentiles of surface distances; mm only where spacing is known.",
        ),
        ("Version", f"panel {settings.version}"),
    ]
    items = format_html_join("", "<dt>{}</dt><dd>{}</dd>", facts)
    problems = [f"{place}: {message} {remedy}" for place, message, remedy in source.problems[:100]]
    losses = [f"{count} {what}: {why}." for what, count, why in source.losses]
    parts = [format_html("<dl>{}</dl>", items), listing(source.notes)]
    if problems:
        parts += [format_html("<h3>{} problems in the input</h3>", len(source.problems)), listing(problems)]
    if losses:
        parts += [SafeString("<h3>What was not kept</h3>"), listing(losses)]
    if panel.copies:
        listed = [
            f"{row.first} and {row.second}: {row.n_identical} of {row.n_compared} outlines equal to the last vertex"
            for row in panel.copies
        ]
        parts += [SafeString("<h3>Identical outlines</h3>"), listing(listed)]
    return section("method", "How this was made", *parts)


def _behind_list(
    key: int,
    items: tuple[str, ...],
    evidence: Evidence,
    order: Mapping[str, int],
    names: Mapping[str, str],
    shown: set[str],
) -> SafeString:
    ranked = sorted(items, key=lambda item: order.get(item, len(order)))[:MOST_LINKS]
    links = format_html_join(
        "", "<div>{}</div>", ((_link(item, names[item], is_shown=item in shown),) for item in ranked)
    )
    more = (
        format_html("<p>and {} more, in items.csv</p>", len(items) - len(ranked))
        if len(items) > len(ranked)
        else SafeString("")
    )
    title = "; ".join(evidence.names[key][:4]) + (
        f" and {len(evidence.names[key]) - 4} more" if len(evidence.names[key]) > 4 else ""
    )
    return format_html(
        '<details id="behind-{}"><summary>{} items behind: {}</summary><div class="behind">{}</div>{}</details>',
        key,
        len(items),
        title,
        links,
        more,
    )


def _link(item: str, name: str, *, is_shown: bool) -> Cell:
    return format_html('<a href="#{}">{}</a>', item_anchor(item), name) if is_shown else name
