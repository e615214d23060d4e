"""By which account texts leave: what is paused, and checking it again."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from postcall.config import config
from postcall.dashboard.sealed import seal
from postcall.dashboard.views.settings import twilio as page_of_twilio
from postcall.messages import twilio_client
from postcall.messages.models import Account, Attempt, Message, RefusedSender, SendingAccount
from postcall.sandbox.accounts import Account as TwiliosAccount
from postcall.sandbox.running import Sandbox
from postcall.workspaces.models import Membership, Workspace

from .factories import (
    a_call,
    a_follow_up,
    a_held_follow_up,
    a_member,
    a_message,
    a_pause,
    a_workspace,
    an_action,
    an_agent,
)

pytestmark = pytest.mark.django_db
BAD = "+15005550007"


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox().running() as sandbox:
        monkeypatch.setenv("POSTCALL_SANDBOX_URL", sandbox.url)
        yield sandbox
        twilio_client.forget_clients()


def shown(client: Client, workspace: Workspace, place: str = "settings/twilio") -> str:
    return client.get(f"/w/{workspace.pk}/{place}").content.decode()


def press_recheck(client: Client, workspace: Workspace) -> str:
    return client.post(f"/w/{workspace.pk}/settings/twilio/recheck", follow=True).content.decode()


@pytest.mark.parametrize("place", ["", "settings/twilio"])
def test_it_offers_a_recheck_of_what_is_paused(browser_client: Client, workspace: Workspace, place: str) -> None:
    a_pause(workspace, 21606, BAD)
    page = shown(browser_client, workspace, place)
    assert f'action="/w/{workspace.pk}/settings/twilio/recheck"' in page
    assert "+1 500 555 0007" in page
    assert "Choose a sender number of the connected account that can send texts: under Settings" in page


def test_it_lets_go_what_is_well(browser_client: Client, workspace: Workspace, standin: Sandbox) -> None:
    a_pause(workspace, 20003)
    page = press_recheck(browser_client, workspace)
    assert "Twilio accepts the account&#x27;s credentials." in page
    assert "is paused" not in page
    assert not RefusedSender.objects.exists()


def test_it_says_what_is_still_amiss(browser_client: Client, workspace: Workspace, standin: Sandbox) -> None:
    a_pause(workspace, 21606, BAD)
    page = press_recheck(browser_client, workspace)
    assert f"{BAD} is not a number of this account. Add the number" in page
    assert "is paused" in page


def test_it_asks_twilio_only_so_often(
    browser_client: Client, workspace: Workspace, standin: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of_twilio, "MAX_ASKED", 0)
    assert "Too many tries" in press_recheck(browser_client, workspace)
    answer = browser_client.post(f"/w/{workspace.pk}/settings/twilio/choose", OWN)
    assert (answer.status_code, "Too many tries" in answer.content.decode()) == (422, True)
    assert OWN["auth_token"] not in answer.content.decode()


def test_it_says_that_there_is_nothing_to_check(client: Client) -> None:
    workspace = a_workspace(account=None)
    client.force_login(a_member(workspace))
    assert "choose one first" in press_recheck(client, workspace)


def test_viewers_press_nothing(client: Client, workspace: Workspace) -> None:
    a_pause(workspace, 20003)
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    assert "twilio/recheck" not in shown(client, workspace) + shown(client, workspace, "")
    assert client.post(f"/w/{workspace.pk}/settings/twilio/recheck").status_code == 403


SID, KEY, SERVICE, EMPTY = "AC" + "a" * 32, "SK" + "a" * 32, "MG" + "a" * 32, "MG" + "b" * 32
SUSPENDED, TRIAL, TEST = "AC" + "b" * 32, "AC" + "c" * 32, "AC" + "d" * 32
NUMBER, VOICE_ONLY = "+14155550100", "+14155550101"
OWN = {"use": "own", "account_sid": SID, "auth_token": "t" * 32, "sender": NUMBER}


@pytest.fixture
def twilio(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Twilio, as it knows accounts of every kind."""
    numbers = {NUMBER: True, VOICE_ONLY: False}
    accounts = (
        TwiliosAccount(SID, "t" * 32, {KEY: "s" * 32}, numbers=numbers, services={SERVICE: (NUMBER,), EMPTY: ()}),
        TwiliosAccount(SUSPENDED, "t" * 32, status="suspended"),
        TwiliosAccount(TRIAL, "t" * 32, type="Trial"),
        TwiliosAccount(TEST, "t" * 32, test=True),
    )
    with Sandbox(accounts=accounts).running() as sandbox:
        monkeypatch.setenv("TWILIO_API_URL", sandbox.url)
        config.cache_clear()
        yield sandbox
        twilio_client.forget_clients()
    config.cache_clear()


