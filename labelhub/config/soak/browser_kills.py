"""R4: a browser is killed while somebody draws, with the network on and off; opened again, nothing but the last second is lost.

A real Chromium on a profile of its own draws into cells of a picture; it, or its renderers alone, is killed at a random moment,
and once more now and then while it opens again. Whoever was signed out meanwhile signs in again. What then stands on the
server, by place and not by what the page says of itself, is what a model wrote down of the hands: all that was finished a
second before the kill, nothing twice, nothing that nobody drew. What the page called saved is there before the browser is back.

Sometimes a colleague signs in on the same profile instead: of what the other had not sent, nothing goes under either name, and
nothing stays in the browser. Names of patients and pixels of pictures stand nowhere in what scripts keep; once somebody signed
out, they stand nowhere in the profile.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from labelhub.accounts.models import User
from labelhub.accounts.services import end_sessions, make_sign_in_link
from labelhub.annotations import documents, history
from labelhub.annotations.models import Document, Operation
from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.config.soak.browsers import KEPT, Hands, Killer, Profile
from labelhub.config.soak.drivers import driver_errors, driving, until_gone, within
from labelhub.config.soak.paper import Paper
from labelhub.config.soak.report import Progress, Trial, silent
from labelhub.config.soak.serving import Served, serving
from labelhub.config.soak.world import ACTOR, SoakWorld, make_world
from labelhub.workflow import lifecycle, together

ROWS, COLUMNS, CELL = 120, 160, 20
CELLS = (ROWS // CELL) * (COLUMNS // CELL)
AT_REST_S = 1.5
# How long a page may take until it shows what hands did.
TAKEN_S = 2.0
# From the first stroke of a sitting to the kill, in seconds.
SOONEST_S, LATEST_S = 0.3, 3.0
KILLS_A_PROFILE = 5
# A sitting takes some seconds. The driver now and then waits for an answer of a browser that is gone.
SITTING_S, MOST_HANGS = 45.0, 3
# How likely each trouble is, in a sitting or between two strokes.
RENDERERS, AGAIN, SIGNED_OUT, COLLEAGUE, LOST, OFFLINE = 0.3, 0.2, 0.2, 0.15, 0.4, 0.2
# What the browser keeps of answers, which no script reads: looked into once somebody signed out.
CACHES = (
    "Cache", "Code Cache", "GPUCache", "GPUPersistentCache", "DawnGraphiteCache", "DawnWebGPUCache", "ShaderCache",
)  # fmt: skip


@dataclass
class Desk:
    """One profile with one picture on it at a time, and who sits there."""

    trial: Trial
    world: SoakWorld
    server: Served
    profile: Profile
    rng: np.random.Generator
    counts: Counter[str]
    work: Assignment | None = None
    document: Document | None = None
    next_cell: int = 0
    told: str = ""
    is_seated: bool = False
    hands: Any = None
    secrets: dict[str, bytes] = field(default_factory=dict)

    def work_anew(self) -> None:
        """Put another picture on the desk, which the colleague has a seat at too."""
        ann, ben = self.world.annotators
        item, secrets = _picture(self.world, self.rng)
        self.secrets |= secrets
        self.finish()
        make_batch(project=self.world.project, name=uuid.uuid4().hex, items=[item], by=ACTOR, is_shared=True)
        self.work = lifecycle.hand_out(labeler=self.world.labeler(ann))
        assert self.work is not None
        together.join(assignment=self.work, by=ben)
        self.document = documents.document_of(assignment=self.work)
        self.next_cell = 0

    def finish(self) -> None:
        """Submit what stands, so that another picture is handed out next."""
        if self.work is not None:
            ann = self.world.annotators[0]
            lifecycle.submit(assignment=self.work, by=ann, request_id=uuid.uuid4(), no_finding=not self.cells())
            self.work = None

    def cells(self) -> list[int]:
        """Return the cells in which something stands on the server, each as often as it stands there."""
        assert self.document is not None
        state = history.state_of(Document.objects.get(pk=self.document.pk))
        places = [np.mean(shape.regions[0]["points"], axis=0) for shape in state.standing_shapes()]
        places += [np.array(mark.payload["points"][:2]) / 4 for mark in state.marks.values() if not mark.is_undone]
        return sorted(_cell_at(x, y) for x, y in places)

    def senders(self) -> set[uuid.UUID]:
        """Return which windows sent something, once nothing comes any more: what was on its way may wait at a busy server."""
        rows, n_seen = Operation.objects.filter(document=self.document), -1
        while (n := rows.count()) != n_seen:
            n_seen = n
            time.sleep(AT_REST_S)
        return set(rows.values_list("client_id", flat=True))

    def sit_down(self, user: User) -> None:
        """Open the picture as ``user``, who signs in where the browser knows nobody."""
        assert self.work is not None
        page = self.profile.page()
        self.hands = Hands(page, COLUMNS, ROWS)
        place = f"/label/{self.work.pk}/"
        page.goto(place)
        if "/account/" in page.url:
            self.counts["signed in again"] += 1
            self.sign_in(page, user)
        self.hands.open(place)

    def sign_in(self, page: Any, user: User) -> None:
        """Sign in by a link, as a person does."""
        page.goto(f"/account/link/{make_sign_in_link(user=user, actor=ACTOR)}/")
        with page.expect_navigation():
            page.locator("main form button").click()


@dataclass(frozen=True, slots=True)
class Plan:
    """What befalls one sitting: drawn beforehand, so that the seed says it whatever the machine's pace."""

    after_s: float
    is_whole: bool
    is_signed_out: bool
    is_for_colleague: bool
    is_killed_again: bool
    again_after_s: float
    # From when on the network stays away: what is done then is in the browser alone when it is killed.
    lost_after_s: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Plan:
        """Draw a plan."""
        whole, out, other, again, lost = rng.random(5)
        after_s = float(rng.uniform(SOONEST_S, LATEST_S))
        is_lost = other < COLLEAGUE or lost < LOST
        return cls(
            after_s, bool(whole >= RENDERERS), bool(out < SIGNED_OUT), bool(other < COLLEAGUE), bool(again < AGAIN),
            float(rng.uniform(0.05, 1.2)), float(rng.uniform(0.2, 0.6)) * after_s if is_lost else math.inf,
        )  # fmt: skip


