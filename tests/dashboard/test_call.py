"""A call's page: what was said, what was decided, what went out, and what can be done."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from postcall.calls.models import Call, RawPayload
from postcall.dashboard.transcript import WHOLE_UP_TO
from postcall.dashboard.views.calls import MOST_RAW
from postcall.followups.models import FollowUp
from postcall.followups.optouts import active_opt_out
from postcall.messages.models import Account, Attempt, DeliveryEvent, Message
from postcall.workspaces.models import Membership, Workspace

from .factories import (
    a_call,
    a_follow_up,
    a_held_follow_up,
    a_member,
    a_message,
    a_skipped_follow_up,
    an_action,
    an_agent,
)

pytestmark = pytest.mark.django_db


def shown(client: Client, call: Call, query: str = "") -> str:
    return client.get(f"/w/{call.workspace_id}/calls/{call.pk}{query}").content.decode()


def card_address(follow_up: FollowUp) -> str:
    return f"/w/{follow_up.workspace_id}/follow-ups/{follow_up.pk}"


def test_it_marks_the_evidence_where_it_was_said(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    a_message(a_follow_up(call, an_action(agent)))
    page = shown(browser_client, call)
    assert '<mark class="evidence f1">Nine forty works,\n yes please.<sup>' in page
    assert '<a href="#turn-4">turn 4</a>' in page
    assert 'id="turn-4"' in page


def test_it_names_every_follow_up_on_top_those_that_need_a_person_first(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    a_skipped_follow_up(call, an_action(agent, "Payment link"))
    a_message(a_follow_up(call, an_action(agent)))
    a_held_follow_up(call, an_action(agent, "New-patient form"))
    page = shown(browser_client, call)
    order = [page.index(f'name">{name}') for name in ("New-patient form", "Booking confirmation", "Payment link")]
    assert order == sorted(order)


def test_it_says_where_each_value_came_from(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    a_message(a_follow_up(call, an_action(agent)))
    page = shown(browser_client, call)
    assert "collected as first_name" in page
    assert "the same in every text" in page
    assert 'read in the transcript, <a href="#turn-6">turn 6</a>' in page
    assert '<span class="filled">Tue, Dec 1 at 9:40 AM</span>' in page


def test_it_shows_the_way_of_the_text_and_its_price(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    a_message(a_follow_up(call, an_action(agent)))
    page = shown(browser_client, call)
    steps = [page.index(f"<span>{step} <small>") for step in ("Decided", "Queued", "Sending", "Sent", "Delivered")]
    assert steps == sorted(steps)
    assert "in 1.2 s" in page
    assert "1 segment, $0.0083" in page


def test_it_says_which_word_of_twilios_came_late(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    message = a_message(a_follow_up(call, an_action(agent)))
    assert "told late" not in shown(browser_client, call)
    DeliveryEvent.objects.create(
        at=timezone.now(),
        workspace=workspace,
        message=message,
        attempt_number=1,
        status="accepted",
        origin="twilio",
    )
    assert "<span>Accepted by Twilio <small>told late</small></span>" in shown(browser_client, call)


def test_it_calls_nothing_late_that_a_person_did(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    message = a_message(a_follow_up(call, an_action(agent)), Message.Status.UNDELIVERED)
    DeliveryEvent.objects.create(
        at=timezone.now(), workspace=workspace, message=message, status="queued", origin="operator", detail="asked"
    )
    page = shown(browser_client, call)
    assert "asked" in page
    assert "told late" not in page


def test_it_says_an_error_in_plain_words_with_its_mend(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    a_message(a_follow_up(call, an_action(agent)), Message.Status.FAILED, error_code=30034)
    page = shown(browser_client, call)
    assert "not registered for business texts in the US" in page
    assert "Register a brand and a campaign" in page
    assert 'href="https://www.twilio.com/docs/api/errors/30034"' in page


def test_it_says_why_nothing_went_out(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    a_skipped_follow_up(
        call, an_action(agent), reason="missing_input", detail="appointment_date was not said", result="met"
    )
    page = shown(browser_client, call)
    assert "The call did not bring every value" in page
    assert "Appointment_date was not said" in page
    assert "Give the input a fallback" in page


def test_it_writes_what_a_caller_said_as_text_only(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(
        an_agent(workspace),
        transcript=[{"role": "customer", "text": "<script>alert(1)</script>"}],
        variables={"collected": {"first_name": "<b>Maya</b>"}},
    )
    page = shown(browser_client, call)
    assert "<script>alert" not in page
    assert "<b>Maya</b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_it_leaves_out_what_is_far_from_any_evidence_of_a_long_call(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    turns = [{"role": "customer", "text": f"Turn {n}."} for n in range(1, 3001)]
    call = a_call(agent, transcript=turns)
    verdict = {"reason": "Said.", "evidence": [{"turn": 1500, "quote": "Turn 1500."}], "judge": "offline-1"}
    a_message(a_follow_up(call, an_action(agent), verdict=verdict))
    page = shown(browser_client, call)
    assert 'id="turn-1500"' in page
    assert "turns without evidence left out" in page
    assert page.count('class="customer"') < WHOLE_UP_TO
    assert shown(browser_client, call, "?turns=all").count('class="customer"') == 3000


def test_it_shows_what_the_platform_sent(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace))
    address = f"/w/{workspace.pk}/calls/{call.pk}/raw"
    plain = browser_client.get(address)
    assert plain["Content-Type"] == "text/plain; charset=utf-8"
    assert '"endedReason": "customer-ended-call"' in plain.content.decode()
    piece = browser_client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "&quot;endedReason&quot;" in piece


def test_it_waits_for_a_call_that_is_being_decided(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent, status=Call.Status.RECEIVED)
    assert "Being decided" in shown(browser_client, call)
    address = f"/w/{workspace.pk}/calls/{call.pk}/live"
    assert browser_client.get(address).status_code == 204
    a_skipped_follow_up(call, an_action(agent))
    assert browser_client.get(address)["HX-Refresh"] == "true"


def test_it_sends_a_card_again_only_when_it_moved(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    follow_up = a_follow_up(call, an_action(agent))
    message = a_message(follow_up, Message.Status.SENT)
    seen = shown(browser_client, call).partition("&amp;seen=")[2].partition('"')[0]
    address = f"{card_address(follow_up)}?n=1&seen={seen}"
    assert browser_client.get(address).status_code == 204
    message.status = Message.Status.DELIVERED
    message.save(update_fields=["status", "updated_at"])
    moved = browser_client.get(address).content.decode()
    assert 'id="jump-1" hx-swap-oob="true"' in moved
    assert "hx-get" not in moved


def test_it_reads_the_whole_page_again_once_a_verdict_is_there(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    follow_up = a_follow_up(a_call(agent), an_action(agent), outcome=FollowUp.Outcome.PENDING)
    assert "&amp;pending=1" in shown(browser_client, follow_up.call)
    FollowUp.objects.filter(pk=follow_up.pk).update(outcome=FollowUp.Outcome.SKIPPED)
    assert browser_client.get(f"{card_address(follow_up)}?n=1&pending=1&seen=x")["HX-Refresh"] == "true"


def test_it_notes_whether_the_verdict_was_right(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    follow_up = a_skipped_follow_up(a_call(agent), an_action(agent))
    browser_client.post(f"{card_address(follow_up)}/feedback", {"right": "0"})
    follow_up.refresh_from_db()
    assert follow_up.feedback_right is False
    assert 'value="0" aria-pressed="true"' in shown(browser_client, follow_up.call)


def test_it_has_a_call_judged_again(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    follow_up = a_skipped_follow_up(a_call(agent), an_action(agent))
    address = f"/w/{workspace.pk}/calls/{follow_up.call_id}/judge-again"
    page = browser_client.post(address, follow=True).content.decode()
    assert "The call is being judged again." in page
    follow_up.refresh_from_db()
    assert follow_up.outcome == FollowUp.Outcome.PENDING


def test_it_says_why_a_call_is_not_judged_again(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    a_message(a_follow_up(call, an_action(agent)))
    page = browser_client.post(f"/w/{workspace.pk}/calls/{call.pk}/judge-again", follow=True).content.decode()
    assert "its texts have left" in page


def test_it_says_that_what_was_said_is_forgotten(browser_client: Client, workspace: Workspace) -> None:
    page = shown(browser_client, a_call(an_agent(workspace), transcript=[], forgotten_at=timezone.now()))
    assert "What was said is forgotten" in page
    assert "No transcript came" not in page
    assert "Judge again" not in page


@pytest.mark.parametrize("fields", [{"body": ""}, {"body": "Call [redacted]."}, {"to": ""}])
def test_it_offers_nothing_to_send_where_the_text_is_forgotten(
    browser_client: Client, workspace: Workspace, fields: dict[str, str]
) -> None:
    agent = an_agent(workspace)
    follow_up = a_follow_up(a_call(agent), an_action(agent))
    message = a_message(follow_up, Message.Status.FAILED)
    assert "Send it again" in shown(browser_client, follow_up.call)
    Message.objects.filter(pk=message.pk).update(**fields)
    assert "Send it again" not in shown(browser_client, follow_up.call)


def test_it_sends_a_failed_text_again_with_a_reason(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    message = a_message(a_follow_up(a_call(agent), an_action(agent)), Message.Status.FAILED, error_code=30034)
    address = f"/w/{workspace.pk}/messages/{message.pk}/resend"
    page = browser_client.post(address, {"reason": "The number is registered now"}, follow=True).content.decode()
    assert "The text goes out again." in page
    assert "The number is registered now" in page
    message.refresh_from_db()
    assert message.status == Message.Status.QUEUED


def test_it_asks_why_before_it_sends_again(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    message = a_message(a_follow_up(a_call(agent), an_action(agent)), Message.Status.FAILED, error_code=30034)
    page = browser_client.post(f"/w/{workspace.pk}/messages/{message.pk}/resend", follow=True).content.decode()
    assert "Say why the text goes out again." in page
    message.refresh_from_db()
    assert message.status == Message.Status.FAILED


def test_it_stops_a_text_that_waits(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    message = a_message(a_follow_up(a_call(agent), an_action(agent)), Message.Status.SCHEDULED)
    page = browser_client.post(f"/w/{workspace.pk}/messages/{message.pk}/cancel", follow=True).content.decode()
    assert "Canceled. The text does not go out." in page
    message.refresh_from_db()
    assert message.status == Message.Status.CANCELED


def test_it_says_why_a_delivered_text_cannot_be_stopped(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    message = a_message(a_follow_up(a_call(agent), an_action(agent)))
    page = browser_client.post(f"/w/{workspace.pk}/messages/{message.pk}/cancel", follow=True).content.decode()
    assert "only one that waits can be canceled" in page


def test_it_lets_a_page_stop_asking_when_no_word_comes(
    browser_client: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = an_agent(workspace)
    follow_up = a_follow_up(a_call(agent), an_action(agent))
    a_message(follow_up, Message.Status.SENT)
    page = shown(browser_client, follow_up.call)
    assert 'hx-trigger="every 2s"' in page
    seen = page.partition("&amp;seen=")[2].partition('"')[0]
    monkeypatch.setattr("postcall.dashboard.words.EXPECTED_WITHIN", timedelta(0))
    assert "hx-get" not in browser_client.get(f"{card_address(follow_up)}?n=1&seen={seen}").content.decode()


def test_it_asks_seldom_what_became_of_a_text_that_waits_for_a_mend(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    follow_up = a_follow_up(a_call(agent), an_action(agent), outcome="held", reason="sender_paused")
    message = a_message(follow_up, Message.Status.QUEUED)
    assert 'hx-trigger="every 60s"' in shown(browser_client, follow_up.call)
    Message.objects.filter(pk=message.pk).update(status=Message.Status.UNDELIVERED)
    assert 'hx-trigger="every' not in shown(browser_client, follow_up.call)


def test_it_says_once_why_a_verdict_is_unclear(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    said = "The caller accepted a time and the agent confirmed it."
    more = "<appointment_date> has no value in this call."
    call = a_call(agent)
    a_held_follow_up(call, an_action(agent), reason="condition_unclear", result="unclear", detail=f"{said} {more}")
    page = shown(browser_client, call)
    assert page.count(said) == 1
    assert "&lt;appointment_date&gt; has no value in this call." in page


def test_it_leads_from_a_quote_to_its_card(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    follow_up = a_follow_up(call, an_action(agent))
    page = shown(browser_client, call)
    assert '<sup><a href="#follow-up-1"><span class="sr">follow-up </span>1</a></sup></mark>' in page
    assert f'id="of-{follow_up.pk}"' in page


def test_it_shows_every_attempt_with_who_asked_for_it(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    message = a_message(a_follow_up(a_call(agent), an_action(agent)), Message.Status.FAILED, error_code=30034)
    first = message.attempts.get()
    message.attempts.update(error_code=30034)
    again = {"number": 2, "sid": "SM" + "b" * 32, "by": "operator", "status": "delivered", "token": "another"}
    fields = ("workspace", "message", "account", "account_sid", "to", "body_digest", "started_at")
    Attempt.objects.create(**{name: getattr(first, name) for name in fields}, open=False, **again)
    page = shown(browser_client, message.follow_up.call)
    assert page.index(first.sid) < page.index("SM" + "b" * 32)
    assert "By Postcall: " in page
    assert "By an operator" in page
    assert page.count('href="https://www.twilio.com/docs/api/errors/30034"') == 2


def test_it_leads_to_the_text_at_twilio_but_not_in_the_sandbox(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    message = a_message(a_follow_up(a_call(agent), an_action(agent)))
    assert "twilio.com/console" not in shown(browser_client, message.follow_up.call)
    Account.objects.update(kind=Account.Kind.OWN, api_url="https://api.twilio.com")
    attempt = message.attempts.get()
    address = f"https://www.twilio.com/console/sms/logs/{attempt.account_sid}/{attempt.sid}"
    assert f'href="{address}"' in shown(browser_client, message.follow_up.call)


def test_it_estimates_what_twilio_has_not_priced_yet(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    message = a_message(a_follow_up(a_call(agent), an_action(agent)), Message.Status.SENT)
    assert "1 segment, about $0.008" in shown(browser_client, message.follow_up.call)
    assert "To +1 415 555 0132, from +1 415 555 0100" in shown(browser_client, message.follow_up.call)


def test_it_offers_nothing_while_it_finds_out_what_became_of_a_text(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    follow_up = a_held_follow_up(a_call(agent), an_action(agent), reason="set_aside")
    message = a_message(follow_up, Message.Status.UNCONFIRMED)
    page = shown(browser_client, follow_up.call)
    assert "Postcall looks it up in Twilio’s list" in page
    assert "Send it again" not in page
    assert "Leave it" not in page
    message.attempts.update(open=False)
    page = shown(browser_client, follow_up.call)
    assert "It could not be found out" in page
    assert "Send it again</button>" in page
    assert "Leave it</button>" in page


def test_it_leaves_a_text_as_it_is(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    follow_up = a_held_follow_up(a_call(agent), an_action(agent), reason="set_aside")
    message = a_message(follow_up, Message.Status.UNCONFIRMED)
    message.attempts.update(open=False)
    browser_client.post(f"/w/{workspace.pk}/messages/{message.pk}/cancel")
    follow_up.refresh_from_db()
    assert (follow_up.outcome, follow_up.reason) == ("skipped", "rejected")


def test_it_says_where_a_reason_is_mended_and_what_a_text_waits_for(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    follow_up = a_held_follow_up(a_call(agent), an_action(agent), reason="budget_exceeded")
    a_message(follow_up, Message.Status.QUEUED, valid_until=timezone.now() + timedelta(minutes=30, seconds=30))
    page = shown(browser_client, follow_up.call)
    assert "it goes by itself once there is room" in page
    assert f'<a href="/w/{workspace.pk}/settings/rules">Sending rules</a>' in page
    assert re.search(r"Lapses <time [^>]*>in 30 min</time> if it cannot go until then", page)
    assert "Cancel</button>" in page


def test_it_gives_script_the_card_alone_after_a_decision(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    follow_up = a_held_follow_up(a_call(agent), an_action(agent))
    words = {"body": follow_up.body, "here": "call", "n": "3"}
    answer = browser_client.post(f"{card_address(follow_up)}/approve", words, headers={"HX-Request": "true"})
    part = answer.content.decode()
    assert part.startswith('<article class="card followup f3" id="follow-up-3"')
    assert 'id="jump-3" hx-swap-oob="true"' in part
    assert 'hx-swap-oob="innerHTML">Approved. The text is on its way.</div>' in part
    assert '<span id="held-count" hx-swap-oob="innerHTML"></span>' in re.sub(r"\s+</span>", "</span>", part)
    assert "The text is on its way" not in shown(browser_client, follow_up.call)  # not told twice


def test_it_gives_script_what_is_wrong_with_what_was_typed(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    follow_up = a_held_follow_up(a_call(agent), an_action(agent))
    words = {"body": "Hi <customer_name>, with care.", "here": "call", "n": "1"}
    answer = browser_client.post(f"{card_address(follow_up)}/approve", words, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert "data-refused" in answer.content.decode()
    assert "Hi &lt;customer_name&gt;, with care.</textarea>" in answer.content.decode()


def test_it_sends_nothing_when_the_text_was_emptied(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    follow_up = a_held_follow_up(a_call(agent), an_action(agent))
    answer = browser_client.post(f"{card_address(follow_up)}/approve", {"body": "  "})
    assert answer.status_code == 422
    assert "There is no text to send; write one." in answer.content.decode()
    assert not Message.objects.exists()


def test_it_counts_what_is_typed_and_changes_nothing(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    follow_up = a_held_follow_up(a_call(agent), an_action(agent))
    before = FollowUp.objects.values().get()
    address = f"{card_address(follow_up)}/count"
    assert "3 characters, 1 segment, UCS-2 because of “ş”, about $0.008" in (
        browser_client.post(address, {"body": "Beş"}).content.decode()
    )
    assert "0 characters, 0 segments" in browser_client.post(address, {"body": ""}).content.decode()
    assert FollowUp.objects.values().get() == before


def test_it_offers_to_say_whose_an_unknown_call_is(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(None, workspace, agent_ref="asst-unknown")
    assert "It was this agent</button>" in shown(browser_client, call)
    fields = {"source": "vapi", "ref": "asst-unknown", "agent": str(agent.pk), "follow_up": "1"}
    browser_client.post(f"/w/{workspace.pk}/agents/unknown/adopt", fields)
    call.refresh_from_db()
    assert (call.agent, call.status) == (agent, Call.Status.RECEIVED)


def test_it_says_that_a_number_is_blocked(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace), customer_number="+14155550132")
    assert "Block this number" in shown(browser_client, call)
    browser_client.post(f"/w/{workspace.pk}/block", {"number": call.customer_number})
    page = shown(browser_client, call)
    assert "Block this number" not in page
    assert f'href="/w/{workspace.pk}/settings/opt-outs?q=%2B14155550132"' in page


def test_it_blocks_the_number_and_stays(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace))
    here = f"/w/{workspace.pk}/calls/{call.pk}"
    assert "Block this number</button>" in shown(browser_client, call)
    answer = browser_client.post(f"/w/{workspace.pk}/block", {"number": call.customer_number, "next": here})
    assert answer["Location"] == here
    assert active_opt_out(workspace.pk, call.customer_number) is not None


def told(call: Call) -> None:
    """As the platform’s bytes say it, which then hold the turns too."""
    report = {
        "type": "end-of-call-report",
        "endedReason": "customer-ended-call",
        "call": {"id": call.external_id},
        "artifact": {"messages": [{"role": "user", "message": "Nine forty works."}]},
    }
    RawPayload.objects.filter(call=call).update(body=json.dumps({"message": report}).encode())


def test_it_is_read_again_and_says_what_is_new(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace), transcript=[])
    told(call)
    address = f"/w/{workspace.pk}/calls/{call.pk}"
    page = browser_client.post(f"{address}/read-again", follow=True).content.decode()
    assert "Read again. New:" in page
    assert "the transcript" in page
    assert "Nine forty works." in page
    assert "nothing new" in browser_client.post(f"{address}/read-again", follow=True).content.decode()


def test_it_says_why_it_cannot_be_read_again(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace))
    RawPayload.objects.all().delete()
    page = browser_client.post(f"/w/{workspace.pk}/calls/{call.pk}/read-again", follow=True).content.decode()
    assert "Nothing that the platform sent about this call is kept." in page


def test_it_tells_how_the_call_ended_and_what_the_platform_makes_of_it(
    browser_client: Client, workspace: Workspace
) -> None:
    call = a_call(
        an_agent(workspace), ending="agent_hung_up", hints={"summary": "<b>A</b> visit", "successful": True}
    )
    page = browser_client.get(f"/w/{workspace.pk}/calls/{call.pk}").content.decode()
    assert "The agent hung up" in page
    assert "What Vapi makes of it" in page
    assert "&lt;b&gt;A&lt;/b&gt; visit" in page
    assert "Postcall never decides by it" in page


def test_it_tells_what_was_taken_out_and_what_follows(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(
        an_agent(workspace),
        transcript=[],
        redacted=["transcript", "customer_number"],
        customer_number="",
        variables={},
    )
    page = browser_client.get(f"/w/{workspace.pk}/calls/{call.pk}").content.decode()
    assert "Vapi took something out before it sent this call" in page
    assert "Conditions cannot be judged without it" in page
    assert "There is no number to text." in page
    assert "Number redacted" in page


def test_it_ticks_no_text_for_a_call_whose_agent_is_a_guess(browser_client: Client, workspace: Workspace) -> None:
    an_agent(workspace)
    call = a_call(None, workspace, agent_ref="asst-unknown")
    page = browser_client.get(f"/w/{workspace.pk}/calls/{call.pk}").content.decode()
    assert 'name="follow_up" value="1">' in page


def test_it_tells_that_more_is_to_come(browser_client: Client, workspace: Workspace) -> None:
    later = timezone.now() + timedelta(minutes=2)
    waiting: dict[str, Any] = {
        "status": "received",
        "final": False,
        "judge_after": later,
        "due_at": later,
        "processed_at": None,
    }
    call = a_call(an_agent(workspace), **waiting)
    assert "Waits for more from Vapi" in browser_client.get(f"/w/{workspace.pk}/calls/{call.pk}").content.decode()
    assert "waits for more from Vapi" in browser_client.get(f"/w/{workspace.pk}/calls").content.decode()


def test_it_writes_out_what_a_tool_was_asked_and_answered(browser_client: Client, workspace: Workspace) -> None:
    turns = [
        {"role": "tool", "text": 'create_booking called with {"day": "Tuesday"}', "tool": "create_booking"},
        {"role": "tool", "text": "create_booking answered booked", "tool": "create_booking"},
        {"role": "tool", "text": "something else", "tool": "create_booking"},
    ]
    call = a_call(an_agent(workspace), transcript=turns)
    page = browser_client.get(f"/w/{workspace.pk}/calls/{call.pk}").content.decode()
    assert "<b>create_booking</b> called with<pre>{\n  &quot;day&quot;: &quot;Tuesday&quot;\n}</pre>" in page
    assert "<b>create_booking</b> answered<pre>booked</pre>" in page
    assert "<b>create_booking</b><pre>something else</pre>" in page


def test_a_viewer_reads_no_raw_payload_and_reads_nothing_again(client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace))
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    address = f"/w/{workspace.pk}/calls/{call.pk}"
    page = client.get(address).content.decode()
    assert "Raw payload" not in page
    assert "Read again" not in page
    assert client.get(f"{address}/raw").status_code == 403
    assert client.post(f"{address}/read-again").status_code == 403


def test_it_shows_the_beginning_of_a_long_payload(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace))
    RawPayload.objects.filter(call=call).update(body=json.dumps({"words": "x" * MOST_RAW}).encode())
    address = f"/w/{workspace.pk}/calls/{call.pk}/raw"
    part = browser_client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "All of it, as plain text" in part
    assert len(part) < MOST_RAW + 2000
    assert len(browser_client.get(address).content) > MOST_RAW


def test_it_says_what_judging_a_call_took(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    used = {"judge_requests": 1, "judge_input_tokens": 2210, "judge_output_tokens": 190, "judge_s": 2.42}
    a_message(
        a_follow_up(
            call,
            an_action(agent),
            judge="openai:gpt-4.1-mini",
            prompt="2.2",
            judge_cost_usd=Decimal("0.001188"),
            **used,
        )
    )
    page = shown(browser_client, call)
    assert "judged by openai:gpt-4.1-mini" in page
    assert "2210 tokens read and 190 written" in page
    assert "$0.001188 by list prices" in page
    assert "2.4 s, for the whole call" in page


def test_it_names_the_judge_of_a_verdict_that_an_earlier_version_wrote(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    verdict = {"reason": "Said.", "evidence": [], "judge": "offline-1", "usage": {"requests": 0}}
    a_message(a_follow_up(call, an_action(agent), verdict=verdict))
    assert "judged by offline-1" in shown(browser_client, call)
