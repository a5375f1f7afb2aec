"""Runs one command of manage.py once the dependencies are there. `test` is pytest with our settings; the rest is Django's."""

from __future__ import annotations

import os
from collections.abc import Sequence


def run(argv: Sequence[str]) -> None:
    """Run the command named in ``argv``; exits with its status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    if len(argv) > 1 and argv[1] == "test":
        import pytest

        raise SystemExit(pytest.main(list(argv[2:])))
    from django.core.management import execute_from_command_line

    execute_from_command_line(list(argv))
