"""Rows of another time: their ids are of then."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.ids import first_id, new_id
from postcall.sources.models import Source


def id_of(at: datetime) -> UUID:
    return UUID(int=first_id(at).int | 7 << 76 | 2 << 62 | new_id().int & (1 << 62) - 1)


def calls_at(times: list[datetime], source: Source) -> None:
    Call.objects.bulk_create(
        [
            Call(
                id=id_of(at),
                workspace_id=source.workspace_id,
                source=source,
                source_kind=source.kind,
                external_id=str(new_id()),
                received_at=at,
            )
            for at in times
        ],
        batch_size=1_000,
    )
    Source.objects.filter(pk=source.pk).update(last_received_at=max(times))
    source.refresh_from_db()


def judged_at(at: datetime, attachment: Any, result: str) -> FollowUp:
    call = Call.objects.create(
        workspace=attachment.workspace,
        agent=attachment.agent,
        source_kind="vapi",
        external_id=str(new_id()),
        received_at=at,
    )
    return FollowUp.objects.create(
        id=id_of(at),
        workspace=attachment.workspace,
        call=call,
        action=attachment.action,
        revision=attachment.action.revision,
        attachment=attachment,
        outcome="skipped",
        result=result,
        created_at=at,
    )
