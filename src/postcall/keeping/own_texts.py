"""Forgetting what was texted to members' own phones: to a person's number, or with a person's values in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from postcall.keeping.models import Erasure, Redaction
from postcall.messages.models import OwnPhone, OwnText, PhoneCode, new_token
from postcall.messages.underway import UNDECIDED


def of_person(number: str, calls: Iterable[UUID], workspace_id: UUID, until: datetime) -> QuerySet[OwnText]:
    theirs = Q(to=number) | Q(call_id__in=list(calls))
    return OwnText.objects.filter(theirs, workspace_id=workspace_id, created_at__lte=until)


def forget_own_texts(
    rows: QuerySet[OwnText], number: str, erasure: Erasure, now: datetime
) -> tuple[int, list[UUID]]:
    """Empties those of which it is known whether they were sent, and has Twilio forget them; returns how many, and
    which have to be known first. The caller has the recipient locked."""
    pks = [text.pk for text in rows.order_by("pk").select_for_update(no_key=True)]
    mine = OwnText.objects.filter(pk__in=pks)
    waiting = list(mine.filter(UNDECIDED).values_list("pk", flat=True))
    over = mine.exclude(pk__in=waiting)
    _have_twilio_forget(over, erasure, now)
    over.filter(status=OwnText.Status.QUEUED).update(status=OwnText.Status.REFUSED)
    for pk in list(over.values_list("pk", flat=True)):
        OwnText.objects.filter(pk=pk).update(
            token=new_token(),
            body="",
            body_digest="",
            error_message="",
            due_at=None,
            lease_until=None,
            generation=F("generation") + 1,
            ended_at=Coalesce("ended_at", now),
        )
    over.filter(to=number).update(to="")
    return len(pks) - len(waiting), waiting


def _have_twilio_forget(texts: QuerySet[OwnText], erasure: Erasure, now: datetime) -> None:
    known = texts.exclude(sid="")
    doubtful = texts.filter(sid="", status=OwnText.Status.UNCONFIRMED)
    rows = [
        Redaction(
            erasure=erasure,
            workspace_id=text.workspace_id,
            account_id=text.account_id,
            sid=text.sid,
            number="" if text.sid else text.to,
            body="" if text.sid else text.body,
            since=text.started_at or text.created_at,
            due_at=now,
        )
        for text in (*known, *(each for each in doubtful if each.body and each.to))
        if text.account_id is not None
    ]
    Redaction.objects.bulk_create(rows, ignore_conflicts=True)


def forget_phones(number: str, workspace_id: UUID | None) -> None:
    """The number is nobody's own any more; in one workspace: none of its members'."""
    phones, codes = OwnPhone.objects.filter(number=number), PhoneCode.objects.filter(number=number)
    if workspace_id is not None:
        phones = phones.filter(person__memberships__workspace=workspace_id)
        codes = codes.filter(person__memberships__workspace=workspace_id)
    phones.delete()
    codes.delete()
