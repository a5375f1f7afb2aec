"""The script of the two-worlds trial: what happens around Ann, and all that she asks the server for.

Ben and Cleo read every item before and after her, some items have gold, Rita reviews. The script is the same in both worlds:
which item Ann is given when, and the declared disclosures (work that came back, with its comment and marks; what became of a
dispute; feedback on training; an answer to her question). Clock and chance stand still. Not here: comparing the two worlds
(``two_worlds``).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np
import orjson
from django.test import Client

from labelhub.accounts.services import create_person
from labelhub.annotations.models import Submission
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.config.soak.frozen import Frozen
from labelhub.formats.shapes import Reading, Region, Shape
from labelhub.projects.models import Labeler, Role
from labelhub.projects.ontology import read_ontology
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_guideline, labeler_of
from labelhub.projects.services import acknowledge_guideline, add_member, create_project
from labelhub.reviews.models import Question
from labelhub.scoring.gold import make_gold
from labelhub.workflow import handing_out, lifecycle, returning

SIZE = 64
# Stands in whatever Ann may not see, and nowhere else.
CANARY = "canary-"
OWN, FAR = (10.0, 10.0, 30.0, 30.0), (38.0, 36.0, 58.0, 60.0)
SEEN = {"media": [{"medium": 0, "whole": True}]}
RETURN_EVERY = 5
GOLD_EVERY = 3
SKIP_EVERY = 7
# In each round of ``RETURN_EVERY`` sittings: which puts an image aside, takes one back, trains.
ASIDE_AT, RECALL_AT, TRAINING_AT = 0, 1, 2
# Training items get numbers that no other item has.
TRAINING_ITEMS = 1_000_000
MARKS: dict[str, Any] = {
    "version": "1", "kind": "coarse",
    "regions": [{"medium": 0, "z": 0, "planes": [0, 0], "y": 12.0, "x": 12.0, "radius": 16.0, "unit": "px", "distance": 4.0}],
}  # fmt: skip
ONTOLOGY: dict[str, Any] = {
    "classes": [{"key": "nucleus", "name": "Nucleus", "colour": "#e4572e", "tool": "polygon", "shortcut": "1"}],
    "questions": [
        {"key": "quality", "text": "Quality", "kind": "choice", "choices": ["poor", "good"], "is_required": False,
         "measure": "nominal"},
        {"key": "remark", "text": "Remark", "kind": "text", "is_required": False},
    ],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of Ann's and all that came back."""

    request: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(slots=True)
class World:
    """What happened in one database: Ann's exchanges, and the hidden facts, which must differ between the worlds."""

    exchanges: list[Exchange] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    n_canaries: int = 0


