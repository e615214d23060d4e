"""What waits for a person: approved, approved in other words, rejected, one by one or many at once."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from postcall.dashboard.cards import stamp_of
from postcall.dashboard.verbs.follow_ups import unless_changed
from postcall.dashboard.views.review import PAGE_SIZE
from postcall.followups.models import FollowUp
from postcall.followups.optouts import opt_out
from postcall.followups.review import NotPossible
from postcall.messages.models import Message
from postcall.workspaces.models import Workspace

from .factories import a_call, a_follow_up, a_held_follow_up, a_member, a_message, an_action, an_agent

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(workspace: Workspace) -> FollowUp:
    agent = an_agent(workspace)
    return a_held_follow_up(a_call(agent), an_action(agent))


def press(client: Client, follow_up: FollowUp, button: str, **fields: str) -> str:
    address = f"/w/{follow_up.workspace_id}/follow-ups/{follow_up.pk}/{button}"
    return client.post(address, fields, follow=True).content.decode()


def listed(client: Client, workspace: Workspace, query: str = "") -> list[str]:
    """The held follow-ups of the page, in its order."""
    page = client.get(f"/w/{workspace.pk}/review{query}").content.decode()
    return re.findall(r'id="held-([\w-]{36})"', page)


def test_it_shows_what_lapses_first_on_top_and_what_never_does_last(browser_client: Client, held: FollowUp) -> None:
    agent, now = held.attachment.agent, timezone.now()
    never = a_held_follow_up(a_call(agent), held.attachment, reason="judge_failed")
    soon = a_held_follow_up(a_call(agent), held.attachment, decided_at=now - timedelta(hours=20))
    waiting = a_held_follow_up(a_call(agent), held.attachment, reason="sender_paused")
    a_message(waiting, Message.Status.QUEUED, valid_until=now + timedelta(minutes=5))
    expected = [str(each.pk) for each in (waiting, soon, held, never)]
    assert listed(browser_client, held.workspace) == expected
    assert '<span class="count">4<' in browser_client.get(f"/w/{held.workspace_id}/review").content.decode()


def test_it_pages_through_all_that_waits_however_it_lapses(browser_client: Client, held: FollowUp) -> None:
    agent = held.attachment.agent
    for number in range(PAGE_SIZE):
        reason = "judge_failed" if number % 2 else "condition_unclear"
        a_held_follow_up(a_call(agent), held.attachment, reason=reason, decided_at=held.decided_at)
    first = browser_client.get(f"/w/{held.workspace_id}/review").content.decode()
    further = re.search(r'href="(\?[^"]*after=[^"]+)"', first)
    assert further
    shown = listed(browser_client, held.workspace) + listed(browser_client, held.workspace, unescape(further[1]))
    assert len(shown) == PAGE_SIZE + 1
    assert set(shown) == {str(pk) for pk in FollowUp.objects.values_list("pk", flat=True)}


@pytest.mark.parametrize("after", ["x", "never~x", "never", "2026-01-01~%00", "2026-01-01T00:00:00~{pk}"])
def test_it_passes_over_a_page_that_is_none(browser_client: Client, held: FollowUp, after: str) -> None:
    query = f"?after={after.format(pk=held.pk)}&reason=nonsense&action=x"
    assert listed(browser_client, held.workspace, query) == [str(held.pk)]


def test_it_narrows_by_reason_and_action(browser_client: Client, held: FollowUp) -> None:
    agent = held.attachment.agent
    other = a_held_follow_up(a_call(agent), an_action(agent, "Payment link"), reason="condition_unclear")
    page = browser_client.get(f"/w/{held.workspace_id}/review").content.decode()
    assert "Unclear (1)</option>" in page
    assert "Payment link (1)</option>" in page
    assert listed(browser_client, held.workspace, "?reason=condition_unclear") == [str(other.pk)]
    assert listed(browser_client, held.workspace, f"?action={held.action_id}") == [str(held.pk)]
    nothing = browser_client.get(f"/w/{held.workspace_id}/review?reason=set_aside").content.decode()
    assert "Nothing held fits" in nothing


def test_it_lets_one_read_what_was_said_without_leaving(browser_client: Client, held: FollowUp) -> None:
    address = f"/w/{held.workspace_id}/calls/{held.call_id}/said"
    assert f'hx-get="{address}"' in browser_client.get(f"/w/{held.workspace_id}/review").content.decode()
    said = browser_client.get(address).content.decode()
    assert '<mark class="evidence f1">Nine forty works,' in said
    assert 'id="turn-' not in said  # several calls stand on one page


def news_address(client: Client, workspace: Workspace) -> str:
    found = re.search(r'hx-get="([^"]+)"', client.get(f"/w/{workspace.pk}/review").content.decode())
    assert found
    return unescape(found[1])


def test_it_tells_what_else_is_held_meanwhile(browser_client: Client, held: FollowUp) -> None:
    address = news_address(browser_client, held.workspace)
    assert browser_client.get(address).status_code == 204
    a_held_follow_up(
        a_call(held.attachment.agent), held.attachment, decided_at=timezone.now() + timedelta(seconds=1)
    )
    news = browser_client.get(address).content.decode()
    assert "1 more waits" in news
    again = re.search(r'hx-get="([^"]+)"', news)
    assert again
    assert browser_client.get(unescape(again[1])).status_code == 204


def test_it_tells_that_somebody_else_has_decided(browser_client: Client, client: Client, held: FollowUp) -> None:
    address = news_address(browser_client, held.workspace)
    other = Client()
    other.force_login(a_member(held.workspace, email="rosa@northgate.example"))
    press(other, held, "reject")
    news = browser_client.get(address).content.decode()
    assert f'id="news-{held.pk}" role="status" hx-swap-oob="true"' in news
    assert "rosa@northgate.example has decided about it" in news
    assert str(held.pk) not in news.partition("news-")[0]  # nothing more is asked about it


def test_it_shows_the_next_reviewer_who_was_first(browser_client: Client, held: FollowUp) -> None:
    other = Client()
    other.force_login(a_member(held.workspace, email="rosa@northgate.example"))
    press(other, held, "approve", body=held.body)
    address = f"/w/{held.workspace_id}/follow-ups/{held.pk}/approve"
    fields = {"body": "Other words.", "here": "review"}
    answer = browser_client.post(address, fields, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert "rosa@northgate.example approved it" in answer.content.decode()
    assert "data-decided" in answer.content.decode()
    assert Message.objects.get().body == held.body


def test_it_counts_what_of_many_somebody_else_has_decided(browser_client: Client, held: FollowUp) -> None:
    agent = held.attachment.agent
    others = [a_held_follow_up(a_call(agent, customer_number=f"+1415555017{n}"), held.attachment) for n in range(3)]
    picked = [held.pk, *(each.pk for each in others)]
    rosa = Client()
    rosa.force_login(a_member(held.workspace, email="rosa@northgate.example"))
    rosa.post(f"/w/{held.workspace_id}/review/decide", {"do": "approve", "pick": picked[:3]})
    address = f"/w/{held.workspace_id}/review/decide"
    page = browser_client.post(address, {"do": "approve", "pick": picked}, follow=True).content.decode()
    assert re.search(
        r"3 not approved. Booking confirmation: rosa@northgate.example approved it \d seconds? ago", page
    )
    assert "1 approved." in page
    assert Message.objects.count() == 4


def test_it_approves_no_text_of_many_that_has_changed_since_it_was_seen(
    browser_client: Client, held: FollowUp
) -> None:
    page = browser_client.get(f"/w/{held.workspace_id}/review").content.decode()
    ticked = re.search(r'name="pick" value="([^"]+)"', page)
    assert ticked
    held.body = "Other words, which nobody has read."
    held.save(update_fields=["body", "updated_at"])
    address = f"/w/{held.workspace_id}/review/decide"
    page = browser_client.post(address, {"do": "approve", "pick": ticked[1]}, follow=True).content.decode()
    assert "It has changed since you looked at it" in page
    assert not Message.objects.exists()


def test_it_offers_no_tick_for_what_cannot_be_approved(browser_client: Client, held: FollowUp) -> None:
    FollowUp.objects.update(reason="sender_paused")
    a_message(held, Message.Status.QUEUED)
    page = browser_client.get(f"/w/{held.workspace_id}/review").content.decode()
    assert 'name="pick"' not in page
    assert "Cancel</button>" in page


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


def test_it_keeps_the_words_of_whoever_decided_second(browser_client: Client, held: FollowUp) -> None:
    press(browser_client, held, "reject")
    page = press(browser_client, held, "approve", body="Come at ten instead.")
    assert "Your words were: <q>Come at ten instead.</q>" in page
    assert "northgate.example looked at it and decided against sending" in page


def test_it_decides_about_nothing_that_changes_at_that_instant(held: FollowUp) -> None:
    FollowUp.objects.get(pk=held.pk).save()
    with pytest.raises(NotPossible, match="changed since you looked"), unless_changed(held, stamp_of(held)):
        pytest.fail("it was not what the reviewer saw")


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
