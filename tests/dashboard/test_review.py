"""What waits for a person: approved, approved in other words, rejected, one by one or many at once."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from postcall.followups.models import FollowUp
from postcall.followups.optouts import opt_out
from postcall.messages.models import Message
from postcall.workspaces.models import Workspace

from .factories import a_call, a_follow_up, a_held_follow_up, a_message, an_action, an_agent

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(workspace: Workspace) -> FollowUp:
    agent = an_agent(workspace)
    return a_held_follow_up(a_call(agent), an_action(agent))


def press(client: Client, follow_up: FollowUp, button: str, **fields: str) -> str:
    address = f"/w/{follow_up.workspace_id}/follow-ups/{follow_up.pk}/{button}"
    return client.post(address, fields, follow=True).content.decode()


def test_it_shows_what_waits_the_oldest_first(browser_client: Client, held: FollowUp) -> None:
    newer = a_held_follow_up(a_call(held.attachment.agent), held.attachment, reason="condition_unclear")
    page = browser_client.get(f"/w/{held.workspace_id}/review").content.decode()
    assert page.index(f"held-{held.pk}") < page.index(f"held-{newer.pk}")
    assert "The judge could not tell" in page
    assert '<span class="count">2<' in page


def test_it_says_what_will_be_here_while_nothing_waits(browser_client: Client, workspace: Workspace) -> None:
    assert "Nothing waits for you" in browser_client.get(f"/w/{workspace.pk}/review").content.decode()


def test_it_leaves_an_approved_text_to_the_workers_at_once(browser_client: Client, held: FollowUp) -> None:
    page = press(browser_client, held, "approve", body=held.body, next=f"/w/{held.workspace_id}/review")
    assert "Approved. The text is on its way." in page
    assert "Nothing waits for you" in page
    message = Message.objects.get(follow_up=held)
    assert message.body == held.body
    assert message.due_at is not None
    assert message.lease_until is None


def test_it_sends_the_operators_words(browser_client: Client, held: FollowUp) -> None:
    press(browser_client, held, "approve", body="Hi Maya,\r\nsee you on Tuesday.")
    assert Message.objects.get(follow_up=held).body == "Hi Maya,\nsee you on Tuesday."


def test_it_loses_nothing_typed_when_it_cannot_be_approved(browser_client: Client, held: FollowUp) -> None:
    page = press(browser_client, held, "approve", body="Hi <customer_name>, a long and careful text.")
    assert "would go out as it stands" in page
    assert "Hi &lt;customer_name&gt;, a long and careful text." in page
    assert not Message.objects.exists()


def test_it_approves_nothing_to_somebody_who_opted_out(browser_client: Client, held: FollowUp) -> None:
    opt_out(held.workspace_id, held.recipient, "stop")
    press(browser_client, held, "approve", body=held.body)
    assert not Message.objects.exists()


def test_it_rejects(browser_client: Client, held: FollowUp) -> None:
    assert "Rejected. Nothing is sent." in press(browser_client, held, "reject")
    held.refresh_from_db()
    assert (held.outcome, held.reason) == ("skipped", "rejected")


def test_it_says_when_somebody_else_was_quicker(browser_client: Client, held: FollowUp) -> None:
    press(browser_client, held, "reject")
    page = press(browser_client, held, "reject")
    assert re.search(
        r"\S+@northgate\.example rejected it \d+ seconds? ago, so there is nothing left to decide", page
    )
    assert re.search(r"Rejected by \S+@northgate\.example", page)


def test_it_says_when_a_held_text_lapses(browser_client: Client, held: FollowUp) -> None:
    page = browser_client.get(f"/w/{held.workspace_id}/review").content.decode()
    assert re.search(r"Lapses <time [^>]*data-ago>in 23 h</time> unless somebody decides", page)


def test_it_goes_back_only_to_a_page_of_ours(browser_client: Client, held: FollowUp) -> None:
    answer = browser_client.post(
        f"/w/{held.workspace_id}/follow-ups/{held.pk}/reject", {"next": "https://elsewhere.example/"}
    )
    assert answer["Location"] == f"/w/{held.workspace_id}/calls/{held.call_id}"


@pytest.mark.parametrize(("do", "outcome"), [("approve", "message"), ("reject", "skipped")])
def test_it_decides_many_at_once(browser_client: Client, held: FollowUp, do: str, outcome: str) -> None:
    other = a_held_follow_up(a_call(held.attachment.agent, customer_number="+14155550177"), held.attachment)
    left = a_held_follow_up(a_call(held.attachment.agent, customer_number="+14155550178"), held.attachment)
    address = f"/w/{held.workspace_id}/review/decide"
    page = browser_client.post(address, {"do": do, "pick": [held.pk, other.pk]}, follow=True).content.decode()
    assert f"2 {do.rstrip('e')}" in page
    outcomes = dict(FollowUp.objects.values_list("pk", "outcome"))
    assert outcomes == {held.pk: outcome, other.pk: outcome, left.pk: "held"}


def test_it_says_which_of_many_could_not_be_approved(browser_client: Client, held: FollowUp) -> None:
    agent = held.attachment.agent
    empty = a_held_follow_up(
        a_call(agent), an_action(agent, "Payment link"), body="", inputs={}, reason="missing_input"
    )
    address = f"/w/{held.workspace_id}/review/decide"
    page = browser_client.post(
        address, {"do": "approve", "pick": [held.pk, empty.pk]}, follow=True
    ).content.decode()
    assert "Payment link: There is no text to send" in page
    assert "1 approved." in page


@pytest.mark.parametrize("pressed", [{"do": "approve"}, {"do": "explode", "pick": "x"}, {"pick": "x"}, {}])
def test_it_asks_what_is_meant(browser_client: Client, workspace: Workspace, pressed: dict[str, str]) -> None:
    page = browser_client.post(f"/w/{workspace.pk}/review/decide", pressed, follow=True).content.decode()
    assert "Tick what is meant first." in page


def test_it_offers_no_approval_of_a_text_that_waits_for_its_account(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    follow_up = a_follow_up(a_call(agent), an_action(agent), outcome="held", reason="sender_paused")
    a_message(follow_up, Message.Status.QUEUED)
    page = browser_client.get(f"/w/{workspace.pk}/calls/{follow_up.call_id}").content.decode()
    assert "Approve and send" not in page
    assert "Do what is said about the pause; then it goes by itself" in page


def test_it_says_of_a_text_that_was_dropped_for_want_of_approval_to_send_it_again(
    browser_client: Client, workspace: Workspace
) -> None:
    agent = an_agent(workspace)
    follow_up = a_follow_up(a_call(agent), an_action(agent), outcome="skipped", reason="awaiting_approval")
    a_message(follow_up, Message.Status.CANCELED)
    page = browser_client.get(f"/w/{workspace.pk}/calls/{follow_up.call_id}").content.decode()
    assert "Approve and send" not in page
    assert "If it is right, send it again: that approves it." in page
    assert "Send it again</button>" in page
