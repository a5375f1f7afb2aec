"""The import map of our own JavaScript: bare names (``labelhub/lib/fold.js``) to the files' addresses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import orjson
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe


def import_map(address_of: Callable[[str], str]) -> SafeString:
    """Return the map as JSON that is safe inside a script element."""
    imports = {}
    for name in _modules():
        # A module that is newer than the collected files is on no page yet; it must not break the others.
        with suppress(ValueError):
            imports[f"labelhub/{name}"] = address_of(f"js/{name}")
    text = orjson.dumps({"imports": imports}).decode().replace("<", "\\u003c")
    return mark_safe(text)  # noqa: S308 - file names of our own, with "<" written as an escape


@cache
def _modules() -> tuple[str, ...]:
    folder: Path = settings.BASE_DIR / "static" / "js"
    return tuple(
        sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.js") if "test" not in path.name)
    )
