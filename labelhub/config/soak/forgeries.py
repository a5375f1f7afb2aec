"""S4: a colleague with a seat at the same image forges, splices and replays what another sent.

What the other's operations say, who made them and where they stand never changes, nor whether their strokes are painted; the
other goes on with the next number; and all that is new stands under the name of whoever sent it.
"""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np

from labelhub.accounts.models import User
from labelhub.annotations import documents, history, log
from labelhub.annotations.models import Document, Operation
from labelhub.config.soak.coedits import shared_work
from labelhub.config.soak.judging import SIDE
from labelhub.config.soak.report import Progress, Trial, silent
from labelhub.config.soak.world import SoakWorld, make_world

A_DOCUMENT, A_GROUP = 400, 20
N_OWN = 12


def try_forgeries(*, n: int, seed: int, progress: Progress = silent) -> Trial:
    """Send ``n`` forged frames by the second annotator against what the first made."""
    trial = Trial("no forged, spliced or replayed frame changes another's record", seed)
    world = make_world(n_annotators=2, readers=1, max_readers=1, use_model=False, with_brush=True)
    scene: _Scene | None = None
    answers: dict[str, int] = {}
    with trial.while_there_is_time():
        for number in range(-(-n // A_GROUP)):
            rng = np.random.default_rng([seed, number])
            if scene is None or number % (A_DOCUMENT // A_GROUP) == 0:
                scene = _Scene(world, rng)
            count = min(A_GROUP, n - trial.n)
            scene.attack(trial, rng, count, answers)
            trial.n += count
            progress(trial.n, n)
    trial.facts |= {f"“{code}”": count for code, count in sorted(answers.items())}
    return trial


class _Scene:
    """One document: what the first annotator made, and who attacks it."""

    def __init__(self, world: SoakWorld, rng: np.random.Generator) -> None:
        self.victim, self.attacker = world.annotators
        self.document: Document = documents.document_of(assignment=shared_work(world, rng))
        self.client_id, self.own_client = uuid.uuid4(), uuid.uuid4()
        self.made: list[dict[str, Any]] = []
        self.go_on(N_OWN, rng)
        self.record = self.recorded()

    def go_on(self, count: int, rng: np.random.Generator) -> log.Acknowledged:
        """Let the first annotator draw on under their own count."""
        first = len(self.made) + 1
        fresh = [_made(rng, first + place) for place in range(count)]
        self.made += fresh
        return log.append_operations(
            document=self.document, author=self.victim, client_id=self.client_id, operations=fresh
        )

    def recorded(self) -> tuple[list[Any], list[Any]]:
        """What the first annotator's operations say and which of their strokes are painted."""
        rows = Operation.objects.filter(document=self.document, author=self.victim).order_by("seq")
        said = list(rows.values_list("seq", "op_id", "client_id", "client_seq", "kind", "payload", "at"))
        state = history.state_of(Document.objects.get(pk=self.document.pk))
        marks = [mark for mark in state.marks.values() if mark.author == str(self.victim.public_id)]
        return said, marks

    def attack(self, trial: Trial, rng: np.random.Generator, count: int, answers: dict[str, int]) -> None:
        """Send some frames, then hold the record against what it was, and let the first annotator go on."""
        before = documents.head_of(self.document)
        for _ in range(count):
            sending = self.forged(rng)
            answer = log.append_together(document=self.document, sendings=[sending])[0]
            refused = answer.refused if isinstance(answer, log.Acknowledged) else answer
            code = "taken" if refused is None else str(getattr(refused, "code", type(refused).__name__))
            answers[code] = answers.get(code, 0) + 1
        fresh = Operation.objects.filter(document=self.document, seq__gt=before)
        others = fresh.exclude(author=self.attacker).count()
        trial.check(not others, f"try {trial.n}: {others} operations were stored under another's name")
        trial.check(self.recorded() == self.record, f"try {trial.n}: what another made was changed")
        answer = self.go_on(1, rng)
        trial.check(answer.refused is None, f"try {trial.n}: the other cannot go on: {answer.refused}")
        self.record = self.recorded()

    def forged(self, rng: np.random.Generator) -> log.Sending:
        """Return a frame as the attacker's socket would hand it in: the author is always the session's."""
        theirs = [dict(self.made[int(rng.integers(len(self.made)))]) for _ in range(int(rng.integers(1, 4)))]
        number = log.next_client_seq(self.document, self.own_client)
        operations = [self._twisted(rng, one, number + place) for place, one in enumerate(theirs)]
        draw = rng.random()
        client_id = self.client_id if draw < 0.2 else uuid.uuid4() if draw < 0.4 else self.own_client
        if client_id == self.client_id and rng.random() < 0.5:
            operations = [one | {"client_seq": len(self.made) + 1 + place} for place, one in enumerate(operations)]
        epoch = 1 if rng.random() < 0.95 else int(rng.integers(-3, 9))
        return log.Sending(self.attacker, client_id, operations, epoch, self.document.assignment.fence)

    def _twisted(self, rng: np.random.Generator, theirs: dict[str, Any], number: int) -> dict[str, Any]:
        """Return another's operation as it was, or with parts of it exchanged."""
        forged = {**theirs, "client_seq": number if rng.random() < 0.7 else theirs["client_seq"]}
        draw = rng.random()
        if draw < 0.6:
            forged["op_id"] = str(uuid.UUID(bytes=rng.bytes(16), version=4))
        if 0.2 < draw < 0.8:
            forged |= _signed(self.victim, theirs, rng)
        kind = theirs["kind"]
        if kind == "stroke.add" and rng.random() < 0.5:
            forged["kind"] = str(rng.choice(["stroke.undo", "stroke.redo"]))
        elif rng.random() < 0.3:
            fresh = _made(rng, number)
            forged["kind"], forged["payload"] = fresh["kind"], {**fresh["payload"]}
        if rng.random() < 0.5:
            forged["payload"] = {**forged["payload"], **_signed(self.victim, theirs, rng)}
        if rng.random() < 0.3 and "points" in forged["payload"]:
            forged["payload"] = {**forged["payload"], "points": [1, 1], "mode": "erase"}
        return forged


def _signed(victim: User, theirs: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return fields that would make somebody else the author if any of them were believed."""
    name = str(victim.public_id)
    return {
        "author": name, "author_id": victim.pk, "user": {"id": name}, "seq": int(rng.integers(1, 20)), "who": {"id": name},
        "document": theirs["op_id"], "at": "2001-01-01T00:00:00Z", "id": 1, "pk": 1,
    }  # fmt: skip


def _made(rng: np.random.Generator, number: int) -> dict[str, Any]:
    """Return an operation that draws something new."""
    op_id, name = str(uuid.UUID(bytes=rng.bytes(16), version=4)), uuid.UUID(bytes=rng.bytes(16)).hex
    x, y = (int(value) for value in rng.integers(0, SIDE - 8, 2))
    if rng.random() < 0.5:
        outline = [[x, y], [x + 8, y], [x + 8, y + 8], [x, y + 8]]
        regions = [{"kind": "polygon", "points": outline}]
        payload = {"shape_id": name, "medium": 0, "label": "nucleus", "regions": regions}
        return {"op_id": op_id, "client_seq": number, "kind": "shape.add", "payload": payload}
    payload = {
        "stroke_id": name, "medium": 0, "plane": "axial", "index": 0, "label": "area", "mode": "add", "tip": "square",
        "radius": 8, "points": [4 * x, 4 * y],
    }  # fmt: skip
    return {"op_id": op_id, "client_seq": number, "kind": "stroke.add", "payload": payload}
