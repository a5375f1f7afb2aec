"""`manage.py replay PATH`: adaptive asking against fixed overlap on answers that people really gave, in random orders."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.config.simulation.recorded import CrowdProblem, read_crowd
from labelhub.config.simulation.replay import NEXT_IN_LINE, WAYS, WHOM_TOO, Replay, replay


class Command(BaseCommand):
    """Replays a recorded crowd and shows accuracy against labels an item."""

    help = "Replay a recorded crowd: asks only for answers that exist, in several random orders."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the crowd, the orders and the budgets."""
        parser.add_argument("path", type=Path, help="CSV with item,rater,category,truth; or a known crowd's folder")
        parser.add_argument("--orders", type=int, default=10, help="how many random orders")
        parser.add_argument("--most", type=int, default=7, help="labels an item, up to")
        parser.add_argument("--out", type=Path, help="CSV file for the curves of every order")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, replay, show, write."""
        if options["orders"] < 1 or options["most"] < 1:
            raise CommandError("--orders and --most are at least 1.")
        try:
            crowd = read_crowd(options["path"])
        except CrowdProblem as error:
            raise CommandError(str(error)) from error
        n_items, n_raters = crowd.given.shape
        self.stdout.write(
            f"{crowd.name}: {n_items} items, {n_raters} raters, {crowd.n_answers} answers, {len(crowd.categories)} categories"
        )
        found = replay(crowd, n_orders=options["orders"], most=options["most"])
        for line in curves(found):
            self.stdout.write(line)
        if options["out"]:
            _write(found, options["out"])
            self.stdout.write(f"Written: {options['out']}")


def curves(found: Replay) -> tuple[str, ...]:
    """Accuracy of every way at every budget, then what adaptive asking gains over the best fixed way, failures included."""
    lines = ["labels an item  " + "  ".join(f"{way:>30}" for way in WAYS)]
    for place, budget in enumerate(found.budgets):
        shown = [f"{found.estimate(way, place).value:.3f} ({found.spent[way][:, place].mean():.2f})" for way in WAYS]
        lines.append(f"{budget:>14}  " + "  ".join(f"{text:>30}" for text in shown))
    for way in (NEXT_IN_LINE, WHOM_TOO):
        for place, budget in enumerate(found.budgets):
            gain = found.gain(way, place)
            word = "gains" if gain.low > 0 else "loses" if gain.high < 0 else "shows no difference"
            lines.append(
                f"{way} at {budget}: {word} ({gain.value:+.3f} [{gain.low:+.3f} to {gain.high:+.3f}], n={gain.n} orders)"
            )
    return tuple(lines)


def _write(found: Replay, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["order", "budget", "way", "labels_an_item", "accuracy"])
        for way in WAYS:
            for order, row in enumerate(found.accuracy[way]):
                for place, budget in enumerate(found.budgets):
                    writer.writerow([order, budget, way, f"{found.spent[way][order, place]:.4f}", f"{row[place]:.6f}"])
