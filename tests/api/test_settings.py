"""/settings: by what, under which rules, and for how long."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from postcall.agents.models import Agent
from postcall.messages import twilio_client
from postcall.messages.models import Account, RefusedSender, SendingAccount
from postcall.sandbox.running import Sandbox
from postcall.workspaces.models import Workspace

from .conftest import Api

SID = "AC" + "0" * 32
OWN = {"use": "own", "account_sid": SID, "auth_token": "secret-token", "from_number": "+14155550100"}


def test_it_changes_only_what_is_said(api: Api) -> None:
    changed = api.put("/settings/sending", {"window": None, "countries": ["us", "CA"], "max_messages_per_day": 100})
    assert changed.json == api.get("/settings/sending").json
    assert changed.json == {
        "window": None,
        "valid_for_s": 3600,
        "max_per_number_per_day": 5,
        "max_messages_per_day": 100,
        "countries": ["US", "CA"],
        "unconfirmed": "resend_when_absent",
    }
    again = api.put("/settings/sending", {"window": {"start": "22:00", "end": "06:30"}, "countries": None})
    assert (again.json["window"], again.json["countries"]) == ({"start": "22:00", "end": "06:30"}, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"window": {"start": "9:00", "end": "20:00"}}, "window.start"),
        ({"window": {"start": "09:00", "end": "24:00"}}, "window.end"),
        ({"window": {"start": "09:00", "end": "09:00"}}, "window"),
        ({"window": {"start": "09:00"}}, "window.end"),
        ({"window": "always"}, "window"),
        ({"valid_for_s": 0}, "valid_for_s"),
        ({"valid_for_s": None}, "valid_for_s"),
        ({"max_per_number_per_day": 0}, "max_per_number_per_day"),
        ({"max_messages_per_day": 2**40}, "max_messages_per_day"),
        ({"countries": []}, "countries"),
        ({"countries": ["XX"]}, "countries.0"),
        ({"countries": ["\x00\x00"]}, "countries.0"),
        ({"unconfirmed": "forget"}, "unconfirmed"),
        ({"windows": None}, "windows"),
    ],
)
def test_it_refuses_rules_that_make_no_sense(api: Api, body: dict[str, Any], field: str) -> None:
    refused = api.put("/settings/sending", body)
    assert (refused.status, refused.fields) == (422, [field])


def test_it_keeps_for_as_long_as_is_said(api: Api) -> None:
    assert api.put("/settings/retention", {"days": 30}).json == {"days": 30}
    assert api.put("/settings/retention", {"days": None}).json == {"days": None}
    assert api.put("/settings/retention", {"days": 0}).fields == ["days"]
    assert api.put("/settings/retention", {}).fields == ["days"]


def test_it_sends_by_nothing_until_somebody_chooses(api: Api) -> None:
    assert api.get("/settings/twilio").json["use"] is None
    assert api.put("/settings/twilio", {"use": "sandbox"}).json["use"] == "sandbox"


def test_it_sends_by_an_own_account_and_never_shows_its_secrets(api: Api) -> None:
    changed = api.put("/settings/twilio", OWN | {"api_key_sid": "SK" + "1" * 32, "api_key_secret": "other-secret"})
    assert (changed.json["use"], changed.json["account_sid"], changed.json["auth_token_set"]) == ("own", SID, True)
    shown = changed.response.content + api.get("/settings/twilio").response.content
    assert b"secret-token" not in shown
    assert b"other-secret" not in shown
    assert "/twilio/inbound/" in changed.json["inbound_url"]


def test_it_keeps_a_secret_that_is_left_out(api: Api) -> None:
    api.put("/settings/twilio", OWN)
    body = {"use": "own", "account_sid": SID, "messaging_service_sid": "MG" + "2" * 32}
    assert api.put("/settings/twilio", body).json["messaging_service_sid"] == body["messaging_service_sid"]
    assert {account.auth_token for account in Account.objects.all()} == {"secret-token"}


def test_it_asks_for_the_secret_of_an_account_that_it_does_not_know(api: Api) -> None:
    refused = api.put("/settings/twilio", {name: value for name, value in OWN.items() if name != "auth_token"})
    assert (refused.status, refused.fields) == (422, ["auth_token"])


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"use": "twilio"}, "use"),
        ({"use": "sandbox"}, ""),
        ({"account_sid": None}, ""),
        ({"account_sid": "AC1"}, "account_sid"),
        ({"from_number": None}, ""),
        ({"messaging_service_sid": "MG" + "2" * 32}, ""),
        ({"from_number": "nobody at all"}, "from_number"),
        ({"auth_token": ""}, "auth_token"),
        ({"auth_token": "a\x00b"}, "auth_token"),
        ({"api_key_secret": "x"}, ""),
        ({"token": "x"}, "token"),
    ],
)
def test_it_refuses_an_account_that_cannot_be(api: Api, changed: dict[str, Any], field: str) -> None:
    refused = api.put("/settings/twilio", OWN | changed)
    assert (refused.status, refused.fields) == (422, [field])


def test_it_says_that_there_is_no_shared_account(api: Api) -> None:
    assert api.put("/settings/twilio", {"use": "shared"}).status == 409


def test_the_sample_workspace_never_leaves_the_sandbox(api: Api) -> None:
    Workspace.objects.update(is_sample=True)
    assert api.put("/settings/twilio", OWN).status == 409
    assert api.put("/settings/twilio", {"use": "sandbox"}).status == 200


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox().running() as sandbox:
        monkeypatch.setenv("POSTCALL_SANDBOX_URL", sandbox.url)
        yield sandbox
        twilio_client.forget_clients()


def a_pause(api: Api, sender: str, code: int = 21606) -> None:
    account = SendingAccount.objects.get(workspace=api.workspace).account
    if sender:
        Agent.objects.create(workspace=api.workspace, name="Own sender", from_number=sender)
    RefusedSender.objects.create(
        workspace=api.workspace, account=account, sender=sender, code=code, paused_at=timezone.now()
    )


def test_it_shows_what_is_paused_and_the_mend(api: Api) -> None:
    api.put("/settings/twilio", {"use": "sandbox"})
    a_pause(api, "", 20003)
    (shown,) = api.get("/settings/twilio").json["paused"]
    assert (shown["sender"], shown["code"]) == (None, 20003)
    assert shown["fix"] == "Enter the account SID and auth token again under Settings, Twilio."


def test_it_checks_the_account_again(api: Api, standin: Sandbox) -> None:
    api.put("/settings/twilio", {"use": "sandbox"})
    a_pause(api, "", 20003)
    answer = api.post("/settings/twilio/recheck")
    assert (answer.status, answer.json["well"], answer.json["paused"]) == (200, True, [])
    assert [check["well"] for check in answer.json["checks"]] == [True, True]
    assert api.get("/settings/twilio").json["paused"] == []


def test_it_says_what_is_still_amiss(api: Api, standin: Sandbox) -> None:
    api.put("/settings/twilio", {"use": "sandbox"})
    a_pause(api, "+15005550007")
    answer = api.post("/settings/twilio/recheck")
    assert (answer.status, answer.json["well"]) == (200, False)
    (amiss,) = [check for check in answer.json["checks"] if not check["well"]]
    assert amiss == {
        "sender": "+15005550007",
        "well": False,
        "message": "+15005550007 is not a number of this account.",
        "fix": "Add the number to this account in Twilio's console, or choose another sender where this one was "
        "chosen: under Settings, Twilio, or on the agent.",
    }
    assert [pause["sender"] for pause in answer.json["paused"]] == ["+15005550007"]


def test_there_is_nothing_to_check_without_an_account(api: Api, reader: Api) -> None:
    assert api.post("/settings/twilio/recheck").status == 409
    assert reader.post("/settings/twilio/recheck").status == 403
