"""The call log: what stands in it, how it is searched, and how new calls arrive."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from postcall.calls.models import Call
from postcall.dashboard.views.calls import PAGE_SIZE
from postcall.messages.models import Message
from postcall.sources.models import Source
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


def listed(client: Client, workspace: Workspace, query: str = "") -> list[str]:
    """The ids of the calls on the page, from top to bottom."""
    page = client.get(f"/w/{workspace.pk}/calls{query}").content.decode()
    return re.findall(rf'row-link" href="/w/{workspace.pk}/calls/([\w-]+)"', page)


def live_address(client: Client, workspace: Workspace, query: str = "") -> str:
    """Where the page asks for its news."""
    page = client.get(f"/w/{workspace.pk}/calls{query}").content.decode()
    found = re.search(r'hx-get="([^"]+/calls/live[^"]+)"', page)
    assert found
    return unescape(found[1])


def test_it_shows_each_call_with_what_its_follow_ups_did(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    a_message(a_follow_up(call, an_action(agent)), Message.Status.FAILED, error_code=30034)
    a_skipped_follow_up(call, an_action(agent, "Payment link"))
    page = browser_client.get(f"/w/{workspace.pk}/calls").content.decode()
    assert "Maya Ortiz" in page
    assert "+1 415 555 0132" in page
    assert 'Booking confirmation <span class="muted">failed, error 30034</span>' in page
    assert 'Payment link <span class="muted">not met</span>' in page
    assert "1:00" in page


def test_it_says_once_what_several_follow_ups_have_in_common(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    for name in ("Booking confirmation", "Payment link"):
        a_skipped_follow_up(call, an_action(agent, name), reason="voicemail")
    page = browser_client.get(f"/w/{workspace.pk}/calls").content.decode()
    assert 'Booking confirmation, Payment link <span class="muted">voicemail</span>' in page


def test_it_says_what_to_do_while_there_is_no_call(browser_client: Client, workspace: Workspace) -> None:
    page = browser_client.get(f"/w/{workspace.pk}/calls").content.decode()
    assert "No call has come in yet" in page
    assert "Connect a voice platform" in page


@pytest.mark.parametrize("place", ["", "calls"])
def test_it_offers_nobody_what_only_owners_may_do(client: Client, workspace: Workspace, place: str) -> None:
    client.force_login(a_member(workspace, Membership.Role.EDITOR))
    page = client.get(f"/w/{workspace.pk}/{place}").content.decode()
    assert "An owner of the workspace gives your" in page
    assert "Connect a voice platform</a>" not in page


def test_it_names_an_agent_that_nobody_set_up(browser_client: Client, workspace: Workspace) -> None:
    a_call(None, workspace, agent_ref="asst-unknown")
    assert "No agent is known as “asst-unknown”" in browser_client.get(f"/w/{workspace.pk}/calls").content.decode()


@pytest.mark.parametrize("query", ["5550177", "+1 (415) 555-0177", "415 555 0177"])
def test_it_finds_a_call_by_its_number_in_any_spelling(
    browser_client: Client, workspace: Workspace, query: str
) -> None:
    agent = an_agent(workspace)
    a_call(agent)
    wanted = a_call(agent, customer_number="+14155550177")
    answer = browser_client.get(f"/w/{workspace.pk}/calls", {"q": query}).content.decode()
    assert str(wanted.pk) in answer
    assert listed(browser_client, workspace, "?q=5550177") == [str(wanted.pk)]


def test_it_finds_digits_that_were_said_or_texted(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_call(agent)
    said = a_call(agent, transcript=[{"role": "agent", "text": "Your reference is 77315."}])
    texted = a_call(agent)
    a_follow_up(texted, an_action(agent), body="Your code is 7731.")
    assert listed(browser_client, workspace, "?q=7731") == [str(texted.pk), str(said.pk)]


@pytest.mark.parametrize("words", ["knee", "KNEE doctor", "Ortiz", 'say "ah"', "100%"])
def test_it_finds_a_call_by_words(browser_client: Client, workspace: Workspace, words: str) -> None:
    agent = an_agent(workspace)
    a_call(agent, transcript=[{"role": "customer", "text": "Wrong number, sorry."}], variables={})
    turns = [{"role": "customer", "text": 'Doctor, my knee. Shall I say "ah"? I am 100% sure.'}]
    wanted = a_call(agent, transcript=turns)
    found = browser_client.get(f"/w/{workspace.pk}/calls", {"q": words}).content.decode()
    assert re.findall(r'row-link" href="[^"]+/calls/([\w-]+)"', found) == [str(wanted.pk)]


def test_it_finds_no_call_by_the_word_for_a_role(browser_client: Client, workspace: Workspace) -> None:
    a_call(an_agent(workspace))
    assert listed(browser_client, workspace, "?q=customer") == []


def test_it_filters_by_agent_outcome_reason_and_what_became_of_the_text(
    browser_client: Client, workspace: Workspace
) -> None:
    desk, garage = an_agent(workspace), an_agent(workspace, "Service line")
    sent, held, skipped = a_call(desk), a_call(desk), a_call(garage)
    booking, pickup = an_action(desk), an_action(garage, "Ready for pickup")
    a_message(a_follow_up(sent, booking))
    a_held_follow_up(held, booking, reason="condition_unclear")
    a_skipped_follow_up(skipped, pickup, reason="voicemail")
    lost = a_call(None, workspace)
    for query, wanted in {
        f"agent={garage.pk}": skipped,
        "outcome=held": held,
        "reason=voicemail": skipped,
        "message_status=delivered": sent,
        "outcome=unassigned": lost,
    }.items():
        assert listed(browser_client, workspace, f"?{query}") == [str(wanted.pk)], query
    assert listed(browser_client, workspace, "?outcome=held&reason=voicemail") == []


def test_it_filters_by_the_day_of_arrival(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_call(agent, received_at=timezone.now() - timedelta(days=9))
    today = a_call(agent)
    assert listed(browser_client, workspace, "?date=7d") == [str(today.pk)]


def test_it_passes_over_a_filter_that_means_nothing(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace))
    assert listed(browser_client, workspace, "?agent=nobody&date=never&before=x") == [str(call.pk)]


def test_it_offers_a_way_back_when_nothing_fits(browser_client: Client, workspace: Workspace) -> None:
    page = browser_client.get(f"/w/{workspace.pk}/calls?q=nowhere").content.decode()
    assert "No call fits" in page
    assert 'value="nowhere"' in page


def test_it_pages_by_cursor_and_keeps_the_filters(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    calls = [str(a_call(agent).pk) for _ in range(PAGE_SIZE + 2)]
    calls.sort(reverse=True)
    page = browser_client.get(f"/w/{workspace.pk}/calls?q=Ortiz").content.decode()
    further = re.search(r'href="(\?[^"]*before=[^"]+)"', page)
    assert further
    assert listed(browser_client, workspace) == calls[:PAGE_SIZE]
    assert "q=Ortiz" in further[1]
    assert listed(browser_client, workspace, unescape(further[1])) == calls[PAGE_SIZE:]


def test_it_reads_a_page_in_a_handful_of_queries(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    for _ in range(10):
        a_message(a_follow_up(a_call(agent), booking), Message.Status.SENT)
    listed(browser_client, workspace)
    with CaptureQueriesContext(connection) as done:
        listed(browser_client, workspace)
    read = [query["sql"] for query in done.captured_queries if query["sql"].startswith("SELECT")]
    assert len(read) <= 13, "\n".join(read)


def test_it_has_no_news_while_nothing_happens(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_message(a_follow_up(a_call(agent), an_action(agent)), Message.Status.SENT)
    assert browser_client.get(live_address(browser_client, workspace)).status_code == 204


def test_it_counts_the_calls_that_came_since(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_call(agent)
    address = live_address(browser_client, workspace, "?q=Ortiz")
    a_call(agent)
    a_call(agent, variables={}, transcript=[])
    answer = browser_client.get(address).content.decode()
    assert "1 new call<" in answer
    assert f'href="/w/{workspace.pk}/calls?q=Ortiz"' in answer


def test_it_tells_its_news_once(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_call(agent)
    address = live_address(browser_client, workspace)
    a_call(agent)
    answer = browser_client.get(address).content.decode()
    again = re.search(r'hx-get="([^"]+)"', answer)
    assert again
    assert browser_client.get(unescape(again[1])).status_code == 204


def test_it_moves_a_row_whose_text_was_delivered(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    message = a_message(a_follow_up(call, an_action(agent)), Message.Status.SENT)
    address = live_address(browser_client, workspace)
    Message.objects.filter(pk=message.pk).update(status=Message.Status.DELIVERED)
    answer = browser_client.get(address).content.decode()
    assert f'id="lines-{call.pk}" hx-swap-oob="true"' in answer
    assert "delivered" in answer
    assert "new call" not in answer


def test_it_reads_an_empty_log_again_when_the_first_call_comes(
    browser_client: Client, workspace: Workspace
) -> None:
    address = live_address(browser_client, workspace)
    assert browser_client.get(address).status_code == 204
    a_call(an_agent(workspace))
    assert browser_client.get(address)["HX-Refresh"] == "true"


def test_it_asks_the_whole_page_to_sign_in_when_its_session_is_over(
    client: Client, browser_client: Client, workspace: Workspace
) -> None:
    address = live_address(browser_client, workspace)
    browser_client.logout()
    assert client.get(address, headers={"HX-Request": "true"})["HX-Refresh"] == "true"


def test_it_shows_a_call_that_is_being_decided(browser_client: Client, workspace: Workspace) -> None:
    a_call(an_agent(workspace), status=Call.Status.RECEIVED)
    assert "being decided" in browser_client.get(f"/w/{workspace.pk}/calls").content.decode()


@pytest.mark.parametrize(
    "key", ["q", "outcome", "reason", "message_status", "agent", "date", "before", "newest", "watch"]
)
@pytest.mark.parametrize("page", ["calls", "calls/live", "messages"])
def test_it_passes_over_what_no_filter_can_be(
    browser_client: Client, workspace: Workspace, page: str, key: str
) -> None:
    address = f"/w/{workspace.pk}/{page}?newest={workspace.pk}&{key}=%00"
    assert browser_client.get(address).status_code in (200, 204)


def test_it_finds_the_calls_of_a_platform_through_any_source_of_it(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    front, back = (
        Source.objects.create(workspace=workspace, kind="vapi", name=name) for name in ("Front desk", "Back desk")
    )
    through = {"+14155550141": (front, "vapi"), "+14155550142": (back, "vapi"), "+14155550143": (None, "vapi")}
    for number, (source, kind) in {**through, "+14155550144": (None, "api")}.items():
        a_call(agent, source=source, source_kind=kind, customer_number=number)
    page = browser_client.get(f"/w/{workspace.pk}/calls?source=vapi").content.decode()
    assert '<option value="vapi" selected>Vapi, any source</option>' in page
    assert [last for last in "1234" if f"555 014{last}" in page] == ["1", "2", "3"]
    page = browser_client.get(f"/w/{workspace.pk}/calls?source=api").content.decode()
    assert [last for last in "1234" if f"555 014{last}" in page] == ["4"]