class Script:
    """One world: the people, the items, and Ann's sittings one after the other."""

    def __init__(self, number: int, clock: Frozen) -> None:
        self.number, self.clock, self.steps = number, clock, 0
        self.world = World()
        people = {
            name: create_person(
                username=name.lower(), display_name=name if name == "Ann" else self._canary(), actor="soak"
            )
            for name in NAMES
        }
        self.ann, self.rita, self.ada, self.dora = people["Ann"], people["Rita"], people["Ada"], people["Dora"]
        # No rule may send work back by itself: that would be a disclosure of its own, which the script does not hold equal.
        policy = Policy(readers=3, max_readers=5, slip_agreement=0.0, gold_share=0.0, gold_share_undecided=0.0)
        self.project = create_project(
            name="Cells",
            ontology=read_ontology(ONTOLOGY),
            policy=policy,
            created_by=self.ada,
            guideline="Outline nuclei.",
        )
        for name, role in NAMES.items():
            if role:
                add_member(project=self.project, user=people[name], role=role, actor="soak")
        self.others = [labeler_of(people[name], self.project) for name in ("Ben", "Cleo")]
        self.me = labeler_of(self.ann, self.project)
        acknowledge_guideline(labeler=self.me, guideline=current_guideline(self.project))
        self.client = Client()
        self.client.force_login(self.ann)

    def run(self, sittings: int, tell: Callable[[int], None]) -> World:
        """Play all sittings; ``tell`` hears how many are done."""
        self.items = [self._item(n) for n in range(sittings)]
        for item in self.items:
            self._step()
            self._hidden_before(item)
        for n, item in enumerate(self.items):
            self._sitting(n, item)
            tell(n + 1)
        return self.world

    def _canary(self) -> str:
        self.world.n_canaries += 1
        return f"{CANARY}{self.world.n_canaries}"

    def _item(self, number: int) -> Item:
        self._step()
        pixels = np.random.default_rng(number).integers(0, 40, (SIZE, SIZE), dtype=np.uint8)
        pixels[10:30, 10:30] = 220
        return add_photograph(
            project=self.project,
            pixels=pixels,
            identity=ItemIdentity(subject=f"patient {number // 2}"),
            source_id=f"t{number}",
        )

    def _hidden_before(self, item: Item) -> None:
        """Ben reads; some items have gold: right or elsewhere, by the world."""
        number = self.items.index(item)
        self._record(item, self.others[0], self._hidden_box(number))
        if number % GOLD_EVERY == 0:
            lifecycle.record_reading(
                item=item, labeler=labeler_of(self.ada, self.project), is_gold=True,
                reading=self._reading(item, self._hidden_box(number), read_kind="adjudication", planned_blind=False),
            )  # fmt: skip

    def _hidden_after(self, number: int, item: Item) -> None:
        """Cleo reads too, and the item goes where its readings send it."""
        self._record(item, self.others[1], self._hidden_box(number))
        item.refresh_from_db()
        scores = sorted(Assignment.objects.filter(item=item).values_list("read_kind", "state"))
        self.world.hidden.append(f"{item.state} {item.wanted_reads} {scores}")

    def _hidden_box(self, number: int) -> tuple[float, float, float, float]:
        return OWN if self.number == 0 else (FAR if number % 2 else (12.0, 14.0, 40.0, 34.0))

    def _record(self, item: Item, labeler: Labeler, box: tuple[float, float, float, float]) -> None:
        lifecycle.record_reading(item=item, labeler=labeler, reading=self._reading(item, box))

    def _reading(self, item: Item, box: tuple[float, float, float, float], **given: Any) -> Reading:
        """A reading of somebody else: a box, a grade that depends on the world, and a canary."""
        shape = Shape("s1", "nucleus", (Region("polygon", np.array(_corners(box))),))
        answers = {"quality": ("good", "poor")[self.number], "remark": self._canary()}
        kinds: dict[str, Any] = {"read_kind": "independent", "planned_blind": True} | given
        return Reading(item.code, "", (shape,), answers, **kinds)

    def _sitting(self, number: int, item: Item) -> None:
        if Assignment.objects.filter(labeler=self.me, state=Assignment.State.OPEN).exists():
            raise RuntimeError(f"Before sitting {number} Ann holds work that the script did not give her.")
        with _handed_out(item):
            self._post("/label/next/", {"project": self.project.slug})
        assignment = Assignment.objects.get(item=item, labeler=self.me)
        if number % RETURN_EVERY == ASIDE_AT:
            self._put_aside(assignment)
        is_skipped = number % SKIP_EVERY == SKIP_EVERY - 1
        self._work(assignment, is_skipped=is_skipped)
        if number % RETURN_EVERY == RECALL_AT and not is_skipped:
            self._take_back(assignment)
        if number % RETURN_EVERY == TRAINING_AT:
            self._train(number)
        self._step()
        self._hidden_after(number, item)
        if number % RETURN_EVERY == RETURN_EVERY - 1:
            self._come_back(number)
        self._look_around(item)
        self._look_back(assignment)

    def _put_aside(self, assignment: Assignment) -> None:
        """Ann parks the image, goes on with it, asks about it, and reads Rita's answer: the same in both worlds."""
        page, queue = f"/label/{assignment.pk}", f"/label/?project={self.project.slug}"
        with _nothing_next():
            self._done(self._send(f"{page}/park/", {}))
            self._get(queue)
            self._done(self._post(f"{page}/resume/", {}))
            self._done(self._send(f"{page}/ask/", {"text": "Is the rim part of it?", "waits": True}))
            self._get(queue)
        self._step()
        question = Question.objects.get(assignment=assignment)
        lifecycle.answer(question=question, by=self.rita, text="Yes, up to the bright line.", is_general=False)
        with _nothing_next():
            self._get(queue)

    def _take_back(self, assignment: Assignment) -> None:
        """Ann takes back what nobody else went on with, and hands it in again; then it cannot be taken back twice."""
        self._done(self._post(f"/label/{assignment.pk}/recall/", {}))
        again = Assignment.objects.filter(follows=assignment).order_by("created_at").last()
        if again is None:
            raise RuntimeError("The submission was not taken back, so nothing is compared.")
        self._work(again, is_skipped=False)
        with _nothing_next():
            self._post(f"/label/{assignment.pk}/recall/", {})
            self._get(f"/label/?project={self.project.slug}")

    def _train(self, number: int) -> None:
        """Training and its feedback: a declared disclosure, whose gold is the same in both worlds."""
        item = self._item(TRAINING_ITEMS + number)
        reading = Reading(
            item.code, "", (Shape("s1", "nucleus", (Region("polygon", np.array(_corners(OWN))),)),), {},
            read_kind="adjudication", planned_blind=False,
        )  # fmt: skip
        gold = lifecycle.record_reading(
            item=item, labeler=labeler_of(self.ada, self.project), is_gold=True, reading=reading
        )
        make_gold(item=item, submission=gold, by="soak", kind="training")
        with _handed_out(item, read_kind="training"):
            self._post("/label/next/", {"project": self.project.slug})
        assignment = Assignment.objects.get(item=item, labeler=self.me)
        self._work(assignment, is_skipped=False)
        self._done(self._get(f"/label/{assignment.pk}/feedback/"))

    def _come_back(self, number: int) -> None:
        """A declared disclosure, the same in both worlds: Rita returns what Ann did last, with a comment."""
        submission = Submission.objects.filter(assignment__labeler=self.me).order_by("pk").last()
        if submission is None:
            return
        self._step()
        _until_reviewed(submission.assignment.item)
        # Where it differs is a declared disclosure too.
        with mock.patch.object(returning, "marks_for", return_value=MARKS):
            lifecycle.review(
                submission=submission, reviewer=self.rita, verdict="reject", score=3,
                comment=f"Look at the edge again ({number}).", request_id=uuid.uuid4(),
            )  # fmt: skip
        again = Assignment.objects.filter(labeler=self.me, read_kind="rework").order_by("created_at").last()
        if again is None or again.state != Assignment.State.OPEN:
            return
        self._post("/label/next/", {"project": self.project.slug})
        self._done(self._get(f"/api/v1/assignments/{again.pk}/ticket/"))
        if number // RETURN_EVERY % 2:
            self._work(again, is_skipped=False)
        else:
            self._dispute(again)

    def _dispute(self, work: Assignment) -> None:
        """Ann stands by her reading; whether it stands is a declared disclosure, the same in both worlds."""
        self._get(f"/label/{work.pk}/")
        with _nothing_next():
            self._done(self._send(f"/label/{work.pk}/dispute/", {"reason": "It ends at the bright line."}))
            self._get(f"/label/?project={self.project.slug}")
        self._step()
        self._record(work.item, labeler_of(self.dora, self.project), OWN)
        with _nothing_next():
            self._get(f"/label/?project={self.project.slug}")
            self._get(f"/label/{work.pk}/")

    def _work(self, assignment: Assignment, *, is_skipped: bool) -> None:
        """What the workspace does from opening to submitting."""
        api, page = f"/api/v1/assignments/{assignment.pk}", f"/label/{assignment.pk}"
        for address in (f"{page}/", f"{api}/media/", f"{api}/media/0/slice/axial/0/", f"{api}/media/0/thumbnail/"):
            self._get(address)
        workspace = orjson.loads(self._get(f"{api}/document/").body)
        if is_skipped:
            with _nothing_next():
                self._done(self._send(f"{page}/skip/", {"reason": "blurred"}))
            return
        operation = {
            "op_id": str(uuid.UUID(int=self.steps)), "client_seq": 1, "kind": "shape.add",
            "payload": {"shape_id": str(uuid.UUID(int=self.steps)), "medium": 0, "label": "nucleus",
                        "regions": [{"kind": "polygon", "points": _corners(OWN)}]},
        }  # fmt: skip
        self._done(self._send(
            f"{api}/document/",
            {"operations": [operation], "client_id": str(uuid.UUID(int=self.steps)), "epoch": workspace["epoch"],
             "fence": workspace["fence"]},
        ))  # fmt: skip
        self._done(self._send(f"{api}/document/heartbeat/", {}))
        with _nothing_next():
            self._done(
                self._send(
                    f"{page}/submit/",
                    {"request_id": str(uuid.UUID(int=self.steps)), "no_finding": False, "extent": SEEN},
                )
            )
        self._get(f"{page}/")
        self._get(f"{api}/document/")

    def _look_around(self, item: Item) -> None:
        """Everything else an annotator can open, also what is not hers."""
        project = self.project.slug
        with _nothing_next():
            for address in (
                f"/label/?project={project}", f"/label/me/?project={project}", f"/api/v1/projects/{project}/queue/",
                f"/search/?q={item.code}", "/", "/help/", "/account/", "/account/notifications/",
                "/account/notifications/count/", f"/manage/{project}/", f"/manage/{project}/items/",
                f"/manage/{project}/items/{item.code}/", "/review/", f"/review/{project}/{item.code}/", "/api/v1/media/1/",
            ):  # fmt: skip
                self._get(address)

    def _look_back(self, assignment: Assignment) -> None:
        """What is done is opened again, now that the item went its way."""
        api = f"/api/v1/assignments/{assignment.pk}"
        for address in (f"/label/{assignment.pk}/", f"{api}/media/", f"{api}/media/0/thumbnail/", f"{api}/document/"):
            self._get(address)

    def _get(self, address: str) -> Exchange:
        self._step()
        return self._note(f"GET {address}", self.client.get(address))

    def _post(self, address: str, form: Mapping[str, Any]) -> Exchange:
        self._step()
        return self._note(f"POST {address}", self.client.post(address, form))

    def _send(self, address: str, body: Mapping[str, Any]) -> Exchange:
        self._step()
        return self._note(
            f"POST {address}", self.client.post(address, orjson.dumps(body), content_type="application/json")
        )

    def _note(self, request: str, response: Any) -> Exchange:
        body = b"".join(response.streaming_content) if response.streaming else response.content
        cookies = tuple((name, morsel.OutputString()) for name, morsel in sorted(response.cookies.items()))
        exchange = Exchange(request, response.status_code, (*sorted(response.headers.items()), *cookies), body)
        self.world.exchanges.append(exchange)
        return exchange

    def _done(self, exchange: Exchange) -> Exchange:
        """Raise where a step of the script was refused: a script that does nothing compares nothing."""
        refused = b'"refused":{' in exchange.body.replace(b" ", b"")
        if exchange.status >= 400 or refused:
            raise RuntimeError(f"{exchange.request}: {exchange.status} {exchange.body[:400]!r}")
        return exchange

    def _step(self) -> None:
        self.steps += 1
        self.clock.step(self.steps)


