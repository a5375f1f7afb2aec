"""The browser's modules: which folder may import from which, how heavy the labeling page is, what is vendored."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

from django.conf import settings

JS = Path(settings.BASE_DIR) / "static" / "js"
# A folder imports from those left of it and from itself; review and pages from lib, canvas and each other's readers.
ORDER = ("lib", "canvas", "live", "label")
MOST_KB = 150
_IMPORT = re.compile(r'(?:^|\n)(?:import|export)[^;]*?from "(\.[^"]+)"')


def imports_of(path: Path) -> list[Path]:
    return [(path.parent / name).resolve() for name in _IMPORT.findall(path.read_text(encoding="utf-8"))]


def test_a_folder_imports_from_those_left_of_it_alone():
    for folder in ORDER:
        for path in (JS / folder).rglob("*.js"):
            for other in imports_of(path):
                assert other.is_file(), f"{path.name} imports {other}, which is not there"
                place = other.parent.name
                assert place in ORDER[: ORDER.index(folder) + 1], f"{path.relative_to(JS)} imports from {place}"


def test_the_scripts_of_the_labeling_page_stay_light():
    """Each module travels by itself; no script of anybody else's is loaded with them."""
    found: set[Path] = set()
    waiting = [JS / "label" / "main.js", JS / "pages" / "frame.js"]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting += imports_of(path)
    assert len(found) > 30, "the modules of the editor were not found"
    page = (Path(settings.BASE_DIR) / "templates" / "label" / "workspace.html").read_text(encoding="utf-8")
    assert "{% block htmx %}{% endblock %}" in page
    assert " hx-" not in page
    total = sum(len(gzip.compress(path.read_bytes())) for path in found)
    assert total <= MOST_KB * 1000, f"{total / 1000:.0f} kB"


def test_the_3d_library_is_what_was_bundled_and_says_under_which_licences():
    """Built by tests/js/vendor/niivue.js: the file's hash, each package with its licence, nothing that the policy refuses."""
    folder = Path(settings.BASE_DIR) / "static" / "vendor" / "niivue"
    bundle = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    code = (folder / bundle["file"]).read_bytes()
    assert hashlib.sha256(code).hexdigest() == bundle["sha256"]
    licences = (folder / "LICENSES.txt").read_text(encoding="utf-8")
    for name, facts in bundle["packages"].items():
        assert f"{name} {facts['version']} ({facts['license']})" in licences
    assert licences.count("Permission is hereby granted") + licences.count("Redistribution and use") >= 6
    for word in (b"WebAssembly", b"new Worker", b"new Function", b"eval("):
        assert word not in code, word
    pinned = json.loads((Path(settings.BASE_DIR) / "tests/js/package.json").read_text(encoding="utf-8"))
    assert pinned["devDependencies"]["@niivue/niivue"] == bundle["packages"]["@niivue/niivue"]["version"]
