"""The gate of a labeler: what their gold answers come to, kept as facts, and what a person decided about it.

The newest fact says how a labeler stands. The course is computed from the gold answers each time (``gate_trace``); what is new
on it is appended, and what no longer holds because gold dropped out is withdrawn by a further fact. By default a failed test
*proposes* a pause to the admins; with ``pause_without_asking`` the pause follows at once. Every write runs in the caller's
transaction and holds the project's audit chain, so that two never decide on the same facts. Not here: what a pause does to
items (``workflow.pausing``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from django.db.models import QuerySet

from labelhub.audit import services as audit
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Labeler, PolicyVersion, Project
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy
from labelhub.projects.telling import tell_admins
from labelhub.routing.gate_plan import KINDS, plan_for
from labelhub.routing.gate_trace import METHOD_VERSION, GateEvent, GatePlan, Trace, plan_of_document, trace_of
from labelhub.routing.models import Gate
from labelhub.scoring.gold_answers import GoldAnswer, gold_answers

Kind = Gate.Kind
SYSTEM = "system"

# How a labeler stands after a fact of each kind.
STATES: dict[str, str] = {
    Kind.TEST_STARTED: "testing", Kind.CLEARED: "cleared", Kind.DRIFT_ALARM: "testing", Kind.PROPOSED: "proposed",
    Kind.PAUSED: "paused", Kind.RESUMED: "testing", Kind.KEPT: "testing", Kind.WITHDRAWN: "testing",
}  # fmt: skip
# After these a labeler's next answers are those of a new test.
RESTARTS = (Kind.RESUMED, Kind.KEPT)
# Also before the first gold.
UNDECIDED = "testing"
# What the course comes to, as a state.
STATE_OF_STAGE = {"testing": "testing", "cleared": "cleared", "failed": "proposed"}
HAPPENED: dict[str, str] = {
    Kind.TEST_STARTED: "gate.test_started", Kind.CLEARED: "gate.cleared", Kind.DRIFT_ALARM: "gate.drift_alarmed",
    Kind.PROPOSED: "gate.pause_proposed", Kind.PAUSED: "gate.paused", Kind.RESUMED: "gate.resumed",
    Kind.KEPT: "gate.proposal_declined", Kind.WITHDRAWN: "gate.finding_withdrawn",
}  # fmt: skip


class GateRefused(DomainError):
    """A pause, its end or its refusal does not fit how the labeler stands; nothing was changed."""

    code = "gate-refused"


@dataclass(frozen=True, slots=True)
class Ground:
    """What facts are decided on: the rules now, the labeler's facts so far, and their answers on gold.

    ``next_plan`` gives the plan of a test that begins now; it is made only where one does.
    """

    version: PolicyVersion
    policy: Policy
    facts: tuple[Gate, ...]
    trace: Trace
    next_plan: Callable[[], GatePlan]


def facts_of(labeler: Labeler) -> QuerySet[Gate]:
    """Return the facts about a labeler, oldest first."""
    return Gate.objects.filter(labeler=labeler).select_related("policy", "answer__assignment__item").order_by("pk")


def facts_in(project: Project) -> dict[int, tuple[Gate, ...]]:
    """Return the facts about every labeler of the project by labeler id, oldest first; one query."""
    found: dict[int, list[Gate]] = {}
    for fact in Gate.objects.filter(labeler__project=project).order_by("pk"):
        found.setdefault(fact.labeler_id, []).append(fact)
    return {key: tuple(facts) for key, facts in found.items()}


def state_after(facts: Sequence[Gate]) -> str:
    """Return how a labeler stands after these facts: testing, cleared, proposed or paused."""
    return STATES[facts[-1].kind] if facts else UNDECIDED


def state_of(labeler: Labeler) -> str:
    """Return how the labeler stands now: testing, cleared, proposed or paused."""
    newest = Gate.objects.filter(labeler=labeler).order_by("-pk").values_list("kind", flat=True).first()
    return UNDECIDED if newest is None else STATES[newest]


def is_decided(labeler: Labeler) -> bool:
    """Whether the labeler's test came to an end, so that gold may become rarer."""
    return state_of(labeler) != UNDECIDED