def choose(client: Client, workspace: Workspace, **fields: str) -> Any:
    return client.post(f"/w/{workspace.pk}/settings/twilio/choose", OWN | fields, follow=True)


def in_force(workspace: Workspace) -> Account:
    return SendingAccount.objects.get(workspace=workspace).account


def problem_of(page: str, field: str) -> str:
    """What stands next to a field of a page."""
    told = re.search(rf'href="#{field}">([^<]*)<', page)
    assert told, page
    return html.unescape(told[1])


def test_it_stores_an_account_that_twilio_knows(
    browser_client: Client, workspace: Workspace, twilio: Sandbox
) -> None:
    page = choose(browser_client, workspace, api_key_sid=KEY, api_key_secret="s" * 32).content.decode()
    account = in_force(workspace)
    assert (account.kind, account.account_sid, account.auth_token) == ("own", SID, "t" * 32)
    assert (account.from_number, account.api_key_sid) == (NUMBER, KEY)
    assert f"{NUMBER} is a number of this account." in page
    assert "t" * 32 not in page
    assert "s" * 32 not in page


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"account_sid": KEY}, "account_sid", "The account SID is AC and 32"),
        ({"account_sid": ""}, "account_sid", "Enter the account SID"),
        ({"sender": ""}, "sender", "Enter the number or the messaging service"),
        ({"sender": "MG12345678901234567890123456789012x"}, "sender", "is MG and 32"),
        ({"auth_token": "a b"}, "auth_token", "copy it again"),
        ({"auth_token": ""}, "auth_token", "not known for this account SID"),
        ({"auth_token": "u" * 32}, "auth_token", "does not accept the account's credentials"),
        ({"account_sid": SUSPENDED}, "account_sid", "the account is suspended"),
        ({"account_sid": TEST}, "auth_token", "test credentials"),
        ({"api_key_sid": "SK" + "9" * 32, "api_key_secret": "s"}, "api_key_sid", "has no such API key"),
        ({"api_key_sid": KEY, "api_key_secret": "wrong"}, "api_key_secret", "does not accept this secret"),
        ({"sender": "+14155550199"}, "sender", "is not a number of this account"),
        ({"sender": VOICE_ONLY}, "sender", "cannot send texts"),
        ({"sender": "MG" + "9" * 32}, "sender", "Messaging Service"),
        ({"sender": EMPTY}, "sender", "The messaging service has no sender."),
        ({"use": "shared"}, "use", "no shared Twilio account"),
        ({"use": "nothing"}, "use", ""),
    ],
)
def test_it_says_at_its_field_what_is_wrong_and_stores_nothing(
    browser_client: Client, workspace: Workspace, twilio: Sandbox, fields: dict[str, str], field: str, said: str
) -> None:
    answer = choose(browser_client, workspace, **fields)
    assert answer.status_code == 422
    assert said in problem_of(answer.content.decode(), field)
    assert in_force(workspace).kind == "sandbox"


def test_it_takes_a_messaging_service(browser_client: Client, workspace: Workspace, twilio: Sandbox) -> None:
    choose(browser_client, workspace, sender=SERVICE)
    assert (in_force(workspace).messaging_service_sid, in_force(workspace).from_number) == (SERVICE, "")


def test_it_warns_of_a_trial_account(browser_client: Client, workspace: Workspace, twilio: Sandbox) -> None:
    page = choose(browser_client, workspace, account_sid=TRIAL).content.decode()
    assert "This is a trial account" in page
    assert in_force(workspace).account_sid == TRIAL


