"""Template tags and filters of the pages: numbers with interval and n, states as icon and word."""

from __future__ import annotations

from django import template

register = template.Library()
