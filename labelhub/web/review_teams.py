"""The team filter of the reviewers' lists: where one project is shown, and readers' names are shown to the reviewer there.

In a blind review a team would tell who is behind a letter: to filter by it is to ask. Its reviewers get no filter, and one in
the address does nothing; admins, who see names, get it. Not here: the admin's pages (``manage_teams``).
"""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest

from labelhub.projects.models import Team
from labelhub.projects.selectors import current_policy
from labelhub.projects.teams import teams_of
from labelhub.web.context import Home


def offered_teams(request: HttpRequest, homes: Sequence[Home]) -> tuple[Sequence[Team], Team | None]:
    """Return the teams that the lists of these projects may be filtered by, and the one that the address names.

    A team of another project filters nothing: whoever turns to a further project keeps the address. One query, or none.
    """
    if len(homes) != 1 or (current_policy(homes[0].project)[1].review_blind and not homes[0].may_manage):
        return (), None
    teams = list(teams_of(homes[0].project))
    asked = request.GET.get("team", "")
    return teams, next((team for team in teams if str(team.pk) == asked), None)