def test_a_refused_form_keeps_what_was_typed_and_shows_no_secret(
    browser_client: Client, workspace: Workspace, twilio: Sandbox
) -> None:
    page = choose(browser_client, workspace, sender=VOICE_ONLY).content.decode()
    assert f'value="{SID}"' in page
    assert f'value="{VOICE_ONLY}"' in page
    assert "t" * 32 not in page
    (sealed,) = re.findall(r'name="auth_token_sealed" value="([^"]+)"', page)
    choose(browser_client, workspace, auth_token="", auth_token_sealed=sealed)
    assert in_force(workspace).auth_token == "t" * 32


def test_what_another_workspace_typed_is_no_secret_of_this_one(
    browser_client: Client, workspace: Workspace, twilio: Sandbox
) -> None:
    sealed = seal(a_workspace("Copperkettle Garage"), "t" * 32)
    answer = choose(browser_client, workspace, auth_token="", auth_token_sealed=sealed)
    assert "not known for this account SID" in problem_of(answer.content.decode(), "auth_token")


def test_an_empty_secret_keeps_the_stored_one(
    browser_client: Client, workspace: Workspace, twilio: Sandbox
) -> None:
    choose(browser_client, workspace)
    page = choose(browser_client, workspace, auth_token="", sender=SERVICE).content.decode()
    assert (in_force(workspace).auth_token, in_force(workspace).messaging_service_sid) == ("t" * 32, SERVICE)
    assert "Type another one to replace it." in page


def test_it_offers_to_save_unchecked_while_twilio_cannot_be_asked(
    browser_client: Client, workspace: Workspace, twilio: Sandbox
) -> None:
    twilio.stop()
    answer = choose(browser_client, workspace)
    page = answer.content.decode()
    assert (answer.status_code, in_force(workspace).kind) == (422, "sandbox")
    assert "Twilio could not be asked" in page
    assert "Save without checking" in page
    assert "Twilio was not asked" in choose(browser_client, workspace, unchecked="1").content.decode()
    assert in_force(workspace).account_sid == SID


def test_it_tells_what_waits_and_what_another_account_still_follows(
    browser_client: Client, workspace: Workspace, twilio: Sandbox
) -> None:
    attachment = an_action(an_agent(workspace))
    call = a_call(attachment.agent)
    sent = a_message(a_follow_up(call, attachment), Message.Status.SENT)
    Attempt.objects.filter(message=sent).update(due_at=timezone.now())
    before = in_force(workspace).account_sid
    held = a_held_follow_up(a_call(attachment.agent), attachment, reason="sender_paused")
    a_message(held, Message.Status.QUEUED)
    choose(browser_client, workspace)
    page = shown(browser_client, workspace, "settings/twilio")
    assert f"1 text sent by <code>{before}</code> is still followed" in page
    assert "1 text waits" in page


def test_it_asks_for_what_is_missing_in_words_of_the_page(browser_client: Client, workspace: Workspace) -> None:
    page = choose(browser_client, workspace, account_sid="", sender="").content.decode()
    assert "Enter the account SID" in problem_of(page, "account_sid")
    assert "Enter the number" in problem_of(page, "sender")
    assert "account_sid." not in page


def test_the_sample_workspace_keeps_the_sandbox(browser_client: Client, workspace: Workspace) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(is_sample=True)
    page = shown(browser_client, workspace, "settings/twilio")
    assert "always sends through the sandbox" in page
    assert "twilio/choose" not in page
    assert "the sample workspace always" in choose(browser_client, workspace).content.decode().lower()
    assert in_force(workspace).kind == "sandbox"


@pytest.mark.parametrize("role", [Membership.Role.EDITOR, Membership.Role.VIEWER])
def test_only_owners_choose(client: Client, workspace: Workspace, role: str) -> None:
    client.force_login(a_member(workspace, role))
    assert "twilio/choose" not in shown(client, workspace, "settings/twilio")
    assert choose(client, workspace).status_code == 403


def test_it_gives_the_address_for_incoming_texts_and_warns_that_twilio_cannot_reach_it(
    browser_client: Client, workspace: Workspace, twilio: Sandbox
) -> None:
    page = choose(browser_client, workspace).content.decode()
    assert f"/twilio/inbound/{in_force(workspace).inbound_token}" in page
    assert "Twilio cannot reach http" in page
