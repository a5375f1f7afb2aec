"""The frame of every report of a simulation or study: one self-contained HTML page, nothing loaded from anywhere.

Not here: what stands in it (``report``, ``fusion_report``, ``config.study``).
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labelhub.analytics.report_style import STYLE


def report_page(title: str, heading: str, subtitle: str, command: str, parts: Iterable[SafeString]) -> str:
    """The page of these parts; ``command`` is what made it, so that anybody can make it again."""
    return str(
        format_html(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
            'content="width=device-width, initial-scale=1"><title>{}</title><style>{}</style></head>'
            "<body><header><h1>{}</h1><p class=sub>{} Made by <code>{}</code>.</p></header><main>{}</main></body></html>",
            title, SafeString(STYLE), heading, subtitle, command, format_html_join("", "{}", ((part,) for part in parts)),
        )
    )  # fmt: skip
