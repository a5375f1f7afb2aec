"""The draft of the pictures that a project's instructions show: added from a file or an item, given other captions, taken out.

A file from outside is decoded by the limited child like any other upload; what is kept and served is a picture made anew from
its pixels. What labelers see is what the version before them was published with (``published_examples``). Not here: which
items may be shown (``workflow.examples``: never gold), and the instructions' text (``projects``).
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from numpy.typing import NDArray

from labelhub.accounts.models import User
from labelhub.audit import services as audit
from labelhub.catalog.blobs import read_blob, store_blob
from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.ingest_items import suggested_window
from labelhub.catalog.models import Example, Item, Medium
from labelhub.catalog.sandbox import Decoder
from labelhub.catalog.selectors import read_slice, windowed
from labelhub.formats import pixel_blob
from labelhub.formats.pixels.files import SourceFile
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project
from labelhub.projects.permissions import NotFound
from labelhub.projects.services import keep_stale_edit

MOST_EXAMPLES, MOST_CAPTION = 24, 300
MOST_FILE_BYTES = 32 << 20
# A longer side is made smaller: it is looked at beside a text.
LONGEST_SIDE = 1400


class StaleCaption(DomainError):
    """Somebody else gave the example another caption meanwhile; what was sent is kept beside it."""

    def __init__(self) -> None:
        super().__init__(
            "Somebody changed this example meanwhile. Your caption was not taken and is kept below. Look at theirs, then "
            "change it again.",
            code="stale-caption", status=409,
        )  # fmt: skip


def examples_of(project: Project) -> QuerySet[Example]:
    """Return what the next version of the instructions will show, in its order."""
    return Example.objects.filter(project=project, removed_at=None).select_related("from_item").order_by("pk")


def drafted(project: Project, pk: int) -> Example:
    """Return an example of the draft. Raises ``NotFound``."""
    row = examples_of(project).filter(pk=pk).first()
    if row is None:
        raise NotFound("There is no such example in these instructions.")
    return row


def kept_example(project: Project, pk: int) -> Example:
    """Return an example of the draft or of a published version that was not withdrawn. Raises ``NotFound``."""
    row = Example.objects.filter(project=project, pk=pk, withdrawn_at=None).first()
    if row is None:
        raise NotFound("There is no such example in these instructions.")
    return row


def png_of(example: Example) -> bytes:
    """Return the example's picture."""
    return read_blob(example.picture)


def is_example(item: Item) -> bool:
    """Whether the item's picture was ever shown in the instructions: everybody may have seen it."""
    return Example.objects.filter(from_item=item).exists()


def shown_items(project: Project) -> frozenset[int]:
    """Return the ids of the items whose pictures were ever shown in the instructions."""
    rows = Example.objects.filter(project=project, from_item__isnull=False)
    return frozenset(pk for pk in rows.values_list("from_item", flat=True) if pk is not None)


def add_from_file(*, project: Project, content: bytes, name: str, caption: str, marker: str, by: str) -> Example:
    """Add the first picture of a file (of a volume its middle slice). Writes ``example.added``. Raises ``CatalogProblem``."""
    _check(project, caption, marker)
    if not content or len(content) > MOST_FILE_BYTES:
        raise CatalogProblem(
            f"A picture here has 1 byte to {MOST_FILE_BYTES >> 20} MiB; this one has {len(content)} bytes.",
            remedy="Choose another, or make it smaller.",
        )
    return _add(project, _png(_decoded(content, name)), caption, marker, None, by)


def add_from_item(*, item: Item, z: int | None, caption: str, marker: str, by: str) -> Example:
    """Add an axial slice of an item's first picture (None: the middle one), under its window.

    Writes ``example.added``. Raises ``CatalogProblem``.
    """
    _check(item.project, caption, marker)
    medium = Medium.objects.filter(item=item, pixels__isnull=False).order_by("ordinal").first()
    if medium is None:
        raise CatalogProblem("Of this item only the grid is known.", remedy="Choose one with a picture.")
    index = medium.size_z // 2 if z is None else z
    if not 0 <= index < medium.size_z:
        raise CatalogProblem(f"This item has slices 1 to {medium.size_z}.", remedy="Choose one of them.")
    tile = read_slice(medium, "axial", index)
    rows = np.frombuffer(tile.content, dtype=np.dtype(tile.dtype).newbyteorder("<"))
    rows = rows.reshape((tile.height, tile.width) if tile.channels == 1 else (tile.height, tile.width, tile.channels))
    window = None
    if medium.window_center is not None and medium.window_width is not None:
        window = (medium.window_center, medium.window_width)
    return _add(item.project, _png(windowed(rows, window)), caption, marker, item, by)