def try_browser_kills(*, n: int, seed: int, progress: Progress = silent) -> Trial:
    """Kill browsers ``n`` times. Raises ``NoBrowser`` where there is none."""
    trial = Trial(
        "a killed browser loses nothing that was finished a second before, and keeps nothing of a patient", seed
    )
    world = make_world(n_annotators=2, readers=1, max_readers=1, use_model=False, with_brush=True)
    counts: Counter[str] = Counter()
    with driving() as driver, serving(has_pages=True) as server, trial.while_there_is_time():
        while trial.n < n:
            folder = Path(tempfile.mkdtemp(prefix="labelhub-profile-"))
            desk = Desk(trial, world, server, Profile(driver, folder, server.url), np.random.default_rng(seed), counts)
            try:
                desk.profile.start()
                for number in range(trial.n, min(trial.n + KILLS_A_PROFILE, n)):
                    desk.told, desk.rng = f"kill {number}: ", np.random.default_rng([seed, number, 1])
                    _watched(desk, Plan.drawn(np.random.default_rng([seed, number, 0])))
                    trial.n += 1
                    progress(trial.n, n)
                _leave(desk)
            finally:
                desk.profile.kill()
                desk.profile.ended()
                shutil.rmtree(folder, ignore_errors=True)
    trial.facts |= dict(counts)
    return trial


def _watched(desk: Desk, plan: Plan) -> None:
    """Play one sitting; where the driver and not the page hangs, play it again with a new browser."""
    for _ in range(MOST_HANGS):
        with within(SITTING_S, desk.profile.kill, desk.profile.driver.end) as is_over:
            try:
                _one_kill(desk, plan)
            except driver_errors():
                if not is_over.is_set():
                    raise
        if not is_over.is_set():
            return
        desk.counts["times that the driver hung"] += 1
        desk.is_seated = False
        desk.profile.ended()
        desk.profile.driver.start_again()
        desk.profile.start()
    desk.trial.check(holds=False, otherwise=f"{desk.told}the window or its driver hung {MOST_HANGS} times")


