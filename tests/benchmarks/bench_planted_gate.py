"""How often planted labelers are proposed for a pause, 20,000 each: python -m tests.benchmarks.bench_planted_gate."""

from __future__ import annotations

import argparse
import os

import django


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labelers", type=int, default=20_000)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    django.setup()
    from tests.demo.test_planted_gate import table

    table(options.labelers)


if __name__ == "__main__":
    main()
