"""The simulation written down: a self-contained page, a table of every run, a table of what came of it.

Not here: any number (``comparison``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labelhub.analytics.report_parts import Cell, interval_plot, paragraph, section, table
from labelhub.config.simulation.comparison import Compared
from labelhub.config.simulation.report_page import report_page
from labelhub.config.simulation.run import ROUTING, Run
from labelhub.numerics.results import Estimate

RUN_FIELDS = ("scenario", "budget", "seed", "method", "error", "labels", "gold", "second_looks", "unspent", "capacity",
              "most_by_one", "paused_planted", "paused_others", "notes")  # fmt: skip
SUMMARY_FIELDS = ("scenario", "budget", "seeds", "best_fixed", "routing", "difference", "difference_low", "difference_high",
                  "gain", "gain_low", "gain_high", "target", "seeds_met", "verdict")  # fmt: skip


def write_report(found: Sequence[Compared], folder: Path, command: str) -> tuple[Path, ...]:
    """Write ``simulation.html``, ``runs.csv`` and ``summary.csv`` into the folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"simulation.html": page(found, command), "runs.csv": _runs_csv(found), "summary.csv": _summary_csv(found)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in texts)


def lines_of(compared: Compared) -> tuple[str, ...]:
    """What the terminal shows of one scenario and budget."""
    errors = ", ".join(f"{name} {compared.errors(name).mean():.4f}" for name in compared.runs[0])
    planted, others = pauses_of(compared)
    return (
        f"{compared.scenario.name}, {compared.budget} labels an item: {compared.verdict()}",
        f"    mean error: {errors}",
        f"    routing spent {cost_of(compared)}; paused a seed: {planted:.1f} with a planted fault, {others:.1f} without",
    )


def page(found: Sequence[Compared], command: str) -> str:
    """The report as one HTML page."""
    parts = [_verdicts(found), *(_scenario(compared) for compared in found), _how()]
    title = "Routing against fixed overlap"
    return report_page(title, title, "Simulated labelers, equal budgets, gold inside.", command, parts)


def pauses_of(compared: Compared) -> tuple[float, float]:
    """How many labelers routing paused in a seed, on average: with a planted fault, and without."""
    pauses = [run.pauses for run in _routed(compared)]
    planted = [sum(pause.is_planted for pause in one) for one in pauses]
    return float(np.mean(planted)), float(np.mean([len(one) for one in pauses]) - np.mean(planted))


def cost_of(compared: Compared) -> str:
    """What routing spent on average, in words."""
    runs = _routed(compared)
    labels, gold, again, unspent = (
        float(np.mean(values))
        for values in zip(
            *((run.n_labels, run.n_gold, run.n_again, run.budget - run.spent) for run in runs), strict=True
        )
    )
    by_planted = float(np.mean([run.share_by_planted for run in runs]))
    return (
        f"{labels:.0f} labels of items, {gold:.0f} of gold, {again:.0f} second looks of {runs[0].budget}; "
        f"{unspent:.0f} unspent; {by_planted:.0%} of all came from labelers with a planted fault"
    )


def _verdicts(found: Sequence[Compared]) -> SafeString:
    rows: list[list[Cell]] = [
        [
            format_html('<a href="#{}">{}</a>', _anchor(one), one.scenario.name), str(one.budget),
            f"{one.best_fixed().mean():.4f}", f"{one.errors(ROUTING).mean():.4f}", _with_interval(one.gain(), percent=True),
            interval_plot(one.gain(), -0.5, 1.0), f"{one.n_met} of {len(one.seeds)}", one.verdict(),
        ]
        for one in found
    ]  # fmt: skip
    head = ["scenario", "labels an item", "better fixed", "routing", "lower by", "", "target met", "in words"]
    n_met = sum(one.is_met for one in found)
    text = f"{n_met} of {len(found)} scenarios and budgets meet their target in every seed; those that miss it are listed too."
    return section(
        "verdicts", "What came of it", paragraph(text), table("Scenarios", head, rows, (1, 2, 3, 4, 6), (7,))
    )


