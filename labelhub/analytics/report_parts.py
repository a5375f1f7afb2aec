"""The small pieces of the report: a number with its interval, a drawn interval, a table. Everything is escaped.

Every number links to the items behind it. Not here: which numbers there are (``report_sections``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labelhub.numerics.results import Estimate
from labelhub.scoring.panel_rows import Measured, figure, interval_in_words
from labelhub.scoring.panel_words import claim_of

Cell = SafeString | str | int


@dataclass(slots=True)
class Evidence:
    """Collects which items stand behind which number while the report is written, one list for equal sets of items."""

    lists: dict[tuple[str, ...], int] = field(default_factory=dict)
    names: dict[int, list[str]] = field(default_factory=dict)

    def anchor(self, measured: Measured) -> str:
        """The fragment that leads to the items behind a number; empty where there are none."""
        if not measured.items:
            return ""
        number = self.lists.setdefault(measured.items, len(self.lists) + 1)
        self.names.setdefault(number, []).append(measured.name)
        return f"#behind-{number}"


def number(evidence: Evidence, measured: Measured, places: int = 2) -> SafeString:
    """A number as ``0.87 [0.82–0.91] n=46`` with its method as title, grey where it rests on too little."""
    estimate = measured.estimate
    title = method_of(estimate)
    if not estimate.is_defined:
        return format_html('<span class="est grey" title="{}">undefined: {}</span>', title, estimate.reason or "")
    rest = f"n={estimate.n}"
    if math.isfinite(estimate.width):
        rest = f"{interval_in_words(estimate, places)} {rest}"
    inner = format_html('<b>{}</b> <span class="rest">{}</span>', figure(estimate.value, places), rest)
    css = "est grey" if measured.is_grey else "est"
    href = evidence.anchor(measured)
    word = claimed(estimate)
    if not href:
        return format_html('<span class="{}" title="{}">{}</span>{}', css, title, inner, word)
    return format_html('<a class="{}" href="{}" title="{}">{}</a>{}', css, href, title, inner, word)


def claimed(estimate: Estimate) -> SafeString:
    """The word that may be claimed of a coefficient that is corrected for chance, on a line of its own; else nothing.

    What it means shows on hover as a title, and on focus or touch below the word: the report holds no script.
    """
    claim = claim_of(estimate)
    if claim is None:
        return SafeString("")
    return format_html(
        '<span class="claim" tabindex="0" title="{0}">{1}<span class="claim-tip" role="note">{0}</span></span>',
        claim.definition, claim.words,
    )  # fmt: skip


def method_of(estimate: Estimate) -> str:
    """Method, version, what was counted and how the interval was made, in one line."""
    parts = [f"{estimate.method} (version {estimate.version})", f"n = {estimate.n} {estimate.unit}"]
    if math.isfinite(estimate.width):
        parts.append(
            f"{estimate.level:.0%} interval: {estimate.interval_method}, {estimate.n_groups} {estimate.group_unit}"
        )
    elif estimate.interval_reason:
        parts.append(f"no interval: {estimate.interval_reason}")
    return "; ".join([*parts, *estimate.warnings])


def interval_plot(estimate: Estimate, low: float = 0.0, high: float = 1.0) -> SafeString:
    """The value and its interval on a scale from ``low`` to ``high``; the same numbers stand beside it."""
    if not estimate.is_defined:
        return SafeString("")
    width, height = 150, 18

    def at(value: float) -> str:
        share = (min(max(value, low), high) - low) / (high - low)
        return f"{5 + share * (width - 10):.1f}"

    whisker = SafeString("")
    if math.isfinite(estimate.width):
        whisker = format_html(
            '<line x1="{}" y1="9" x2="{}" y2="9" stroke="#0a5ca8" stroke-width="3"/>',
            at(estimate.low),
            at(estimate.high),
        )
    return format_html(
        '<svg class="plot" width="{}" height="{}" viewBox="0 0 {} {}" aria-hidden="true">'
        '<line x1="5" y1="9" x2="{}" y2="9" stroke="#d9dde2"/><line x1="{}" y1="3" x2="{}" y2="15" stroke="#868e98"/>{}'
        '<circle cx="{}" cy="9" r="4.5" fill="#0a5ca8"/></svg>',
        width,
        height,
        width,
        height,
        width - 5,
        at(0.0),
        at(0.0),
        whisker,
        at(estimate.value),
    )


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    numeric: Sequence[int] = (),
    wide: Sequence[int] = (),
) -> SafeString:
    """A table that scrolls sideways on small screens; the first cell of a row is its header."""
    heads = format_html_join(
        "", '<th scope="col"{}>{}</th>', ((_css(place, numeric, ()), text) for place, text in enumerate(head))
    )
    lines = format_html_join(
        "",
        "<tr>{}</tr>",
        (
            (
                format_html_join(
                    "",
                    "<{} {}>{}</{}>",
                    (
                        ("th", SafeString('scope="row"'), cell, "th")
                        if place == 0
                        else ("td", _css(place, numeric, wide), cell, "td")
                        for place, cell in enumerate(row)
                    ),
                ),
            )
            for row in rows
        ),
    )
    return format_html(
        '<div class="scroll" tabindex="0" role="region" aria-label="{}"><table><caption>{}</caption><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>",
        caption,
        caption,
        heads,
        lines,
    )


def section(anchor: str, title: str, *parts: SafeString) -> SafeString:
    """A section with its heading."""
    body = format_html_join("", "{}", ((part,) for part in parts))
    return format_html('<section id="{}"><h2>{}</h2>{}</section>', anchor, title, body)


def paragraph(text: str, css: str = "") -> SafeString:
    """A paragraph of escaped text."""
    return format_html('<p class="{}">{}</p>', css, text) if css else format_html("<p>{}</p>", text)


def listing(texts: Iterable[str]) -> SafeString:
    """A list of escaped texts."""
    return format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((text,) for text in texts)))


def item_anchor(item: str) -> str:
    """A fragment that names an item."""
    return "item-" + "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in item)


def _css(place: int, numeric: Sequence[int], wide: Sequence[int]) -> SafeString:
    if place in numeric:
        return SafeString(' class="num"')
    return SafeString(' class="wide"') if place in wide else SafeString("")
