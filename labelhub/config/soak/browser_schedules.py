"""R1 in browsers: two or three people draw on one picture in Chromium; networks go, windows close, the server is killed.

What hands do is written down as the pages' own documents announce it, what is acknowledged as it comes over the wire. At the
end all are online again; then the log, the mask and the shapes on the server are held against the model of ``judging``, and
every window against the server: the state that its page folded, byte for byte; and the canvases against each other.
"""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelhub.accounts.models import User
from labelhub.annotations import documents
from labelhub.annotations.models import Document, Operation
from labelhub.assignments.models import Assignment
from labelhub.config.soak.browsers import HEIGHT, PATIENCE_MS, WATCH, WIDTH, Hands, session_cookie
from labelhub.config.soak.coedits import shared_work
from labelhub.config.soak.drivers import CHROMIUM, FLAGS, driving
from labelhub.config.soak.judging import Ledger, Standing, judge_log, judge_state, judge_submission
from labelhub.config.soak.report import Progress, Trial, silent
from labelhub.config.soak.serving import Served, serving
from labelhub.config.soak.world import make_world

EDITORS = 3
SIZE = (96, 128)
FEWEST, MOST = 20, 45
# How likely each trouble is, at a step of a window; and that the server is killed in a schedule.
OFFLINE, CLOSED, KILLED = 0.08, 0.03, 0.7
CATCH_UP_S, ALIKE_S = 45.0, 10.0


@dataclass
class Window:
    """One person's window, which may be closed and opened again; what it did and heard goes into the ledger."""

    user: User
    context: Any
    place: str
    ledger: Ledger
    refused: set[str] = field(default_factory=set)
    is_offline: bool = False
    hands: Any = None

    def __post_init__(self) -> None:
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.expose_binding("made", lambda _, text: self._made(json.loads(text)))
        self.context.expose_binding("told", lambda _, text: self._told(json.loads(text)))
        self.context.add_init_script(WATCH)

    def open(self) -> None:
        """Open the picture."""
        page = self.context.new_page()
        page.on("websocket", self._listen)
        self.hands = Hands(page, SIZE[1], SIZE[0])
        self.hands.open(self.place)

    def close(self) -> None:
        """Close the window as it stands."""
        self.hands.page.close()
        self.hands = None

    def turn_network(self) -> None:
        """Lose the network, or find it again."""
        self.is_offline = not self.is_offline
        self.context.set_offline(offline=self.is_offline)

    def _listen(self, socket: Any) -> None:
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._received)

    def _made(self, operation: dict[str, Any]) -> None:
        self.ledger.made.setdefault(operation["op_id"], (self.user, operation))

    def _sent(self, frame: Any) -> None:
        # A window that is closed may have sent what it could not announce any more.
        message = json.loads(frame)
        for operation in message.get("operations", ()) if message["type"] == "send" else ():
            self._made(operation)

    def _received(self, frame: Any) -> None:
        message = json.loads(frame)
        if message["type"] == "stored":
            self._told(message)

    def _told(self, answer: dict[str, Any]) -> None:
        for entry in answer.get("acknowledged", ()):
            if self.ledger.placed.setdefault(entry["op_id"], entry["seq"]) != entry["seq"]:
                self.ledger.moved.append(entry["op_id"])
        if (refused := answer.get("refused")) and refused["code"] != "sequence-gap":
            self.refused.add(refused["op_id"])


def try_browser_schedules(*, n: int, seed: int, progress: Progress = silent, most: int = MOST) -> Trial:
    """Play ``n`` schedules of up to ``most`` steps. Raises ``NoBrowser`` where there is none."""
    trial = Trial("nothing acknowledged is lost or doubled, and all windows show what the server holds", seed)
    world = make_world(n_annotators=EDITORS, readers=1, max_readers=1, use_model=False, with_brush=True)
    facts = dict.fromkeys(
        ("operations", "steps", "server killed", "networks lost", "windows closed", "looks at saved"), 0
    )
    with driving() as driver, serving(has_pages=True) as server:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        with trial.while_there_is_time():
            for number in range(n):
                rng = np.random.default_rng([seed, number])
                people = world.annotators[: int(rng.integers(2, EDITORS + 1))]
                work = shared_work(world, rng, people, SIZE)
                windows, ledger = _windows(browser, server, work, people)
                try:
                    _play(trial, f"schedule {number}: ", server, work, windows, rng, most, facts)
                    _judge(trial, f"schedule {number}: ", work, windows, ledger)
                finally:
                    for window in windows:
                        window.context.close()
                facts["operations"] += len(ledger.made)
                trial.n += 1
                progress(trial.n, n)
        browser.close()
    trial.facts |= facts
    return trial


