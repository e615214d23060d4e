"""What was said is forgotten in time; what happened stays."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent
from postcall.calls.models import Call, RawPayload
from postcall.calls.receive import receive
from postcall.followups.models import FollowUp
from postcall.sources.ended_call import EndedCall
from postcall.work.partitions import ensure_partitions
from postcall.worker.retention import forget
from postcall.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def a_follow_up(age_days: int, **workspace: object) -> FollowUp:
    tenant = Workspace.objects.create(name="Northgate Clinic", **workspace)
    agent = Agent.objects.create(workspace=tenant, name="Front desk")
    action = Action.objects.create(workspace=tenant, name="Booking confirmation")
    revision = Revision.objects.create(action=action, number=1, message="Hi", condition="After booking")
    attachment = Attachment.objects.create(workspace=tenant, agent=agent, action=action, mode="live")
    ended = EndedCall.model_validate(
        {
            "external_id": "c-1",
            "agent": str(agent.pk),
            "transcript": [{"role": "customer", "text": "My name is Ann"}],
        }
    )
    call = receive(tenant, None, "api", ended, b'{"said": "My name is Ann"}').call
    Call.objects.filter(pk=call.pk).update(received_at=NOW - timedelta(days=age_days), due_at=None, status="done")
    return FollowUp.objects.create(
        workspace=tenant,
        call=call,
        action=action,
        revision=revision,
        attachment=attachment,
        outcome="skipped",
        reason="condition_not_met",
        body="Hi Ann",
        inputs={"name": {"value": "Ann"}},
        verdict={
            "reason": "Ann did not book",
            "evidence": [{"turn": 1, "quote": "My name is Ann"}],
            "judge": "offline",
        },
        created_at=NOW,
    )


def test_it_forgets_what_was_said_and_keeps_what_happened() -> None:
    follow_up = a_follow_up(91)
    assert forget(NOW) == 1
    follow_up.refresh_from_db()
    assert (follow_up.body, follow_up.inputs, follow_up.reason) == ("", {}, "condition_not_met")
    assert "Ann" not in str(follow_up.verdict)
    assert follow_up.verdict["judge"] == "offline"
    assert follow_up.call.transcript == []
    assert not RawPayload.objects.exists()
    assert forget(NOW) == 0


@pytest.mark.parametrize(("age", "days"), [(89, 90), (5000, None)])
def test_it_keeps_what_is_not_old_enough(age: int, days: int | None) -> None:
    follow_up = a_follow_up(age, retention_days=days)
    assert forget(NOW) == 0
    follow_up.refresh_from_db()
    assert follow_up.body == "Hi Ann"


def test_it_keeps_a_call_on_which_something_is_still_due() -> None:
    follow_up = a_follow_up(91)
    Call.objects.filter(pk=follow_up.call_id).update(due_at=NOW)
    assert forget(NOW) == 0


def test_it_drops_months_that_are_empty() -> None:
    from django.db import connection

    ensure_partitions(datetime(2020, 1, 15, tzinfo=NOW.tzinfo).date())
    forget(NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('raw_payload_2020_01'), to_regclass(%s)", [f"raw_payload_{NOW:%Y_%m}"])
        gone, kept = cursor.fetchone()
    assert gone is None
    assert kept is not None
