"""What later events tell is added to their call once, whichever comes first; and nothing is sent twice for it."""

from __future__ import annotations

import base64
import json
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import connection, connections
from django.test import Client

from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent, ExternalId
from postcall.calls.additions import add
from postcall.calls.later import KEPT_FOR
from postcall.calls.models import Call, LaterEvent, RawPayload
from postcall.calls.receive import Receipt, assign, receive
from postcall.followups.models import FollowUp
from postcall.followups.process import process
from postcall.judge.verdicts import Case, Judgement
from postcall.keeping.erase import begin, work
from postcall.messages.accounts import use_sandbox
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Message
from postcall.sources.ended_call import EndedCall
from postcall.sources.kind import Addition
from postcall.sources.models import Source
from postcall.work import clock
from postcall.work.leases import LostLease, settle, take
from postcall.worker.chores import every_hour
from postcall.workspaces.audit import Actor
from postcall.workspaces.models import Workspace

pytestmark = pytest.mark.django_db

ANN: Final = "+14155550132"
OURS: Final = "+14155550100"
LEASE: Final = timedelta(seconds=30)
NAMES: Final = ["leg-1", "session-1"]


class NoJudge:
    """For calls on which nothing needs one."""

    name = "none"
    listens = False

    def decide(self, case: Case) -> Judgement:
        raise AssertionError("nobody was to be asked")


def clinic() -> Source:
    """A source whose agent texts every caller the day, which the platform extracts after the call."""
    workspace = Workspace.objects.create(name="Northgate Clinic", window_start=None, window_end=None)
    use_sandbox(workspace)
    agent = Agent.objects.create(workspace=workspace, name="Front desk", locale="en-US")
    ExternalId.objects.create(workspace=workspace, agent=agent, source_kind="telnyx", external_id="front")
    action = Action.objects.create(workspace=workspace, name="Day")
    action.revision = Revision.objects.create(
        action=action, number=1, message="See you on <day>.", always=True, inputs=["day"]
    )
    action.save()
    inputs = {"day": {"from": "extracted", "name": "day"}}
    Attachment.objects.create(workspace=workspace, agent=agent, action=action, mode="live", inputs=inputs)
    return Source.objects.create(workspace=workspace, kind="telnyx", name="Lines", auth=json.dumps({"secret": "k"}))


@pytest.fixture
def source(db: None) -> Source:
    return clinic()


def deliver(source: Source, **fields: Any) -> Receipt:
    """The report of the call: by two numbers, of which it does not say who called whom."""
    given = {
        "external_id": "c-1",
        "also_known_as": NAMES,
        "agent": "front",
        "customer_number": ANN,
        "agent_number": OURS,
        "connected": True,
        "transcript": [{"role": "customer", "text": "Thursday, then."}],
    }
    return receive(source.workspace, source, source.kind, EndedCall.model_validate(given | fields), b"report")


def tell(source: Source, *keys: str, **told: Any) -> str:
    return add(source, Addition(keys=keys or ("leg-1",), **told), b"event")


def the_call() -> Call:
    return Call.objects.get()


def over() -> None:
    """The wait for values is over."""
    Call.objects.filter(due_at__isnull=False).update(due_at=clock.now())


def decide() -> None:
    over()
    for call in take(Call, 5, LEASE):
        process(call, NoJudge(), TwilioMessaging())


def reasons() -> list[str]:
    return [row.reason or row.outcome for row in FollowUp.objects.order_by("pk")]


def test_it_adds_to_a_call_and_loses_nothing_that_is_there(source: Source) -> None:
    deliver(source, variables={"extracted": {"day": "Monday", "mood": "good"}}, hints={"title": "A cleaning"})
    assert tell(source, extracted={"day": "Thursday"}, hints={"summary": "Booked."}) == "accepted"
    call = the_call()
    assert call.variables["extracted"] == {"day": "Thursday", "mood": "good"}
    assert call.hints == {"title": "A cleaning", "summary": "Booked."}
    payloads = RawPayload.objects.filter(call=call).order_by("pk")
    assert [bytes(row.body) for row in payloads] == [b"report", b"event"]


def test_it_finds_a_call_by_its_id_and_by_any_other_name(source: Source) -> None:
    deliver(source)
    for key in ("c-1", *NAMES):
        assert tell(source, "no-such", key, hints={key: "yes"}) == "accepted"
    assert the_call().hints == {"c-1": "yes", "leg-1": "yes", "session-1": "yes"}


