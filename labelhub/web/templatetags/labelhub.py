"""Template tags and filters of the pages: numbers with interval and n, states as icon and word, ages, icons, links.

Not here: any computation of what is shown. Texts from people are always escaped; colours of label classes are drawn as
SVG attributes, because the content security policy allows no inline style.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.http import HttpRequest
from django.template.context import Context
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labelhub.numerics.results import Estimate
from labelhub.projects.models import Project
from labelhub.scoring.panel_words import claim_of
from labelhub.web.case_pictures import OTHER, OWN
from labelhub.web.evidence import number_link
from labelhub.web.modules import import_map
from labelhub.web.prose import prose
from labelhub.web.words import STATES, definition_of, head_of

register = template.Library()
register.filter(prose)

# Fewest units from which a number is shown in full black, where a page does not state its own minimum.
MIN_N = 20
DASH = "–"
# What parts thousands: a thin space that no line breaks at (SI Brochure, 9th edition, 5.4.4).
THIN = "\u202f"


@register.simple_tag
def estimate(
    est: Any, href: str = "", definition: str = "", min_n: int = MIN_N, places: int = 2, unit: str = "", css: str = "",
    versions: Sequence[str] = (),
) -> SafeString:  # fmt: skip
    """Show ``est`` as ``0.87 [0.82–0.91] n=46``: grey below ``min_n``, method on hover and focus, ``href`` behind.

    ``est`` is a panel's Measured, or anything with ``value``, ``low``, ``high``, ``n`` and ``method`` (an Estimate, a
    stored Score); an undefined value shows a dash and its reason. ``places`` are decimals, ``unit`` follows. Where readings
    under several ``versions`` of the rules stand together in it (the number's own, unless given), it says so. Beside a
    coefficient that is corrected for chance stands the word that may be claimed of it.
    """
    measured, est = est, _field(est, "estimate") or est
    value = _field(est, "value")
    n = _field(est, "n") or 0
    is_grey = _field(measured, "is_grey")
    is_grey = n < min_n if is_grey is None else is_grey
    is_defined = _is_number(value)
    classes = " ".join(
        filter(
            None, ["estimate", "" if is_defined else "is-undefined", "is-grey" if is_defined and is_grey else "", css]
        )
    )
    tip = _tip(est, definition or str(_field(measured, "name") or ""), is_grey=bool(is_grey and is_defined))
    inner = format_html('<span class="value">{}{}</span>', _figure(value, places), unit if is_defined else "")
    low, high = _field(est, "low"), _field(est, "high")
    if is_defined and _is_number(low) and _is_number(high):
        between = " to " if low < 0 else DASH
        interval = f"[{_figure(low, places)}{between}{_figure(high, places)}]"
        inner = format_html('{} <span class="interval">{}</span>', inner, interval)
    inner = format_html('{} <span class="n">n={}</span>', inner, n)
    pooled = versions or _field(measured, "versions") or ()
    if len(pooled) > 1 and is_defined:
        inner = format_html('{} <span class="mixed">{} versions</span>', inner, len(pooled))
        tip = f"{tip}\nPools readings under {'; '.join(pooled)}.".strip()
    shown = (
        format_html('<a class="{}" href="{}" data-tip="{}">{}</a>', classes, href, tip, inner)
        if href
        else format_html('<span class="{}" tabindex="0" data-tip="{}">{}</span>', classes, tip, inner)
    )
    word = claimed(est)
    return format_html('<span class="with-word">{} {}</span>', shown, word) if word else shown


@register.simple_tag
def claimed(est: Any) -> SafeString | str:
    """Show the word that may be claimed of an agreement coefficient, with what it means on hover and focus.

    Nothing where ``est`` is not an ``Estimate`` of a coefficient that is corrected for chance.
    """
    est = _field(est, "estimate") or est
    claim = claim_of(est) if isinstance(est, Estimate) else None
    if claim is None:
        return ""
    css = "claim" if claim.is_claimed else "claim is-none"
    return format_html('<span class="{}" tabindex="0" data-tip="{}">{}</span>', css, claim.definition, claim.words)


@register.simple_tag
def number_href(project: Project, measured: Any) -> str:
    """Return the list of the items behind a panel's number; empty where it has none."""
    return number_link(project, measured.key) if measured.items else ""


@register.simple_tag
def interval_bar(measured: Any) -> SafeString | str:
    """Draw value and interval on a line with zero marked: from -0.2 to 1 (agreement below chance), sizes from -1 to 1."""
    est = _field(measured, "estimate") or measured
    value = _field(est, "value")
    if not _is_number(value):
        return ""

    name = str(_field(measured, "name"))
    is_signed = "size against" in name or "change per" in name
    low, high = (-1.0 if is_signed else -0.2), 1.0

    def place(number: float) -> str:
        return f"{min(max((number - low) / (high - low), 0.0), 1.0) * 100:.1f}%"

    ends = [_field(est, "low"), _field(est, "high")]
    start, end = (place(number if _is_number(number) else value) for number in ends)
    return format_html(
        '<svg class="chart interval-bar{}" aria-hidden="true"><line class="grid" x1="0" x2="100%" y1="8" y2="8"/>'
        '<line class="axis" x1="{}" x2="{}" y1="3" y2="13"/>'
        '<line class="whisker" x1="{}" x2="{}" y1="8" y2="8"/><circle class="dot" cx="{}" cy="8" r="4"/></svg>',
        " is-grey" if _field(measured, "is_grey") else "", place(0.0), place(0.0), start, end, place(value),
    )  # fmt: skip


@register.simple_tag
def state(value: str) -> SafeString:
    """Show a state (of an item, assignment, route, job …) as icon and word."""
    name, word, tone = STATES.get(str(value), ("dot", str(value).replace("-", " ").capitalize() or DASH, ""))
    return format_html('<span class="state {}">{}{}</span>', tone, icon(name), word)


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw one icon of the page's sprite; the word beside it carries the meaning."""
    return format_html('<svg class="icon" aria-hidden="true" focusable="false"><use href="#i-{}"/></svg>', name)


@register.simple_tag
def swatch(colour: str) -> SafeString:
    """Draw a label class's colour, beside its name."""
    safe = colour if re.fullmatch(r"#[0-9a-fA-F]{6}", str(colour)) else "#808080"
    return format_html(
        '<svg class="swatch" viewBox="0 0 12 12" aria-hidden="true"><rect width="12" height="12" fill="{}"/></svg>',
        safe,
    )


@register.simple_tag
def line_sample(whose: str) -> SafeString:
    """Draw the line by which the pictures of cases show the labeler (``own``), or what they are compared with."""
    colour = OWN if whose == "own" else OTHER
    return format_html(
        '<svg class="line-sample" viewBox="0 0 28 10" aria-hidden="true"><rect width="28" height="10" rx="2" fill="#101214"/>'
        '<line x1="3" x2="25" y1="5" y2="5" stroke="rgb{}" stroke-width="3" stroke-dasharray="{}"/></svg>',
        str(colour), "6 4" if whose == "other" else "none",
    )  # fmt: skip


@register.filter
def metric_head(name: str) -> str:
    """The short word for a number of single labelers that heads its column."""
    return head_of(name)


@register.filter
def metric_definition(name: str) -> str:
    """What that number says, with its full name."""
    return f"{name}\n{definition_of(name)}".strip()


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """How long ago, in one unit, with the exact time behind it."""
    if at is None:
        return DASH
    return format_html(
        '<time datetime="{}" title="{} UTC" class="nowrap">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M}", _age(at)
    )


@register.filter
def seconds(value: float | None) -> str:
    """A length of time in the unit a person would use."""
    if value is None or math.isnan(value):
        return DASH
    if value < 90:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.1f} h"


