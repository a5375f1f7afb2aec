"""R1: people draw in one working copy while messages are lost, doubled, late and out of order, windows and server crash.

A schedule ends with everybody online again. Then each acknowledged operation is in the log once, under its author, at the
place that was acknowledged; every window and the frozen submission hold the same masks; and both equal what a model of its
own says, which knows nothing of the fold: equal copies can agree and be wrong.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import transaction

from labelhub.accounts.models import User
from labelhub.annotations import documents, history, log
from labelhub.annotations.fold import Folding
from labelhub.annotations.layers import layer_digest, paint_layers
from labelhub.annotations.models import Document
from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment
from labelhub.config.soak.judging import SIDE, Ledger, judge_log, judge_state, judge_submission
from labelhub.config.soak.report import Progress, Trial, silent
from labelhub.config.soak.world import ACTOR, SoakWorld, add_item, make_world
from labelhub.workflow import lifecycle, together

# People at one image, and operations of a schedule: drawn anew for each.
FEWEST_EDITORS, EDITORS, FEWEST, MOST = 2, 5, 60, 200
# How likely each trouble is, at a message or at a turn.
LOST, DOUBLED, LATE, CRASHED, OFFLINE, ROLLED_BACK, BAKED = 0.15, 0.1, 0.1, 0.02, 0.1, 0.08, 0.06

# As often a window sends what is left at the end; a sound server has taken it long before.
PATIENCE = 50

Send = Callable[[Document, Sequence[log.Sending]], list[Any]]


@dataclass
class Window:
    """One person's window as the page's scripts keep it: what is acknowledged, what is pending, what to count on with."""

    user: User
    document: Document
    epoch: int
    fence: int
    base: dict[str, Any]
    replica: Folding = field(init=False)
    pending: list[dict[str, Any]] = field(default_factory=list)
    client_id: uuid.UUID = field(default_factory=uuid.uuid4)
    number: int = 1
    offline_for: int = 0

    def __post_init__(self) -> None:
        self.replica = Folding(self.base)

    def crash(self) -> None:
        """Lose all but the outbox, and open again."""
        self.replica = Folding(self.base)
        self.client_id, self.number = uuid.uuid4(), 1

    def sending(self) -> log.Sending:
        """Return what is pending, numbered."""
        operations = [
            {**operation, "client_seq": self.number + place} for place, operation in enumerate(self.pending[:20])
        ]
        return log.Sending(self.user, self.client_id, operations, self.epoch, self.fence)

    def hear(self, answer: Any) -> None:
        """Take an acknowledgement in."""
        if isinstance(answer, log.Acknowledged):
            self.number = answer.next_client_seq
            self.pending = [operation for operation in self.pending if operation["op_id"] not in answer.seq]
            if answer.refused is not None and answer.refused.code != "sequence-gap":
                self.pending = [one for one in self.pending if one["op_id"] != answer.refused.op_id]

    def pull(self) -> None:
        """Catch up with the log."""
        while acts := history.operations_after(self.document, self.replica.head_seq, most=50):
            known = {act.op_id for act in acts}
            self.pending = [operation for operation in self.pending if operation["op_id"] not in known]
            for act in acts:
                self.replica.apply(act)


def try_coedits(*, n: int, seed: int, progress: Progress = silent, most: int = MOST, send: Send | None = None) -> Trial:
    """Play ``n`` schedules. ``send`` stores sendings and may be broken on purpose by a test."""
    trial = Trial("nothing acknowledged is lost or doubled, and all copies are what a model says", seed)
    world = make_world(n_annotators=EDITORS, readers=1, max_readers=1, use_model=False, with_brush=True)
    n_operations = 0
    with trial.while_there_is_time():
        for number in range(n):
            rng = np.random.default_rng([seed, number])
            n_operations += _play(trial, world, rng, f"schedule {number}: ", most, send or _sent)
            trial.n += 1
            progress(trial.n, n)
    trial.facts["operations"] = n_operations
    return trial


def _sent(document: Document, sendings: Sequence[log.Sending]) -> list[Any]:
    return log.append_together(document=document, sendings=sendings)


def _play(trial: Trial, world: SoakWorld, rng: np.random.Generator, told: str, most: int, send: Send) -> int:
    people = world.annotators[: int(rng.integers(FEWEST_EDITORS, EDITORS + 1))]
    work = shared_work(world, rng, people)
    document = documents.document_of(assignment=work)
    windows = [Window(user, document, document.epoch, work.fence, dict(document.base)) for user in people]
    ledger = Ledger()
    late: list[log.Sending] = []
    wanted = int(rng.integers(FEWEST, most + 1))
    made = 0
    while made < wanted:
        made += sum(act(window, ledger, rng) for window in windows if rng.random() < 0.5)
        _moment(windows, document, ledger, late, rng, send)
    for sending in late:
        ledger.note(send(document, [sending])[0])
    for window in windows:
        window.pull()
        for _ in range(PATIENCE):
            if not window.pending:
                break
            answer = send(document, [window.sending()])[0]
            ledger.note(answer)
            window.hear(answer)
    for window in windows:
        window.pull()
        trial.check(not window.pending, f"{told}a window cannot get rid of its work")
    judge(trial, told, work, document, windows, ledger)
    return made


def shared_work(
    world: SoakWorld, rng: np.random.Generator, people: Sequence[User] = (), size: tuple[int, int] = (SIDE, SIDE)
) -> Assignment:
    """Return a new image that ``people`` label together: all of the world's annotators where none are named."""
    people = people or world.annotators
    item = add_item(world, rng, size)
    make_batch(project=world.project, name=uuid.uuid4().hex, items=[item], by=ACTOR, is_shared=True)
    work = lifecycle.hand_out(labeler=world.labeler(people[0]))
    assert work is not None
    for user in people[1:]:
        together.join(assignment=work, by=user)
    return work