def test_it_goes_by_the_surest_name_and_of_several_calls_by_the_latest(source: Source) -> None:
    first = deliver(source, external_id="c-1", also_known_as=["leg-1", "session-1"]).call
    second = deliver(source, external_id="c-2", also_known_as=["leg-2", "session-1"]).call
    tell(source, "leg-1", "session-1", hints={"of": "the first"})
    tell(source, "session-1", hints={"of": "the latest"})
    assert Call.objects.get(pk=first.pk).hints == {"of": "the first"}
    assert Call.objects.get(pk=second.pk).hints == {"of": "the latest"}


def test_it_finds_calls_by_their_other_names_through_the_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    named = Call.objects.filter(also_known_as__overlap=["leg-1"]).exclude(also_known_as=[])
    assert "call_also_known_as" in named.explain()


def test_it_adds_to_a_call_that_came_through_another_source_of_the_platform(source: Source) -> None:
    other = Source.objects.create(workspace=source.workspace, kind="telnyx", name="The whole account")
    deliver(source)
    assert tell(other, hints={"summary": "Booked."}) == "accepted"
    assert tell(other, "leg-2", hints={"summary": "Before its call."}) == "accepted"
    deliver(source, external_id="c-2", also_known_as=["leg-2"])
    told = Call.objects.order_by("pk").values_list("hints__summary", flat=True)
    assert list(told) == ["Booked.", "Before its call."]


def test_it_tells_no_call_of_another_platform_or_workspace(source: Source) -> None:
    deliver(source)
    elsewhere = Workspace.objects.create(name="Southgate Clinic")
    for workspace, kind in ((source.workspace, "bland"), (elsewhere, "telnyx")):
        other = Source.objects.create(workspace=workspace, kind=kind, name="Others")
        assert tell(other, "c-1", hints={"summary": "Somebody else's"}) == "accepted"
    assert the_call().hints == {}


def test_it_takes_no_number_away_that_the_report_told(source: Source) -> None:
    deliver(source)
    tell(source, direction="outbound", agent_number=OURS)
    assert (the_call().direction, the_call().customer_number) == ("outbound", ANN)


def test_it_takes_the_same_event_once(source: Source) -> None:
    deliver(source)
    assert tell(source, extracted={"day": "Thursday"}) == "accepted"
    assert tell(source, extracted={"day": "Friday"}) == "accepted"
    assert tell(source, extracted={"day": "Thursday"}) == "duplicate"
    assert the_call().variables["extracted"] == {"day": "Friday"}
    assert RawPayload.objects.count() == 3


def test_it_takes_an_event_that_came_before_its_call_once(source: Source) -> None:
    assert tell(source, extracted={"day": "Thursday"}) == "accepted"
    assert tell(source, extracted={"day": "Thursday"}) == "duplicate"
    deliver(source)
    assert tell(source, extracted={"day": "Thursday"}) == "duplicate"
    assert the_call().variables["extracted"] == {"day": "Thursday"}
    assert sorted(bytes(row.body) for row in RawPayload.objects.filter(call=the_call())) == [b"event", b"report"]
    assert bytes(LaterEvent.objects.get().raw) == b""


def test_it_tells_events_that_waited_in_the_order_in_which_they_came(source: Source) -> None:
    tell(source, extracted={"day": "Monday", "mood": "good"})
    tell(source, "session-1", extracted={"day": "Thursday"})
    tell(source, "leg-2", extracted={"day": "Sunday"})
    deliver(source, variables={"extracted": {"day": "Friday", "party": 2}})
    assert the_call().variables["extracted"] == {"day": "Thursday", "mood": "good", "party": 2}
    assert LaterEvent.objects.filter(call=None).count() == 1


def test_it_stores_what_postgresql_cannot_hold_as_replacement_characters(source: Source) -> None:
    tell(source, "leg-1", extracted={"day\x00": "Thurs\udc80day"}, hints={"a": "\x00"})
    deliver(source)
    assert the_call().variables["extracted"] == {"day�": "Thurs�day"}


def test_it_has_what_was_missing_written_once(source: Source) -> None:
    deliver(source)
    decide()
    assert reasons() == ["missing_input"]
    tell(source, extracted={"day": "Thursday"})
    assert the_call().status == "processing"
    decide()
    assert (reasons(), Message.objects.get().body) == (["message"], "See you on Thursday.")
    tell(source, extracted={"day": "Friday"})
    decide()
    assert the_call().status == "done"
    assert Message.objects.get().body == "See you on Thursday."