NAMES: Mapping[str, str] = {
    "Ann": Role.ANNOTATOR,
    "Ben": Role.ANNOTATOR,
    "Cleo": Role.ANNOTATOR,
    "Dora": Role.ANNOTATOR,
    "Rita": Role.REVIEWER,
    "Ada": "",
}


@contextmanager
def _handed_out(item: Item, *, read_kind: str = "independent") -> Iterator[None]:
    """Let the next hand-out be this item: that it is handed out is a declared disclosure, which the script holds equal."""
    choice = handing_out.Choice(item, read_kind, planned_blind=read_kind == "independent", reason=f"{CANARY}reason")
    with mock.patch.object(handing_out, "choose", return_value=handing_out.Chosen(choice)):
        yield


@contextmanager
def _nothing_next() -> Iterator[None]:
    with (
        mock.patch.object(handing_out, "choose", return_value=handing_out.Chosen(None)),
        mock.patch("labelhub.web.labeling.outlook", return_value=handing_out.Outlook(has_work=False)),
    ):
        yield


def _until_reviewed(item: Item) -> None:
    """Bring the item where a rejection returns it to its author, whatever the world made of it."""
    Item.objects.filter(pk=item.pk).update(state=Item.State.REVIEW)


def _corners(box: tuple[float, float, float, float]) -> list[list[float]]:
    x0, y0, x1, y1 = box
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
