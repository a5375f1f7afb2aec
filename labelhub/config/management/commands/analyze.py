"""`manage.py analyze PATH`: which labels of an export to trust, who disagrees, and what to look at first.

Needs no server, no account, no images and no database: it reads files, measures, and writes a folder with a report.
"""

from __future__ import annotations

import math
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labelhub.analytics.report import write_report
from labelhub.formats.shapes import AnnotationSet, FormatError, Measure
from labelhub.formats.sources import FORMATS, ReadOptions, read_annotations
from labelhub.scoring.panel import measure
from labelhub.scoring.panel_rows import Measured, Panel
from labelhub.scoring.panel_words import number_and_claim

MOST_LINES = 20
# Gold is nobody's reading: a file that names no rater may be gold all the same.
GOLD_RATER = {"*": "gold"}


class Command(BaseCommand):
    """Measure annotations by several people and write a report."""

    help = "Measure annotations made by several people: a short summary here, a report and tables in a folder."
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("path", type=Path, help="a file, folder or zip of annotations")
        parser.add_argument("--format", choices=FORMATS, default=None, help="its format; found out where not given")
        parser.add_argument("--gold", type=Path, default=None, help="the true annotations, in any of the same formats")
        parser.add_argument(
            "--raters", type=Path, default=None, metavar="MAP.csv", help="a table that says who made which file"
        )
        parser.add_argument("--out", type=Path, default=Path("report"), help="the folder to write (default: report)")
        parser.add_argument(
            "--question-measures",
            default="",
            metavar="QUESTION=SCALE,…",
            help=f"the scale of answers, such as grade=ordinal; scales: {', '.join(get_args(Measure))}",
        )
        parser.add_argument("--match-iou", type=float, default=0.3, help="overlap that makes two outlines one object")
        parser.add_argument("--min-items", type=int, default=20, help="numbers on fewer units are marked grey")
        parser.add_argument("--seed", type=int, default=1, help="seed of the intervals' resampling")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, measure, write, and print the verdict."""
        console = Console(stderr=False, soft_wrap=True)
        scales = _scales(options["question_measures"])
        if not 0 < options["match_iou"] <= 1:
            raise CommandError(f"--match-iou is {options['match_iou']}; it must lie above 0 and up to 1, such as 0.3.")
        path: Path = options["path"]
        with console.status(f"Reading {escape(str(path))} …"):
            readings = _read(path, options["format"], options["raters"], scales)
            gold = _read(options["gold"], None, GOLD_RATER, scales) if options["gold"] else None
        if not readings.readings:
            raise CommandError(f"{path}: no reading was found in it. Nothing was written.{_first_problem(readings)}")
        with console.status(f"Measuring {len(readings.readings)} readings of {len(readings.items)} items …"):
            panel = measure(
                readings,
                gold=gold,
                rng_seed=options["seed"],
                match_iou=options["match_iou"],
                min_items=options["min_items"],
            )
        try:
            written = write_report(options["out"], panel, readings, title=f"Labels of {path.name}")
        except OSError as error:
            raise CommandError(f"{options['out']}: the report cannot be written here ({error.strerror}).") from error
        _summarise(console, panel)
        console.print(
            f"\nReport: {escape(str(written[0]))}  (tables beside it: worklist.csv and {len(written) - 2} more)"
        )


def _read(
    path: Path, kind: str | None, raters: Path | Mapping[str, str] | None, scales: dict[str, Measure]
) -> AnnotationSet:
    try:
        return read_annotations(path, kind, raters, ReadOptions(measures=scales))
    except FormatError as error:
        raise CommandError(str(error)) from error


def _scales(text: str) -> dict[str, Measure]:
    scales: dict[str, Measure] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        question, _, scale = part.rpartition("=")
        if not question or scale not in get_args(Measure):
            allowed = ", ".join(get_args(Measure))
            raise CommandError(f"--question-measures: {part!r} is not of the form question=scale; scales: {allowed}.")
        scales[question] = cast("Measure", scale)
    return scales


def _first_problem(readings: AnnotationSet) -> str:
    if not readings.problems:
        return ""
    problem = readings.problems[0]
    return f" First problem: {problem.place}: {problem.message} {problem.remedy}"


def _summarise(console: Console, panel: Panel) -> None:
    console.print()
    for number, sentence in enumerate(panel.verdict, start=1):
        console.print(f"[bold]{number}.[/bold] {escape(sentence)}", highlight=False)
    for caution in panel.cautions:
        console.print(f"[yellow]![/yellow] {escape(caution)}", highlight=False)
    rows = _lines(panel)
    if rows:
        table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
        table.add_column("Agreement")
        table.add_column("value [95 % interval] n", justify="left")
        for name, measured in rows[:MOST_LINES]:
            table.add_row(escape(name), escape(number_and_claim(measured)), style="dim" if measured.is_grey else "")
        console.print()
        console.print(table)
    n_problems = len(panel.source.problems)
    if n_problems:
        place, message, remedy = panel.source.problems[0]
        console.print(
            f"\n{n_problems} problems in the input; the first: {escape(f'{place}: {message} {remedy}')}",
            highlight=False,
        )
    if panel.worklist:
        first = panel.worklist[0]
        gain = "unknown" if math.isnan(first.expected_gain) else f"{first.expected_gain:.1f} labels"
        console.print(
            f"\n{len(panel.worklist)} items to act on; first: {escape(first.source_id)}: {first.action}, "
            f"{escape(first.whom)} (expected gain {gain}).",
            highlight=False,
        )


def _lines(panel: Panel) -> list[tuple[str, Measured]]:
    rows = [(row.agreement.name, row.agreement) for row in panel.detection]
    rows += [(row.dice.name, row.dice) for row in panel.overlap]
    rows += [(row.alpha.name, row.alpha) for row in panel.questions]
    if panel.gold is not None:
        rows += [(f"Against gold: {measured.name}", measured) for measured in panel.gold.numbers]
    return rows
