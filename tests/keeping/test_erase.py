"""A person is forgotten: nothing of theirs is left in any column, nor at Twilio, and nothing is sent them again."""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client

from postcall.actions.models import Attachment
from postcall.agents.models import Agent
from postcall.api.models import IdempotentRequest
from postcall.calls.models import Call, RawPayload
from postcall.calls.receive import Receipt, receive
from postcall.followups import optouts
from postcall.followups.models import FollowUp, OptOut, Reason
from postcall.followups.optouts import active_opt_out, hashed, opt_in, opt_out
from postcall.followups.review import NotPossible as CannotApprove
from postcall.followups.review import approve
from postcall.keeping import erase
from postcall.keeping.mentions import hash_external_ids
from postcall.keeping.models import Erasure, Redaction
from postcall.keeping.redact import forget_what_is_due
from postcall.messages import operator
from postcall.messages.callbacks import receive_status
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Attempt, DeliveryEvent, Message, StrayCallback
from postcall.messages.signatures import UnknownAddress
from postcall.sandbox.running import Sandbox
from postcall.sources.ended_call import EndedCall
from postcall.sources.models import Source
from postcall.work import clock
from postcall.workspaces.audit import SYSTEM, Thing, record
from postcall.workspaces.models import ApiKey, AuditEntry, Membership, User, Workspace
from postcall.workspaces.rekey import rekey

from .clinic import ANN, BEN, OURS, Clinic

pytestmark = pytest.mark.django_db
SPELT = (ANN, "14155550132", "4155550132", "(415) 555-0132", "+1 415-555-0132", "415.555.0132", "1 415 555 0132")


