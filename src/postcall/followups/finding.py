"""Finding calls by what became of their follow-ups, through indexes however many there are."""

from __future__ import annotations

from typing import Final

from django.db.models import OuterRef, Q, QuerySet

from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.work.among import Among, ExistsForEach, few
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

# What more than so many follow-ups are is looked for newest first instead, where it soon turns up.
MANY: Final = 2_000


def with_follow_up(calls: QuerySet[Call], workspace: Workspace, condition: Q) -> QuerySet[Call]:
    """Those of the workspace's `calls` that have one follow-up to which all of `condition` applies."""
    fitting = within(workspace, FollowUp).filter(condition)
    # Left to the planner, what hardly any follow-up is would be looked for through all calls.
    found = few(*fitting.values("call_id").query.sql_with_params(), MANY)
    if found is not None:
        return calls.filter(Among(found))
    return calls.filter(ExistsForEach(fitting.filter(call=OuterRef("pk"))))
