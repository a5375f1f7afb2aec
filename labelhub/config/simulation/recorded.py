"""Recorded crowds: who gave which answer to which item, with the truth where it is known.

Known forms: a table with the columns ``item, rater, category`` and, if known, ``truth``; the folder of the bluebirds
(``labels.yaml``, ``gt.yaml``); the folder of Get-Another-Label (``labels.txt``, ``evaluation.txt``). Rankings without named
raters are refused: nobody could be asked. Not here: asking (``replay``).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labelhub.numerics.results import FloatArray, IntArray

_MAX_BYTES = 64 * 2**20
_MAX_CELLS = 50_000_000


class CrowdProblem(ValueError):
    """The recorded answers cannot be replayed; the message says why and what is needed."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedCrowd:
    """``given[item, rater]`` is a position in ``categories``, -1 where there is no answer; ``truth[item]`` NaN if unknown."""

    name: str
    given: IntArray
    truth: FloatArray
    categories: tuple[str, ...]

    @property
    def n_answers(self) -> int:
        """How many answers exist."""
        return int((self.given >= 0).sum())


def read_crowd(path: Path) -> RecordedCrowd:
    """Return the answers recorded in a file or folder. Raises :class:`CrowdProblem`."""
    if path.is_dir():
        if (path / "labels.yaml").exists():
            return _bluebirds(path)
        if (path / "labels.txt").exists():
            return _get_another_label(path)
        if any(path.glob("*selectors.json")):
            raise CrowdProblem(
                f"{path.name} holds rankings of readers without names and without truth: nobody could be asked again, and "
                "nothing could be counted as right. Replay needs item, rater and category, and the truth of some items."
            )
        raise CrowdProblem(
            f"{path} holds no recorded crowd that is known. Give a table with item, rater, category, truth."
        )
    return _table(path)


def _table(path: Path) -> RecordedCrowd:
    reader = csv.DictReader(_text(path).splitlines())
    if missing := {"item", "rater", "category"} - set(reader.fieldnames or ()):
        raise CrowdProblem(
            f"{path.name} lacks the columns {', '.join(sorted(missing))}; the first line must name them."
        )
    rows, truth = [], {}
    for row in reader:
        if not row["item"] or not row["rater"] or not row["category"]:
            continue
        rows.append((row["item"], row["rater"], row["category"]))
        if row.get("truth"):
            truth[row["item"]] = row["truth"]
    return _crowd(path.stem, rows, truth)


def _bluebirds(folder: Path) -> RecordedCrowd:
    truth = dict(re.findall(r"(\d+):\s*(true|false)", _text(folder / "gt.yaml")))
    rows = [
        (item, rater, value)
        for rater, inner in re.findall(r"(\d+):\s*\{([^}]*)\}", _text(folder / "labels.yaml"))
        for item, value in re.findall(r"(\d+):\s*(true|false)", inner)
    ]
    return _crowd(folder.name, rows, truth)


def _get_another_label(folder: Path) -> RecordedCrowd:
    rows = [
        (line[1], line[0], line[2])
        for line in map(str.split, _text(folder / "labels.txt").splitlines())
        if len(line) == 3
    ]
    truth = dict(line for line in map(str.split, _text(folder / "evaluation.txt").splitlines()) if len(line) == 2)
    return _crowd(folder.name, rows, truth)


def _crowd(name: str, rows: Sequence[tuple[str, str, str]], truth: dict[str, str]) -> RecordedCrowd:
    if not rows:
        raise CrowdProblem(f"{name} holds no answer.")
    items, raters = _numbered(row[0] for row in rows), _numbered(row[1] for row in rows)
    categories = _numbered(sorted({row[2] for row in rows} | set(truth.values())))
    if len(categories) < 2:
        raise CrowdProblem(f"{name} holds a single category: there is nothing to tell apart.")
    if len(items) * len(raters) > _MAX_CELLS:
        raise CrowdProblem(
            f"{name} has {len(items)} items and {len(raters)} raters; replay holds up to {_MAX_CELLS} pairs."
        )
    given = np.full((len(items), len(raters)), -1, dtype=np.int64)
    # A second answer of a rater about an item is a correction: the last one counts.
    for item, rater, category in rows:
        given[items[item], raters[rater]] = categories[category]
    known = np.full(len(items), np.nan)
    for item, category in truth.items():
        if item in items:
            known[items[item]] = categories[category]
    if np.isnan(known).all():
        raise CrowdProblem(f"{name} states no truth: nothing could be counted as right. Add a column truth.")
    return RecordedCrowd(name, given, known, tuple(categories))


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise CrowdProblem(f"{path.name} is larger than {_MAX_BYTES // 2**20} MiB.")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CrowdProblem(f"{path} cannot be read as text: {error}") from error