def everything_stored() -> str:
    """Every text, JSON, byte and array column of every table, also of those that are added later."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
            " AND data_type NOT IN ('uuid', 'boolean', 'timestamp with time zone', 'smallint', 'integer')"
        )
        stored = []
        for table, column, kind in cursor.fetchall():
            value = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(f'SELECT {value} FROM "{table}" WHERE "{column}" IS NOT NULL')
            stored += [f"{table}.{column}: {row[0]}" for row in cursor.fetchall()]
    return "\n".join(stored)


def forget(number: str = ANN, workspace: Workspace | None = None) -> Erasure:
    erasure = erase.begin(number, workspace, SYSTEM)
    erase.work(erasure)
    forget_what_is_due(60)
    erasure.refresh_from_db()
    return erasure


def left_of_ann(stored: str) -> list[str]:
    """The lines that show her number in any spelling, her name or her words."""
    shown = re.compile("|".join([*map(re.escape, SPELT), "Annabel", "knee hurts", "Tuesday 4"]))
    return [line for line in stored.splitlines() if shown.search(line)]


def number_in(stored: str) -> list[str]:
    return [line for line in stored.splitlines() if any(spelt in line for spelt in SPELT)]


def test_it_leaves_nothing_of_a_person_in_any_column(clinic: Clinic, sandbox: Sandbox) -> None:
    message = clinic.texted()
    follow_up = message.follow_up
    FollowUp.objects.filter(pk=follow_up.pk).update(
        verdict={
            "reason": "Annabel agreed",
            "evidence": [{"turn": 2, "quote": "my knee hurts"}],
            "judge": "offline",
        },
        detail=f"{ANN} must not be texted",
    )
    Attempt.objects.filter(message=message).update(error_message=f"The number {ANN} is not reachable")
    DeliveryEvent.objects.filter(message=message).update(detail=f"frequency_cap: {ANN} was sent 5 texts")
    StrayCallback.objects.create(account=clinic.account, attempt=message.attempts.get(), sid="SM1")
    opt_out(clinic.workspace.pk, ANN, "said", quote="my knee hurts, no texts", call=follow_up.call)
    clinic.call(external_id=f"call of {ANN}")
    clinic.process()
    sandbox.inbound(
        account_sid=clinic.account.account_sid,
        from_number=ANN,
        to=OURS,
        body="Annabel here",
        url="http://127.0.0.1:9/",
    )
    body = json.dumps({"headers": {}, "body": json.dumps({"to": ANN})})
    IdempotentRequest.objects.create(workspace=clinic.workspace, key="k", status=200, body=body)
    assert left_of_ann(everything_stored())
    erasure = forget()
    assert left_of_ann(everything_stored()) == []
    assert erasure.done_at is not None
    assert IdempotentRequest.objects.get().status == 410
    at_twilio = [(text.body, text.to, text.from_number) for text in sandbox.messages]
    assert not left_of_ann(str(at_twilio))


@pytest.mark.parametrize("spelt", SPELT)
def test_it_takes_the_number_out_of_what_others_said(clinic: Clinic, spelt: str) -> None:
    clinic.texted()
    clinic.call(BEN, "Ben", transcript=[{"role": "customer", "text": f"Call my wife on {spelt}, please."}])
    clinic.process()
    forget()
    ben = Call.objects.get(customer_number=BEN)
    assert ben.transcript[0]["text"] == "Call my wife on [redacted], please."
    assert number_in(everything_stored()) == []


def test_it_sends_nobody_a_text_with_a_gap_where_the_number_stood(clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.texted()
    clinic.call(BEN, "Ben, call my wife on (415) 555-0132")
    clinic.process()
    FollowUp.objects.filter(recipient=BEN).update(outcome="message", reason="")
    Message.objects.create(
        workspace=clinic.workspace,
        follow_up=FollowUp.objects.get(recipient=BEN),
        to=BEN,
        from_number=OURS,
        body="Call (415) 555-0132",
        encoding="GSM-7",
        segments=1,
        valid_until=clock.now() + timedelta(hours=1),
        created_at=clock.now(),
        due_at=clock.now(),
    )
    erasure = forget()
    assert erasure.done_at is None
    clinic.send()
    assert [text.body for text in sandbox.messages if text.to == BEN] == ["Call (415) 555-0132"]
    for text in sandbox.messages:
        if text.to == BEN:
            sandbox.push(text.sid, "delivered")
    clinic.everything_is_due()
    clinic.track()
    clinic.everything_is_due()
    forget_what_is_due(60)
    erasure.refresh_from_db()
    assert erasure.done_at is not None
    assert number_in(everything_stored()) == []


def test_it_leaves_everybody_else_alone(clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.texted()
    ben = clinic.texted(BEN, "Ben")
    before = [line for line in everything_stored().splitlines() if "Ben" in line or BEN in line]
    forget()
    assert [line for line in everything_stored().splitlines() if "Ben" in line or BEN in line] == before
    assert sandbox.message(ben.sid).body == "Hi Ben, see you on Tuesday 4 March."


def test_it_keeps_what_happened(clinic: Clinic) -> None:
    message = clinic.texted()
    forget()
    message.refresh_from_db()
    assert (message.status, message.body, message.to) == ("delivered", "", "")
    follow_up = FollowUp.objects.get()
    assert (follow_up.outcome, follow_up.body, follow_up.inputs, follow_up.recipient) == ("message", "", {}, "")
    call = Call.objects.get()
    assert (call.status, call.transcript, call.variables, call.customer_number) == ("done", [], {}, "")
    assert call.forgotten_at is not None
    assert not RawPayload.objects.exists()


def test_it_does_not_take_the_person_back_by_a_report_that_comes_again(clinic: Clinic) -> None:
    clinic.call(final=False, external_id="c-thin")
    forget()
    clinic.call(final=True, external_id="c-thin")
    assert left_of_ann(everything_stored()) == []
    assert Call.objects.get().transcript == []


def test_it_never_texts_the_number_again_and_cannot_be_read(clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.texted()
    forget()
    opted = OptOut.objects.get()
    assert opted.number.startswith("#")
    assert opted.origin == OptOut.Origin.ERASED
    clinic.call()
    clinic.process()
    clinic.send()
    again = FollowUp.objects.latest("id")
    assert (again.outcome, again.reason) == ("skipped", Reason.OPTED_OUT)
    assert len(sandbox.messages) == 1


def test_it_refuses_in_the_claim_what_was_decided_before(clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.call()
    clinic.process()
    OptOut.objects.create(workspace=clinic.workspace, number=hashed(clinic.workspace.pk, ANN), origin="erased")
    clinic.send()
    assert FollowUp.objects.get().reason == Reason.OPTED_OUT
    assert sandbox.messages == []


def test_it_hashes_the_same_number_differently_in_each_workspace(clinic: Clinic, sandbox: Sandbox) -> None:
    other = Clinic("Southgate Clinic", sandbox)
    for tenant in (clinic, other):
        tenant.texted()
    forget()
    assert len(set(OptOut.objects.values_list("number", flat=True))) == 2


def test_it_keeps_how_a_person_opted_out_and_lets_them_come_back(clinic: Clinic) -> None:
    opt_out(clinic.workspace.pk, ANN, "stop", quote="STOP, Annabel")
    forget()
    known = active_opt_out(clinic.workspace.pk, ANN)
    assert known is not None
    assert (known.origin, known.quote) == ("stop", "")
    assert opt_out(clinic.workspace.pk, ANN, "stop") == (known, False)
    assert OptOut.objects.count() == 1
    assert opt_in(clinic.workspace.pk, ANN, "stop", only_origins=("stop", "twilio"))
    assert active_opt_out(clinic.workspace.pk, ANN) is None


def test_it_keeps_opt_outs_through_a_change_of_keys(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optouts, "_key", None)  # another test may have emptied its table
    forget(workspace=clinic.workspace)
    before = settings.SECRET_KEY
    monkeypatch.setattr(settings, "SECRET_KEY", "another key of the tests 0123456789")
    monkeypatch.setattr(settings, "SECRET_KEY_FALLBACKS", [before])
    for _ in rekey():
        pass
    monkeypatch.setattr(settings, "SECRET_KEY_FALLBACKS", [])
    monkeypatch.setattr(optouts, "_key", None)  # as in a process that starts then
    assert active_opt_out(clinic.workspace.pk, ANN) is not None


def test_it_takes_the_number_out_of_the_audit_log_that_nobody_else_may_change(clinic: Clinic) -> None:
    with transaction.atomic():
        entry = record(
            clinic.workspace, SYSTEM, "update", Thing("action"), {"message": ["Call (415) 555-0132", "Hi"]}
        )
    forget()
    entry.refresh_from_db()
    assert entry.changes == {"message": ["Call [redacted]", "Hi"]}
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.update(verb="nothing")
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.all().delete()


def test_it_hears_no_callback_that_could_bring_the_number_back(clinic: Clinic) -> None:
    token = clinic.texted(status="sent").attempts.get().token
    forget()
    with pytest.raises(UnknownAddress):
        receive_status(token, f"/twilio/status/{token}", [("To", ANN)], {})


def test_it_stops_what_waits_to_be_sent(clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.call()
    clinic.process()
    taken = Message.objects.get()
    forget()
    clinic.everything_is_due()
    clinic.send()
    taken.refresh_from_db()
    assert (taken.status, taken.due_at, sandbox.messages) == ("canceled", None, [])
    assert FollowUp.objects.get().reason == Reason.REDACTED


def test_it_lets_a_text_on_its_way_end_first_and_then_completes_by_itself(clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.call()
    clinic.process()
    sandbox.fail_next("cut_after")
    clinic.send()
    assert Message.objects.get().status == "unconfirmed"
    erasure = erase.begin(ANN, None, SYSTEM)
    assert erase.work(erasure) == 1
    assert Message.objects.get().to == ANN
    assert Call.objects.get().transcript == []
    # The number itself, which the text still needs, and its digits, by which its call is found.
    kept = re.sub(r"'#\d+'", "", everything_stored().replace(ANN, ""))
    assert not left_of_ann(kept.replace(Message.objects.get().body, ""))
    clinic.everything_is_due()
    clinic.track()
    sandbox.push(sandbox.messages[0].sid, "delivered")
    clinic.everything_is_due()
    clinic.track()
    clinic.everything_is_due()
    forget_what_is_due(60)
    assert left_of_ann(everything_stored()) == []
    assert not left_of_ann(str([(text.body, text.to) for text in sandbox.messages]))


def test_it_finds_at_twilio_what_nobody_knew_to_be_sent(clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.call()
    clinic.process()
    sandbox.fail_next("cut_after")
    clinic.send()
    Attempt.objects.update(open=False, due_at=None)  # given up, and left to the operator
    sandbox.push(sandbox.messages[0].sid, "delivered")
    forget()
    assert not left_of_ann(str([(text.body, text.to) for text in sandbox.messages]))
    assert left_of_ann(everything_stored()) == []


def test_it_asks_twilio_again_until_it_has_forgotten(clinic: Clinic, sandbox: Sandbox) -> None:
    message = clinic.texted(status="sent")
    with sandbox_down(sandbox):
        forget()
    left = Redaction.objects.get(sid=message.sid)
    assert left.done_at is None
    assert left.failures == 1
    assert left.last_error
    assert sandbox.message(message.sid).body
    clinic.everything_is_due()
    forget_what_is_due(60)
    left.refresh_from_db()
    assert left.done_at is not None
    assert sandbox.message(message.sid).deleted


class sandbox_down:
    """Twilio does not answer."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        self.patch.setenv("POSTCALL_SANDBOX_URL", "http://127.0.0.1:9")

    def __exit__(self, *_: object) -> None:
        self.patch.undo()


