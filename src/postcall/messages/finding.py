"""Finding texts by the digits of a number, through an index however many there are."""

from __future__ import annotations

import re

from django.db.models import QuerySet

from postcall.messages.models import Message
from postcall.work.among import Among, common, few
from postcall.workspaces.models import Workspace

# What more than so many texts have is looked for newest first instead, where it soon turns up.
MANY = 10_000

_HAS = """postcall_number_words('#', "to") @@ %s::tsquery"""


def to_number(messages: QuerySet[Message], workspace: Workspace, typed: str) -> QuerySet[Message]:
    """Those of the workspace's `messages` whose recipient's number has the typed digits anywhere in it."""
    digits = re.sub(r"\D", "", typed)
    if not digits:
        return messages.none()
    select = f"SELECT id FROM message WHERE workspace_id = %s AND {_HAS}"  # noqa: S608  # our own words
    wanted = f"#{digits}:*"
    many = common("message", '"to"', _HAS, workspace.pk, [wanted])
    found = None if many else few(select, [workspace.pk, wanted], MANY)
    return messages.filter(to__contains=digits) if found is None else messages.filter(Among(found))
