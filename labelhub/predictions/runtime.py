"""Whether torch and monai are there yet: a small file in the data folder that pages may show. Imports neither."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from django.conf import settings


class ModelsState(StrEnum):
    """Where the second step of the installation stands."""

    ABSENT = "absent"
    INSTALLING = "installing"
    READY = "ready"
    FAILED = "failed"


def read_state() -> ModelsState:
    """Return where the second step stands."""
    try:
        return ModelsState(_file().read_text().strip())
    except (OSError, ValueError):
        return ModelsState.ABSENT


def write_state(state: ModelsState) -> None:
    """Note where the second step stands."""
    _file().write_text(state.value)


def _file() -> Path:
    folder: Path = settings.ENVIRONMENT.var
    return folder / "models.state"