def _scenario(compared: Compared) -> SafeString:
    scenario = compared.scenario
    rows: list[list[Cell]] = [
        [
            name, f"{compared.errors(name).mean():.4f}", f"{compared.errors(name).min():.4f}–{compared.errors(name).max():.4f}",
            "yes" if name in compared.baselines else "",
        ]
        for name in compared.runs[0]
    ]  # fmt: skip
    planted, others = pauses_of(compared)
    difference = _with_interval(compared.difference())
    notes = sorted({note.split(":")[0] for run in _routed(compared) for note in run.notes})
    return section(
        _anchor(compared),
        f"{scenario.name}, {compared.budget} labels an item",
        paragraph(f"{scenario.says} {scenario.items} items, {len(scenario.labelers)} labelers."),
        paragraph(f"Error: {scenario.measure}."),
        table(
            "Mean error over seeds", ["way of working", "error", "least to most", "counts for the target"], rows, (1, 2)
        ),
        paragraph(f"Paired difference, routing minus the better fixed: {difference}. {compared.verdict()}."),
        paragraph(f"Routing spent {cost_of(compared)}. {_paused_in_words(compared, planted, others)}"),
        paragraph("Noted: " + "; ".join(notes) + "." if notes else ""),
    )


def _paused_in_words(compared: Compared, planted: float, others: float) -> str:
    by_rater: dict[int, int] = {}
    for run in _routed(compared):
        for pause in run.pauses:
            by_rater[pause.rater] = by_rater.get(pause.rater, 0) + 1
    if not by_rater:
        return "Nobody was paused."
    who = ", ".join(f"labeler {rater} in {n}" for rater, n in sorted(by_rater.items()))
    return f"Paused a seed: {planted:.1f} with a planted fault, {others:.1f} without ({who} of {len(compared.seeds)} seeds)."


def _how() -> SafeString:
    return section(
        "how",
        "How it is compared",
        paragraph(
            "Within a seed all ways share items, truth, labelers, faults and budget; gold is paid from the budget."
        ),
        paragraph(
            "The better fixed way is chosen seed by seed. Intervals are t intervals over the paired seeds, at 95 %."
        ),
        paragraph(
            "The sequential test of the scenario's policy decides who is paused, on gold that the budget paid for."
        ),
        paragraph(
            "Where labelers share errors no routing can see them: their answers agree. Only gold or a reviewer does."
        ),
    )


def _runs_csv(found: Sequence[Compared]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(RUN_FIELDS)
    for compared in found:
        for seed, runs in zip(compared.seeds, compared.runs, strict=True):
            for name, run in runs.items():
                planted = [pause.rater for pause in run.pauses if pause.is_planted]
                others = [pause.rater for pause in run.pauses if not pause.is_planted]
                writer.writerow(
                    [compared.scenario.name, compared.budget, seed, name, f"{run.error:.6f}", run.n_labels, run.n_gold,
                     run.n_again, run.budget - run.spent, run.capacity, run.most_by_one,
                     " ".join(map(str, planted)), " ".join(map(str, others)), "; ".join(run.notes)]
                )  # fmt: skip
    return out.getvalue()


def _summary_csv(found: Sequence[Compared]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(SUMMARY_FIELDS)
    for one in found:
        gain, difference = one.gain(), one.difference()
        numbers = (one.best_fixed().mean(), one.errors(ROUTING).mean(), difference.value, difference.low, difference.high,
                   gain.value, gain.low, gain.high)  # fmt: skip
        shown = [f"{value:.6f}" for value in numbers]
        writer.writerow(
            [one.scenario.name, one.budget, len(one.seeds), *shown, one.scenario.target, one.n_met, one.verdict()]
        )
    return out.getvalue()


def _with_interval(estimate: Estimate, *, percent: bool = False) -> str:
    if not estimate.is_defined:
        return f"undefined: {estimate.reason}"
    form = "{:.0%}" if percent else "{:.4f}"
    value = form.format(estimate.value)
    if not np.isfinite(estimate.width):
        return f"{value} (n={estimate.n})"
    return f"{value} [{form.format(estimate.low)} to {form.format(estimate.high)}] (n={estimate.n})"


def _anchor(compared: Compared) -> str:
    return f"{compared.scenario.name.replace('.', '-')}-{compared.budget}"


def _routed(compared: Compared) -> list[Run]:
    return [runs[ROUTING] for runs in compared.runs]
