"""Which items' pictures the instructions may show: none that is gold or ever was, so that nothing that tests is given away.

Not here: the pictures (``catalog.examples``).
"""

from __future__ import annotations

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.catalog.examples import add_from_item
from labelhub.catalog.models import Example, Item
from labelhub.projects.permissions import Action, require
from labelhub.scoring.gold import was_gold
from labelhub.scoring.gold_health import groups_with_gold
from labelhub.workflow import steps
from labelhub.workflow.errors import StepRefused


def show_item(*, item: Item, z: int | None, caption: str, marker: str, by: User) -> Example:
    """Show an item's picture in the instructions. Writes ``example.added``. Admins only.

    Raises ``NotFound``/``NotAllowed``, ``StepRefused`` (``example-is-gold``) and what ``catalog.examples`` raises.
    """
    require(by, Action.MANAGE, item.project)
    with transaction.atomic():
        held = steps.locked(item.pk)
        if was_gold(held) or (held.group_key and held.group_key in groups_with_gold(held.project)):
            raise StepRefused(
                "This item, or another one of its patient, is or was gold: shown to everybody it would test nobody. Nothing "
                "was added. Choose another item.",
                code="example-is-gold",
            )
        return add_from_item(item=held, z=z, caption=caption, marker=marker, by=f"user:{by.pk}")
