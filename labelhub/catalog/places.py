"""Folders on the server that may be read in place, and the files in them.

A folder named over the web must lie under one of the roots that the site's owner allowed; whoever sits at the server's own
terminal may name any. Links that lead out of the folder are passed over, so that nobody can point at a file elsewhere.
Not here: what the files hold.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from labelhub.catalog.errors import PlaceRefused
from labelhub.formats.limits import MAX_FILES, MAX_FOLDER_DEPTH

CLUTTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", ".git"})
MAX_PATH = 1000


def checked_folder(location: str, *, roots: Sequence[Path], is_trusted: bool = False) -> Path:
    """Return the real path of a folder (or single file) that may be read. Raises :class:`PlaceRefused`."""
    path = Path(location).expanduser()
    if not path.is_absolute() or "\x00" in location:
        raise PlaceRefused("The folder is not an absolute path.", remedy="Give it from the root, such as /data/study.")
    real = path.resolve()
    # The root comes first: whether a place outside of it exists is nobody's business.
    if not is_trusted and not any(real == root or real.is_relative_to(root) for root in roots):
        allowed = ", ".join(map(str, roots)) or "none"
        raise PlaceRefused(
            f"This folder may not be read in place; allowed are folders in: {allowed}. Nothing was read.",
            remedy="Upload the files, or ask who runs the server to add the folder to LABELHUB_IN_PLACE_ROOTS.",
        )
    if not real.exists():
        raise PlaceRefused("There is nothing at this place on the server.", remedy="Check the path for a slip.")
    if not os.access(real, os.R_OK):
        raise PlaceRefused("The server may not read this folder.", remedy="Give its account the right to read.")
    return real


def files_in(root: Path) -> Iterator[Path]:
    """Give the files below ``root`` (or ``root`` itself where it is a file), by folder and name; links out are left out.

    Raises :class:`PlaceRefused` beyond the limits of depth and number.
    """
    if root.is_file():
        yield root
        return
    count = 0
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if name not in CLUTTER)
        if len(Path(folder).relative_to(root).parts) >= MAX_FOLDER_DEPTH and folders:
            raise PlaceRefused(
                f"The folders lie deeper than {MAX_FOLDER_DEPTH} levels.", remedy="Name a folder further down."
            )
        for name in sorted(names):
            path = Path(folder) / name
            if name in CLUTTER or not path.is_file() or not path.resolve().is_relative_to(root):
                continue
            count += 1
            if count > MAX_FILES:
                raise PlaceRefused(f"There are more than {MAX_FILES} files.", remedy="Bring them in several parts.")
            if len(str(path.relative_to(root))) <= MAX_PATH:
                yield path
