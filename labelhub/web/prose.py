"""Instructions as people write them, as HTML: paragraphs, lists of "- " lines, and *emphasis*; nothing else is markup.

The text is escaped before anything is looked for, so that no tag, attribute or entity of a writer's own comes through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

BULLET = re.compile(r"^[ \t]{0,3}[-*•][ \t]+(?=\S)")
# Between words only: 2*3*4 and a lone star stay as they are.
EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]*[^\s*])\*(?![\w*])")


def prose(text: str) -> SafeString:
    """Return ``text`` as HTML that is safe whoever wrote it."""
    escaped = str(escape(text.replace("\r\n", "\n").replace("\r", "\n")))
    blocks = [block.split("\n") for block in re.split(r"\n[ \t]*\n", escaped) if block.strip()]
    html = "\n".join(piece for lines in blocks for piece in _pieces(lines))
    return mark_safe(html)  # noqa: S308 - escaped above; only p, br, ul, li and em are added, without attributes


def _pieces(lines: list[str]) -> Iterator[str]:
    """The paragraphs and lists of one block; an indented line goes on with the entry above it."""
    words: list[str] = []
    entries: list[str] = []
    for line in lines:
        if not line.strip():
            continue
        bullet = BULLET.match(line)
        if bullet is not None:
            yield from _paragraph(words)
            words = []
            entries.append(line[bullet.end() :].strip())
        elif entries and line[0] in " \t":
            entries[-1] += f" {line.strip()}"
        else:
            yield from _list(entries)
            entries = []
            words.append(line.strip())
    yield from _paragraph(words)
    yield from _list(entries)


def _paragraph(lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"<p>{_emphasised('<br>'.join(lines))}</p>"


def _list(entries: list[str]) -> Iterator[str]:
    if entries:
        yield f"<ul>{''.join(f'<li>{_emphasised(entry)}</li>' for entry in entries)}</ul>"


def _emphasised(text: str) -> str:
    return EMPHASIS.sub(r"<em>\1</em>", text)