def _one_kill(desk: Desk, plan: Plan) -> None:
    """Draw until the kill, and see what is left of it."""
    ann, ben = desk.world.annotators
    if desk.work is None or desk.next_cell > CELLS // 2:
        desk.work_anew()
        desk.is_seated = False
    if not desk.is_seated:
        desk.sit_down(ann)
        # What a sitting left that ended with the driver's hang is sent first: it is none of this one's acts.
        desk.trial.check(desk.hands.saved(), f"{desk.told}the window that was opened cannot get rid of earlier work")
    desk.is_seated = False
    paper, killed_at = _draw_until_killed(desk, plan, ann)
    cells, known = desk.cells(), paper.states[paper.n_saved :]
    desk.trial.check(
        frozenset(cells) in known,
        f"{desk.told}what the page called saved was not on the server: {cells} are there; {paper.n_saved} of "
        f"{len(paper.finished)} acts were called saved: {[*map(sorted, paper.states)]}",
    )
    if desk.profile.is_dead():
        found = desk.profile.files_with(desk.secrets, but=CACHES)
        desk.trial.check(not found, f"{desk.told}a patient's data lay in the browser: {found[:3]}")
        desk.profile.start()
    if plan.is_for_colleague:
        _colleague_comes(desk, ben, paper)
        return
    if plan.is_killed_again:
        _kill_while_it_opens(desk, plan, ann)
    desk.sit_down(ann)
    _judge(desk, paper, killed_at)
    # The window that was opened again goes on: the next sitting is in it.
    desk.is_seated = True


def _draw_until_killed(desk: Desk, plan: Plan, ann: User) -> tuple[Paper, float]:
    """Draw, with the network going and coming, until the browser is gone; return what was done, and when it went."""
    rng, profile = desk.rng, desk.profile
    paper = Paper([frozenset(desk.cells())])
    desk.counts["killed as a whole" if plan.is_whole else "killed renderers"] += 1
    killer = Killer(plan.after_s, profile.kill if plan.is_whole else profile.kill_renderers, profile.kill)
    is_signed_out, is_offline, began = plan.is_signed_out, False, time.monotonic()
    killer.start()
    with until_gone():
        while killer.at is None:
            _one_act(desk, paper)
            _see(desk, paper)
            if desk.hands.status() == "saved":
                paper.n_saved = len(paper.finished)
            if is_signed_out and rng.random() < 0.5:
                end_sessions(user=ann, actor=ACTOR, reason="soak")
                desk.counts["signed out meanwhile"] += 1
                is_signed_out = False
            is_lost_for_good = time.monotonic() > began + plan.lost_after_s
            if (is_lost_for_good and not is_offline) or (not is_lost_for_good and rng.random() < OFFLINE):
                is_offline = not is_offline
                desk.hands.turn_network(off=is_offline)
                desk.counts["network lost"] += is_offline
            elif rng.random() < 0.1:
                _look_into_storage(desk)
    killed_at = killer.finish()
    if plan.is_whole or killer.is_all_ended:
        profile.ended()
    else:
        desk.trial.check(profile.n_renderers_killed > 0, f"{desk.told}no renderer was there to be killed")
    return paper, killed_at


def _look_into_storage(desk: Desk) -> None:
    """Hold what scripts keep in the browser against what may be there: operations, and nothing of a patient."""
    kept = str(desk.hands.page.evaluate(KEPT)).encode()
    desk.counts["operations seen in the browser's storage"] += b'"op_id"' in kept
    leaks = [name for name, secret in desk.secrets.items() if secret in kept]
    desk.trial.check(not leaks, f"{desk.told}{leaks} stood in the browser's storage")