def test_it_has_nothing_written_again_where_nothing_new_is_told(source: Source) -> None:
    deliver(source)
    decide()
    tell(source, hints={"summary": "Booked."}, end_reason="normal_clearing", ending="hung_up")
    call = the_call()
    assert (call.status, call.due_at, call.ending) == ("done", None, "hung_up")
    assert reasons() == ["missing_input"]


@pytest.mark.parametrize(
    "reason", ["not_connected", "rule_not_met", "condition_not_met", "redacted", "no_transcript"]
)
def test_it_leaves_what_was_decided_otherwise(source: Source, reason: str) -> None:
    deliver(source)
    decide()
    FollowUp.objects.update(reason=reason)
    tell(source, extracted={"day": "Thursday"})
    assert (reasons(), the_call().due_at) == ([reason], None)


def test_it_opens_nothing_of_which_a_text_was_made(source: Source) -> None:
    deliver(source, variables={"extracted": {"day": "Monday"}})
    decide()
    FollowUp.objects.update(outcome="skipped", reason="missing_input")
    tell(source, extracted={"day": "Thursday"})
    assert (reasons(), the_call().due_at) == (["missing_input"], None)


def test_it_takes_the_call_from_a_worker_that_does_not_know_it_yet(source: Source) -> None:
    deliver(source)
    over()
    (held,) = take(Call, 1, LEASE)
    tell(source, extracted={"day": "Thursday"})
    with pytest.raises(LostLease):
        settle(held, status="done")
    decide()
    assert Message.objects.get().body == "See you on Thursday."


def test_it_lets_a_worker_go_on_when_it_is_told_nothing_to_judge_by(source: Source) -> None:
    deliver(source)
    over()
    (held,) = take(Call, 1, LEASE)
    tell(source, hints={"summary": "Booked."})
    process(held, NoJudge(), TwilioMessaging())
    assert (reasons(), the_call().hints) == (["missing_input"], {"summary": "Booked."})


def test_it_adds_to_a_call_of_an_unknown_agent_without_having_it_decided(source: Source) -> None:
    call = deliver(source, agent="back").call
    tell(source, extracted={"day": "Thursday"})
    assert (the_call().status, the_call().due_at) == ("unassigned", None)
    assign(call, Agent.objects.get(), follow_up=True)
    decide()
    assert Message.objects.get().body == "See you on Thursday."


def test_it_leaves_a_call_for_the_log_in_the_log(source: Source) -> None:
    assign(deliver(source, agent="back").call, Agent.objects.get(), follow_up=False)
    tell(source, extracted={"day": "Thursday"})
    assert (the_call().status, the_call().due_at, the_call().generation) == ("done", None, 0)
    assert the_call().variables["extracted"] == {"day": "Thursday"}


def test_a_call_waits_for_values_that_a_text_needs(source: Source) -> None:
    call = deliver(source).call
    assert call.final
    assert call.due_at == call.judge_after == call.received_at + timedelta(minutes=1)
    tell(source, hints={"summary": "Booked."})
    assert take(Call, 1, LEASE) == []
    tell(source, extracted={"day": "Thursday"})
    assert the_call().judge_after is None
    assert [taken.pk for taken in take(Call, 1, LEASE)] == [call.pk]


def test_a_rule_about_a_value_has_its_call_wait_too(source: Source) -> None:
    Attachment.objects.update(inputs={}, only_if=[{"from": "extracted", "name": "day", "is": "present"}])
    assert deliver(source).call.judge_after is not None


