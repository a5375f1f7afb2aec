"""Where the real data for tests lies, and how a test says that it is absent. Nothing here enters the project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def real(*parts: str) -> Path:
    """The path of a real file or folder; skips the calling test, with the reason, where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        absent(f"real data is absent on this machine: {'/'.join(parts)}")
    return path


def absent(reason: str) -> NoReturn:
    """Skip the calling test because this machine lacks something; fail instead where everything is promised (CI)."""
    if os.environ.get("LABELHUB_REQUIRE_ALL"):
        pytest.fail(f"{reason}, and nothing may be skipped here")
    pytest.skip(reason)
