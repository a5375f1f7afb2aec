"""`manage.py soak NAME`: tries at length what must never happen, in a database of its own. The suite runs the same, shorter.

The seed is printed and replays the trial. Exits with 1 where anything failed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from labelhub.config.soak import (
    browser_kills,
    browser_schedules,
    coedits,
    forgeries,
    gold_classifier,
    hostile,
    lives,
    pairs,
    sockets,
    submits,
    tampering,
    two_worlds,
)
from labelhub.config.soak.drivers import NoBrowser
from labelhub.config.soak.report import TimeIsUp, Trial
from labelhub.config.soak.scratch import scratch_database

Run = Callable[..., Trial]
# Name -> how often it is tried in full, and what runs it.
TRIALS: Mapping[str, tuple[int, Run]] = {
    "submits": (10_000, lambda **given: submits.try_submits(is_concurrent=True, **given)),
    "pairs": (5_000, pairs.try_pairs),
    "coedits": (10_000, coedits.try_coedits),
    "sockets": (200, sockets.try_sockets),
    "browser-kills": (300, browser_kills.try_browser_kills),
    "browsers": (100, browser_schedules.try_browser_schedules),
    "hostile": (100_000, hostile.try_hostile),
    "forgeries": (10_000, forgeries.try_forgeries),
    "table": (1_000_000, lives.walk_the_table),
    "lives": (20_000, lives.try_lives),
    "two-worlds": (1_000, two_worlds.try_two_worlds),
    "gold-classifier": (1_000, gold_classifier.try_gold_classifier),
    "tampering": (10_000, tampering.try_tampering),
    "audit-speed": (1_000_000, tampering.time_verification),
}


class Command(BaseCommand):
    """Runs one trial, or all of them."""

    help = "Try at length what must never happen, in a scratch database."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name, how often, and the seed of a trial to replay."""
        parser.add_argument("name", choices=[*TRIALS, "all"])
        parser.add_argument("-n", type=int, help="how often; default: the full number")
        parser.add_argument("--seed", type=int, help="replay the trial with this seed")
        parser.add_argument("--minutes", type=float, help="end a trial after so long, at the number it reached by then")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, tell progress, and print the result."""
        names = list(TRIALS) if options["name"] == "all" else [options["name"]]
        seed = options["seed"] if options["seed"] is not None else int(np.random.SeedSequence().generate_state(1)[0])
        failed = 0
        # Refusals are what trials provoke.
        logging.getLogger("django.request").setLevel(logging.ERROR)
        with scratch_database() as vendor:
            for name in names:
                full, run = TRIALS[name]
                self.stdout.write(f"{name} on {vendor}, seed {seed}")
                start = time.monotonic()
                try:
                    trial = run(n=options["n"] or full, seed=seed, progress=self._progress(options["minutes"]))
                except NoBrowser as error:
                    if len(names) == 1:
                        raise CommandError(str(error)) from error
                    self.stdout.write(f"{name} was left out. {error}")
                    continue
                self.stdout.write(f"{trial.sentence} ({time.monotonic() - start:.0f} s on {connection.vendor})")
                failed += len(trial.failures)
        if failed:
            raise CommandError(f"{failed} failed. The seed above replays it.")

    def _progress(self, minutes: float | None) -> Callable[[int, int], None]:
        told = [time.monotonic()]
        end = None if minutes is None else told[0] + 60 * minutes

        def tell(done: int, total: int) -> None:
            if end is not None and time.monotonic() > end:
                raise TimeIsUp
            if time.monotonic() - told[0] > 15:
                told[0] = time.monotonic()
                self.stdout.write(f"  {done:,} of {total:,}")
                self.stdout.flush()

        return tell
