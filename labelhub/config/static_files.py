"""Static files with hashed names, also inside JavaScript modules, so that browsers may keep them forever."""

from __future__ import annotations

import re
from collections.abc import Callable

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Rewrites relative imports of modules to their hashed names; a missing file is an error at collection, not on a page.

    A bare name (``import "htmx"``) is no path: the page's import map says what it is, so it stays as it stands.
    """

    support_js_module_import_aggregation = True
    manifest_strict = False
    # A name depends on those of all modules below it: as many passes as the deepest chain of imports is long.
    max_post_process_passes = 20

    def url_converter(
        self, name: str, hashed_files: dict[str, str], template: str | None = None
    ) -> Callable[[re.Match[str]], str]:
        """Return what replaces an import or address found in the file ``name``."""
        convert = super().url_converter(name, hashed_files, template)

        def replace(found: re.Match[str]) -> str:
            is_bare = name.endswith(".js") and not found["url"].startswith((".", "/"))
            return str(found["matched"]) if is_bare else str(convert(found))

        return replace
