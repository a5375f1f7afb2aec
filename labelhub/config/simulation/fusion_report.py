"""Outlines corrected by gold against the majority vote, written down: a self-contained page and a table of every project.

Not here: any number (``fusion``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from django.utils.safestring import SafeString

from labelhub.analytics.report_parts import Cell, interval_plot, paragraph, section, table
from labelhub.config.simulation.fusion import FusionCompared
from labelhub.config.simulation.report_page import report_page
from labelhub.numerics.results import Estimate

FIELDS = (
    "scenario",
    "seed",
    "is_on",
    "reason",
    "majority",
    "staple",
    "settled",
    "always",
    "gold_fused",
    "gold_majority",
)


def write_fusion_report(found: Sequence[FusionCompared], folder: Path, command: str) -> tuple[Path, ...]:
    """Write ``fusion.html`` and ``fusion.csv`` into the folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"fusion.html": fusion_page(found, command), "fusion.csv": _csv(found)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in texts)


def fusion_lines(one: FusionCompared) -> tuple[str, ...]:
    """What the terminal shows of one scenario."""
    on = one.switched_on()
    return (
        f"{one.scenario.name}: correction on in {sum(p.is_on for p in one.projects)} of {on.n} projects "
        f"[{on.low:.0%}–{on.high:.0%}]; Dice {one.mean(lambda p: p.settled):.4f} against {one.mean(lambda p: p.majority):.4f} "
        f"of the majority, {_words(one.gain())}",
        f"    STAPLE {one.mean(lambda p: p.staple):.4f}; corrected whatever the rule says "
        f"{one.mean(lambda p: p.always):.4f}, {_words(one.gain(lambda p: p.always))}",
    )


def fusion_page(found: Sequence[FusionCompared], command: str) -> str:
    """The report as one HTML page."""
    head = [
        "scenario",
        "majority is off",
        "correction on",
        "majority",
        "settled",
        "gain",
        "",
        "STAPLE",
        "always corrected",
    ]
    rows: list[list[Cell]] = [_row(one) for one in found]
    n = len(found[0].projects) if found else 0
    says = (
        f"{n} generated projects a scenario, five readers. The rule looks at gold only, with each patient's gold left out in "
        "turn; Dice is that of other items, whose truth the rule never sees. Gains are over the majority vote of the same "
        "items, with 95 % t intervals over projects; the share of projects has Wilson's interval. Where the correction is off, "
        "the majority settles and nothing is gained; what correcting whatever the rule says would have given stands beside."
    )
    parts = [
        section("fusion", "What came of it", paragraph(says), table("Scenarios", head, rows, (3, 4, 5, 7, 8), (0,))),
        *(_reasons(one) for one in found),
    ]
    heading = "Outlines corrected by gold against the majority vote"
    return report_page("Outlines corrected by gold", heading, "Simulated readers with known offsets.", command, parts)


def _row(one: FusionCompared) -> list[Cell]:
    on, n_on = one.switched_on(), sum(p.is_on for p in one.projects)
    return [
        one.scenario.name,
        "yes" if one.scenario.is_majority_biased else "no",
        f"{n_on} of {on.n} [{on.low:.0%}–{on.high:.0%}]",
        f"{one.mean(lambda p: p.majority):.4f}",
        f"{one.mean(lambda p: p.settled):.4f}",
        _words(one.gain()) if n_on else "none: off",
        interval_plot(one.gain(), -0.02, 0.2) if n_on else "",
        f"{one.mean(lambda p: p.staple):.4f}",
        f"{one.mean(lambda p: p.always):.4f}",
    ]


def _reasons(one: FusionCompared) -> SafeString:
    rows: list[list[Cell]] = [[str(p.seed), "on" if p.is_on else "off", p.reason] for p in one.projects]
    anchor = one.scenario.name.replace(" ", "-").replace(",", "")
    return section(
        anchor, one.scenario.name, table("Why, project by project", ["seed", "correction", "reason"], rows, (0,))
    )


def _words(estimate: Estimate) -> str:
    return f"{estimate.value:+.4f} [{estimate.low:.4f}–{estimate.high:.4f}]"


def _csv(found: Sequence[FusionCompared]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    for one in found:
        for project in one.projects:
            writer.writerow([one.scenario.name, *(getattr(project, name) for name in FIELDS[1:])])
    return out.getvalue()