def test_it_stays_in_one_workspace_when_told_so(clinic: Clinic, sandbox: Sandbox) -> None:
    other = Clinic("Southgate Clinic", sandbox)
    for tenant in (clinic, other):
        tenant.texted()
    forget(workspace=clinic.workspace)
    assert Call.objects.get(workspace=clinic.workspace).transcript == []
    assert Call.objects.get(workspace=other.workspace).customer_number == ANN
    assert not OptOut.objects.filter(workspace=other.workspace).exists()


def test_it_switches_off_an_attachment_that_texted_the_number(clinic: Clinic) -> None:
    Attachment.objects.update(recipient_override=ANN)
    clinic.texted(BEN, "Ben")
    forget()
    attachment = Attachment.objects.get()
    assert (attachment.mode, attachment.recipient_override) == ("off", "")
    assert number_in(everything_stored()) == []


def test_it_refuses_a_number_that_texts_are_sent_from(clinic: Clinic) -> None:
    Agent.objects.update(from_number="+14155550100")
    for number in (OURS, "+14155550100"):
        with pytest.raises(erase.OwnNumber):
            erase.begin(number, None, SYSTEM)


def test_it_changes_nothing_when_it_only_looks(clinic: Clinic) -> None:
    clinic.texted()
    before = everything_stored()
    found = erase.look_for(ANN, None)
    assert (found.calls, found.follow_ups, found.messages, found.at_twilio) == (1, 1, 1, 1)
    assert everything_stored() == before


