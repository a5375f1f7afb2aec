"""Trying a policy on a project's past before it is saved: at once for a small project, as a job for a large one.

Nothing of the project is changed. Not here: the replay of an item (``routing.dry_run``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.consensus.services import merged_label
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.projects.models import Project
from labelhub.projects.policy import Policy, read_policy
from labelhub.projects.selectors import current_policy
from labelhub.routing.dry_run import Ballot, Replayed, caveats, history_of, replay, summary
from labelhub.workflow.auditing import review_draw

JOB_KIND = "workflow.try_policy"
# Up to so many items with readings the answer is there within a few seconds, and the page waits for it.
AT_ONCE = 150
MOST_LISTED = 500

# Fields of a policy that decide what a vote of some readings ends in.
DECIDES_VOTES = ("posterior", "calibration_items", "match_iou", "tolerance_mm", "tolerance_px")

Tell = Callable[[int, int, str], None]
Known = dict[tuple[float, ...], tuple[bool, str]]


def n_to_try(project: Project) -> int:
    """Return how many items a trial looks at: those with readings that are not excluded."""
    return _items(project).count()


def try_policy(project: Project, asked: Policy, *, tell: Tell | None = None) -> dict[str, Any]:
    """Return what the present policy and ``asked`` make of the project's past, side by side, JSON-ready.

    ``now`` and ``then`` count items by where they end; ``changed`` lists items that end elsewhere, by another rule, or on
    another number of reads.
    """
    version, present = current_policy(project)
    keys = list(_items(project).values_list("pk", flat=True))
    before: list[Replayed] = []
    after: list[Replayed] = []
    changed: list[dict[str, Any]] = []
    for done, key in enumerate(keys):
        if tell is not None:
            tell(done, len(keys), f"Item {done + 1} of {len(keys)}")
        item = Item.objects.select_related("project").get(pk=key)
        old, new = replayed(item, present, asked)
        if old is None or new is None:
            continue
        before.append(old)
        after.append(new)
        if (old.ending, old.rule, old.n_reads) != (new.ending, new.rule, new.n_reads):
            changed.append({"code": item.code, "now": _told(old), "then": _told(new)})
    return {
        "policy": version.number, "items": len(after), "now": summary(before), "then": summary(after),
        "n_changed": len(changed), "changed": changed[:MOST_LISTED], "caveats": caveats(present, asked),
    }  # fmt: skip


def replayed(item: Item, *policies: Policy) -> list[Replayed | None]:
    """Return what each policy would have made of the item's past; None where nobody read it."""
    history = history_of(item, review_draw=review_draw(item))
    known: Known = {}
    return [replay(history, policy, _ballot_of(item, policy, known)) for policy in policies]


def start_trial(*, project: Project, asked: Policy, asked_by: str) -> Job:
    """Enqueue a trial; asking the same again while it runs is one job."""
    document = asked.to_document()
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
    return jobs.enqueue(
        kind=JOB_KIND, arguments={"project": project.pk, "policy": document}, project_id=project.pk, asked_by=asked_by,
        dedupe_key=f"try:{project.pk}:{digest}", total_units=n_to_try(project),
    )  # fmt: skip


def run_trial(running: Running) -> Mapping[str, Any]:
    """Try a policy: the handler of ``workflow.try_policy``."""
    project = Project.objects.get(pk=running.arguments["project"])
    return try_policy(project, read_policy(running.arguments["policy"]), tell=running.progress)


def _items(project: Project) -> QuerySet[Item]:
    read = Submission.objects.filter(assignment__item=OuterRef("pk"))
    items = Item.objects.filter(project=project).exclude(state=Item.State.EXCLUDED)
    return items.filter(Exists(read)).order_by("pk")


def _ballot_of(item: Item, policy: Policy, known: Known) -> Ballot:
    """Return what a vote of some readings ends in, computed once for each set of them and what the policy relies on."""

    def ballot(current: Sequence[Submission]) -> tuple[bool, str]:
        key = (*(getattr(policy, name) for name in DECIDES_VOTES), *(entry.pk for entry in current))
        if key not in known:
            merged = merged_label(item, current, policy=policy).merged
            known[key] = bool(merged.ties), merged.doubt
        return known[key]

    return ballot


def _told(replayed: Replayed) -> dict[str, Any]:
    return {"ending": replayed.ending, "rule": replayed.rule, "reads": replayed.n_reads}