def is_paused(labeler: Labeler) -> bool:
    """Whether the labeler gets no more production work now."""
    return state_of(labeler) == "paused"


def ground_of(labeler: Labeler) -> Ground:
    """Return the labeler's facts, course and next plan as they are now."""
    project = labeler.project
    version, policy = current_policy(project)
    answers = gold_answers(project, labeler_ids={labeler.pk})

    @cache
    def next_plan() -> GatePlan:
        return plan_for(project, policy, judged_id=labeler.pk).plan

    facts = tuple(facts_of(labeler))
    return Ground(version, policy, facts, course_of(answers.get(labeler.pk, ()), facts, next_plan), next_plan)


def course_of(answers: Sequence[GoldAnswer], facts: Sequence[Gate], next_plan: Callable[[], GatePlan]) -> Trace:
    """Return the course over the answers: each test under the plan it began with, and anew after a person's decision.

    ``next_plan`` gives the plan of a test that has not begun.
    """
    begun = {fact.test: plan_of_document(fact.numbers["plan"]) for fact in facts if fact.kind == Kind.TEST_STARTED}
    restarts = [fact.at for fact in facts if fact.kind in RESTARTS]
    return trace_of(answers, lambda test: begun[test] if test in begun else next_plan(), restarts)


def evaluate(labeler: Labeler) -> tuple[Gate, ...]:
    """Append what is new on the labeler's course, and withdraw what no longer holds; twice in a row is once.

    A paused labeler's late answers change nothing. Imported raters have no gate: there is nobody to pause. Writes
    ``gate.test_started``, ``gate.cleared``, ``gate.drift_alarmed``, ``gate.pause_proposed``, ``gate.paused`` and
    ``gate.finding_withdrawn``.
    """
    if labeler.user_id is None:
        return ()
    audit.hold(labeler.project_id)
    ground = ground_of(labeler)
    if state_after(ground.facts) == "paused":
        return ()
    writer = _Writer(labeler, ground)
    known = {_key(fact.kind, fact.test, fact.answer_id) for fact in ground.facts}
    for event in ground.trace.events:
        if _key(event.kind, event.test, writer.answer_id(event)) not in known:
            writer.event(event)
    expected = STATE_OF_STAGE[ground.trace.stage]
    if state_after([*ground.facts, *writer.written]) != expected:
        writer.corrected(expected)
    if expected == "proposed" and writer.written and ground.policy.pause_without_asking:
        writer.add(Kind.PAUSED, writer.test, reason="The policy pauses without asking.")
    return tuple(writer.written)


def propose(*, labeler: Labeler, by: str, reason: str) -> Gate:
    """Propose a pause by hand. Raises ``GateRefused`` where one is proposed or stands."""
    return _by_hand(Kind.PROPOSED, labeler, by, reason, allowed=("testing", "cleared"))


def pause(*, labeler: Labeler, by: str, reason: str) -> Gate:
    """Pause the labeler: no more production work until somebody resumes them. Raises ``GateRefused``."""
    return _by_hand(Kind.PAUSED, labeler, by, reason, allowed=("testing", "cleared", "proposed"))


def resume(*, labeler: Labeler, by: str, reason: str) -> Gate:
    """End a pause, or decline a proposed one; a new test starts on new gold. Raises ``GateRefused``."""
    is_proposed = state_of(labeler) == "proposed"
    kind = Kind.KEPT if is_proposed else Kind.RESUMED
    return _by_hand(kind, labeler, by, reason, allowed=("proposed",) if is_proposed else ("paused",))


def _by_hand(kind: str, labeler: Labeler, by: str, reason: str, *, allowed: Sequence[str]) -> Gate:
    if not reason.strip():
        raise GateRefused("Say why, in a sentence. Nothing was changed.", code="reason-missing", status=422)
    if labeler.user_id is None:
        raise GateRefused(f"{labeler.name} was imported: nobody is there to pause. Nothing was changed.")
    audit.hold(labeler.project_id)
    ground = ground_of(labeler)
    state = state_after(ground.facts)
    if state not in allowed:
        raise GateRefused(
            f"{labeler.name} is in state “{state}” by now: somebody else, or new gold, decided first. Nothing was "
            "changed. Load the page again and look."
        )
    writer = _Writer(labeler, ground)
    fact = writer.add(kind, writer.test, by=by, reason=reason.strip())
    if kind in (Kind.RESUMED, Kind.KEPT):
        writer.add(Kind.TEST_STARTED, writer.test + 1, reason="A new test, on new gold.", plan=ground.next_plan())
    return fact