def test_it_leaves_a_call_that_came_after_the_wish(clinic: Clinic) -> None:
    erasure = erase.begin(ANN, clinic.workspace, SYSTEM)
    late = clinic.call()
    Call.objects.filter(pk=late.pk).update(received_at=erasure.requested_at + timedelta(seconds=1))
    erase.work(erasure)
    assert Call.objects.get().customer_number == ANN


def test_it_can_still_be_shown(clinic: Clinic, client: Client) -> None:
    """What is left of an erased person's call has a page and an answer like any other."""
    message = clinic.texted()
    opt_out(clinic.workspace.pk, ANN, "stop")
    forget()
    _, key = ApiKey.issue(clinic.workspace, "till", ApiKey.Scope.ADMIN)
    api = {"HTTP_AUTHORIZATION": f"Bearer {key}"}
    call = Call.objects.get()
    shown = client.get(f"/api/v1/calls/{call.pk}", **api).json()
    assert (shown["customer_number"], shown["follow_ups"][0]["message"]["status"]) in (
        (None, "delivered"),
        ("", "delivered"),
    )
    assert client.get(f"/api/v1/messages/{message.pk}", **api).status_code == 200
    (opted,) = client.get("/api/v1/opt-outs", **api).json()["items"]
    assert (opted["number"], opted["erased"], opted["origin"]) == (None, True, "stop")
    assert client.get("/api/v1/opt-outs?number=0132", **api).json()["items"] == []
    assert client.delete(f"/api/v1/opt-outs/{ANN}", **api).status_code == 204
    person = User.objects.create_user("dana@northgate.example", "a long password of the tests")
    Membership.objects.create(workspace=clinic.workspace, user=person, role="owner")
    client.force_login(person)
    for page in (f"/calls/{call.pk}", "/calls", "/messages", "/review", "/"):
        assert client.get(page, follow=True).status_code == 200, page


# The same call reported again


def report(clinic: Clinic, source: Source | None, number: str, external_id: str, *, final: bool = True) -> Receipt:
    given = {
        "external_id": external_id,
        "agent": str(clinic.agent.pk),
        "customer_number": number,
        "transcript": [{"role": "customer", "text": "This is somebody, my knee hurts."}],
        "variables": {"collected": {"first_name": "Somebody", "day": "Friday"}},
        "final": final,
    }
    ended = EndedCall.model_validate(given)
    return receive(clinic.workspace, source, source.kind if source else "api", ended, b"{}")


