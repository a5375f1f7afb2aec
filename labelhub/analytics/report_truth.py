"""The sections of the report on truth inference (which labels to trust) and on agreement of shapes beyond the mean Dice.

Each takes the panel and returns escaped HTML, or nothing where there is nothing to say.
"""

from __future__ import annotations

import math

from django.utils.html import format_html
from django.utils.safestring import SafeString

from labelhub.analytics.report_parts import Evidence, item_anchor, listing, number, paragraph, section, table
from labelhub.scoring.panel_plain_rows import TruthRow
from labelhub.scoring.panel_rows import Panel, figure

NOTHING = SafeString("")


def shapes(panel: Panel, evidence: Evidence) -> SafeString:
    """Alpha of shapes with its chance baseline, sigma, KS and the human ceiling, label by label."""
    if not panel.shapes:
        return NOTHING
    rows = [
        [
            row.label, number(evidence, row.alpha), _shown(row.observed), f"{_shown(row.expected)} n={row.n_chance_pairs}",
            _shown(row.sigma), _shown(row.ks), number(evidence, row.ceiling),
        ]
        for row in panel.shapes
    ]  # fmt: skip
    note = (
        "Alpha compares how far apart readers of one object draw (D_o) with how far apart objects of other items lie (D_e). "
        "Where D_e is near 1, alpha is about the mean Dice; where all objects lie in one place it is harsh. Sigma is the share "
        "of pairs closer than all but 5 % of chance pairs. The ceiling is what one reader scores against the others: no model "
        "can be shown to be better on these labels."
    )
    baselines = [f"{row.label}: D_e is {row.baseline}, {row.n_pairs} pairs within objects." for row in panel.shapes]
    left = [
        f"{row.label}: {row.n_left_out} further objects were not looked at." for row in panel.shapes if row.n_left_out
    ]
    head = ("Label", "Alpha of shapes", "D_o", "D_e", "Sigma", "KS", "Human ceiling, Dice")
    return section(
        "shapes", "Is that more than chance?", paragraph(note),
        table("Agreement of shapes by label", head, rows, numeric=(2, 4, 5)), listing([*baselines, *left]),
    )  # fmt: skip


def trust(panel: Panel) -> SafeString:
    """What truth inference says of each question and of objects, and the labels that are not sure."""
    if not panel.truth:
        return NOTHING
    rows = [
        [row.about, f"{row.chosen}: {row.why}", str(row.n_units), f"{row.n_sure} ({row.n_sure / row.n_units:.0%})",
         _reliability(row), str(row.n_differs), str(row.n_vote_ties)]
        for row in panel.truth
    ]  # fmt: skip
    note = (
        "Every reader's errors are estimated from all answers, and each label is given the chance that it is right. That is a "
        "claim under a model in which readers err independently; “of those right” tells how often such claims hold."
    )
    head = ("About", "Method and why", "Labels", "At least .95 sure", "Of those right", "Vote differs", "Vote tied")
    parts = [paragraph(note), table("Truth inference", head, rows, numeric=(2, 3, 5, 6), wide=(1,))]
    warnings = [f"{row.about}: {warning}." for row in panel.truth for warning in row.warnings]
    if warnings:
        parts.append(listing(warnings))
    parts += [_doubts(row) for row in panel.truth if row.doubts]
    return section("trust", "Which labels to trust", *parts)


def _doubts(row: TruthRow) -> SafeString:
    rows = [
        [
            format_html('<a href="#{}">{}</a>', item_anchor(doubt.item), doubt.source_id or doubt.item), doubt.says,
            _shown(doubt.confidence), doubt.vote,
        ]
        for doubt in row.doubts
    ]  # fmt: skip
    caption = f"{row.about}: where the vote differs, then what is least sure"
    return table(caption, ("Item", "Truth inference says", "Confidence", "Vote"), rows, numeric=(2,))


def _reliability(row: TruthRow) -> str:
    corrected = f", corrected by {row.n_known} known answers" if row.is_corrected else ""
    if not row.sure_n or math.isnan(row.sure_right):
        return f"not known{corrected}"
    low = figure(row.sure_right_low)
    return f"{figure(row.sure_right)} (at least {low}) n={row.sure_n}, judged by {row.judged_by}{corrected}"


def _shown(value: float) -> str:
    return "undefined" if math.isnan(value) else figure(value)
