"""A settlement in words: by which method, how sure, where each region comes from, and where a majority vote differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labelhub.analytics.story_names import Names
from labelhub.consensus.models import Settlement
from labelhub.consensus.provenance import WHOLE_ITEM, RegionProvenance, read_provenance

Rows = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Told:
    """Sentences, terms with values, and what folds out: (heading, terms with values, sentences)."""

    lines: tuple[str, ...]
    facts: Rows
    parts: tuple[tuple[str, Rows, tuple[str, ...]], ...]


def told(settlement: Settlement, readers: Mapping[int, str], names: Names) -> Told:
    """Return what there is to say of a settlement; ``readers`` are the names of who made each of the item's submissions."""
    shapes = list(settlement.shapes.all())
    n = len(shapes)
    label = "no finding" if settlement.no_finding else f"{n} shape{'s' if n != 1 else ''}"
    rows = [
        ("Label", ", ".join([label, *(f"{key}: {value}" for key, value in settlement.answers.items())])),
        ("Method", f"{settlement.method}, version {settlement.method_version}"),
        ("Ontology", f"version {settlement.ontology.number}"),
        ("Confidence", _confidence(settlement)),
    ]
    regions = read_provenance(settlement.provenance)
    parts: list[tuple[str, Rows, tuple[str, ...]]] = []
    if regions:
        parts.append(("Where each region comes from", tuple(_region(row, readers, names) for row in regions), ()))
    parts.append(_vote(settlement))
    if shapes:
        sure = tuple(
            (f"{shape.label}, {shape.votes} of {shape.readers} readers", _share(shape.confidence)) for shape in shapes
        )
        parts.append((f"How sure each of {n} shapes is", sure, ()))
    lines = [names.said(text) for text in (settlement.reason, settlement.why) if text]
    return Told(tuple(lines), tuple(rows), tuple(parts))


def _vote(settlement: Settlement) -> tuple[str, Rows, tuple[str, ...]]:
    found = settlement.differences
    if settlement.decided_by_id is not None and not found:
        return ("Against a majority vote", (), ("A person decided; no vote was counted beside it.",))
    if not found:
        return ("Against a majority vote", (), ("A majority vote says the same in every part.",))
    lines = tuple(
        f"{entry['what']} {entry['label']}: the vote says {entry['by_vote']}, settled is {entry['by_method']}"
        f" (confidence {_share(entry.get('confidence'))})"
        for entry in found
    )
    return (f"A majority vote differs in {len(found)} place{'s' if len(found) != 1 else ''}", (), lines)


def _region(row: RegionProvenance, readers: Mapping[int, str], names: Names) -> tuple[str, str]:
    where = "The whole item" if row.region == WHOLE_ITEM else f"{row.region}{f' ({row.label})' if row.label else ''}"
    by = "by rule" if row.decided_by is None else f"by {names.person(row.decided_by)}"
    reader = readers.get(row.submission or 0, "a reader")
    what = {
        "method": "what the readers say together", "reading": f"the reading of {reader}", "drawn": "a drawn correction",
        "ambiguous": "truly ambiguous, released as an ignore region",
    }[row.how]  # fmt: skip
    why = f": {names.said(row.why)}" if row.why and row.region != WHOLE_ITEM else ""
    return where, f"{what}, decided {by} on {row.at:%Y-%m-%d %H:%M} UTC{why}"


def _confidence(settlement: Settlement) -> str:
    if settlement.confidence is None:
        return "none: one person decided"
    kind = "by estimates of the readers" if settlement.fits else "share of readers"
    return f"{settlement.confidence:.2f} for whatever is least sure ({kind})"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
