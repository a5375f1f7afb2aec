"""Where each region of a settled label comes from: who or what decided it, out of which reading, when and why.

A settlement keeps one row a region as a JSON document. Where nothing was decided region by region there is one row for the
whole item. Pure. Not here: which regions are in dispute, and deciding them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

How = Literal["method", "reading", "drawn", "ambiguous"]
# The region that is everything: nothing was decided in parts.
WHOLE_ITEM = "item"
MOST_WORDS = 400


@dataclass(frozen=True, slots=True)
class RegionProvenance:
    """One region of a label. ``label`` is its class, empty where it is everything that was asked.

    ``how`` says whether a method, one reading, a drawn correction or "truly ambiguous" fills it. ``decided_by`` is the
    person's id, None where the method decided by rule; ``submission`` the reading it was taken from, None where it comes
    from all inputs or was drawn. ``medium`` and ``place`` ``(z, y, x)`` say where it lies, ``size`` in ``unit`` how large it
    is, and ``n_changed`` how many of its voxels are not those of the readers' common label; None where it has no place.
    """

    region: str
    how: How
    at: datetime
    label: str = ""
    decided_by: int | None = None
    submission: int | None = None
    why: str = ""
    medium: int | None = None
    place: tuple[float, ...] | None = None
    size: float | None = None
    unit: str = ""
    n_changed: int | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the row as JSON-ready values."""
        return {
            "region": self.region, "how": self.how, "at": self.at.isoformat(), "label": self.label,
            "decided_by": self.decided_by, "submission": self.submission, "why": self.why[:MOST_WORDS],
        } | ({} if self.medium is None else self._where())  # fmt: skip

    def _where(self) -> dict[str, Any]:
        return {
            "medium": self.medium, "place": list(self.place or ()), "size": self.size, "unit": self.unit,
            "n_changed": self.n_changed,
        }  # fmt: skip


def whole_item(
    *, how: How, at: datetime, why: str, decided_by: int | None = None, submission: int | None = None
) -> RegionProvenance:
    """Return the one row of a label that was decided as a whole."""
    return RegionProvenance(WHOLE_ITEM, how, at, decided_by=decided_by, submission=submission, why=why)


def to_documents(rows: Iterable[RegionProvenance]) -> list[dict[str, Any]]:
    """Return the rows as a settlement stores them. Raises ``ValueError`` where a region is named twice or not at all."""
    documents = [row.to_document() for row in rows]
    names = [entry["region"] for entry in documents]
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(f"Each region has one row and a name; given: {names}.")
    return documents


def read_provenance(documents: Sequence[Mapping[str, Any]]) -> tuple[RegionProvenance, ...]:
    """Return what :func:`to_documents` wrote; settlements from before it was kept have no rows."""
    return tuple(
        RegionProvenance(
            region=str(entry["region"]), how=_how(entry["how"]), at=datetime.fromisoformat(entry["at"]),
            label=str(entry.get("label", "")), decided_by=entry.get("decided_by"), submission=entry.get("submission"),
            why=str(entry.get("why", "")), medium=entry.get("medium"),
            place=tuple(entry["place"]) if entry.get("place") else None, size=entry.get("size"),
            unit=str(entry.get("unit", "")), n_changed=entry.get("n_changed"),
        )
        for entry in documents
    )  # fmt: skip


def _how(value: Any) -> How:
    for known in get_args(How):
        if value == known:
            return known  # type: ignore[no-any-return]
    raise ValueError(f"{value!r} is none of {', '.join(get_args(How))}.")
