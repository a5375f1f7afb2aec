"""An item with a photograph and a volume (grids only), and Ann's open assignment on it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.annotations import documents, log
from labelhub.annotations.models import Document
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item, Medium
from labelhub.projects.selectors import labeler_of
from tests.cast import Cast

POLYGON = [[10.0, 10.0], [40.0, 12.0], [30.0, 40.0]]


@dataclass
class Client:
    """A browser: numbers its operations and sends them."""

    document: Document
    author: User
    client_id: uuid.UUID = field(default_factory=uuid.uuid4)
    numbers: Any = field(default_factory=lambda: count(1))

    def operation(self, kind: str, **payload: Any) -> dict[str, Any]:
        return {"op_id": str(uuid.uuid4()), "client_seq": next(self.numbers), "kind": kind, "payload": payload}

    def send(self, *operations: dict[str, Any], **rest: Any) -> log.Acknowledged:
        return log.append_operations(
            document=self.document, author=self.author, client_id=self.client_id, operations=list(operations), **rest
        )

    def do(self, kind: str, **payload: Any) -> log.Acknowledged:
        return self.send(self.operation(kind, **payload))

    def refusal(self, kind: str, **payload: Any) -> str:
        refused = self.do(kind, **payload).refused
        self.numbers = count(log.next_client_seq(self.document, self.client_id))
        return refused.code if refused else ""


@pytest.fixture
def item(cast: Cast) -> Item:
    item = Item.objects.create(project=cast.project, code="K7Q2")
    Medium.objects.create(item=item, ordinal=0, kind="photograph", size_y=100, size_x=120, channels=3)
    Medium.objects.create(item=item, ordinal=1, kind="volume", size_z=6, size_y=50, size_x=40)
    return item


@pytest.fixture
def assignment(cast: Cast, item: Item) -> Assignment:
    return Assignment.objects.create(
        item=item, labeler=labeler_of(cast.ann, cast.project), read_kind="independent", planned_blind=True,
        lease_until=timezone.now() + timedelta(hours=1),
    )  # fmt: skip


@pytest.fixture
def client_of_ann(cast: Cast, assignment: Assignment) -> Client:
    return Client(documents.document_of(assignment=assignment), cast.ann)
