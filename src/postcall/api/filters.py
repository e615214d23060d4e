"""What lists are narrowed down by."""

from __future__ import annotations

from typing import Annotated, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from pydantic import AfterValidator, Field

from postcall.agents.models import ExternalId
from postcall.calls.finding import with_number, with_words
from postcall.calls.models import Call
from postcall.followups.finding import with_follow_up
from postcall.shapes import Text
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

Row = TypeVar("Row", bound=Model)


def _digits(written: str) -> str:
    digits = "".join(char for char in written if char.isascii() and char.isdigit())
    if not digits:
        raise ValueError("digits of a phone number are needed")
    return digits


Digits = Annotated[Text, Field(min_length=1, max_length=32), AfterValidator(_digits)]
Words = Annotated[Text, Field(min_length=1, max_length=200)]


def numbered(rows: QuerySet[Row], digits: str | None, column: str) -> QuerySet[Row]:
    """Rows whose number has these digits anywhere in it; for lists that are never long."""
    return rows if digits is None else rows.filter(**{f"{column}__contains": digits})


def called_by(calls: QuerySet[Call], workspace: Workspace, digits: str | None) -> QuerySet[Call]:
    """Calls of the workspace whose customer's number has these digits anywhere in it."""
    return calls if digits is None else with_number(calls, workspace, digits)


def of_agent(calls: QuerySet[Call], workspace: Workspace, agent: str | None) -> QuerySet[Call]:
    """`agent`: Postcall's id, or as the platform names it."""
    if agent is None:
        return calls
    known = within(workspace, ExternalId).filter(external_id=agent, live=True)
    agents = [*known.values_list("agent_id", flat=True), *filter(None, [_uuid(agent)])]
    return calls.filter(Q(agent_ref=agent) | Q(agent_id__in=agents))


def of_source(calls: QuerySet[Call], source: str | None) -> QuerySet[Call]:
    """`source`: a source's id, or a kind."""
    if source is None:
        return calls
    own = _uuid(source)
    return calls.filter(source_id=own) if own else calls.filter(source_kind=source)


def followed_up(
    calls: QuerySet[Call],
    workspace: Workspace,
    outcome: str | None,
    reason: str | None,
    message_status: str | None,
) -> QuerySet[Call]:
    """Calls with one follow-up to which all of this applies."""
    wanted = {"outcome": outcome, "reason": reason, "message__status": message_status}
    given = {name: value for name, value in wanted.items() if value is not None}
    return with_follow_up(calls, workspace, Q(**given)) if given else calls


def saying(calls: QuerySet[Call], workspace: Workspace, words: str | None) -> QuerySet[Call]:
    """Calls of the workspace that are found by these words (`postcall.calls.finding`)."""
    return calls if words is None else with_words(calls, workspace, words)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