def _windows(browser: Any, server: Served, work: Assignment, people: tuple[User, ...]) -> tuple[list[Window], Ledger]:
    ledger, windows = Ledger(), []
    for user in people:
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, base_url=server.url)
        context.add_cookies([session_cookie(user, server.url)])
        windows.append(Window(user, context, f"/label/{work.pk}/", ledger))
        windows[-1].open()
    return windows, ledger


def _play(
    trial: Trial, told: str, server: Served, work: Assignment, windows: list[Window], rng: np.random.Generator, most: int,
    facts: dict[str, int],
) -> None:  # fmt: skip
    """Let people draw through every trouble, and bring all of them back at the end."""
    n_steps = int(rng.integers(FEWEST, most + 1))
    killed_at = int(rng.integers(3, n_steps - 2)) if rng.random() < KILLED else None
    back_at, is_up = -1, True
    for step in range(n_steps):
        if step == killed_at:
            server.kill()
            facts["server killed"] += 1
            is_up, back_at = False, step + int(rng.integers(1, 9))
        if not is_up and step >= back_at:
            server.start()
            is_up = True
        window = windows[int(rng.integers(len(windows)))]
        facts["steps"] += 1
        if window.hands is None:
            if is_up and not window.is_offline:
                window.open()
            continue
        if rng.random() < 0.3:
            facts["looks at saved"] += _look_at_saved(trial, told, work, window)
        _one_step(window, rng, facts)
    if not is_up:
        server.start()
    for window in windows:
        if window.is_offline:
            window.turn_network()
        if window.hands is None:
            window.open()


def _one_step(window: Window, rng: np.random.Generator, facts: dict[str, int]) -> None:
    draw = rng.random()
    if draw < OFFLINE:
        window.turn_network()
        facts["networks lost"] += window.is_offline
    elif draw < OFFLINE + CLOSED:
        window.close()
        facts["windows closed"] += 1
    else:
        acts: list[tuple[float, Callable[[Hands, np.random.Generator], None]]] = [
            (0.32, _paint), (0.15, _erase), (0.22, _outline), (0.1, _undo), (0.05, _redo), (0.08, _shift), (0.08, _delete),
        ]  # fmt: skip
        weights = np.array([weight for weight, _ in acts])
        acts[int(rng.choice(len(acts), p=weights / weights.sum()))][1](window.hands, rng)


def _place(rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.uniform(2, SIZE[1] - 2)), float(rng.uniform(2, SIZE[0] - 2))


def _paint(hands: Hands, rng: np.random.Generator) -> None:
    hands.page.keyboard.press("2")
    hands.page.keyboard.press("b")
    hands.stroke(*(_place(rng) for _ in range(int(rng.integers(1, 4)))))


def _erase(hands: Hands, rng: np.random.Generator) -> None:
    hands.page.keyboard.press("2")
    hands.page.keyboard.press("x")
    hands.stroke(*(_place(rng) for _ in range(int(rng.integers(1, 3)))))


def _outline(hands: Hands, rng: np.random.Generator) -> None:
    hands.page.keyboard.press("1")
    x, y = float(rng.uniform(2, SIZE[1] - 26)), float(rng.uniform(2, SIZE[0] - 26))
    wide, high = (float(rng.uniform(8, 24)) for _ in range(2))
    hands.outline((x, y), (x + wide, y), (x + wide, y + high), (x, y + high))


def _undo(hands: Hands, rng: np.random.Generator) -> None:
    hands.page.keyboard.press("z")


def _redo(hands: Hands, rng: np.random.Generator) -> None:
    hands.page.keyboard.press("Shift+Z")


def _shift(hands: Hands, rng: np.random.Generator) -> None:
    """Drag whatever shape lies at a place."""
    hands.page.keyboard.press("s")
    hands.stroke(_shape_or_anywhere(hands, rng), _place(rng))
    hands.page.keyboard.press("Escape")


