"""Static files with hashed names, also inside JavaScript modules, so that browsers may keep them forever."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Rewrites relative imports of modules to their hashed names; a missing file is an error at collection, not on a page."""

    support_js_module_import_aggregation = True
    manifest_strict = False
