"""What lists are narrowed down by."""

from __future__ import annotations

from typing import Annotated, TypeVar
from uuid import UUID

from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from pydantic import AfterValidator, Field

from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.shapes import Text

Row = TypeVar("Row", bound=Model)


def _digits(written: str) -> str:
    digits = "".join(char for char in written if char.isascii() and char.isdigit())
    if not digits:
        raise ValueError("digits of a phone number are needed")
    return digits


Digits = Annotated[Text, Field(min_length=1, max_length=32), AfterValidator(_digits)]
Words = Annotated[Text, Field(min_length=1, max_length=200)]


def numbered(rows: QuerySet[Row], digits: str | None, column: str) -> QuerySet[Row]:
    """Rows whose number has these digits anywhere in it."""
    return rows if digits is None else rows.filter(**{f"{column}__contains": digits})


def of_agent(calls: QuerySet[Call], agent: str | None) -> QuerySet[Call]:
    """`agent`: Postcall's id, or as the platform names it."""
    if agent is None:
        return calls
    named = Q(agent_ref=agent) | Q(agent__external_ids__external_id=agent, agent__external_ids__live=True)
    if own := _uuid(agent):
        named |= Q(agent_id=own)
    return calls.filter(pk__in=calls.filter(named).values("pk"))


def of_source(calls: QuerySet[Call], source: str | None) -> QuerySet[Call]:
    """`source`: a source's id, or a kind."""
    if source is None:
        return calls
    own = _uuid(source)
    return calls.filter(source_id=own) if own else calls.filter(source_kind=source)


def followed_up(
    calls: QuerySet[Call], outcome: str | None, reason: str | None, message_status: str | None
) -> QuerySet[Call]:
    """Calls with one follow-up to which all of this applies."""
    wanted = {"outcome": outcome, "reason": reason, "message__status": message_status}
    given = {name: value for name, value in wanted.items() if value is not None}
    return calls.filter(Exists(FollowUp.objects.filter(call=OuterRef("pk"), **given))) if given else calls


def saying(calls: QuerySet[Call], words: str | None) -> QuerySet[Call]:
    """Calls in whose transcript or texts these words stand, upper and lower case alike, or whose id they are."""
    if words is None:
        return calls
    pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    spoken = RawSQL(
        """EXISTS (SELECT 1 FROM jsonb_array_elements("call"."transcript") AS turn WHERE turn->>'text' ILIKE %s)""",
        [pattern],
    )
    written = Exists(FollowUp.objects.filter(call=OuterRef("pk"), body__icontains=words))
    return calls.annotate(_spoken=spoken).filter(Q(_spoken=True) | Q(written) | Q(external_id=words))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
