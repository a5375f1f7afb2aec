"""What pages and JSON show in a blind review: an item's story, layers, comments and disputes under letters.

Only what is shown is changed: rows are as they are, and nothing here is saved. Not here: the letters (``reviews.pseudonyms``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from labelhub.analytics.item_story import ItemStory
from labelhub.analytics.layers import Layer
from labelhub.projects.models import Labeler
from labelhub.reviews.models import Dispute, Thread
from labelhub.reviews.pseudonyms import A_READER, Veil
from labelhub.reviews.writing import written_by


def veiled_story(story: ItemStory, veil: Veil) -> ItemStory:
    """Return the story as it is told behind the veil, its readers in the order of their letters.

    Also where names are shown: who wrote behind a veil of their own wrote letters.
    """
    for reader in story.readers:
        for said in (reader.decision, reader.appraisal):
            if said is not None:
                said.comment = veil.text(said.comment, said.reviewer_id)
    if not veil.is_drawn:
        return story
    for reader in story.readers:
        for labeler in (reader.labeler, reader.submission.assignment.labeler):
            rename(labeler, veil)
    for pair in story.pairs:
        for submission in (pair.first, pair.second):
            rename(submission.assignment.labeler, veil)
    for route in story.routes:
        route.reason = veil.text(route.reason)
    return replace(
        story, readers=tuple(sorted(story.readers, key=lambda reader: reader.labeler.name)),
        disagreement=replace(story.disagreement, apart=veil.text(story.disagreement.apart)),
    )  # fmt: skip


def veiled_layers(layers: tuple[Layer, ...], veil: Veil, owners: Mapping[str, int]) -> tuple[Layer, ...]:
    """Return the layers under letters; ``owners`` are the labelers' ids by the layers' keys."""
    if not veil.is_drawn:
        return layers
    shown = [
        replace(layer, name=veil.letters.get(owners.get(layer.key, 0), A_READER))
        if layer.kind in ("reader", "earlier")
        else layer
        for layer in layers
    ]
    readers = sorted((layer for layer in shown if layer.kind == "reader"), key=lambda layer: layer.name)
    return (*readers, *(layer for layer in shown if layer.kind != "reader"))


def veil_threads(threads: Iterable[tuple[Thread, Sequence[Any]]], veil: Veil) -> None:
    """Give each comment ``who`` wrote it and the words as ``shown``; the reading that a thread is about goes by its letter."""
    for thread, said in threads:
        if thread.submission is not None:
            rename(thread.submission.assignment.labeler, veil)
        for comment in said:
            comment.who, comment.shown = written_by(thread, comment.by, veil), veil.text(comment.text, comment.by_id)


def veil_disputes(disputes: Iterable[Dispute], veil: Veil) -> None:
    """Let disputes be told by letters: whose reading, their reason, and what the reviewer wrote."""
    for dispute in disputes:
        rename(dispute.ticket.submission.assignment.labeler, veil)
        dispute.reason = veil.text(dispute.reason)
        returned = dispute.ticket.decision
        dispute.ticket.words = veil.text(dispute.ticket.words, None if returned is None else returned.reviewer_id)


def veil_asked(rows: Iterable[Any], veil: Veil) -> None:
    """Let questions and claims be told by letters: of whom, and in their own words."""
    for row in rows:
        rename(row.assignment.labeler, veil)
        for name in ("text", "reason"):
            if hasattr(row, name):
                setattr(row, name, veil.text(getattr(row, name)))


def rename(labeler: Labeler, veil: Veil) -> None:
    """Let a labeler that is about to be shown carry the letter; nothing is saved."""
    labeler.name = veil.labeler(labeler)
