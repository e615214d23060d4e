"""The pages in a real browser: reachable for everybody, alive by themselves, and whole without script."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from postcall.followups.models import FollowUp
from postcall.messages.models import DeliveryEvent, Message
from postcall.workspaces.models import User, Workspace

from .conftest import SignedIn
from .factories import (
    PASSWORD,
    a_busy_workspace,
    a_call,
    a_follow_up,
    a_held_follow_up,
    a_member,
    a_message,
    an_action,
    an_agent,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def busy(live_server: Any) -> Workspace:
    return a_busy_workspace()


@pytest.fixture
def dana(busy: Workspace) -> User:
    return a_member(busy, email="dana@northgate.example")


def test_it_works_without_script(signed_in: SignedIn, busy: Workspace, dana: User) -> None:
    context = signed_in(dana, java_script_enabled=False)
    context.clear_cookies()
    page = context.new_page()
    page.goto(f"/w/{busy.pk}/calls")
    page.get_by_label("E-mail").fill(dana.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Number, name or words said").fill("Inés")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Inés Calder").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Inés Calder")
    page.get_by_text("Raw payload").click()
    page.get_by_role("link", name="as plain text").click()
    expect(page.locator("body")).to_contain_text("end-of-call-report")
    page.goto(f"/w/{busy.pk}/review")
    page.get_by_role("button", name="Reject", exact=True).first.click()
    expect(page.get_by_role("status").first).to_contain_text("Rejected. Nothing is sent.")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_it_shows_new_calls_without_moving_what_one_reads(page: Page, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_call(agent, variables={"collected": {"name": "Ray Whitfield"}})
    page.goto(f"/w/{workspace.pk}/calls")
    a_call(agent, variables={"collected": {"name": "Gus Amado"}})
    expect(page.get_by_role("link", name="1 new call")).to_be_visible()
    expect(page.get_by_role("link", name="Gus Amado")).to_have_count(0)
    page.get_by_role("link", name="1 new call").click()
    expect(page.get_by_role("link", name="Gus Amado")).to_be_visible()


def test_it_asks_for_news_only_while_somebody_looks(page: Page, workspace: Workspace) -> None:
    page.goto(f"/w/{workspace.pk}/calls")
    asks = """hidden => {
        Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        const elt = document.getElementById("live");
        const options = {bubbles: true, cancelable: true, detail: {elt}};
        return elt.dispatchEvent(new CustomEvent("htmx:beforeRequest", options));
    }"""
    assert [page.evaluate(asks, hidden) for hidden in (False, True, False)] == [True, False, True]


def test_it_shows_the_first_call_by_itself(page: Page, workspace: Workspace) -> None:
    page.goto(f"/w/{workspace.pk}/calls")
    a_call(an_agent(workspace))
    expect(page.get_by_role("link", name="Maya Ortiz")).to_be_visible()


def test_it_follows_a_text_until_it_is_delivered(page: Page, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    message = a_message(a_follow_up(a_call(agent), an_action(agent)), Message.Status.SENT)
    page.goto(f"/w/{workspace.pk}/calls/{message.follow_up.call_id}")
    expect(page.locator("#jump-1")).to_contain_text("sent")
    Message.objects.filter(pk=message.pk).update(status=Message.Status.DELIVERED)
    DeliveryEvent.objects.create(
        at=message.created_at, workspace=workspace, message=message, status="delivered", origin="twilio"
    )
    expect(page.locator("#jump-1")).to_contain_text("delivered")
    expect(page.locator("#follow-up-1 .badge")).to_have_text("Delivered")


def test_it_follows_a_row_of_the_log_too(page: Page, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    message = a_message(a_follow_up(a_call(agent), an_action(agent)), Message.Status.SENT)
    page.goto(f"/w/{workspace.pk}/calls")
    Message.objects.filter(pk=message.pk).update(status=Message.Status.DELIVERED)
    expect(page.locator("tbody")).to_contain_text("delivered")


def test_it_searches_as_soon_as_a_filter_is_chosen(signed_in: SignedIn, busy: Workspace, dana: User) -> None:
    page = signed_in(dana).new_page()
    page.goto(f"/w/{busy.pk}/calls")
    page.get_by_label("Outcome").select_option("held")
    expect(page).to_have_url(re.compile(r"/calls\?outcome=held$"))
    expect(page.get_by_role("row")).to_have_count(4)


def test_it_opens_a_call_by_a_click_anywhere_in_its_row(signed_in: SignedIn, busy: Workspace, dana: User) -> None:
    page = signed_in(dana).new_page()
    page.goto(f"/w/{busy.pk}/calls")
    page.get_by_role("row", name="Inés Calder").locator("td").nth(2).click(force=True)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Inés Calder")


def test_it_finds_a_call_from_the_keyboard(signed_in: SignedIn, busy: Workspace, dana: User) -> None:
    page = signed_in(dana).new_page()
    page.goto(f"/w/{busy.pk}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("555 0141")
    expect(page.get_by_role("dialog").get_by_role("link", name="Inés Calder")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Inés Calder")
    page.keyboard.press("Control+k")
    page.keyboard.type("sending rules")
    expect(page.locator("[data-for='sending rules']")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("settings/rules"))


def test_it_reviews_from_the_keyboard(page: Page, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    first, second, third = (
        a_held_follow_up(a_call(agent, customer_number=number), booking)
        for number in ("+14155550132", "+14155550177", "+14155550178")
    )
    page.goto(f"/w/{workspace.pk}/review")
    page.get_by_role("textbox", name="The text to").first.fill("In my own words.")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(page.locator("#said")).to_have_text("Rejected. Nothing is sent.")
    expect(page.locator(f"#held-{third.pk}")).to_be_focused()
    page.keyboard.press("e")
    page.keyboard.type(" Thanks! 👋")
    expect(page.locator(f"#count-{third.pk}")).to_contain_text("UCS-2 because of “👋”")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.locator("#said")).to_have_text("Approved. The text is on its way.")
    expect(page.locator(f"#held-{first.pk}")).to_be_focused()
    expect(page.locator("#held-count")).to_contain_text("1")
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="All of this page is decided")).to_be_visible()
    outcomes = dict(FollowUp.objects.values_list("pk", "outcome"))
    assert outcomes == {first.pk: "message", second.pk: "skipped", third.pk: "message"}
    bodies = dict(Message.objects.values_list("follow_up", "body"))
    assert bodies == {first.pk: "In my own words.", third.pk: f"{third.body} Thanks! 👋"}


def test_it_keeps_what_is_typed_while_the_page_lives(page: Page, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    call = a_call(agent)
    message = a_message(a_follow_up(call, an_action(agent)), Message.Status.SENT)
    a_held_follow_up(call, an_action(agent, "New-patient form"))
    page.goto(f"/w/{workspace.pk}/calls/{call.pk}")
    page.get_by_role("textbox", name="The text to").fill("In my own words.")
    Message.objects.filter(pk=message.pk).update(status=Message.Status.DELIVERED)
    DeliveryEvent.objects.create(
        at=message.created_at, workspace=workspace, message=message, status="delivered", origin="twilio"
    )
    expect(page.locator("#jump-2")).to_contain_text("delivered")
    expect(page.get_by_role("textbox", name="The text to")).to_have_value("In my own words.")


def test_it_shows_the_raw_payload_when_asked(page: Page, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace))
    page.goto(f"/w/{workspace.pk}/calls/{call.pk}")
    page.get_by_text("Raw payload").click()
    expect(page.locator("#raw pre")).to_contain_text("end-of-call-report")


def test_it_begins_with_a_way_past_the_sidebar(page: Page, workspace: Workspace) -> None:
    page.goto(f"/w/{workspace.pk}/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_it_writes_exact_times_in_the_readers_zone(signed_in: SignedIn, busy: Workspace, dana: User) -> None:
    page = signed_in(dana, timezone_id="Asia/Tokyo").new_page()
    page.goto(f"/w/{busy.pk}/calls")
    page.reload()
    expect(page.locator("tbody time:visible").first).to_have_attribute("title", re.compile(" JST$"))
