"""The action editor as a browser shows it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from postcall.actions.models import Action, Attachment
from postcall.workspaces.models import User, Workspace

from .conftest import SignedIn
from .factories import a_call, a_member, a_workspace, an_action, an_agent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def booking(live_server: Any) -> Attachment:
    attachment = an_action(an_agent(a_workspace()), message="Hi <customer_name>, see you. Northgate Clinic")
    a_call(attachment.agent)
    return attachment


@pytest.fixture
def dana(booking: Attachment) -> User:
    return a_member(booking.workspace, email="dana@northgate.example")


def place(workspace: Workspace, *rest: object) -> str:
    return "/".join([f"/w/{workspace.pk}/actions", *map(str, rest)])


def test_it_counts_while_one_writes_and_mends_with_one_click(
    signed_in: SignedIn, booking: Attachment, dana: User
) -> None:
    page = signed_in(dana).new_page()
    page.goto(place(booking.workspace, booking.action_id))
    unsaved = page.get_by_text("Unsaved changes")
    expect(unsaved).to_be_hidden()
    message = page.get_by_label("Message", exact=True)
    message.fill("Hi <customer_name>, you’re booked. Northgate Clinic")
    shown = page.locator("#preview")
    expect(shown).to_contain_text("UCS-2")
    expect(shown.locator(".culprit")).to_have_text("’")
    expect(unsaved).to_be_visible()
    page.get_by_role("button", name="Write it plainly").click()
    expect(message).to_have_value("Hi <customer_name>, you're booked. Northgate Clinic")
    expect(shown).to_contain_text("GSM-7")
    expect(shown).to_contain_text("Hi Maya, you're booked.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").first).to_contain_text("Saved as revision 2.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_tries_the_words_on_the_page(signed_in: SignedIn, booking: Attachment, dana: User, scheme: str) -> None:
    page = signed_in(dana, color_scheme=scheme, bypass_csp=True).new_page()
    page.goto(place(booking.workspace, booking.action_id))
    page.get_by_label("After every connected call").check()
    page.get_by_label("Message", exact=True).fill("Bye <customer_name>. Northgate Clinic")
    page.get_by_role("button", name="Try", exact=True).click()
    result = page.get_by_role("status", name="Result")
    expect(result).to_contain_text("A text would go out")
    expect(result).to_contain_text("Bye Maya. Northgate Clinic")
    expect(result).to_be_focused()
    number = page.get_by_label("Find by number")
    number.fill("0199")
    number.press("Enter")
    expect(page.get_by_label("Call", exact=True)).to_contain_text("No call of this number")
    assert booking.action.revisions.count() == 1
    page.get_by_text("A pasted transcript").click()
    page.get_by_role("textbox", name="Transcript").fill("Maya: Hello?")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.locator("#transcript-error")).to_contain_text("Line 1 begins with “Maya:”")
    assert page.get_by_label("Message", exact=True).input_value() == "Bye <customer_name>. Northgate Clinic"
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert Action.objects.get().updated_at == booking.action.updated_at


def test_it_is_written_tried_and_saved_without_script(signed_in: SignedIn, booking: Attachment, dana: User) -> None:
    page = signed_in(dana, java_script_enabled=False, viewport={"width": 360, "height": 740}).new_page()
    page.goto(place(booking.workspace))
    page.get_by_role("link", name="Create", exact=True).click()
    page.get_by_role("link", name=re.compile("^After scheduling an appointment")).click()
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_role("status", name="Result")).to_contain_text("Front desk does not say yet where")
    assert narrow(page)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_label("Front desk").check()
    page.get_by_role("button", name="Attach", exact=True).click()
    expect(page.get_by_role("status").first).to_contain_text("Front desk: attached and off.")
    assert narrow(page)


def narrow(page: Page) -> bool:
    """Whether nothing stands out past the smallest phone; asked of the layout, since no script runs."""
    box = page.locator("main").bounding_box()
    cards = [each.bounding_box() for each in page.locator("main .card").all()]
    return box is not None and all(card is None or card["x"] + card["width"] <= 360 for card in cards)
