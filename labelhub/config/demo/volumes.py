"""The second demo project: time points of one brain as volumes: one read by two people, one waiting, one labeled together,
and what a network learns from (``learning``).

Real pixels; the readings are simulated around a mask found by thresholding. Not here: the small items (`building`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from labelhub.accounts.models import User
from labelhub.assignments import selectors as assigned
from labelhub.assignments.batches import make_batch
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.config.demo import plan
from labelhub.config.demo.learning import brain_mask, mask_reading, set_training
from labelhub.config.demo.pictures import BRAIN, brain_volumes
from labelhub.predictions.services import predict_item, register_model
from labelhub.projects.models import Project, Role
from labelhub.projects.ontology import read_ontology
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_guideline, labeler_of
from labelhub.projects.services import acknowledge_guideline, add_member, create_project
from labelhub.workflow import distribution, lifecycle, together

ACTOR = "demo"
# Omar paints one voxel too far out in every direction, as he does in two dimensions.
READERS = (("elena", 0), ("omar", 1))
# Image analysis that stands in for a network: its disagreement with the readers is scored and routed like any model's.
MODEL_PARAMETERS = {"classes": {"brain": {"polarity": "bright", "threshold": "otsu", "sigma": 1.0, "min_size": 20000}}}


def build_volumes(progress: Callable[[int, int, str], None]) -> Project:
    """Build the project of volumes; the people of the first project must exist."""
    people = {user.username: user for user in User.objects.all()}
    project = create_project(
        name=plan.VOLUME_PROJECT_NAME,
        description="A brain in magnetic resonance at two time points: planes in three directions, painted with a brush. Five "
        "more volumes are made of it, mirrored, turned and stretched, for a network to learn from.",
        ontology=read_ontology(plan.VOLUME_ONTOLOGY),
        # Every draft is shown as the model drew it, so that whoever tries the demo finds what it says.
        policy=Policy(readers=2, model_agreement=0.75, drafts="asked", draft_withheld_share=0.0, draft_seed_share=0.0),
        guideline=plan.VOLUME_GUIDELINE,
        created_by=people["ada"],
    )
    for username, role in (
        ("rita", Role.REVIEWER),
        ("ann", Role.ANNOTATOR),
        ("elena", Role.ANNOTATOR),
        ("omar", Role.ANNOTATOR),
    ):
        add_member(project=project, user=people[username], role=role, actor=ACTOR)
    model = register_model(
        project=project, name="Threshold", predictor="classical-threshold", parameters=MODEL_PARAMETERS, by=ACTOR
    )
    volumes = brain_volumes()
    # The last of them once more, for two people at once.
    volumes = [*volumes, volumes[-1]]
    items = []
    for number, (pixels, grid) in enumerate(volumes):
        low, high = (float(value) for value in np.percentile(pixels, (1, 99.5)))
        item = add_volume(
            project=project,
            pixels=pixels,
            grid=grid,
            window=((low + high) / 2, high - low),
            identity=ItemIdentity(subject=BRAIN, study=f"time {number}"),
            source_id=f"brain-{number}",
            actor=ACTOR,
        )
        items.append(item)
        predict_item(model=model, item=item)
        if number == 0:
            brain = brain_mask(pixels)
            for username, margin in READERS:
                reading = mask_reading(brain, item.code, username, margin)
                lifecycle.record_reading(item=item, labeler=labeler_of(people[username], project), reading=reading)
        progress(number + 1, len(volumes), "volumes of a brain")
    _share(project, people, items[-1])
    set_training(project, people, progress)
    return project


def shared_page() -> str:
    """Return the address of the volume that two people label together; empty where it was submitted."""
    project = Project.objects.filter(name=plan.VOLUME_PROJECT_NAME).first()
    work = None if project is None else together.shared_work_of(project).first()
    return "" if work is None else f"/label/{work.pk}/"


def _share(project: Project, people: Mapping[str, User], item: Item) -> None:
    """Give the volume to the first of the two, and a seat at it to the second; both have read the instructions."""
    make_batch(project=project, name="Together", items=[item], by=ACTOR, is_shared=True)
    first, second = (people[username] for username in plan.TOGETHER)
    for user in (first, second):
        acknowledge_guideline(labeler=labeler_of(user, project), guideline=current_guideline(project))
    labeler = labeler_of(first, project)
    distribution.assign_by_hand(items=[item], labeler=labeler, by=people["ada"], due_at=None)
    together.join(assignment=assigned.of_item(item).get(labeler=labeler), by=second)
