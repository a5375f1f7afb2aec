"""`manage.py simulate`: routing against fixed overlap on simulated labelers with planted faults, at equal budgets.

Scenarios are files in `fixtures/simulation/`. The page and the tables go to the folder `--out`. With `--fusion` outlines
corrected by gold are compared with the majority vote instead, on generated projects of readers with known offsets.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.config.simulation.comparison import Compared, compare, shortened
from labelhub.config.simulation.fusion import SCENARIOS as FUSION_SCENARIOS
from labelhub.config.simulation.fusion import FusionCompared, compare_fusion
from labelhub.config.simulation.fusion_report import fusion_lines, write_fusion_report
from labelhub.config.simulation.report import lines_of, write_report
from labelhub.config.simulation.scenario import ScenarioProblem, read_scenarios


class Command(BaseCommand):
    """Plays scenarios and writes the report."""

    help = "Compare routing with fixed overlap on simulated labelers, at equal budgets with gold inside."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which scenarios, how many seeds, and where the report goes."""
        parser.add_argument("--scenario", default="all", help="name of a file in fixtures/simulation, or all")
        parser.add_argument("--seeds", type=int, default=8, help="how many paired seeds, from --first-seed on")
        parser.add_argument(
            "--first-seed", type=int, default=0, help="0 to 7 are for the report; choose settings on 1000 on"
        )
        parser.add_argument(
            "--fusion", action="store_true", help="outlines corrected by gold against the majority vote"
        )
        parser.add_argument("--out", type=Path, default=Path("report"), help="folder of the report")
        parser.add_argument("--short", action="store_true", help="few items: a quick look whose numbers are no result")
        parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")

    def handle(self, *args: Any, **options: Any) -> None:
        """Play, show, write."""
        if options["seeds"] < 1 or options["first_seed"] < 0:
            raise CommandError("--seeds is at least 1 and --first-seed at least 0.")
        if options["fusion"]:
            self._fusion(options)
            return
        try:
            scenarios = read_scenarios(options["scenario"])
        except ScenarioProblem as error:
            raise CommandError(str(error)) from error
        if options["short"]:
            scenarios = tuple(shortened(scenario) for scenario in scenarios)
        start = time.monotonic()
        seeds = range(options["first_seed"], options["first_seed"] + options["seeds"])
        found = compare(scenarios, seeds, workers=options["workers"], told=self._tell)
        command = f"manage.py simulate --scenario {options['scenario']} --seeds {options['seeds']}"
        command += f" --first-seed {options['first_seed']}" if options["first_seed"] else ""
        command += " --short" if options["short"] else ""
        paths = write_report(found, options["out"], command)
        met = sum(one.is_met for one in found)
        self.stdout.write(
            f"{met} of {len(found)} scenarios and budgets meet their target in every seed; {time.monotonic() - start:.0f} s."
        )
        self.stdout.write("Written: " + ", ".join(map(str, paths)))

    def _fusion(self, options: dict[str, Any]) -> None:
        seeds = range(options["first_seed"], options["first_seed"] + options["seeds"])
        items = 3 if options["short"] else 12
        found: list[FusionCompared] = []
        for scenario in FUSION_SCENARIOS:
            found += compare_fusion([scenario], seeds, items=items)
            for line in fusion_lines(found[-1]):
                self.stdout.write(line)
        command = f"manage.py simulate --fusion --seeds {options['seeds']}" + (" --short" if options["short"] else "")
        paths = write_fusion_report(found, options["out"], command)
        self.stdout.write("Written: " + ", ".join(map(str, paths)))

    def _tell(self, compared: Compared) -> None:
        for line in lines_of(compared):
            self.stdout.write(line)