class _Writer:
    """Appends facts about one labeler, each with its audit event."""

    def __init__(self, labeler: Labeler, ground: Ground) -> None:
        self.labeler, self.ground = labeler, ground
        self.written: list[Gate] = []

    @property
    def test(self) -> int:
        """The number of the test that the labeler is in or was in last."""
        started = [event.test for event in self.ground.trace.events if event.kind == "test-started"]
        return max(started, default=0)

    def answer_id(self, event: GateEvent) -> int | None:
        return None if event.answer is None else self.ground.trace.answers[event.answer].submission_id

    def event(self, event: GateEvent) -> Gate:
        """Append what happened on the course."""
        plan = next((s.plan for s in self.ground.trace.segments if s.test == event.test), None)
        plan = self.ground.next_plan() if plan is None else plan
        return self.add(
            event.kind, event.test, reason=_sentence(event, plan), answer=self.answer_id(event),
            plan=plan, height=round(event.height, 4), n=event.n_used,
        )  # fmt: skip

    def corrected(self, expected: str) -> None:
        """Say that the standing fact no longer holds, or that an earlier one holds again."""
        if expected == "testing":
            self.add(Kind.WITHDRAWN, self.test, reason="Gold dropped out, and without it the test has not ended.")
            return
        kind = "cleared" if expected == "cleared" else "proposed"
        self.event(next(event for event in reversed(self.ground.trace.events) if event.kind == kind))

    def add(
        self, kind: str, test: int, *, reason: str, by: str = SYSTEM, answer: int | None = None,
        plan: GatePlan | None = None, **numbers: float,
    ) -> Gate:  # fmt: skip
        kept = dict(numbers) | ({} if plan is None else {"plan": plan.to_document()})
        fact = Gate.objects.create(
            labeler=self.labeler, kind=kind, test=test, answer_id=answer, numbers=kept, reason=reason[:400], by=by,
            policy=self.ground.version, method_version=METHOD_VERSION,
        )  # fmt: skip
        audit.append(
            project_id=self.labeler.project_id, kind=HAPPENED[kind], actor=by, subject=f"labeler:{self.labeler.pk}",
            facts={"gate": fact.pk, "test": test},
        )  # fmt: skip
        if kind == Kind.PROPOSED:
            project = self.labeler.project
            tell_admins(
                project, kind="pause-proposed", text=f"{self.labeler.name} is proposed for a pause in {project.name}.",
                about=f"gate:{project.slug}/{self.labeler.pk}", key=f"gate:{fact.pk}", actor=by,
            )  # fmt: skip
        self.written.append(fact)
        return fact


def _key(kind: str, test: int, answer_id: int | None) -> tuple[str, int, int | None]:
    """By what a fact is known again: a test is the same whichever of its answers is left as the first."""
    return (kind, test, None if kind == Kind.TEST_STARTED else answer_id)


def _sentence(event: GateEvent, plan: GatePlan) -> str:
    if event.kind == "test-started":
        what = "a mean credit on gold of" if plan.kind == "credit" else "right on a share of gold of"
        return f"Test {event.test}, {KINDS[plan.kind]}: {what} {plan.good:.2f} (good) against {plan.poor:.2f} (poor)."
    if event.kind == "drift-alarm":
        return (
            f"The watch reached {event.height:.2f} of {plan.drift_limit:.2f} after {event.n_used} gold answers: a new test "
            "starts, nobody is paused by it."
        )
    how = "as long as a test may last; the nearer bound decided" if event.is_truncated else "a bound was reached"
    said = "poor" if event.kind == "proposed" else "good enough"
    answers = "1 gold answer" if event.n_used == 1 else f"{event.n_used} gold answers"
    return f"Test {event.test} says {said} after {answers} ({how}: {event.height:.2f})."