def source_of(clinic: Clinic, door: str) -> Source | None:
    if door == "api":
        return None
    return Source.objects.create(workspace=clinic.workspace, kind=door, name="Front desk")


@pytest.mark.parametrize("door", ["api", "generic"])
@pytest.mark.parametrize("whose", [ANN, BEN])
@pytest.mark.parametrize("external_id", [f"transfer-{ANN}-7", "(415) 555-0132"])
def test_it_knows_a_call_again_by_an_id_that_held_the_number(
    clinic: Clinic, sandbox: Sandbox, door: str, whose: str, external_id: str
) -> None:
    source = source_of(clinic, door)
    Attachment.objects.update(recipient_override="+14155550134")
    first = report(clinic, source, whose, external_id)
    clinic.process()
    clinic.send()
    sandbox.push(sandbox.messages[0].sid, "delivered")
    clinic.everything_is_due()
    clinic.track()
    forget()
    again = report(clinic, source, whose, external_id)
    clinic.process()
    clinic.send()
    assert (again.status, again.call.pk) == ("duplicate", first.call.pk)
    assert (Call.objects.count(), len(sandbox.messages)) == (1, 1)
    assert number_in(everything_stored()) == []


def test_it_tells_calls_apart_whose_ids_held_the_number(clinic: Clinic) -> None:
    for name in ("a", "b"):
        clinic.call(BEN, "Ben", external_id=f"{name} {ANN}")
    Call.objects.update(due_at=None)
    forget()
    assert report(clinic, None, BEN, f"c {ANN}").status == "accepted"
    assert report(clinic, None, BEN, f"b {ANN}").status == "duplicate"


def test_it_waits_for_a_call_that_is_not_decided_to_hash_its_id(clinic: Clinic) -> None:
    call = clinic.call(BEN, "Ben", external_id=f"transfer-{ANN}")
    assert forget().waits_for == [f"call {call.pk}"]
    clinic.process()
    clinic.everything_is_due()
    forget_what_is_due(60)
    assert Erasure.objects.get().done_at is not None
    assert Call.objects.get().external_id.startswith("#")


def test_it_enriches_a_call_by_an_id_that_held_the_number(clinic: Clinic) -> None:
    clinic.call(BEN, "Ben", external_id=f"transfer-{ANN}", final=False)
    Call.objects.update(due_at=None)
    forget()
    enriched = report(clinic, None, BEN, f"transfer-{ANN}")
    assert enriched.status == "enriched"
    assert Call.objects.get().final


@pytest.mark.django_db(transaction=True)
def test_it_knows_a_call_that_is_reported_again_while_its_id_is_erased(clinic: Clinic) -> None:
    clinic.call(BEN, "Ben", external_id=f"transfer-{ANN}")
    receipts: list[Receipt] = []

    def again() -> None:
        try:
            receipts.append(report(clinic, None, BEN, f"transfer-{ANN}"))
        finally:
            connections.close_all()

    reporting = threading.Thread(target=again)
    with transaction.atomic():
        hash_external_ids(Call.objects.all())
        reporting.start()
        while not somebody_waits():
            assert reporting.is_alive()
            time.sleep(0.01)
    reporting.join(30)
    assert [receipt.status for receipt in receipts] == ["duplicate"]
    assert Call.objects.count() == 1


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


# Opted out everywhere


def test_it_opts_out_a_number_that_nobody_knows_in_every_workspace(clinic: Clinic, sandbox: Sandbox) -> None:
    other = Clinic("Southgate Clinic", sandbox)
    assert forget().counts["opted_out_in"] == 2
    for tenant in (clinic, other):
        tenant.call()
        tenant.process()
        tenant.send()
    assert {row.reason for row in FollowUp.objects.all()} == {Reason.OPTED_OUT}
    assert sandbox.messages == []


def test_it_lets_who_comes_back_before_it_is_done_be_texted(clinic: Clinic) -> None:
    erasure = erase.begin(ANN, None, SYSTEM)
    erase.work(erasure)
    assert opt_in(clinic.workspace.pk, ANN, "operator")
    Erasure.objects.update(number=ANN, due_at=clock.now(), lease_until=None, done_at=None)
    forget_what_is_due(60)
    assert active_opt_out(clinic.workspace.pk, ANN) is None


# Texts with a gap