@pytest.mark.parametrize(
    ("attachment", "report"),
    [
        ({"mode": "off"}, {}),
        ({"inputs": {"day": {"from": "collected", "name": "day"}}}, {}),
        ({"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)}, {}),
        ({}, {"connected": False}),
        ({}, {"variables": {"extracted": {"day": "Monday"}}}),
    ],
)
def test_a_call_waits_for_nothing_that_no_text_needs(
    source: Source, attachment: dict[str, Any], report: dict[str, Any]
) -> None:
    Attachment.objects.update(**attachment)
    call = deliver(source, **report).call
    assert (call.judge_after, call.due_at) == (None, call.received_at)


def test_a_call_waits_for_no_values_that_came_before_it(source: Source) -> None:
    tell(source, extracted={"day": "Thursday"})
    assert deliver(source).call.judge_after is None
    decide()
    assert Message.objects.get().body == "See you on Thursday."


@pytest.mark.parametrize("told_first", [True, False])
def test_it_learns_who_called_whom(source: Source, told_first: bool) -> None:
    outgoing = {"direction": "outbound", "customer_number": "(415) 555-0100", "agent_number": ANN}
    if told_first:
        tell(source, **outgoing)
    deliver(source)
    if not told_first:
        tell(source, **outgoing)
    call = the_call()
    assert (call.direction, call.customer_number, call.agent_number) == ("outbound", OURS, ANN)
    assert call.customer_number_raw == "(415) 555-0100"


def test_it_believes_the_report_before_other_events(source: Source) -> None:
    deliver(source, direction="inbound", end_reason="goodbye")
    tell(source, direction="outbound", customer_number=OURS, end_reason="normal_clearing", ending="hung_up")
    call = the_call()
    assert (call.direction, call.customer_number) == ("inbound", ANN)
    assert (call.end_reason, call.ending) == ("goodbye", "hung_up")
    tell(source, end_reason="timeout", ending="no_answer")
    assert (the_call().end_reason, the_call().ending) == ("goodbye", "hung_up")


def test_it_hears_after_all_that_a_machine_took_the_call(source: Source) -> None:
    deliver(source, ending="hung_up", variables={"extracted": {"day": "Thursday"}})
    (held,) = take(Call, 1, LEASE)
    tell(source, ending="voicemail", hints={"answered_by": "machine"})
    with pytest.raises(LostLease):
        settle(held, status="done")
    decide()
    assert reasons() == ["voicemail"]


def test_it_changes_no_number_once_anything_was_decided(source: Source) -> None:
    deliver(source)
    decide()
    tell(source, direction="outbound", customer_number=OURS, agent_number=ANN, extracted={"day": "Thursday"})
    assert (the_call().direction, the_call().customer_number) == ("", ANN)
    decide()
    assert Message.objects.get().to == ANN


def test_it_keeps_what_was_told_when_the_richer_report_comes(source: Source) -> None:
    deliver(source, final=False, transcript=[])
    tell(source, direction="outbound", customer_number=OURS, agent_number=ANN, extracted={"day": "Thursday"})
    tell(source, "leg-2", hints={"summary": "Booked."})
    assert deliver(source, also_known_as=[*NAMES, "leg-2"]).status == "enriched"
    call = the_call()
    assert (call.variables["extracted"], call.hints) == ({"day": "Thursday"}, {"summary": "Booked."})
    assert (call.direction, call.customer_number) == ("outbound", OURS)
    decide()
    assert Message.objects.get().to == OURS


def test_it_tells_a_forgotten_call_nothing(source: Source) -> None:
    deliver(source)
    decide()
    Call.objects.update(forgotten_at=clock.now(), transcript=[], variables={})
    assert tell(source, extracted={"day": "Thursday"}) == "ignored"
    assert (the_call().variables, LaterEvent.objects.count()) == ({}, 0)
    assert RawPayload.objects.count() == 1


def test_it_forgets_what_was_told_of_a_person_who_is_erased(source: Source) -> None:
    deliver(source)
    decide()
    tell(source, extracted={"day": "Thursday"})
    tell(source, "leg-9", direction="inbound", customer_number=ANN, hints={"note": f"call {ANN} back"})
    work(begin(ANN, source.workspace, Actor("user", "1", "owner@clinic.example")))
    waiting = LaterEvent.objects.get()
    assert "0132" not in json.dumps(waiting.content)
    assert tell(source, "c-1", extracted={"day": "Friday"}) == "ignored"
    deliver(source, external_id="c-9", also_known_as=["leg-9"], customer_number=None)
    assert Call.objects.get(external_id="c-9").customer_number == ""


def test_it_forgets_events_that_no_call_came_for(source: Source) -> None:
    tell(source, extracted={"day": "Thursday"})
    every_hour(clock.now() + KEPT_FOR - timedelta(minutes=1))
    assert LaterEvent.objects.count() == 1
    every_hour(clock.now() + KEPT_FOR + timedelta(minutes=1))
    assert LaterEvent.objects.count() == 0


def at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """What the works return, begun together in threads with database connections of their own."""
    together, returned = threading.Barrier(len(works)), []

    def one(work: Callable[[], Any]) -> None:
        try:
            together.wait()
            returned.append(work())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(returned) == len(works)
    return returned


@pytest.mark.django_db(transaction=True)
def test_a_call_and_what_is_told_of_it_at_the_same_instant_find_each_other() -> None:
    source = clinic()
    for seed in range(12):
        draw = random.Random(seed)
        names = [f"leg-{seed}", f"session-{seed}"]

        def soon(work: Callable[[], Any], draw: random.Random = draw) -> Callable[[], Any]:
            pause_s = draw.uniform(0, 0.006)

            def later() -> Any:
                time.sleep(pause_s)
                return work()

            return later

        def report(seed: int = seed, names: list[str] = names) -> Any:
            return deliver(source, external_id=f"c-{seed}", also_known_as=names).status

        def event(names: list[str] = names) -> Any:
            return tell(source, *names, extracted={"day": "Thursday"})

        def another(names: list[str] = names) -> Any:
            return tell(source, *reversed(names), hints={"summary": "Booked."})

        answers = at_once([soon(report), soon(event), soon(event), soon(another), soon(report), soon(decide)])
        assert sorted(map(str, answers)) == ["None", "accepted", "accepted", "accepted", "duplicate", "duplicate"]
        call = Call.objects.get(external_id=f"c-{seed}")
        assert (call.variables["extracted"], call.hints) == ({"day": "Thursday"}, {"summary": "Booked."})
        decide()
        assert FollowUp.objects.get(call=call).body == "See you on Thursday."
        assert Message.objects.filter(follow_up__call=call).count() == 1
        assert RawPayload.objects.filter(call=call).count() == 3
    assert not LaterEvent.objects.filter(call=None).exists()


def test_a_webhook_says_what_became_of_an_event(source: Source) -> None:
    key = Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    source.auth = json.dumps({"secret": public})
    source.save()

    def post(what: str, **payload: Any) -> str:
        event = {"event_type": what, "payload": {"call_control_id": "leg-1", **payload}}
        body, at = json.dumps({"data": event}), str(int(time.time()))
        signature = base64.b64encode(key.sign(f"{at}|{body}".encode())).decode()
        signed = {"telnyx-timestamp": at, "telnyx-signature-ed25519": signature}
        url = f"/in/telnyx/{source.token}"
        answer = Client().post(url, body, content_type="application/json", headers=signed)
        return str(answer.json()["status"])

    results = [{"insight_id": "i-1", "result": {"day": "Thursday"}}]
    assert post("call.conversation_insights.generated", results=results) == "accepted"
    assert post("call.conversation_insights.generated", results=results) == "duplicate"
    assert post("call.answered") == "ignored"
    assert post("call.conversation.ended", conversation_id="c-1", assistant_id="front") == "accepted"
    assert the_call().variables["extracted"] == {"day": "Thursday"}
    assert Source.objects.get().last_received_at is not None


def test_it_looks_again_when_the_platform_says_that_no_text_may_be_wanted(source: Source) -> None:
    deliver(source, variables={"extracted": {"day": "Thursday"}})
    (held,) = take(Call, 5, LEASE)
    tell(source, hints={"do_not_text": True})
    with pytest.raises(LostLease):
        settle(held, status="done")
    decide()
    assert reasons() == ["asked_not_to_be_texted"]
    assert FollowUp.objects.get().outcome == "held"
    assert not Message.objects.exists()


@pytest.mark.parametrize("known_by", ["sender", "earlier call"])
def test_it_texts_no_number_of_ours_while_it_is_open_who_called_whom(source: Source, known_by: str) -> None:
    if known_by == "sender":
        Agent.objects.update(from_number=OURS)
    else:
        deliver(source, external_id="c-0", also_known_as=[], direction="inbound")
    deliver(source, customer_number=OURS, agent_number=ANN, variables={"extracted": {"day": "Thursday"}})
    decide()
    call = Call.objects.get(external_id="c-1")
    assert (call.customer_number, call.customer_number_raw) == ("", "")
    assert FollowUp.objects.get(call=call).reason == "no_recipient"
    tell(source, direction="outbound", customer_number=ANN, agent_number=OURS)
    decide()
    assert [message.to for message in Message.objects.filter(follow_up__call=call)] == [ANN]