def act(window: Window, ledger: Ledger, rng: np.random.Generator) -> int:
    """Let the person do up to five things."""
    count = int(rng.integers(1, 6))
    for _ in range(count):
        kind, payload = _something(window, rng)
        op_id = str(uuid.UUID(bytes=rng.bytes(16), version=4))
        operation = {"op_id": op_id, "kind": kind, "payload": payload}
        ledger.made[op_id] = (window.user, operation)
        window.pending.append(operation)
    return count


def _something(window: Window, rng: np.random.Generator) -> tuple[str, dict[str, Any]]:
    shapes = list(window.replica.shapes.values())
    own = [mark for mark in window.replica.marks.values() if mark.author == str(window.user.public_id)]
    draw = rng.random()
    if draw < 0.45:
        payload = {
            "stroke_id": uuid.UUID(bytes=rng.bytes(16)).hex, "medium": 0, "plane": "axial", "index": 0, "label": "area",
            "mode": "add" if rng.random() < 0.7 else "erase", "tip": "square", "radius": int(rng.integers(4, 25)),
            "points": rng.integers(0, 4 * SIDE + 1, 2).tolist(),
        }  # fmt: skip
        return "stroke.add", payload
    if draw < 0.55 and own:
        mark = own[int(rng.integers(len(own)))]
        return ("stroke.redo" if mark.is_undone else "stroke.undo"), {"stroke_id": mark.mark_id}
    if draw < 0.75 or not shapes:
        shape_id = uuid.UUID(bytes=rng.bytes(16)).hex
        return "shape.add", {"shape_id": shape_id, "medium": 0, "label": "nucleus", "regions": _square(rng)}
    shape = shapes[int(rng.integers(len(shapes)))]
    if draw < 0.9:
        base = {"shape_id": shape.shape_id, "base_version": shape.version}
        return "shape.geometry", base | {"regions": _square(rng)}
    return ("shape.restore" if shape.is_deleted else "shape.delete"), {"shape_id": shape.shape_id}


def _square(rng: np.random.Generator) -> list[dict[str, Any]]:
    x, y = (int(value) for value in rng.integers(0, SIDE - 8, 2))
    return [{"kind": "polygon", "points": [[x, y], [x + 8, y], [x + 8, y + 8], [x, y + 8]]}]


def _moment(
    windows: Sequence[Window], document: Document, ledger: Ledger, late: list[log.Sending], rng: np.random.Generator,
    send: Send,
) -> None:  # fmt: skip
    """What befalls the windows at one moment; what reaches the server now is stored together, in any order."""
    if rng.random() < BAKED:
        history.bake(document, keep=int(rng.integers(10, 40)))
    reaching: list[tuple[Window | None, log.Sending]] = []
    for window in windows:
        reaching += _reaching(window, late, rng)
    if late and rng.random() < 0.5:
        reaching.append((None, late.pop(int(rng.integers(len(late))))))
    reaching = [reaching[place] for place in rng.permutation(len(reaching))]
    sendings = [sending for _, sending in reaching]
    if sendings and rng.random() < ROLLED_BACK:
        _store_and_crash(document, sendings, send)
    elif sendings:
        for (sender, _), answer in zip(reaching, send(document, sendings), strict=True):
            # An answer that is lost was acknowledged to nobody: the window sends again.
            if rng.random() >= LOST:
                ledger.note(answer)
                if sender is not None:
                    sender.hear(answer)
    for window in windows:
        if not window.offline_for and rng.random() >= 0.5:
            window.pull()


def _reaching(
    window: Window, late: list[log.Sending], rng: np.random.Generator
) -> list[tuple[Window | None, log.Sending]]:
    """What a window sends that arrives now: nothing while it is offline or lost, once, or twice."""
    if window.offline_for:
        window.offline_for -= 1
        return []
    if rng.random() < OFFLINE:
        window.offline_for = int(rng.integers(1, 8))
        return []
    if rng.random() < CRASHED:
        window.crash()
    if not window.pending or rng.random() < LOST:
        return []
    sending = window.sending()
    if rng.random() < LATE:
        late.append(sending)
        return []
    # Of two copies only the first is what the window waits for.
    return [(window, sending), (None, sending)] if rng.random() < DOUBLED else [(window, sending)]


def _store_and_crash(document: Document, sendings: Sequence[log.Sending], send: Send) -> None:
    """The server ends before the commit."""
    with transaction.atomic():
        send(document, sendings)
        transaction.set_rollback(True)


def judge(
    trial: Trial, told: str, work: Assignment, document: Document, windows: Sequence[Window], ledger: Ledger
) -> None:
    """Hold the log, the windows and the submission against what was acknowledged and against the model."""
    rows = judge_log(trial, told, document, ledger)
    if rows is None:
        return
    standing = judge_state(trial, told, document, rows, ledger)
    for window in windows:
        own = paint_layers(window.replica.state(), {0: (1, SIDE, SIDE)}, {})
        digests = {key: layer_digest(one) for key, one in own.items()}
        same = digests == {key: layer_digest(one) for key, one in standing.layers.items()}
        trial.check(same, f"{told}a window shows another mask than the server")
        trial.check(window.replica.head_seq == len(rows), f"{told}a window stopped before the end of the log")
    judge_submission(trial, told, work, standing.mask, bool(rows))