def _one_act(desk: Desk, paper: Paper) -> None:
    """Draw into the next cell, or take back, or do again."""
    hands, draw = desk.hands, desk.rng.random()
    if draw < 0.12 and paper.done:
        paper.undo()
        hands.page.keyboard.press("z")
    elif draw < 0.18 and paper.undone:
        paper.redo()
        hands.page.keyboard.press("Shift+Z")
    elif desk.next_cell < CELLS:
        cell, desk.next_cell = desk.next_cell, desk.next_cell + 1
        y, x = (CELL * (place + 0.5) for place in divmod(cell, COLUMNS // CELL))
        paper.draw(cell)
        if desk.rng.random() < 0.5:
            hands.page.keyboard.press("2")
            hands.stroke((x, y), (x + 4, y + 3))
        else:
            hands.page.keyboard.press("1")
            hands.outline((x - 6, y - 6), (x + 7, y - 5), (x, y + 7))
    else:
        time.sleep(0.05)
        return
    paper.finished.append(time.monotonic())


def _see(desk: Desk, paper: Paper) -> None:
    """Look whether the page took the act at all: what it never took cannot be lost, and is a finding of its own."""
    end, drawn = time.monotonic() + TAKEN_S, sorted(paper.states[-1])
    while True:
        places, n_refused = desk.hands.places()
        seen = sorted(_cell_at(x, y) for x, y in places)
        if seen == drawn or time.monotonic() > end:
            break
        time.sleep(0.01)
    told = f"{desk.told}act {len(paper.finished)} of this sitting"
    desk.trial.check(seen == drawn, f"{told} was not taken by the page: {seen} stand there at {places}, {drawn} drawn")
    desk.trial.check(not n_refused, f"{told}: the server refused {n_refused}")


def _judge(desk: Desk, paper: Paper, killed_at: float) -> None:
    """Hold what stands, once the window sent what it kept, against what was done."""
    trial, told = desk.trial, desk.told
    assert desk.document is not None
    is_saved = desk.hands.saved()
    trial.check(is_saved, f"{told}the window that was opened again cannot get rid of its work")
    cells = desk.cells()
    trial.check(len(cells) == len(set(cells)), f"{told}something stands twice")
    safe = paper.n_safe(killed_at)
    allowed = paper.states[safe:]
    trial.check(
        frozenset(cells) in allowed,
        f"{told}{sorted(set(cells))} stand; {safe} of {len(paper.states) - 1} acts were safe: {[*map(sorted, allowed)]}",
    )
    n_there = max((place for place, state in enumerate(paper.states) if state == frozenset(cells)), default=0)
    desk.counts["acts"] += len(paper.states) - 1
    desk.counts["acts finished and lost with their last second"] += max(0, len(paper.finished) - n_there)
    seqs = list(Operation.objects.filter(document=desk.document).order_by("seq").values_list("seq", flat=True))
    trial.check(seqs == list(range(1, len(seqs) + 1)), f"{told}the log has a gap or a double")
    held = desk.hands.held()
    trial.check(not is_saved or held.is_caught_up(desk.document), f"{told}the window does not show what the log says")


def _kill_while_it_opens(desk: Desk, plan: Plan, ann: User) -> None:
    """The browser dies once more before it could send what it kept."""
    killer = Killer(plan.again_after_s, desk.profile.kill)
    killer.start()
    with until_gone():
        desk.sit_down(ann)
    killer.finish()
    desk.counts["killed while it opened"] += 1
    desk.profile.ended()
    desk.profile.start()


def _colleague_comes(desk: Desk, ben: User, paper: Paper) -> None:
    """Somebody else signs in on this profile and opens the picture: what the other had not sent is gone, sent by nobody."""
    trial, told, profile = desk.trial, desk.told, desk.profile
    desk.counts["a colleague on the same profile"] += 1
    # Once opened by the first, the window would send: the colleague comes before.
    desk.sign_in(profile.page(), ben)
    before = desk.senders()
    desk.counts["of them with something unsent of the other's"] += frozenset(desk.cells()) != paper.states[-1]
    desk.sit_down(ben)
    trial.check(desk.hands.saved(), f"{told}a colleague's window cannot get rid of work")
    trial.check(desk.senders() == before, f"{told}a colleague's window sent what another had drawn")
    kept = str(desk.hands.page.evaluate(KEPT))
    trial.check('"op_id"' not in kept, f"{told}another's operations stay in a colleague's browser")
    foreign = Operation.objects.filter(document=desk.document, author=ben).count()
    trial.check(not foreign, f"{told}operations stand under a colleague's name")
    profile.context.clear_cookies()


def _leave(desk: Desk) -> None:
    """Sign out: nothing of a patient stays in the profile, in no cache either."""
    desk.sit_down(desk.world.annotators[0])
    trial, page = desk.trial, desk.hands.page
    trial.check(desk.hands.saved(), f"{desk.told}the last window cannot get rid of its work")
    page.goto("/account/")
    with page.expect_navigation():
        page.locator("form[action$='/account/sign-out/'] button").first.evaluate("(button) => button.click()")
    desk.profile.context.close()
    desk.profile.ended()
    desk.finish()
    found = desk.profile.files_with(desk.secrets)
    trial.check(not found, f"{desk.told}a patient's data stayed in the browser of somebody who signed out: {found[:3]}")


def _cell_at(x: float, y: float) -> int:
    """Return the number of the cell in which a place (x, y) in pixels lies."""
    return int(y // CELL) * (COLUMNS // CELL) + int(x // CELL)


def _picture(world: SoakWorld, rng: np.random.Generator) -> tuple[Item, dict[str, bytes]]:
    """Add a noisy picture of somebody; also the runs of bytes by which they and it are known again."""
    pixels = rng.integers(0, 255, (ROWS, COLUMNS), dtype=np.uint8)
    subject = f"PATIENT-{rng.integers(10**12):012d}"
    item = add_photograph(
        project=world.project, pixels=pixels, identity=ItemIdentity(subject=subject), name=f"{subject}.png"
    )
    rows = {f"pixels of row {row}": pixels[row, 20:60].tobytes() for row in (0, ROWS // 2, ROWS - 1)}
    return item, {"a patient's name": subject.encode(), **rows}
