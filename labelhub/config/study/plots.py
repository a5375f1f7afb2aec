"""Line plots with intervals and maps with contour lines, as SVG that a page holds by itself.

Series differ in stroke as well as in colour. Not here: any number; the tables beside the plots hold the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from skimage.measure import find_contours

from labelhub.numerics.results import FloatArray

# Where a column and a row of a map are drawn.
Place: TypeAlias = Callable[[float, float], tuple[float, float]]

# Okabe and Ito's colours that show on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#6b7280", "#7a3b1e")
DASHES = ("none", "7 3", "2 3", "9 3 2 3", "5 2", "1 3", "12 4", "3 1", "1 2 6 2")
WIDTH, HEIGHT = 800, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 244, 14, 46


@dataclass(frozen=True, slots=True)
class Series:
    """One line: ``x``, ``y``, and an interval around ``y`` where there is one."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows and how: from ``least`` to ``most``, by its logarithm if ``is_log``."""

    label: str
    least: float
    most: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Where a value lies, 0 to 1."""
        low, high, own = (math.log10(v) if self.is_log else v for v in (self.least, self.most, value))
        return min(max((own - low) / (high - low), -0.02), 1.02)

    def ticks(self) -> list[float]:
        """Round values to print."""
        if self.is_log:
            powers = range(math.floor(math.log10(self.least)), math.ceil(math.log10(self.most)) + 1)
            found = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        else:
            rough = (self.most - self.least) / 5
            power = 10.0 ** math.floor(math.log10(rough))
            step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda one: abs(one - rough))
            found = [step * number for number in range(math.floor(self.least / step), math.ceil(self.most / step) + 1)]
        slack = 1e-9 * abs(self.most - self.least)
        return [tick for tick in found if self.least - slack <= tick <= self.most + slack]


def axis_over(label: str, values: Sequence[float], *, is_log: bool = False) -> Axis:
    """An axis that holds all these values with a little room."""
    known = [value for value in values if math.isfinite(value) and (value > 0 or not is_log)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if high <= low:
        low, high = (low / 2, high * 2) if is_log else (low - 0.5, high + 0.5)
    room = 0.0 if is_log else 0.04 * (high - low)
    return Axis(label, low - room, high + room, is_log)


def line_plot(
    series: Sequence[Series], x: Axis, y: Axis, *, marks: Sequence[tuple[float, str]] = (), title: str = ""
) -> SafeString:
    """Lines over ``x``, with whiskers where there are intervals, and dotted horizontal lines at named values."""
    lines = format_html_join("", "{}", ((_line(one, place, x, y),) for place, one in enumerate(series)))
    levels = format_html_join(
        "",
        '<line x1="{0}" y1="{1}" x2="{2}" y2="{1}" stroke="#855300" stroke-dasharray="2 3"/>'
        '<text x="{2}" y="{3}" font-size="11" fill="#855300" text-anchor="end">{4}</text>',
        ((_LEFT, _y(y, value), WIDTH - _RIGHT, f"{float(_y(y, value)) - 4:.1f}", name) for value, name in marks),
    )
    legend = format_html_join(
        "",
        '<g><line x1="{}" y1="{}" x2="{}" y2="{}" stroke="{}" stroke-width="2" stroke-dasharray="{}"/>'
        '<text x="{}" y="{}" font-size="12" fill="#1a1e23">{}</text></g>',
        (
            (WIDTH - _RIGHT + 14, _TOP + 9 + 18 * place, WIDTH - _RIGHT + 42, _TOP + 9 + 18 * place,
             COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)],
             WIDTH - _RIGHT + 48, _TOP + 13 + 18 * place, one.name)
            for place, one in enumerate(series)
        ),
    )  # fmt: skip
    return _framed(format_html("{}{}{}{}", _axes(x, y), levels, lines, legend), title)


def contour_map(
    values: FloatArray, x: Sequence[float], y: Sequence[float], *, x_label: str, y_label: str, levels: Sequence[float],
    points: Sequence[tuple[float, float, str]] = (), form: str = "{:.3f}", title: str = "",
) -> SafeString:  # fmt: skip
    """A map of ``values[y, x]`` with its numbers in the cells, lines of equal value, and named points.

    Columns and rows stand at even distances, whatever their values; between them positions are taken by the logarithm of
    ``x`` and evenly in ``y``.
    """
    n_rows, n_columns = values.shape
    wide, tall = (WIDTH - _LEFT - 30) / n_columns, max(26.0, 300 / n_rows)
    height = _TOP + tall * n_rows + _BOTTOM
    low, high = float(np.nanmin(values)), float(np.nanmax(values))

    def place(column: float, row: float) -> tuple[float, float]:
        return _LEFT + (column + 0.5) * wide, _TOP + (n_rows - 0.5 - row) * tall

    cells = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}" fill="{}"/><text x="{}" y="{}" font-size="11" text-anchor="middle" '
        'fill="{}">{}</text>',
        (_cell(values[r, c], place(c, r), (wide, tall), (low, high), form) for r in range(n_rows) for c in range(n_columns)),
    )  # fmt: skip
    lines = format_html_join("", "{}", ((_contour(values, level, place, form),) for level in levels))
    named = format_html_join(
        "",
        '<circle cx="{}" cy="{}" r="6" fill="none" stroke="#d55e00" stroke-width="3"/>'
        '<text x="{}" y="{}" font-size="12" font-weight="700" fill="#d55e00" stroke="#fff" stroke-width="3" '
        'paint-order="stroke">{}</text>',
        (_point(point, x, y, place) for point in points),
    )
    heads = format_html_join(
        "", '<text x="{}" y="{}" font-size="11" text-anchor="middle" fill="#545c66">{}</text>',
        ((f"{place(c, 0)[0]:.1f}", f"{_TOP + tall * n_rows + 16:.1f}", f"{value:,.0f}") for c, value in enumerate(x)),
    ) + format_html_join(
        "", '<text x="{}" y="{}" font-size="11" text-anchor="end" fill="#545c66">{}</text>',
        ((_LEFT - 8, f"{place(0, r)[1] + 4:.1f}", f"{value:g}") for r, value in enumerate(y)),
    )  # fmt: skip
    words = _axis_words(x_label, y_label, WIDTH - 30, height)
    return _framed(format_html("{}{}{}{}{}", cells, lines, named, heads, words), title, height)


def _line(one: Series, number: int, x: Axis, y: Axis) -> SafeString:
    colour = COLOURS[number % len(COLOURS)]
    known = [(a, b) for a, b in zip(one.x, one.y, strict=True) if math.isfinite(a) and math.isfinite(b)]
    points = " ".join(f"{_x(x, a)},{_y(y, b)}" for a, b in known)
    whiskers = format_html_join(
        "",
        '<line x1="{0}" y1="{1}" x2="{0}" y2="{2}" stroke="{3}" stroke-width="1" opacity=".55"/>',
        (
            (_x(x, a), _y(y, low), _y(y, high), colour)
            for a, low, high in zip(one.x, one.low, one.high, strict=False)
            if math.isfinite(low) and math.isfinite(high)
        ),
    )
    dots = format_html_join(
        "", '<circle cx="{}" cy="{}" r="2.6" fill="{}"/>', ((_x(x, a), _y(y, b), colour) for a, b in known)
    )
    return format_html(
        '{}<polyline points="{}" fill="none" stroke="{}" stroke-width="2" stroke-dasharray="{}"/>{}',
        whiskers, points, colour, DASHES[number % len(DASHES)], dots,
    )  # fmt: skip


def _axes(x: Axis, y: Axis) -> SafeString:
    bottom = HEIGHT - _BOTTOM
    across = format_html_join(
        "",
        '<line x1="{0}" y1="{1}" x2="{2}" y2="{1}" stroke="#e6e9ec"/>'
        '<text x="{3}" y="{4}" font-size="11" text-anchor="end" fill="#545c66">{5}</text>',
        (
            (_LEFT, _y(y, tick), WIDTH - _RIGHT, _LEFT - 6, f"{float(_y(y, tick)) + 4:.1f}", f"{tick:g}")
            for tick in y.ticks()
        ),
    )
    down = format_html_join(
        "",
        '<line x1="{0}" y1="{1}" x2="{0}" y2="{2}" stroke="#e6e9ec"/>'
        '<text x="{0}" y="{3}" font-size="11" text-anchor="middle" fill="#545c66">{4}</text>',
        ((_x(x, tick), _TOP, bottom, bottom + 16, f"{tick:g}") for tick in x.ticks()),
    )
    return format_html("{}{}{}", across, down, _axis_words(x.label, y.label, WIDTH - _RIGHT, HEIGHT))


def _axis_words(x_label: str, y_label: str, right: float, height: float) -> SafeString:
    middle = (_TOP + height - _BOTTOM) / 2
    return format_html(
        '<text x="{0}" y="{1}" font-size="12" text-anchor="middle" fill="#1a1e23">{2}</text>'
        '<text x="14" y="{3}" font-size="12" text-anchor="middle" fill="#1a1e23" transform="rotate(-90 14 {3})">{4}</text>',
        f"{(_LEFT + right) / 2:.1f}", f"{height - 8:.1f}", x_label, f"{middle:.1f}", y_label,
    )  # fmt: skip


def _framed(inner: SafeString, title: str, height: float = HEIGHT) -> SafeString:
    return format_html(
        '<svg class="plot" role="img" aria-label="{}" viewBox="0 0 {} {}" width="100%" style="max-width:{}px">{}</svg>',
        title, WIDTH, f"{height:.0f}", WIDTH, inner,
    )  # fmt: skip


def _cell(
    value: float, middle: tuple[float, float], size: tuple[float, float], span: tuple[float, float], form: str
) -> tuple[str, ...]:
    share = (value - span[0]) / (span[1] - span[0]) if span[1] > span[0] and math.isfinite(value) else 0.0
    # From near white to the accent colour; figures turn white where the ground is dark.
    red, green, blue = (round(start + share * (end - start)) for start, end in ((246, 10), (247, 92), (248, 168)))
    corner = middle[0] - size[0] / 2, middle[1] - size[1] / 2
    words = form.format(value) if math.isfinite(value) else ""
    return (
        f"{corner[0]:.1f}", f"{corner[1]:.1f}", f"{size[0]:.1f}", f"{size[1]:.1f}", f"rgb({red},{green},{blue})",
        f"{middle[0]:.1f}", f"{middle[1] + 4:.1f}", "#fff" if share > 0.55 else "#1a1e23", words,
    )  # fmt: skip


def _contour(values: FloatArray, level: float, place: Place, form: str) -> SafeString:
    found = find_contours(values, level) if min(values.shape) > 1 else []
    lines = [[place(float(column), float(row)) for row, column in line] for line in found]
    return format_html_join(
        "",
        '<polyline points="{}" fill="none" stroke="#d55e00" stroke-width="1.6" stroke-dasharray="5 3"/>'
        '<text x="{}" y="{}" font-size="11" fill="#d55e00" stroke="#fff" stroke-width="3" paint-order="stroke">{}</text>',
        (
            (" ".join(f"{x:.1f},{y:.1f}" for x, y in line), f"{max(line)[0] + 6:.1f}", f"{max(line)[1] + 16:.1f}",
             form.format(level))
            for line in lines
        ),
    )  # fmt: skip


def _point(point: tuple[float, float, str], x: Sequence[float], y: Sequence[float], place: Place) -> tuple[str, ...]:
    column = float(np.interp(math.log(point[0]), np.log(x), np.arange(len(x))))
    row = float(np.interp(point[1], y, np.arange(len(y))))
    at = place(column, row)
    return f"{at[0]:.1f}", f"{at[1]:.1f}", f"{at[0] + 10:.1f}", f"{at[1] - 8:.1f}", point[2]


def _x(axis: Axis, value: float) -> str:
    return f"{_LEFT + axis.at(value) * (WIDTH - _RIGHT - _LEFT):.1f}"


def _y(axis: Axis, value: float) -> str:
    return f"{HEIGHT - _BOTTOM - axis.at(value) * (HEIGHT - _BOTTOM - _TOP):.1f}"
