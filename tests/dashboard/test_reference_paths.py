"""The ways that everybody expects, gone as somebody who has never seen the pages: by visible words alone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from postcall.actions.models import Action, Attachment
from postcall.agents.models import Agent
from postcall.followups.models import FollowUp
from postcall.workspaces.models import Workspace

from .factories import a_call, a_held_follow_up, an_agent

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGE = "Hi <customer_name>, see you <appointment_date>. Northgate Clinic"
CONDITION = "After scheduling an appointment"
MOST_TABS = 150


@pytest.fixture
def agent(live_server: Any, workspace: Workspace) -> Agent:
    return an_agent(workspace)


def test_it_creates_an_action_and_attaches_it(page: Page, agent: Agent) -> None:
    page.goto("/")
    page.get_by_role("link", name="Actions", exact=True).click()
    page.get_by_role("link", name="Post-call SMS").first.click()
    page.get_by_role("link", name="Create", exact=True).first.click()
    page.get_by_label("Name", exact=True).fill("Booking confirmation")
    page.get_by_label("Message", exact=True).fill(MESSAGE)
    page.get_by_label("Send it when").fill(CONDITION)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Booking confirmation")
    action = Action.objects.get()
    assert action.revision is not None
    assert (action.revision.message, action.revision.condition) == (MESSAGE, CONDITION)

    page.get_by_role("link", name="Agents", exact=True).first.click()
    page.get_by_role("link", name=agent.name).first.click()
    page.get_by_role("link", name="Actions", exact=True).last.click()
    expect(page.get_by_role("heading", name="Post-call SMS")).to_be_visible()
    page.locator("summary", has_text="Add").click()
    page.get_by_role("button", name="Booking confirmation").click()
    expect(page.get_by_text("2 inputs to map")).to_be_visible()
    assert Attachment.objects.get().mode == "off"

    page.get_by_label("Where customer_name comes from").select_option("Collected during the call")
    page.get_by_label("Collected value for customer_name").fill("first_name")
    page.get_by_label("Where appointment_date comes from").select_option(label="Read from the transcript")
    page.get_by_label("What to read").last.fill("the day and time agreed")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").first).to_contain_text("live")
    attachment = Attachment.objects.get()
    assert attachment.mode == "live"
    assert attachment.inputs["customer_name"] == {"from": "collected", "name": "first_name"}
    assert attachment.inputs["appointment_date"]["from"] == "ask"


def test_it_needs_no_mouse(page: Page, agent: Agent, workspace: Workspace) -> None:
    page.goto(f"/w/{workspace.pk}/actions")
    press(page, "Create")
    write(page, "Name", "Booking confirmation")
    write(page, "Send it when", CONDITION)
    write(page, "Message", "See you soon. Northgate Clinic")
    press(page, "Save")
    expect(page.get_by_role("heading", level=1)).to_have_text("Booking confirmation")

    page.goto(f"/w/{workspace.pk}/agents/{agent.pk}/actions")
    go_to(page, "Add a post-call SMS")
    page.keyboard.press("Enter")
    press(page, "Booking confirmation")
    expect(page.get_by_role("status").first).to_contain_text("live")

    held = a_held_follow_up(a_call(agent), Attachment.objects.get(), body="See you soon. Northgate Clinic")
    page.goto(f"/w/{workspace.pk}/review")
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.get_by_text("Approved", exact=False).first).to_be_visible()
    held.refresh_from_db()
    assert (held.outcome, held.review) == (FollowUp.Outcome.MESSAGE, FollowUp.Review.APPROVED)


def press(page: Page, name: str) -> None:
    """A link or button that leads to another page."""
    go_to(page, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def write(page: Page, name: str, text: str) -> None:
    go_to(page, name)
    page.keyboard.type(text)


def go_to(page: Page, name: str) -> None:
    """By the Tab key alone, to what is called so; its focus has to be seen."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        called, outlined = page.evaluate(
            """() => {
                const here = document.activeElement;
                const words = here.labels?.[0]?.textContent ?? here.ariaLabel ?? here.textContent;
                const looks = getComputedStyle(here), after = getComputedStyle(here, "::after");
                return [words.trim().replace(/\\s+/g, " "),
                        looks.outlineStyle !== "none" || after.outlineStyle !== "none"];
            }"""
        )
        if called == name or called.startswith((f"{name} ", f"{name}After")):
            assert outlined, f"the focus on {name} is not seen"
            return
    raise AssertionError(f"{name} cannot be reached by the keyboard")