@register.filter
def size(value: int | None) -> str:
    """Bytes in the unit a person would use."""
    amount = float(value or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


@register.filter
def figure(value: Any, places: int = 2) -> str:
    """A bare number from a record; numbers with an interval go through ``estimate``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", THIN)
    return _figure(value, places) if value is None or isinstance(value, float) else str(value)


@register.filter
def sort_value(value: float | None) -> str:
    """A number as a table sorts by it; empty where it is not defined, which comes last either way."""
    return "" if not _is_number(value) else repr(float(value or 0))


@register.filter
def percent(value: float | None, places: int | None = None) -> str:
    """A share in per cent: one decimal below 10 %, and never 0 or 100 where it is not; with ``places`` always so many."""
    if not _is_number(value) or value is None:
        return DASH
    if places is not None:
        return f"{value:.{places}%}"
    if 0 < value < 0.001:
        return "<0.1%"
    if 0.999 < value < 1:
        return ">99.9%"
    if value in (0, 1):
        return f"{value:.0%}"
    return f"{value:.1%}" if value < 0.0995 or value > 0.9 else f"{value:.0%}"


@register.filter
def played_percent(value: float | None, n: int | None) -> str:
    """A share of ``n`` trials in per cent: where it never or always happened, what it is below or above (rule of three)."""
    if value in (0, 1) and n:
        bound = max(0.001, math.ceil(3000 / n) / 1000)
        return f"<{bound:.1%}" if value == 0 else f">{1 - bound:.1%}"
    return percent(value)


@register.filter
def words(value: str) -> str:
    """A key as words: ``mean_agreement`` and ``more-readers`` for people."""
    return str(value).replace("_", " ").replace("-", " ").replace(".", " ")


@register.filter
def entry(mapping: Mapping[Any, Any] | None, key: Any) -> Any:
    """Look ``key`` up; nothing where it is missing."""
    return (mapping or {}).get(key, "")


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """Return this address's query with ``changes`` (empty removes); a page keeps its filters when it sorts or turns."""
    request: HttpRequest = context["request"]
    parameters = request.GET.copy()
    for name, value in changes.items():
        parameters.pop(name, None)
        if value not in ("", None):
            parameters[name] = str(value)
    return "?" + parameters.urlencode()


@register.simple_tag(takes_context=True)
def team_kept(context: Context, start: str = "?") -> str:
    """Return what an address ends with so that the page behind it shows the team that this one shows; empty where all are."""
    asked = context["request"].GET.get("team", "")
    return f"{start}team={asked}" if asked.isascii() and asked.isdigit() else ""


@register.simple_tag(takes_context=True)
def csv_link(context: Context, label: str = "CSV") -> SafeString:
    """Link to this table, with its filters, as a file."""
    href = query(context, format="csv", after="", before="")
    return format_html('<a class="button is-quiet" href="{}" download>{}{}</a>', href, icon("download"), label)


@register.simple_tag(takes_context=True)
def nav_link(context: Context, name: str, label: str, picture: str, also: str = "") -> SafeString | str:
    """Link of the side list; marked where it or one of ``also`` is open; nothing where no page has the name."""
    try:
        href = reverse(name, args=[context["project"].slug])
    except NoReverseMatch:
        return ""
    href += team_kept(context)
    match = getattr(context["request"], "resolver_match", None)
    is_here = match is not None and match.url_name in {name, *also.split()}
    current = SafeString(' aria-current="page"') if is_here else ""
    return format_html('<a href="{}"{}>{}<span>{}</span></a>', href, current, icon(picture), label)


@register.simple_tag(takes_context=True)
def sort_header(context: Context, key: str, label: str, css: str = "") -> SafeString:
    """A column's header that sorts on the server: a click sorts, a second click turns round."""
    current = context["request"].GET.get("sort") or context.get("default_sort", "")
    is_up, is_down = current == key, current == f"-{key}"
    aria = "ascending" if is_up else "descending" if is_down else "none"
    href = query(context, sort=f"-{key}" if is_up else key, after="")
    return format_html(
        '<th scope="col" class="{}" aria-sort="{}"><a class="sort" href="{}">{}</a></th>', css, aria, href, label
    )


@register.simple_tag(takes_context=True)
def import_map_script(context: Context) -> SafeString:
    """The import map of our own modules, allowed by this response's nonce."""
    return format_html(
        '<script type="importmap" nonce="{}">{}</script>', context.get("csp_nonce", ""), import_map(static)
    )


def _tip(est: Any, definition: str, *, is_grey: bool) -> str:
    """What hover and focus show: name and definition, method, what n counts, and doubts."""
    method = str(_field(est, "method") or "")
    lines = [definition, definition_of(f"{definition} {_field(est, 'metric') or ''} {method}")]
    if not _is_number(_field(est, "value")):
        lines = [f"Not defined: {_field(est, 'reason') or 'no value was computed'}."]
    if method:
        interval_method = _field(est, "interval_method")
        level = _field(est, "level") or 0.95
        lines.append(f"Method: {method}" + (f"; {level:.0%} interval by {interval_method}" if interval_method else ""))
    n_groups = _field(est, "n_groups")
    counts = f"n counts {_field(est, 'unit') or 'items'}"
    lines.append(f"{counts}; {n_groups} {_field(est, 'group_unit')} taken as independent" if n_groups else counts)
    if is_grey:
        lines.append("Grey: too few, or too uncertain, to act on.")
    lines.extend(_field(est, "warnings") or ())
    return "\n".join(line for line in lines if line)


def _field(est: Any, name: str) -> Any:
    return est.get(name) if isinstance(est, Mapping) else getattr(est, name, None)


def _is_number(value: Any) -> bool:
    return value is not None and not math.isnan(value)


def _figure(value: Any, places: int) -> str:
    if not _is_number(value):
        return DASH
    rounded = round(float(value), places)
    return f"{rounded or 0.0:,.{places}f}".replace("-", "\u2212").replace(",", THIN)


def _age(at: datetime) -> str:
    past = (timezone.now() - at).total_seconds()
    if past < 60:
        return "just now" if past >= -60 else f"{at:%Y-%m-%d %H:%M}"
    for limit, unit_s, unit in ((3600, 60, "min"), (86_400, 3600, "h"), (30 * 86_400, 86_400, "d")):
        if past < limit:
            return f"{past // unit_s:.0f} {unit} ago"
    return f"{at:%Y-%m-%d}"


@register.simple_tag
def fresh_id() -> str:
    """A number for a form, so that it is stored once however often it is sent."""
    return str(uuid.uuid4())


@register.filter
def unlocalised(value: float | None) -> str:
    """A number as JSON writes it."""
    return "null" if value is None else repr(float(value))