def _delete(hands: Hands, rng: np.random.Generator) -> None:
    hands.page.keyboard.press("s")
    hands.page.mouse.click(*hands.at(*_shape_or_anywhere(hands, rng)))
    hands.page.keyboard.press("Delete")


def _shape_or_anywhere(hands: Hands, rng: np.random.Generator) -> tuple[float, float]:
    """Return the middle of a shape that stands in the window, of anybody."""
    shapes = sorted(hands.held().shapes.items())
    if not shapes:
        return _place(rng)
    x, y = np.mean(shapes[int(rng.integers(len(shapes)))][1][0]["points"], axis=0)
    return float(x), float(y)


def _look_at_saved(trial: Trial, told: str, work: Assignment, window: Window) -> bool:
    """Where the page says that all is saved, the server has all that was done in it; whether it said so."""
    if window.hands is None or window.hands.status() != "saved":
        return False
    made = {op_id for op_id, (user, _) in window.ledger.made.items() if user == window.user} - window.refused
    stored = Operation.objects.filter(document__assignment=work, op_id__in=made).count()
    trial.check(stored == len(made), f"{told}a page said saved with {len(made) - stored} operations that are not")
    return True


def _judge(trial: Trial, told: str, work: Assignment, windows: list[Window], ledger: Ledger) -> None:
    document = documents.document_of(assignment=work)
    # First all send what they have: a window has caught up with the log only once it grows no more.
    are_saved = [window.hands.saved(within_s=CATCH_UP_S) for window in windows]
    for place, window in enumerate(windows):
        is_there = are_saved[place] and _catches_up(window.hands, document)
        trial.check(is_there, f"{told}window {place} does not catch up with the log")
    rows = judge_log(trial, told, document, ledger)
    if rows is None:
        return
    standing = judge_state(trial, told, document, rows, ledger, SIZE)
    for place, window in enumerate(windows):
        _judge_window(trial, f"{told}window {place} ", window.hands, standing)
    unlike = _unlike(windows)
    trial.check(not unlike, f"{told}the canvases differ {unlike}")
    judge_submission(trial, told, work, standing.mask, bool(rows))


def _catches_up(hands: Hands, document: Document) -> bool:
    end = time.monotonic() + CATCH_UP_S
    while not (is_there := hands.held().is_caught_up(document)) and time.monotonic() < end:
        hands.page.wait_for_timeout(100)
    return is_there


def _judge_window(trial: Trial, told: str, hands: Hands, standing: Standing) -> None:
    held = hands.held()
    painted = {label: mask for label, mask in held.painted.items() if mask.any()}
    wanted = {"area": standing.mask.astype(np.uint8)} if standing.mask.any() else {}
    is_equal = painted.keys() == wanted.keys() and all(
        painted[key].tobytes() == wanted[key].tobytes() for key in wanted
    )
    trial.check(is_equal, f"{told}holds another mask than the server")
    trial.check(held.shapes == standing.shapes, f"{told}holds other shapes than the server")


def _unlike(windows: list[Window]) -> str:
    """Where the canvases do not come to show the same, though nobody points and nothing is chosen; empty where they do."""
    for window in windows:
        window.hands.page.keyboard.press("s")
        window.hands.page.keyboard.press("Escape")
        window.hands.page.mouse.move(2, 2)
    end = time.monotonic() + ALIKE_S
    while True:
        windows[0].hands.page.wait_for_timeout(200)
        shown = [_canvas(window.hands.page) for window in windows]
        unlike = [np.argwhere((one != shown[0]).any(axis=2)) for one in shown[1:]]
        if not any(len(places) for places in unlike):
            return ""
        if time.monotonic() > end:
            most = max(unlike, key=len)
            return (
                f"at {len(most)} pixels, from {most.min(axis=0).tolist()} to {most.max(axis=0).tolist()} (row, column)"
            )


def _canvas(page: Any) -> NDArray[np.uint8]:
    """The pixels ``[row, column, channel]`` of the picture as it stands on the screen."""
    from PIL import Image

    address = str(page.evaluate("document.querySelector('#canvas').toDataURL()"))
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA"))
