"""One's own phone, and tests that go to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from postcall.actions.models import Action
from postcall.dashboard.own_texts import Told
from postcall.messages import twilio_client
from postcall.messages.models import OwnPhone, OwnText, PhoneCode
from postcall.messages.own_phone import expect
from postcall.messages.own_texts import work
from postcall.sandbox.running import Sandbox
from postcall.work.leases import take
from postcall.worker.lanes import LEASE
from postcall.workspaces.models import AuditEntry, Membership, User, Workspace

from .factories import a_call, a_follow_up, a_member, a_phone, a_workspace, an_action, an_agent, an_own_text

pytestmark = pytest.mark.django_db
NUMBER = "+14155550188"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(progress="manual").running() as sandbox:
        monkeypatch.setenv("POSTCALL_SANDBOX_URL", sandbox.url)
        yield sandbox
        twilio_client.forget_clients()


def the_workers() -> None:
    for text in take(OwnText, 10, LEASE):
        work(text)


def post(client: Client, at: Workspace, where: str, **form: object) -> Any:
    return client.post(f"/w/{at.pk}/{where}", {name: str(value) for name, value in form.items()})


def page(client: Client, workspace: Workspace, where: str) -> str:
    return client.get(f"/w/{workspace.pk}/{where}").content.decode()


# The phone.


def test_it_verifies_a_phone_and_shows_what_the_sandbox_has(
    browser_client: Client, owner: User, workspace: Workspace, sandbox: Sandbox
) -> None:
    post(browser_client, workspace, "me/phone/code", number="+1 (415) 555-0188")
    the_workers()
    shown = page(browser_client, workspace, "me/phone")
    code = sandbox.messages[0].body[:6]
    assert code in shown
    assert "No phone rings" in shown
    post(browser_client, workspace, "me/phone/verify", code=code)
    phone = OwnPhone.objects.get()
    assert (phone.person, phone.number, phone.by_sandbox) == (owner, NUMBER, True)
    assert [entry.verb for entry in AuditEntry.objects.order_by("at")] == ["send_code", "verify"]
    assert NUMBER not in "".join(entry.object_name for entry in AuditEntry.objects.all())


def test_it_never_shows_a_code_that_goes_to_a_phone(
    browser_client: Client, owner: User, workspace: Workspace
) -> None:
    post(browser_client, workspace, "me/phone/code", number=NUMBER)
    text = OwnText.objects.get()
    code = text.body[:6]
    assert browser_client.get(f"/w/{workspace.pk}/test-texts/{text.pk}").status_code == 404
    for where in ("me/phone", "test-texts", f"test-texts/{text.pk}/live"):
        assert code not in page(browser_client, workspace, where)


def test_it_counts_wrong_codes_down(browser_client: Client, owner: User, workspace: Workspace) -> None:
    expect(an_own_text(workspace, owner, kind="code"), "123456")
    answer = post(browser_client, workspace, "me/phone/verify", code="654321")
    assert (answer.status_code, PhoneCode.objects.get().tries_left) == (422, 4)
    assert b"You have 4 tries left" in answer.content
    assert not OwnPhone.objects.exists()


def test_it_keeps_what_was_typed_where_no_code_can_go(browser_client: Client, workspace: Workspace) -> None:
    answer = post(browser_client, workspace, "me/phone/code", number="+442071838750")
    assert answer.status_code == 422
    assert b'value="+442071838750"' in answer.content
    assert b"is a landline" in answer.content


def test_it_sends_codes_only_by_workspaces_where_one_may_act(
    browser_client: Client, owner: User, workspace: Workspace
) -> None:
    other = a_workspace("Copperkettle Garage")
    Membership.objects.create(workspace=other, user=owner, role=Membership.Role.VIEWER)
    assert post(browser_client, workspace, "me/phone/code", number=NUMBER, workspace=other.pk).status_code == 422
    Membership.objects.update(role=Membership.Role.EDITOR)
    post(browser_client, workspace, "me/phone/code", number=NUMBER, workspace=other.pk)
    assert (OwnText.objects.get().workspace, AuditEntry.objects.get().workspace) == (other, other)


def test_it_removes_a_phone(browser_client: Client, owner: User, workspace: Workspace) -> None:
    a_phone(owner, workspace)
    post(browser_client, workspace, "me/phone/remove")
    assert not OwnPhone.objects.exists()


# A test.


def send(client: Client, workspace: Workspace, **form: object) -> OwnText:
    post(client, workspace, "test-texts/send", **form)
    return OwnText.objects.order_by("-pk")[0]


def test_it_sends_unsaved_words_filled_with_samples(
    browser_client: Client, owner: User, workspace: Workspace, sandbox: Sandbox
) -> None:
    a_phone(owner, workspace)
    text = send(browser_client, workspace, message="Hi <customer_name>, at <time>. Till then.")
    the_workers()
    assert (text.to, text.body) == (NUMBER, "Hi Maya, at 9:40 AM. Till then.")
    assert sandbox.creates == {(NUMBER, text.body): 1}
    assert "Accepted by Twilio" in page(browser_client, workspace, f"test-texts/{text.pk}")
    assert "No phone rings" in page(browser_client, workspace, f"test-texts/{text.pk}/live")


def test_it_fills_with_what_a_call_of_that_action_held(
    browser_client: Client, owner: User, workspace: Workspace
) -> None:
    a_phone(owner, workspace)
    agent = an_agent(workspace)
    call = a_call(agent)
    attachment = an_action(agent)
    a_follow_up(call, attachment, inputs={"customer_name": {"value": "Inés", "from": "collected"}})
    form = {"message": "Hi <customer_name>", "action": attachment.action_id, "test_call": call.pk}
    text = send(browser_client, workspace, **form)
    assert (text.body, text.call, text.action) == ("Hi Inés", call, attachment.action)


def test_it_fills_with_what_the_bindings_find_in_a_call(
    browser_client: Client, owner: User, workspace: Workspace
) -> None:
    a_phone(owner, workspace)
    agent = an_agent(workspace)
    call = a_call(agent, variables={"collected": {"first_name": "Priya"}})
    action = an_action(agent).action_id
    text = send(
        browser_client, workspace, message="Hi <customer_name> at <company>", action=action, test_call=call.pk
    )
    assert text.body == "Hi Priya at Northgate Clinic"


def test_it_sends_by_an_agents_own_sender(
    browser_client: Client, owner: User, workspace: Workspace, sandbox: Sandbox
) -> None:
    a_phone(owner, workspace)
    agent = an_agent(workspace, from_number="+15005550006")
    send(browser_client, workspace, message="Hi", test_agent=agent.pk)
    the_workers()
    assert sandbox.messages[0].parameters["From"] == "+15005550006"


def test_it_sends_once_however_often_it_is_clicked(
    browser_client: Client, owner: User, workspace: Workspace
) -> None:
    a_phone(owner, workspace)
    once = uuid4()
    first = send(browser_client, workspace, message="Hi", once=once)
    assert send(browser_client, workspace, message="Hi", once=once) == first
    assert OwnText.objects.count() == AuditEntry.objects.count() == 1


def test_it_sends_nothing_without_a_phone_and_keeps_the_words(browser_client: Client, workspace: Workspace) -> None:
    answer = post(browser_client, workspace, "test-texts/send", message="Hi <customer_name>, words of mine")
    assert answer.status_code == 422
    assert b"words of mine" in answer.content
    assert b"Verify your phone first" in answer.content
    assert not OwnText.objects.exists()


def test_it_answers_the_editor_in_place(browser_client: Client, owner: User, workspace: Workspace) -> None:
    a_phone(owner, workspace)
    answer = browser_client.post(
        f"/w/{workspace.pk}/test-texts/send", {"message": "Hi there"}, headers={"HX-Request": "true"}
    )
    assert b"<html" not in answer.content
    assert b"Waiting to go out" in answer.content
    assert b'hx-swap-oob="true"' in answer.content


def test_it_shows_the_card_in_the_editor(browser_client: Client, owner: User, workspace: Workspace) -> None:
    action = Action.objects.get(pk=an_action(an_agent(workspace)).action_id)
    assert "Verify your phone" in page(browser_client, workspace, f"actions/{action.pk}")
    a_phone(owner, workspace)
    assert "Send it to +1 415 555 0188" in page(browser_client, workspace, f"actions/{action.pk}")


@pytest.mark.parametrize("field", ["action", "test_call", "test_agent"])
def test_it_takes_nothing_of_another_workspace(
    browser_client: Client, owner: User, workspace: Workspace, field: str
) -> None:
    a_phone(owner, workspace)
    agent = an_agent(a_workspace("Copperkettle Garage"))
    theirs = {"action": an_action(agent).action_id, "test_call": a_call(agent).pk, "test_agent": agent.pk}
    answer = post(browser_client, workspace, "test-texts/send", message="Hi", **{field: theirs[field]})
    assert (answer.status_code, OwnText.objects.exists()) == (404, False)


def test_it_shows_nobody_a_colleagues_tests(browser_client: Client, workspace: Workspace) -> None:
    text = an_own_text(workspace, a_member(workspace))
    assert browser_client.get(f"/w/{workspace.pk}/test-texts/{text.pk}").status_code == 404
    assert "No test yet" in page(browser_client, workspace, "test-texts")


@pytest.mark.parametrize(
    ("status", "fields", "said"),
    [
        ("refused", {"error_code": 21606}, "Not sent"),
        ("refused", {"error_code": 429}, "Send another in a minute."),
        ("failed", {"error_code": 30034}, "not registered for business texts"),
        ("unconfirmed", {"sid": "", "due_at": None}, "It could not be found out."),
        ("absent", {"sid": ""}, "it was not sent"),
    ],
)
def test_it_says_why_and_the_mend(
    browser_client: Client, owner: User, workspace: Workspace, status: str, fields: dict[str, Any], said: str
) -> None:
    text = an_own_text(workspace, owner, status=status, **fields)
    assert said in page(browser_client, workspace, f"test-texts/{text.pk}")
    assert Told(text).is_settled
