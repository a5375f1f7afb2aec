"""Pictures that a project's instructions show: added from a file or from an item, taken out again.

A file from outside is decoded by the limited child like any other upload; what is kept and served is a picture made anew from
its pixels. Not here: which items may be shown (``workflow.examples``: never gold), and the instructions' text (``projects``).
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from numpy.typing import NDArray

from labelhub.audit import services as audit
from labelhub.catalog.blobs import read_blob, store_blob
from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.ingest_items import suggested_window
from labelhub.catalog.models import Example, Item, Medium
from labelhub.catalog.sandbox import Decoder
from labelhub.catalog.selectors import read_slice, windowed
from labelhub.formats import pixel_blob
from labelhub.formats.pixels.files import SourceFile
from labelhub.projects.models import Project
from labelhub.projects.permissions import NotFound, Person, visible_to

MOST_EXAMPLES, MOST_CAPTION = 24, 300
MOST_FILE_BYTES = 32 << 20
# A longer side is made smaller: it is looked at beside a text.
LONGEST_SIDE = 1400


def examples_of(project: Project) -> QuerySet[Example]:
    """Return what the instructions show now, in their order."""
    return Example.objects.filter(project=project, removed_at=None).select_related("from_item").order_by("pk")


def example_for(user: Person, project: Project, pk: int) -> Example:
    """Return an example that is shown now, for a member of its project. Raises ``NotFound``."""
    row = visible_to(user, examples_of(project)).filter(pk=pk).select_related("picture").first()
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


def remove(*, example: Example, by: str) -> None:
    """Show an example no more; taking it out twice is once. Writes ``example.removed``."""
    with transaction.atomic():
        if Example.objects.filter(pk=example.pk, removed_at=None).update(removed_at=timezone.now()):
            _record(example, "example.removed", by)


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
    if marker not in Example.Marker.values:
        raise CatalogProblem("An example is good, bad, or neither.", remedy="Choose one of them.")
    if len(caption.strip()) > MOST_CAPTION:
        raise CatalogProblem(f"A caption has at most {MOST_CAPTION} characters.", remedy="Shorten it.")
    if examples_of(project).count() >= MOST_EXAMPLES:
        raise CatalogProblem(
            f"The instructions show {MOST_EXAMPLES} examples, and nobody looks at more.", remedy="Take one out first."
        )


def _record(example: Example, kind: str, by: str) -> None:
    facts = {"example": example.pk, "picture": example.picture_id, "marker": example.marker}
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
