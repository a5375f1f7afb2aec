"""`manage.py install_models`: torch and monai, the second step of the installation; the pages work without them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from labelhub.config.bootstrap import is_satisfied, read_requirements
from labelhub.predictions.runtime import ModelsState, write_state


class Command(BaseCommand):
    """Installs what workers need for networks into the running environment."""

    help = "Install torch and monai for the workers (large; pages work without them)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Install and note the state that the pages show."""
        pyproject = settings.BASE_DIR / "pyproject.toml"
        core = set(read_requirements(pyproject))
        wanted = [
            line for line in read_requirements(pyproject, ["models"]) if line not in core and not is_satisfied(line)
        ]
        if not wanted:
            write_state(ModelsState.READY)
            self.stdout.write("torch and monai are installed.")
            return
        if importlib.util.find_spec("pip") is None:
            write_state(ModelsState.FAILED)
            raise CommandError("This environment has no pip. Nothing was changed. Install torch and monai another way.")
        write_state(ModelsState.INSTALLING)
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *wanted]
        status = subprocess.call(command)  # noqa: S603 - our own interpreter, no shell
        write_state(ModelsState.READY if status == 0 else ModelsState.FAILED)
        if status != 0:
            raise CommandError("They could not be installed; the lines above say why. Everything else works.")
