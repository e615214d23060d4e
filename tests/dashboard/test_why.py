"""Why did this number get no text? One answer a call, and where a call may be that never came in."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from postcall.calls.models import Call
from postcall.dashboard.inquiry import numbers_meant
from postcall.followups.models import FollowUp
from postcall.followups.optouts import opt_out
from postcall.messages.models import Message
from postcall.sources.models import Source
from postcall.sources.refused import refuse
from postcall.workspaces.models import Workspace

from .factories import (
    a_call,
    a_follow_up,
    a_held_follow_up,
    a_message,
    a_skipped_follow_up,
    a_workspace,
    an_action,
    an_agent,
)

pytestmark = pytest.mark.django_db
NUMBER = "+14155550132"


def asked(client: Client, workspace: Workspace, number: str = NUMBER, **more: str) -> str:
    page = client.get(f"/w/{workspace.pk}/calls/why", {"number": number, **more}).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<time[^>]*>", "", page).replace("</time>", ""))


@pytest.mark.parametrize(
    "written",
    ["+1 (415) 555-0132", "415 555 0132", "0014155550132", "14155550132", "tel:+14155550132", "5550132", "0132"],
)
def test_it_reads_a_number_in_any_notation(workspace: Workspace, written: str) -> None:
    agent = an_agent(workspace)
    a_call(agent)
    a_call(agent, customer_number="+14155550999")
    assert numbers_meant(workspace, written) == [NUMBER]


def test_it_reads_a_number_that_has_never_called_as_in_the_agents_country(workspace: Workspace) -> None:
    an_agent(workspace)
    assert numbers_meant(workspace, "(415) 555-0177") == ["+14155550177"]
    assert numbers_meant(workspace, "+44 20 7946 0018") == ["+442079460018"]


def test_it_takes_last_digits_as_they_are_typed(workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_call(agent, customer_number="+14155559132")
    assert numbers_meant(workspace, "9132") == ["+14155559132"]
    assert numbers_meant(workspace, "0132") == []
    assert numbers_meant(workspace, "0002") == []
    assert numbers_meant(workspace, "05559132") == ["+14155559132"]


def test_it_asks_which_of_several_numbers_is_meant(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_call(agent)
    a_call(agent, customer_number="+12125550132")
    page = asked(browser_client, workspace, "5550132")
    assert "Which of these is it?" in page
    assert 'href="?number=%2B12125550132&amp;date=7d"' in page
    assert 'href="?number=%2B14155550132&amp;date=7d"' in page


@pytest.mark.parametrize("written", ["hello", "12", "+1 12"])
def test_it_says_what_is_no_number_and_keeps_it(browser_client: Client, workspace: Workspace, written: str) -> None:
    answer = browser_client.get(f"/w/{workspace.pk}/calls/why", {"number": written})
    assert answer.status_code == 422
    assert f'value="{written}"' in answer.content.decode()
    assert "Type a phone number" in answer.content.decode()


def test_it_knows_no_number_of_another_workspace(workspace: Workspace) -> None:
    a_call(an_agent(a_workspace("Copperkettle Garage")))
    assert numbers_meant(workspace, "5550132") == []


def test_it_answers_for_every_call_the_newest_first(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    a_message(a_follow_up(a_call(agent), booking))
    a_skipped_follow_up(a_call(agent), booking)
    page = asked(browser_client, workspace)
    first = page.index("“Booking confirmation” was not sent: the judge read the call and the condition was not met")
    assert first < page.index("“Booking confirmation” was texted, and it arrived")
    assert "The caller declined." in page


def test_it_says_the_error_and_its_mend(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    follow_up = a_follow_up(a_call(agent), an_action(agent))
    a_message(follow_up, Message.Status.FAILED, error_code=30034)
    page = asked(browser_client, workspace)
    assert "“Booking confirmation” could not be sent" in page
    assert "Register a brand and a campaign" in page
    assert f'href="/w/{workspace.pk}/calls/{follow_up.call_id}#of-{follow_up.pk}"' in page


@pytest.mark.parametrize(
    ("reason", "place", "said"),
    [
        ("missing_input", "agents/{agent}/actions", "did not bring every value"),
        ("frequency_cap", "settings/rules", "as many texts in 24 hours"),
        ("opted_out", "settings/opt-outs?q=%2B14155550132", "asked not to be texted"),
        ("landline", "calls/{call}#of-{follow_up}", "is a landline"),
    ],
)
def test_it_leads_to_where_a_reason_is_mended(
    browser_client: Client, workspace: Workspace, reason: str, place: str, said: str
) -> None:
    agent = an_agent(workspace)
    follow_up = a_skipped_follow_up(a_call(agent), an_action(agent), reason=reason, result="")
    address = place.format(agent=agent.pk, call=follow_up.call_id, follow_up=follow_up.pk)
    page = asked(browser_client, workspace)
    assert said in page
    assert f'href="/w/{workspace.pk}/{address}"' in page


def test_it_says_what_a_held_text_waits_for(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_held_follow_up(a_call(agent), an_action(agent))
    assert "is held: the text is ready and waits for somebody to approve it" in asked(browser_client, workspace)


def test_it_does_not_say_of_a_text_that_may_have_left_that_it_did_not(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    left = a_follow_up(
        a_call(agent), an_action(agent), outcome="skipped", reason="rejected", detail="Left by Rosa."
    )
    a_message(left, Message.Status.UNCONFIRMED)
    page = asked(browser_client, workspace)
    assert "may have been sent, or not: it could not be found out" in page
    assert "was not sent" not in page
    assert "unconfirmed, left as it is" in browser_client.get(f"/w/{workspace.pk}/calls").content.decode()


def test_it_finds_a_call_about_which_another_number_was_texted(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    call = a_call(agent, customer_number="+12125550100")
    a_message(a_follow_up(call, an_action(agent), recipient=NUMBER))
    assert str(call.pk) in asked(browser_client, workspace)


def test_it_finds_a_call_whose_number_could_not_be_read(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent, customer_number="", customer_number_raw="415.555.0132")
    assert f'id="call-{call.pk}"' in asked(browser_client, workspace)


def test_it_takes_no_zeros_for_the_end_of_a_number(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace), customer_number="", customer_number_raw="0000000")
    assert f'id="call-{call.pk}"' not in asked(browser_client, workspace)


def test_it_says_that_nothing_was_attached(browser_client: Client, workspace: Workspace) -> None:
    a_call(an_agent(workspace))
    page = asked(browser_client, workspace)
    assert "Nothing followed: no action was attached to Front desk then" in page


def test_it_says_that_nobody_set_the_agent_up(browser_client: Client, workspace: Workspace) -> None:
    a_call(None, workspace, agent_ref="asst-unknown")
    page = asked(browser_client, workspace)
    assert "an agent called “asst-unknown”, who is not set up here" in page
    assert f'href="/w/{workspace.pk}/agents/unknown"' in page


def test_it_says_that_a_call_is_being_decided(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_call(agent, status=Call.Status.RECEIVED)
    assert "The call has come in and is being decided" in asked(browser_client, workspace)
    a_follow_up(a_call(agent), an_action(agent), outcome=FollowUp.Outcome.PENDING)
    assert "“Booking confirmation” is being decided" in asked(browser_client, workspace)


def test_it_says_since_when_and_how_a_number_has_opted_out(browser_client: Client, workspace: Workspace) -> None:
    opt_out(workspace.pk, NUMBER, "said", quote="Please never text me")
    page = asked(browser_client, workspace)
    assert "This number has opted out: it was said during a call, just now" in page
    assert "“Please never text me”" in page


def test_it_says_that_a_cap_is_reached(browser_client: Client, workspace: Workspace) -> None:
    workspace.max_per_number_per_day = 1
    workspace.save()
    agent = an_agent(workspace)
    a_message(a_follow_up(a_call(agent), an_action(agent)), sent_at=timezone.now())
    assert "+14155550132 was sent 1 texts in 24 hours; the cap is 1" in asked(browser_client, workspace)


def test_it_lists_the_refused_deliveries_when_no_call_came(browser_client: Client, workspace: Workspace) -> None:
    source = Source.objects.create(workspace=workspace, kind="generic", name="Phone system")
    refuse(source, "the signature was made with another secret, or over another body")
    refuse(source, "the signature was made with another secret, or over another body")
    page = asked(browser_client, workspace)
    assert "No call of +1 415 555 0132 has come in" in page
    assert "The signature was made with another secret" in page
    assert "2 times, just now" in page
    assert "One of them may have been the call" in page


def test_it_names_silent_sources_and_those_that_never_spoke(browser_client: Client, workspace: Workspace) -> None:
    Source.objects.create(workspace=workspace, kind="generic", name="New line")
    long_ago = timezone.now() - timedelta(days=9)
    Source.objects.create(workspace=workspace, kind="generic", name="Old line", last_received_at=long_ago)
    page = asked(browser_client, workspace)
    assert "New line has never sent anything" in page
    assert "Old line has been silent since" in page
    assert "Old line last sent something" in asked(browser_client, workspace, date="30d")


def test_it_names_calls_that_may_be_the_one(browser_client: Client, workspace: Workspace) -> None:
    idle = an_agent(workspace, "Idle line")
    a_call(idle, customer_number="", customer_number_raw="")
    a_call(None, workspace, agent_ref="asst-unknown", customer_number="+12125550100")
    page = asked(browser_client, workspace)
    assert "A call that came without a number" in page
    assert "1 call of an agent that nobody set up: “asst-unknown”" in page
    assert "Idle line was called, and has no action switched on" in page


def test_it_says_that_nothing_is_amiss_where_nothing_is(browser_client: Client, workspace: Workspace) -> None:
    page = asked(browser_client, workspace)
    assert "None was refused" in page
    assert "None that could be it" in page
    assert "No voice platform is connected" in page