def test_it_does_not_send_a_text_with_a_gap_again(clinic: Clinic, sandbox: Sandbox) -> None:
    message = clinic.texted(BEN, "Ben", status="undelivered")
    Message.objects.update(body="Call (415) 555-0132")
    forget()
    message.refresh_from_db()
    with pytest.raises(operator.NotPossible, match="asked to be forgotten"):
        operator.resend(message, "asked", by="dana")
    assert len(sandbox.messages) == 1


# What others' texts may hold up, and for how long


def held_for_ben(clinic: Clinic) -> FollowUp:
    """A text with her number in it, for somebody else, about which nobody has decided."""
    clinic.call(BEN, "Ben")
    clinic.process()
    Message.objects.all().delete()
    FollowUp.objects.update(outcome="held", reason=Reason.AWAITING_APPROVAL, body=f"Call {ANN}")
    return FollowUp.objects.get()


def days_pass(erasure: Erasure, days: int = 3) -> None:
    back = timedelta(days=days)
    Erasure.objects.filter(pk=erasure.pk).update(requested_at=erasure.requested_at - back)
    for rows, moment in ((Message, "created_at"), (FollowUp, "created_at"), (Call, "received_at")):
        rows.objects.update(**{moment: erasure.requested_at - back - timedelta(hours=1)})


def test_it_looks_ever_more_seldom_at_what_others_may_be_sent(clinic: Clinic) -> None:
    held_for_ben(clinic)
    erasure = forget()
    pauses = []
    for _ in range(4):
        assert erasure.due_at is not None
        pauses.append(round((erasure.due_at - clock.now()).total_seconds() / 60))
        clinic.everything_is_due()
        forget_what_is_due(60)
        erasure.refresh_from_db()
    assert pauses == [5, 30, 120, 360]


def test_it_names_what_it_waits_for(clinic: Clinic) -> None:
    follow_up = held_for_ben(clinic)
    assert forget().waits_for == [f"follow_up {follow_up.pk}"]


