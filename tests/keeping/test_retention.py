"""What was said is forgotten in time; what happened stays."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent
from postcall.calls.models import Call, RawPayload
from postcall.calls.receive import receive
from postcall.followups.models import FollowUp, OptOut
from postcall.ids import new_id
from postcall.keeping.retention import forget
from postcall.messages.models import Attempt, DeliveryEvent, Message
from postcall.sandbox.running import Sandbox
from postcall.sources.ended_call import EndedCall
from postcall.work.partitions import PARTITIONED, ensure_partitions, months_of
from postcall.workspaces.models import Workspace

from .clinic import Clinic

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


def test_it_forgets_how_an_opt_out_was_said_and_keeps_that_it_was() -> None:
    follow_up = a_follow_up(91)
    OptOut.objects.create(
        workspace=follow_up.workspace, number="+14155550132", origin="said", quote="No texts", call=follow_up.call
    )
    forget(NOW)
    opted = OptOut.objects.get()
    assert (opted.number, opted.quote, opted.ended_at) == ("+14155550132", "", None)


def test_it_keeps_a_text_until_it_is_known_whether_it_was_sent(clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.call()
    clinic.process()
    sandbox.fail_next("cut_after")
    clinic.send()
    Call.objects.update(received_at=NOW - timedelta(days=91))
    assert forget(NOW) == 0
    assert Message.objects.get().body
    clinic.everything_is_due()
    clinic.track()
    Attempt.objects.update(due_at=None)
    assert forget(NOW) == 1
    message = Message.objects.get()
    assert (message.body, message.status) == ("", "accepted")


# Whole months.

JUNE = datetime(2020, 6, 15, tzinfo=UTC)


def partitions(table: str) -> list[str]:
    return [name for name, _ in months_of(table)]


def an_event(at: datetime, message: Message | None = None) -> DeliveryEvent:
    workspace = message.workspace if message else Workspace.objects.first() or Workspace.objects.create(name="N")
    return DeliveryEvent.objects.create(
        at=at, workspace=workspace, message_id=message.pk if message else new_id(), status="sent", origin="twilio"
    )


def home_of(row: DeliveryEvent) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM delivery_event WHERE id = %s", [row.pk])
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("today", "last"),
    [
        (date(2020, 1, 1), "2020_04"),
        (date(2020, 1, 31), "2020_04"),
        (date(2020, 2, 29), "2020_05"),
        (date(2020, 9, 30), "2020_12"),
        (date(2020, 10, 1), "2021_01"),
        (date(2020, 12, 31), "2021_03"),
    ],
)
def test_it_always_has_this_month_and_the_next_three(today: date, last: str) -> None:
    ensure_partitions(today)
    for table in PARTITIONED:
        made = [name for name in partitions(table) if name <= f"{table}_2021_12"]
        assert (made[0], made[-1], len(made)) == (f"{table}_{today:%Y_%m}", f"{table}_{last}", 4)


def test_it_puts_the_edges_of_a_month_where_they_belong() -> None:
    ensure_partitions(date(2020, 1, 31))
    midnight = datetime(2020, 2, 1, tzinfo=UTC)
    assert home_of(an_event(midnight - timedelta(microseconds=1))) == "delivery_event_2020_01"
    assert home_of(an_event(midnight)) == "delivery_event_2020_02"


def test_it_moves_what_came_while_a_month_had_no_partition() -> None:
    """As after a process slept for long: the rows of a month are there before its partition."""
    before = an_event(datetime(2020, 5, 31, 23, 59, 59, tzinfo=UTC))
    late, other = an_event(JUNE), an_event(datetime(2021, 6, 1, tzinfo=UTC))
    assert home_of(late) == "delivery_event_other"
    ensure_partitions(JUNE.date())
    assert home_of(late) == "delivery_event_2020_06"
    assert home_of(an_event(JUNE)) == "delivery_event_2020_06"
    assert {home_of(before), home_of(other)} == {"delivery_event_other"}


def test_it_drops_months_that_are_empty() -> None:
    Workspace.objects.create(name="N", retention_days=None)
    ensure_partitions(JUNE.date())
    forget(NOW)
    assert "raw_payload_2020_06" not in partitions("raw_payload")
    assert f"raw_payload_{NOW:%Y_%m}" in partitions("raw_payload")


@pytest.mark.parametrize(
    ("now", "gone"),
    [
        (datetime(2020, 9, 28, 23, 59, tzinfo=UTC), False),  # June ended on the 1st of July: 89 days ago
        (datetime(2020, 9, 29, tzinfo=UTC), True),
        (datetime(2021, 1, 1, tzinfo=UTC), True),
    ],
)
def test_it_drops_a_month_once_its_last_day_is_past_the_retention(now: datetime, gone: bool) -> None:
    Workspace.objects.create(name="N", retention_days=90)
    Workspace.objects.create(name="M", retention_days=30)
    ensure_partitions(JUNE.date())
    an_event(datetime(2020, 6, 30, 23, 59, tzinfo=UTC))
    forget(now)
    assert ("delivery_event_2020_06" not in partitions("delivery_event")) is gone


def test_it_drops_no_month_while_somebody_keeps_everything() -> None:
    Workspace.objects.create(name="N", retention_days=None)
    Workspace.objects.create(name="M", retention_days=30)
    ensure_partitions(JUNE.date())
    an_event(JUNE)
    forget(NOW)
    assert "delivery_event_2020_06" in partitions("delivery_event")


def test_it_drops_payloads_whole_and_forgets_their_calls() -> None:
    follow_up = a_follow_up(1)
    ensure_partitions(JUNE.date())
    Call.objects.update(received_at=JUNE)
    RawPayload.objects.update(received_at=JUNE)
    forget(NOW)
    assert "raw_payload_2020_06" not in partitions("raw_payload")
    assert Call.objects.get(pk=follow_up.call_id).transcript == []


def test_it_keeps_a_month_in_which_something_is_still_to_come(clinic: Clinic) -> None:
    ensure_partitions(JUNE.date())
    call = clinic.call()
    RawPayload.objects.update(received_at=JUNE)
    message = clinic.texted("+14155550139", status="sent")
    Attempt.objects.filter(message=message).update(due_at=NOW)
    an_event(JUNE, message)
    Call.objects.filter(pk=call.pk).update(received_at=JUNE, due_at=NOW)
    forget(NOW)
    assert "raw_payload_2020_06" in partitions("raw_payload")
    assert "delivery_event_2020_06" in partitions("delivery_event")


def test_it_deletes_old_rows_that_have_no_month() -> None:
    Workspace.objects.create(name="N", retention_days=90)
    old, new = an_event(JUNE), an_event(NOW + timedelta(days=400))
    forget(NOW)
    assert list(DeliveryEvent.objects.filter(pk__in=(old.pk, new.pk))) == [new]
