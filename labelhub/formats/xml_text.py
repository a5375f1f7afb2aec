"""Writes XML text with every value escaped. Reading is in :mod:`labelhub.formats.strict_xml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(name: str, attributes: Mapping[str, object] | None = None, *content: str, text: str | None = None) -> str:
    """One element; ``content`` holds finished elements, ``text`` is escaped. ``name`` must be ours, never from data."""
    given = "".join(f" {key}={_quoted(value)}" for key, value in (attributes or {}).items())
    if text is not None:
        return f"<{name}{given}>{escape(_allowed(text))}</{name}>"
    if not content:
        return f"<{name}{given}/>"
    inner = "\n".join(content)
    return f"<{name}{given}>\n{inner}\n</{name}>"


def _quoted(value: object) -> str:
    return quoteattr(_allowed(str(value)), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _allowed(text: str) -> str:
    """XML 1.0 has no form for most control characters; they become a replacement character."""
    return _FORBIDDEN.sub("\ufffd", text)