def test_it_does_not_wait_for_a_text_that_was_left_to_the_operator(clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.call(BEN, "Ben")
    clinic.process()
    Message.objects.update(body=f"Call {ANN}")
    FollowUp.objects.update(body=f"Call {ANN}")
    sandbox.fail_next("cut_after")
    clinic.send()
    FollowUp.objects.update(outcome="held")
    assert forget().done_at is None
    Attempt.objects.update(open=False, due_at=None)
    clinic.everything_is_due()
    forget_what_is_due(60)
    assert Erasure.objects.get().done_at is not None
    assert number_in(everything_stored()) == []


def test_it_takes_the_number_out_of_a_held_text_in_the_end(clinic: Clinic, sandbox: Sandbox) -> None:
    follow_up = held_for_ben(clinic)
    erasure = forget()
    days_pass(erasure)
    clinic.everything_is_due()
    forget_what_is_due(60)
    follow_up.refresh_from_db()
    assert Erasure.objects.get().done_at is not None
    assert (follow_up.outcome, follow_up.reason, follow_up.body) == ("held", Reason.REDACTED, "")
    assert "asked to be forgotten" in follow_up.detail
    with pytest.raises(CannotApprove, match="no text"):
        approve(follow_up, TwilioMessaging(), SYSTEM)
    assert number_in(everything_stored()) == []


def test_it_stops_a_text_that_still_waits_in_the_end(clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.call(BEN, "Ben")
    clinic.process()
    Message.objects.update(body=f"Call {ANN}")
    erasure = forget()
    assert erasure.done_at is None
    days_pass(erasure)
    clinic.everything_is_due()
    forget_what_is_due(60)
    message = Message.objects.get()
    assert (message.status, message.body, message.due_at) == ("canceled", "", None)
    assert FollowUp.objects.get().reason == Reason.REDACTED
    clinic.everything_is_due()
    clinic.send()
    assert sandbox.messages == []
    assert number_in(everything_stored()) == []


# The audit log


def test_it_leaves_not_even_the_end_of_the_number_in_the_audit_log(clinic: Clinic) -> None:
    clinic.texted()
    with transaction.atomic():
        entry = record(
            clinic.workspace,
            SYSTEM,
            "update",
            Thing("x", "", ANN),
            {"recipient_override": [None, ANN], "a": [1, 2]},
        )
        other = record(clinic.workspace, SYSTEM, "update", Thing("x", "", BEN))
    assert entry.object_name == "…0132"
    forget()
    for row in (entry, other):
        row.refresh_from_db()
    assert (entry.object_name, entry.changes) == (
        "[redacted]",
        {"recipient_override": [None, "[redacted]"], "a": [1, 2]},
    )
    assert other.object_name == "…0133"


def test_it_has_no_number_beside_what_operators_do(clinic: Clinic, client: Client) -> None:
    message = clinic.texted(status="undelivered")
    stray = clinic.call(BEN, "Ben", external_id=f"transfer-{ANN}", agent="unknown")
    _, key = ApiKey.issue(clinic.workspace, "till", ApiKey.Scope.ADMIN)
    for path, content in (
        (f"messages/{message.pk}/resend", {"reason": "asked"}),
        (f"messages/{message.pk}/cancel", {}),
        (f"calls/{stray.pk}/assign", {"agent_id": str(clinic.agent.pk), "follow_up": False}),
    ):
        answer = client.post(
            f"/api/v1/{path}", content, content_type="application/json", HTTP_AUTHORIZATION=f"Bearer {key}"
        )
        assert answer.status_code < 300, answer.content
    told = list(AuditEntry.objects.values_list("verb", "object_name"))
    assert sorted(told) == [("assign", ""), ("cancel", ""), ("resend", "")]


def test_it_stands_in_the_audit_log_of_every_workspace_at_once(clinic: Clinic, sandbox: Sandbox) -> None:
    other = Clinic("Southgate Clinic", sandbox)
    erasure = erase.begin(ANN, None, SYSTEM)
    entries = AuditEntry.objects.filter(verb="erase", object_id=str(erasure.pk))
    places = list(entries.values_list("workspace_id", flat=True))
    assert len(places) == 3
    assert set(places) == {None, clinic.workspace.pk, other.workspace.pk}


def test_it_stands_in_the_audit_log_of_the_one_workspace(clinic: Clinic, sandbox: Sandbox) -> None:
    Clinic("Southgate Clinic", sandbox)
    erase.begin(ANN, clinic.workspace, SYSTEM)
    assert AuditEntry.objects.get(verb="erase").workspace == clinic.workspace


# Whose number, and how it is spelt


def test_it_refuses_a_number_that_an_agent_is_called_on(clinic: Clinic, sandbox: Sandbox) -> None:
    Agent.objects.update(follow_agent_number=True)
    clinic.call(agent_number="+14155550190")
    with pytest.raises(erase.OwnNumber):
        erase.begin("+14155550190", None, SYSTEM)
    assert not AuditEntry.objects.exists()
    other = Clinic("Southgate Clinic", sandbox)
    assert erase.begin("+14155550190", other.workspace, SYSTEM)  # there it is somebody's who calls


def test_it_refuses_a_number_that_texts_were_sent_from(clinic: Clinic) -> None:
    clinic.texted()
    Message.objects.update(from_number="+14155550191")
    with pytest.raises(erase.OwnNumber):
        erase.begin("+14155550191", None, SYSTEM)


@pytest.mark.parametrize(
    "written",
    [
        rb'{"n":"\u002B14155550132"}',
        rb'{"n":"tel:\u002b1 415 555 0132"}',
        rb'{"n":"call\n4155550132"}',
        rb'{"n":"+1\u00a0415\u2011555\u20110132"}',
        b"n=tel%3A%2B14155550132",
        "+1\u00a0415\u2011555\u20110132".encode(),
        "\u96fb\u8a71415\u2013555\u20130132".encode(),
        b"\xff\x00415.555.0132 \\ \xfe",
    ],
)
def test_it_takes_the_number_out_of_bytes_however_they_are_escaped(clinic: Clinic, written: bytes) -> None:
    call = clinic.call(BEN, "Ben")
    payload = RawPayload.objects.create(
        received_at=clock.now(), workspace=clinic.workspace, call=call, body=written
    )
    forget()
    kept = bytes(RawPayload.objects.get(pk=payload.pk).body)
    assert b"[redacted]" in kept
    assert b"0132" not in kept


def test_it_takes_the_number_out_of_a_line_of_its_own(clinic: Clinic) -> None:
    clinic.call(BEN, "Ben", transcript=[{"role": "customer", "text": "Her number:\n4155550132"}])
    Call.objects.update(due_at=None)
    forget()
    assert Call.objects.get().transcript[0]["text"] == "Her number:\n[redacted]"
