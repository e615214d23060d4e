"""Finding texts by the digits of a number, through an index however many there are."""

from __future__ import annotations

import re

from django.db import connection
from django.db.models import QuerySet

from postcall.messages.models import Message
from postcall.workspaces.models import Workspace

# What more than so many texts have is looked for newest first instead, where it soon turns up.
MANY = 2_000

_HAS = """postcall_number_words('#', "to") @@ %s::tsquery"""


def to_number(messages: QuerySet[Message], workspace: Workspace, typed: str) -> QuerySet[Message]:
    """Those of the workspace's `messages` whose recipient's number has the typed digits anywhere in it."""
    digits = re.sub(r"\D", "", typed)
    if not digits:
        return messages.none()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM message WHERE workspace_id = %s AND {_HAS} LIMIT %s",  # noqa: S608  # our own words
            [workspace.pk, f"#{digits}:*", MANY + 1],
        )
        found = [row[0] for row in cursor.fetchall()]
    return messages.filter(to__contains=digits) if len(found) > MANY else messages.filter(pk__in=found)
