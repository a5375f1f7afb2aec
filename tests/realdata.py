"""Where the real data for tests lies, and how a test says that it is absent. Nothing here enters the project."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def real(*parts: str) -> Path:
    """The path of a real file or folder; skips the calling test, with the reason, where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"real data is absent on this machine: {'/'.join(parts)}")
    return path
