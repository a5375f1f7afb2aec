"""A panel as CSV tables: one file an idea, every number with its count, interval and method.

Texts from people cannot run as formulas in a spreadsheet (``formats.scores_csv``). Not here: the HTML report.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from labelhub.formats.scores_csv import write_rows
from labelhub.scoring.panel_rows import Measured, Panel
from labelhub.scoring.panel_words import claim_of

Row = dict[str, object]

_ESTIMATE = (
    "value", "low", "high", "level", "n", "unit", "n_groups", "group_unit", "interval", "method", "version", "is_grey", "word",
    "undefined_because", "no_interval_because", "warnings",
)  # fmt: skip


def csv_files(panel: Panel) -> Mapping[str, bytes]:
    """Every table by file name. Tables without rows hold their header."""
    return {
        "worklist.csv": write_rows(_worklist(panel), columns=_WORKLIST),
        "agreement.csv": write_rows(_agreement(panel), columns=("key", "name", *_ESTIMATE, "n_items")),
        "labelers.csv": write_rows(_labelers(panel), columns=_LABELERS),
        "pairs.csv": write_rows(_pairs(panel), columns=("item", "first", "second", "about", *_ESTIMATE)),
        "items.csv": write_rows(_items(panel), columns=_ITEMS),
        "scores.csv": write_rows(_scores(panel), columns=_SCORES),
    }


_WORKLIST = ("item", "source_id", "reason", "action", "whom", "expected_gain")
_LABELERS = ("rater", "n_readings", "n_shared", "against", "name", *_ESTIMATE, "notes", "confusions")
_PARTS = (
    "entropy", "entropy_of", "hd95", "hd95_unit", "hd95_of", "n_only_one", "size_variation", "size_of", "apart", "whole",
    "without", "more_disputed_than",
)  # fmt: skip
_ITEMS = ("item", "source_id", "n_readers", "disagreement", "expected_gain", "reason", "odd_reader", *_PARTS)
_SCORES = ("item", "about", "label", "object", "first", "second", "metric", "value", "unit")


def _worklist(panel: Panel) -> Iterator[Row]:
    for row in panel.worklist:
        yield {name: getattr(row, name) for name in _WORKLIST}


def _agreement(panel: Panel) -> Iterator[Row]:
    for measured in panel.numbers():
        yield {"key": measured.key, "name": measured.name, **_estimate(measured), "n_items": len(measured.items)}


def _labelers(panel: Panel) -> Iterator[Row]:
    for row in panel.labelers:
        shared: Row = {"rater": row.rater, "n_readings": row.n_readings, "n_shared": row.n_shared}
        rest: Row = {"notes": row.notes, "confusions": row.confusions}
        for against, numbers in (("other readers", row.agreement), ("gold", row.gold)):
            for measured in numbers:
                yield {**shared, "against": against, "name": measured.name, **_estimate(measured), **rest}


def _pairs(panel: Panel) -> Iterator[Row]:
    for row in panel.pairs:
        who: Row = {"item": row.item, "first": row.first, "second": row.second, "about": row.about}
        yield {**who, **_estimate(row.measured)}


def _items(panel: Panel) -> Iterator[Row]:
    for row in panel.items:
        line: Row = {name: getattr(row.parts if name in _PARTS else row, name) for name in _ITEMS}
        if row.n_readers < 2:
            line["disagreement"] = math.nan
        yield line


def _scores(panel: Panel) -> Iterator[Row]:
    for row in panel.items:
        for first, second, value in row.pairs:
            yield {
                "item": row.item, "about": "item", "first": first, "second": second,
                "metric": "similarity", "value": value, "unit": "",
            }  # fmt: skip
    for score in panel.object_scores:
        who: Row = {
            "item": score.item, "about": "object", "label": score.label, "object": score.object,
            "first": score.first, "second": score.second,
        }  # fmt: skip
        for metric, value, unit in (
            ("dice", score.dice, ""),
            ("iou", score.iou, ""),
            ("hd95", score.hd95, score.hd95_unit),
            ("size_difference", score.size_difference, ""),
        ):
            yield {**who, "metric": metric, "value": value, "unit": unit}


def _estimate(measured: Measured) -> Row:
    estimate = measured.estimate
    claim = claim_of(estimate)
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "level": estimate.level,
        "n": estimate.n,
        "unit": estimate.unit,
        "n_groups": estimate.n_groups,
        "group_unit": estimate.group_unit,
        "interval": estimate.interval_method,
        "method": estimate.method,
        "version": estimate.version,
        "is_grey": measured.is_grey,
        "word": claim.words if claim is not None else "",
        "undefined_because": estimate.reason or "",
        "no_interval_because": estimate.interval_reason or "",
        "warnings": estimate.warnings,
    }