def recaption(*, example: Example, caption: str, marker: str, seen: tuple[str, str], by: User) -> Example:
    """Give an example of the draft another caption or marker; published versions keep theirs. Writes ``example.captioned``.

    ``seen`` is the caption and marker that ``by`` had before them. Raises ``CatalogProblem`` for what cannot be one, and
    ``StaleCaption`` where somebody was quicker: what was sent is kept then.
    """
    _check_words(caption, marker)
    words = caption.strip()
    with transaction.atomic():
        row = Example.objects.select_for_update().get(pk=example.pk)
        if (row.caption, row.marker) == (words, marker):
            return row
        is_current = row.removed_at is None and (row.caption, row.marker) == seen
        if is_current:
            Example.objects.filter(pk=row.pk).update(caption=words, marker=marker)
            row.caption, row.marker = words, marker
            _record(row, "example.captioned", f"user:{by.pk}", {"caption": _digest(words)})
        else:
            keep_stale_edit(
                project=row.project, what="example", subject=f"example:{row.pk}", seen=_told(*seen),
                newest=_told(row.caption, row.marker), content={"text": _told(words, marker)}, by=by,
            )  # fmt: skip
    if not is_current:
        raise StaleCaption
    return row


def remove(*, example: Example, by: str) -> None:
    """Take an example out of the draft: the next version goes without it. Twice is once. Writes ``example.removed``."""
    with transaction.atomic():
        if Example.objects.filter(pk=example.pk, removed_at=None).update(removed_at=timezone.now()):
            _record(example, "example.removed", by)


def withdraw(*, example: Example, by: str) -> None:
    """Show an example's picture to nobody any more, in no version. Twice is once. Writes ``example.withdrawn``."""
    now = timezone.now()
    with transaction.atomic():
        if Example.objects.filter(pk=example.pk, withdrawn_at=None).update(withdrawn_at=now):
            Example.objects.filter(pk=example.pk, removed_at=None).update(removed_at=now)
            _record(example, "example.withdrawn", by)


def _add(project: Project, png: bytes, caption: str, marker: str, item: Item | None, by: str) -> Example:
    blob = store_blob(content=png, kind="example")
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        same = examples_of(project).filter(picture=blob, caption=caption.strip(), marker=marker).first()
        if same is not None:
            return same
        example = Example.objects.create(
            project=project, picture=blob, caption=caption.strip(), marker=marker, from_item=item, added_by=by[:80]
        )
        _record(example, "example.added", by)
    return example


def _check(project: Project, caption: str, marker: str) -> None:
    _check_words(caption, marker)
    if examples_of(project).count() >= MOST_EXAMPLES:
        raise CatalogProblem(
            f"The instructions show {MOST_EXAMPLES} examples, and nobody looks at more.", remedy="Take one out first."
        )


def _check_words(caption: str, marker: str) -> None:
    if marker not in Example.Marker.values:
        raise CatalogProblem("An example is good, bad, or neither.", remedy="Choose one of them.")
    if len(caption.strip()) > MOST_CAPTION:
        raise CatalogProblem(f"A caption has at most {MOST_CAPTION} characters.", remedy="Shorten it.")


def _told(caption: str, marker: str) -> str:
    return f"{marker or 'neither'}: {caption}"


def _digest(caption: str) -> str:
    return hashlib.sha256(caption.encode()).hexdigest()


def _record(example: Example, kind: str, by: str, more: Mapping[str, str] | None = None) -> None:
    facts = {"example": example.pk, "picture": example.picture_id, "marker": example.marker, **(more or {})}
    audit.append(
        project_id=example.project_id, kind=kind, actor=by, subject=f"project:{example.project_id}", facts=facts
    )


def _decoded(content: bytes, name: str) -> NDArray[np.uint8]:
    scratch: Path = settings.ENVIRONMENT.var / "work"
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="example-") as folder:
        place = Path(folder)
        (place / "picture").write_bytes(content)
        with Decoder(scratch=place) as decoder:
            outcome = decoder.decode([SourceFile(place / "picture", name[:200])], into=place)
        if not outcome.media:
            refusal = outcome.refused[0].refusal if outcome.refused else None
            raise CatalogProblem(
                "This file holds no picture that can be read." if refusal is None else refusal.message,
                remedy="Choose another." if refusal is None or not refusal.remedy else refusal.remedy,
            )
        medium = outcome.media[0]
        rows = pixel_blob.read_slice(medium.path, "axial", medium.grid.size[0] // 2)
        return windowed(rows, suggested_window(medium.path, medium))


def _png(rows: NDArray[Any]) -> bytes:
    from PIL import Image

    picture = Image.fromarray(rows)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    out = io.BytesIO()
    picture.save(out, format="PNG", optimize=False)
    return out.getvalue()
