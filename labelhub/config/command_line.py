"""Runs one command of manage.py once the dependencies are there.

`test` is pytest with our settings; `lint` makes sure that the developers' tools are installed and runs ruff and mypy; the
rest is Django's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence


def run(argv: Sequence[str]) -> None:
    """Run the command named in ``argv``; exits with its status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    if len(argv) > 1 and argv[1] == "test":
        import pytest

        raise SystemExit(pytest.main(list(argv[2:])))
    if len(argv) > 1 and argv[1] == "lint":
        raise SystemExit(_lint(argv[2:]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(list(argv))


def _lint(words: Sequence[str]) -> int:
    if "--install-only" in words:
        return 0
    tools = [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy", "labelhub", "tests", "manage.py"]]
    return max(subprocess.call([sys.executable, "-m", *tool]) for tool in tools)  # noqa: S603 - our own tools
