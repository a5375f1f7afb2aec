"""R6: a submit happens exactly once, however often and however simultaneously it is sent, and each reply equals the first."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import numpy as np
import orjson
from django.test import Client
from django.urls import reverse

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission, SubmitReply
from labelhub.assignments.models import Assignment
from labelhub.audit.models import Event
from labelhub.config.soak.at_once import at_once
from labelhub.config.soak.report import Progress, Trial, silent
from labelhub.config.soak.world import SoakWorld, add_item, draw_square, make_world
from labelhub.workflow import lifecycle

BATCH = 20
MOST_RETRIES = 5
# A retry that comes after so many other submits.
LATE = 6


def try_submits(*, n: int, seed: int, is_concurrent: bool, progress: Progress = silent) -> Trial:
    """Submit ``n`` items through the page's address; half are sent again 1 to 5 times.

    Of those, half at the same moment as the first where ``is_concurrent``, else one after the other.
    """
    trial, rng = Trial("submits exactly once", seed), np.random.default_rng(seed)
    world = make_world(n_annotators=2, readers=1, use_model=False)
    clients = {user.pk: _client(user) for user in world.annotators}
    n_sent = 0
    answered: list[tuple[Client, Assignment, bytes, object]] = []
    for _ in world.annotators:
        # A submit hands out the next: each of them may hold one.
        add_item(world, rng)
    with trial.while_there_is_time():
        for start in range(0, n, BATCH):
            for _ in range(min(BATCH, n - start)):
                add_item(world, rng)
            for _ in range(min(BATCH, n - start)):
                user = world.annotators[int(rng.integers(len(world.annotators)))]
                n_sent += _one(trial, world, user, clients[user.pk], rng, answered, is_concurrent=is_concurrent)
                if len(answered) > LATE:
                    # By now its labeler is at another item, so that a reply made anew would name that one.
                    late, assignment, body, first = answered.pop(0)
                    trial.check(
                        _post(late, assignment, body) == first, f"submit {trial.n}: a late retry is answered anew"
                    )
                    n_sent += 1
            progress(trial.n, n)
    rows = Submission.objects.filter(assignment__item__project=world.project)
    trial.check(rows.count() == trial.n, f"{rows.count()} rows after {trial.n} submits")
    replies = SubmitReply.objects.filter(submission__in=rows)
    trial.check(replies.count() == trial.n, f"{replies.count()} kept replies after {trial.n} submits")
    frozen = Event.objects.filter(chain=f"project:{world.project.pk}", kind="submission.frozen")
    trial.check(frozen.count() == trial.n, f"{frozen.count()} events after {trial.n} submits")
    trial.facts |= {"requests": n_sent, "rows": rows.count()}
    return trial


def _one(
    trial: Trial, world: SoakWorld, user: User, client: Client, rng: np.random.Generator,
    answered: list[tuple[Client, Assignment, bytes, object]], *, is_concurrent: bool,
) -> int:  # fmt: skip
    assignment = lifecycle.hand_out(labeler=world.labeler(user))
    assert assignment is not None, "there are as many items as submits"
    draw_square(assignment, user, float(rng.integers(2, 20)))
    request = {"request_id": str(uuid.UUID(bytes=rng.bytes(16))), "extent": {"media": [{"medium": 0, "whole": True}]}}
    body = orjson.dumps(request)
    retries = int(rng.integers(1, MOST_RETRIES + 1)) if rng.random() < 0.5 else 0
    if retries and is_concurrent and rng.random() < 0.5:
        sent = at_once(*[lambda: _post(_client(user), assignment, body)] * (retries + 1))
    else:
        sent = [_post(client, assignment, body) for _ in range(retries + 1)]
    trial.n += 1
    trial.check(all(reply == sent[0] for reply in sent), f"submit {trial.n}: replies differ: {sent[:2]}")
    trial.check(_is_well(sent), f"submit {trial.n}: {sent[0]!r}")
    n_rows = Submission.objects.filter(assignment=assignment).count()
    trial.check(n_rows == 1, f"submit {trial.n}: {n_rows} rows")
    answered.append((client, assignment, body, sent[0]))
    return retries + 1


def _client(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def _post(client: Client, assignment: Assignment, body: bytes) -> tuple[int, bytes]:
    answer = client.post(reverse("label-submit", args=[assignment.pk]), body, content_type="application/json")
    return answer.status_code, answer.content


def _is_well(sent: Sequence[object]) -> bool:
    return all(isinstance(reply, tuple) and reply[0] == 200 for reply in sent)
