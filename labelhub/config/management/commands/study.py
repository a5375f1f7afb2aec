"""`manage.py study dial | learning | quality | errors | all`: experiments that test what the product is said to gain.

Each writes a self-contained page and tables into `--out`. The learner is a small pixel model unless `--network` asks for one.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.config.study import dial, errors, learning, quality
from labelhub.config.study.report import Study, write_study
from labelhub.config.study.running import REAL_DATA, Plan

STUDIES: Mapping[str, Callable[[Plan], Study]] = {
    "dial": dial.run, "learning": learning.run, "quality": quality.run, "errors": errors.run,
}  # fmt: skip


class Command(BaseCommand):
    """Runs studies and writes their reports."""

    help = "Test what drafts, active learning, many labels and routing by a model gain, on simulated annotators."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which studies, how many seeds, and where the reports go."""
        parser.add_argument("study", choices=[*STUDIES, "all"])
        parser.add_argument("--seeds", type=int, default=5, help="how many paired seeds, from 0 on")
        parser.add_argument("--out", type=Path, default=Path("report"), help="folder of the reports")
        parser.add_argument(
            "--short", action="store_true", help="few and small items: a quick look, its numbers no result"
        )
        parser.add_argument(
            "--workers", type=int, default=0, help="processes; one a core by default, one in all with --short"
        )
        parser.add_argument(
            "--volumes", type=Path, default=REAL_DATA, help="folder of real volumes, left out where absent"
        )
        parser.add_argument(
            "--network", action="store_true", help="a small U-Net learns in place of the pixel model (slow)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, show, write."""
        if options["seeds"] < 1 or options["workers"] < 0:
            raise CommandError("--seeds is at least 1 and --workers at least 0.")
        if options["network"] and importlib.util.find_spec("torch") is None:
            raise CommandError("--network needs torch, which is not installed: `manage.py install_models` brings it.")
        names = list(STUDIES) if options["study"] == "all" else [options["study"]]
        for name in names:
            self._one(name, options)

    def _one(self, name: str, options: dict[str, Any]) -> None:
        start = time.monotonic()
        # Starting a process takes longer than a short study.
        workers = options["workers"] or (1 if options["short"] else os.cpu_count() or 1)
        plan = Plan(
            tuple(range(options["seeds"])), options["short"], workers, options["volumes"], self._tell(name),
            NETWORK if options["network"] else "",
        )  # fmt: skip
        study = STUDIES[name](plan)
        command = f"manage.py study {name} --seeds {options['seeds']}" + (" --short" if options["short"] else "")
        command += " --network" if options["network"] else ""
        paths = write_study(study, options["out"], command, is_short=options["short"])
        self.stdout.write(f"{study.title} ({time.monotonic() - start:.0f} s)")
        for sentence in study.findings:
            self.stdout.write(f"  {sentence}")
        for sentence in study.left_out:
            self.stdout.write(f"  left out: {sentence}")
        self.stdout.write("  written: " + ", ".join(map(str, paths)))

    def _tell(self, name: str) -> Callable[[int, int, str], None]:
        def told(done: int, total: int, words: str) -> None:
            self.stderr.write(f"{name} {done}/{total}: {words}")

        return told


# By dotted path, so that nothing here imports torch.
NETWORK = "labelhub.inference.study_network.UnetLearner"
