from __future__ import annotations

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from postcall.sandbox.accounts import Account
from postcall.sandbox.running import Sandbox

from .application import ACCOUNT, ANN, OURS, SERVICE, TOKEN
from .conftest import Connect

KEY = "SK" + "3" * 32
FIXED = Account(ACCOUNT, TOKEN, {KEY: "key-secret"})


def refused(sandbox: Sandbox, connect: Connect, *credentials: str) -> bool:
    with pytest.raises(TwilioRestException) as error:
        connect(sandbox, *credentials).messages.create(to=ANN, from_=OURS, body="Hi")
    assert sandbox.messages == []
    return (error.value.status, error.value.code) == (401, 20003)


def test_it_takes_any_account_with_any_token(sandbox: Sandbox, connect: Connect) -> None:
    assert connect(sandbox, "AC" + "a" * 32, "anything").messages.create(to=ANN, from_=OURS, body="Hi").sid


def test_it_refuses_a_malformed_account(sandbox: Sandbox, connect: Connect) -> None:
    assert refused(sandbox, connect, "AC123", "anything")


def test_it_takes_an_api_key_once_it_knows_the_token(sandbox: Sandbox, connect: Connect) -> None:
    assert refused(sandbox, connect, KEY, "key-secret")
    connect(sandbox).messages.list()
    assert connect(sandbox, KEY, "key-secret").messages.create(to=ANN, from_=OURS, body="Hi").sid


@pytest.mark.parametrize("authorization", [None, "Bearer x", "Basic ???", "Basic bm9jb2xvbg=="])
def test_it_refuses_missing_or_unreadable_credentials(sandbox: Sandbox, authorization: str | None) -> None:
    url = f"{sandbox.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    response = requests.get(url, headers={"Authorization": authorization} if authorization else {}, timeout=30)
    assert (response.status_code, response.json()["code"]) == (401, 20003)


def test_it_knows_fixed_accounts_only(connect: Connect) -> None:
    with Sandbox(accounts=[FIXED], progress="manual").running() as sandbox:
        assert refused(sandbox, connect, "AC" + "a" * 32, "anything")
        assert refused(sandbox, connect, ACCOUNT, "wrong")
        assert refused(sandbox, connect, KEY, "wrong")
        assert connect(sandbox).messages.create(to=ANN, from_=OURS, body="Hi").sid
        assert connect(sandbox, KEY, "key-secret").messages.create(to=ANN, from_=OURS, body="Hi").sid


def test_it_describes_the_account(sandbox: Sandbox, connect: Connect) -> None:
    account = connect(sandbox).api.accounts(ACCOUNT).fetch()
    assert (account.sid, account.status) == (ACCOUNT, "active")


def test_it_owns_the_numbers_it_is_asked_for(sandbox: Sandbox, connect: Connect) -> None:
    client = connect(sandbox)
    (number,) = client.incoming_phone_numbers.list(phone_number="+15559870000")
    assert number.phone_number == "+15559870000"
    assert number.capabilities["sms"] is True
    assert client.incoming_phone_numbers.list(phone_number="+15005550007") == []


def test_it_describes_a_messaging_service(sandbox: Sandbox, connect: Connect) -> None:
    client = connect(sandbox)
    assert client.messaging.v1.services(SERVICE).fetch().sid == SERVICE
    with pytest.raises(TwilioRestException) as missing:
        client.messaging.v1.services("MG1").fetch()
    assert missing.value.status == 404
